"""Archives made by somebody who wants to break, stop or fool whoever reads them. Nothing of it steers a terminal, gets
out of its folder, takes all of the memory, hangs, or ends in a traceback."""

import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from console.cli import main
from console.desk.archive import Unreadable
from console.evidence.export import unpacked
from console.evidence.index import INDEX, read_index, reindex
from console.evidence.manifest import LONGEST, MANIFEST, MOST_PROBLEMS, HeadLine, ItemLine, JournalHead, parse
from console.evidence.reading import open_table
from console.evidence.shelf import FolderShelf
from console.evidence.signing import Signer
from console.screens.views.text import drawn_text
from tests.support.archives import make_archive
from tests.support.broker import ROOT
from tests.unit.test_tampering import rewrite, write

ONE = "INC-2026-0001"
EVIL = "\x1b]0;owned\x07\x9b31m\u202e\u2066\u200f\u2028\r\x00\x7f"
BEYOND = (1 << 64) - 1
Hostile = Callable[[Path, Signer], None]
Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """Of a key that nobody here trusts."""
    return Signer.make(tmp_path_factory.mktemp("key"))


@pytest.fixture
def folder(tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "no desk"))
    return make_archive(tmp_path / "archive", events=40, seals=1, signer=signer).folder / ONE


def heads(**said: Any) -> Hostile:
    return lambda folder, signer: rewrite(
        folder, signer, lambda line: replace(line, **said) if isinstance(line, HeadLine) else line
    )


def items(only: str = "", /, **said: Any) -> Hostile:
    """What the lines of all items say, or of one."""
    return lambda folder, signer: rewrite(
        folder,
        signer,
        lambda line: replace(line, **said) if isinstance(line, ItemLine) and only in ("", line.item) else line,
    )


def sealed_as(item: str, data: bytes, file: str = "") -> Hostile:
    """Another file in the place of an item's, with a line that fits it."""

    def put(folder: Path, signer: Signer) -> None:
        name = f"001-{file or f'{item}.parquet'}"
        write(folder / name, data)
        told: dict[str, Any] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        if name.endswith(".parquet"):
            table = pq.ParquetFile(folder / name)
            schema = tuple(f"{column.name}: {column.type}" for column in table.schema_arrow)
            told |= {"rows": table.metadata.num_rows, "schema": schema}
        rewrite(
            folder,
            signer,
            lambda line: replace(line, **told) if isinstance(line, ItemLine) and line.file == name else line,
        )

    return put


def parquet(table: pa.Table, **how: Any) -> bytes:
    data = io.BytesIO()
    pq.write_table(table, data, write_page_checksum=True, **how)
    return data.getvalue()


def column(item: str, name: str, change: Change) -> Hostile:
    """Another value in each row of an item."""

    def put(folder: Path, signer: Signer) -> None:
        table = pq.read_table(folder / f"001-{item}.parquet")
        at = table.schema.get_field_index(name)
        values = pa.array(map(change, table.column(name).to_pylist()), table.schema.field(name).type)
        changed = table.set_column(at, table.schema.field(name), values)
        sealed_as(item, parquet(changed))(folder, signer)

    return put


def no_text(bad: bytes) -> pa.Array:
    """A column of texts that are none."""
    ends = pa.array([0, len(bad)], pa.int32()).buffers()[1]
    return pa.Array.from_buffers(pa.string(), 1, [None, ends, pa.py_buffer(bad)])


RECORD = ("pos", "ts", "writer", "seq", "kind", "actor", "incident", "data")
HOSTILE: dict[str, Hostile] = {
    "texts of a head": heads(
        **dict.fromkeys(("title", "cls", "severity", "desk", "mode", "why", "by", "version"), EVIL),
        missing=(EVIL,),
        pulls=(EVIL,),
    ),
    "an incident's name": heads(incident=EVIL),
    "a name that leads away": heads(incident="../../../tmp/owned"),
    "a signer": lambda folder, signer: rewrite(
        folder, None, lambda line: replace(line, signer=EVIL, public_key=EVIL) if isinstance(line, HeadLine) else line
    ),
    "texts of items": items(by=EVIL, source=EVIL, schema=(EVIL,)),
    "names of items": items(item=EVIL),
    "an item without a name": items("quotes", item=""),
    "an item named like another": items("quotes", item="Fills"),
    "an item named like a table of ours": items("quotes", item="incidents"),
    "what an item says besides": items(extra={"prev": [EVIL], "redacted": {"guard": {"1": 7}}}),
    "heads of journals": heads(journal={EVIL: JournalHead(1, EVIL)}),
    "a state": heads(fold=EVIL, records=BEYOND),
    "times beyond time": heads(opened_at=BEYOND, closed_at=BEYOND, sealed_at=BEYOND),
    "times before time": heads(opened_at=-(1 << 63), closed_at=-(1 << 63), sealed_at=-(1 << 63)),
    "sizes beyond all disks": items(bytes=BEYOND, rows=BEYOND, captured_at=BEYOND, clock_offset_ms=BEYOND),
    "large sizes": items(bytes=1 << 44, rows=1 << 44),
    "sizes below nothing": items(bytes=-1, rows=-1),
    "pictures that are tables": items("screen", rows=3),
    "records without data": column("records", "data", lambda value: None),
    "records without a number": column("records", "seq", lambda value: None),
    "records without a place": column("records", "pos", lambda value: None),
    "records without a time": column("records", "ts", lambda value: None),
    "records of no kind": column("records", "kind", lambda value: EVIL),
    "records that steer": column(
        "records", "data", lambda value: value.replace("broker", "\\u001b]0;owned\\u0007\\u009b")
    ),
    "a number of a gigabyte": column("records", "data", lambda value: value.replace('"5"', '"5E+999999999"')),
    "records of another form": sealed_as("records", parquet(pa.table({"a": [1]}))),
    "records of texts": sealed_as("records", parquet(pa.table({name: ["x"] for name in RECORD}))),
    "nested records": sealed_as("records", parquet(pa.table({name: [{"x": [1]}] for name in RECORD}))),
    "lines of no journal": column("journal", "seq", lambda value: -(1 << 63)),
    "lines of nobody": column("journal", "writer", lambda value: None),
    "log lines": column("logs", "text", lambda value: EVIL),
    "columns": sealed_as("positions", parquet(pa.table({EVIL: [EVIL], "symbol": [[EVIL]]}))),
    "columns that are one": sealed_as("positions", parquet(pa.table([[1], ["a"]], names=["symbol", "symbol"]))),
    "columns of ours": sealed_as("positions", parquet(pa.table([[1], ["INC-2026-0009"]], names=["seal", "incident"]))),
    "what is no text": sealed_as("positions", parquet(pa.table({"symbol": no_text(b"\xff\xfe\xed\xa0")}))),
    "a zone": sealed_as("positions", parquet(pa.table({"ts": pa.array([1], pa.timestamp("ns", "../../etc/passwd"))}))),
    "a screen": sealed_as("screen", f"{EVIL}\na\tb\n".encode() + b"\xff", "screen.txt"),
}
COMMANDS = (
    ["verify", "{folder}"],
    ["list", "{archive}"],
    ["list", "{archive}", "--text", "broker", "--json"],
    ["show", "{folder}", "--timeline"],
    ["show", "{folder}", "--item", "positions", "--sort", "symbol"],
    ["show", "{folder}", "--item", "records", "--json"],
    ["show", "{folder}", "--item", "logs"],
    ["show", "{folder}", "--item", "nothing"],
    ["query", "FROM items, positions, findings", "{archive}", "--limit", "3", "--json"],
    ["query", "FROM incidents", "{archive}"],
    ["drill", "{archive}", "--json"],
    ["reindex", "{archive}"],
    ["list", "{archive}", "--symbol", "AAPL"],
)


def steers(text: str) -> list[str]:
    """What of it a terminal would obey, or what turns the direction of writing."""
    return [
        hex(ord(letter)) for letter in text if unicodedata.category(letter) in ("Cc", "Cf", "Zl") and letter != "\n"
    ]


@pytest.mark.parametrize("hostile", [pytest.param(each, id=name) for name, each in HOSTILE.items()])
def test_whatever_evidence_says_is_told_in_sentences_and_steers_nothing(
    capsys: pytest.CaptureFixture[str], folder: Path, signer: Signer, hostile: Hostile, tmp_path: Path
) -> None:
    hostile(folder, signer)
    before = sorted(path for path in tmp_path.rglob("*") if path.name != INDEX)
    for words in COMMANDS:
        code = main(["archive", *(word.format(folder=folder, archive=folder.parent) for word in words)])
        told = capsys.readouterr()
        assert code in (0, 1, 2, 4), words
        assert not steers(told.out + told.err), words
        assert "verified, " not in told.out, words
    assert sorted(path for path in tmp_path.rglob("*") if path.name != INDEX) == before


def test_a_folder_whose_name_steers_is_named_harmlessly(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    odd = folder.rename(folder.with_name("x\x1b[2J\udc80"))
    (odd / "y\x1b[2J\udc80").touch()
    for words in (["verify"], ["list"], ["show"]):
        assert main(["archive", *words, str(odd)]) in (0, 1, 2, 4)
        told = capsys.readouterr()
        assert not steers(told.out + told.err)
        assert (told.out + told.err).encode()


def test_a_manifest_of_a_million_lines_is_given_up_on() -> None:
    manifest, problems = parse(b"\n" * LONGEST)
    assert len(problems) == MOST_PROBLEMS + 1
    assert "from here on nobody looked" in problems[-1][1]
    assert not manifest.heads


# --- exported files -------------------------------------------------------------------------------------------------


def packed(path: Path, tar: bytes) -> Path:
    with pa.CompressedOutputStream(path, "zstd") as out:
        out.write(tar)
    return path


def entry(name: str, data: bytes, size: int | None = None, kind: bytes = tarfile.REGTYPE, **pax: str) -> bytes:
    told = tarfile.TarInfo(f"{ONE}/{name}")
    told.size, told.type, told.pax_headers = len(data) if size is None else size, kind, pax
    header = told.tobuf(tarfile.GNU_FORMAT if size is not None else tarfile.PAX_FORMAT)
    return header + data + bytes(-len(data) % 512)


END = bytes(1024)
BLANK = bytes(4 << 20)


def bombs() -> Iterator[tuple[str, Callable[[bytes], bytes]]]:
    """Behind a good manifest."""
    yield "a file that is larger than was sealed", lambda sealed: sealed + entry("001-fills.parquet", BLANK) + END
    yield "a file that nobody named", lambda sealed: sealed + entry("001-other.parquet", b"x") + END
    yield "a file twice", lambda sealed: sealed + 2 * entry("001-fills.parquet", b"x") + END
    yield "the manifest again", lambda sealed: sealed + sealed + END
    yield "a header without an end", lambda sealed: sealed + entry("x", BLANK, 1 << 40, tarfile.XHDTYPE)
    yield "a name without an end", lambda sealed: sealed + entry("x", BLANK, 1 << 40, tarfile.GNUTYPE_LONGNAME)
    yield "headers without an end", lambda sealed: sealed + 4000 * entry("x", b"9 a=bcde\n", 9, tarfile.XGLTYPE)
    yield (
        "holes",
        lambda sealed: (
            sealed
            + entry(
                "001-fills.parquet",
                b"1\n0\n0\n",
                **{
                    "GNU.sparse.major": "1",
                    "GNU.sparse.minor": "0",
                    "GNU.sparse.realsize": str(1 << 50),
                    "GNU.sparse.name": "x",
                },
            )
            + END
        ),
    )
    yield "less than nothing", lambda sealed: sealed + entry("001-fills.parquet", b"", -1024) + END
    yield "no manifest first", lambda sealed: entry("001-fills.parquet", BLANK) + sealed + END
    yield "a manifest that is too long", lambda sealed: entry(MANIFEST, b"", LONGEST + 1) + bytes(1 << 20)


@pytest.mark.parametrize("bomb", [pytest.param(make, id=name) for name, make in bombs()])
def test_an_exported_file_unpacks_to_what_its_manifest_names_and_no_more(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bomb: Callable[[bytes], bytes]
) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(aside))
    path = packed(tmp_path / "x.tar.zst", bomb(entry(MANIFEST, (folder / MANIFEST).read_bytes())))
    with pytest.raises(Unreadable, match=str(path)) as refused, unpacked(path):
        pass
    assert len(str(refused.value)) < 1000
    assert not list(aside.iterdir())


def test_an_exported_file_that_promises_more_than_there_is_is_not_unpacked(
    folder: Path, tmp_path: Path, signer: Signer
) -> None:
    items("fills", bytes=1 << 40)(folder, signer)
    path = packed(tmp_path / "x.tar.zst", entry(MANIFEST, (folder / MANIFEST).read_bytes()) + END)
    with pytest.raises(Unreadable, match="that unpack to 10995"), unpacked(path):
        pass


# --- tables ---------------------------------------------------------------------------------------------------------


def test_a_table_of_four_hundred_bytes_does_not_take_all_of_the_memory(folder: Path, signer: Signer) -> None:
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 60_000, pa.int32()), ["x" * 1_000_000])
    bomb = parquet(pa.table({"symbol": same}), compression="zstd", store_schema=False)
    sealed_as("positions", bomb)(folder, signer)
    told = "from console.memory import bounded; from console.cli import main; import sys\n"
    told += "with bounded(700 << 20): sys.exit(main(sys.argv[1:]))"
    for words in (["list", str(folder.parent), "--symbol", "X"], ["show", str(folder), "--item", "positions"]):
        ran = subprocess.run(
            [sys.executable, "-c", told, "archive", *words], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        assert (ran.returncode, "Traceback" in ran.stderr) == (1, False), ran.stderr
        assert "alloc of size" in ran.stderr


def test_a_row_group_that_claims_to_be_endless_is_not_read(folder: Path, signer: Signer) -> None:
    sealed_as("fills", parquet(pa.table({"at": pa.repeat(1, 3 << 20)}), row_group_size=3 << 20))(folder, signer)
    with pytest.raises(Unreadable, match="a row group of 3145728 rows was never written by a seal"):
        open_table(folder, "fills")


def test_a_table_is_read_from_the_file_that_was_looked_at(folder: Path) -> None:
    """Whatever its name leads to when a row is asked for."""
    with closing(open_table(folder, "fills")) as table:
        (folder / "001-fills.parquet").unlink()
        os.mkfifo(folder / "001-fills.parquet")
        assert len(table.column(0, "symbol")) == table.count


def test_columns_that_one_seal_has_and_another_has_not_are_empty_there(tmp_path: Path, signer: Signer) -> None:
    folder = make_archive(tmp_path / "archive", events=40, seals=2, signer=signer).folder / ONE
    sealed_as("positions", parquet(pa.table({"symbol": ["AAPL"]})))(folder, signer)
    with closing(open_table(folder, "positions")) as table:
        assert table.column(0, "qty").to_pylist() == [None]
        assert table.column(1, "qty").null_count == 0


# --- the index ------------------------------------------------------------------------------------------------------


def forged(archive: Path, **said: Any) -> None:
    """The index says something else, and names the manifests as they are."""
    table = pq.read_table(archive / INDEX)
    for name, value in said.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(name), pa.array([value], table.schema.field(name).type))
    pq.write_table(table, archive / INDEX)


def test_an_index_that_lies_is_believed_in_nothing_that_the_folders_say(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    reindex(folder.parent)
    with FolderShelf([folder.parent]) as shelf:
        told = shelf.incidents(deep=True)
        forged(folder.parent, incident="../../owned", title="nothing", severity="P3", rows=0, bytes=0, closed_at=None)
        assert shelf.incidents(deep=True) == told
        forged(folder.parent, folder="INC-2026-0002")
        assert shelf.incidents(deep=True) == told
    assert main(["archive", "verify", str(folder.parent)]) == 4
    assert INDEX not in capsys.readouterr().out


def test_an_index_that_misleads_a_search_is_found_by_a_verification(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    reindex(folder.parent)
    forged(folder.parent, text="nothing happened")
    assert main(["archive", "verify", str(folder.parent)]) == 4
    assert f"{ONE}: {folder.parent / INDEX} says what its evidence does not" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "garbage", "nulls"])
def test_an_index_that_is_none_is_left_alone(folder: Path, kind: str, tmp_path: Path) -> None:
    path = folder.parent / INDEX
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "garbage":
            path.write_bytes(random.Random(7).randbytes(4096))
        case "nulls":
            reindex(folder.parent)
            forged(folder.parent, text=None, symbols=None, folder=None)
    assert read_index(folder.parent) == {}
    with FolderShelf([folder.parent]) as shelf:
        assert [each.id for each in shelf.incidents()] == [ONE]


# --- the desk's own archive -----------------------------------------------------------------------------------------


def test_a_link_in_a_desks_archive_is_held_against_the_desk(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    desk = tmp_path / "andon" / "demo"
    (desk / "archive").mkdir(parents=True)
    (desk / "desk.yaml").write_text(f"desk: demo\nmode: simulated\nstate: {desk}\n")
    Signer.make(desk)
    (desk / "archive" / ONE).symlink_to(folder)
    assert main(["archive", "verify", ONE, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert "is trusted" in told["incidents"][0]["findings"][0]["what"]


# --- pictures -------------------------------------------------------------------------------------------------------

PICTURES = {
    "far away": '<text x="9999999999999999999999" y="1">a</text>',
    "nowhere": '<text x="1.2.3" y="1">a</text>',
    "without an end": 20_000 * '<text x="1" y="1"',
}


@pytest.mark.parametrize("svg", [pytest.param(svg, id=name) for name, svg in PICTURES.items()])
def test_a_picture_that_is_none_has_no_words(svg: str) -> None:
    assert not "".join(drawn_text(f"<svg>{svg}</svg>"))
