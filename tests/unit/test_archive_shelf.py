"""A shelf: incidents of archives wherever they lie, found quickly, read whole, and never passed over in silence."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.archives import Made, make_archive

from console.desk import events as ev
from console.desk.archive import Unreadable
from console.desk.state import DeskState, fold_all
from console.desk.timeline import tell
from console.evidence import index
from console.evidence.export import export
from console.evidence.reading import records
from console.evidence.restore import restore
from console.evidence.seal import BytesPart, Facts, seal
from console.evidence.shelf import FolderShelf
from console.evidence.signing import Trusted


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_archive(tmp_path_factory.mktemp("desk") / "archive", incidents=3, events=120, seals=3)


@pytest.fixture
def copied(made: Made, tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    shutil.copytree(made.folder, folder)
    for path in folder.rglob("*"):
        path.chmod(0o700)
    return folder


def flip(path: Path, at: int = -40) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_case_is_what_was_sealed(made: Made) -> None:
    with FolderShelf([made.folder], Trusted(made.signer.fingerprint)) as shelf:
        summaries = shelf.incidents(deep=True)
        assert [each.id for each in summaries] == sorted(made.incidents, reverse=True)
        for summary in summaries:
            case = shelf.open(summary)
            head = made.heads[summary.id][-1]
            until = next(n for n, each in enumerate(made.records) if _seals(each, head.hash))
            told = fold_all(made.records[:until])
            assert case.state() == told
            assert case.sealed_at() == head.sealed_at
            assert summary.symbols == ("AAPL", "MSFT", "NVDA", "SPY")
            assert "the broker says it is over" in summary.text
            keyframe = next(each for each in records(case.folder) if isinstance(each, DeskState))
            happened = [
                entry for each in made.records[:until] if each.seq > keyframe.heads["guard"] and (entry := tell(each))
            ]
            assert list(case.timeline()) == happened
            standing, items = case.verify()
            assert (standing.word, {item.standing for item in items}) == ("verified", {"ok"})
            assert case.text("001-screen.txt").startswith(" ANDON  demo")
            with pytest.raises(Unreadable, match="no text"):
                case.text("001-fills.parquet")


def _seals(record: ev.Record, head: str) -> bool:
    return isinstance(record.event, ev.ArchiveSealed) and record.event.head == head


def test_an_archive_is_found_by_any_of_its_names(made: Made, tmp_path: Path) -> None:
    exported = tmp_path / "one.tar.zst"
    export(made.folder / made.incidents[0], exported)
    for path, count in ((made.folder, 3), (made.folder.parent, 3), (made.folder / made.incidents[1], 1), (exported, 1)):
        with FolderShelf([path]) as shelf:
            assert len(shelf.incidents()) == count
            assert shelf.open(shelf.incidents()[-1]).rows("records").count > 10
            unpacked = shelf.folder_of(shelf.incidents()[0])
    assert not unpacked.exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    for wrong, said in (
        (empty, "no incident lies there"),
        (tmp_path / "no", "no such folder"),
        (Path(__file__), "tar.zst"),
    ):
        with pytest.raises(Unreadable, match=said):
            FolderShelf([wrong])


def test_the_index_says_what_the_evidence_says_and_is_not_believed_when_that_changed(copied: Path, made: Made) -> None:
    with FolderShelf([copied]) as shelf:
        deep = shelf.incidents(deep=True)
        assert not shelf.incidents()[0].symbols
        assert index.reindex(copied, copied.parent / "desk.duckdb") == 3
        assert shelf.incidents() == deep
        _grow(copied / made.incidents[0], made)
        grown = next(each for each in shelf.incidents() if each.id == made.incidents[0])
        assert (grown.seals, grown.symbols) == (4, ())
        assert index.refresh(copied) == 3
        assert [each.seals for each in shelf.incidents()] == [3, 3, 4]
        assert all(each.symbols for each in shelf.incidents())
        flip(copied / index.INDEX, 200)
        assert [each.seals for each in shelf.incidents()] == [3, 3, 4]


def _grow(folder: Path, made: Made) -> None:
    last = made.heads[folder.name][-1]
    facts = Facts(
        incident=folder.name, why="attached", by="ana", opened_at=last.opened_at, desk="demo", mode="simulated",
        fold=last.fold, records=last.records, version="0",
    )  # fmt: skip
    part = BytesPart(
        item="attached", file="attached-note.txt", data=b"a note", captured_at=1, by="ana", source="console"
    )
    seal(folder, facts, [part], made.signer)


def test_what_is_broken_stands_in_the_list_with_its_trouble(copied: Path, made: Made) -> None:
    first, second, third = (copied / name for name in made.incidents)
    index.reindex(copied)
    flip(first / "manifest.jsonl", 300)
    (second / "manifest.jsonl").unlink()
    third.rename(copied / "INC-2026-0009")
    (copied / "INC-2026-0010").mkdir()
    with FolderShelf([copied]) as shelf:
        troubles = {each.id: each.trouble for each in shelf.incidents()}
    assert "manifest.jsonl:1: " in troubles.pop(first.name)
    assert "No such file" in troubles.pop(second.name)
    assert f"it is the evidence of {third.name}" in troubles.pop("INC-2026-0009")
    assert "No such file" in troubles.pop("INC-2026-0010")
    assert not troubles


def test_records_that_fold_to_another_state_are_not_shown_as_the_desk(copied: Path, made: Made) -> None:
    """Every file is as it was sealed, but the head tells of another state."""
    folder = copied / made.incidents[0]
    last = made.heads[folder.name][-1]
    facts = Facts(
        incident=folder.name, why="window", by="x", opened_at=1, desk="demo", mode="simulated",
        fold="0" * 64, records=last.records, version="0",
    )  # fmt: skip
    seal(folder, facts, [], made.signer)
    with FolderShelf([folder]) as shelf, pytest.raises(Unreadable, match=r"do not fold to the state .* \(seal 4, "):
        shelf.open(shelf.incidents()[0]).state()


def test_a_restore_counts_what_it_read_and_names_what_it_missed(copied: Path, made: Made) -> None:
    folder = copied / made.incidents[0]
    with FolderShelf([folder]) as shelf:
        [summary] = shelf.incidents()
    done = restore(folder)
    assert (done.missed, done.items, done.rows, done.bytes) == ((), summary.items, summary.rows, summary.bytes)
    page = pq.read_metadata(folder / "002-quotes.parquet").row_group(0).column(0)
    flip(folder / "002-quotes.parquet", page.data_page_offset + page.total_compressed_size - 1)
    missed = " ".join(restore(folder).missed)
    assert "002-quotes.parquet: its bytes are not those that were sealed" in missed
    assert "002-quotes.parquet: it is damaged" in missed
    (folder / "001-records.parquet").unlink()
    assert "001-records.parquet" in " ".join(restore(folder).missed)
    (folder / "manifest.jsonl").unlink()
    assert not restore(folder).passed


def test_a_keyframe_is_read_as_the_state_that_it_is(made: Made) -> None:
    told = list(records(made.folder / made.incidents[0]))
    assert isinstance(told[0], DeskState)
    assert sum(isinstance(each, DeskState) for each in told) == 2
