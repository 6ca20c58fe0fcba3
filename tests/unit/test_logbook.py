"""The logbook: which entries make sense when, what is folded from them, and what two who write at once end up with."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from console.desk import entries as en
from console.desk import events as ev
from console.desk.events import Record, data_of, event_from, kind_of
from console.desk.logbook import KEPT, OPEN_KEPT, Logbook, acts, after, fold, new_id
from console.desk.procedure import Run
from console.desk.state import DeskState, fold_all
from console.desk.state import fold as fold_state
from console.desk.tree import Tree, Walk
from console.runbooks.kinds import RUNNABLE, TREE
from console.runbooks.library import Library

LIBRARY = Library(None, {})
TREES = {name: document.spec for name, document in LIBRARY.shelf(TREE).documents.items()}
RUNNABLES = {name: each for kind in RUNNABLE for name, each in LIBRARY.shelf(kind).documents.items()}
NO_FILLS = TREES["no-fills"]
DAY = 86_400_000_000_000
NOW = 20_000 * DAY
TODAY = date(2024, 10, 4)


def written(*entries: en.AnyEntry, logbook: Logbook | None = None, actor: str = "ana") -> Logbook:
    """The logbook after entries of which each makes sense, a nanosecond apart."""
    book = logbook or Logbook()
    for number, entry in enumerate(entries):
        book = after(book, entry, actor, NOW + number)
    return book


def records(writer: str, *entries: ev.AnyEvent, ts: int = NOW) -> list[Record]:
    return [Record(ts + number, writer, "ana", entry, number + 1) for number, entry in enumerate(entries)]


def to_leaf(walk: str, tree: Tree, leaf: str) -> list[en.AnyEntry]:
    """A walk from its beginning to one of its leaves."""

    def ways(here: Walk) -> Iterator[Walk]:
        if here.leaf is not None:
            yield here
            return
        for yes in (True, False):
            yield from ways(here.answer(yes))

    way = next(way for way in ways(Walk(tree)) if way.here == leaf)
    answers = [en.WalkAnswered(walk, answer.question, answer.yes) for answer in way.answers]
    return [en.WalkBegun(walk, tree), *answers]


BROKER_DOWN = to_leaf("w", NO_FILLS, "broker-down")
PLAN = Run.of(RUNNABLES["killswitch"].spec)
BEGUN = en.RunBegun("r", "procedure", PLAN)
LEAVES = [(tree, leaf) for tree in TREES for leaf in TREES[tree].leaves]
EVERY: list[en.AnyEntry] = [
    *BROKER_DOWN,
    en.WalkTakenBack("w", "q1"),
    en.LeafActed("w", "broker-down", "p", "n"),
    en.WalkAborted("w", "r"),
    en.TaskClosed("w", "n"),
    BEGUN,
    en.StepMarked("r", 1, "skipped", "n"),
    en.StepUnmarked("r", 1),
    en.RunFinished("r"),
    en.RunAborted("r", "why"),
    en.GateAttested("DAILY D4", TODAY, "passed", "n", "/e", "ab"),
    en.SizeLowered(25, "r", 50, "w"),
    en.IncidentOpened("INC-2024-0001", "broker-outage", "P1", "acks are silent", "p"),
    en.IncidentJoined("INC-2024-0001", "p2"),
    en.IncidentNoted("INC-2024-0001", "the broker was called"),
    en.IncidentClosed("INC-2024-0001", "the broker was down"),
]


@pytest.mark.parametrize("entry", EVERY, ids=kind_of)
def test_an_entry_is_the_same_after_the_journal_and_has_words(entry: en.AnyEntry) -> None:
    assert event_from(kind_of(entry), msgspec.json.decode(data_of(entry))) == entry
    (told,) = fold_all(records("guard", entry)).timeline
    assert told.actor == "ana"


def test_every_kind_of_entry_was_tried() -> None:
    assert {type(entry) for entry in EVERY} == set(en.ENTRIES)


# --- walks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tree", "leaf"), LEAVES)
def test_every_leaf_is_reached_and_left_acted_with_a_task_where_it_changes_nothing(tree: str, leaf: str) -> None:
    book = written(*to_leaf("w", TREES[tree], leaf), en.LeafActed("w", leaf, "target", "note"))
    walk = book.walks["w"]
    assert (walk.walk.here, walk.ended, walk.ended_by, walk.target, walk.note) == (
        leaf,
        "acted",
        "ana",
        "target",
        "note",
    )
    assert bool(book.open_tasks) != acts(TREES[tree].leaves[leaf])
    assert book.unfinished_walk(tree) is None


def test_a_walk_goes_on_where_it_stands_and_nowhere_else() -> None:
    book = written(*BROKER_DOWN)
    wrong: dict[str, en.AnyEntry] = {
        "there is a walk w already": en.WalkBegun("w", NO_FILLS),
        "there is no walk x": en.WalkAnswered("x", "q1", True),
        "stands at broker-down, not at q1": en.WalkAnswered("w", "q1", True),
        "the latest answer of w was to q1": en.WalkTakenBack("w", "q2"),
        "stands at broker-down, not at rate-limited": en.LeafActed("w", "rate-limited"),
        "aborted with a reason": en.WalkAborted("w", " "),
    }
    for why, entry in wrong.items():
        with pytest.raises(ValueError, match=why):
            after(book, entry, "ana", NOW)
    back = written(en.WalkTakenBack("w", "q1"), logbook=book)
    assert back.walks["w"].walk == Walk(NO_FILLS)
    with pytest.raises(ValueError, match="at its first question"):
        after(back, en.WalkTakenBack("w", "q1"), "ana", NOW)
    with pytest.raises(ValueError, match="q1 is a question"):
        after(back, en.LeafActed("w", "q1"), "ana", NOW)
    over = written(en.WalkAborted("w", "a false alarm"), logbook=book)
    assert (over.walks["w"].ended, over.walks["w"].note) == ("aborted", "a false alarm")
    with pytest.raises(ValueError, match=r"is over \(aborted\)"):
        after(over, en.LeafActed("w", "broker-down"), "ana", NOW)


def test_a_tree_that_is_not_fit_is_not_begun() -> None:
    circle = msgspec.structs.replace(
        NO_FILLS, questions={**NO_FILLS.questions, "q3": msgspec.structs.replace(NO_FILLS.questions["q3"], yes="q1")}
    )
    with pytest.raises(ValueError, match="the tree no-fills can not be walked"):
        after(Logbook(), en.WalkBegun("w", circle), "ana", NOW)


def test_a_task_is_closed_once_and_with_a_word_on_what_came_out() -> None:
    book = written(*to_leaf("w", NO_FILLS, "venue-refuses"), en.LeafActed("w", "venue-refuses"))
    (task,) = book.open_tasks
    assert (task.id, task.tree, task.says) == ("w", "no-fills", NO_FILLS.leaves["venue-refuses"].says)
    with pytest.raises(ValueError, match="closed with what came out"):
        after(book, en.TaskClosed("w", ""), "ana", NOW)
    closed = written(en.TaskClosed("w", "codes were read"), logbook=book, actor="ben")
    assert not closed.open_tasks
    assert (closed.tasks["w"].closed_by, closed.tasks["w"].note) == ("ben", "codes were read")
    with pytest.raises(ValueError, match="closed by ben already"):
        after(closed, en.TaskClosed("w", "again"), "ana", NOW)


def test_of_two_who_answer_at_once_the_first_is_heard_in_whatever_order_their_files_are_read() -> None:
    begun = records("guard", en.WalkBegun("w", NO_FILLS))
    first = records("guard", en.WalkBegun("w", NO_FILLS), en.WalkAnswered("w", "q1", True))[1:]
    second = records("operator-ben", en.WalkAnswered("w", "q1", False), ts=NOW + 5)
    merged = sorted([*begun, *first, *second], key=lambda record: record.order)
    state = fold_all(merged)
    assert state.logbook.walks["w"].walk.here == "q2"
    assert fold_all([*merged, *merged]).logbook == state.logbook


def test_the_state_holds_what_is_open_and_the_last_that_are_over() -> None:
    state = DeskState()
    for number in range(KEPT + 5):
        of = [en.WalkBegun(f"over{number}", NO_FILLS), en.WalkAborted(f"over{number}", "r")]
        for record in records(f"o{number}", *of):
            state = fold_state(state, record)
    for number in range(OPEN_KEPT + 5):
        state = fold_state(state, Record(NOW, "guard", "ana", en.WalkBegun(f"open{number}", NO_FILLS), number + 1))
    walks = state.logbook.walks
    assert sum(not walk.ended for walk in walks.values()) == OPEN_KEPT
    assert [name for name, walk in walks.items() if walk.ended] == [f"over{n}" for n in range(5, KEPT + 5)]
    assert msgspec.json.decode(ev.encode(state), type=DeskState).logbook == state.logbook


def test_names_of_walks_are_told_apart() -> None:
    assert new_id("no-fills").startswith("no-fills-")
    assert len({new_id("a") for _ in range(50)}) == 50


# --- runs -----------------------------------------------------------------------------------------------------------


def test_a_run_is_marked_and_ends_by_its_own_rules_with_who_and_when() -> None:
    steps = [en.StepMarked("r", step, "done") for step in range(len(PLAN.steps))]
    book = written(BEGUN, *steps, en.RunFinished("r"))
    run = book.runs["r"]
    assert (run.ended, run.ended_by, run.run.marks[1].at) == ("finished", "ana", NOW + 2)
    wrong: dict[str, tuple[Logbook, en.AnyEntry]] = {
        "there is a run r already": (book, BEGUN),
        "there is no run x": (book, en.RunFinished("x")),
        "was finished; begin a new one": (book, en.StepUnmarked("r", 0)),
        "step 1 is open": (written(BEGUN), en.RunFinished("r")),
        "step 1 comes before step 2": (written(BEGUN), en.StepMarked("r", 1, "done")),
        "with a reason": (written(BEGUN), en.RunAborted("r", "")),
        "begins with its steps": (Logbook(), en.RunBegun("r", "procedure", run.run)),
    }
    for why, (before, entry) in wrong.items():
        with pytest.raises(ValueError, match=why):
            after(before, entry, "ana", NOW)


# --- gates and the size ---------------------------------------------------------------------------------------------


def test_an_attestation_needs_a_day_that_has_come_and_a_word() -> None:
    def told(**changes: Any) -> en.GateAttested:
        fields: dict[str, Any] = {"gate": "DAILY D4", "day": TODAY, "result": "passed", "note": "n", **changes}
        return en.GateAttested(**fields)

    for why, entry in {
        "has not come yet": told(day=date(2024, 10, 5)),
        "with a note, or with where the evidence lies": told(note=" "),
        "failed with a reason": told(result="failed", note="", evidence="/e"),
        "waived with a reason": told(result="waived", note=""),
    }.items():
        with pytest.raises(ValueError, match=why):
            after(Logbook(), entry, "ana", NOW)
    book = written(told(), told(result="failed", note="broken"))
    assert book.attestations["DAILY D4"].result == "failed"
    made_up_for = written(told(day=date(2024, 10, 3), note="yesterday"), logbook=book)
    assert made_up_for == book


def test_the_size_only_goes_down_until_a_resume_and_whole_sessions_count_anew() -> None:
    described = ev.DeskDescribed(
        name="d", mode="simulated", venues=(ev.VenueInfo("a", "alpaca", ""),), strategies=(), config_hash=""
    )
    sessions = [ev.SessionChanged("a", open=False), ev.SessionChanged("a", open=True), ev.SessionChanged("a", False)]
    state = fold_all(records("guard", described, *sessions))
    assert (state.since, state.venues["a"].full_sessions) == (NOW, 1)
    for lowered, (size, rate) in {
        en.SizeLowered(50, "half"): ("0.5", "0.5"),
        en.SizeLowered(25, "less", 100): ("0.25", "0.5"),
        en.SizeLowered(90, "more", 10): ("0.25", "0.1"),
        en.SizeLowered(90, "nothing new"): ("0.25", "0.1"),
    }.items():
        state = fold_state(state, Record(NOW + 9, "guard", "ana", lowered, state.heads["guard"] + 1))
        assert (state.size, state.rate) == (Decimal(size), Decimal(rate))
    assert state.size_because == "lowered to 90 %: more"
    assert state.venues["a"].full_sessions == 0
    resumed = ev.Resumed(pulls=(), scope="desk", size=Decimal(1), cause="own-fix", text="t", proofs=())
    state = fold_state(state, Record(NOW + 10, "guard", "ana", resumed, state.heads["guard"] + 1))
    assert (state.size, state.rate, state.size_because) == (1, 1, "")


@pytest.mark.parametrize("wrong", [{"size_pct": 0}, {"size_pct": 100}, {"size_pct": 25, "rate_pct": 0}])
def test_a_size_that_would_raise_or_stop_is_no_entry(wrong: dict[str, int]) -> None:
    with pytest.raises(msgspec.ValidationError):
        event_from("size_lowered", {"reason": "r", **wrong})


def test_what_is_refused_leaves_the_logbook_as_it_was() -> None:
    book = written(*BROKER_DOWN)
    (late,) = records("b", en.WalkAnswered("w", "q1", True))
    assert fold(book, late) is book
