"""The market: a clock that skips idle hours, and a seeded price process.

The price of a symbol is a pure function of (seed, symbol, session number, second of the session), whatever the wall
clock did: a day is a step of a random walk, its minutes a Brownian bridge from open to close, its seconds bridges from
minute to minute. So any moment, past or future, can be asked for directly, and two brokers with one seed agree.
Session 0 is the day on which the market began; history reaches `HISTORY` sessions further back.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from adapters.simulator.sessions import SECOND, Session, following, new_york_date, preceding, session_until

MINUTE = 60 * SECOND
HISTORY = 20
CLOSED_PERIOD = 5 * MINUTE
CENT = Decimal("0.01")
MICRO = Decimal("0.000001")

DAY_MOVE = 0.012
GAP_MOVE = 0.003
MINUTE_MOVE = 0.0008
SECOND_MOVE = 0.00012
PULL = 0.05


@dataclass(frozen=True, slots=True)
class Listing:
    """A tradable symbol and the price around which it wanders."""

    symbol: str
    name: str
    exchange: str
    price: float


LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("AAPL", "Apple Inc. Common Stock", "NASDAQ", 212.0),
        Listing("AMZN", "Amazon.com, Inc. Common Stock", "NASDAQ", 205.0),
        Listing("GOOGL", "Alphabet Inc. Class A Common Stock", "NASDAQ", 178.0),
        Listing("JPM", "JPMorgan Chase & Co.", "NYSE", 262.0),
        Listing("KO", "Coca-Cola Company", "NYSE", 71.0),
        Listing("META", "Meta Platforms, Inc. Class A Common Stock", "NASDAQ", 610.0),
        Listing("MSFT", "Microsoft Corporation Common Stock", "NASDAQ", 448.0),
        Listing("NVDA", "NVIDIA Corporation Common Stock", "NASDAQ", 131.0),
        Listing("QQQ", "Invesco QQQ Trust, Series 1", "NASDAQ", 512.0),
        Listing("SPY", "SPDR S&P 500 ETF Trust", "ARCA", 588.0),
        Listing("TSLA", "Tesla, Inc. Common Stock", "NASDAQ", 318.0),
        Listing("XOM", "Exxon Mobil Corporation", "NYSE", 108.0),
    )
}


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask, the last trade's price, and the shares shown on each side. `at` is UTC ns."""

    symbol: str
    at: int
    bid: Decimal
    ask: Decimal
    last: Decimal
    size: int


@dataclass(frozen=True, slots=True)
class MarketBar:
    """OHLCV from `start` (UTC ns). `trades` counts prints."""

    start: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    trades: int
    vwap: Decimal


def money(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def bridge(rng: random.Random, start: float, end: float, steps: int, move: float) -> list[float]:
    """A Brownian bridge: `steps` + 1 log prices from `start` to `end`."""
    walk = [0.0]
    for _ in range(steps):
        walk.append(walk[-1] + rng.gauss(0.0, move))
    drift = (end - start - walk[-1]) / steps
    return [start + level + drift * index for index, level in enumerate(walk)]


class PriceProcess:
    """The prices of one symbol. Sessions are counted from 0; negative ones are history."""

    def __init__(self, seed: int, listing: Listing) -> None:
        self.listing = listing
        self._seed = seed
        self._days = self._rng("days")
        self._closes = [math.log(listing.price)]
        self._opens = [math.log(listing.price)]
        # Bound per instance, so that a dropped market drops its caches too.
        self._minutes = lru_cache(maxsize=64)(self._draw_minutes)
        self.seconds = lru_cache(maxsize=4096)(self._draw_seconds)

    def _rng(self, *what: object) -> random.Random:
        return random.Random(f"{self._seed}/{self.listing.symbol}/{'/'.join(map(str, what))}")  # noqa: S311

    def _day(self, number: int) -> tuple[float, float]:
        index = number + HISTORY + 1
        centre = math.log(self.listing.price)
        while len(self._closes) <= index:
            opened = self._closes[-1] + self._days.gauss(0.0, GAP_MOVE)
            self._opens.append(opened)
            self._closes.append(opened + PULL * (centre - opened) + self._days.gauss(0.0, DAY_MOVE))
        return self._opens[index], self._closes[index]

    def _draw_minutes(self, number: int, minutes: int) -> list[float]:
        opened, closed = self._day(number)
        return bridge(self._rng(number), opened, closed, minutes, MINUTE_MOVE)

    def _draw_seconds(self, number: int, minutes: int, minute: int) -> tuple[list[int], list[int]]:
        """The 61 prices of a minute in cents (the last one begins the next), and the shares traded in each second."""
        path = self._minutes(number, minutes)
        rng = self._rng(number, minute)
        levels = bridge(rng, path[minute], path[minute + 1], 60, SECOND_MOVE)
        return [round(math.exp(level) * 100) for level in levels], [100 + int(rng.random() * 800) for _ in range(60)]


class Market:
    """All symbols on one timeline. `begin` is the session numbered 0."""

    def __init__(self, seed: int, begin: Session) -> None:
        self.seed = seed
        self.begin = begin
        self._processes = {symbol: PriceProcess(seed, listing) for symbol, listing in LISTINGS.items()}
        self._numbers: dict[Session, int] = {begin: 0}
        self._edges = (begin, begin)
        self._bars = lru_cache(maxsize=16384)(self._draw_bar)

    def number(self, session: Session) -> int:
        """How many sessions after (or, negative, before) the first one this is."""
        while session not in self._numbers:
            first, last = self._edges
            if session.day > last.day:
                last = following(last)
                self._numbers[last] = self._numbers[self._edges[1]] + 1
            elif session.day < first.day:
                first = preceding(first)
                self._numbers[first] = self._numbers[self._edges[0]] - 1
            self._edges = (first, last)
        return self._numbers[session]

    def place(self, at: int) -> tuple[Session, int]:
        """The session and its second that is in force at a time: between sessions the last second of the former.

        All prices depend on this and on nothing else: while it stands still, so do they."""
        session = session_until(new_york_date(at))
        if at < session.open:
            session = preceding(session)
        return session, min((at - session.open) // SECOND, session.seconds)

    def _second(self, symbol: str, session: Session, second: int) -> tuple[int, int]:
        """The price in cents and the shares traded in one second of a session."""
        minutes = session.seconds // 60
        minute = min(second // 60, minutes - 1)
        prices, sizes = self._processes[symbol].seconds(self.number(session), minutes, minute)
        return prices[second - minute * 60], sizes[min(second - minute * 60, 59)]

    def quote(self, symbol: str, at: int) -> Quote:
        session, second = self.place(at)
        price, size = self._second(symbol, session, second)
        last = money(price)
        half = max(CENT, (last / 20000).quantize(CENT))
        return Quote(symbol, min(at, session.open + second * SECOND), last - half, last + half, last, size)

    def span(self, symbol: str, since: int, at: int) -> tuple[Quote, Decimal, Decimal]:
        """The quote at `at`, and the lowest and highest trade after `since`, at most one session's."""
        quote = self.quote(symbol, at)
        session, second = self.place(at)
        before, begun = self.place(since)
        first = begun + 1 if before == session else 0
        prices = [self._second(symbol, session, index)[0] for index in range(min(first, second), second + 1)]
        return quote, money(min(prices)), money(max(prices))

    def _draw_bar(self, symbol: str, session: Session, minute: int) -> MarketBar:
        prices, sizes = self._processes[symbol].seconds(self.number(session), session.seconds // 60, minute)
        prices = prices[:60]
        volume = sum(sizes)
        turnover = money(sum(price * size for price, size in zip(prices, sizes, strict=True)))
        start = session.open + minute * MINUTE
        return MarketBar(
            start=start,
            open=money(prices[0]),
            high=money(max(prices)),
            low=money(min(prices)),
            close=money(prices[-1]),
            volume=volume,
            trades=60,
            vwap=(turnover / volume).quantize(MICRO),
        )

    def minute_bars(
        self, symbol: str, start: int, end: int, now: int, *, newest_first: bool = False
    ) -> Iterator[MarketBar]:
        """Complete one-minute bars that begin in [start, end] and are over at `now`, oldest first by default.
        Each is drawn when it is asked for: who needs the last few of a week does not pay for the week."""
        first = self.begin
        for _ in range(HISTORY):
            first = preceding(first)
        sessions = [session_until(new_york_date(max(start, first.open)))]
        while sessions[-1].open <= min(end, now):
            sessions.append(following(sessions[-1]))
        step = -1 if newest_first else 1
        for session in sessions[::step]:
            begun = max(0, -((session.open - start) // MINUTE))
            over = min(session.seconds // 60, (end - session.open) // MINUTE + 1, (now - session.open) // MINUTE)
            for minute in range(begun, over)[::step]:
                yield self._bars(symbol, session, minute)

    def latest_bar(self, symbol: str, now: int) -> MarketBar:
        """The last complete one-minute bar."""
        session, second = self.place(now)
        if second < 60:
            session = preceding(session)
            second = session.seconds
        return self._bars(symbol, session, second // 60 - 1)


def aggregate(start: int, bars: list[MarketBar]) -> MarketBar:
    """One or more bars, oldest first, as one that begins at `start`."""
    volume = sum(bar.volume for bar in bars)
    turnover = sum((bar.vwap * bar.volume for bar in bars), Decimal(0))
    return MarketBar(
        start,
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        volume,
        sum(bar.trades for bar in bars),
        (turnover / volume).quantize(MICRO),
    )


class MarketClock:
    """Venue time, UTC ns: runs at `speed` × wall time and, some minutes after the close, jumps to the next open.

    `forced` keeps the market open (True) or closed (False) whatever the calendar says.
    """

    def __init__(self, now: int, speed: float, forced: bool | None = None) -> None:
        self.now = now
        self.speed = speed
        self.forced = forced
        self.session = session_until(new_york_date(now))
        if now < self.session.open:
            self.session = preceding(self.session)

    def advance(self, wall_ns: int) -> None:
        """Moves on by so much wall time. Time never goes back."""
        self.shift(int(wall_ns * self.speed))

    def shift(self, market_ns: int) -> None:
        """Moves on by so much market time."""
        self.now += max(0, market_ns)
        if self.now < self.session.close + CLOSED_PERIOD:
            return
        self.session = following(self.session)
        while self.now > self.session.close + CLOSED_PERIOD:
            self.session = following(self.session)
        self.now = max(self.now, self.session.open)

    @property
    def is_open(self) -> bool:
        if self.forced is not None:
            return self.forced
        return self.session.open <= self.now < self.session.close

    @property
    def next_open(self) -> int:
        return self.session.open if self.now < self.session.open else following(self.session).open

    @property
    def next_close(self) -> int:
        return self.session.close if self.now < self.session.close else following(self.session).close
