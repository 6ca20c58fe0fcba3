"""What a desk tells around an incident, event by event, made up after the recorded stream of a simulated one.

Two venues, three strategies, eight symbols, thirty events a second while it trades: beats, heartbeats, bars, quotes,
positions, orders, books, strategies, monitors, accounts, fills; then a pull, its verdicts, and a desk that is halted.
How often each kind comes, how far prices wander, how long requests take, how many orders rest: as was recorded at the
market's usual speed. The same seed tells the same events.
"""

import random
import uuid
from collections.abc import Iterator
from decimal import Decimal

from console.desk import entries as en
from console.desk import events as ev
from console.desk.events import AnyEvent, Record
from console.desk.pull import GateState, Level, Verdict
from console.desk.state import DeskState, fold
from console.desk.words import SECOND

BEGUN = 1_795_196_280 * SECOND
APART = 3600 * SECOND
MARKET_SPEED = 30
LATENCIES = (900, 910, 1050, 1140, 1280, 1420, 1720, 2200, 3370, 5310, 9800)
"""Deciles of a heartbeat in µs, as recorded."""
LAGS = (0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 3, 4, 8, 16)
OPENING = {
    "sim1": {"AAPL": 21360, "JPM": 25480, "KO": 7040, "MSFT": 45090, "NVDA": 12680, "XOM": 10520},
    "sim2": {"QQQ": 51130, "SPY": 55760},
}
"""Prices in cents."""
STRATEGIES = {
    "momentum": ("sim1", ("AAPL", "MSFT", "NVDA")),
    "meanrev": ("sim1", ("KO", "JPM", "XOM")),
    "maker": ("sim2", ("SPY", "QQQ")),
}
MODELS = {name: f"{random.Random(name).getrandbits(256):064x}" for name in STRATEGIES}
MONITORS = (
    ev.MonitorInfo("worker-liveness", "worker liveness", "INFRA", "fails 2×", "PAGE"),
    ev.MonitorInfo("broker-heartbeat", "broker heartbeat p95", "INFRA", "> 500 ms", "PAGE"),
    ev.MonitorInfo("bar-age", "bar age", "DATA", "> 2×", "PAGE"),
    ev.MonitorInfo("orders-per-minute", "orders per minute", "INFRA", "> 240", "PAGE"),
    ev.MonitorInfo("day-pnl", "day P&L, drawdown", "PNL", "3 % · 6 %", "PAGE"),
    ev.MonitorInfo("error-rate", "errors per minute", "INFRA", "> 10", "PAGE"),
)
CLASSES = ("broker-outage", "runaway-orders", "stale-data", "model-drift", "")
TITLES = ("acks silent", "orders beyond any limit", "bars stand still", "the book is not the broker's", "a drill")
RESTING = 7

Told = Record | str
"""A record; or why a seal is due at this place."""


def cents(value: int) -> Decimal:
    """As JSON numbers come: without zeros at the end."""
    return Decimal(f"{value // 100}.{value % 100:02d}".rstrip("0") if value % 100 else f"{value // 100}.0")


class Book:
    """What is held of one symbol, and what was paid."""

    def __init__(self) -> None:
        self.qty = 0
        self.paid = Decimal(0)

    def trade(self, qty: int, price: Decimal) -> None:
        if self.qty * qty >= 0:
            self.paid = round((self.paid * abs(self.qty) + price * abs(qty)) / (abs(self.qty) + abs(qty)), 6)
        elif abs(qty) > abs(self.qty):
            self.paid = price
        self.qty += qty


class Desk:
    """One incident's desk. `told` is everything, in order."""

    def __init__(self, number: int, state: DeskState) -> None:
        self.chance = random.Random(f"incident {number}")
        self.name = f"INC-{2024 + number // 1000}-{number % 1000 + 1:04d}"
        self.pull = f"20261120T{number:06d}Z-{self.chance.getrandbits(32):08x}"
        self.number = number
        self.now = BEGUN + (number + 1) * APART
        self.seq = max(state.heads.values(), default=0)
        self.second = 0
        drift = self.chance.uniform(0.7, 1.4)
        self.prices = {venue: {name: int(p * drift) for name, p in row.items()} for venue, row in OPENING.items()}
        self.bars: dict[str, ev.Bar] = {}
        self.books = {symbol: Book() for row in OPENING.values() for symbol in row}
        self.orders: dict[str, dict[str, ev.Order]] = {venue: {} for venue in OPENING}
        self.counts = dict.fromkeys(STRATEGIES, 20)
        self.fills = dict.fromkeys(STRATEGIES, 12)
        self.equity = dict.fromkeys(OPENING, 100_000_000)
        self.trading = True
        for venue, prices in self.prices.items():
            for symbol in prices:
                self._new_bar(venue, symbol)

    def told(self, events: int) -> Iterator[Told]:
        """About so many records: half of them before the pull."""
        count = 0
        while count < events // 2:
            for record in self._second():
                count += 1
                yield record
        yield from self._pulled()
        yield "pull"
        verified = self.second + 60
        while count < events - 60:
            for record in self._second():
                count += 1
                yield record
            if self.second == verified:
                for venue in OPENING:
                    why = "nothing open, 60 s without a new order or fill"
                    yield self._record(self._verdict(venue, Verdict.VERIFIED, why, t_verified=self.now))
                yield "verified"
        yield self._record(en.IncidentNoted(self.name, "the broker says that it is over"), "ana", self.name)
        yield self._record(en.IncidentClosed(self.name, "the broker was down for six minutes"), "ana", self.name)
        yield "closed"

    def sealed(self, event: ev.ArchiveSealed) -> Record:
        return self._record(event, "guard", self.name)

    def _record(self, event: AnyEvent, actor: str = "guard", incident: str | None = None) -> Record:
        self.now += self.chance.randrange(80_000, 2_000_000)
        durable = not isinstance(event, ev.Sample)
        self.seq += durable
        return Record(self.now, "guard", actor, event, self.seq if durable else 0, incident)

    # --- a second of it ----------------------------------------------------------------------------------------------

    def _second(self) -> Iterator[Record]:
        self.second += 1
        begun = self.now
        self._move()
        half = self._half
        for event in (*half(), *self._slow(), *half()):
            self.now += self.chance.randrange(1_000_000, 40_000_000)
            yield self._record(event)
        self.now = max(self.now, begun + SECOND)

    def _half(self) -> Iterator[AnyEvent]:
        yield ev.GuardBeat(self.chance.choice(LAGS))
        for venue in OPENING:
            if self.trading:
                yield from self._trade(venue)
            if self.trading or self.chance.random() < 0.3:
                yield self._positions(venue)
                yield ev.OrdersRead(venue, tuple(self.orders[venue].values()), self._as_of())

    def _slow(self) -> Iterator[AnyEvent]:
        for venue in OPENING:
            yield ev.Heartbeat(venue, self._latency())
            yield self._bars(venue)
            yield self._quotes(venue)
        for name in STRATEGIES:
            yield self._strategy(name)
            yield self._book(name)
        yield from self._monitors()
        if self.second % 5 == 0:
            for venue in OPENING:
                yield self._account(venue)
        if self.second % 6 == 0:
            digest, name = self.chance.getrandbits(256), self.chance.getrandbits(32)
            rows = self.chance.randrange(20, 30)
            yield ev.TelemetryKept(f"{self.now}-{name:08x}.parquet", f"{digest:064x}", rows, 2600 + 7 * rows)

    def _as_of(self) -> int:
        return self.now - self.chance.randrange(500_000, 9_000_000)

    def _latency(self) -> int:
        decile = self.chance.randrange(len(LATENCIES) - 1)
        return self.chance.randint(LATENCIES[decile], LATENCIES[decile + 1])

    # --- the market --------------------------------------------------------------------------------------------------

    def _market_time(self) -> int:
        return BEGUN - APART + self.second * MARKET_SPEED * SECOND

    def _move(self) -> None:
        for venue, prices in self.prices.items():
            for symbol, price in prices.items():
                prices[symbol] = max(100, round(price * (1 + self.chance.gauss(0, 0.0007))))
                if self.second * MARKET_SPEED % 60 == 0:
                    self._new_bar(venue, symbol)

    def _new_bar(self, venue: str, symbol: str) -> None:
        price = self.prices[venue][symbol]
        spread = max(1, price // 2000)
        opened = price - self.chance.randint(-spread, spread)
        low = min(opened, price) - self.chance.randint(0, spread)
        high = max(opened, price) + self.chance.randint(0, spread)
        start = self._market_time() // (60 * SECOND) * 60 * SECOND
        volume = Decimal(int(self.chance.gauss(30_000, 2000)))
        told = (cents(each) for each in (opened, high, low, price))
        self.bars[symbol] = ev.Bar(symbol, start, 60, *told, volume)

    def _bars(self, venue: str) -> AnyEvent:
        latest = tuple(self.bars[symbol] for symbol in self.prices[venue])
        age = round(self.chance.random(), 12)
        return ev.BarsRead(venue, len(latest), age, latest[-1].symbol, self._as_of(), latest=latest)

    def _quotes(self, venue: str) -> AnyEvent:
        spread = 1 if venue == "sim1" else 3
        told = []
        for symbol, price in self.prices[venue].items():
            size = Decimal(self.chance.randint(150, 600))
            told.append(ev.Quote(symbol, cents(price - spread), cents(price + spread), size, size, self._market_time()))
        return ev.QuotesRead(venue, tuple(told), self._as_of())

    # --- what is held and worked on ----------------------------------------------------------------------------------

    def _trade(self, venue: str) -> Iterator[AnyEvent]:
        if self.chance.random() < 0.55:
            name = "maker" if venue == "sim2" else self.chance.choice(("momentum", "meanrev"))
            yield self._filled(name, venue)

    def _filled(self, name: str, venue: str) -> AnyEvent:
        symbol = self.chance.choice(STRATEGIES[name][1])
        price = cents(self.prices[venue][symbol] + self.chance.randint(-20, 20))
        at = self._market_time() + self.chance.randrange(SECOND)
        order = self._new_order(name, symbol, price, at)
        resting = self.orders[venue]
        if name == "maker":
            resting[order.id] = order
            if len(resting) > RESTING:
                order = resting.pop(next(iter(resting)))
        else:
            resting.clear()
            if self.chance.random() < 0.4:
                resting[order.id] = order
        qty = int(order.qty) * (1 if order.side == "buy" else -1)
        book = self.books[order.symbol]
        if abs(book.qty) > 12:  # back towards flat
            qty = -abs(qty) if book.qty > 0 else abs(qty)
        filled = order.limit_price or price
        book.trade(qty, filled)
        self.fills[name] += 1
        return ev.Filled(
            venue,
            str(uuid.UUID(int=self.chance.getrandbits(128))),
            order.id,
            order.client_order_id,
            order.symbol,
            "buy" if qty > 0 else "sell",
            Decimal(abs(qty)),
            filled,
            at,
        )

    def _new_order(self, name: str, symbol: str, price: Decimal, at: int) -> ev.Order:
        self.counts[name] += 1
        return ev.Order(
            id=str(uuid.UUID(int=self.chance.getrandbits(128))),
            client_order_id=f"{name}-{MODELS[name][:8]}{self.counts[name]:06x}",
            symbol=symbol,
            side=self.chance.choice(("buy", "sell")),
            qty=Decimal(self.chance.choice((3, 4, 8))),
            filled_qty=Decimal(0),
            type="limit",
            status="new" if self.chance.random() < 0.8 else "accepted",
            created=at,
            limit_price=price,
            time_in_force="day",
        )

    def _held(self, symbols: "tuple[str, ...] | dict[str, int]", venue: str) -> tuple[ev.Position, ...]:
        prices = self.prices[venue]
        return tuple(
            ev.Position(symbol, Decimal(book.qty), book.paid, cents(prices[symbol] + self.chance.randint(-15, 15)))
            for symbol in symbols
            if (book := self.books[symbol]).qty
        )

    def _positions(self, venue: str) -> AnyEvent:
        return ev.PositionsRead(venue, self._held(self.prices[venue], venue), self._as_of())

    def _book(self, name: str) -> AnyEvent:
        venue, symbols = STRATEGIES[name]
        ids = tuple(self.orders[venue]) if name == "maker" else ()
        return ev.BookRead(name, self._held(symbols, venue), ids, self._as_of(), adjusts=True)

    def _strategy(self, name: str) -> AnyEvent:
        return ev.StrategySampled(
            strategy=name,
            healthy=True,
            enabled=True,
            gate=GateState.OPEN if self.trading else GateState.HALTED,
            orders_sent=self.counts[name],
            orders_per_minute=self.counts[name] if self.trading else 0,
            fills=self.fills[name],
            predictions=40 + 3 * self.second,
            day_pct=Decimal(self.chance.randint(-40, 40)) / 10000,
            model_hash=MODELS[name],
            as_of=self._as_of(),
        )

    def _monitors(self) -> Iterator[AnyEvent]:
        as_of = [self._as_of() for _ in range(4)]
        beat, age, rate = self._latency() // 200, self.chance.random(), sum(self.counts.values()) if self.trading else 0
        lost = self.chance.randint(0, 90) / 60000
        yield ev.MonitorSampled("worker-liveness", "ok", "3/3 up", 0.0, as_of[0])
        yield ev.MonitorSampled("broker-heartbeat", "ok", f"{beat} ms", beat / 500, as_of[1])
        yield ev.MonitorSampled("bar-age", "ok", f"{age:.1f}×", age / 2, as_of[2])
        yield ev.MonitorSampled("orders-per-minute", "ok", f"{rate}/min", rate / 240, as_of[0])
        yield ev.MonitorSampled("day-pnl", "ok", "0.00 % dd 0.00 %", lost, as_of[3])
        yield ev.MonitorSampled("error-rate", "ok", "0/min", 0.0, as_of[0])

    def _account(self, venue: str) -> AnyEvent:
        self.equity[venue] += self.chance.randint(-900, 900)
        share = Decimal(self.equity[venue] - 100_000_000) / 1_000_000
        return ev.AccountRead(venue, cents(self.equity[venue]), round(share, 4), abs(round(share, 4)), self._as_of())

    # --- the pull ----------------------------------------------------------------------------------------------------

    def _verdict(self, venue: str, verdict: Verdict, why: str, **times: int) -> ev.VenueVerdict:
        return ev.VenueVerdict(self.pull, venue, verdict, why, t_blocked=self.now, **times)

    def _pulled(self) -> Iterator[Record]:
        kind = self.number % len(CLASSES)
        level, reason, venues = Level.L3.value, TITLES[kind], tuple(OPENING)
        yield self._record(ev.Pulled(self.pull, level, "desk", reason, "console", "guard", venues), "ana")
        yield self._record(ev.GateChanged(GateState.HALTED, Decimal(0), "L3 desk by ana", rate_factor=Decimal(0)))
        opened = en.IncidentOpened(self.name, CLASSES[kind], f"P{self.number % 3}", reason, self.pull)
        for venue in venues:
            yield self._record(ev.CordSent(self.pull, venue, "cancel_all", 1, at=self.now))
        yield self._record(self._evidence())
        yield self._record(opened, "guard", self.name)
        for venue in venues:
            items, took = len(self.orders[venue]), self.chance.randint(20, 90)
            answered = ev.CordAnswered(self.pull, venue, "cancel_all", "acked", status=207, items=items, took_ms=took)
            yield self._record(answered)
            yield self._record(ev.QuietRestarted(self.pull, venue, "nothing open"))
            yield self._record(self._verdict(venue, Verdict.REQUESTED, "nothing open; quiet so far"))
            self.orders[venue].clear()
        yield self._record(ev.LatchSet(self.pull))
        self.trading = False

    def _evidence(self) -> ev.EvidenceTaken:
        return ev.EvidenceTaken(
            self.pull,
            positions={venue: self._held(prices, venue) for venue, prices in self.prices.items()},
            orders={venue: tuple(orders.values()) for venue, orders in self.orders.items()},
            book={name: self._held(symbols, venue) for name, (venue, symbols) in STRATEGIES.items()},
            model_hashes=MODELS,
            config_hash=f"{7:064x}",
        )


def before() -> DeskState:
    """The desk before any incident: it was described, it trades, and some of its monitors have spoken."""
    at, told = BEGUN - APART, DeskState()
    described = ev.DeskDescribed(
        name="demo",
        mode="simulated",
        venues=tuple(ev.VenueInfo(name, "alpaca", "http://127.0.0.1:4100", f"PA3T9{name[-1]}LQ") for name in OPENING),
        strategies=tuple(
            ev.StrategyInfo(name, venue, symbols, MODELS[name]) for name, (venue, symbols) in STRATEGIES.items()
        ),
        config_hash=f"{7:064x}",
        monitors=MONITORS,
        limits_hash=f"{9:064x}",
    )
    events: list[AnyEvent] = [described, ev.GuardStarted("0.1.0", 4711, recovered=0)]
    events.append(ev.GateChanged(GateState.OPEN, Decimal(1), "started"))
    events += [ev.VenueChanged(venue, True) for venue in OPENING] + [
        ev.SessionChanged(venue, True) for venue in OPENING
    ]
    events += [ev.StrategyChanged(name, "up", f"model {MODELS[name][:8]}…") for name in STRATEGIES]
    for hour in range(30):
        monitor = MONITORS[hour % len(MONITORS)].id
        events += [ev.MonitorChanged(monitor, "ok", "firing", f"{hour + 241}/min", "PAGE")]
        events += [ev.MonitorChanged(monitor, "firing", "ok", "64/min", "PAGE")]
    for seq, event in enumerate(events, 1):
        told = fold(told, Record(at + seq * SECOND, "guard", "guard", event, seq))
    return told
