"""`andon tree`, `andon procedure` and `andon cadence` as people and machines read them."""

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from console.cli import main
from console.commands.cadence import list_gates
from console.desk import entries as en
from console.desk import events as ev
from console.desk.attested import DeskCalendar, last
from console.desk.cadence import Attestation, State, quarters_around, standing
from console.desk.state import DeskState, fold_all
from console.evidence.journal import JournalWriter
from console.runbooks.kinds import CALENDAR, GATE, RUNNABLE, TREE
from console.runbooks.library import Library, shipped_folder
from console.runbooks.page import WIDTH

LIBRARY = Library(None, {})
TREES = LIBRARY.shelf(TREE).documents
RUNNABLES = {name: each for kind in RUNNABLE for name, each in LIBRARY.shelf(kind).documents.items()}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own for desks, without any."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("ANDON_DESK", raising=False)
    return tmp_path / "andon"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    told = capsys.readouterr()
    return code, told.out, told.err


def clock_on(day: date) -> Callable[[], int]:
    """A clock that stands at noon of a day, UTC."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return lambda: int(noon.timestamp()) * 1_000_000_000


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", sorted(TREES))
def test_a_tree_fits_on_paper_with_every_question_and_leaf(capsys: pytest.CaptureFixture[str], name: str) -> None:
    tree = TREES[name].spec
    code, out, err = run(capsys, "tree", "show", name)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= WIDTH
    page = words(out)
    for question in tree.questions.values():
        assert question.ask in page
        assert question.why in page
    for leaf_name, leaf in tree.leaves.items():
        assert f"[{leaf.kind.upper()}] {leaf_name}: {leaf.says}" in page
        assert all(text in page for text in (*leaf.do, *leaf.verify, leaf.why or ""))
    assert out.count("☐ YES") == out.count("☐ NO") == len(tree.questions)
    assert TREES[name].version in out


@pytest.mark.parametrize("name", sorted(RUNNABLES))
def test_what_can_be_run_fits_on_paper_with_every_step(capsys: pytest.CaptureFixture[str], name: str) -> None:
    spec = RUNNABLES[name].spec
    code, out, err = run(capsys, "procedure", "show", name)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert all(len(line) <= WIDTH or line.lstrip().startswith("$ ") for line in lines)  # a command is not broken
    page = words(out)
    steps = [step for section in spec.sections for step in section.steps]
    assert out.count("☐") == len(steps)
    for number, step in enumerate(steps, 1):
        assert f"☐ {number} {step.do}" in page
        assert not step.command or f"$ {words(step.command)}" in page
    assert all(ref in page for ref in spec.refs)


def test_lists_name_everything_with_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "tree", "list")
    assert [line.split("  ")[0] for line in out.splitlines()] == list(TREES)
    assert TREES["no-fills"].spec.symptom in out
    _, out, _ = run(capsys, "procedure", "list")
    assert [tuple(line.split()[:2]) for line in out.splitlines()] == [(d.kind, name) for name, d in RUNNABLES.items()]


def test_machines_get_the_documents_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(run(capsys, "tree", "show", "no-fills", "--json")[1])
    assert (told["kind"], told["version"]) == ("tree", TREES["no-fills"].version)
    assert told["leaves"]["rate-limited"]["size"] == 25
    assert told["file"] == str(shipped_folder() / "trees" / "no-fills.yaml")
    assert len(json.loads(run(capsys, "procedure", "list", "--json")[1])["procedures"]) == len(RUNNABLES)
    assert len(json.loads(run(capsys, "cadence", "list", "--json")[1])["gates"]) == 20


@pytest.mark.parametrize(
    ("what", "name", "meant"), [("tree", "no-fils", "no-fills"), ("procedure", "kilswitch", "killswitch")]
)
def test_an_unknown_name_says_which_was_meant(
    capsys: pytest.CaptureFixture[str], what: str, name: str, meant: str
) -> None:
    code, out, err = run(capsys, what, "show", name)
    assert (code, out) == (2, "")
    assert err == f"andon: there is no {what} {name!r}; did you mean {meant!r}?\n"


def test_gates_are_listed_by_cadence_with_the_day_they_are_due(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Namespace(desk=None, json=False)
    assert list_gates(asked, clock_on(date(2026, 11, 26))) == 0  # Thanksgiving
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == list(LIBRARY.shelf(GATE).documents)
    due = {line[0]: next(cell.strip() for cell in line[1:] if cell) for line in lines}
    assert due["PRE-LAUNCH P1"] == "due 2026-11-26"
    assert due["DAILY D4"] == "due 2026-11-27"
    assert due["WEEKLY W1"] == "due 2026-11-27"
    assert due["QUARTERLY Q1"] == "due 2026-12-31"


def test_what_was_attested_holds_for_its_time_and_is_then_due_overdue_or_expired(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    """A desk since Monday, 5 October 2026; attested on Wednesday; looked at on days after that."""
    (home / "mine").mkdir(parents=True)
    (home / "mine" / "desk.yaml").write_text(f"desk: mine\nmode: simulated\nstate: {home / 'state'}\n")
    guard = JournalWriter(home / "state" / "journal", "guard")
    described = ev.DeskDescribed("mine", "simulated", (), (), "")
    wednesday = date(2026, 10, 7)
    written: list[tuple[date, ev.AnyEvent, str]] = [
        (date(2026, 10, 5), described, "guard"),
        (wednesday, en.GateAttested("DAILY D4", wednesday, "passed", "to the share"), "ana"),
        (wednesday, en.GateAttested("DAILY D5", wednesday, "failed", "2 σ off"), "ana"),
        (wednesday, en.GateAttested("WEEKLY W1", wednesday, "waived", "no models"), "ben"),
        (wednesday, drilled(passed=True), "ana"),
    ]
    for day, event, actor in written:
        guard.append(event, actor, ts=clock_on(day)())
    guard.close()

    def stands(day: date) -> dict[str, tuple[str, str]]:
        list_gates(Namespace(desk=str(home / "mine"), json=True), clock_on(day))
        gates = json.loads(capsys.readouterr().out)["gates"]
        return {gate["id"]: (gate["state"], gate["due"]) for gate in gates}

    at = stands(wednesday)
    assert at["DAILY D4"] == ("done", "2026-10-08")
    assert at["DAILY D5"] == ("failed", "2026-10-07")
    assert at["WEEKLY W1"] == ("waived", "2026-10-16")
    assert at["WEEKLY W2"] == ("due", "2026-10-09")
    assert at["DAILY D3"] == ("overdue", "2026-10-05")
    assert at["PRE-LAUNCH P1"] == ("done", "2026-10-14")  # by the drill
    assert stands(date(2026, 10, 8))["DAILY D4"] == ("due", "2026-10-08")
    at = stands(date(2026, 10, 15))
    assert at["DAILY D4"] == ("overdue", "2026-10-08")
    assert at["PRE-LAUNCH P1"] == ("expired", "2026-10-14")
    list_gates(Namespace(desk=str(home / "mine"), json=False), clock_on(date(2026, 10, 15)))
    out = capsys.readouterr().out
    assert "EXPIRED 2026-10-14" in out
    assert "passed 2026-10-07 by ana: drill 20261007T120000Z" in out


def test_a_venue_s_own_calendar_decides_and_the_holiday_file_where_it_has_said_nothing() -> None:
    fallback = LIBRARY.shelf(CALENDAR).documents["xnys"].spec
    described = ev.DeskDescribed("d", "paper", tuple(ev.VenueInfo(name, "alpaca", "") for name in "ab"), (), "")
    open_days = tuple(date(2026, 10, day) for day in (5, 6, 8, 9))
    story = [
        described,
        ev.CalendarRead("a", date(2026, 10, 5), date(2026, 10, 11), open_days),
        ev.CalendarRead("b", date(2026, 10, 10), date(2026, 10, 11), (date(2026, 10, 11),)),
    ]
    state = fold_all(ev.Record(n, "guard", "guard", event, n) for n, event in enumerate(story, 1))
    calendar = DeskCalendar.of(state, fallback)
    assert [day for day in range(1, 20) if calendar.is_session(date(2026, 10, day))] == [
        *(1, 2),  # by the file
        *(5, 6, 8, 9, 11),
        *(12, 13, 14, 15, 16, 19),
    ]
    assert (calendar.name, DeskCalendar.of(DeskState(), fallback).name) == ("a, b", "xnys")
    assert not DeskCalendar.of(DeskState(), fallback).knows(date(2031, 1, 1))
    gate = LIBRARY.shelf(GATE).documents["DAILY D4"].spec
    told = Attestation("DAILY D4", date(2026, 10, 6), "passed", "ana", 1)
    at = standing(gate, told, since=date(2026, 10, 5), today=date(2026, 10, 7), calendar=calendar)
    assert (at.state, at.due) == (State.DONE, date(2026, 10, 8))
    retired = [*story, ev.VenueRetired("a", "gone"), ev.VenueRetired("b", "gone")]
    state = fold_all(ev.Record(n, "guard", "guard", event, n) for n, event in enumerate(retired, 1))
    assert DeskCalendar.of(state, fallback).name == "xnys"


def test_the_calendar_is_asked_for_the_quarters_around_a_day() -> None:
    assert quarters_around(date(2026, 2, 3)) == (date(2025, 10, 1), date(2026, 6, 30))
    assert quarters_around(date(2026, 12, 31)) == (date(2026, 7, 1), date(2027, 3, 31))


def drilled(*, passed: bool, level: str = "L4") -> ev.DrillDone:
    missed = () if passed else ("not flat within 60 s",)
    name = "20261007T120000Z"
    return ev.DrillDone(name, "kill-switch", "p", level, passed, 9, 9, 9, 60, 0, 0, missed, f"drills/{name}.json", "ab")


def test_a_drill_that_failed_shows_that_its_gate_does_not_hold_and_one_that_flattens_nothing_shows_nothing() -> None:
    gate, day = "PRE-LAUNCH P1", 86_400_000_000_000
    passed = ev.Record(day, "guard", "ana", drilled(passed=True), 1)
    lesser = ev.Record(2 * day, "guard", "ana", drilled(passed=True, level="L3"), 2)
    failed = ev.Record(3 * day, "guard", "ben", drilled(passed=False), 3)
    attested = ev.Record(4 * day, "guard", "eve", en.GateAttested(gate, date(1970, 1, 5), "passed", "again"), 4)
    story = [passed, lesser, failed, attested]
    told = [last(fold_all(story[: number + 1]), gate) for number in range(len(story))]
    assert [each and (each.result, each.actor, each.day.day, each.sha256) for each in told] == [
        ("passed", "ana", 2, "ab"),
        ("passed", "ana", 2, "ab"),
        ("failed", "ben", 4, "ab"),
        ("passed", "eve", 5, ""),
    ]
    assert last(fold_all(story), "DAILY D1") is None


def test_a_year_without_known_holidays_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    list_gates(Namespace(desk=None, json=False), clock_on(date(2031, 1, 1)))
    assert capsys.readouterr().err == "andon: the calendar xnys has no holidays of 2031; weekends alone are left out\n"
    list_gates(Namespace(desk=None, json=True), clock_on(date(2031, 1, 1)))
    assert json.loads(capsys.readouterr().out)["calendar_knows"] is False


def test_a_desk_s_own_tree_is_shown_and_a_broken_one_is_said(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    own = home / "mine" / "runbooks" / "trees"
    own.mkdir(parents=True)
    (home / "mine" / "desk.yaml").write_text("desk: mine\n")
    text = (shipped_folder() / "trees" / "no-fills.yaml").read_text()
    (own / "no-fills.yaml").write_text(text.replace("title: Orders are not filling", "title: Our own words"))
    assert run(capsys, "tree", "show", "no-fills")[1].startswith("Our own words\n")
    (own / "no-fills.yaml").write_text(text.replace("start: q1", "start: q7"))
    code, out, err = run(capsys, "tree", "show", "no-fills")
    assert (code, out.splitlines()[0]) == (0, "Orders are not filling")
    assert err.startswith(f"andon: {own}/no-fills.yaml:4:8: ")


def test_a_console_that_only_looks_for_its_desk_reads_no_runbooks() -> None:
    asked = "import sys, console.config, console.commands.open; print([m for m in sys.modules if 'runbooks' in m])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
