"""What the screens do: the reason after a pull, the filter, the palette, the way between rooms."""

import gc

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

import console.screens.views.desk as desk_view
from console.app import AndonApp
from console.desk.pull import Level, Scope
from console.screens.adjust import AdjustScreen
from console.screens.cord import CordScreen
from console.screens.resume import ResumeScreen
from console.screens.verdict import VerdictScreen
from tests.pictures import settle
from tests.support import scenario
from widgets.grid import Grid, Row
from widgets.line import text_of
from widgets.lines import Lines


class Desk:
    """The app on a replayed desk; its monotonic clock is set by hand. The source `judges` and plans as a guard does,
    or keeps what it is asked."""

    def __init__(self, story: scenario.Story, *, refuses: str = "", judges: bool = False) -> None:
        self.seconds = 100.0
        self.source = scenario.JudgingSource(story.updates) if judges else scenario.FakeSource(story.updates, refuses)
        self.cord = scenario.RecordingCord()
        self.app = AndonApp(
            self.source, self.cord, clock=lambda: scenario.NOW, monotonic=lambda: self.seconds, theme="dark"
        )

    def said(self, selector: str) -> str:
        return "\n".join(text_of(line) for line in self.app.screen.query_one(selector, Lines).lines)


async def opened(pilot: Pilot[None], *keys: str) -> None:
    await settle(pilot)
    await pilot.press(*keys)
    await settle(pilot)


async def test_a_pull_opens_the_verdict_and_asks_for_the_reason() -> None:
    desk = Desk(scenario.calm())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "K")
        assert isinstance(desk.app.screen, CordScreen)
        desk.seconds += 1
        await opened(pilot, "3")
        assert desk.cord.pulls == [(Level.L3, Scope("desk"), "console")]
        assert isinstance(desk.app.screen, VerdictScreen)
        assert "S E N T" in desk.said("#headline")


@pytest.mark.parametrize("leave", ["escape", "3"])
async def test_the_collector_rests_while_a_digit_may_come_and_no_longer(leave: str) -> None:
    desk = Desk(scenario.calm())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "K")
        assert not gc.isenabled()
        desk.seconds += 1
        await opened(pilot, leave)
        assert gc.isenabled()


async def test_the_reason_goes_to_the_guard_with_its_pull() -> None:
    desk = Desk(scenario.requested())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "r")
        assert isinstance(desk.app.focused, Input)
        await opened(pilot, *"K 3 acks", "enter")
        assert desk.source.commands == [("reason", {"pull": scenario.PULL, "text": "K 3 acks"})]
        assert desk.cord.pulls == []


async def test_a_refused_reason_is_shown_again() -> None:
    desk = Desk(scenario.requested(), refuses="the guard is down")
    async with desk.app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "r", "x", "enter")
        [toast] = desk.app._notifications
        assert toast.message == "the guard is down\nYou wrote: x"


async def test_tab_goes_through_the_scopes_and_the_reach_follows() -> None:
    desk = Desk(scenario.calm())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "K")
        assert "sim2" in desk.said("#reach")
        await opened(pilot, "tab")
        assert "sim2" not in desk.said("#reach")
        desk.seconds += 1
        await opened(pilot, "tab", "tab", "shift+tab")
        assert "sim1" not in desk.said("#reach")
        desk.seconds += 1
        await opened(pilot, "4")
        assert desk.cord.pulls == [(Level.L4, Scope("venue", ("sim2",)), "console")]


async def test_a_strategy_is_not_flattened_and_its_symbols_are_offered() -> None:
    desk = Desk(scenario.calm())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "K", "tab", "tab", "tab")
        assert "▸ momentum" in desk.said("#scope")
        assert "s picks AAPL, MSFT instead" in desk.said("#levels")
        desk.seconds += 1
        await opened(pilot, "4")
        assert "4 is not offered for this scope" in desk.said("#foot")
        assert desk.cord.pulls == []
        await opened(pilot, "s")
        desk.seconds += 1
        await opened(pilot, "4")
        assert desk.cord.pulls == [(Level.L4, Scope("symbol", ("AAPL", "MSFT")), "console")]


async def test_symbols_are_picked_and_nothing_is_pulled_while_none_is() -> None:
    desk = Desk(scenario.calm())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "K", "shift+tab")
        assert "no symbol is picked" in desk.said("#reach")
        desk.seconds += 1
        await opened(pilot, "3")
        assert desk.cord.pulls == []
        assert "pick a symbol first" in desk.said("#foot")
        await opened(pilot, "right", "right", "space", "right", "space", "left", "space")
        assert "■ SPY" in desk.said("#scope")
        desk.seconds += 1
        await opened(pilot, "1")
        assert desk.cord.pulls == [(Level.L1, Scope("symbol", ("SPY",)), "console")]


async def test_every_level_and_the_strategies_that_two_disables() -> None:
    desk = Desk(scenario.calm())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "K")
        assert "disable 3 strategies" in desk.said("#levels")
        await opened(pilot, "tab", "tab")
        assert "disable maker" in desk.said("#levels")
        desk.seconds += 1
        await opened(pilot, "2")
        assert desk.cord.pulls == [(Level.L2, Scope("venue", ("sim2",)), "console")]


async def test_what_a_pull_leaves_is_chosen_shown_and_pulled_so() -> None:
    desk = Desk(scenario.reached())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "K")
        assert "includes 1 order not sent by strategies" in desk.said("#reach")
        assert "p keeps them" in desk.said("#reach")
        await opened(pilot, "p", "o")
        assert "leaves 1 order not sent by strategies" in desk.said("#reach")
        assert "keeps 1 protective order; 4 flattens, and keeps none" in desk.said("#reach")
        assert "without stops" not in desk.said("#reach")
        desk.seconds += 1
        await opened(pilot, "4")
        assert desk.cord.pulls == []
        await opened(pilot, "o", "o")
        desk.seconds += 1
        await opened(pilot, "3")
        assert desk.cord.pulls == [(Level.L3, Scope("desk"), "console")]
        assert desk.cord.spared == [("keep_protective", "own_only")]


async def test_flattening_keeps_nothing_and_says_so() -> None:
    desk = Desk(scenario.reached())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "K", "p")
        assert "4 flattens, and keeps none" in desk.said("#reach")
        desk.seconds += 1
        await opened(pilot, "4")
        assert desk.cord.pulls == [(Level.L4, Scope("desk"), "console")]
        assert desk.cord.spared == [()]


async def test_the_number_stays_in_sight_and_the_rest_scrolls() -> None:
    desk = Desk(scenario.partial())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "v", "pagedown", "pagedown", "end")
        venues = desk.app.screen.query_one("#venues", Lines)
        assert venues.scroll_offset.y == venues.max_scroll_y > 0
        assert "+1 555 0177" in desk.said("#calls")
        assert "PA3T92MK" in desk.said("#calls")
        await opened(pilot, "home")
        assert venues.scroll_offset.y == 0


async def test_what_to_say_is_sent_to_the_clipboard_and_never_said_to_be_copied() -> None:
    desk = Desk(scenario.partial())
    async with desk.app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "c")
        assert desk.app.clipboard.startswith("+1 555 0177  Sim Brokerage")
        assert "The account is PA3T92MK.\nCancel all open orders of this account." in desk.app.clipboard
        [toast] = desk.app._notifications
        assert toast.message == "sent to your terminal’s clipboard, if it allows that"


async def test_a_proven_pull_has_nothing_to_copy() -> None:
    desk = Desk(scenario.verified())
    async with desk.app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "c")
        assert desk.app.clipboard == ""
        [toast] = desk.app._notifications
        assert toast.message == "no venue is PARTIAL or UNKNOWN"


async def test_nothing_opens_above_the_overlay_and_rooms_do_not_change_below_it() -> None:
    desk = Desk(scenario.calm())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "K", "ctrl+p", "question_mark", "2", "K", "f10", "q")
        assert isinstance(desk.app.screen, CordScreen)
        assert "Esc leave" in desk.said("#foot")
        await opened(pilot, "escape")
        assert desk.app.screen.query_one("#monitors")


async def test_the_filter_keeps_rows_and_escape_brings_them_back() -> None:
    desk = Desk(scenario.calm())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "slash", *"bar")
        grid = desk.app.screen.query_one("#monitors", Grid)
        assert [row.key for row in grid.rows] == ["bar-age"]
        await opened(pilot, "escape")
        assert len(grid.rows) == 6


async def test_the_palette_lists_actions_and_themes() -> None:
    desk = Desk(scenario.calm())
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "ctrl+p", *"theme light", "enter")
        await opened(pilot, "enter")
        assert desk.app.theme == "light"


async def test_the_arrows_go_through_the_pulls() -> None:
    story = scenario.verified()
    story.at(-5, scenario.ev.Pulled("p-2", "L3", "venue:sim1", "again", "cli", "direct", ("sim1",)), actor="bo")
    desk = Desk(story)
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "v")
        assert "U N K N O W N" in desk.said("#headline")
        assert "pull 2 of 2  ← →  1 other stands, the worst VERIFIED" in desk.said("#about")
        assert "directly, without the guard" in desk.said("#about")
        await opened(pilot, "left")
        assert "V E R I F I E D" in desk.said("#headline")
        await opened(pilot, "escape")
        assert desk.app.screen.query_one("#monitors")


async def test_four_also_proves_flat() -> None:
    desk = Desk(scenario.verified(Level.L4))
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "v")
        assert "no position" in desk.said("#headline")
        assert "flat +1.9 s" in desk.said("#venues")


async def test_a_mistake_in_a_view_is_shown_and_the_cord_still_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> list[Row]:
        raise ValueError("no such column")

    monkeypatch.setattr(desk_view, "monitor_rows", fails)
    desk = Desk(scenario.calm())
    async with desk.app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        assert ["no such column" in toast.message for toast in desk.app._notifications] == [True]
        await opened(pilot, "K")
        desk.seconds += 1
        await opened(pilot, "3")
        assert len(desk.cord.pulls) == 1


async def test_the_way_back_shows_each_proof_and_sends_nothing_before_the_name() -> None:
    source = scenario.JudgingSource(scenario.parted().updates)
    app = AndonApp(source, scenario.RecordingCord(), clock=lambda: scenario.NOW, theme="dark")

    def said(selector: str) -> str:
        return "\n".join(text_of(line) for line in app.screen.query_one(selector, Lines).lines)

    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "u", "enter")
        assert isinstance(app.screen, ResumeScreen)
        assert "✗ verdict VERIFIED" in said("#proofs")
        assert "✓ limits unchanged" in said("#proofs")
        assert app.focused is None
        await opened(pilot, "tab")
        assert f"({scenario.PULL})" in said("#wish")
        assert "stays shut for L3 venue:sim2" in said("#after")
        await opened(pilot, "v")
        assert isinstance(app.screen, VerdictScreen)
        assert {name for name, _ in source.commands} == {"prove"}


async def test_the_way_back_is_refused_where_nothing_is_pulled_and_where_no_guard_could_prove_it() -> None:
    for updates in (scenario.calm().updates, [*scenario.verified().updates, scenario.Detached("killed")]):
        app = AndonApp(scenario.FakeSource(updates), scenario.RecordingCord(), clock=lambda: scenario.NOW)
        async with app.run_test(size=(80, 24)) as pilot:
            await opened(pilot, "u")
            assert not isinstance(app.screen, ResumeScreen)


async def test_a_class_of_differences_is_confirmed_and_carried_out_as_it_was_shown() -> None:
    desk = Desk(scenario.entangled(), judges=True)
    async with desk.app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "2", "a")
        assert isinstance(desk.app.screen, AdjustScreen)
        await opened(pilot, "enter")
        assert [name for name, _ in desk.source.commands] == ["differences"], "nothing is confirmed yet"
        await opened(pilot, "down", "down", "space")
        said = [toast.message for toast in desk.app._notifications]
        assert said == ["no strategy trades it: close it (K, symbol TSLA, 4)"], "a class that is barred says why"
        await opened(pilot, "up", "space")
        assert "▸ ☑ UNREPORTED FILL" in desk.said("#rows")
        assert "Enter adjusts 3 differences in maker, momentum" in desk.said("#after")
        await opened(pilot, "enter")
        shown = scenario.planned(desk.app.moment.state).digest
        assert desk.source.commands[-1] == ("adjust", {"venue": "", "kinds": "UNREPORTED_FILL", "shown": shown})
        assert "☑" not in desk.said("#rows"), "what was confirmed was confirmed once"
        await opened(pilot, "u")
        assert isinstance(desk.app.screen, ResumeScreen)
        await opened(pilot, "a")
        assert isinstance(desk.app.screen, AdjustScreen), "the proof that is missing leads here"
        await opened(pilot, "escape")
        assert desk.app.current_mode == "book"


async def test_a_guard_that_can_not_tell_leaves_nothing_to_confirm() -> None:
    desk = Desk(scenario.flattened(), refuses="the journal does not answer")
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "a", "space", "enter")
        assert "the journal does not answer" in desk.said("#after")
        assert "✓" not in desk.said("#rows") + desk.said("#after")
        assert [name for name, _ in desk.source.commands] == ["differences"]


async def test_what_may_not_be_adjusted_says_why_before_anything_is_asked() -> None:
    desk = Desk(scenario.calm())
    async with desk.app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "a")
        assert [toast.message for toast in desk.app._notifications] == ["nothing differs between book and broker"]
        assert desk.source.commands == []
