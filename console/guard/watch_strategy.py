"""One strategy, watched: how it is, and what it believes it holds."""

import asyncio

import msgspec

from adapters.base import StrategyHost, Unknown
from console.desk import events as ev
from console.guard.hub import Hub
from console.guard.pace import Pace, keep_doing

MISSES = 2


class StrategyWatch:
    """Samples a strategy's host and tells the hub; what comes, goes and changes is journaled."""

    def __init__(self, hub: Hub, host: StrategyHost, pace: Pace) -> None:
        self._hub = hub
        self._host = host
        self._pace = pace
        self._last: ev.StrategySampled | None = None
        self._misses = 0

    async def run(self) -> None:
        name = self._host.strategy
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_doing(f"sample of {name}", self._pace.strategy, self.sample))
            tasks.create_task(keep_doing(f"book of {name}", self._pace.strategy, self.book))

    async def sample(self) -> None:
        read = await self._host.sample()
        if isinstance(read, Unknown):
            self._misses += 1
            if self._misses == MISSES:
                self._changed("does not answer", read.reason)
            if self._last is not None:  # what it last said, as old as it is, and that it no longer answers
                self._hub.sample(msgspec.structs.replace(self._last, healthy=False, why=read.reason))
            return
        if self._misses >= MISSES:
            self._changed("answers", "")
        self._misses = 0
        before, self._last = self._last, read.data
        self._hub.sample(read.data)
        if before is not None and before.enabled != read.data.enabled:
            self._changed("enabled" if read.data.enabled else "disabled", "")
        if before is not None and before.model_hash != read.data.model_hash:
            self._changed("runs another model", f"{before.model_hash[:8]} → {read.data.model_hash[:8]}")

    async def book(self) -> None:
        read = await self._host.book()
        if isinstance(read, Unknown):
            empty = ev.BookRead(self._host.strategy, (), (), 0, unknown=read.reason)
            self._hub.sample(empty)
        else:
            self._hub.sample(read.data)

    def _changed(self, what: str, detail: str) -> None:
        self._hub.journal(ev.StrategyChanged(strategy=self._host.strategy, what=what, detail=detail))
