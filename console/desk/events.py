"""Everything that happens on a desk, one frozen struct a kind, joined in one tagged union.

Two families share the union. *Journal events* are kept for ever in the hash-chained journal and are acknowledged after
fsync. *Samples* (`Sample` subclasses) are high-rate readings that screens need; they travel on the same stream but are
never journaled, and carry `seq` 0. Quantities, prices and money are Decimal (strings on the wire); every time is UTC
nanoseconds since the epoch; durations name their unit.
"""

from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from console.desk import entries
from console.desk.base import Event as Event
from console.desk.base import Plain as Plain
from console.desk.base import Sample as Sample
from console.desk.pull import GateState, Verdict

# --- values ---------------------------------------------------------------------------------------------------------


class VenueInfo(Plain, frozen=True):
    """A venue as desk.yaml describes it. `account` is the account number, once known; `phone` the broker's desk."""

    name: str
    adapter: str
    base_url: str
    account: str = ""
    phone: str = ""


class StrategyInfo(Plain, frozen=True):
    name: str
    venue: str
    symbols: tuple[str, ...]
    model_pin: str = ""


class MonitorInfo(Plain, frozen=True):
    """A monitor as it is defined: what people call it, the threshold in words, and the channel it alerts on."""

    id: str
    label: str
    group: str = ""
    threshold: str = ""
    channel: str = ""


class ContactInfo(Plain, frozen=True):
    """Somebody to call, as contacts.yaml names them. `level` is the rung of the escalation, 1 (first) to 3; `venue` is
    set for the broker's own desk of that venue."""

    name: str
    role: str
    phone: str
    hours: str
    level: int
    email: str = ""
    url: str = ""
    venue: str = ""


class Position(Plain, frozen=True):
    """Signed quantity: negative is short. Prices in the account's currency."""

    symbol: str
    qty: Decimal
    avg_price: Decimal | None = None
    mark: Decimal | None = None

    @property
    def notional(self) -> Decimal:
        price = self.mark if self.mark is not None else self.avg_price
        return self.qty * (price if price is not None else Decimal(0))


class Order(Plain, frozen=True):
    """An open or closed order at a venue. `side` is buy or sell, `status` the venue's word, `created` its own clock.
    `order_class` is bracket, oco or oto where it is linked to others, and `legs` are the ids of the orders that the
    venue made to go with it, where it says so."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    qty: Decimal
    filled_qty: Decimal
    type: str
    status: str
    created: int
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str = ""
    protective: bool = False
    order_class: str = ""
    legs: tuple[str, ...] = ()


class Quote(Plain, frozen=True):
    """The best bid and offer of a symbol; sizes in the venue's units, `at` the venue's time, UTC ns. A side that nobody
    quotes is None."""

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal
    ask_size: Decimal
    at: int


class Bar(Plain, frozen=True):
    """`start` is the UTC ns at which the bar begins; it covers `interval` seconds."""

    symbol: str
    start: int
    interval: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


# --- journal events: the guard and the desk -------------------------------------------------------------------------


class DeskDescribed(Event, frozen=True, tag="desk_described"):
    """desk.yaml and contacts.yaml as the guard read them. `mode` is simulated, paper or live; `config_hash` is SHA-256
    of desk.yaml, `limits_hash` of what its limits say; `green_seconds` is how long an outside thing must be well before
    a resume. `netted` where strategies share one position a symbol, so that no share of it can be closed alone."""

    name: str
    mode: str
    venues: tuple[VenueInfo, ...]
    strategies: tuple[StrategyInfo, ...]
    config_hash: str
    quiet_seconds: int = 60
    monitors: tuple[MonitorInfo, ...] = ()
    limits_hash: str = ""
    green_seconds: int = 900
    contacts: tuple[ContactInfo, ...] = ()
    netted: bool = True


class GuardStarted(Event, frozen=True, tag="guard_started"):
    version: str
    pid: int
    recovered: int
    torn: int = 0


class GuardStopped(Event, frozen=True, tag="guard_stopped"):
    why: str


class VenueChanged(Event, frozen=True, tag="venue_changed"):
    """A venue began or ceased to answer."""

    venue: str
    answers: bool
    why: str = ""


class DeadManChanged(Event, frozen=True, tag="dead_man_changed"):
    """A venue's own dead-man switch was armed, or could not be refreshed any more."""

    venue: str
    armed: bool
    why: str


class SessionChanged(Event, frozen=True, tag="session_changed"):
    """`next_change` is when the venue's calendar opens or closes next, 0 where it did not say."""

    venue: str
    open: bool
    next_change: int = 0


class CalendarRead(Event, frozen=True, tag="calendar_read"):
    """The venue's own calendar has `sessions` on these days from `first` to `last`, and on no other of them."""

    venue: str
    first: date
    last: date
    sessions: tuple[date, ...]


class MonitorChanged(Event, frozen=True, tag="monitor_changed"):
    """A monitor changed its state: ok, pending, firing, unknown or closed."""

    monitor: str
    was: str
    now: str
    text: str
    channel: str


BY_CORD = "by the cord"


class StrategyChanged(Event, frozen=True, tag="strategy_changed"):
    """A strategy's process came or went, was enabled or disabled, or runs another model."""

    strategy: str
    what: str
    detail: str = ""


class GateChanged(Event, frozen=True, tag="gate_changed"):
    """`nameless` says why the gate is shut where no pull tells of it: a gate.json that was removed, say. `rate_factor`
    is the share of the normal order rate, None for the size's."""

    state: GateState
    size_factor: Decimal
    because: str
    scopes: dict[str, GateState] = {}
    nameless: str = ""
    rate_factor: Decimal | None = None


class Filled(Event, frozen=True, tag="filled"):
    """One execution as the venue reports it. `execution_id` makes it unique, `at` is the venue's time."""

    venue: str
    execution_id: str
    order_id: str
    client_order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    at: int


class Refused(Event, frozen=True, tag="refused"):
    """Somebody asked for something and did not get it: `what` was asked, `why` not, `remote` from where. A `count`
    above 1 stands for so many refusals within a minute, of which this is the last."""

    what: str
    why: str
    remote: str = ""
    count: int = 1


class TelemetryKept(Event, frozen=True, tag="telemetry_kept"):
    """A closed segment of the flight recorder and its SHA-256. `path` is relative to the recorder's folder; `stream` is
    what it holds, see `console.evidence.streams`."""

    path: str
    sha256: str
    rows: int
    bytes: int
    stream: str = "telemetry"


# --- journal events: the cord ---------------------------------------------------------------------------------------


class Pulled(Event, frozen=True, tag="pulled"):
    """The cord was pulled. `origin` is console, cli, http, signal, trigger, tree or drill; `hand` is guard or direct.
    `made` is UTC ns, 0 for the time of the record: one that only the latch told of is older than its record. With
    `keep_protective` orders stay that can only reduce a position, with `own_only` those that no strategy sent."""

    pull: str
    level: str
    scope: str
    reason: str
    origin: str
    hand: str
    venues: tuple[str, ...]
    quiet_seconds: int = 60
    made: int = 0
    keep_protective: bool = False
    own_only: bool = False


class TriggerFired(Event, frozen=True, tag="trigger_fired"):
    """A trigger pulled the cord: for which `subject` (a venue, empty for the desk), and what it saw."""

    pull: str
    trigger: str
    subject: str
    text: str


class TriggerTurned(Event, frozen=True, tag="trigger_turned"):
    """What made a trigger pull is under its threshold now, or is not any more; what nobody knows is not clear."""

    trigger: str
    subject: str
    clear: bool
    text: str


class PullReason(Event, frozen=True, tag="pull_reason"):
    """The reason, where it was given only after the pull."""

    pull: str
    reason: str


class PullDropped(Event, frozen=True, tag="pull_dropped"):
    """A pull that was heard after its deadline: the other hand had done it."""

    pull: str
    late_ms: int


class LatchSet(Event, frozen=True, tag="latch_set"):
    """The latch is on disk; or, with `error`, could not be written, and `fallback` says what was done instead."""

    pull: str
    error: str = ""
    fallback: str = ""


class CordSent(Event, frozen=True, tag="cord_sent"):
    """A request of the cord left. `what` is cancel_all, cancel, close, suspend or unsuspend (so
    that closes are taken); `target` is an order id or a symbol.

    An exposing write (`close`) is journaled before its bytes leave, with its quantity; a reducing one right after, with
    the UTC ns at which they left in `at`."""

    pull: str
    venue: str
    what: str
    attempt: int
    target: str = ""
    qty: str = ""
    at: int = 0


class CordAnswered(Event, frozen=True, tag="cord_answered"):
    """`outcome` is acked, refused or ambiguous; `failed` holds the ids of items the venue refused, `order_id` the
    closing order that the venue made of a close."""

    pull: str
    venue: str
    what: str
    outcome: str
    target: str = ""
    status: int = 0
    detail: str = ""
    items: int = 0
    failed: tuple[str, ...] = ()
    took_ms: int = 0
    order_id: str = ""


class QuietRestarted(Event, frozen=True, tag="quiet_restarted"):
    """The quiet clock began, or began again: `why` names the order or fill."""

    pull: str
    venue: str
    why: str


class VenueVerdict(Event, frozen=True, tag="venue_verdict"):
    """What one venue has proven so far. `standing` are open order ids in scope, `positions` what is not yet flat,
    `kept` the orders that are left to protect, by id and with what they do. The three times are UTC ns, 0 until
    reached: no open order, no position (L4), quiet for the whole interval."""

    pull: str
    venue: str
    verdict: Verdict
    why: str
    standing: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    t_blocked: int = 0
    t_flat: int = 0
    t_verified: int = 0


class EvidenceTaken(Event, frozen=True, tag="evidence_taken"):
    """What was known at the pull: broker truth and book per venue, hashes. `missing` names what could not be read."""

    pull: str
    positions: dict[str, tuple[Position, ...]]
    orders: dict[str, tuple[Order, ...]]
    book: dict[str, tuple[Position, ...]]
    model_hashes: dict[str, str]
    config_hash: str
    missing: tuple[str, ...] = ()


class Resumed(Event, frozen=True, tag="resumed"):
    """The way back was proven, and is being taken: the pulls that are cleared by it, and nothing else is. `size` is the
    share of the normal size from here on, `cause` own-fix, external or mistaken, `text` what it was, `checked` how an
    own fix was verified outside production, `proofs` what was seen, a sentence each."""

    pulls: tuple[str, ...]
    scope: str
    size: Decimal
    cause: str
    text: str
    proofs: tuple[str, ...]
    checked: str = ""


class Change(Plain, frozen=True):
    """What one strategy's book is given: signed `qty` of `symbol` at `price`, for these `executions`, the oldest of
    which happened `at` (none where no fill explains it). `held` is what the book holds before."""

    strategy: str
    symbol: str
    held: Decimal
    qty: Decimal
    price: Decimal
    executions: tuple[str, ...] = ()
    at: int = 0

    @property
    def leaves(self) -> Decimal:
        return self.held + self.qty


class Adjustment(Plain, frozen=True):
    """One confirmed difference: both sides as they were read after the confirm, the broker's first, and what becomes of
    the book. `subject` is a symbol or an order id, `because` what explains it. `ended` are orders that come off the
    book as working, `set_aside` those that nobody knows the fate of any more; both say whose as `strategy order`."""

    kind: str
    subject: str
    broker: str
    book: str
    because: str
    changes: tuple[Change, ...] = ()
    ended: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()


class BookAdjusting(Event, frozen=True, tag="book_adjusting"):
    """Strategies' books are about to be brought to broker truth. On disk before any host is asked."""

    id: str
    venue: str
    rows: tuple[Adjustment, ...]

    @property
    def strategies(self) -> frozenset[str]:
        """Whose books are concerned."""
        changed = {change.strategy for row in self.rows for change in row.changes}
        return frozenset(
            changed | {owned.partition(" ")[0] for row in self.rows for owned in (*row.ended, *row.set_aside)}
        )


class BookAdjusted(Event, frozen=True, tag="book_adjusted"):
    """What one strategy's host answered to an adjustment: `outcome` is acked, refused or ambiguous."""

    id: str
    venue: str
    strategy: str
    outcome: str
    detail: str = ""


class VenueRetired(Event, frozen=True, tag="venue_retired"):
    """A venue that is gone for good: it proves nothing any more, and is asked for no proof."""

    venue: str
    reason: str


class DrillDone(Event, frozen=True, tag="drill_done"):
    """A drill of the cord came to its end. Milliseconds count from the pull, None where something was not reached;
    `flat_ms` is None too where the level flattens nothing. `restarts` says how often the quiet clock began again,
    `late_orders` how many orders strategies sent once all was blocked, `missed` what was not as it has to be (empty
    where it passed). `report` is a path within the state folder, with its SHA-256."""

    id: str
    drill: str
    pull: str
    level: str
    passed: bool
    blocked_ms: int | None
    flat_ms: int | None
    verified_ms: int | None
    quiet_seconds: int
    restarts: int
    late_orders: int
    missed: tuple[str, ...]
    report: str
    sha256: str


# --- journal events: evidence ---------------------------------------------------------------------------------------


class ArchiveSealed(Event, frozen=True, tag="archive_sealed"):
    """Evidence of an incident was sealed, and can not be changed from here on without being seen. `seal` counts from 1
    within the incident; `why` is pull, snapshot, verified, window, attached or closed. `head` is the hash of the signed
    head line, `lines` how many stand before it, `fold` the SHA-256 of the encoded DeskState at that moment, `items`
    what was added, `missing` what could not be, a sentence each, `signer` the key's fingerprint."""

    incident: str
    seal: int
    why: str
    head: str
    lines: int
    fold: str
    items: tuple[str, ...]
    bytes: int
    signer: str
    missing: tuple[str, ...] = ()
    captured: tuple[str, ...] = ()


class EvidenceFailed(Event, frozen=True, tag="evidence_failed"):
    """Something of an incident's evidence could not be kept: `what` it was, and `why` not."""

    incident: str
    what: str
    why: str


class ArchiveRemoved(Event, frozen=True, tag="archive_removed"):
    """An incident's folder was removed by the retention policy. `head` is the hash of its last signed head."""

    incident: str
    head: str
    bytes: int
    why: str


class RestoreDrilled(Event, frozen=True, tag="restore_drilled"):
    """An incident was read back from the archive, or from a copy of it, and compared with what was sealed. `missed` is
    empty where it passed; `report` is a path within the state folder, with its SHA-256."""

    incident: str
    source: str
    passed: bool
    items: int
    rows: int
    bytes: int
    missed: tuple[str, ...]
    report: str
    sha256: str


# --- samples --------------------------------------------------------------------------------------------------------


class GuardBeat(Sample, frozen=True, tag="guard_beat"):
    """The guard is alive; `lag_ms` is how late its event loop ran, `trouble` what of the desk's files it can not write
    or read, a sentence each."""

    lag_ms: int = 0
    trouble: tuple[str, ...] = ()


class Heartbeat(Sample, frozen=True, tag="heartbeat"):
    """One timed request to a venue. `latency_us` is None when it did not answer."""

    venue: str
    latency_us: int | None
    why: str = ""


class MonitorSampled(Sample, frozen=True, tag="monitor_sampled"):
    """`level` is the reading as a share of its threshold (1 = at the threshold) for the curve, None when unknown."""

    monitor: str
    state: str
    text: str
    level: float | None
    as_of: int


class AccountRead(Sample, frozen=True, tag="account_read"):
    """Percentages are of yesterday's equity (`day_pct`) and of the highest equity seen (`drawdown_pct`)."""

    venue: str
    equity: Decimal
    day_pct: Decimal
    drawdown_pct: Decimal
    as_of: int


class PositionsRead(Sample, frozen=True, tag="positions_read"):
    """Broker truth; `unknown` says why the read failed, and then `positions` is what was last known."""

    venue: str
    positions: tuple[Position, ...]
    as_of: int
    unknown: str = ""


class OrdersRead(Sample, frozen=True, tag="orders_read"):
    """All open orders of a venue; `complete` is false where a page could not be read."""

    venue: str
    orders: tuple[Order, ...]
    as_of: int
    complete: bool = True
    unknown: str = ""


class BookRead(Sample, frozen=True, tag="book_read"):
    """What a strategy believes it holds and has working. `adjusts` where its host lets the book be put right;
    `set_aside` are orders whose fate nobody knows any more, and which the book does not count as working."""

    strategy: str
    positions: tuple[Position, ...]
    order_ids: tuple[str, ...]
    as_of: int
    unknown: str = ""
    adjusts: bool = False
    set_aside: tuple[str, ...] = ()


class StrategySampled(Sample, frozen=True, tag="strategy_sampled"):
    """A strategy as its own host reports it. `gate` is the gate it last acted on. `day_pct` of the venue's equity."""

    strategy: str
    healthy: bool
    enabled: bool
    gate: GateState
    orders_sent: int
    orders_per_minute: int
    fills: int
    predictions: int
    day_pct: Decimal
    model_hash: str
    as_of: int
    errors: int = 0
    why: str = ""


class BarsRead(Sample, frozen=True, tag="bars_read"):
    """`age` is the age of the oldest symbol's latest bar in bar intervals, None when unknown; `worst` that symbol."""

    venue: str
    bars: int
    age: float | None
    worst: str
    as_of: int
    why: str = ""
    latest: tuple[Bar, ...] = ()


class QuotesRead(Sample, frozen=True, tag="quotes_read"):
    """The market as the venue quotes it for the symbols that the desk trades or holds there; `unknown` says why the
    read failed, and then `quotes` is empty."""

    venue: str
    quotes: tuple[Quote, ...]
    as_of: int
    unknown: str = ""


AnyEvent = (
    DeskDescribed
    | GuardStarted
    | GuardStopped
    | VenueChanged
    | DeadManChanged
    | SessionChanged
    | CalendarRead
    | MonitorChanged
    | StrategyChanged
    | GateChanged
    | Filled
    | Refused
    | TelemetryKept
    | Pulled
    | TriggerFired
    | TriggerTurned
    | PullReason
    | PullDropped
    | LatchSet
    | CordSent
    | CordAnswered
    | QuietRestarted
    | VenueVerdict
    | EvidenceTaken
    | Resumed
    | BookAdjusting
    | BookAdjusted
    | VenueRetired
    | DrillDone
    | ArchiveSealed
    | EvidenceFailed
    | ArchiveRemoved
    | RestoreDrilled
    | entries.AnyEntry
    | GuardBeat
    | Heartbeat
    | MonitorSampled
    | AccountRead
    | PositionsRead
    | OrdersRead
    | BookRead
    | StrategySampled
    | BarsRead
    | QuotesRead
)

Value = TypeVar("Value")


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event in its place: who wrote it when. `seq` counts from 1 within `writer`; samples have 0."""

    ts: int
    writer: str
    actor: str
    event: AnyEvent
    seq: int = 0
    incident: str | None = None

    @property
    def durable(self) -> bool:
        return not isinstance(self.event, Sample)

    @property
    def order(self) -> tuple[int, str, int]:
        """The key that merges several writers into one history."""
        return (self.ts, self.writer, self.seq)


_encoder = msgspec.json.Encoder(decimal_format="string")


def kind_of(event: Event | type[Event]) -> str:
    tag = event.__struct_config__.tag
    assert isinstance(tag, str)  # noqa: S101 - every event class is declared with a string tag
    return tag


def encode(value: Any) -> bytes:
    """JSON for the stream and the journal; Decimals become strings."""
    return _encoder.encode(value)


def data_of(event: Event) -> bytes:
    """The event's fields as a JSON object without its kind: the `data` of a journal line."""
    raw = encode(event)
    opening = len(b'{"kind":""') + len(kind_of(event))
    rest = raw[opening:]
    return b"{" + (rest[1:] if rest.startswith(b",") else rest)


def event_from(kind: str, data: dict[str, Any]) -> AnyEvent:
    """An event from a journal line's `kind` and `data`. Raises msgspec.ValidationError."""
    event: AnyEvent = msgspec.convert({**data, "kind": kind}, AnyEvent)
    return event


def record_from(line: dict[str, Any]) -> Record:
    """A Record from the object of a journal line."""
    return Record(
        ts=line["ts"],
        writer=line["writer"],
        actor=line["actor"],
        event=event_from(line["kind"], line["data"]),
        seq=line["seq"],
        incident=line.get("incident"),
    )
