"""What the first six monitors read, from the stream's records and the state folded from them. Pure.

A metric `observe`s every record and gives a `read`ing at any time. What an archive replays therefore gives the same
curves as the live desk.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol

from console.desk import events as ev
from console.desk.monitor import Reading, percentile
from console.desk.state import DeskState, StrategyState, VenueState

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
FRESH = 10 * SECOND
"""A strategy's or a heartbeat's reading older than this says nothing about now."""
SLOW_FRESH = 30 * SECOND
"""The same for accounts and bars, which are read less often."""


class Metric(Protocol):
    def observe(self, record: ev.Record) -> None: ...

    def read(self, state: DeskState, now: int) -> Reading: ...


def nothing_known(why: str) -> Reading:
    return Reading(None, f"unknown: {why}")


def open_venues(state: DeskState) -> list[VenueState]:
    """The venues that are not known to be outside their session."""
    return [venue for venue in state.venues.values() if venue.open is not False]


def closed(state: DeskState) -> bool:
    """Whether the whole desk is outside its session."""
    return bool(state.venues) and not open_venues(state)


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
            return nothing_known("no strategy is described")
        since = self._since = self._since if self._since is not None else now
        if now - since < FRESH and any(row.sample is None for row in state.strategies.values()):
            return nothing_known("not every strategy was asked yet")
        down = {name: why for name, row in state.strategies.items() if (why := self._failing(row, now))}
        up = f"{len(state.strategies) - len(down)}/{len(state.strategies)} up"
        return Reading(float(len(down)), ", ".join([up, *(f"{name} {why}" for name, why in down.items())]))

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

    Minutes are those of the clock. The current one shows what is going on, and counts when it is over."""

    KEPT = 10

    def __init__(self, threshold_ms: float) -> None:
        self.threshold_ms = threshold_ms
        self._minutes: dict[str, deque[tuple[int, list[float]]]] = {}

    def observe(self, record: ev.Record) -> None:
        beat = record.event
        if not isinstance(beat, ev.Heartbeat):
            return
        minutes = self._minutes.setdefault(beat.venue, deque(maxlen=self.KEPT))
        if not minutes or minutes[-1][0] != record.ts // MINUTE:
            minutes.append((record.ts // MINUTE, []))
        minutes[-1][1].append(math.inf if beat.latency_us is None else beat.latency_us / 1000)

    def read(self, state: DeskState, now: int) -> Reading:
        worst: tuple[float, str] | None = None
        streak = 0
        for venue in open_venues(state):
            minutes = self._minutes.get(venue.info.name, deque())
            recent = [beats for minute, beats in minutes if now // MINUTE - minute <= 1]
            if not recent:
                return nothing_known(f"{venue.info.name} was not asked within the last minute")
            shown = percentile(recent[-1] if len(recent[-1]) >= 5 else [ms for beats in recent for ms in beats], 0.95)
            worst = max(worst or (shown, venue.info.name), (shown, venue.info.name))
            streak = max(streak, self._streak(minutes, now // MINUTE))
        if worst is None:
            return nothing_known("no venue is in its session")
        value, name = worst
        said = f"{name} does not answer" if math.isinf(value) else f"{value:.0f} ms"
        return Reading(value, f"{said}, over for {streak} min" if streak else said, streak=streak)

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
        missing = ""
        for venue in open_venues(state):
            if venue.bar_age is None or now - venue.bars_as_of > SLOW_FRESH:
                missing = missing or f"no bars of {venue.info.name}"
            else:
                worst = max(worst or 0.0, venue.bar_age)
        return _at_least(worst, missing, lambda age: f"{age:.1f}×", breached=lambda age: age > 2)


class OrdersPerMinute(_Stateless):
    """The sum over all strategies, as they count."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def read(self, state: DeskState, now: int) -> Reading:
        total = 0
        missing = "" if state.strategies else "no strategy is described"
        for name, row in state.strategies.items():
            if row.sample is None or now - row.sample.as_of > FRESH:
                missing = missing or f"{name} does not say"
            else:
                total += row.sample.orders_per_minute
        return _at_least(float(total), missing, lambda sent: f"{sent:.0f}/min", breached=lambda sent: sent > self.limit)


class LossOfLimit(_Stateless):
    """The day's loss and the drawdown of the account that is nearest to a limit, as a share of that limit."""

    def __init__(self, daily_loss_pct: Decimal, drawdown_pct: Decimal) -> None:
        self.daily_loss_pct = daily_loss_pct
        self.drawdown_pct = drawdown_pct

    def read(self, state: DeskState, now: int) -> Reading:
        worst: float | None = None
        said = missing = ""
        for venue in open_venues(state):
            if venue.day_pct is None or venue.drawdown_pct is None or now - venue.account_as_of > SLOW_FRESH:
                missing = missing or f"no account of {venue.info.name}"
                continue
            share = float(max(-venue.day_pct / self.daily_loss_pct, venue.drawdown_pct / self.drawdown_pct, Decimal(0)))
            if worst is None or share > worst:
                worst = share
                said = f"{venue.day_pct:+.2f} % dd {venue.drawdown_pct:.2f} %".replace("-", "−")
        return _at_least(worst, missing, lambda _: said, breached=lambda share: share > 1)


class ErrorsPerMinute:
    """Errors within the last 60 s: what strategies counted, and requests that a venue did not answer."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._errors: deque[tuple[int, int]] = deque()
        self._counted: dict[str, int] = {}
        self._heard = 0

    def observe(self, record: ev.Record) -> None:
        match record.event:
            case ev.StrategySampled() as sample:
                before = self._counted.get(sample.strategy, sample.errors)
                new = sample.errors - before if sample.errors >= before else sample.errors  # it started anew
                self._counted[sample.strategy] = sample.errors
            case ev.Heartbeat() as beat:
                new = int(beat.latency_us is None)
            case ev.PositionsRead() | ev.OrdersRead() as read:
                new = int(bool(read.unknown))
            case _:
                return
        self._heard = record.ts
        if new:
            self._errors.append((record.ts, new))

    def read(self, state: DeskState, now: int) -> Reading:
        while self._errors and self._errors[0][0] <= now - MINUTE:
            self._errors.popleft()
        count = float(sum(errors for _, errors in self._errors))
        missing = "" if now - self._heard <= SLOW_FRESH else "nothing is heard"
        return _at_least(
            count, missing, lambda errors: f"{errors:.0f}/min", breached=lambda errors: errors > self.limit
        )


def _at_least(
    worst: float | None, missing: str, words: Callable[[float], str], *, breached: Callable[[float], bool]
) -> Reading:
    """A reading whose known part is a lower bound: it counts where that is over the threshold already; otherwise the
    missing part makes the whole unknown."""
    if worst is None:
        return nothing_known(missing or "no venue is in its session")
    if missing and not breached(worst):
        return nothing_known(missing)
    return Reading(worst, words(worst) + (f", {missing}" if missing else ""))


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
