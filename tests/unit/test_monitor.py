"""Monitors: when something is broken, and how sure one has to be."""

import math
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from console.desk import events as ev
from console.desk.metrics import (
    MINUTE,
    SECOND,
    BarAge,
    ErrorsPerMinute,
    HeartbeatP95,
    LossOfLimit,
    Metric,
    OrdersPerMinute,
    WorkersDown,
    metric_for,
)
from console.desk.moment import Moment
from console.desk.monitor import Condition, MonitorSpec, Reading, due, judge, level, percentile
from console.desk.pull import GateState
from console.desk.state import DeskState, fold
from console.desk.words import signed
from console.guard.monitors import load_monitors

LIMITS = {
    "daily_loss_pct": Decimal(3),
    "drawdown_pct": Decimal(6),
    "orders_per_minute": Decimal(120),
    "errors_per_minute": Decimal(10),
}
START = 1_800_000_000 * SECOND  # the beginning of a minute
SPECS = {spec.id: spec for spec in load_monitors(None, LIMITS)[0]}


class Desk:
    """A state and a metric that see the same events."""

    def __init__(self, metric: Metric, venues: tuple[str, ...] = ("a",), strategies: tuple[str, ...] = ("s",)) -> None:
        self.metric = metric
        self.state = DeskState()
        self.seq = 0
        self.tell(
            START,
            ev.DeskDescribed(
                name="d",
                mode="simulated",
                venues=tuple(ev.VenueInfo(name, "alpaca", "") for name in venues),
                strategies=tuple(ev.StrategyInfo(name, venues[0], ("X",), "pin") for name in strategies),
                config_hash="",
            ),
        )
        for name in venues:
            self.tell(START, ev.SessionChanged(venue=name, open=True))

    def tell(self, ts: int, event: ev.AnyEvent) -> None:
        durable = not isinstance(event, ev.Sample)
        self.seq += durable
        record = ev.Record(ts=ts, writer="guard", actor="guard", event=event, seq=self.seq if durable else 0)
        self.state = fold(self.state, record)
        self.metric.observe(record)

    def read(self, now: int) -> Reading:
        return self.metric.read(self.state, now)

    def sample(self, ts: int, strategy: str = "s", **changes: object) -> None:
        told: dict[str, object] = {
            "healthy": True,
            "enabled": True,
            "gate": GateState.OPEN,
            "orders_sent": 0,
            "orders_per_minute": 0,
            "fills": 0,
            "predictions": 0,
            "day_pct": Decimal(0),
            "model_hash": "pin",
            **changes,
        }
        self.tell(ts, ev.StrategySampled(strategy=strategy, as_of=ts, **told))  # type: ignore[arg-type]

    def orders(self, ts: int, *ids: str, venue: str = "a") -> None:
        self.tell(ts, ev.OrdersRead(venue, tuple(order(each) for each in ids), ts))

    def fill(self, ts: int, order_id: str) -> None:
        one = Decimal(1)
        self.tell(ts, ev.Filled("a", f"{order_id}@{self.seq}", order_id, "", "X", "buy", one, one, ts))

    def account(self, ts: int, venue: str, equity: str, day: str, drawdown: str = "0") -> None:
        self.tell(ts, ev.AccountRead(venue, Decimal(equity), Decimal(day), Decimal(drawdown), ts))

    def beats(self, minute: int, *latencies_ms: float | None, venue: str = "a") -> None:
        for index, ms in enumerate(latencies_ms):
            us = None if ms is None else int(ms * 1000)
            self.tell(START + minute * MINUTE + index * SECOND, ev.Heartbeat(venue=venue, latency_us=us))


# --- judging ---


def run(spec: MonitorSpec, readings: Sequence[float | None]) -> list[str]:
    """The states that judgements at the monitor's own pace go through."""
    condition, states = Condition(), []
    for index, value in enumerate(readings):
        condition = judge(spec, condition, Reading(value, ""), now=index, closed=False)
        states.append(condition.state)
    return states


def test_a_monitor_is_pending_until_it_was_over_often_enough() -> None:
    liveness = SPECS["worker-liveness"]
    assert run(liveness, [0, 1, 1, 1, 0, 1]) == ["ok", "pending", "firing", "firing", "ok", "pending"]


def test_no_data_is_unknown_and_neither_proves_nor_ends_a_fault() -> None:
    assert run(SPECS["worker-liveness"], [None, 1, None, 1]) == ["unknown", "pending", "unknown", "firing"]


def test_at_the_threshold_is_not_over_it() -> None:
    assert run(SPECS["bar-age"], [2.0, 2.01]) == ["ok", "firing"]


def test_outside_the_session_it_is_closed_and_counts_anew() -> None:
    spec = SPECS["worker-liveness"]
    pending = judge(spec, Condition(), Reading(1, ""), now=0, closed=False)
    assert judge(spec, pending, Reading(1, ""), now=1, closed=True) == Condition("closed", 0, 1)
    assert judge(spec, pending, Reading(None, ""), now=1, closed=True).state == "closed"


@given(st.lists(st.one_of(st.none(), st.floats(0, 5)), max_size=30))
def test_no_data_is_never_green(readings: list[float | None]) -> None:
    for spec in SPECS.values():
        for value, state in zip(readings, run(spec, readings), strict=True):
            assert (state == "unknown") == (value is None)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=20))
def test_it_fires_exactly_when_enough_in_a_row_are_over(readings: list[float]) -> None:
    spec = SPECS["worker-liveness"]
    streak = 0
    for value, state in zip(readings, run(spec, readings), strict=True):
        streak = streak + 1 if value else 0
        assert state == ("firing" if streak >= spec.breaches else "pending" if streak else "ok")


def test_what_clears_is_said_at_once_and_what_worsens_waits_for_its_turn() -> None:
    spec = SPECS["worker-liveness"]
    pending = judge(spec, Condition(), Reading(1, ""), now=0, closed=False)
    soon, later = 5 * SECOND, 30 * SECOND
    assert not due(spec, pending, Reading(1, ""), now=soon, closed=False)
    assert due(spec, pending, Reading(1, ""), now=later, closed=False)
    assert due(spec, pending, Reading(0, ""), now=soon, closed=False)
    assert due(spec, pending, Reading(None, ""), now=soon, closed=False)
    lost = judge(spec, pending, Reading(None, ""), now=soon, closed=False)
    assert not due(spec, lost, Reading(1, ""), now=soon + SECOND, closed=False)  # two checks 30 s apart, not 6


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_the_smallest_value_that_covers_its_share(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9


def test_the_curve_is_in_thresholds() -> None:
    assert level(SPECS["broker-heartbeat"], Reading(250, "")) == 0.5
    assert level(SPECS["broker-heartbeat"], Reading(math.inf, "")) == 2.0
    assert level(SPECS["broker-heartbeat"], Reading(None, "")) is None


# --- the file ---


def test_labels_fit_their_columns() -> None:
    assert SPECS["worker-liveness"].says == "down 2×"
    assert all(len(spec.says) <= 11 for spec in SPECS.values())


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_what_is_not_known_is_said_briefly_and_has_no_age(spec: MonitorSpec) -> None:
    desk = Desk(metric_for(spec.metric, spec.threshold or 0, LIMITS), venues=("sim1",))
    reading = desk.read(START)
    assert (reading.value, reading.as_of) == (None, 0)
    assert "unknown" not in reading.text
    assert len(reading.text) <= 18


def test_the_six_monitors_carry_the_thresholds_that_were_given() -> None:
    facts = {spec.id: (spec.threshold, spec.breaches, spec.every, spec.channel, spec.layer) for spec in SPECS.values()}
    assert facts == {
        "worker-liveness": (0, 2, 30, "PAGE", "INFRA"),
        "broker-heartbeat": (500, 3, 10, "PAGE", "INFRA"),
        "bar-age": (2, 1, 5, "PAGE", "DATA"),
        "orders-per-minute": (120, 1, 5, "PAGE", "INFRA"),
        "day-pnl": (1, 1, 5, "PAGE", "PNL"),
        "error-rate": (10, 1, 5, "PAGE", "INFRA"),
    }
    assert SPECS["day-pnl"].says == "−3 % · 6 %"


def test_an_entry_without_a_threshold_or_with_an_unknown_limit_is_refused() -> None:
    some = SPECS["bar-age"]
    with pytest.raises(ValueError, match="either 'threshold' or 'limit'"):
        replace(some, threshold=None)
    with pytest.raises(ValueError, match="either 'threshold' or 'limit'"):
        replace(some, limit="orders_per_minute")
    with pytest.raises(ValueError, match=r"no limit 'nothing'.*daily_loss_pct"):
        replace(some, threshold=None, limit="nothing").under(LIMITS)
    with pytest.raises(ValueError, match=r"'says' has \{limit\} in it"):
        replace(some, says="> {limit}").under(LIMITS)


# --- the metrics ---


def test_a_strategy_is_down_when_it_is_silent_unhealthy_or_runs_another_model() -> None:
    desk = Desk(WorkersDown(), strategies=("s", "t"))
    desk.sample(START)
    assert desk.read(START).value is None
    desk.sample(START, "t")
    assert desk.read(START) == Reading(0, "2/2 up", START)
    desk.sample(START, "t", model_hash="another")
    assert desk.read(START).text == "1/2 up, t runs model another, not its pin pin"
    desk.sample(START, "t", healthy=False, why="connection refused")
    assert desk.read(START).text == "1/2 up, t connection refused"
    assert desk.read(START + 11 * SECOND).value == 2


def test_one_that_never_answered_is_down_after_a_while() -> None:
    desk = Desk(WorkersDown())
    assert desk.read(START).value is None
    assert desk.read(START + 10 * SECOND).text == "0/1 up, s never answered"


def test_three_full_slow_minutes_in_a_row_fire_and_the_current_one_does_not_count() -> None:
    desk = Desk(HeartbeatP95(500))
    spec = SPECS["broker-heartbeat"]
    streaks = []
    for minute in range(5):
        desk.beats(minute, *[900.0] * 6)
        reading = desk.read(START + minute * MINUTE + 6 * SECOND)
        streaks.append((reading.streak, judge(spec, Condition(), reading, now=0, closed=False).state))
    assert streaks == [(0, "pending"), (1, "pending"), (2, "pending"), (3, "firing"), (4, "firing")]
    desk.beats(5, *[5.0] * 6)
    desk.beats(6, 5.0)
    assert desk.read(START + 6 * MINUTE).streak == 0


def test_an_answer_that_never_came_is_slower_than_any() -> None:
    desk = Desk(HeartbeatP95(500))
    desk.beats(0, *[3.0] * 9, None)
    reading = desk.read(START + 10 * SECOND)
    assert reading.value == math.inf
    assert reading.text == "no answer: a"


def test_one_slow_answer_of_many_is_none_of_the_95_percent() -> None:
    desk = Desk(HeartbeatP95(500))
    desk.beats(0, *[3.0] * 39, 900.0)
    assert desk.read(START + 50 * SECOND).text == "3 ms"


def test_a_missing_heartbeat_is_never_ok_and_fires_once_the_venue_counts_as_not_answering() -> None:
    desk = Desk(HeartbeatP95(500), venues=("a", "b"))
    spec = SPECS["broker-heartbeat"]
    desk.beats(0, *[3.0] * 9)
    desk.beats(0, *[3.0] * 9, venue="b")
    now = START + 10 * SECOND
    condition = judge(spec, Condition(), desk.read(now), now=now, closed=False)
    assert condition.state == "ok"

    def judged(now: int) -> tuple[str, str]:
        reading = desk.read(now)
        assert due(spec, condition, reading, now=condition.judged + 1, closed=False)  # at once, not in its turn
        return judge(spec, condition, reading, now=now, closed=False).state, reading.text

    desk.tell(now, ev.Heartbeat(venue="b", latency_us=None))
    assert judged(now) == ("pending", "no answer: b")
    desk.tell(now, ev.VenueChanged(venue="b", answers=False))
    assert judged(now) == ("firing", "no answer: b")
    desk.tell(now + 90 * SECOND, ev.Heartbeat(venue="a", latency_us=3000))
    assert judged(now + 90 * SECOND)[0] == "firing"  # however long it takes
    desk.tell(now + 91 * SECOND, ev.Heartbeat(venue="b", latency_us=3000))
    state, text = judged(now + 91 * SECOND)
    assert (state, text) == ("pending", "p95 over 1 s: b, over for 1 min")


def test_after_an_outage_the_window_is_told_from_the_venue() -> None:
    desk = Desk(HeartbeatP95(500))
    desk.beats(0, *[3.0] * 9, None, None, 3.0)
    reading = desk.read(START + 12 * SECOND)
    assert (reading.text, reading.least) == ("p95 over 1 s: a", "pending")


def test_an_answer_that_came_late_takes_back_that_it_was_missing() -> None:
    beats, errors = Desk(HeartbeatP95(500)), Desk(ErrorsPerMinute(10))
    for desk in (beats, errors):
        desk.beats(0, None)
        assert desk.read(START + SECOND).value == (math.inf if desk is beats else 1)
        desk.tell(START + SECOND, ev.Heartbeat(venue="a", latency_us=1_300_000))
    assert beats.read(START + SECOND).text == "p95 1300 ms: a"
    assert errors.read(START + SECOND).value == 0


def test_the_worse_venue_is_not_hidden_by_one_that_was_not_asked() -> None:
    desk = Desk(HeartbeatP95(500), venues=("a", "b"))
    desk.beats(0, None, venue="b")
    assert desk.read(START + SECOND).text == "no answer: b"


def test_a_venue_that_was_not_asked_makes_the_heartbeat_unknown() -> None:
    desk = Desk(HeartbeatP95(500), venues=("a", "b"))
    desk.beats(0, 3.0)
    assert desk.read(START + SECOND).value is None
    desk.beats(0, 3.0, venue="b")
    assert desk.read(START + SECOND) == Reading(3.0, "3 ms", START, streak=0)
    assert desk.read(START + 31 * SECOND) == Reading(None, "no heartbeat: a")
    assert desk.read(START + 5 * MINUTE).value is None


def test_the_oldest_bar_counts_and_a_missing_one_is_unknown() -> None:
    desk = Desk(BarAge(), venues=("a", "b"))
    desk.tell(START, ev.BarsRead("a", 2, 0.5, "X", START))
    assert desk.read(START).value is None
    desk.tell(START, ev.BarsRead("b", 2, 1.5, "Y", START))
    assert desk.read(START) == Reading(1.5, "1.5×", START)
    desk.tell(START, ev.BarsRead("b", 1, None, "Y", START, why="no bar of Y"))
    assert desk.read(START).value is None
    desk.tell(START, ev.BarsRead("a", 2, 2.5, "X", START))
    assert desk.read(START).value == 2.5  # what is known is over: that b is unknown does not hide it


def test_a_venue_outside_its_session_does_not_count() -> None:
    desk = Desk(BarAge(), venues=("a", "b"))
    desk.tell(START, ev.BarsRead("a", 2, 0.5, "X", START))
    desk.tell(START, ev.BarsRead("b", 2, 900.0, "Y", START))
    desk.tell(START, ev.SessionChanged(venue="b", open=False))
    assert desk.read(START).value == 0.5


def test_orders_are_summed_and_a_silent_strategy_makes_the_sum_unknown() -> None:
    desk = Desk(OrdersPerMinute(120), strategies=("s", "t"))
    desk.sample(START, orders_per_minute=70)
    assert desk.read(START).value is None
    desk.sample(START, "t", orders_per_minute=30)
    assert desk.read(START).text == "no orders: a"
    desk.orders(START, "old")
    assert desk.read(START) == Reading(100, "100/min", START)
    desk.sample(START + 20 * SECOND, orders_per_minute=121)
    assert desk.read(START + 20 * SECOND) == Reading(121, "121/min, no count: t", START)


def test_orders_that_no_strategy_sent_are_counted_when_they_appear() -> None:
    desk = Desk(OrdersPerMinute(120))
    desk.orders(START, *(f"old{number}" for number in range(200)))
    desk.sample(START, orders_per_minute=3)
    assert desk.read(START) == Reading(3, "3/min", START)
    now = START
    for second in range(1, 41):
        now = START + second * SECOND
        desk.sample(now, orders_per_minute=3)
        desk.orders(now, "old1", *(f"{second}-{number}" for number in range(5)))
    assert desk.read(now) == Reading(200, "200/min, 3 of strategies", now)
    desk.sample(now + 59 * SECOND)
    desk.orders(now + 59 * SECOND, "old1")
    assert desk.read(now + 59 * SECOND).value == 5
    desk.orders(now + 5 * MINUTE, *(f"meanwhile{number}" for number in range(200)))
    desk.sample(now + 5 * MINUTE)
    assert desk.read(now + 5 * MINUTE).value == 0  # nobody saw when they came


def test_a_fill_tells_of_an_order_that_no_list_ever_showed() -> None:
    desk = Desk(OrdersPerMinute(120))
    desk.fill(START, "long ago")
    desk.orders(START, "resting")
    desk.fill(START + SECOND, "swept")
    for second in range(0, 70, 10):
        desk.orders(START + second * SECOND, "resting")
    now = START + 65 * SECOND
    for order in ("swept", "resting", "new", "new"):
        desk.fill(now, order)
    desk.sample(now)
    assert desk.read(now).value == 1


def test_a_bracket_is_one_order() -> None:
    desk = Desk(OrdersPerMinute(120))
    desk.orders(START)
    legs = ("stop", "target")
    desk.tell(START, ev.OrdersRead("a", (order("entry", legs), *map(order, legs)), START))
    desk.sample(START)
    assert desk.read(START).value == 1


def order(identity: str, legs: tuple[str, ...] = ()) -> ev.Order:
    one = Decimal(1)
    return ev.Order(identity, identity, "X", "buy", one, Decimal(0), "limit", "new", START, legs=legs)


@pytest.mark.parametrize(
    ("day", "drawdown", "share"),
    [("-1.5", "0", 0.5), ("-3.3", "0", 1.1), ("0", "6", 1.0), ("2", "3", 0.5), ("-1", "6.6", 1.1)],
)
def test_the_loss_is_a_share_of_the_nearer_limit(day: str, drawdown: str, share: float) -> None:
    desk = Desk(LossOfLimit(Decimal(3), Decimal(6)))
    assert desk.read(START).value is None
    desk.tell(START, ev.AccountRead("a", Decimal(1000), Decimal(day), Decimal(drawdown), START))
    reading = desk.read(START)
    assert reading.value == pytest.approx(share)
    assert desk.read(START + 31 * SECOND).value is None


def test_the_day_is_the_sum_and_the_drawdown_the_deepest_as_in_the_head() -> None:
    desk = Desk(LossOfLimit(Decimal(3), Decimal(6)), venues=("a", "b"))
    desk.account(START, "a", "980", "-2", "4")
    assert desk.read(START + SECOND).text == "no account: b"
    desk.account(START + SECOND, "b", "1020", "2", "1")
    reading = desk.read(START + 2 * SECOND)
    moment = Moment(state=desk.state, now=START + 2 * SECOND)
    assert moment.day_pct is not None
    assert reading.text == f"{signed(moment.day_pct)} % dd {moment.drawdown_pct:.2f} %" == "0.00 % dd 4.00 %"
    assert reading.as_of == START
    desk.account(START + 40 * SECOND, "a", "930", "-7", "7")
    assert desk.read(START + 40 * SECOND).text == "−7.00 % dd 7.00 %, no account: b"


@pytest.mark.parametrize("day", ["-0.0004", "0.0004", "0", "-0"])
def test_there_is_one_zero(day: str) -> None:
    desk = Desk(LossOfLimit(Decimal(3), Decimal(6)))
    desk.account(START, "a", "1000", day)
    assert desk.read(START).text == "0.00 % dd 0.00 %"


def test_errors_are_counted_over_one_minute_and_a_restarted_counter_is_understood() -> None:
    desk = Desk(ErrorsPerMinute(10))
    assert desk.read(START).value is None
    desk.sample(START, errors=100)  # from before we looked
    assert desk.read(START).value == 0
    desk.sample(START + SECOND, errors=104)
    desk.sample(START + 2 * SECOND, errors=3)  # it started anew
    desk.tell(START + 3 * SECOND, ev.Heartbeat(venue="a", latency_us=None))
    desk.tell(START + 3 * SECOND, ev.OrdersRead("a", (), START, unknown="timeout"))
    assert desk.read(START + 4 * SECOND).value == 9
    desk.sample(START + 62 * SECOND, errors=3)
    assert desk.read(START + 62 * SECOND).value == 2
