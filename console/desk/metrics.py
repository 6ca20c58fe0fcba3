"""What the first six monitors read, from the stream's records and the state folded from them. Pure.

A metric `observe`s every record and gives a `read`ing at any time. What an archive replays therefore gives the same
curves as the live desk.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol

import msgspec

from console.desk import events as ev
from console.desk.moment import Moment
from console.desk.monitor import FIRING, OK, PENDING, Reading, percentile
from console.desk.state import DeskState, StrategyState, VenueState
from console.desk.words import signed

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
FRESH = 10 * SECOND
"""A strategy's or a heartbeat's reading older than this says nothing about now."""
SLOW_FRESH = 30 * SECOND
"""The same for what is read less often."""
OVERDUE_US = 1_000_000
"""A heartbeat that was not answered for so long is told as missing. The answer may still come, and takes that back."""


class Metric(Protocol):
    def observe(self, record: ev.Record) -> None: ...

    def read(self, state: DeskState, now: int) -> Reading: ...


def nothing_known(why: str) -> Reading:
    """`why` begins with what is missing: the first words are all that a narrow column shows."""
    return Reading(None, why)


def open_venues(state: DeskState) -> list[VenueState]:
    """The venues that are not known to be outside their session."""
    return [venue for venue in state.venues.values() if venue.open is not False]


def closed(state: DeskState) -> bool:
    """Whether the whole desk is outside its session."""
    return bool(state.venues) and not open_venues(state)


def session_as_of(state: DeskState) -> int:
    """When the venues last said whether they are open (UTC ns, the oldest of them), 0 where one never did."""
    return min((venue.latency_as_of for venue in state.venues.values()), default=0)


class _Stateless:
    """A metric that the folded state alone answers."""

    def observe(self, record: ev.Record) -> None:
        pass


class WorkersDown(_Stateless):
    """How many strategies fail their health check, or run another model than they are pinned to."""

    def __init__(self) -> None:
        self._since: int | None = None

    def read(self, state: DeskState, now: int) -> Reading:
        if not state.strategies:
            return nothing_known("no strategies")
        since = self._since = self._since if self._since is not None else now
        unasked = next((name for name, row in state.strategies.items() if row.sample is None), None)
        if now - since < FRESH and unasked is not None:
            return nothing_known(f"not asked: {unasked}")
        down = {name: why for name, row in state.strategies.items() if (why := self._failing(row, now))}
        up = f"{len(state.strategies) - len(down)}/{len(state.strategies)} up"
        said = ", ".join([up, *(f"{name} {why}" for name, why in down.items())])
        return Reading(float(len(down)), said, self._as_of(state, now))

    @staticmethod
    def _as_of(state: DeskState, now: int) -> int:
        """Silence is known as of now; what is said, as of when it was said."""
        said = [row.sample.as_of for row in state.strategies.values() if row.sample is not None]
        return min((as_of for as_of in said if now - as_of <= FRESH), default=now)

    @staticmethod
    def _failing(row: StrategyState, now: int) -> str:
        sample, pin = row.sample, row.info.model_pin
        if sample is None:
            return "never answered"
        if not sample.healthy:
            return sample.why or "is not healthy"
        if now - sample.as_of > FRESH:
            return f"silent for {(now - sample.as_of) // SECOND} s"
        if pin and sample.model_hash != pin:
            return f"runs model {sample.model_hash[:8]}, not its pin {pin[:8]}"
        return ""


class HeartbeatP95:
    """The slowest venue's 95th percentile of full minutes, in ms, and for how many of them in a row it was over.

    Minutes are those of the clock. The current one shows what is going on, and counts when it is over. Two things do
    not wait for that: while a heartbeat is missing, or the current minute is over, the reading is at least pending, and
    it fires while it is missing at a venue that counts as not answering."""

    KEPT = 10

    def __init__(self, threshold_ms: float) -> None:
        self.threshold_ms = threshold_ms
        self._minutes: dict[str, deque[tuple[int, list[float]]]] = {}
        self._beats: dict[str, int] = {}

    def observe(self, record: ev.Record) -> None:
        beat = record.event
        if not isinstance(beat, ev.Heartbeat):
            return
        self._beats[beat.venue] = record.ts
        minutes = self._minutes.setdefault(beat.venue, deque(maxlen=self.KEPT))
        if _late(beat) and minutes and math.isinf(minutes[-1][1][-1]):
            minutes[-1][1].pop()
            if not minutes[-1][1]:
                minutes.pop()
        if not minutes or minutes[-1][0] != record.ts // MINUTE:
            minutes.append((record.ts // MINUTE, []))
        minutes[-1][1].append(math.inf if beat.latency_us is None else beat.latency_us / 1000)

    def read(self, state: DeskState, now: int) -> Reading:
        venues = open_venues(state)
        if not venues:
            return nothing_known("no open session")
        known = [reading for venue in venues if (reading := self._venue(venue, now)) is not None]
        missing = next((venue.info.name for venue in venues if self._venue(venue, now) is None), None)
        worst = max(known, key=_gravity, default=None)
        if worst is None or (missing is not None and worst.least == OK and not worst.streak):
            return nothing_known(f"no heartbeat: {missing}")
        return msgspec.structs.replace(worst, as_of=min(reading.as_of for reading in known))

    def _venue(self, venue: VenueState, now: int) -> Reading | None:
        """One venue's reading, None where it has not been asked lately."""
        name = venue.info.name
        minutes = self._minutes.get(name)
        if not minutes:
            return None
        streak = self._streak(minutes, now // MINUTE)
        over = f", over for {streak} min" if streak else ""
        if math.isinf(minutes[-1][1][-1]):  # until something is heard, that is as true now as it was then
            least = FIRING if venue.answers is False else PENDING
            return Reading(math.inf, f"no answer: {name}{over}", now, streak, least)
        if now - self._beats[name] > SLOW_FRESH:
            return None
        recent = [beats for minute, beats in minutes if now // MINUTE - minute <= 1]
        value = percentile(recent[-1] if len(recent[-1]) >= 5 else [ms for beats in recent for ms in beats], 0.95)
        said = "over 1 s" if math.isinf(value) else f"{value:.0f} ms"
        least = PENDING if value > self.threshold_ms else OK
        if least != OK:
            said = f"p95 {said}: {name}{over}"
        elif streak:
            said = f"{said} now: {name} was{over[1:]}"
        return Reading(value, said, self._beats[name], streak, least)

    def _streak(self, minutes: deque[tuple[int, list[float]]], current: int) -> int:
        """Full minutes in a row that were over, counted back from the last full one."""
        streak, expected = 0, current - 1
        for minute, beats in reversed([entry for entry in minutes if entry[0] < current]):
            if minute != expected or percentile(beats, 0.95) <= self.threshold_ms:
                break
            streak, expected = streak + 1, expected - 1
        return streak


class BarAge(_Stateless):
    """The oldest symbol's age in bar intervals, over all venues in session."""

    def read(self, state: DeskState, now: int) -> Reading:
        worst: float | None = None
        as_of, missing = now, ""
        for venue in open_venues(state):
            if venue.bar_age is None or now - venue.bars_as_of > SLOW_FRESH:
                missing = missing or f"no bars: {venue.info.name}"
            else:
                worst = max(worst or 0.0, venue.bar_age)
                as_of = min(as_of, venue.bars_as_of)
        return _at_least(worst, missing, as_of, lambda age: f"{age:.1f}×", breached=lambda age: age > 2)


class OrdersPerMinute:
    """What all strategies count together, or the orders that newly appeared at the venues, whoever sent them: the
    larger of the two."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._venues: dict[str, _Appeared] = {}

    def observe(self, record: ev.Record) -> None:
        match record.event:
            case ev.OrdersRead(unknown="") as read:
                self._at(read.venue).listed(record.ts, read.orders)
            case ev.Filled() as fill:
                self._at(fill.venue).filled(record.ts, fill.order_id)

    def _at(self, venue: str) -> "_Appeared":
        return self._venues.setdefault(venue, _Appeared())

    def read(self, state: DeskState, now: int) -> Reading:
        sent, as_of, missing = 0, now, ""
        for name, row in state.strategies.items():
            if row.sample is None or now - row.sample.as_of > FRESH:
                missing = missing or f"no count: {name}"
            else:
                sent += row.sample.orders_per_minute
                as_of = min(as_of, row.sample.as_of)
        for venue in open_venues(state):
            if now - venue.orders_as_of > SLOW_FRESH:
                missing = missing or f"no orders: {venue.info.name}"
            else:
                as_of = min(as_of, venue.orders_as_of)
        appeared = sum(venue.within(now) for venue in self._venues.values())

        def words(orders: float) -> str:
            beyond = appeared > sent and orders > self.limit
            return f"{orders:.0f}/min" + (f", {sent} of strategies" if beyond else "")

        return _at_least(float(max(sent, appeared)), missing, as_of, words, breached=lambda orders: orders > self.limit)


class _Appeared:
    """When orders of one venue were first seen.

    Orders that were there when we began to look, or looked again after a minute of not seeing any list, are not new;
    and fills tell of orders only after a minute of looking, because the first sweeps bring those of long before."""

    KEPT = 5 * MINUTE

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._new: deque[int] = deque()
        self._since = self._listed = -MINUTE

    def listed(self, ts: int, orders: tuple[ev.Order, ...]) -> None:
        anew = ts - self._listed > MINUTE
        self._since, self._listed = ts if anew else self._since, ts
        legs = {leg for order in orders for leg in order.legs}  # an order and what the venue made to go with it are one
        for order in orders:
            self._see(ts, order.id, new=not anew and order.id not in legs)
        for gone in [order for order, last in self._seen.items() if last < ts - self.KEPT]:
            del self._seen[gone]

    def filled(self, ts: int, order: str) -> None:
        self._see(ts, order, new=ts - self._listed <= MINUTE < ts - self._since)

    def _see(self, ts: int, order: str, *, new: bool) -> None:
        if new and order not in self._seen:
            self._new.append(ts)
        self._seen[order] = ts

    def within(self, now: int) -> int:
        """How many were new within the last minute."""
        while self._new and self._new[0] <= now - MINUTE:
            self._new.popleft()
        return len(self._new)


class LossOfLimit(_Stateless):
    """The loss of the day of all accounts together, and the deepest drawdown of any, as a share of their limits: the
    larger share. The numbers are those of the screens' head."""

    def __init__(self, daily_loss_pct: Decimal, drawdown_pct: Decimal) -> None:
        self.daily_loss_pct = daily_loss_pct
        self.drawdown_pct = drawdown_pct

    def read(self, state: DeskState, now: int) -> Reading:
        fresh = {name: row for name, row in state.venues.items() if now - row.account_as_of <= SLOW_FRESH}
        missing = next((f"no account: {name}" for name in state.venues if name not in fresh), "")
        seen = Moment(state=msgspec.structs.replace(state, venues=fresh), now=now)
        day, deepest = seen.day_pct, seen.drawdown_pct
        if deepest is None:
            return nothing_known(missing or "no accounts")
        if day is None:
            missing = missing or "no equity"
        shares = (-(day or 0) / self.daily_loss_pct, deepest / self.drawdown_pct, Decimal(0))
        said = " ".join([*([f"{signed(day)} %"] if day is not None else []), f"dd {deepest:.2f} %"])
        return _at_least(
            float(max(shares)), missing, seen.money_as_of, lambda _: said, breached=lambda share: share > 1
        )


def new_errors(counted: dict[str, int], sample: ev.StrategySampled) -> int:
    """The errors that a strategy counted since the sample before; `counted` keeps its last count. What it had counted
    before it was first heard is not new."""
    before = counted.get(sample.strategy, sample.errors)
    counted[sample.strategy] = sample.errors
    return sample.errors - before if sample.errors >= before else sample.errors  # it started anew


class ErrorsPerMinute:
    """Errors within the last 60 s: what strategies counted, and requests that a venue did not answer."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._errors: deque[tuple[int, int]] = deque()
        self._counted: dict[str, int] = {}
        self._missing: dict[str, tuple[int, int]] = {}
        self._heard: dict[tuple[str, str], int] = {}

    def observe(self, record: ev.Record) -> None:
        match record.event:
            case ev.StrategySampled() as sample:
                new = new_errors(self._counted, sample)
                self._heard["strategy", sample.strategy] = sample.as_of
            case ev.Heartbeat() as beat:
                new = int(beat.latency_us is None)
                missing = self._missing.pop(beat.venue, None)
                if missing is not None and _late(beat) and missing in self._errors:
                    self._errors.remove(missing)
                if new:
                    self._missing[beat.venue] = (record.ts, new)
                self._heard["venue", beat.venue] = record.ts
            case ev.PositionsRead() | ev.OrdersRead() as read:
                new = int(bool(read.unknown))
                self._heard["venue", read.venue] = record.ts
            case _:
                return
        if new:
            self._errors.append((record.ts, new))

    def read(self, state: DeskState, now: int) -> Reading:
        while self._errors and self._errors[0][0] <= now - MINUTE:
            self._errors.popleft()
        count = float(sum(errors for _, errors in self._errors))
        watched = [*(("strategy", name) for name in state.strategies), *(("venue", name) for name in state.venues)]
        heard = [self._heard[source] for source in watched if source in self._heard]
        missing = "" if heard and now - max(heard) <= SLOW_FRESH else "nothing heard"
        return _at_least(
            count,
            missing,
            min(heard, default=0),
            lambda errors: f"{errors:.0f}/min",
            breached=lambda errors: errors > self.limit,
        )


def _late(beat: ev.Heartbeat) -> bool:
    """Whether this answer was told as missing before it came."""
    return beat.latency_us is not None and beat.latency_us >= OVERDUE_US


def _gravity(reading: Reading) -> tuple[bool, int, bool, float]:
    return reading.least == FIRING, reading.streak or 0, reading.least == PENDING, reading.value or 0.0


def _at_least(
    worst: float | None, missing: str, as_of: int, words: Callable[[float], str], *, breached: Callable[[float], bool]
) -> Reading:
    """A reading whose known part is a lower bound: it counts where that is over the threshold already; otherwise the
    missing part makes the whole unknown."""
    if worst is None:
        return nothing_known(missing or "no open session")
    if missing and not breached(worst):
        return nothing_known(missing)
    return Reading(worst, words(worst) + (f", {missing}" if missing else ""), as_of)


def metric_for(name: str, threshold: float, limits: Mapping[str, Decimal]) -> Metric:
    """The metric of that name. Raises ValueError naming those there are."""
    made: dict[str, Callable[[], Metric]] = {
        "workers_down": WorkersDown,
        "heartbeat_p95_ms": lambda: HeartbeatP95(threshold),
        "bar_age_intervals": BarAge,
        "orders_per_minute": lambda: OrdersPerMinute(threshold),
        "loss_of_limit": lambda: LossOfLimit(limits["daily_loss_pct"], limits["drawdown_pct"]),
        "errors_per_minute": lambda: ErrorsPerMinute(threshold),
    }
    if name not in made:
        raise ValueError(f"no metric {name!r}; there are: {', '.join(made)}")
    return made[name]()
