"""The keys for evidence on a live desk: open an incident, write into it, capture the desk."""

import pytest

from console.app import AndonApp
from console.desk import entries as en
from tests.pictures import settle
from tests.support import scenario
from widgets.line import text_of
from widgets.lines import Lines

NAME = "INC-2026-0007"


class Desk:
    def __init__(self, story: scenario.Story, *, refuses: str = "", read_only: bool = False) -> None:
        self.source = scenario.FakeSource(story.updates, refuses)
        self.app = AndonApp(
            self.source, scenario.RecordingCord(), clock=lambda: scenario.NOW, read_only=read_only, theme="dark"
        )

    @property
    def toasts(self) -> str:
        return "\n".join(toast.message for toast in self.app._notifications)


async def run(desk: Desk, *keys: str) -> None:
    async with desk.app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.05)
        await settle(pilot)


async def test_an_incident_opened_by_hand_is_of_the_class_that_the_firing_monitor_tells() -> None:
    desk = Desk(scenario.burning())
    async with desk.app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("i")
        while desk.app.handbook is None:
            await pilot.pause(0.02)
        await pilot.press(*"acks silent", "enter")
        await settle(pilot)
        number = f"INC-{scenario.TODAY.year}-0001"
        assert desk.source.kept == [en.IncidentOpened(number, "broker-outage", "P0", "acks silent")]
        assert f"{number} is open" in desk.toasts
        title = str(desk.app.screen.query_one("#happened").border_title)
        assert title.split() == [number, "P0", "broker-outage", "<1", "s"]


async def test_a_snapshot_is_asked_of_the_guard_for_the_incident_that_is_open() -> None:
    desk = Desk(scenario.incident())
    await run(desk, "e")
    assert desk.source.commands == [("snapshot", {"incident": NAME})]


async def test_where_a_room_has_the_letter_for_itself_the_capital_takes_the_snapshot() -> None:
    desk = Desk(scenario.incident())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("4", "E")
        await settle(pilot)
        assert desk.source.commands == [("snapshot", {"incident": NAME})]
        await pilot.press("question_mark")
        await settle(pilot)
        told = [text_of(line) for line in desk.app.screen.query_one("#text", Lines).lines]
        assert any("E Capture" in line for line in told), "and help says so"


async def test_a_note_goes_into_the_open_incident() -> None:
    desk = Desk(scenario.incident())
    await run(desk, "m", *"the desk was called", "enter")
    assert desk.source.kept == [en.IncidentNoted(NAME, "the desk was called")]


async def test_what_was_written_is_shown_again_where_it_is_refused() -> None:
    desk = Desk(scenario.calm(), refuses="the disk is full")
    await run(desk, "i", *"odd fills", "enter")
    assert "the disk is full\nYou wrote: odd fills" in desk.toasts


@pytest.mark.parametrize(
    ("story", "read_only", "key", "why"),
    [
        (scenario.calm, False, "e", "no incident is open: i opens one"),
        (scenario.calm, False, "m", "no incident is open: i opens one"),
        (scenario.incident, False, "i", f"{NAME} is open: m writes into it, e captures"),
        (scenario.incident, True, "e", "read-only: nothing is written"),
    ],
)
async def test_a_key_that_can_do_nothing_says_why(story: object, read_only: bool, key: str, why: str) -> None:
    desk = Desk(story(), read_only=read_only)  # type: ignore[operator]
    await run(desk, key)
    assert why in desk.toasts
    assert not desk.source.commands
    assert not desk.source.kept


async def test_without_a_guard_nothing_is_captured_and_it_is_said() -> None:
    story = scenario.incident()
    source = scenario.FakeSource(story.updates)
    app = AndonApp(source, scenario.RecordingCord(), clock=lambda: scenario.NOW + 60 * 10**9)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("e")
        await settle(pilot)
        assert "only a guard captures evidence: g starts one" in "".join(each.message for each in app._notifications)
