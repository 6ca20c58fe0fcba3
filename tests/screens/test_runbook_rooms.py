"""What the rooms of the runbooks do: walk, run, attest, and lead from a monitor to what is written about it."""

from datetime import date

import pytest
from textual.pilot import Pilot

from console.app import AndonApp
from console.desk import entries as en
from console.desk.attested import DeskCalendar
from console.desk.pull import Level, Scope
from console.desk.source import Update
from console.desk.state import DeskState
from console.screens.attest import AttestScreen
from console.screens.cord import CordScreen
from console.screens.views.cadence import calendar_lines
from tests.pictures import settle, spec
from tests.support import scenario
from widgets.grid import Grid
from widgets.line import text_of
from widgets.lines import Lines
from widgets.page import Page

NO_FILLS = spec("tree:no-fills")


class Desk:
    """The app on a replayed desk, on which entries of the logbook are kept in memory."""

    def __init__(self, updates: list[Update], *, refuses: str = "", read_only: bool = False) -> None:
        self.seconds = 100.0
        self.source = scenario.FakeSource(updates, refuses)
        self.cord = scenario.RecordingCord()
        self.app = AndonApp(
            self.source,
            self.cord,
            clock=lambda: scenario.NOW,
            monotonic=lambda: self.seconds,
            read_only=read_only,
        )

    @property
    def page(self) -> str:
        return "\n".join(text_of(line) for line in self.app.screen.query_one("#page", Page).lines)

    def said(self, selector: str) -> str:
        return "\n".join(text_of(line) for line in self.app.screen.query_one(selector, Lines).lines)

    @property
    def kept(self) -> list[en.AnyEntry]:
        return self.source.kept


async def opened(pilot: Pilot[None], *keys: str) -> None:
    await settle(pilot)
    await pilot.press(*keys)
    await settle(pilot)


async def test_two_keys_lead_from_a_firing_monitor_to_the_first_question() -> None:
    desk = Desk(scenario.burning().updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "enter")
        await opened(pilot, "t")
        assert "no-fills ▸ q1" in desk.said("#which")
        assert NO_FILLS.questions["q1"].ask in desk.page


@pytest.mark.parametrize(("key", "title"), [("i", "Broker or venue outage"), ("s", "Pull the kill switch")])
async def test_one_key_each_leads_to_the_class_and_to_the_first_step(key: str, title: str) -> None:
    desk = Desk(scenario.burning().updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "enter")
        await opened(pilot, key)
        assert desk.page.startswith(title)


async def test_without_a_firing_monitor_enter_says_what_to_do() -> None:
    desk = Desk(scenario.calm().updates)
    async with desk.app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "enter")
        assert ["no monitor fires" in toast.message for toast in desk.app._notifications] == [True]


async def test_answers_and_notes_go_on_record_and_back_takes_one_away() -> None:
    desk = Desk(scenario.walking(NO_FILLS).updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "4", "slash", *"no-fills", "enter", "enter")
        await opened(pilot, "t", *"page is green", "enter")
        assert "“page is green” is kept with your answer" in desk.page
        await opened(pilot, "y")
        await opened(pilot, "y")
        await opened(pilot, "b")
        assert "no-fills ▸ q2" in desk.said("#which")
    walk = "no-fills-3fa91c"
    assert desk.kept == [
        en.WalkAnswered(walk, "q1", True, "page is green"),
        en.WalkAnswered(walk, "q2", True),
        en.WalkTakenBack(walk, "q2"),
    ]


async def test_k_at_a_kill_switch_leaf_opens_the_overlay_and_only_the_digit_ends_the_walk() -> None:
    desk = Desk(scenario.walking(NO_FILLS, False).updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "4", "slash", *"no-fills", "enter", "enter", "K")
        assert isinstance(desk.app.screen, CordScreen)
        assert "the tree says 3" in desk.said("#foot")
        assert (desk.cord.pulls, desk.kept) == ([], [])
        desk.seconds += 1
        await opened(pilot, "3")
    assert desk.cord.pulls == [(Level.L3, Scope("desk"), "tree")]
    assert desk.kept == [en.LeafActed("no-fills-3fa91c", "broker-down", scenario.PULL)]


async def test_a_milder_pull_than_the_leaf_wants_does_not_end_the_walk() -> None:
    desk = Desk(scenario.walking(NO_FILLS, False).updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "4", "slash", *"no-fills", "enter", "enter", "K")
        desk.seconds += 1
        await opened(pilot, "1")
    assert [level for level, *_ in desk.cord.pulls] == [Level.L1]
    assert desk.kept == []


@pytest.mark.parametrize("other", ["escape", "b", "t"])
async def test_a_throttle_leaf_lowers_the_gate_after_one_y_and_after_nothing_else(other: str) -> None:
    desk = Desk(scenario.walking(NO_FILLS, True, True, True).updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "4", "slash", *"no-fills", "enter", "enter", "l")
        assert "y lowers the gate now" in " ".join(desk.page.split())
        await opened(pilot, other)
        await opened(pilot, "escape") if other == "t" else None
        assert not any(isinstance(entry, en.SizeLowered) for entry in desk.kept)
        if other == "escape":
            await opened(pilot, "l", "y")
            lowered, acted = desk.kept
            assert isinstance(lowered, en.SizeLowered)
            assert (lowered.size_pct, lowered.rate_pct, lowered.walk) == (25, 50, "no-fills-3fa91c")
            assert acted == en.LeafActed("no-fills-3fa91c", "rate-limited")


async def test_a_leaf_that_changes_nothing_leaves_a_task_and_the_task_is_closed_with_what_came_out() -> None:
    desk = Desk(scenario.walking(NO_FILLS, True, True, False).updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "4", "slash", *"no-fills", "enter", "enter", "d")
        assert desk.kept == [en.LeafActed("no-fills-3fa91c", "venue-refuses")]
        await opened(pilot, "escape", "tab", "enter")
        await opened(pilot, *"codes say so", "enter")
        assert desk.kept[1:] == [en.TaskClosed("no-fills-3fa91c", "codes say so")]


async def test_a_walk_is_given_up_with_a_reason() -> None:
    desk = Desk(scenario.walking(NO_FILLS).updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "4", "slash", *"no-fills", "enter", "enter", "e", "enter")
        assert desk.kept == []
        await opened(pilot, "e", *"false alarm", "enter")
        assert desk.kept == [en.WalkAborted("no-fills-3fa91c", "false alarm")]


async def test_what_is_refused_is_shown_and_the_walk_stays() -> None:
    desk = Desk(scenario.walking(NO_FILLS).updates, refuses="the disk is full")
    async with desk.app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "4", "slash", *"no-fills", "enter", "enter", "y")
        assert [toast.message for toast in desk.app._notifications] == ["the disk is full"]
        assert "no-fills ▸ q1" in desk.said("#which")


async def test_a_read_only_console_shows_the_walk_and_says_why_it_does_not_answer() -> None:
    desk = Desk(scenario.walking(NO_FILLS).updates, read_only=True)
    async with desk.app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "4", "slash", *"no-fills", "enter", "enter", "y")
        assert [toast.message for toast in desk.app._notifications] == ["read-only: nothing is written"]
        assert "no-fills ▸ q1" in desk.said("#which")
    assert desk.kept == []


async def test_references_are_followed_and_backspace_finds_back() -> None:
    desk = Desk(scenario.calm().updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "5", "slash", *"class outage", "enter", "enter", "tab", "tab")
        await opened(pilot, "enter")
        assert desk.page.startswith("Pull the kill switch")
        await opened(pilot, "backspace")
        assert desk.page.startswith("Broker or venue outage")


async def test_a_document_is_found_by_what_it_says() -> None:
    desk = Desk(scenario.calm().updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "5", "slash", *"throttled looks as silent", "enter")
        assert [row.key for row in desk.app.screen.query_one("#list", Grid).rows] == ["tree:no-fills"]


async def test_a_run_is_ticked_step_by_step_and_finished_only_when_every_step_has_its_mark() -> None:
    desk = Desk(scenario.calm().updates)
    async with desk.app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "5", "slash", *"procedure killswitch", "enter", "s")
        await opened(pilot, "space")
        await opened(pilot, "x", *"no channel", "enter")
        await opened(pilot, "o", *"seen at the broker", "enter")
        await opened(pilot, "t", *"told everybody", "enter")
        await opened(pilot, "f")
        assert [toast.message for toast in desk.app._notifications] == ["step 5 has no mark yet"]
        await opened(pilot, "space")
        await opened(pilot, "space")
        await opened(pilot, "f")
        assert "✓ FINISHED" in desk.page
    begun, *marks, finished = desk.kept
    assert isinstance(begun, en.RunBegun)
    assert (begun.of, begun.plan.id) == ("procedure", "killswitch")
    assert [(mark.step, mark.how, mark.note) for mark in marks if isinstance(mark, en.StepMarked)] == [
        (0, "done", ""),
        (1, "skipped", "no channel"),
        (2, "overridden", "seen at the broker"),
        (3, "done", "told everybody"),
        (4, "done", ""),
        (5, "done", ""),
    ]
    assert finished == en.RunFinished(begun.run)


async def test_a_run_goes_on_where_it_was_on_the_version_that_it_began_with() -> None:
    desk = Desk(scenario.running(spec("procedure:killswitch"), "procedure", ("done", ""), ("done", "")).updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "5", "slash", *"procedure killswitch", "enter", "s")
        assert "run killswitch-91ab20" in desk.page
        await opened(pilot, "space")
    assert desk.kept == [en.StepMarked("killswitch-91ab20", 2, "done")]


async def test_a_tick_is_taken_back() -> None:
    desk = Desk(scenario.running(spec("procedure:killswitch"), "procedure", ("done", "")).updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "5", "enter", "up", "up", "space")
    assert desk.kept == [en.StepUnmarked("killswitch-91ab20", 0)]


async def test_a_gate_is_attested_only_with_a_note_or_evidence() -> None:
    desk = Desk(scenario.attested().updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "6", "slash", *"DAILY D1", "enter", "enter", "p", "enter")
        assert isinstance(desk.app.screen, AttestScreen)
        assert desk.kept == []
        await opened(pilot, "e", *"bars.txt", "enter", "enter")
        assert not isinstance(desk.app.screen, AttestScreen)
        assert desk.kept == [en.GateAttested("DAILY D1", date(2026, 3, 16), "passed", "", "bars.txt")]
        [row] = desk.app.screen.query_one("#gates", Grid).rows
        assert "done" in text_of(row.cells[0])


async def test_a_gate_is_waived_with_a_reason() -> None:
    desk = Desk(scenario.attested().updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "6", "slash", *"WEEKLY W2", "enter", "w", "enter")
        assert desk.kept == []
        await opened(pilot, "t", *"nobody here", "enter", "enter")
    assert desk.kept == [en.GateAttested("WEEKLY W2", date(2026, 3, 16), "waived", "nobody here")]


async def test_help_tells_what_can_be_done_here() -> None:
    desk = Desk(scenario.walking(NO_FILLS).updates)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "4", "slash", *"no-fills", "enter", "enter", "question_mark")
        told = desk.said("#text")
        assert "Answer yes" in told
        assert "Tick the step" not in told
        assert len(told.splitlines()) <= 22, "all of it fits on the smallest screen"


def test_a_calendar_without_the_years_holidays_is_said() -> None:
    calendar = DeskCalendar.of(DeskState(), spec("calendar:xnys"))
    assert calendar_lines(calendar, date(2026, 3, 16), 80) == []
    [said] = calendar_lines(calendar, date(2199, 3, 16), 80)
    assert "weekends alone" in text_of(said)


async def test_a_resume_leaf_leads_to_the_guard_and_is_over_once_the_desk_was_resumed() -> None:
    story = scenario.walking(spec("tree:post-incident"), True, True, True, story=scenario.reconciled)
    desk = Desk(story.updates)
    desk.source = scenario.JudgingSource(story.updates)
    desk.app = AndonApp(desk.source, desk.cord, clock=lambda: scenario.NOW)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "4", "slash", *"incident is closed", "enter", "enter")
        assert "asks the resume guard for 25 %" in " ".join(desk.page.split())
        await opened(pilot, "u", "c", "c", "t", *"test pull", "enter")
        assert desk.kept == []
        await opened(pilot, "enter")
        await opened(pilot, *"demo", "enter")
    assert desk.kept == [en.LeafActed("post-incident-3fa91c", "come-back", scenario.PULL)]
