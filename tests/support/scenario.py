"""Small histories of a desk, told as records with a fixed clock: for snapshots and for the pictures in the docs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from console.desk import adjust
from console.desk import entries as en
from console.desk import events as ev
from console.desk.entries import AnyEntry
from console.desk.events import AnyEvent, Record
from console.desk.logbook import after
from console.desk.procedure import Run, Runnable
from console.desk.pull import GateState, Level, Scope, Verdict
from console.desk.reconcile import compare_settled
from console.desk.resume import Asked, Outcome, Seen, Unresumable, judge
from console.desk.source import Attached, Detached, Received, Update
from console.desk.state import DeskState, fold, fold_all
from console.desk.tree import Tree
from console.desk.words import SECOND

NOW = 1_773_671_527 * SECOND  # 2026-03-16 14:32:07 UTC
MODELS = {"momentum": "7c1f52d0a9", "meanrev": "90ab13c4ee", "maker": "5e2d77b6f1"}
PULL = "p-20260316-1431"

MONITORS = (
    ev.MonitorInfo("worker-liveness", "worker liveness", "INFRA", "fails 2×", "PAGE"),
    ev.MonitorInfo("broker-heartbeat", "broker heartbeat p95", "INFRA", "> 500 ms", "PAGE"),
    ev.MonitorInfo("bar-age", "bar age", "DATA", "> 2×", "PAGE"),
    ev.MonitorInfo("orders-per-minute", "orders per minute", "INFRA", "> 120", "PAGE"),
    ev.MonitorInfo("day-pnl", "day P&L, drawdown", "PNL", "3 % · 6 %", "PAGE"),
    ev.MonitorInfo("error-rate", "errors per minute", "INFRA", "> 10", "PAGE"),
)

CONTACTS = (
    ev.ContactInfo("Sim Brokerage", "trading desk", "+1 555 0177", "24/7", 1, venue="sim2"),
    ev.ContactInfo("Sim Brokerage", "night desk", "+1 555 0178", "22:00-06:00 UTC", 2, venue="sim2"),
    ev.ContactInfo("Ana Ortega", "on-call operator", "+353 1 555 0101", "07:00-22:00 UTC", 1),
    ev.ContactInfo("Bo Lindqvist", "head of risk", "+46 8 555 0102", "always", 2),
    ev.ContactInfo("Kim Adeyemi", "founder", "+353 1 555 0103", "always", 3),
)

D = Decimal
TODAY = date(2026, 3, 16)
ATTESTED = (
    en.GateAttested("PRE-LAUNCH P2", date(2026, 3, 4), "passed", "hashes are equal"),
    en.GateAttested("DAILY D1", date(2026, 3, 13), "passed", "bars fresh"),
    en.GateAttested("DAILY D2", TODAY, "passed", "7c1f = pin", "reports/pins-0316.txt"),
    en.GateAttested("DAILY D3", TODAY, "failed", "day P&L below the band since 11:00Z"),
    en.GateAttested("WEEKLY W1", date(2026, 3, 13), "waived", "the reviewer is ill; made up for on Monday"),
)


class Story:
    """Events at seconds before (negative) or after `NOW`, numbered as their writer would number them."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._seq: dict[str, int] = {}

    def at(self, seconds: float, *events: AnyEvent, actor: str = "guard", writer: str = "guard") -> "Story":
        for event in events:
            record = Record(ts=NOW + int(seconds * SECOND), writer=writer, actor=actor, event=event)
            if record.durable:
                self._seq[writer] = self._seq.get(writer, 0) + 1
                record = Record(record.ts, writer, actor, event, self._seq[writer])
            self.records.append(record)
        return self

    @property
    def updates(self) -> list[Update]:
        """As a console gets them that attaches now."""
        return [Attached(fold_all(self.records))]


class FakeSource:
    """Replays updates, then stays silent, as a source does on which nothing happens but what is put on record here.
    Commands are kept."""

    live = True

    def __init__(self, updates: Iterable[Update], refuses: str = "") -> None:
        self._updates = list(updates)
        attached = (update.state for update in self._updates if isinstance(update, Attached))
        self.state = next(attached, DeskState())
        self._later: asyncio.Queue[Update] = asyncio.Queue()
        self.kept: list[AnyEntry] = []
        self._refuses = refuses
        self.commands: list[tuple[str, dict[str, str]]] = []

    async def updates(self) -> AsyncIterator[Update]:
        for update in self._updates:
            yield update
        while True:
            yield await self._later.get()

    def put(self, update: Update) -> None:
        """One more, as if the guard told it."""
        self._later.put_nowait(update)

    async def keep(self, entry: AnyEntry) -> str:
        """Judged by the rule that the guard judges by."""
        if self._refuses:
            raise RuntimeError(self._refuses)
        try:
            after(self.state.logbook, entry, "ana", NOW)
        except ValueError as refusal:
            raise RuntimeError(str(refusal)) from None
        self.kept.append(entry)
        record = Record(NOW, "ana", "ana", entry, len(self.kept))
        self.state = fold(self.state, record)
        self._later.put_nowait(Received(record))
        return ""

    async def command(self, name: str, /, **arguments: str) -> str:
        self.commands.append((name, arguments))
        if self._refuses:
            raise RuntimeError(self._refuses)
        return "kept in the journal"


class JudgingSource(FakeSource):
    """Judges a resume, and plans an adjustment, as a guard does whose fresh reads are what it last showed."""

    async def command(self, name: str, /, **arguments: str) -> str:
        await super().command(name, **arguments)
        if name in ("differences", "adjust"):
            found = planned(self.state)
            return ev.encode(adjust.Outcome(name == "adjust", found.says, found)).decode()
        seen = Seen(NOW, NOW, compare_settled(self.state, NOW), self.state.limits[-1].hash)
        try:
            judgement = judge(self.state, msgspec.convert(arguments, Asked), seen)
        except Unresumable as refusal:
            return ev.encode(Outcome(False, str(refusal))).decode()
        resumed = name == "resume" and judgement.proven
        return ev.encode(Outcome(resumed, "resumed" if resumed else judgement.refusal, judgement)).decode()


def planned(state: DeskState) -> adjust.Plan:
    """The plan of a desk that stands still. Every venue lists a fill for what the cord closed there."""
    seen = []
    for venue in compare_settled(state, NOW).venues:
        books = [row.book for row in state.strategies.values() if row.info.venue == venue.venue and row.book]
        ledgers = tuple(
            adjust.Ledger(book.strategy, book.positions, tuple(adjust.BookOrder(each) for each in book.order_ids))
            for book in books
            if book.adjusts
        )
        closed = {name for pull in state.pulls.values() for name in pull.venues[venue.venue].closes}
        fills = tuple(
            ev.Filled(venue.venue, f"e-{row.symbol}", "c0", "", row.symbol, side, abs(row.difference), D(100), NOW)
            for row in venue.positions
            for side in ["sell" if row.difference > 0 else "buy"]
            if row.symbol in closed
        )
        fates = {row.id: adjust.Fate("canceled") for row in venue.orders if row.order is None}
        seen.append(adjust.Seen(venue, ledgers, fills, fates))
    return adjust.plan(state, seen, NOW)


class RecordingCord:
    """Remembers pulls, and does nothing else."""

    def __init__(self, on_pull: Callable[[Level, Scope], None] | None = None) -> None:
        self.pulls: list[tuple[Level, Scope, str]] = []
        self.spared: list[tuple[str, ...]] = []
        self._on_pull = on_pull

    def ready(self) -> None:
        pass

    def pull(self, level: Level, scope: Scope, *, origin: str, **spares: bool) -> str:
        self.pulls.append((level, scope, origin))
        self.spared.append(tuple(name for name, wanted in spares.items() if wanted))
        if self._on_pull is not None:
            self._on_pull(level, scope)
        return PULL


def position(symbol: str, qty: int, price: str) -> ev.Position:
    return ev.Position(symbol=symbol, qty=D(qty), avg_price=D(price), mark=D(price))


def order(name: str, client: str, symbol: str, side: str, qty: int, **more: Any) -> ev.Order:
    return ev.Order(
        id=name,
        client_order_id=client,
        symbol=symbol,
        side=side,
        qty=D(qty),
        filled_qty=D(0),
        type=more.pop("type", "limit"),
        status=more.pop("status", "new"),
        created=NOW - 40 * SECOND,
        **more,
    )


SIM1_POSITIONS = (
    position("AAPL", 420, "228.40"),
    position("MSFT", 150, "412.10"),
    position("NVDA", -60, "171.25"),
)
SIM2_POSITIONS = (position("SPY", -35, "561.30"),)
SIM1_ORDERS = (
    order("8f1c02", "momentum-0001", "AAPL", "buy", 20, limit_price=D("228.10")),
    order("8f1c03", "momentum-0002", "MSFT", "sell", 10, limit_price=D("413.00")),
    order("8f1c04", "meanrev-0007", "NVDA", "buy", 15, limit_price=D("170.80")),
    order("8f1c05", "momentum-0001-sl", "AAPL", "sell", 420, type="stop", stop_price=D("221.00"), protective=True),
)
SIM2_ORDERS = (
    order("a7e110", "maker-0101", "SPY", "buy", 5, limit_price=D("561.20")),
    order("a7e111", "maker-0102", "SPY", "sell", 5, limit_price=D("561.40")),
)


def described(mode: str = "simulated") -> ev.DeskDescribed:
    return ev.DeskDescribed(
        name="demo",
        mode=mode,
        venues=(
            ev.VenueInfo("sim1", "alpaca", "http://127.0.0.1:4100", "PA3T91LQ", "+1 555 0100"),
            ev.VenueInfo("sim2", "alpaca", "http://127.0.0.1:4100", "PA3T92MK", "+1 555 0177"),
        ),
        strategies=(
            ev.StrategyInfo("momentum", "sim1", ("AAPL", "MSFT"), MODELS["momentum"]),
            ev.StrategyInfo("meanrev", "sim1", ("NVDA",), MODELS["meanrev"]),
            ev.StrategyInfo("maker", "sim2", ("SPY",), MODELS["maker"]),
        ),
        config_hash="c0ffee",
        monitors=MONITORS,
        limits_hash="7f83b1657ff1fc53",
        contacts=CONTACTS,
    )


def begun(mode: str = "simulated") -> Story:
    """A desk that trades: described, gate open, venues answering, strategies heard, every monitor fine."""
    story = Story()
    story.at(-3600, described(mode), ev.GuardStarted("0.1.0", 4711, recovered=0))
    story.at(-3599, ev.GateChanged(GateState.OPEN, D(1), "started"))
    story.at(-3598, ev.VenueChanged("sim1", True), ev.VenueChanged("sim2", True))
    story.at(-3598, ev.SessionChanged("sim1", True), ev.SessionChanged("sim2", True))
    for name in MODELS:
        story.at(-3597, ev.StrategyChanged(name, "up", f"model {MODELS[name][:4]}…"))
    return story


def heard(
    story: Story, *, gate: GateState = GateState.OPEN, ago: float = 1, rate: int = 12, silent: Collection[str] = ()
) -> Story:
    """The latest samples of everything that is well; `silent` venues were last heard just before the pull."""
    for venue, positions, orders, equity, day in (
        ("sim1", SIM1_POSITIONS, SIM1_ORDERS, "99580.00", "-0.42"),
        ("sim2", SIM2_POSITIONS, SIM2_ORDERS, "100110.00", "0.11"),
    ):
        as_of = NOW - int((13 if venue in silent else ago) * SECOND)
        story.at(-ago, ev.Heartbeat(venue, 4200), ev.AccountRead(venue, D(equity), D(day), D("1.10"), as_of))
        story.at(-ago, ev.PositionsRead(venue, positions, as_of), ev.OrdersRead(venue, orders, as_of))
    held = {"momentum": SIM1_POSITIONS[:2], "meanrev": SIM1_POSITIONS[2:], "maker": SIM2_POSITIONS}
    working = {
        "momentum": ("momentum-0001", "momentum-0002", "momentum-0001-sl"),
        "meanrev": ("meanrev-0007",),
        "maker": ("maker-0101", "maker-0102"),
    }
    days = {"momentum": "0.12", "meanrev": "-0.61", "maker": "0.11"}
    as_of = NOW - int(ago * SECOND)
    for name, model in MODELS.items():
        story.at(-ago, sampled(name, model, gate, rate, days[name], as_of))
        story.at(-ago, ev.BookRead(name, held[name], working[name], as_of))
    return story


def sampled(name: str, model: str, gate: GateState, rate: int, day: str, as_of: int) -> ev.StrategySampled:
    return ev.StrategySampled(
        strategy=name,
        healthy=True,
        enabled=True,
        gate=gate,
        orders_sent=140,
        orders_per_minute=rate,
        fills=96,
        predictions=2000,
        day_pct=D(day),
        model_hash=model,
        as_of=as_of,
    )


def monitored(story: Story, *, heartbeat: str = "ok", unknown: bool = False, ago: float = 1) -> Story:
    """Twelve readings of each monitor."""
    rising = [0.2, 0.2, 0.3, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9, 1.1, 1.4, 1.6]
    for step in range(12):
        at, as_of = -ago - (11 - step), NOW - int((ago + 11 - step) * SECOND)
        beating = rising[step] if heartbeat == "firing" else 0.05 + 0.02 * (step % 3)
        fires = heartbeat == "firing" and beating > 1
        story.at(
            at,
            ev.MonitorSampled("worker-liveness", "ok", "3/3 up", 0.0, as_of),
            ev.MonitorSampled(
                "broker-heartbeat", "firing" if fires else "ok", f"{int(beating * 500)} ms", beating, as_of
            ),
            ev.MonitorSampled("bar-age", *(("unknown", "no bars read", None) if unknown and step > 6 else
                                           ("ok", "0.8×", 0.4 + 0.1 * (step % 2))), as_of),
            ev.MonitorSampled("orders-per-minute", "ok", "36", 0.3 + 0.05 * (step % 4), as_of),
            ev.MonitorSampled("day-pnl", "ok", "−0.16 % · 1.10 %", 0.18, as_of),
            ev.MonitorSampled("error-rate", "ok", "0", 0.0, as_of),
        )  # fmt: skip
    return story


def calm(mode: str = "simulated") -> Story:
    story = monitored(heard(begun(mode)))
    story.at(-600, ev.MonitorChanged("orders-per-minute", "ok", "firing", "131 > 120", "PAGE"))
    story.at(-540, ev.MonitorChanged("orders-per-minute", "firing", "ok", "64", "PAGE"))
    story.records.sort(key=lambda record: record.ts)
    return beaten(monitored(story))


def beaten(story: Story, ago: float = 0.2) -> Story:
    return story.at(-ago, ev.GuardBeat())


def pulled(level: Level = Level.L3, *, reason: str = "acks silent", burns: bool = True) -> Story:
    """Somebody pulled the cord twelve seconds ago, because a broker slowed down."""
    story = begun()
    if burns:
        story.at(-27, ev.MonitorChanged("broker-heartbeat", "pending", "firing", "812 ms > 500 ×3", "PAGE"))
    story.at(-12, ev.Pulled(PULL, level.value, "desk", "", "console", "guard", ("sim1", "sim2"), 60), actor="ana")
    story.at(-12, ev.GateChanged(GateState.HALTED, D(0), "L3 desk by ana"))
    story.at(-12, ev.LatchSet(PULL))
    for venue in ("sim1", "sim2"):
        story.at(-11.998, ev.CordSent(PULL, venue, "cancel_all", 1))
    if reason:
        story.at(-4, ev.PullReason(PULL, reason), actor="ana")
    return story


def requested() -> Story:
    story = pulled(reason="")
    for venue, items in (("sim1", 4), ("sim2", 2)):
        story.at(-11.9, ev.CordAnswered(PULL, venue, "cancel_all", "acked", items=items, status=207, took_ms=92))
        story.at(-11.5, ev.QuietRestarted(PULL, venue, "no open order"))
        story.at(
            -11.5,
            ev.VenueVerdict(
                PULL, venue, Verdict.REQUESTED, "no open order; quiet so far", t_blocked=NOW - int(11.5 * SECOND)
            ),
        )
    story.at(-3, ev.QuietRestarted(PULL, "sim2", "late fill SPY of order a7e110"))
    return stopped(story)


def partial() -> Story:
    story = pulled()
    story.at(-11.9, ev.CordAnswered(PULL, "sim1", "cancel_all", "acked", items=4, status=207, took_ms=92))
    story.at(-11.5, ev.QuietRestarted(PULL, "sim1", "no open order"))
    story.at(
        -11.5,
        ev.VenueVerdict(PULL, "sim1", Verdict.REQUESTED, "no open order; quiet so far", t_blocked=NOW - 11 * SECOND),
    )
    story.at(
        -11.8,
        ev.CordAnswered(
            PULL, "sim2", "cancel_all", "acked", items=2, status=207, took_ms=180, failed=("a7e111",), detail="1 of 2"
        ),
    )
    for attempt, ago in ((1, 11.4), (2, 10), (4, 6)):
        story.at(-ago, ev.CordSent(PULL, "sim2", "cancel", attempt, target="a7e111"))
        why = "order is pending cancel"
        story.at(-ago, ev.CordAnswered(PULL, "sim2", "cancel", "refused", "a7e111", 422, why, took_ms=31))
    why = "1 order still open; cancel refused: order is pending cancel"
    story.at(-11, ev.VenueVerdict(PULL, "sim2", Verdict.PARTIAL, why, standing=("a7e111",)))
    return stopped(story)


def incident() -> Story:
    """What stopped partly, with the incident that the pull opened: sealed and noted."""
    story, name = partial(), "INC-2026-0007"
    story.at(-11, en.IncidentOpened(name, "broker-outage", "P0", "acks silent", PULL), actor="ana")
    items = ("records", "journal", "positions", "orders", "account", "screen")
    story.at(-8, ev.ArchiveSealed(name, 1, "pull", "a1" * 32, 14, "f0" * 32, items, 152_325, "SHA256:Vkda"))
    return story.at(-4, en.IncidentNoted(name, "the broker sees our order, too"), actor="ana")


def evidence_lost() -> Story:
    """The same, with a disk that is full since."""
    return incident().at(-2, ev.EvidenceFailed("INC-2026-0007", "exchanges", "no space left on device"))


def unknown() -> Story:
    story = pulled()
    story.at(-11.9, ev.CordAnswered(PULL, "sim1", "cancel_all", "acked", items=4, status=207, took_ms=92))
    story.at(-11.5, ev.QuietRestarted(PULL, "sim1", "no open order"))
    story.at(
        -11.5,
        ev.VenueVerdict(PULL, "sim1", Verdict.REQUESTED, "no open order; quiet so far", t_blocked=NOW - 11 * SECOND),
    )
    story.at(-7, ev.CordAnswered(PULL, "sim2", "cancel_all", "ambiguous", detail="no answer in 5 s", took_ms=5000))
    story.at(-7, ev.VenueChanged("sim2", False, "no answer in 5 s"))
    story.at(-7, ev.VenueVerdict(PULL, "sim2", Verdict.UNKNOWN, "does not answer since 14:31:55Z"))
    return stopped(story)


def verified(level: Level = Level.L3) -> Story:
    story = begun()
    start = -83.0
    flat = level.flattens
    story.at(start, ev.Pulled(PULL, level.value, "desk", "", "console", "guard", ("sim1", "sim2"), 60), actor="ana")
    story.at(start, ev.GateChanged(GateState.HALTED, D(0), f"{level} desk by ana"), ev.LatchSet(PULL))
    for number, (venue, items) in enumerate((("sim1", 4), ("sim2", 2))):
        story.at(start + 0.002, ev.CordSent(PULL, venue, "cancel_all", 1))
        story.at(start + 0.1, ev.CordAnswered(PULL, venue, "cancel_all", "acked", items=items, status=207, took_ms=92))
        story.at(start + 0.4 + number, ev.QuietRestarted(PULL, venue, "no open order"))
        story.at(
            start + 61 + number,
            ev.VenueVerdict(
                PULL,
                venue,
                Verdict.VERIFIED,
                "no open order, no new order, no fill",
                t_blocked=NOW + int((start + 0.4 + number) * SECOND),
                t_flat=NOW + int((start + 0.9 + number) * SECOND) if flat else 0,
                t_verified=NOW + int((start + 61 + number) * SECOND),
            ),
        )
    story.at(-60, ev.PullReason(PULL, "acks silent"), actor="ana")
    return stopped(story, heartbeat="ok")


def kept() -> Story:
    """Stopped and proven, but for a stop that protects and an order that somebody entered by hand."""
    story = begun()
    both = ("sim1", "sim2")
    spares = {"keep_protective": True, "own_only": True}
    story.at(-70, ev.Pulled(PULL, "L3", "desk", "news", "console", "guard", both, 60, **spares), actor="ana")
    story.at(-70, ev.GateChanged(GateState.HALTED, D(0), "L3 desk by ana"), ev.LatchSet(PULL))
    stop = "8f1c05 sell 420 AAPL stop"
    for number, (venue, name) in enumerate((("sim1", "8f1c02"), ("sim1", "8f1c03"), ("sim2", "a7e111"))):
        story.at(-70 + number / 10, ev.CordSent(PULL, venue, "cancel", 1, target=name))
        story.at(-69.95 + number / 10, ev.CordAnswered(PULL, venue, "cancel", "acked", name, status=204, took_ms=31))
    for venue, names in (("sim1", (stop,)), ("sim2", ())):
        why = f"nothing open{' but 1 kept to protect' if names else ''}"
        story.at(-69, ev.QuietRestarted(PULL, venue, why))
        times = {"t_blocked": NOW - 69 * SECOND, "t_verified": NOW - 8 * SECOND}
        why += ", 60 s without a new order or fill"
        story.at(-8, ev.VenueVerdict(PULL, venue, Verdict.VERIFIED, why, kept=names, **times))
    return stopped(story, heartbeat="ok")


def parted() -> Story:
    """Stopped and proven, but the books still hold what the brokers hold no more; and another pull stands."""
    story = verified()
    story.at(
        -40, ev.Pulled("p-20260316-1431-b", "L3", "venue:sim2", "fills late", "cli", "guard", ("sim2",), 60), actor="bo"
    )
    story.at(-39, ev.VenueVerdict("p-20260316-1431-b", "sim2", Verdict.PARTIAL, "1 order stands", standing=("a7e111",)))
    return beaten(story)


def reconciled() -> Story:
    """Stopped and proven, and every book is what its broker says."""
    story = verified()
    for name, positions in (
        ("momentum", SIM1_POSITIONS[:2]),
        ("meanrev", SIM1_POSITIONS[2:]),
        ("maker", SIM2_POSITIONS),
    ):
        story.at(-1, ev.BookRead(name, positions, (), NOW - SECOND))
    return beaten(story)


def reduced() -> Story:
    """Half an hour after a resume at a quarter; sim2 is gone for good."""
    story = begun()
    story.at(-2000, ev.Pulled(PULL, "L3", "desk", "acks silent", "console", "guard", ("sim1", "sim2"), 60), actor="ana")
    story.at(-2000, ev.GateChanged(GateState.HALTED, D(0), "L3 desk by ana"))
    story.at(-1900, ev.VenueRetired("sim2", "the broker closed the account"), actor="ana")
    proofs = ("verdict: VERIFIED on sim1", "book: sim1")
    story.at(-1800, ev.Resumed((PULL,), "desk", D("0.25"), "external", "the broker was down", proofs), actor="ana")
    story.at(-1799, ev.GateChanged(GateState.REDUCED, D("0.25"), "resumed at 25 %"))
    return beaten(monitored(heard(story, gate=GateState.REDUCED, rate=4)))


def stopped(story: Story, *, heartbeat: str = "firing") -> Story:
    """Strategies have followed the gate, and nothing is open any more where a venue answers."""
    silent = {
        record.event.venue
        for record in story.records
        if isinstance(record.event, ev.VenueVerdict) and record.event.verdict is Verdict.UNKNOWN
    }
    heard(story, gate=GateState.HALTED, rate=0, silent=silent)
    standing = {
        record.event.venue: record.event.standing
        for record in story.records
        if isinstance(record.event, ev.VenueVerdict)
    }
    for venue in ("sim1", "sim2"):
        if venue in silent:
            story.at(-1, ev.PositionsRead(venue, (), NOW, unknown="no answer in 5 s"))
            story.at(-1, ev.OrdersRead(venue, (), NOW, unknown="no answer in 5 s"))
        else:
            left = tuple(each for each in (*SIM1_ORDERS, *SIM2_ORDERS) if each.id in standing[venue])
            story.at(-1, ev.OrdersRead(venue, left, NOW - SECOND))
    for name in MODELS:
        story.at(-1, ev.BookRead(name, (), (), NOW - SECOND))
    return beaten(monitored(story, heartbeat=heartbeat))


def narrow() -> Story:
    """One venue was halted, and one strategy at the other paused; the rest of the desk trades on."""
    story = calm()
    story.at(-40, ev.Pulled("p-20260316-1430", "L1", "strategy:maker", "", "cli", "guard", ("sim2",), 60), actor="bo")
    story.at(
        -38, ev.VenueVerdict("p-20260316-1430", "sim2", Verdict.VERIFIED, "maker follows the gate", t_verified=NOW)
    )
    story.at(-12, ev.Pulled(PULL, "L3", "venue:sim1", "", "console", "guard", ("sim1",), 60), actor="ana")
    story.at(-11.9, ev.CordSent(PULL, "sim1", "cancel_all", 1))
    story.at(-11, ev.VenueVerdict(PULL, "sim1", Verdict.PARTIAL, "1 order stands", standing=("8f1c03",)))
    for name, gate in (("momentum", GateState.HALTED), ("meanrev", GateState.HALTED), ("maker", GateState.CLOSE_ONLY)):
        story.at(-1, sampled(name, MODELS[name], gate, 0, "0.12", NOW - SECOND))
    return beaten(story)


def flattened() -> Story:
    """The cord closed every position, and no strategy's book has heard of it."""
    story = verified(Level.L4)
    for venue, positions in (("sim1", SIM1_POSITIONS), ("sim2", SIM2_POSITIONS)):
        for held in positions:
            story.at(-82, ev.CordSent(PULL, venue, "close", 1, target=held.symbol, qty=str(held.qty)))
        story.at(-1, ev.PositionsRead(venue, (), NOW - SECOND))
    for name, positions in (
        ("momentum", SIM1_POSITIONS[:2]),
        ("meanrev", SIM1_POSITIONS[2:]),
        ("maker", SIM2_POSITIONS),
    ):
        story.at(-1, ev.BookRead(name, positions, (), NOW - SECOND, adjusts=True))
    return story


def entangled() -> Story:
    """Flattened; besides, one strategy's host takes no adjustment, a position is nobody's, and an order hangs."""
    story = flattened()
    ghost = position("TSLA", 25, "248.00")
    story.at(-1, ev.PositionsRead("sim1", (ghost,), NOW - SECOND))
    story.at(-1, ev.BookRead("meanrev", SIM1_POSITIONS[2:], (), NOW - SECOND))
    story.at(-1, ev.BookRead("maker", SIM2_POSITIONS, ("a7e110",), NOW - SECOND, adjusts=True))
    return story


def burning() -> Story:
    """A slow broker, a feed without data, and nobody has pulled yet."""
    story = heard(begun())
    story.at(-27, ev.MonitorChanged("broker-heartbeat", "pending", "firing", "812 ms > 500 ×3", "PAGE"))
    story.at(-9, ev.MonitorChanged("bar-age", "ok", "unknown", "no bars read", "PAGE"))
    return beaten(monitored(story, heartbeat="firing", unknown=True))


def reached() -> Story:
    """A burning desk with orders at sim1 that nobody here sent."""
    story = burning()
    foreign = order("c3d900", "mobile-app", "MSFT", "sell", 25)
    return beaten(story.at(-0.5, ev.OrdersRead("sim1", (*SIM1_ORDERS, foreign), NOW - SECOND)))


def detached() -> list[Update]:
    """The guard was killed 43 seconds ago; what was known then is still on the screen."""
    story = beaten(monitored(heard(begun(), ago=44), ago=44), ago=43)
    return [*story.updates, Detached("connection refused")]


def differing() -> Story:
    """A fill that the book never heard of, an order nobody here sent, and one that is just being filled."""
    story = heard(begun(), ago=1)
    as_of = NOW - SECOND
    ghost = position("TSLA", 25, "248.00")
    foreign = order("c3d900", "mobile-app", "TSLA", "sell", 25)
    story.at(-1, ev.PositionsRead("sim1", (position("AAPL", 440, "228.40"), *SIM1_POSITIONS[1:], ghost), as_of))
    story.at(-1, ev.OrdersRead("sim1", (*SIM1_ORDERS, foreign), as_of))
    return beaten(monitored(story))


def walking(tree: Tree, *answers: bool, story: Callable[[], Story] = burning) -> Story:
    """Somebody walks a tree; the answers came ten seconds apart."""
    told, walk = story(), f"{tree.id}-3fa91c"
    told.at(-60, en.WalkBegun(walk, tree), actor="ana")
    here = tree.start
    for number, yes in enumerate(answers):
        note = "503 for 92 s" if not number else ""
        told.at(-50 + 10 * number, en.WalkAnswered(walk, here, yes, note), actor="ana")
        here = tree.questions[here].yes if yes else tree.questions[here].no
    return beaten(told)


def walking_alone(tree: Tree, *answers: bool) -> Callable[[], list[Update]]:
    """A walk while no guard watches."""
    return lambda: [*walking(tree, *answers).updates, Detached("connection refused")]


def with_task(tree: Tree, *answers: bool) -> Story:
    """A walk has ended in a leaf that left a task."""
    told = walking(tree, *answers)
    walk = fold_all(told.records).logbook.walks[f"{tree.id}-3fa91c"].walk
    return beaten(told.at(-5, en.LeafActed(f"{tree.id}-3fa91c", walk.here), actor="ana"))


def running(spec: Runnable, of: Any, *marks: tuple[Any, str]) -> Story:
    """A run in the middle; a step ten seconds."""
    told, run = calm(), f"{spec.id}-91ab20"
    told.at(-300, en.RunBegun(run, of, Run.of(spec)), actor="ana")
    for number, (how, note) in enumerate(marks):
        told.at(-290 + 10 * number, en.StepMarked(run, number, how, note), actor="ana" if number % 2 else "bo")
    return beaten(told)


def attested(*entries: en.GateAttested) -> Story:
    """A desk that keeps its cadence for twelve days, more or less."""
    told = Story().at(-12 * 86400, described())
    told.records += calm().records
    for number, entry in enumerate(entries):
        told.at(-3000 + number, entry, actor="bo" if number % 2 else "ana", writer="operator")
    return beaten(told)
