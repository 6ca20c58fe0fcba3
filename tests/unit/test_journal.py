"""The journal on disk: acknowledged means on disk, in order, provably unchanged."""

import os
import threading
from concurrent.futures import Future, wait
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.desk.chain import GENESIS
from console.desk.events import GuardBeat, GuardStopped, Record, Refused
from console.desk.state import fold_all
from console.evidence.journal import JournalError, JournalWriter, Tail, read, read_file, verify

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def write(folder: Path, writer: str, *whys: str, ts: int | None = None) -> list[Record]:
    journal = JournalWriter(folder, writer)
    futures = [journal.append(GuardStopped(why=why), "ana", ts=ts) for why in whys]
    journal.close()
    return [future.result(0) for future in futures]


def whys(records: list[Record]) -> list[str]:
    return [record.event.why for record in records if isinstance(record.event, GuardStopped)]


def test_an_acknowledged_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, "guard", clock=lambda: 42)
    record = journal.append(Refused(what="a “pull”", why="näh\n", remote=""), "ana", incident="INC-2026-0001").result(
        10
    )
    assert record == Record(42, "guard", "ana", Refused(what="a “pull”", why="näh\n"), 1, "INC-2026-0001")
    assert list(read(tmp_path)) == [record]
    journal.close()


def test_a_writer_goes_on_where_it_stopped(tmp_path: Path) -> None:
    write(tmp_path, "guard", "one", "two")
    assert [record.seq for record in write(tmp_path, "guard", "three")] == [3]
    [report] = verify(tmp_path)
    assert (report.records, report.problem) == (3, None)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(st.lists(st.tuples(st.sampled_from(["a", "b"]), text, text), max_size=8), min_size=1, max_size=4))
def test_whatever_was_appended_comes_back_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[tuple[str, str, str]]]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    for run in runs:
        journals = {name: JournalWriter(folder, name) for name in ("a", "b")}
        futures = [journals[writer].append(GuardStopped(why=why), actor) for writer, why, actor in run]
        for journal in journals.values():
            journal.close()
        assert all(future.done() for future in futures)
    written = [entry for run in runs for entry in run]
    for name in ("a", "b"):
        told = [(record.writer, *whys([record]), record.actor) for record in read_file(folder / f"{name}.jsonl")]
        assert told == [entry for entry in written if entry[0] == name]
    assert all(report.problem is None for report in verify(folder))
    assert Tail(folder).poll() == list(read(folder))


def test_many_threads_share_one_chain(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, "guard")
    futures: list[Future[Record]] = []

    def work(name: str) -> None:
        futures.extend([journal.append(GuardStopped(why=f"{name}{number}"), name) for number in range(200)])

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert sorted(future.result(0).seq for future in futures) == list(range(1, 801))
    for name in "abcd":
        told = [why for record in read(tmp_path) for why in whys([record]) if record.actor == name]
        assert told == [f"{name}{number}" for number in range(200)]


def test_time_never_goes_backwards_within_a_writer(tmp_path: Path) -> None:
    write(tmp_path, "guard", "late", ts=1000)
    assert [record.ts for record in write(tmp_path, "guard", "early", ts=5)] == [1000]


def test_writers_are_merged_by_time(tmp_path: Path) -> None:
    write(tmp_path, "guard", "b", ts=20)
    write(tmp_path, "direct-1", "a", ts=10)
    write(tmp_path, "direct-2", "c", ts=20)
    assert whys(list(read(tmp_path))) == ["a", "c", "b"]


def test_samples_are_refused(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, "guard")
    with pytest.raises(TypeError, match="samples are never journaled"):
        journal.append(GuardBeat(), "guard")
    journal.close()


def test_one_record_that_can_not_be_written_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, "guard")
    bad = journal.append(GuardStopped(why="x"), "\udcff")
    good = journal.append(GuardStopped(why="y"), "ana")
    wait([bad, good], 10)
    assert isinstance(bad.exception(), ValueError)
    assert good.result().seq == 1
    journal.close()


def test_a_waiting_caller_that_goes_away_does_not_take_its_record_with_it(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, "guard")
    assert not journal.append(GuardStopped(why="kept"), "ana").cancel()
    journal.close()
    assert whys(list(read(tmp_path))) == ["kept"]


def test_a_file_has_one_writer(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, "guard")
    with pytest.raises(JournalError, match="another process is writing"):
        JournalWriter(tmp_path, "guard")
    journal.close()


def test_nothing_is_taken_after_close(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, "guard")
    journal.close()
    with pytest.raises(ValueError, match="closed"):
        journal.append(GuardStopped(why="x"), "ana")


@pytest.mark.parametrize("name", ["", "../guard", ".guard", "a/b"])
def test_a_writers_name_is_a_file_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="can not name a writer"):
        JournalWriter(tmp_path, name)


# --- what a crash leaves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 2, 40, 150])
def test_a_torn_tail_is_set_aside_and_counted(tmp_path: Path, cut: int) -> None:
    write(tmp_path, "guard", "one", "two")
    path = tmp_path / "guard.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    torn = whole[:-cut].split(b"\n", 1)[1]
    [report] = verify(tmp_path)
    assert (report.records, report.line) == (1, 2)
    assert "unfinished" in str(report.problem)

    journal = JournalWriter(tmp_path, "guard")
    assert journal.torn == len(torn)
    assert journal.append(GuardStopped(why="three"), "ana").result(10).seq == 2
    journal.close()
    assert (tmp_path / "guard.torn").read_bytes() == torn
    assert whys(list(read(tmp_path))) == ["one", "three"]
    assert verify(tmp_path)[0].problem is None


def test_blocks_that_a_power_cut_left_empty_are_a_torn_tail(tmp_path: Path) -> None:
    write(tmp_path, "guard", "one")
    with (tmp_path / "guard.jsonl").open("ab") as file:
        file.write(b"\0" * 70_000 + b'rest of a line"}\n' + b"\0" * 500)
    journal = JournalWriter(tmp_path, "guard")
    assert (journal.torn, journal.seq) == (70_517, 1)
    journal.close()
    assert verify(tmp_path)[0].problem is None


def test_a_file_of_nothing_but_rubbish_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "guard.jsonl").write_bytes(b"\xff\n[]\n{}\n17\n")
    journal = JournalWriter(tmp_path, "guard")
    assert (journal.torn, journal.seq, journal.head) == (11, 0, GENESIS)
    journal.close()


# --- tampering ------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_is_found_and_named(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("journal")
    write(folder, "guard", "one", "zwei — “2”", "three")
    path = folder / "guard.jsonl"
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    line = bytes(path.read_bytes()[:place]).count(b"\n") + 1
    [report] = verify(folder)
    assert report.problem
    assert report.line == line
    assert report.records == line - 1


@pytest.mark.parametrize(
    ("order", "line"),
    [([0, 2, 3], 2), ([1, 2, 3], 1), ([0, 2, 1, 3], 2), ([0, 1, 1, 2, 3], 3), ([0, 0], 2), ([3, 2, 1, 0], 1)],
    ids=["deleted", "first deleted", "swapped", "doubled", "first doubled", "reversed"],
)
def test_lines_that_were_moved_are_found_and_named(tmp_path: Path, order: list[int], line: int) -> None:
    write(tmp_path, "guard", "a", "b", "c", "d")
    path = tmp_path / "guard.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[number] for number in order))
    [report] = verify(tmp_path)
    assert report.problem
    assert report.line == line
    with pytest.raises(JournalError, match=f"guard.jsonl:{line}: "):
        list(read(tmp_path))


def test_another_writers_file_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    write(tmp_path, "guard", "a")
    (tmp_path / "direct-1.jsonl").write_bytes((tmp_path / "guard.jsonl").read_bytes())
    assert [report.problem for report in verify(tmp_path)] == ["it was written by 'guard', not by 'direct-1'", None]


def test_a_kind_from_a_later_version_verifies_but_is_not_read(tmp_path: Path) -> None:
    from console.desk.chain import seal

    line, _ = seal(seq=1, ts=1, writer="guard", kind="unheard_of", actor="x", data={}, prev=GENESIS, incident=None)
    (tmp_path / "guard.jsonl").write_bytes(line)
    assert verify(tmp_path)[0].problem is None
    with pytest.raises(JournalError, match="this version can not read it"):
        list(read(tmp_path))


def test_no_folder_is_an_empty_journal(tmp_path: Path) -> None:
    assert list(read(tmp_path / "none")) == []
    assert verify(tmp_path / "none") == []
    assert Tail(tmp_path / "none").poll() == []


# --- following ------------------------------------------------------------------------------------------------------


def test_a_tail_sees_each_record_once_and_new_writers_too(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    assert tail.poll() == []
    write(tmp_path, "guard", "a", ts=1)
    assert whys(tail.poll()) == ["a"]
    write(tmp_path, "direct-1", "b", ts=2)
    write(tmp_path, "guard", "c", ts=3)
    assert whys(tail.poll()) == ["b", "c"]
    assert tail.poll() == []


def test_a_tail_waits_for_the_rest_of_a_line(tmp_path: Path) -> None:
    write(tmp_path, "guard", "a", "b")
    path = tmp_path / "guard.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    tail = Tail(tmp_path)
    assert whys(tail.poll()) == ["a"]
    with path.open("ab") as file:
        file.write(whole[-30:])
    assert whys(tail.poll()) == ["b"]


def test_a_tail_names_damage_once_and_still_follows_the_other_writers(tmp_path: Path) -> None:
    write(tmp_path, "guard", "a", "b", ts=1)
    path = tmp_path / "guard.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"why":"b"', b'"why":"x"'))
    tail = Tail(tmp_path)
    assert whys(tail.poll()) == ["a"]
    assert tail.problems["guard"].line == 2
    write(tmp_path, "direct-1", "c", ts=2)
    assert whys(tail.poll()) == ["c"]


@pytest.mark.parametrize("damage", [b"\xff\n", b"not a line\nnor this\n", b"", b"[1]\n"])
def test_a_tail_goes_on_behind_damage_with_what_proves_itself(tmp_path: Path, damage: bytes) -> None:
    write(tmp_path, "guard", "a", "b", "c", ts=1)
    path = tmp_path / "guard.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + damage + lines[2])
    tail = Tail(tmp_path)
    assert whys(tail.poll()) == ["a", "c"]
    assert tail.problems["guard"].line == 2
    write(tmp_path, "guard", "d", ts=2)
    assert whys(tail.poll()) == ["d"], "and with what is written since"
    path.write_bytes(path.read_bytes() + lines[1])
    assert whys(tail.poll()) == [], "an older record in a later place proves nothing"


def test_a_tail_reads_a_cut_file_again_and_the_fold_does_not_mind(tmp_path: Path) -> None:
    write(tmp_path, "guard", "a", "b")
    tail = Tail(tmp_path)
    records = tail.poll()
    path = tmp_path / "guard.jsonl"
    os.truncate(path, path.stat().st_size - 1)
    write(tmp_path, "guard", "c")
    records += tail.poll()
    assert fold_all(records).heads == {"guard": 2}
