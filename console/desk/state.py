"""The fold: one pure function from what was and what happened to what is.

Guard, console and archive all hold a `DeskState` and all get it from `fold` alone, so they can not disagree. Records
may arrive twice and, between writers, out of order: durable ones are taken once by (`writer`, `seq`).
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec

from console.desk import entries as en
from console.desk import events as ev
from console.desk import incidents as inc
from console.desk.base import spelled
from console.desk.events import Plain, Record
from console.desk.logbook import Logbook
from console.desk.logbook import fold as fold_entry
from console.desk.pull import GateState, Level, Scope, Verdict, worst
from console.desk.timeline import TimelineEntry, tell
from console.desk.words import share

TIMELINE_KEPT = 1000
CURVE_POINTS = 60
EXCHANGES_KEPT = 24
DRILLS_KEPT = 50
ADJUSTMENTS_KEPT = 20


class VenueState(Plain, frozen=True):
    """What is known of one venue. Every `*_as_of` is the time of the last *successful* read, 0 for never; the
    `*_unknown` beside it says why the latest one failed, and is empty while it succeeds. `retired` is why the venue was
    taken out, `silent_at` the last heartbeat without an answer. `full_sessions` were watched from open to close since
    the last pull or resume; `session_from` is when the running one was seen to open, 0 where it was not. `calendar` is
    the venue's own, as far as it was read."""

    info: ev.VenueInfo
    answers: bool | None = None
    why: str = ""
    open: bool | None = None
    next_change: int = 0
    latency_us: int | None = None
    latency_as_of: int = 0
    equity: Decimal | None = None
    day_pct: Decimal | None = None
    drawdown_pct: Decimal | None = None
    account_as_of: int = 0
    positions: tuple[ev.Position, ...] = ()
    positions_as_of: int = 0
    positions_unknown: str = spelled("not read yet")
    orders: tuple[ev.Order, ...] = ()
    orders_as_of: int = 0
    orders_unknown: str = spelled("not read yet")
    bars: int = 0
    bar_age: float | None = None
    bars_as_of: int = 0
    quotes: tuple[ev.Quote, ...] = ()
    quotes_as_of: int = 0
    quotes_unknown: str = spelled("not read yet")
    fills: int = 0
    retired: str = ""
    answers_since: int = 0
    silent_at: int = 0
    session_from: int = 0
    full_sessions: int = 0
    calendar: ev.CalendarRead | None = None

    @property
    def green_since(self) -> int:
        """Since when nothing is known against this venue, 0 while it does not answer."""
        return max(self.answers_since, self.silent_at) if self.answers else 0


class StrategyState(Plain, frozen=True):
    info: ev.StrategyInfo
    sample: ev.StrategySampled | None = None
    book: ev.BookRead | None = None


class MonitorState(Plain, frozen=True):
    """The latest reading and the curve behind it (`level`s, oldest first, None where unknown)."""

    id: str
    info: ev.MonitorInfo | None = None
    state: str = spelled("unknown")
    text: str = spelled("not read yet")
    level: float | None = None
    as_of: int = 0
    since: int = 0
    curve: tuple[float | None, ...] = ()


class Exchange(Plain, frozen=True):
    """One thing that the cord asks a venue for, however often, and the venue's latest answer. `what` and `target` as in
    CordSent; `outcome` is empty until there is an answer. Times are UTC ns."""

    what: str
    target: str = ""
    qty: str = ""
    at: int = 0
    attempts: int = 0
    outcome: str = ""
    status: int = 0
    detail: str = ""
    items: int = 0
    failed: int = 0
    took_ms: int = 0


UNASKED = "nothing sent yet"


class VenuePull(Plain, frozen=True):
    """How far one venue has got under one pull. `quiet_restarts` counts how often the quiet clock began *again*;
    `exchanges` are the latest things asked for, each once, in the order in which they were first asked."""

    venue: str
    verdict: Verdict = Verdict.UNKNOWN
    why: str = spelled(UNASKED)
    since: int = 0
    standing: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    sent_at: int = 0
    sent: int = 0
    answered: int = 0
    answer: str = ""
    failed: tuple[str, ...] = ()
    closes: tuple[str, ...] = ()
    quiet_from: int = 0
    quiet_why: str = ""
    quiet_restarts: int = 0
    exchanges: tuple[Exchange, ...] = ()
    suspended: bool = False
    t_blocked: int = 0
    t_flat: int = 0
    t_verified: int = 0
    retired: bool = False


class LimitsSet(Plain, frozen=True):
    """The hash of the limits in force from `ts` on."""

    ts: int
    hash: str


class PullState(Plain, frozen=True):
    """One pull of the cord and what every venue in its scope has proven."""

    id: str
    level: Level
    scope: str
    reason: str
    actor: str
    origin: str
    hand: str
    at: int
    quiet_seconds: int
    keep_protective: bool
    own_only: bool
    venues: dict[str, VenuePull]
    latch_error: str = ""
    evidence: ev.EvidenceTaken | None = None

    @property
    def verdict(self) -> Verdict:
        """Gate-only levels have no venue to ask; what they prove comes from the strategies' acknowledgements."""
        return worst([venue.verdict for venue in self.proving])

    @property
    def proving(self) -> tuple[VenuePull, ...]:
        """The venues that have to prove that they stopped: one that is gone for good can not."""
        return tuple(venue for venue in self.venues.values() if not venue.retired)

    @property
    def foreign(self) -> bool:
        """Whether orders are touched that the strategies did not send."""
        return Scope.parse(self.scope).takes_foreign and not self.own_only

    @property
    def blocked_at(self) -> int:
        return self._latest("t_blocked")

    @property
    def flat_at(self) -> int:
        return self._latest("t_flat")

    @property
    def verified_at(self) -> int:
        return self._latest("t_verified")

    def _latest(self, name: str) -> int:
        times = [getattr(venue, name) for venue in self.proving]
        return max(times) if times and all(times) else 0


class FiredState(Plain, frozen=True):
    """What a trigger pulled for. `clear_since` is since when this guard has seen it under its threshold without a gap,
    0 while it does not; `text` is what was seen last."""

    trigger: str
    subject: str
    text: str
    clear_since: int = 0


class DrillState(Plain, frozen=True):
    """A drill that was done, when (UTC ns), and by whom."""

    at: int
    done: ev.DrillDone
    actor: str = ""


class Size(Plain, frozen=True):
    """The shares of the normal size and order rate that a desk may trade where no pull says less; and, where that is
    not all, why."""

    size: Decimal = Decimal(1)
    rate: Decimal = Decimal(1)
    because: str = ""

    def lowered(self, event: en.SizeLowered) -> "Size":
        """Never more than before."""
        size = min(self.size, Decimal(event.size_pct) / 100)
        rate = min(self.rate, Decimal(event.rate_pct or event.size_pct) / 100)
        if (size, rate) == (self.size, self.rate):
            return self
        return Size(size, rate, f"lowered to {event.size_pct} %{f': {event.reason}' if event.reason else ''}")


class AdjustmentState(Plain, frozen=True):
    """Books that somebody had brought to broker truth, and when (UTC ns). `answers` are the hosts' by strategy; one
    that is missing was not heard, and the comparison tells."""

    at: int
    actor: str
    asked: ev.BookAdjusting
    answers: dict[str, ev.BookAdjusted] = {}


class DeskState(Plain, frozen=True):
    """Everything known about a desk at one moment. Dicts keep the order of desk.yaml.

    `since` is when it was first described. `pulls` are those that stand, `resumed` those that were cleared, and when;
    `fired` says by pull why a trigger made it. `size` is the share of the normal size that the desk may trade where no
    pull says less, `rate` that of its normal order rate, `size_because` why they are less than all and `size_since`
    since when they are what they are. `limits` are those that were ever in force, `suspended` the venues and `disabled`
    the strategies that the cord stopped by their own means. `nameless` see GateChanged."""

    name: str = ""
    mode: str = ""
    since: int = 0
    config_hash: str = ""
    quiet_seconds: int = 60
    venues: dict[str, VenueState] = {}
    strategies: dict[str, StrategyState] = {}
    monitors: dict[str, MonitorState] = {}
    gate: ev.GateChanged | None = None
    pulls: dict[str, PullState] = {}
    resumed: dict[str, int] = {}
    fired: dict[str, FiredState] = {}
    size: Decimal = spelled(Decimal(1))
    rate: Decimal = spelled(Decimal(1))
    size_because: str = ""
    size_since: int = 0
    nameless: str = ""
    nameless_at: int = 0
    green_seconds: int = spelled(900)
    limits: tuple[LimitsSet, ...] = ()
    suspended: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    contacts: tuple[ev.ContactInfo, ...] = ()
    netted: bool = True
    drills: tuple[DrillState, ...] = ()
    logbook: Logbook = msgspec.field(default_factory=Logbook)
    adjustments: tuple[AdjustmentState, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    guard_version: str = ""
    guard_started: int = 0
    guard_stopped: str = ""
    guard_beat: int = 0
    trouble: tuple[str, ...] = ()
    heads: dict[str, int] = {}

    @property
    def sized(self) -> Size:
        return Size(self.size, self.rate, self.size_because)

    @property
    def halted(self) -> bool:
        return self.gate_state is GateState.HALTED

    @property
    def gate_state(self) -> GateState | None:
        """The desk-wide gate: what the guard last set or any standing desk-wide pull, whichever is tighter."""
        states = [Level(pull.level).gate for pull in self.pulls.values() if pull.scope == "desk"]
        if self.gate is not None:
            states.append(self.gate.state)
        return max(states, key=lambda state: state.rank, default=None)

    def gate_for(self, strategy: str) -> GateState | None:
        """The gate as it bears on one strategy as a whole."""
        info = self.strategies[strategy].info
        states = [] if self.gate_state is None else [self.gate_state]
        for pull in self.pulls.values():
            scope = Scope.parse(pull.scope)
            if scope.kind in ("venue", "strategy") and scope.touches(venue=info.venue, strategy=strategy):
                states.append(Level(pull.level).gate)
        return max(states, key=lambda state: state.rank, default=None)

    def limits_at(self, ts: int) -> str:
        """The hash of the limits that were in force at a time, empty where that is not recorded."""
        return next((known.hash for known in reversed(self.limits) if known.ts <= ts), "")

    @property
    def pull(self) -> PullState | None:
        """The pull that a person should be looking at: the worst verdict, the latest of those."""
        return max(self.pulls.values(), key=lambda pull: (pull.verdict.rank, pull.at), default=None)


def _with(struct: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(struct, **changes)


def _in(table: dict[str, Any], key: str, **changes: Any) -> dict[str, Any]:
    """The table with one row changed; a row that is not there (its description never came) is left out."""
    row = table.get(key)
    return table if row is None else {**table, key: _with(row, **changes)}


def _venue(state: DeskState, name: str, **changes: Any) -> DeskState:
    changed: DeskState = _with(state, venues=_in(state.venues, name, **changes))
    return changed


def _pull(state: DeskState, pull: str, venue: str, **changes: Any) -> DeskState:
    known = state.pulls.get(pull)
    if known is None:
        return state
    row = known.venues.get(venue, _pulled_venue(state, venue))
    venues = {**known.venues, venue: _with(row, **changes)}
    changed: DeskState = _with(state, pulls={**state.pulls, pull: _with(known, venues=venues)})
    return changed


def _pulled_venue(state: DeskState, venue: str, since: int = 0) -> VenuePull:
    known = state.venues.get(venue)
    return VenuePull(venue=venue, since=since, retired=known is not None and bool(known.retired))


def _sessions_anew(state: DeskState) -> dict[str, VenueState]:
    """No session counts as full any more, the running one neither."""
    return {name: _with(row, session_from=0, full_sessions=0) for name, row in state.venues.items()}


def _described(state: DeskState, record: Record, event: ev.DeskDescribed) -> DeskState:
    venues = {
        info.name: _with(state.venues[info.name], info=info) if info.name in state.venues else VenueState(info=info)
        for info in event.venues
    }
    strategies = {
        info.name: _with(state.strategies[info.name], info=info)
        if info.name in state.strategies
        else StrategyState(info=info)
        for info in event.strategies
    }
    monitors = {
        info.id: _with(state.monitors.get(info.id, MonitorState(id=info.id)), info=info) for info in event.monitors
    }
    changed: DeskState = _with(
        state,
        name=event.name,
        mode=event.mode,
        since=state.since or record.ts,
        config_hash=event.config_hash,
        quiet_seconds=event.quiet_seconds,
        green_seconds=event.green_seconds,
        limits=state.limits
        if state.limits and state.limits[-1].hash == event.limits_hash
        else (*state.limits, LimitsSet(record.ts, event.limits_hash)),
        contacts=event.contacts,
        netted=event.netted,
        venues=venues,
        strategies=strategies,
        monitors={**monitors, **{name: row for name, row in state.monitors.items() if name not in monitors}},
    )
    return changed


def _guard_started(state: DeskState, record: Record, event: ev.GuardStarted) -> DeskState:
    """What went on before, nobody watched: no venue is green and no trigger clear since earlier, no running session was
    seen whole."""
    changed: DeskState = _with(
        state,
        guard_version=event.version,
        guard_started=record.ts,
        guard_beat=record.ts,
        guard_stopped="",
        venues={name: _with(row, answers_since=record.ts, session_from=0) for name, row in state.venues.items()},
        fired={name: _with(row, clear_since=0) for name, row in state.fired.items()},
    )
    return changed


def _guard_stopped(state: DeskState, record: Record, event: ev.GuardStopped) -> DeskState:
    changed: DeskState = _with(state, guard_stopped=event.why)
    return changed


def _guard_beat(state: DeskState, record: Record, event: ev.GuardBeat) -> DeskState:
    changed: DeskState = _with(state, guard_beat=record.ts, trouble=event.trouble)
    return changed


def _venue_changed(state: DeskState, record: Record, event: ev.VenueChanged) -> DeskState:
    return _venue(state, event.venue, answers=event.answers, why=event.why, answers_since=record.ts)


def _session_changed(state: DeskState, record: Record, event: ev.SessionChanged) -> DeskState:
    row = state.venues.get(event.venue)
    if row is None:
        return state
    changes: dict[str, Any] = {"open": event.open, "next_change": event.next_change}
    if event.open and row.open is False:
        changes["session_from"] = record.ts
    elif not event.open and row.open:
        changes |= {"session_from": 0, "full_sessions": row.full_sessions + bool(row.session_from)}
    return _venue(state, event.venue, **changes)


def _calendar_read(state: DeskState, record: Record, event: ev.CalendarRead) -> DeskState:
    return _venue(state, event.venue, calendar=event)


def _monitor_changed(state: DeskState, record: Record, event: ev.MonitorChanged) -> DeskState:
    row = state.monitors.get(event.monitor, MonitorState(id=event.monitor))
    row = _with(row, state=event.now, text=event.text, since=record.ts)
    changed: DeskState = _with(state, monitors={**state.monitors, event.monitor: row})
    return changed


def _monitor_sampled(state: DeskState, record: Record, event: ev.MonitorSampled) -> DeskState:
    row = state.monitors.get(event.monitor, MonitorState(id=event.monitor))
    curve = (*row.curve, event.level)[-CURVE_POINTS:]
    row = _with(row, state=event.state, text=event.text, level=event.level, as_of=event.as_of, curve=curve)
    changed: DeskState = _with(state, monitors={**state.monitors, event.monitor: row})
    return changed


def _gate_changed(state: DeskState, record: Record, event: ev.GateChanged) -> DeskState:
    since = state.nameless_at if event.nameless == state.nameless else record.ts
    changed: DeskState = _with(state, gate=event, nameless=event.nameless, nameless_at=since if event.nameless else 0)
    return changed


def _filled(state: DeskState, record: Record, event: ev.Filled) -> DeskState:
    row = state.venues.get(event.venue)
    return state if row is None else _venue(state, event.venue, fills=row.fills + 1)


def _heartbeat(state: DeskState, record: Record, event: ev.Heartbeat) -> DeskState:
    if event.latency_us is None:
        return _venue(state, event.venue, latency_us=None, silent_at=record.ts)
    return _venue(state, event.venue, latency_us=event.latency_us, latency_as_of=record.ts)


def _account_read(state: DeskState, record: Record, event: ev.AccountRead) -> DeskState:
    return _venue(
        state,
        event.venue,
        equity=event.equity,
        day_pct=event.day_pct,
        drawdown_pct=event.drawdown_pct,
        account_as_of=event.as_of,
    )


def _positions_read(state: DeskState, record: Record, event: ev.PositionsRead) -> DeskState:
    if event.unknown:
        return _venue(state, event.venue, positions_unknown=event.unknown)
    return _venue(state, event.venue, positions=event.positions, positions_as_of=event.as_of, positions_unknown="")


def _orders_read(state: DeskState, record: Record, event: ev.OrdersRead) -> DeskState:
    if event.unknown or not event.complete:
        return _venue(state, event.venue, orders_unknown=event.unknown or "not every page could be read")
    return _venue(state, event.venue, orders=event.orders, orders_as_of=event.as_of, orders_unknown="")


def _bars_read(state: DeskState, record: Record, event: ev.BarsRead) -> DeskState:
    if event.age is None:
        return _venue(state, event.venue, bar_age=None)
    return _venue(state, event.venue, bars=event.bars, bar_age=event.age, bars_as_of=event.as_of)


def _quotes_read(state: DeskState, record: Record, event: ev.QuotesRead) -> DeskState:
    if event.unknown:
        return _venue(state, event.venue, quotes_unknown=event.unknown)
    return _venue(state, event.venue, quotes=event.quotes, quotes_as_of=event.as_of, quotes_unknown="")


def _book_read(state: DeskState, record: Record, event: ev.BookRead) -> DeskState:
    row = state.strategies.get(event.strategy)
    if event.unknown and row is not None and row.book is not None:
        event = _with(row.book, unknown=event.unknown)
    changed: DeskState = _with(state, strategies=_in(state.strategies, event.strategy, book=event))
    return changed


def _strategy_sampled(state: DeskState, record: Record, event: ev.StrategySampled) -> DeskState:
    changed: DeskState = _with(state, strategies=_in(state.strategies, event.strategy, sample=event))
    return changed


def _pulled(state: DeskState, record: Record, event: ev.Pulled) -> DeskState:
    """A pull that was resumed stays so, however late another hand's word of it is read."""
    if event.pull in state.resumed:
        return state
    known, made = state.pulls.get(event.pull), event.made or record.ts
    venues = {name: _pulled_venue(state, name, record.ts) for name in event.venues}
    if known is not None:  # both hands pulled the same cord, or a guard took a direct pull over
        venues = {**venues, **known.venues}
    pull = PullState(
        id=event.pull,
        level=Level(event.level),
        scope=event.scope,
        reason=event.reason if known is None else known.reason or event.reason,
        actor=record.actor if known is None else known.actor,
        origin=event.origin if known is None else known.origin,
        hand=event.hand,
        at=made if known is None else min(known.at, made),
        quiet_seconds=event.quiet_seconds,
        keep_protective=event.keep_protective,
        own_only=event.own_only,
        venues=venues,
        evidence=None if known is None else known.evidence,
    )
    changed: DeskState = _with(state, pulls={**state.pulls, event.pull: pull}, venues=_sessions_anew(state))
    return changed


def _resumed(state: DeskState, record: Record, event: ev.Resumed) -> DeskState:
    """Clears the pulls that it names, and a halt without a name that one of them covers."""
    covers = any(pull.id in event.pulls and covers_nameless(pull, state.nameless_at) for pull in state.pulls.values())
    changed: DeskState = _with(
        state,
        pulls={name: pull for name, pull in state.pulls.items() if name not in event.pulls},
        resumed={**state.resumed, **dict.fromkeys(event.pulls, record.ts)},
        fired={name: row for name, row in state.fired.items() if name not in event.pulls},
        size=event.size,
        rate=event.size,
        size_because=f"resumed at {share(event.size)}" if event.size < 1 else "",
        size_since=record.ts,
        nameless="" if covers else state.nameless,
        venues=_sessions_anew(state),
    )
    return changed


def covers_nameless(pull: PullState, since: int) -> bool:
    """Whether what this pull proves holds for a halt that no pull tells of, and that was first seen at `since`: the
    whole desk was stopped after it."""
    return pull.scope == "desk" and pull.level.cancels and pull.at >= since


def _book_adjusting(state: DeskState, record: Record, event: ev.BookAdjusting) -> DeskState:
    made = AdjustmentState(at=record.ts, actor=record.actor, asked=event)
    changed: DeskState = _with(state, adjustments=(*state.adjustments, made)[-ADJUSTMENTS_KEPT:])
    return changed


def _book_adjusted(state: DeskState, record: Record, event: ev.BookAdjusted) -> DeskState:
    told = tuple(
        _with(made, answers={**made.answers, event.strategy: event}) if made.asked.id == event.id else made
        for made in state.adjustments
    )
    changed: DeskState = _with(state, adjustments=told)
    return changed


def _venue_retired(state: DeskState, record: Record, event: ev.VenueRetired) -> DeskState:
    pulls = {
        name: _with(pull, venues=_in(pull.venues, event.venue, retired=True)) for name, pull in state.pulls.items()
    }
    changed: DeskState = _with(_venue(state, event.venue, retired=event.reason), pulls=pulls)
    return changed


def _strategy_changed(state: DeskState, record: Record, event: ev.StrategyChanged) -> DeskState:
    """Who disabled a strategy decides who may enable it: what a person did, a resume leaves alone."""
    if event.what not in ("disabled", "enabled") or (event.what == "disabled" and not event.detail):
        return state
    others = tuple(name for name in state.disabled if name != event.strategy)
    by_cord = event.what == "disabled" and event.detail == ev.BY_CORD
    changed: DeskState = _with(state, disabled=(*others, event.strategy) if by_cord else others)
    return changed


def _pull_field(state: DeskState, pull: str, **changes: Any) -> DeskState:
    changed: DeskState = _with(state, pulls=_in(state.pulls, pull, **changes))
    return changed


def _trigger_fired(state: DeskState, record: Record, event: ev.TriggerFired) -> DeskState:
    if event.pull in state.resumed:
        return state
    row = FiredState(trigger=event.trigger, subject=event.subject, text=event.text)
    changed: DeskState = _with(state, fired={**state.fired, event.pull: row})
    return changed


def _trigger_turned(state: DeskState, record: Record, event: ev.TriggerTurned) -> DeskState:
    since = record.ts if event.clear else 0
    fired = {
        name: _with(row, clear_since=since, text=event.text)
        if (row.trigger, row.subject) == (event.trigger, event.subject)
        else row
        for name, row in state.fired.items()
    }
    changed: DeskState = _with(state, fired=fired)
    return changed


def _pull_reason(state: DeskState, record: Record, event: ev.PullReason) -> DeskState:
    return _pull_field(state, event.pull, reason=event.reason)


def _latch_set(state: DeskState, record: Record, event: ev.LatchSet) -> DeskState:
    return _pull_field(state, event.pull, latch_error=event.error)


def _evidence_taken(state: DeskState, record: Record, event: ev.EvidenceTaken) -> DeskState:
    return _pull_field(state, event.pull, evidence=event)


def _asked(exchanges: tuple[Exchange, ...], event: ev.CordSent, at: int) -> tuple[Exchange, ...]:
    """Asking again for the same thing counts up; its former answer stands until there is a newer one."""
    for number, row in enumerate(exchanges):
        if (row.what, row.target) == (event.what, event.target):
            again = _with(row, attempts=max(row.attempts + 1, event.attempt), qty=event.qty or row.qty)
            return (*exchanges[:number], again, *exchanges[number + 1 :])
    asked = Exchange(what=event.what, target=event.target, qty=event.qty, at=at, attempts=event.attempt)
    return (*exchanges, asked)[-EXCHANGES_KEPT:]


def _heard(exchanges: tuple[Exchange, ...], event: ev.CordAnswered) -> tuple[Exchange, ...]:
    return tuple(
        _with(
            row,
            outcome=event.outcome,
            status=event.status,
            detail=event.detail,
            items=event.items,
            failed=len(event.failed),
            took_ms=event.took_ms,
        )
        if (row.what, row.target) == (event.what, event.target)
        else row
        for row in exchanges
    )


def _cord_sent(state: DeskState, record: Record, event: ev.CordSent) -> DeskState:
    known = state.pulls.get(event.pull)
    if known is None:
        return state
    row = known.venues.get(event.venue, _pulled_venue(state, event.venue))
    changes: dict[str, Any] = {
        "sent": row.sent + 1,
        "sent_at": row.sent_at or event.at or record.ts,
        "exchanges": _asked(row.exchanges, event, event.at or record.ts),
    }
    if row.why == UNASKED:  # what a look has found is worth more than that something was sent
        changes |= {"verdict": Verdict.REQUESTED, "why": "sent, not answered yet"}
    if event.what == "close":
        changes["closes"] = (*row.closes, event.target)
    return _pull(state, event.pull, event.venue, **changes)


def _cord_answered(state: DeskState, record: Record, event: ev.CordAnswered) -> DeskState:
    if event.what in ("suspend", "unsuspend") and event.outcome == "acked":
        others = tuple(name for name in state.suspended if name != event.venue)
        state = _with(state, suspended=(*others, event.venue) if event.what == "suspend" else others)
    known = state.pulls.get(event.pull)
    if known is None:
        return state
    row = known.venues.get(event.venue, _pulled_venue(state, event.venue))
    answer = f"{event.what} {event.target} {event.outcome}".replace("  ", " ")
    changes: dict[str, Any] = {
        "answered": row.answered + 1,
        "answer": f"{answer} {event.detail}".strip(),
        "exchanges": _heard(row.exchanges, event),
    }
    if event.what in ("suspend", "unsuspend") and event.outcome == "acked":
        changes["suspended"] = event.what == "suspend"
    if event.what == "cancel_all":
        changes["failed"] = event.failed
    return _pull(state, event.pull, event.venue, **changes)


def _quiet_restarted(state: DeskState, record: Record, event: ev.QuietRestarted) -> DeskState:
    known = state.pulls.get(event.pull)
    row = known.venues.get(event.venue) if known is not None else None
    again = row.quiet_restarts + 1 if row is not None and row.quiet_from else 0
    return _pull(state, event.pull, event.venue, quiet_from=record.ts, quiet_why=event.why, quiet_restarts=again)


def _drill_done(state: DeskState, record: Record, event: ev.DrillDone) -> DeskState:
    changed: DeskState = _with(state, drills=(*state.drills, DrillState(record.ts, event, record.actor))[-DRILLS_KEPT:])
    return changed


def _venue_verdict(state: DeskState, record: Record, event: ev.VenueVerdict) -> DeskState:
    return _pull(
        state,
        event.pull,
        event.venue,
        verdict=event.verdict,
        why=event.why,
        since=record.ts,
        standing=event.standing,
        positions=event.positions,
        kept=event.kept,
        t_blocked=event.t_blocked,
        t_flat=event.t_flat,
        t_verified=event.t_verified,
    )


def _incident(state: DeskState, name: str, change: Callable[[inc.IncidentState], dict[str, Any]]) -> DeskState:
    incidents = state.logbook.incidents
    known = incidents.get(name)
    if known is None:
        return state
    logbook = _with(state.logbook, incidents=inc.changed(incidents, known, **change(known)))
    changed: DeskState = _with(state, logbook=logbook)
    return changed


def _archive_sealed(state: DeskState, record: Record, event: ev.ArchiveSealed) -> DeskState:
    sealed = inc.Sealed(
        seal=event.seal,
        at=record.ts,
        why=event.why,
        head=event.head,
        lines=event.lines,
        items=event.items,
        missing=event.missing,
    )

    def change(known: inc.IncidentState) -> dict[str, Any]:
        captured = (*known.captured, *(pull for pull in event.captured if pull not in known.captured))
        return {"sealed": sealed, "captured": captured, "trouble": ()}

    return _incident(state, event.incident, change)


def _evidence_failed(state: DeskState, record: Record, event: ev.EvidenceFailed) -> DeskState:
    said = f"{event.what}: {event.why}"
    return _incident(state, event.incident, lambda known: {"trouble": (*known.trouble, said)[-inc.TROUBLE_KEPT :]})


def _logged(state: DeskState, record: Record, event: en.AnyEntry) -> DeskState:
    changed: DeskState = _with(state, logbook=fold_entry(state.logbook, record).trimmed())
    return changed


def _size_lowered(state: DeskState, record: Record, event: en.SizeLowered) -> DeskState:
    """Whoever wants the size back has to see whole sessions at this one."""
    lowered = state.sized.lowered(event)
    if lowered == state.sized:
        return state
    changed: DeskState = _with(
        state,
        size=lowered.size,
        rate=lowered.rate,
        size_because=lowered.because,
        size_since=max(state.size_since, record.ts),
        venues=_sessions_anew(state),
    )
    return changed


def _unchanged(state: DeskState, record: Record, event: ev.Event) -> DeskState:
    """Only the timeline remembers it."""
    return state


_FOLD: dict[type[ev.Event], Callable[[DeskState, Record, Any], DeskState]] = {
    ev.DeskDescribed: _described,
    ev.GuardStarted: _guard_started,
    ev.GuardStopped: _guard_stopped,
    ev.GuardBeat: _guard_beat,
    ev.VenueChanged: _venue_changed,
    ev.DeadManChanged: _unchanged,
    ev.SessionChanged: _session_changed,
    ev.CalendarRead: _calendar_read,
    ev.MonitorChanged: _monitor_changed,
    ev.MonitorSampled: _monitor_sampled,
    ev.StrategyChanged: _strategy_changed,
    ev.StrategySampled: _strategy_sampled,
    ev.GateChanged: _gate_changed,
    ev.Filled: _filled,
    ev.Refused: _unchanged,
    ev.TelemetryKept: _unchanged,
    ev.Heartbeat: _heartbeat,
    ev.AccountRead: _account_read,
    ev.PositionsRead: _positions_read,
    ev.OrdersRead: _orders_read,
    ev.BarsRead: _bars_read,
    ev.QuotesRead: _quotes_read,
    ev.BookRead: _book_read,
    ev.Pulled: _pulled,
    ev.TriggerFired: _trigger_fired,
    ev.TriggerTurned: _trigger_turned,
    ev.PullReason: _pull_reason,
    ev.PullDropped: _unchanged,
    ev.LatchSet: _latch_set,
    ev.CordSent: _cord_sent,
    ev.CordAnswered: _cord_answered,
    ev.QuietRestarted: _quiet_restarted,
    ev.VenueVerdict: _venue_verdict,
    ev.EvidenceTaken: _evidence_taken,
    ev.Resumed: _resumed,
    ev.BookAdjusting: _book_adjusting,
    ev.BookAdjusted: _book_adjusted,
    ev.VenueRetired: _venue_retired,
    ev.DrillDone: _drill_done,
    ev.ArchiveSealed: _archive_sealed,
    ev.EvidenceFailed: _evidence_failed,
    ev.ArchiveRemoved: _unchanged,
    ev.RestoreDrilled: _unchanged,
    **dict.fromkeys(en.ENTRIES, _logged),
    en.SizeLowered: _size_lowered,
}


def fold(state: DeskState, record: Record) -> DeskState:
    """The state after one more record. Pure; a durable record that was folded before changes nothing."""
    if record.durable:
        if record.seq <= state.heads.get(record.writer, 0):
            return state
        state = _with(state, heads={**state.heads, record.writer: record.seq})
        entry = tell(record)
        if entry is not None:
            state = _with(state, timeline=(*state.timeline, entry)[-TIMELINE_KEPT:])
    return _FOLD[type(record.event)](state, record, record.event)


def fold_all(records: Iterable[Record], state: DeskState | None = None) -> DeskState:
    """Fold a whole history. The records of one writer must be in order; writers may be merged in any order."""
    folded = state if state is not None else DeskState()
    for record in records:
        folded = fold(folded, record)
    return folded
