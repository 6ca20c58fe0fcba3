"""Rows of a sealed table: a window into any number of them, sorted, filtered and drawn, against a plain list."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.desk.archive import Column, Curve, Unreadable
from console.evidence.manifest import ItemLine
from console.evidence.reading import Table
from console.evidence.rows import TableRows
from console.evidence.seal import columns

FORM = pa.schema(
    [("ts", pa.timestamp("ns", "UTC")), ("word", pa.string()), ("qty", pa.decimal128(38, 18)), ("level", pa.float64())]
)
Row = tuple[int | None, str | None, Decimal | None, float | None]
DAY = 86_400_000_000_000

rows = st.lists(
    st.tuples(
        st.none() | st.integers(0, 400 * DAY),
        st.none() | st.text(st.sampled_from("abÄß –x"), max_size=3),
        st.none() | st.decimals(-1000, 1000, places=9) | st.just(Decimal("1E-18")),
        st.none() | st.integers(-8, 8).map(lambda eighths: eighths / 8),
    ),
    max_size=40,
)


def sealed(folder: Path, seals: Sequence[Sequence[Row]], row_group: int = 7) -> list[ItemLine]:
    lines = []
    for number, each in enumerate(seals, 1):
        table = pa.Table.from_pylist([dict(zip(FORM.names, row, strict=True)) for row in each], schema=FORM)
        path = folder / f"{number:03d}-things.parquet"
        pq.write_table(table, path, row_group_size=row_group, compression="zstd", write_page_checksum=True)
        data = path.read_bytes()
        lines.append(line_of(path.name, number, data, len(each), columns(FORM)))
    return lines


def line_of(file: str, seal: int, data: bytes, count: int | None, schema: tuple[str, ...]) -> ItemLine:
    digest = hashlib.sha256(data).hexdigest()
    told: dict[str, Any] = {"seq": seal, "prev": "", "file": file, "item": "things", "seal": seal, "sha256": digest}
    return ItemLine(
        **told, bytes=len(data), rows=count, schema=schema, captured_at=0, by="", source="", clock_offset_ms=0, extra={}
    )


def told(row: Row) -> tuple[str, ...]:
    """A row as a person reads it."""
    ts, word, qty, level = row
    number = "–" if qty is None else f"{qty:f}".rstrip("0").rstrip(".") if "." in f"{qty:f}" else f"{qty:f}"
    at = "–"
    if ts is not None:
        at = str(pa.scalar(ts // 1000, pa.timestamp("us")).as_py().isoformat(" ", "microseconds")) + "Z"
    return at, "–" if word is None else word, number, "–" if level is None else repr(level).removesuffix(".0")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("things")


@settings(max_examples=40, deadline=None)
@given(
    first=rows,
    second=rows,
    window=st.tuples(st.integers(0, 60), st.integers(0, 30)),
    words=st.sampled_from(["", "a", "Ä b", "1970-0", "–", "0.5", "00000"]),
    column=st.sampled_from(FORM.names),
    descending=st.booleans(),
)
def test_rows_are_those_of_a_list_that_is_filtered_and_sorted(
    place: Path, first: list[Row], second: list[Row], window: tuple[int, int], words: str, column: str, descending: bool
) -> None:
    shown = TableRows(Table(place, sealed(place, [first, second])))
    assert shown.columns[:4] == (
        Column("ts", "time"),
        Column("word", "text"),
        Column("qty", "number"),
        Column("level", "number"),
    )
    model = [(row, (*told(row), str(seal))) for seal, each in ((1, first), (2, second)) for row in each]
    at, count = window

    def check() -> None:
        assert shown.count == len(model)
        assert shown.window(at, count) == [cells for _, cells in model[at : at + count]]

    check()
    for word in words.split():
        model = [(row, cells) for row, cells in model if any(word.casefold() in cell.casefold() for cell in cells)]
    shown = shown.filtered(words)
    check()
    key = FORM.names.index(column)
    known = [each for each in model if each[0][key] is not None]
    ordered = sorted(known, key=lambda each: _bytes(each[0][key]), reverse=descending)
    model = ordered + [each for each in model if each[0][key] is None]
    shown = shown.sorted(column, descending=descending)
    check()
    again = shown.filtered("1")
    assert again.window(0, 99) == [cells for _, cells in model if any("1" in cell for cell in cells)][:99]


def _bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


@settings(max_examples=40, deadline=None)
@given(told_rows=rows, points=st.integers(1, 9), words=st.sampled_from(["", "a"]))
def test_a_curve_is_the_means_of_equal_steps(place: Path, told_rows: list[Row], points: int, words: str) -> None:
    shown = TableRows(Table(place, sealed(place, [told_rows]))).filtered(words)
    used = [row for row in told_rows if words in told(row)[1]]
    pairs = [(row[0], row[3]) for row in used if row[0] is not None and row[3] is not None]
    if not pairs:
        with pytest.raises(Unreadable, match="no row with a time and a value"):
            shown.curve("level", points)
        return
    first, last = min(at for at, _ in pairs), max(at for at, _ in pairs)
    steps: list[list[float]] = [[] for _ in range(points)]
    for at, level in pairs:
        steps[min(points - 1, (at - first) * points // max(1, last - first))].append(level)
    levels = tuple(sum(step) / len(step) if step else None for step in steps)
    assert shown.sorted("word").curve("level", points) == Curve(first, last, levels)


def test_what_can_not_be_drawn_or_sorted_says_why(place: Path) -> None:
    shown = TableRows(Table(place, sealed(place, [[(1, "a", None, None)]])))
    with pytest.raises(Unreadable, match="no number"):
        shown.curve("word", 3)
    with pytest.raises(Unreadable, match="no column 'wrod'; there are ts, word"):
        shown.sorted("wrod")


def test_what_is_too_much_to_sort_by_can_be_filtered_first(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.evidence.rows.SORT_BYTES", 40)
    shown = TableRows(Table(place, sealed(place, [[(n, f"{n:02}", None, None) for n in range(30)]])))
    with pytest.raises(Unreadable, match=r"too much to sort by.*filter"):
        shown.sorted("word")
    assert shown.filtered("17").sorted("word").count == 1


def test_a_cell_moves_no_cursor(place: Path) -> None:
    shown = TableRows(Table(place, sealed(place, [[(1, "a\x1b[2Jb\nc\u202e", None, None)]])))
    assert shown.window(0, 1)[0][1] == "a�[2Jb⏎c�"


# --- damage ---------------------------------------------------------------------------------------------------------


def test_a_flipped_byte_never_reads_back_as_another_value(place: Path) -> None:
    """Whether the file was small enough to be hashed whole or only its pages have checksums; nobody verified it."""
    given_rows: list[Row] = [(n * DAY, "abc"[n % 3] * 9, Decimal(n % 5) / 8, n / 8) for n in range(200)]
    [line] = sealed(place, [given_rows], row_group=100)
    path = place / line.file
    whole = path.read_bytes()
    right = TableRows(Table(place, [line])).window(0, 200)
    pages = pq.ParquetFile(path).metadata
    chunks = [pages.row_group(group).column(at) for group in range(2) for at in range(4)]
    assert all(chunk.dictionary_page_offset for chunk in chunks)
    end = max(chunk.data_page_offset + chunk.total_compressed_size for chunk in chunks[-4:])
    try:
        for at in range(4, min(end, len(whole) - 8), 3):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
            with pytest.raises(Unreadable, match=str(path)):
                Table(place, [line])
            assert _read(place, line) in (right, path)
    finally:
        path.write_bytes(whole)


def _read(place: Path, line: ItemLine) -> list[tuple[str, ...]] | Path:
    """The rows, by the checksums of their pages alone, or the path that is named as damaged."""
    try:
        return TableRows(Table(place, [line], whole_bytes=0)).window(0, 200)
    except Unreadable as error:
        return Path(str(error).partition(": ")[0])


def test_a_file_of_another_form_or_length_is_refused(place: Path) -> None:
    [line] = sealed(place, [[(1, "a", None, None)] * 3])
    path = place / line.file
    whole = path.read_bytes()
    other = pa.table({"ts": [1, 2, 3]})
    pq.write_table(other, path)
    path.write_bytes(path.read_bytes().ljust(len(whole), b"\0")[: len(whole)])
    with pytest.raises(Unreadable, match=r"damaged|not those"):
        Table(place, [line], whole_bytes=0)
    path.write_bytes(whole[:-1])
    with pytest.raises(Unreadable, match=f"it has {len(whole) - 1} bytes, {len(whole)} were sealed"):
        Table(place, [line])
    path.unlink()
    with pytest.raises(Unreadable, match="can not be read: No such file"):
        Table(place, [line])
