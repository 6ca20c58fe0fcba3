"""Everybody who waits for the gate over HTTP, on one pair of eyes: the two files are read once for all of them."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from console.desk.gate import Gate, closed
from console.guard.aside import beside
from console.guard.gatekeeper import GateKeeper, Look

LOOK_EVERY = 0.1
READ_SECONDS = 1.0
MOST_WAITERS = 256
"""Each holds a connection, and a process may have no more than about a thousand open files."""

Order: TypeAlias = tuple[str, str, str]
"""Venue, strategy and symbol."""


class TooMany(Exception):
    """More wait than the guard has connections to spare for."""


def revision(gate: Gate) -> str:
    """A name for what the gate says, the same for as long as it says it, whichever guard answers."""
    told = "\0".join((gate.state.value, gate.size_factor, gate.rate_factor, str(gate.because)))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


class _Waiter(msgspec.Struct, eq=False):
    knows: str
    answer: "asyncio.Future[Gate]"
    listens: Callable[[], bool]


class GateWatch:
    """Belongs to the loop. While anybody waits the files are looked at every `LOOK_EVERY` seconds: a pull by whatever
    hand shows in them, and one that could not be written is known to the keeper."""

    def __init__(self, gate: GateKeeper) -> None:
        self._gate = gate
        self._waiting: dict[Order, list[_Waiter]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[Look] | None = None

    async def now(self, order: Order) -> Gate:
        """What a strategy that asked at this moment would be told."""
        return (await self._look())(order)

    async def changed(self, order: Order, knows: str, seconds: float, listens: Callable[[], bool]) -> Gate:
        """The gate as soon as its revision is not `knows`, or as it is when the time is up or nobody `listens` any
        more. Raises TooMany."""
        gate = await self.now(order)
        if revision(gate) != knows or seconds <= 0:
            return gate
        if sum(map(len, self._waiting.values())) >= MOST_WAITERS:
            raise TooMany
        waiter = _Waiter(knows, asyncio.get_running_loop().create_future(), listens)
        self._waiting.setdefault(order, []).append(waiter)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(seconds):
                return await waiter.answer
        except TimeoutError:
            return await self.now(order)
        finally:
            waiters = self._waiting[order]
            waiters.remove(waiter)
            if not waiters:
                del self._waiting[order]

    async def _watch(self) -> None:
        while self._waiting:
            await asyncio.sleep(LOOK_EVERY)
            told = await self._look()
            for order, waiters in self._waiting.items():
                gate = told(order)
                here = revision(gate)
                for waiter in waiters:
                    if not waiter.answer.done() and (here != waiter.knows or not waiter.listens()):
                        waiter.answer.set_result(gate)

    async def _look(self) -> Callable[[Order], Gate]:
        """A look begun after this call, shared with whoever asks meanwhile. While one is stuck no other is begun."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                before = self._looking
                if before is not None:
                    await asyncio.wait([before])
                if self._looking is before:
                    self._looking = asyncio.create_task(beside(self._gate.look, None))
                assert self._looking is not None  # noqa: S101 - for the type checker
                look = await asyncio.shield(self._looking)
        except TimeoutError:
            return lambda order: closed(f"the gate could not be read within {READ_SECONDS:g} s")
        return lambda order: look.answer(*order)
