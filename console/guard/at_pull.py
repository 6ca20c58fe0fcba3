"""What the guard's loop does at a pull, beside the cord: read the desk for the evidence, and disable strategies under
an L2."""

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from typing import Any

from adapters.base import Acked, StrategyHost
from console.cord.plan import Plan
from console.desk.blast import strategies_in
from console.desk.events import BY_CORD, AnyEvent, Pulled, Record, StrategyChanged
from console.desk.pull import Level, Scope
from console.desk.state import DeskState
from console.guard.capture import Capture, Taken
from console.guard.exhibits import evidence
from console.guard.hub import Hub

EVIDENCE_WITHIN_NS = 600_000_000_000
"""A pull older than this is not photographed any more: what is read now says nothing about then."""
READ_KEPT = 20
"""So many pulls' reads are held for whoever seals them."""

AGAIN_SECONDS = 2.0


class AtPull:
    """Listens to the hub: to this guard's pulls before they are written, to other hands' when they are read. By then
    the cord's bytes have left."""

    def __init__(self, hub: Hub, plan: Plan, capture: Capture, hosts: Mapping[str, StrategyHost]) -> None:
        self._hub = hub
        self._plan = plan
        self._capture = capture
        self._hosts = hosts
        self._begun: set[str] = set()
        self._taken: dict[str, asyncio.Task[Taken]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        hub.early.append(lambda event, _: self._heard(event))
        hub.listeners.append(self._read)

    def taken(self, pull: str) -> "asyncio.Task[Taken] | None":
        """The desk as it is being read, or was, because of a pull; None where that was not in this guard's time."""
        return self._taken.get(pull)

    def recover(self, state: DeskState) -> None:
        """Pulls that the journal left without evidence, if they are of this moment; and strategies that an L2 has not
        disabled yet."""
        for pull in state.pulls.values():
            if pull.level is Level.L2:
                self._spawn(self._disable(pull.id, Scope.parse(pull.scope), but=state.disabled))
            if pull.evidence is None and self._hub.clock() - pull.at < EVIDENCE_WITHIN_NS:
                self._photograph(pull.id, pull.scope)
            else:
                self._begun.add(pull.id)

    def _read(self, record: Record) -> None:
        if self._hub.clock() - record.ts < EVIDENCE_WITHIN_NS:
            self._heard(record.event)

    def _heard(self, event: AnyEvent) -> None:
        if isinstance(event, Pulled) and event.pull not in self._begun:
            self._photograph(event.pull, event.scope)
            if event.level == Level.L2.value:
                self._spawn(self._disable(event.pull, Scope.parse(event.scope)))

    def _photograph(self, pull: str, scope: str) -> None:
        self._begun.add(pull)
        self._taken[pull] = asyncio.get_running_loop().create_task(self._capture.take())
        if len(self._taken) > READ_KEPT:
            del self._taken[next(iter(self._taken))]
        self._spawn(self._evidence(pull, Scope.parse(scope), self._taken[pull]))

    async def _evidence(self, pull: str, scope: Scope, reading: "asyncio.Task[Taken]") -> None:
        taken = await reading
        self._hub.journal(evidence(taken, pull, self._plan.venues_in(scope), self._hub.state.config_hash))

    async def _disable(self, pull: str, scope: Scope, but: Collection[str] = ()) -> None:
        """Every strategy that trades in the scope; one host that hangs holds up no other."""
        infos = [row.info for row in self._hub.state.strategies.values()]
        names = [info.name for info in strategies_in(infos, scope) if info.name in self._hosts and info.name not in but]
        await asyncio.gather(*(self._disable_one(pull, name) for name in names))

    async def _disable_one(self, pull: str, name: str) -> None:
        """Disabling reduces: it is asked for again for as long as the pull stands. The first failure is journaled."""
        answer = await self._hosts[name].enable(False)
        if not isinstance(answer, Acked):
            self._hub.journal(StrategyChanged(strategy=name, what="could not be disabled", detail=f"{answer}"))
        while not isinstance(answer, Acked):
            await asyncio.sleep(AGAIN_SECONDS)
            if pull in self._hub.state.resumed:
                return
            answer = await self._hosts[name].enable(False)
        self._hub.journal(StrategyChanged(strategy=name, what="disabled", detail=BY_CORD))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
