"""What a seal holds, what it leaves out and says so, and what it never touches."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from console.evidence import seal as sealing
from console.evidence.manifest import MANIFEST, HeadLine, read_manifest
from console.evidence.seal import BytesPart, Facts, NotSealed, Part, TablePart, seal, tidy
from console.evidence.signing import Signer
from console.evidence.verify import verify
from tests.support.archives import make_archive

INCIDENT = "INC-2026-0001"
FORM = pa.schema([("qty", pa.decimal128(38, 18)), ("text", pa.string())])
TOLD: dict[str, Any] = {"captured_at": 1, "by": "guard", "source": "test"}


def facts(**more: Any) -> Facts:
    same: dict[str, Any] = {"why": "pull", "by": "ana", "opened_at": 1, "desk": "demo", "mode": "simulated"}
    return Facts(**{**same, "incident": INCIDENT, "fold": "", "records": 0, "version": "0", **more})


def table(*rows: str, item: str = "positions") -> TablePart:
    batches = (pa.RecordBatch.from_pylist([{"qty": Decimal(row), "text": row}], FORM) for row in rows)
    return TablePart(item=item, schema=FORM, batches=batches, **TOLD)


def note(file: str = "screen.txt", **more: Any) -> BytesPart:
    return BytesPart(item="screen", file=file, data=b"ANDON\n", **TOLD, **more)


def sealed(tmp_path: Path, *parts: Part, **more: Any) -> HeadLine:
    if not (tmp_path / "signing.key").exists():
        Signer.make(tmp_path)
    return seal(tmp_path / INCIDENT, facts(**more), parts, Signer.load(tmp_path / "signing.key"))


def test_tables_are_zstd_in_row_groups_of_some_size_and_exact(tmp_path: Path) -> None:
    amount = "12345678901234567890.123456789012345678"
    sealed(tmp_path, table(amount, "-0.1", "3"))
    item = read_manifest(tmp_path / INCIDENT).items[0]
    file = pq.ParquetFile(tmp_path / INCIDENT / item.file, page_checksum_verification=True)
    assert (file.metadata.num_row_groups, file.metadata.row_group(0).column(0).compression) == (1, "ZSTD")
    assert file.read().column("qty").to_pylist()[0] == Decimal(amount)
    assert (item.rows, item.schema) == (3, ("qty: decimal128(38, 18)", "text: string"))


def test_what_can_not_be_had_is_left_out_and_named_and_the_rest_is_sealed(tmp_path: Path) -> None:
    def torn() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([{"qty": Decimal(1), "text": ""}], FORM)
        raise OSError("segment 7 is gone")

    gone = TablePart(item="records", schema=FORM, batches=torn(), **TOLD)
    other = TablePart(item="logs", schema=FORM, batches=[pa.RecordBatch.from_pydict({"a": [1]})], **TOLD)
    told = facts(missing=["gate: nobody knows"])
    Signer.make(tmp_path)
    parts = [
        gone,
        table("1" * 21, item="fills"),
        other,
        note("../out"),
        note(missing=["half of it"]),
        note(),
        table("2"),
    ]
    head = seal(tmp_path / INCIDENT, told, parts, Signer.load(tmp_path / "signing.key"))
    said = [sentence.partition(":")[0] for sentence in head.missing]
    assert said == ["gate", "records", "fills", "logs", "screen", "half of it", "screen"]
    assert "segment 7 is gone" in head.missing[1]
    assert {path.name for path in (tmp_path / INCIDENT).iterdir()} == {
        "001-screen.txt",
        "001-positions.parquet",
        MANIFEST,
    }
    assert verify(tmp_path / INCIDENT).findings == []


def test_what_is_missing_may_be_said_while_parts_are_written(tmp_path: Path) -> None:
    missing: list[str] = []

    def late() -> Iterator[pa.RecordBatch]:
        missing.append("a segment: unreadable")
        yield from ()

    empty = TablePart(item="records", schema=FORM, batches=late(), **TOLD)
    assert sealed(tmp_path, empty, missing=missing).missing == ("a segment: unreadable",)
    assert read_manifest(tmp_path / INCIDENT).items[0].rows == 0


def test_a_later_seal_changes_nothing_of_the_former(tmp_path: Path) -> None:
    sealed(tmp_path, table("1"), note())
    before = {path.name: path.read_bytes() for path in (tmp_path / INCIDENT).iterdir()}
    assert sealed(tmp_path, table("2"), note(), why="closed").seal == 2
    manifest = before.pop(MANIFEST)
    assert (tmp_path / INCIDENT / MANIFEST).read_bytes().startswith(manifest)
    assert all((tmp_path / INCIDENT / name).read_bytes() == data for name, data in before.items())
    assert not any(path.stat().st_mode & 0o222 for path in (tmp_path / INCIDENT).iterdir())


def test_another_incidents_folder_is_refused(tmp_path: Path) -> None:
    sealed(tmp_path, note())
    with pytest.raises(NotSealed, match=f"this is the evidence of {INCIDENT}, not of INC-2026-0002"):
        sealed(tmp_path, note(), incident="INC-2026-0002")


def test_files_that_a_shorter_manifest_does_not_tell_of_are_neither_overwritten_nor_tidied(tmp_path: Path) -> None:
    made = make_archive(tmp_path / "archive", events=60, seals=3)
    folder = made.folder / INCIDENT
    lines = (folder / MANIFEST).read_bytes().splitlines(keepends=True)
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).write_bytes(b"".join(lines[: made.heads[INCIDENT][0].seq]))
    (folder / "002-logs.parquet.new").touch()
    there = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(NotSealed, match="it is of a seal that the manifest does not tell of"):
        seal(folder, facts(), [note()], made.signer)
    assert tidy(made.folder) == []
    del there["002-logs.parquet.new"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == there


def test_a_seal_that_the_disk_does_not_confirm_is_not_called_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sealing._sync

    def failing(folder: Path) -> None:
        if (folder / MANIFEST).exists():
            raise OSError(5, "Input/output error")
        real(folder)

    monkeypatch.setattr(sealing, "_sync", failing)
    with pytest.raises(NotSealed, match="the disk does not confirm seal 1: Input/output error"):
        sealed(tmp_path, note())
    monkeypatch.undo()
    assert sealed(tmp_path, note()).seal == 2
    assert verify(tmp_path / INCIDENT).findings == []
