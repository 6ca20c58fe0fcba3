"""One account shared by the strategies that trade in it: its bars, its stream and its equity are read once."""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from adapters.base import Bar, Unknown, Venue
from adapters.simulator.strategies.runner import Runner
from console.desk.events import Filled

if TYPE_CHECKING:
    from decimal import Decimal

LOG = logging.getLogger("strategies")
BARS_EVERY = 0.8
EQUITY_EVERY = 20.0
WARM_UP = 60
UNCLAIMED_KEPT = 500
LONGEST_WAIT = 10.0


class Hub:
    """`equity` is the venue's at the last read, None before. `bars_why` says why there are no bars, empty else."""

    def __init__(self, venue: Venue, runners: list[Runner]) -> None:
        self.venue = venue
        self.runners = runners
        self.equity: Decimal | None = None
        self.bars_why = "no bars yet"
        # Fills of bracket legs may arrive before the answer that names the legs.
        self._unclaimed: deque[Filled] = deque(maxlen=UNCLAIMED_KEPT)

    async def follow_updates(self) -> None:
        async for update in self.venue.updates():
            if isinstance(update, Unknown):
                LOG.warning("a gap in the updates of %s: %s", self.venue.name, update.reason)
                await self._catch_up()
            elif isinstance(update, Filled):
                self._give(update)
            else:
                for runner in self.runners:
                    runner.on_order(update)
                self._claim()

    async def follow_bars(self) -> None:
        for symbol in self._symbols():
            await self._warm_up(symbol)
        wait = BARS_EVERY
        while True:
            latest = await self.venue.latest_bars(self._symbols())
            if isinstance(latest, Unknown):
                if not self.bars_why:
                    LOG.warning("no bars from %s: %s", self.venue.name, latest.reason)
                self.bars_why = latest.reason
                wait = min(wait * 2, LONGEST_WAIT)
            else:
                self.bars_why = ""
                wait = BARS_EVERY
                for bar in latest.data.values():
                    self._spread(bar)
            await asyncio.sleep(wait)

    async def follow_equity(self) -> None:
        while True:
            read = await self.venue.account()
            if not isinstance(read, Unknown):
                self.equity = read.data.equity
            await asyncio.sleep(EQUITY_EVERY)

    def _symbols(self) -> list[str]:
        return sorted({symbol for runner in self.runners for symbol in runner.settings.symbols})

    async def _warm_up(self, symbol: str) -> None:
        """The session's bars so far, where there are any; the last one comes as a fresh one."""
        read = await self.venue.bars(symbol, WARM_UP)
        if isinstance(read, Unknown):
            return
        for runner in self.runners:
            if symbol in runner.bars:
                runner.bars[symbol].extend(read.data[:-1])

    def _spread(self, bar: Bar) -> None:
        for runner in self.runners:
            if bar.symbol in runner.bars:
                runner.on_bar(bar)

    def _give(self, fill: Filled) -> None:
        if not any(runner.on_fill(fill) for runner in self.runners):
            self._unclaimed.append(fill)

    def _claim(self) -> None:
        waiting = list(self._unclaimed)
        self._unclaimed.clear()
        for fill in waiting:
            self._give(fill)

    async def _catch_up(self) -> None:
        """Before anything newer is taken from the stream, or the read would stop at the newer fill."""
        for runner in self.runners:
            wait = 0.25
            while not await runner.catch_up():
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
