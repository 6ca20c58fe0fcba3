"""One venue, watched: its heartbeat, session, broker truth, account, bars, quotes and fills, each at its own pace.

Every venue has tasks of its own, so that one that hangs delays nothing but itself. A heartbeat that failed, or was not
answered within a second, is told as missing at once. A venue counts as *not answering* after `MISSES` failed heartbeats
in a row or `SILENT_SECONDS` without any answer, even while a request still hangs, and as answering again with the first
heartbeat that is answered. A read that fails says why, and leaves what was last known in place, aging.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

from adapters.base import Bar, Clock, Ok, Read, Unknown, Venue
from console.desk import events as ev
from console.desk.cadence import quarters_around
from console.desk.logbook import utc_day
from console.desk.metrics import OVERDUE_US
from console.desk.pull import normal_symbol
from console.desk.state import VenueState
from console.guard.fills import Fills
from console.guard.hub import Hub
from console.guard.pace import Pace, keep_doing
from console.guard.peaks import Peaks

DAY = 86_400_000_000_000
MISSES = 3
SILENT_SECONDS = 15
READ_SECONDS = 20.0
"""Above any adapter's own timeout times its pages: only a bug ever gets here."""

T = TypeVar("T")
_PERCENT = Decimal(100)


class VenueWatch:
    """Looks at `venue` and tells the hub. `symbols` are those whose bars and quotes are watched; `peaks` keeps the
    highest equity over restarts; `identified(venue, account number)` is called when the account is known."""

    def __init__(
        self,
        hub: Hub,
        venue: Venue,
        symbols: tuple[str, ...],
        pace: Pace,
        fills: Fills,
        peaks: Peaks,
        identified: Callable[[str, str], None],
    ) -> None:
        self._hub = hub
        self._venue = venue
        self._symbols = symbols
        self._pace = pace
        self._fills = fills
        self._peaks = peaks
        self._identified = identified
        self._misses = 0
        self._missing_told = False
        self._silent = 0
        self._told: bool | None = None
        self._due = asyncio.Event()
        self._clock: tuple[int, Clock] | None = None
        self._rate = 1.0
        self._open_since = 0
        self._number = ""

    @property
    def _known(self) -> VenueState | None:
        return self._hub.state.venues.get(self._venue.name)

    async def run(self) -> None:
        """All watches of this venue, for ever."""
        name, pace = self._venue.name, self._pace
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_doing(f"heartbeat of {name}", pace.heartbeat, self.heartbeat))
            tasks.create_task(keep_doing(f"silence of {name}", 1, self._second_of_silence))
            tasks.create_task(keep_doing(f"broker truth of {name}", 0, self._truth_in_turn))
            tasks.create_task(keep_doing(f"account of {name}", pace.account, self.account))
            tasks.create_task(keep_doing(f"calendar of {name}", pace.calendar, self.calendar))
            tasks.create_task(keep_doing(f"fills of {name}", pace.sweep, self._fills.sweep))
            tasks.create_task(keep_doing(f"updates of {name}", pace.burst, self._updates))
            if self._symbols:
                tasks.create_task(keep_doing(f"bars of {name}", pace.bars, self.bars))
            tasks.create_task(keep_doing(f"quotes of {name}", pace.bars, self.quotes))

    async def heartbeat(self) -> None:
        """One timed request; what it says about the session; and whether the venue answers."""
        name, began, as_of = self._venue.name, time.monotonic_ns(), self._hub.clock()
        self._missing_told = False
        patience = OVERDUE_US / 1e6
        overdue = asyncio.get_running_loop().call_later(patience, self._missing, f"no answer for {patience:.0f} s")
        try:
            read = await self._heard(self._venue.clock())
        finally:
            overdue.cancel()
        took_us = (time.monotonic_ns() - began) // 1000
        if isinstance(read, Unknown):
            self._misses += 1
            if not self._missing_told:
                self._missing(read.reason)
            if self._misses >= MISSES:
                self._answers(False, read.reason)
            return
        self._misses = 0
        self._hub.sample(ev.Heartbeat(venue=name, latency_us=took_us))
        self._answers(True, "")
        self._ticked(as_of, read.data)

    def _missing(self, why: str) -> None:
        """The current heartbeat failed or is overdue: told once, whichever comes first."""
        self._missing_told = True
        self._hub.sample(ev.Heartbeat(venue=self._venue.name, latency_us=None, why=why))

    async def _heard(self, reading: Awaitable[Read[T]]) -> Read[T]:
        """The reading; one that succeeded ends the silence."""
        read = await _within(reading)
        if not isinstance(read, Unknown):
            self._silent = 0
        return read

    async def _second_of_silence(self) -> None:
        # Seconds are counted rather than measured: those in which we were frozen are not the venue's.
        self._silent += 1
        if self._silent > SILENT_SECONDS:
            self._answers(False, f"nothing heard for {SILENT_SECONDS} s")

    def _answers(self, answers: bool, why: str) -> None:
        """Journal a change. What we said last counts before what is on disk by now."""
        known = self._known
        if known is None:
            return
        before = known.answers if self._told is None else self._told
        self._told = answers
        if before is not answers:
            self._hub.journal(ev.VenueChanged(venue=self._venue.name, answers=answers, why=why))

    def _ticked(self, as_of: int, clock: Clock) -> None:
        """Keep the venue's clock, and how fast it runs beside ours (an accelerated simulated market does)."""
        if self._clock is not None and as_of > self._clock[0]:
            self._rate = max(0.0, (clock.now - self._clock[1].now) / (as_of - self._clock[0]))
        if clock.is_open and (self._clock is None or not self._clock[1].is_open):
            self._open_since = clock.now
        self._clock = (as_of, clock)
        next_change = clock.next_close if clock.is_open else clock.next_open
        known = self._known
        if known is not None and (known.open, known.next_change) != (clock.is_open, next_change):
            self._hub.journal(ev.SessionChanged(venue=self._venue.name, open=clock.is_open, next_change=next_change))

    async def calendar(self) -> None:
        """The sessions of the quarters around this one. A read that failed, or names none, changes nothing."""
        first, last = quarters_around(utc_day(self._hub.clock()))
        read = await self._heard(self._venue.sessions(first, last))
        known = self._known
        if known is not None and isinstance(read, Ok) and read.data:
            told = ev.CalendarRead(self._venue.name, first, last, read.data)
            if known.calendar != told:
                self._hub.journal(told)

    def venue_now(self) -> int | None:
        """The venue's own time (UTC ns), carried on from its last heartbeat; None before the first."""
        if self._clock is None:
            return None
        as_of, clock = self._clock
        return clock.now + int((self._hub.clock() - as_of) * self._rate)

    def look_again(self) -> None:
        """Something changed: read broker truth soon."""
        self._due.set()

    async def _truth_in_turn(self) -> None:
        self._due.clear()
        await self.truth()
        await asyncio.sleep(self._pace.burst)
        try:
            async with asyncio.timeout(self._pace.truth - self._pace.burst):
                await self._due.wait()
        except TimeoutError:
            return

    async def truth(self) -> None:
        """Positions and open orders, side by side."""
        positions, orders = await asyncio.gather(
            self._heard(self._venue.positions()), self._heard(self._venue.open_orders())
        )
        name, known, now = self._venue.name, self._known, self._hub.clock()
        if isinstance(positions, Unknown) or not positions.complete:
            why = positions.reason if isinstance(positions, Unknown) else "not every page could be read"
            self._hub.sample(ev.PositionsRead(name, known.positions if known else (), now, unknown=why))
        else:
            self._hub.sample(ev.PositionsRead(name, positions.data, positions.as_of))
        if isinstance(orders, Unknown):
            self._hub.sample(ev.OrdersRead(name, known.orders if known else (), now, unknown=orders.reason))
        else:
            self._hub.sample(ev.OrdersRead(name, orders.data, orders.as_of, complete=orders.complete))

    async def account(self) -> None:
        """Equity, the day's result and the drawdown. A failed read is left to age."""
        read = await self._heard(self._venue.account())
        if isinstance(read, Unknown):
            return
        account, name = read.data, self._venue.name
        if account.number != self._number:
            self._number = account.number
            self._identified(name, account.number)
        peak = self._peaks.raise_to(name, max(account.equity, account.last_equity))
        day = _percent(account.equity - account.last_equity, account.last_equity)
        drawdown = _percent(peak - account.equity, peak)
        self._hub.sample(ev.AccountRead(name, account.equity, day, drawdown, read.as_of))

    async def bars(self) -> None:
        """The newest bar of every symbol: the oldest of them is the reading."""
        name, now = self._venue.name, self.venue_now()
        read = await _within(self._venue.latest_bars(self._symbols))
        if isinstance(read, Unknown) or now is None:
            why = read.reason if isinstance(read, Unknown) else "the venue's clock is not known"
            self._hub.sample(ev.BarsRead(name, 0, None, "", self._hub.clock(), why=why))
            return
        here = {normal_symbol(symbol) for symbol in read.data}
        missing = [symbol for symbol in self._symbols if normal_symbol(symbol) not in here]
        latest = tuple(read.data.values())
        if missing:
            why = f"no bar of {missing[0]}"
            self._hub.sample(ev.BarsRead(name, len(latest), None, missing[0], read.as_of, why=why, latest=latest))
            return
        age, worst = max((bar_age(bar, now, self._open_since), symbol) for symbol, bar in read.data.items())
        self._hub.sample(ev.BarsRead(name, len(latest), age, worst, read.as_of, latest=latest))

    async def quotes(self) -> None:
        """The market in every symbol that is traded or held here."""
        name, known = self._venue.name, self._known
        held = [position.symbol for position in known.positions] if known else []
        symbols = sorted({*self._symbols, *held})
        if not symbols:
            return
        read = await _within(self._venue.latest_quotes(symbols))
        if isinstance(read, Unknown):
            self._hub.sample(ev.QuotesRead(name, (), self._hub.clock(), unknown=read.reason))
        else:
            self._hub.sample(ev.QuotesRead(name, read.data, read.as_of))

    async def _updates(self) -> None:
        async for told in self._venue.updates():
            if isinstance(told, ev.Filled):
                self._fills.heard(told)
            elif isinstance(told, Unknown):
                await self._fills.sweep()
            self.look_again()


def bar_age(bar: Bar, now: int, open_since: int) -> float:
    """The age of a bar in its own intervals, counted from its end; never negative. Times are the venue's (UTC ns).

    A session begins with bars of the day before. Those are counted from the time at which the session was first seen
    open, when no newer ones could be expected yet."""
    interval = bar.interval * 1_000_000_000
    end = bar.start + interval
    since = open_since if end // DAY < open_since // DAY else end
    return max(0.0, (now - since) / interval)


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole * _PERCENT).quantize(Decimal("0.0001")) if whole else Decimal(0)


async def _within(reading: Awaitable[Read[T]]) -> Read[T]:
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await reading
    except TimeoutError:
        return Unknown(f"no answer within {READ_SECONDS:.0f} s")
