"""The console with its real cord on a desk that is made up: `python -m tests.benchmarks.console_process STATE_FOLDER`.

While STATE_FOLDER/load exists the desk changes ten times a second, thousands of orders long, and the event loop works
for most of the time. SIGUSR1 blocks the loop in a wait, SIGUSR2 in a computation, both until STATE_FOLDER/go exists;
STATE_FOLDER/blocked says that it is blocked.
"""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from console.app import AndonApp
from console.cord.prompt import be_prompt
from console.cord.puller import Puller
from console.desk import events as ev
from console.desk.events import Record
from console.desk.source import Received, Update
from tests.support import scenario

ORDERS = 1000
WORK, REST = 0.03, 0.02


class ChangingDesk(scenario.FakeSource):
    def __init__(self, loaded: Path) -> None:
        super().__init__(scenario.calm().updates)
        self._loaded = loaded

    async def updates(self) -> AsyncIterator[Update]:
        async for update in super().updates():
            yield update
        beat = 0
        while True:
            await asyncio.sleep(0.1)
            beat += 1
            if beat % 5 == 0:
                yield self._received(ev.GuardBeat())
            if self._loaded.exists():
                for event in changes(beat):
                    yield self._received(event)

    def _received(self, event: ev.AnyEvent) -> Received:
        return Received(Record(ts=time.time_ns(), writer="guard", actor="guard", event=event))


def changes(beat: int) -> list[ev.AnyEvent]:
    now = time.time_ns()
    told: list[ev.AnyEvent] = [
        ev.MonitorSampled(monitor.id, "ok", f"{beat % 100} ms", beat % 10 / 10, now) for monitor in scenario.MONITORS
    ]
    for venue in ("sim1", "sim2"):
        orders = (
            scenario.order(f"{venue}-{number:06}", f"momentum-{number:06}", "AAPL", "buy", number + beat)
            for number in range(ORDERS)
        )
        told.append(ev.OrdersRead(venue, tuple(orders), now))
    return told


async def work(loaded: Path) -> None:
    while True:
        await asyncio.sleep(REST)
        if loaded.exists():
            compute(WORK)


def compute(seconds: float) -> None:
    """Nothing but Python: no call in it lets another thread go first of its own will."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(number * number for number in range(5000))


class BusyConsole(AndonApp):
    def __init__(self, folder: Path) -> None:
        self._loaded = folder / "load"
        puller = Puller(folder)
        puller.start()
        super().__init__(ChangingDesk(self._loaded), puller)

    def on_mount(self) -> None:
        self.run_worker(work(self._loaded))


def main() -> None:
    folder = Path(sys.argv[1])

    def block(number: int, frame: object) -> None:
        (folder / "blocked").touch()
        while not (folder / "go").exists():
            if number == signal.SIGUSR1:
                time.sleep(0.01)
            else:
                compute(WORK)

    be_prompt()
    signal.signal(signal.SIGUSR1, block)
    signal.signal(signal.SIGUSR2, block)
    BusyConsole(folder).run()


if __name__ == "__main__":
    main()
