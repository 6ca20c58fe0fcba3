"""Triggers: when the guard pulls by itself, how often, and what is no reason to."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from console.desk import events as ev
from console.desk.metrics import SECOND
from console.desk.pull import GateState
from console.desk.state import DeskState, fold
from console.desk.trigger import Action, Watch
from console.triggers import catalogue

LIMITS = {"daily_loss_pct": Decimal(3), "drawdown_pct": Decimal(6), "errors_per_minute": Decimal(10)}
SPECS = tuple(spec for spec in catalogue(LIMITS) if not spec.unwatched)
STEP = SECOND // 2
HOUR = 3600 * SECOND


class Desk:
    """A desk of two venues and a strategy, watched twice a second; the venues' clocks are ours."""

    def __init__(self, *, open_: bool = True, next_change: int = 0) -> None:
        self.now = 1_800_000_000 * SECOND
        self.state = DeskState()
        self.watch = Watch(SPECS)
        self.turned: list[ev.TriggerTurned] = []
        self.seq = 0
        self.tell(
            ev.DeskDescribed(
                name="d",
                mode="paper",
                venues=(ev.VenueInfo("a", "alpaca", ""), ev.VenueInfo("b", "alpaca", "")),
                strategies=(ev.StrategyInfo("s", "a", ("X",)),),
                config_hash="",
            )
        )
        for venue in ("a", "b"):
            self.tell(ev.SessionChanged(venue=venue, open=open_, next_change=next_change))

    def tell(self, event: ev.AnyEvent) -> None:
        self.seq += not isinstance(event, ev.Sample)
        seq = 0 if isinstance(event, ev.Sample) else self.seq
        record = ev.Record(ts=self.now, writer="guard", actor="guard", event=event, seq=seq)
        self.state = fold(self.state, record)
        self.watch.observe(record)

    def step(self, passed: int = STEP) -> list[Action]:
        self.now += passed
        actions = self.watch.step(
            self.state, now=self.now, passed=min(passed, 2 * SECOND), venue_now=lambda _: self.now
        )
        made = list(actions)
        for action in made:
            self.tell(pulled(action, f"p{self.now}"))
            self.tell(ev.TriggerFired(f"p{self.now}", action.trigger, action.subject, action.reason))
        self.turned = list(self.watch.turned(self.state))
        for event in self.turned:
            self.tell(event)
        return made

    def go(self, seconds: float, each: Callable[[], None] = lambda: None) -> list[Action]:
        """What is pulled while so many seconds pass; `each` happens before every step."""
        made = []
        for _ in range(int(seconds * SECOND) // STEP):
            each()
            made += self.step()
        return made

    def answer(self, *venues: str) -> None:
        for venue in venues:
            self.tell(ev.Heartbeat(venue=venue, latency_us=900))

    def account(self, venue: str, day: str = "0", drawdown: str = "0") -> None:
        self.tell(ev.AccountRead(venue, Decimal(100), Decimal(day), Decimal(drawdown), self.now))

    def errors(self, count: int) -> None:
        self.tell(
            ev.StrategySampled("s", True, True, GateState.OPEN, 0, 0, 0, 0, Decimal(0), "m", self.now, errors=count)
        )


def pulled(action: Action, name: str) -> ev.Pulled:
    return ev.Pulled(
        pull=name,
        level=action.level.value,
        scope=action.scope,
        reason=action.reason,
        origin="trigger",
        hand="guard",
        venues=("a", "b"),
    )


def test_the_catalogue_is_the_policy() -> None:
    told = {spec.id: (spec.says, spec.level.value, spec.scope) for spec in catalogue(LIMITS)}
    assert told == {
        "connection-lost": ("> 60 s", "L4", "venue"),
        "daily-loss": ("> 3 %", "L4", "desk"),
        "drawdown": ("> 6 %", "L4", "desk"),
        "error-rate": ("> 10 errors/min", "L1", "desk"),
        "price-anomaly": ("> 5 × the normal spread", "L1", "desk"),
    }


def test_a_venue_that_is_silent_for_more_than_a_minute_is_flattened_once() -> None:
    desk = Desk()
    desk.answer("a", "b")
    assert not desk.go(60, lambda: desk.answer("b"))
    (action,) = desk.go(300, lambda: desk.answer("b"))
    assert (action.level, action.scope) == ("L4", "venue:a")
    assert action.reason == "connection-lost: a: no answer for 61 s (> 60 s)"


def test_it_fires_again_only_after_the_cause_was_gone() -> None:
    desk = Desk()
    desk.answer("a", "b")
    assert len(desk.go(90, lambda: desk.answer("b"))) == 1
    resumed(desk)
    assert not desk.go(90, lambda: desk.answer("b"))  # an operator resumed, knowing of it
    desk.answer("a", "b")
    desk.go(1)
    assert len(desk.go(90, lambda: desk.answer("b"))) == 1


def resumed(desk: Desk) -> None:
    desk.state = DeskState(**{**{f: getattr(desk.state, f) for f in DeskState.__struct_fields__}, "pulls": {}})


@pytest.mark.parametrize("proof", ["positions", "orders", "account"])
def test_any_answer_at_all_is_a_connection(proof: str) -> None:
    desk = Desk()

    def answer() -> None:
        desk.answer("b")
        desk.tell(ev.Heartbeat(venue="a", latency_us=None, why="timeout"))
        match proof:
            case "positions":
                desk.tell(ev.PositionsRead("a", (), desk.now))
            case "orders":
                desk.tell(ev.OrdersRead("a", (), desk.now))
            case _:
                desk.account("a")

    assert not desk.go(120, answer)


def test_time_in_which_the_guard_itself_was_frozen_is_no_silence() -> None:
    desk = Desk()
    desk.answer("a", "b")
    desk.go(30)
    assert not desk.step(passed=600 * SECOND)
    assert not desk.go(20)
    assert {action.scope for action in desk.go(20)} == {"venue:a", "venue:b"}


def test_a_venue_that_never_answered_was_never_connected() -> None:
    desk = Desk()
    desk.state = DeskState()
    desk.seq = 0
    desk.tell(ev.DeskDescribed("d", "paper", (ev.VenueInfo("a", "alpaca", ""),), (), ""))
    assert not desk.go(200)


def test_outside_the_session_nothing_is_lost_and_from_the_opening_a_minute_is_given() -> None:
    desk = Desk(open_=False)
    assert not desk.go(200)
    desk.tell(ev.SessionChanged("a", open=False, next_change=desk.now + 10 * SECOND))
    assert not desk.go(10 + 60)
    (action,) = desk.go(2)
    assert action.scope == "venue:a"


def test_a_venue_that_closes_as_announced_is_not_lost() -> None:
    desk = Desk()
    for venue in ("a", "b"):
        desk.tell(ev.SessionChanged(venue, open=True, next_change=desk.now + 30 * SECOND))
    desk.answer("a", "b")
    assert not desk.go(200)


@pytest.mark.parametrize(("day", "drawdown", "trigger"), [("-3.01", "0", "daily-loss"), ("0", "6.01", "drawdown")])
def test_a_loss_over_its_limit_flattens_the_desk_after_two_readings(day: str, drawdown: str, trigger: str) -> None:
    desk = Desk()
    desk.account("a", day, drawdown)
    assert not desk.go(3)
    desk.account("a")
    assert not desk.go(3)  # a single odd reading
    for _ in range(2):
        desk.account("a", day, drawdown)
        made = desk.go(1)
    (action,) = made
    assert (action.level, action.scope) == ("L4", "desk")
    assert action.reason.startswith(f"{trigger}: a: ")
    desk.account("a", day, drawdown)
    assert not desk.go(1)


@pytest.mark.parametrize(("day", "drawdown"), [("-3.00", "6.00"), ("9", "0")])
def test_at_the_limit_is_not_over_it(day: str, drawdown: str) -> None:
    desk = Desk()
    for _ in range(4):
        desk.account("a", day, drawdown)
        assert not desk.step()


def test_an_account_that_can_not_be_read_is_neither_fine_nor_a_trigger() -> None:
    desk = Desk()
    desk.account("a", "-5")
    desk.step()
    desk.now += 40 * SECOND  # read once, then no more
    assert not [action for action in desk.go(5) if action.scope == "desk"]
    desk.account("a", "-5")
    assert len(desk.go(1)) == 1  # unknown in between was no all-clear


def test_many_losses_are_one_pull() -> None:
    desk = Desk()
    made = []
    for _ in range(3):
        desk.account("a", "-5", "9")
        desk.account("b", "-5", "9")
        made += desk.step()
    assert len(made) == 1


def test_what_is_stopped_already_is_not_pulled_again_but_a_lesser_stop_does_not_count() -> None:
    desk = Desk()
    desk.tell(ev.Pulled("p1", "L4", "desk", "", "console", "guard", ("a", "b")))
    for _ in range(3):
        desk.account("a", "-5")
        assert not desk.step()
    lesser = Desk()
    lesser.tell(ev.Pulled("p1", "L3", "desk", "", "console", "guard", ("a", "b")))
    made = []
    for _ in range(3):
        lesser.account("a", "-5")
        made += lesser.step()
    assert len(made) == 1


def test_more_errors_than_the_limit_pause_entries_and_no_more() -> None:
    desk = Desk()
    desk.errors(1000)  # counted before this guard began
    assert not desk.go(2)
    desk.errors(1010)
    assert not desk.go(2)
    desk.errors(1011)
    (action,) = desk.go(2)
    assert (action.level, action.scope) == ("L1", "desk")
    assert action.reason == "error-rate: 11 errors within a minute (> 10 errors/min)"


def test_a_guard_that_asks_a_silent_venue_makes_no_error_rate() -> None:
    desk = Desk()

    def fail() -> None:
        desk.answer("b")
        desk.errors(0)
        desk.tell(ev.PositionsRead("a", (), desk.now, unknown="refused"))
        desk.tell(ev.Heartbeat(venue="a", latency_us=None, why="refused"))

    desk.answer("a", "b")
    assert not desk.go(50, fail)


def test_errors_outside_the_session_are_no_reason() -> None:
    desk = Desk(open_=False)
    desk.errors(0)
    desk.errors(500)
    assert not desk.go(5)


def test_an_l1_of_a_trigger_knows_since_when_its_cause_has_been_clear() -> None:
    desk = Desk()
    count = 0

    def erring() -> None:
        nonlocal count
        count += 1
        calm()

    def calm() -> None:
        desk.answer("a", "b")
        desk.errors(count)

    (action,) = desk.go(10, erring)
    (name,) = desk.state.fired
    assert (action.trigger, action.level, desk.state.fired[name].clear_since) == ("error-rate", "L1", 0)
    desk.go(70, calm)
    since = desk.state.fired[name].clear_since
    assert since > 0
    desk.go(300, calm)
    assert desk.state.fired[name].clear_since == since, "told once, and counted from then"
    desk.go(20)
    assert desk.state.fired[name].clear_since == 0, "who is not heard is not clear"
    desk.go(2, calm)
    again = desk.state.fired[name].clear_since
    assert again > since
    desk.tell(ev.GuardStarted("1", 1, 0))
    desk.watch = Watch(SPECS)
    assert desk.state.fired[name].clear_since == 0, "what went on before this guard, nobody watched"
    desk.go(2, calm)
    assert desk.state.fired[name].clear_since > again
    desk.tell(ev.Resumed((name,), "desk", Decimal(1), "external", "x", ()))
    assert desk.state.fired == {}
    desk.go(5, calm)
    assert desk.turned == []
