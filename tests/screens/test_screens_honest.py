"""What a newcomer must not be misled by: the end of the timeline, a gate half closed, small terminals, late samples."""

import asyncio

import pytest
from textual.app import App, ComposeResult

from console.app import AndonApp
from console.desk import events as ev
from console.desk.pull import GateState
from console.desk.words import SECOND
from tests.pictures import Clock, settle
from tests.support import scenario
from tests.support.scenario import NOW, Story
from themes import shipped
from widgets.line import line, text_of
from widgets.lines import Lines

SIZES = [(80, 24), (120, 36)]


class Tail(App[None]):
    CSS = "Lines { height: 1fr; }"

    def compose(self) -> ComposeResult:
        yield Lines(tail=True)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(shipped()[0].variables)

    @property
    def tail(self) -> Lines:
        return self.query_one(Lines)

    def tell(self, count: int) -> None:
        self.tail.show([line(f"line {number}") for number in range(count)])


def ends(lines: Lines) -> bool:
    return bool(lines.max_scroll_y) and lines.scroll_offset.y == lines.max_scroll_y


async def test_the_end_is_followed_through_new_lines_and_new_sizes() -> None:
    app = Tail()
    async with app.run_test(size=(40, 10)) as pilot:
        for count, height in ((50, 10), (60, 4), (55, 20), (70, 6)):
            app.tell(count)
            await pilot.resize_terminal(40, height)
            await pilot.pause()
            assert ends(app.tail)


async def test_only_the_user_leaves_the_end_and_only_he_comes_back() -> None:
    app = Tail()
    async with app.run_test(size=(40, 10)) as pilot:
        app.tell(50)
        await pilot.pause()
        app.tail._scroll_up_for_pointer(animate=False)
        await pilot.pause()
        read = app.tail.scroll_offset.y
        assert read < app.tail.max_scroll_y
        app.tell(60)
        await pilot.resize_terminal(40, 8)
        await pilot.pause()
        assert app.tail.scroll_offset.y == read
        while app.tail.scroll_offset.y < app.tail.max_scroll_y:
            app.tail._scroll_down_for_pointer(animate=False)
            await pilot.pause()
        app.tell(80)
        await pilot.pause()
        assert ends(app.tail)


async def test_who_is_at_the_end_because_the_terminal_grew_is_taken_along() -> None:
    app = Tail()
    async with app.run_test(size=(40, 10)) as pilot:
        app.tell(50)
        await pilot.pause()
        app.tail.scroll_to(y=app.tail.max_scroll_y - 1, animate=False)
        await pilot.pause()
        await pilot.resize_terminal(40, 11)
        await pilot.pause()
        app.tell(60)
        await pilot.pause()
        assert ends(app.tail)


def shown(story: Story, clock: Clock | None = None) -> AndonApp:
    return AndonApp(scenario.FakeSource(story.updates), scenario.RecordingCord(), clock=clock or Clock(), theme="dark")


def said(app: AndonApp, selector: str) -> str:
    return "\n".join(text_of(told) for told in app.screen.query_one(selector, Lines).lines)


def narrowly(scope: str = "venue:sim1", level: str = "L3", ago: float = 12, pull: str = scenario.PULL) -> Story:
    """A calm desk, part of which was pulled."""
    venues = ("sim2",) if scope == "venue:sim2" else ("sim1",)
    return scenario.calm().at(-ago, ev.Pulled(pull, level, scope, "", "console", "guard", venues, 60), actor="ana")


@pytest.mark.parametrize("size", SIZES)
async def test_a_pull_stays_in_sight_at_the_end_of_the_timeline(size: tuple[int, int]) -> None:
    app = shown(scenario.calm())
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for story in (scenario.requested(), scenario.partial(), scenario.unknown()):
            app._feed.take(story.updates[0])
            await settle(pilot)
            assert ends(app.screen.query_one("#timeline", Lines))
        await pilot.press("2")
        await settle(pilot)
        await pilot.resize_terminal(size[0], size[1] + 2)
        await pilot.press("1")
        await settle(pilot)
        assert ends(app.screen.query_one("#timeline", Lines))
        await pilot.resize_terminal(*size)
        await settle(pilot)
        assert ends(app.screen.query_one("#timeline", Lines))


@pytest.mark.parametrize("size", SIZES)
async def test_the_header_does_not_look_open_while_a_venue_is_halted(size: tuple[int, int]) -> None:
    app = shown(narrowly())
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        assert "GATE ◐ OPEN · sim1 HALTED  " in said(app, "#header")
        assert "100 %" not in said(app, "#header")


async def test_the_header_has_room_for_many_narrow_pulls() -> None:
    story = narrowly("venue:sim1,sim2")
    for number, name in enumerate(scenario.MODELS):
        pulled = ev.Pulled(f"p{number}", "L1", f"strategy:{name}", "", "console", "guard", ("sim1",), 60)
        story.at(-5, pulled, actor="bo")
    app = shown(story)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "◐ OPEN · 2 HALTED · 3 CLOSE_ONLY  " in said(app, "#header")
        assert "guard" in said(app, "#header")


async def test_the_pull_that_has_no_reason_is_named() -> None:
    story = narrowly()
    story.at(-5, ev.Pulled("p-2", "L1", "strategy:maker", "", "console", "guard", ("sim2",), 60), actor="bo")
    app = shown(story)
    async with app.run_test(size=(80, 40)) as pilot:
        await settle(pilot)
        assert "Write down why the cord was pulled  L3 venue:sim1 at 14:31:55" in said(app, "#next")
        assert "Write down why the cord was pulled  L1 strategy:maker at 14:32:02" in said(app, "#next")


@pytest.mark.parametrize("size", SIZES)
async def test_help_explains_before_it_refuses(size: tuple[int, int]) -> None:
    app = shown(scenario.calm())
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await settle(pilot)
        told = said(app, "#text")
        assert "What the venues have proven about the last pull" in told
        assert "3 Incidents" in told
        assert "pale: the key says why" in told
        assert "it watches the desk" in told
        assert app.screen.query_one("#text", Lines).max_scroll_y == 0


async def test_a_small_terminal_shows_gate_and_verdict() -> None:
    app = shown(scenario.requested())
    async with app.run_test(size=(40, 10)) as pilot:
        await settle(pilot)
        gate, verdict, *_ = said(app, "#small").splitlines()
        assert "GATE ■ HALTED" in gate
        assert "REQUESTED" in verdict
        assert "L3 desk" in verdict


async def test_a_small_terminal_shows_a_pull_that_nobody_has_reported() -> None:
    app = shown(scenario.calm())
    async with app.run_test(size=(40, 10)) as pilot:
        await settle(pilot)
        assert "SENT" not in said(app, "#small")
        app.pulled = "p-new"
        app._feed.take(scenario.calm().at(0, ev.GuardBeat()).updates[0])
        async with asyncio.timeout(30):
            while "SENT" not in said(app, "#small"):
                await settle(pilot)


@pytest.mark.parametrize(("ago", "acts"), [(13, False), (11, False), (1, True)])
async def test_a_strategy_is_not_accused_by_a_sample_older_than_the_pull(ago: int, acts: bool) -> None:
    story, as_of = narrowly(), NOW - ago * SECOND
    for name in ("momentum", "meanrev"):
        story.at(0, scenario.sampled(name, scenario.MODELS[name], GateState.HALTED, 0, "0", as_of))
    story.at(0, scenario.sampled("momentum", scenario.MODELS["momentum"], GateState.OPEN, 9, "0", as_of))
    app = shown(story)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        assert ("Stop momentum at its host" in said(app, "#next")) is acts


async def test_the_closes_of_the_cord_are_no_riddle() -> None:
    clock = Clock()
    clock.now -= 6 * SECOND
    app = shown(scenario.flattened(), clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        clock.now = NOW
        await settle(pilot)
        assert "The cord’s closes: bring the" in said(app, "#next")
        assert "4 differences from K 4" in said(app, "#next")
        assert "Explain" not in said(app, "#next")
