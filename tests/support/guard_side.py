"""The guard's side of the cord as a process of its own: journal, hub, gate and hand, without what watches and serves.

It is forked from a server that has imported everything already, so that one start costs milliseconds and a test can
afford to SIGKILL many.
"""

import asyncio
import multiprocessing
import os
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

from console.cord.plan import Plan
from console.evidence.journal import JournalWriter
from console.guard.exchanges import Exchanges
from console.guard.gatekeeper import GateKeeper
from console.guard.hand import Hand
from console.guard.hub import Hub
from console.guard.others import Others
from console.guard.recovery import recover

RENEW_SECONDS = 0.5
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


class GuardSide:
    """`GuardSide(folder)` goes on with what the journals in the folder leave unfinished. `frozen` see `freeze`."""

    def __init__(self, folder: Path) -> None:
        ready = _context.Event()
        self._process = _context.Process(target=_run, args=(str(folder), ready), daemon=True)
        self._process.start()
        self.frozen = False
        assert ready.wait(60), "the guard's side did not start"

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)
        self.frozen = False

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def _signal(self, number: signal.Signals) -> None:
        if self.alive and self._process.pid is not None:
            os.kill(self._process.pid, number)


def _run(folder: str, ready: Event) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    asyncio.run(_serve(Path(folder), ready))


async def _serve(folder: Path, ready: Event) -> None:
    plan = Plan.load(str(folder))
    writer = JournalWriter(folder / "journal", "guard", time.time_ns)
    recovered = recover(folder / "journal")
    hub = Hub(writer, recovered.state)
    gate = GateKeeper(hub, folder, plan.desk, recovered.unread.get(writer.writer, ""))
    hand = Hand(hub, gate, plan, folder / "journal", recovered.closes, time.time_ns, Exchanges().of_cord)
    hand.start()
    gate.renew()

    def take(records: list) -> None:
        for record in records:
            hub.adopt(record)

    Others(recovered.tail, writer.writer, take=take, orphans=hand.orphans, found=hand.take_over).start()
    watching = asyncio.create_task(hub.run())
    ready.set()
    while not watching.done():
        gate.renew()
        await asyncio.sleep(RENEW_SECONDS)
