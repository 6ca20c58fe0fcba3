"""The switch: which keys pull, and when. Times are given, nothing waits."""

from collections.abc import Callable, Collection

import pytest

from console.desk.pull import Level, Scope
from console.switch import CordSwitch, PullMade
from tests.support.scenario import PULL, RecordingCord

DESK = Scope("desk")
VENUE = Scope("venue", ("sim1",))


class Bench:
    """A switch with a clock that is set by hand; the loop beats at every `at`."""

    def __init__(self, *, read_only: bool = False) -> None:
        self.now = 100.0
        self.cord = RecordingCord()
        self.told: list[PullMade] = []
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.switch = CordSwitch(None if read_only else self.cord, self.told.append, lambda: self.now, self.later)

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        self.due.append((self.now + seconds, then))

    def go(self, seconds: float) -> None:
        """Time passes, and what is due happens in it; the loop does not run."""
        self.now = 100.0 + seconds
        due = [each for each in self.due if each[0] <= self.now]
        self.due = [each for each in self.due if each not in due]
        for _, then in due:
            then()

    def shown(self, scope: Scope = DESK, levels: Collection[Level] = tuple(Level)) -> None:
        self.switch.painted(self.switch.offer(scope, levels))

    def at(self, seconds: float) -> "Bench":
        self.now = 100.0 + seconds
        self.switch.beat()
        return self

    def press(self, *keys: str) -> list[bool]:
        return [self.switch.key(key, self.now) for key in keys]

    @property
    def pulls(self) -> list[tuple[Level, Scope]]:
        return [(level, scope) for level, scope, _ in self.cord.pulls]


def test_nothing_is_pulled_before_the_overlay_was_painted() -> None:
    bench = Bench()
    bench.switch.offer(DESK)
    assert bench.at(10).press("3", "4", "K") == [False, False, False]
    assert bench.pulls == []


@pytest.mark.parametrize(("after", "pulls"), [(0.0, False), (0.29, False), (0.31, True), (60, True)])
def test_a_digit_counts_300_ms_after_the_paint(after: float, pulls: bool) -> None:
    bench = Bench()
    bench.shown()
    assert bench.at(after).press("3") == [pulls]
    assert bool(bench.pulls) is pulls


def test_one_opening_makes_one_pull() -> None:
    bench = Bench()
    bench.shown(VENUE)
    bench.at(1).press("4", "4", "3")
    assert bench.pulls == [(Level.L4, VENUE)]
    assert bench.told == [PullMade(PULL, Level.L4, VENUE, blocked=False)]


def test_an_impatient_digit_does_not_hold_the_next_one_up() -> None:
    bench = Bench()
    bench.shown()
    assert [bench.at(when).press("3")[0] for when in (0.1, 0.2, 0.31)] == [False, False, True]


def test_any_other_key_starts_the_wait_again() -> None:
    bench = Bench()
    bench.shown()
    bench.at(1).press("K", "R", "3")
    assert bench.pulls == []
    bench.at(1.31).press("3")
    assert bench.pulls == [(Level.L3, DESK)]


@pytest.mark.parametrize("level", Level)
def test_each_digit_pulls_its_level(level: Level) -> None:
    bench = Bench()
    bench.shown()
    bench.at(1).press(str(level.rank))
    assert bench.pulls == [(level, DESK)]


def test_a_level_that_this_scope_does_not_offer_pulls_nothing_and_holds_up_no_other() -> None:
    bench = Bench()
    bench.shown(VENUE, [Level.L1, Level.L3])
    assert bench.at(1).press("4", "2", "3") == [False, False, True]
    assert bench.pulls == [(Level.L3, VENUE)]


@pytest.mark.parametrize("key", ["escape", "tab", "shift+tab", "left", "right", "up", "down", "space", "s"])
def test_leaving_and_changing_the_scope_disarm_at_once(key: str) -> None:
    bench = Bench()
    bench.shown()
    bench.at(1).press(key)
    bench.at(5).press("3")
    assert bench.pulls == []


def test_a_paint_that_comes_after_its_offer_was_withdrawn_arms_nothing() -> None:
    bench = Bench()
    late = bench.switch.offer(DESK)
    bench.switch.disarm()
    bench.switch.painted(late)
    bench.at(1).press("3")
    early = bench.switch.offer(DESK)
    bench.switch.offer(VENUE)
    bench.switch.painted(early)
    bench.at(2).press("3")
    assert bench.pulls == []


def test_nothing_but_a_digit_pulls() -> None:
    bench = Bench()
    bench.shown()
    for second, key in enumerate(("enter", "0", "5", "p", "f10", "f10"), 1):
        bench.at(second).press(key)
    assert bench.pulls == []


def blocked(seconds: float, bench: Bench, *keys: str) -> None:
    """Keys that are read while the loop stands still."""
    bench.go(seconds)
    bench.press(*keys)


def test_f10_twice_pulls_the_desk_while_the_loop_is_blocked() -> None:
    bench = Bench()
    blocked(1.5, bench, "f10")
    assert bench.pulls == []
    blocked(1.7, bench, "f10")
    assert bench.pulls == []
    bench.go(1.86)
    assert bench.pulls == [(Level.L3, DESK)]
    assert bench.told[0].blocked
    bench.go(9)
    assert len(bench.pulls) == 1


def hold(bench: Bench, since: float, seconds: float) -> None:
    """A key held down: it comes at once, then, after half a second, thirty times a second."""
    blocked(since, bench, "f10")
    for repeat in range(int((seconds - 0.5) * 30)):
        blocked(since + 0.5 + repeat / 30, bench, "f10")


def test_a_held_f10_is_one_press_however_long() -> None:
    bench = Bench()
    hold(bench, 1.5, 3)
    bench.go(9)
    assert bench.pulls == []
    blocked(10, bench, "f10")
    bench.go(11)
    assert bench.pulls == [(Level.L3, DESK)], "let go, and pressed once more"


def test_a_loop_that_wakes_up_before_the_second_press_is_sure_pulls_nothing() -> None:
    bench = Bench()
    blocked(1.5, bench, "f10")
    blocked(1.8, bench, "f10")
    bench.at(1.9).go(5)
    assert bench.pulls == []


def test_f10_twice_at_once_or_before_the_loop_is_blocked_pulls_nothing() -> None:
    bench = Bench()
    blocked(0.9, bench, "f10")
    blocked(1.5, bench, "f10", "f10", "f10")
    bench.go(5)
    assert bench.pulls == []
    bench.press("f10")
    bench.go(6)
    assert bench.pulls == [(Level.L3, DESK)], "several at once are one press"


def test_a_loop_that_runs_again_forgets_the_first_f10() -> None:
    bench = Bench()
    blocked(1.5, bench, "f10")
    bench.at(1.6)
    blocked(3, bench, "f10")
    bench.go(5)
    assert bench.pulls == []


def test_a_read_only_console_pulls_in_no_way() -> None:
    bench = Bench(read_only=True)
    bench.shown()
    assert bench.at(1).press("3", "4") == [False, False]
    blocked(5, bench, "f10")
    blocked(6, bench, "f10")
    bench.go(9)
    assert bench.pulls == []
    assert bench.told == []


def test_a_picture_that_is_reported_late_counts_from_when_it_left() -> None:
    bench = Bench()
    offer = bench.switch.offer(DESK)
    bench.at(2)
    bench.switch.painted(offer, 100.5)
    assert bench.press("3") == [True]


@pytest.mark.parametrize("key", ["p", "o"])
def test_a_digit_after_a_key_that_changes_what_is_left_waits_for_the_new_picture(key: str) -> None:
    bench = Bench()
    bench.shown()
    assert bench.at(1).press(key, "3") == [False, False]
    assert bench.pulls == []


def test_the_second_f10_of_a_frozen_loop_spares_nothing_whatever_was_chosen() -> None:
    bench = Bench()
    bench.switch.painted(bench.switch.offer(DESK, keep_protective=True, own_only=True))
    blocked(2, bench, "f10")
    blocked(2.2, bench, "f10")
    bench.go(3)
    assert bench.cord.spared == [()]
