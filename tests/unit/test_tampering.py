"""Whatever is done to sealed evidence is found and named: the table of docs/archive.md."""

import base64
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from console.desk.archive import Unreadable
from console.evidence.manifest import MANIFEST, HeadLine, encoded, parse, read_manifest, with_signature
from console.evidence.signing import Signer, Trusted
from console.evidence.verify import Report, known_seals, verify
from tests.support.archives import Made, make_archive

RECORDS = "002-records.parquet"
Tamper = Callable[[Path], None]
CASES: list[Any] = []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_archive(tmp_path_factory.mktemp("desk") / "archive", incidents=2, events=120)


@pytest.fixture
def sealed(made: Made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.folder / made.incidents[0], tmp_path / made.incidents[0]))


def checked(folder: Path, made: Made) -> Report:
    """As on the desk's own machine: with its key and its journal."""
    return verify(folder, Trusted(frozenset({made.signer.fingerprint})), known_seals(made.records))


def tampers(where: str, says: str) -> Callable[[Tamper], Tamper]:
    """What is found: the file, with `:line` where it is one of the manifest's, and words of the sentence."""

    def case(tamper: Tamper) -> Tamper:
        CASES.append(pytest.param(tamper, where, says, id=tamper.__name__))
        return tamper

    return case


def write(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    write(path, bytes(data))


def lines(folder: Path) -> list[bytes]:
    return (folder / MANIFEST).read_bytes().splitlines(keepends=True)


def put(folder: Path, changed: list[bytes]) -> None:
    write(folder / MANIFEST, b"".join(changed))


def rewrite(folder: Path, signer: Signer | None = None, change: Callable[[Any], Any] = lambda line: line) -> None:
    """The whole chain written anew, by somebody who knows its form: unsigned, or signed with the key they have."""
    manifest, _ = parse((folder / MANIFEST).read_bytes())
    raw, prev = [], "0" * 64
    for each in sorted((*manifest.items, *manifest.heads), key=lambda line: line.seq):
        line = change(replace(each, prev=prev, hash=""))
        if isinstance(line, HeadLine) and signer is not None:
            line = replace(line, public_key=signer.public_key, signer=signer.fingerprint)
        if isinstance(line, HeadLine):
            was = line.signature
            data, line = encoded(replace(line, signature=""))
            data, line = with_signature(
                data, line, base64.b64encode(signer.sign(line.signed)).decode() if signer else was
            )
        else:
            data, line = encoded(line)
        raw.append(data)
        prev = line.hash
    put(folder, raw)


def retitled(line: Any) -> Any:
    return replace(line, title="nothing happened") if isinstance(line, HeadLine) else line


def named(name: str) -> Callable[[Any], Any]:
    """The first file under another name."""
    return lambda line: replace(line, file=name) if line.seq == 1 else line


# --- files ----------------------------------------------------------------------------------------------------------


@tampers(RECORDS, "row group 0, column 'data' is damaged")
def a_byte_of_a_page_is_flipped(folder: Path) -> None:
    column = pq.ParquetFile(folder / RECORDS).metadata.row_group(0).column(7)
    flip(folder / RECORDS, column.data_page_offset + column.total_compressed_size // 2)


@tampers(RECORDS, "its footer can not be read")
def a_byte_of_a_footer_is_flipped(folder: Path) -> None:
    flip(folder / RECORDS, -6)


@tampers("001-screen.svg", "its bytes are not those that were sealed")
def a_byte_of_a_picture_is_flipped(folder: Path) -> None:
    flip(folder / "001-screen.svg", 9)


@tampers(RECORDS, "were sealed; its footer can not be read")
def a_file_is_cut_short(folder: Path) -> None:
    write(folder / RECORDS, (folder / RECORDS).read_bytes()[:-100])


@tampers("003-journal.parquet", "it has 0 bytes")
def a_file_is_empty(folder: Path) -> None:
    write(folder / "003-journal.parquet", b"")


@tampers(RECORDS, "No such file")
def a_file_is_gone(folder: Path) -> None:
    (folder / RECORDS).unlink()


@tampers("001-quotes.parquet", "it holds what was sealed as 002-quotes.parquet")
def two_files_are_swapped(folder: Path) -> None:
    (folder / "001-quotes.parquet").rename(folder / "aside")
    (folder / "002-quotes.parquet").rename(folder / "001-quotes.parquet")
    (folder / "aside").rename(folder / "002-quotes.parquet")


@tampers(RECORDS, "it was written anew")
def an_equal_table_is_written_anew(folder: Path) -> None:
    table = pq.read_table(folder / RECORDS)
    (folder / RECORDS).unlink()
    pq.write_table(table, folder / RECORDS, compression="zstd", write_page_checksum=True, row_group_size=7)


@tampers("notes.txt", "nobody sealed it")
def a_file_is_put_in(folder: Path) -> None:
    write(folder / "notes.txt", b"x")


@tampers("002-more.parquet", "nobody sealed it")
def a_file_is_put_in_under_the_number_of_a_seal(folder: Path) -> None:
    write(folder / "002-more.parquet", b"x")


@tampers("004-records.parquet", "a file of a seal that was interrupted")
def a_seal_was_interrupted(folder: Path) -> None:
    write(folder / "004-records.parquet", b"x")


@tampers("004-quotes.parquet.new", "an unfinished file of a seal that was interrupted")
def a_file_was_interrupted(folder: Path) -> None:
    write(folder / "004-quotes.parquet.new", b"x")


@tampers(f"{MANIFEST}.new", "an unfinished file of a seal that was interrupted")
def a_manifest_was_interrupted(folder: Path) -> None:
    write(folder / f"{MANIFEST}.new", b"{")


@tampers(RECORDS, "it is a link")
def a_link_stands_for_a_file(folder: Path) -> None:
    (folder / RECORDS).rename(folder.parent / "elsewhere")
    (folder / RECORDS).symlink_to(folder.parent / "elsewhere")


@tampers(RECORDS, "it is a pipe")
def a_pipe_stands_for_a_file(folder: Path) -> None:
    (folder / RECORDS).unlink()
    os.mkfifo(folder / RECORDS)


@tampers(RECORDS, "it is a folder")
def a_folder_stands_for_a_file(folder: Path) -> None:
    (folder / RECORDS).unlink()
    (folder / RECORDS).mkdir()


@tampers(RECORDS, "it is a device")
def a_device_stands_for_a_file(folder: Path) -> None:
    (folder / RECORDS).unlink()
    try:
        os.mknod(folder / RECORDS, 0o20600, os.makedev(1, 3))
    except PermissionError:
        (folder / RECORDS).symlink_to("/dev/zero")
        pytest.skip("only root makes devices")


@tampers(MANIFEST, "it is a link")
def a_link_stands_for_the_manifest(folder: Path) -> None:
    (folder / MANIFEST).rename(folder.parent / "elsewhere")
    (folder / MANIFEST).symlink_to(folder.parent / "elsewhere")


# --- lines ----------------------------------------------------------------------------------------------------------


@tampers(f"{MANIFEST}:6", "its hash does not match its bytes")
def a_byte_of_a_line_is_changed(folder: Path) -> None:
    put(folder, [line.replace(b"guard", b"guarb", 1) if at == 5 else line for at, line in enumerate(lines(folder))])


@tampers(f"{MANIFEST}:1", "its hash does not match its bytes")
def a_byte_of_a_hash_is_changed(folder: Path) -> None:
    first, *rest = lines(folder)
    put(folder, [first[:-9] + (b"0" if first[-9:-8] != b"0" else b"1") + first[-8:], *rest])


@tampers(f"{MANIFEST}:4", "does not go on from the line before")
def two_lines_change_places(folder: Path) -> None:
    a = lines(folder)
    put(folder, [*a[:3], a[4], a[3], *a[5:]])


@tampers(f"{MANIFEST}:8", "does not go on from the line before")
def a_line_in_the_middle_is_taken_out(folder: Path) -> None:
    a = lines(folder)
    put(folder, a[:7] + a[8:])


@tampers(f"{MANIFEST}:8", "does not go on from the line before")
def a_line_stands_twice(folder: Path) -> None:
    a = lines(folder)
    put(folder, a[:7] + a[6:])


@tampers(MANIFEST, "behind the last head stand lines that nobody signed")
def the_last_line_is_cut_off(folder: Path) -> None:
    put(folder, lines(folder)[:-1])


@tampers(MANIFEST, "the line is not whole")
def half_of_the_last_line_is_cut_off(folder: Path) -> None:
    put(folder, [*lines(folder)[:-1], lines(folder)[-1][:-40]])


@tampers(MANIFEST, "there is no head")
def all_heads_are_cut_off(folder: Path) -> None:
    put(folder, lines(folder)[:3])


@tampers(MANIFEST, "there is no head")
def the_manifest_is_empty(folder: Path) -> None:
    put(folder, [])


@tampers(MANIFEST, "No such file")
def the_manifest_is_gone(folder: Path) -> None:
    (folder / MANIFEST).unlink()


@tampers(MANIFEST, "seal 3 (closed), which the journal tells of")
def the_last_seal_is_cut_off_with_its_files(folder: Path) -> None:
    manifest = read_manifest(folder)
    for item in manifest.of_seal(3):
        (folder / item.file).unlink()
    put(folder, lines(folder)[: manifest.heads[1].seq])


@tampers(MANIFEST, "the signature of seal 1 is not that of the key it names")
def the_chain_is_written_anew_without_a_key(folder: Path) -> None:
    rewrite(folder, None, retitled)


@tampers(MANIFEST, "seal 1 is signed by SHA256:")
def the_chain_is_written_anew_with_another_key(folder: Path) -> None:
    rewrite(folder, Signer.make(folder.parent), retitled)


@tampers(MANIFEST, "seal 3 (closed), which the journal tells of")
def everything_is_replaced_by_another_incident(folder: Path) -> None:
    shutil.rmtree(folder)
    make_archive(folder.parent, events=60, seals=2, seed=8)


@tampers(MANIFEST, "the signature of seal 3 is not that of the key it names")
def a_signature_is_replaced(folder: Path) -> None:
    *rest, last = lines(folder)
    put(folder, [*rest, last[:-40] + b"A" * 34 + last[-6:]])


@tampers(MANIFEST, "but that is not its key")
def a_signer_is_claimed(folder: Path) -> None:
    mine, theirs = Signer.make(folder.parent), read_manifest(folder).last.signer
    rewrite(folder, mine)
    fake = Signer.load(folder.parent / "signing.key")
    fake.fingerprint = theirs
    rewrite(folder, fake)


# --- lines that nobody wrote ----------------------------------------------------------------------------------------


@tampers(f"{MANIFEST}:1", "can not name a file")
def a_name_leads_out_of_the_folder(folder: Path) -> None:
    rewrite(folder, change=named("../../etc/passwd"))


@tampers(f"{MANIFEST}:1", "can not name a file")
def a_name_is_a_path_from_the_root(folder: Path) -> None:
    rewrite(folder, change=named("/etc/passwd"))


@tampers(f"{MANIFEST}:1", "can not name a file")
def a_name_moves_the_cursor(folder: Path) -> None:
    rewrite(folder, change=named("001-\x1b[2J"))


@tampers(f"{MANIFEST}:1", "can not name a file")
def a_name_is_of_another_seal(folder: Path) -> None:
    rewrite(folder, change=named(RECORDS))


@tampers(f"{MANIFEST}:1", "a key stands there twice")
def a_key_stands_twice(folder: Path) -> None:
    put(folder, [lines(folder)[0].replace(b'"by":', b'"by":"x","by":', 1), *lines(folder)[1:]])


@tampers(f"{MANIFEST}:1", "this version can not read it")
def a_line_says_something_more(folder: Path) -> None:
    put(folder, [lines(folder)[0].replace(b'"by":', b'"more":1,"by":', 1), *lines(folder)[1:]])


@tampers(f"{MANIFEST}:1", "it is not UTF-8")
def a_line_is_not_utf8(folder: Path) -> None:
    put(folder, [lines(folder)[0].replace(b"guard", b"gu\xffrd", 1), *lines(folder)[1:]])


@tampers(f"{MANIFEST}:1", "it is not JSON")
def a_line_is_nested_without_an_end(folder: Path) -> None:
    put(folder, [b'{"seq":' + b"[" * 100_000 + lines(folder)[0][-77:], *lines(folder)[1:]])


@tampers(f"{MANIFEST}:1", "it is not JSON")
def a_number_has_a_hundred_thousand_digits(folder: Path) -> None:
    put(folder, [b'{"seq":' + b"9" * 100_000 + lines(folder)[0][-77:], *lines(folder)[1:]])


@tampers(f"{MANIFEST}:1", "this is no line of a manifest")
def the_manifest_is_garbage(folder: Path) -> None:
    put(folder, [os.urandom(50) + b"\n", os.urandom(5000)])


@tampers(f"{MANIFEST}:1", "the line is not whole")
def the_manifest_is_zeros(folder: Path) -> None:
    put(folder, [bytes(5000)])


@tampers(MANIFEST, "longer than any manifest")
def the_manifest_is_huge(folder: Path) -> None:
    put(folder, [])
    os.truncate(folder / MANIFEST, 65 << 20)


# --- what the desk's own key signed ---------------------------------------------------------------------------------


def sealed_falsely(folder: Path, made: Made, file: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """A table changed by somebody who holds the desk's key."""
    table = change(pq.read_table(folder / file))
    (folder / file).unlink()
    pq.write_table(table, folder / file, write_page_checksum=True)
    data = (folder / file).read_bytes()
    facts = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "rows": table.num_rows}
    rewrite(
        folder,
        made.signer,
        lambda line: replace(line, **facts) if getattr(line, "file", "") == file else line,
    )


def without(row: int) -> Callable[[pa.Table], pa.Table]:
    return lambda table: pa.concat_tables([table.slice(0, row), table.slice(row + 1)])


def with_text(column: str, row: int, old: str, new: str) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        values[row] = values[row].replace(old, new)
        return table.set_column(table.schema.get_field_index(column), column, pa.array(values))

    return change


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("001-journal.parquet", with_text("data", 0, "console", "trigger"), "do not lead to the hash that seal 1"),
        ("002-journal.parquet", with_text("actor", 1, "guard", "ana"), "do not lead to the hash that seal 2"),
        ("002-journal.parquet", without(2), "one is missing or moved"),
        ("002-journal.parquet", without(0), "does not go on where the seal before ended"),
        ("002-journal.parquet", lambda table: table.slice(0, table.num_rows - 1), "do not lead to the hash"),
        ("002-journal.parquet", lambda table: table.slice(0, 0), "lines of guard are missing in it"),
        ("002-journal.parquet", lambda table: table.drop_columns("actor"), "its columns"),
        ("003-records.parquet", with_text("data", -2, "the broker", "nobody"), "do not fold to the state"),
        ("001-records.parquet", lambda table: table.slice(0, 0), "no keyframe"),
        ("002-positions.parquet", lambda table: table.select(["side"]), "not those that were sealed"),
    ],
)  # fmt: skip
def test_tables_that_do_not_fit_their_heads_are_found_although_the_key_is_right(
    sealed: Path, made: Made, file: str, change: Callable[[pa.Table], pa.Table], says: str
) -> None:
    sealed_falsely(sealed, made, file, change)
    report = verify(sealed, Trusted(frozenset({made.signer.fingerprint})))
    assert report.word == "broken"
    assert says in "\n".join(report.standing.findings)


# --- the table ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tamper", "where", "says"), CASES)
def test_what_was_done_is_found_and_named(sealed: Path, made: Made, tamper: Tamper, where: str, says: str) -> None:
    tamper(sealed)
    report = checked(sealed, made)
    assert report.word == "broken"
    assert any(line.startswith(where) and says in line for line in report.standing.findings), report.standing.findings


def test_what_nobody_touched_is_verified_down_to_each_file(sealed: Path, made: Made) -> None:
    report = checked(sealed, made)
    assert (report.word, report.findings, report.notes) == ("verified", [], [])
    assert set(report.files) == set(os.listdir(sealed)) - {MANIFEST}
    assert set(report.files.values()) == {"ok"}


def test_a_flipped_bit_anywhere_is_found(sealed: Path, made: Made) -> None:
    """Each file at places spread over all of it."""
    for path in sorted(sealed.iterdir()):
        good = path.read_bytes()
        for step in range(5):
            flip(path, len(good) * step // 5)
            assert checked(sealed, made).word == "broken", (path.name, step)
            write(path, good)
    assert checked(sealed, made).word == "verified"


def test_nobody_is_verified_without_a_key(sealed: Path, made: Made) -> None:
    standing = verify(sealed).standing
    assert standing.word == "consistent"
    assert standing.says.startswith(
        f"consistent, signer not known: {made.signer.fingerprint}; the last seal is 3 (closed)"
    )


def test_a_tail_that_was_cut_off_at_a_head_shows_only_to_who_knows_of_it(sealed: Path, made: Made) -> None:
    the_last_seal_is_cut_off_with_its_files(sealed)
    report = verify(sealed, Trusted(frozenset({made.signer.fingerprint})))
    assert report.word == "verified"
    assert "the last seal is 2 (window)" in report.standing.says
    assert "the incident was open then" in report.standing.says


def test_evidence_under_another_incidents_name_is_found(made: Made, tmp_path: Path) -> None:
    one, other = made.incidents
    shutil.copytree(made.folder / other, tmp_path / one)
    assert (
        f"it is the evidence of {other}, and lies under the name of {one}"
        in checked(tmp_path / one, made).standing.says
    )


def test_a_seal_that_the_journal_does_not_tell_of_is_noted(sealed: Path, made: Made) -> None:
    early = [record for record in made.records if getattr(record.event, "seal", 1) < 3]
    report = verify(sealed, Trusted(frozenset({made.signer.fingerprint})), known_seals(early))
    assert (report.word, report.notes) == ("verified", ["the journal does not tell of seal 3"])


def test_another_versions_fold_is_a_note_and_no_finding(
    sealed: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.evidence.contents.__version__", "9.9")
    rewrite(
        sealed,
        made.signer,
        lambda line: replace(line, fold="0" * 64) if hasattr(line, "fold") else line,
    )
    report = verify(sealed, Trusted(frozenset({made.signer.fingerprint})))
    assert report.word == "verified"
    assert "was made by version 0.1.0; by this one (9.9)" in report.notes[0]


def test_the_caller_hears_how_far_it_is_and_may_stop_it(sealed: Path) -> None:
    told: list[tuple[int, int]] = []
    verify(sealed, progress=lambda done, of: told.append((done, of)))
    size = sum(path.stat().st_size for path in sealed.iterdir() if path.name != MANIFEST)
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)

    class Enough(Exception): ...

    def stop(done: int, of: int) -> None:
        if done:
            raise Enough

    with pytest.raises(Enough):
        verify(sealed, progress=stop)


def test_a_manifest_that_can_not_be_read_is_unreadable_to_a_reader(sealed: Path) -> None:
    a_byte_of_a_line_is_changed(sealed)
    with pytest.raises(Unreadable, match=rf"{MANIFEST}:6: its hash does not match"):
        read_manifest(sealed)
