"""The guard's cord beside its loop: `python -m tests.benchmarks.guard_process STATE_FOLDER [recorded]`.

The loop tells of a desk of 5,000 positions what a guard tells in a second, ten times a second, and journals what the
cord does. Recorded, all of it goes to a worker, with the whole state once a second: sixty times as often as in a guard.
"""

import asyncio
import sys
import time
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from typing import Any

from console.cord.plan import Plan
from console.cord.prompt import be_prompt
from console.cord.thread import CordThread
from console.desk import events as ev
from console.desk.events import Record, event_from
from console.desk.state import fold_all
from console.evidence.journal import JournalWriter
from console.guard.exchanges import Exchanges
from console.guard.frames import Setup
from console.guard.hub import Hub
from console.guard.recorder import Recorder
from console.guard.recording import Recording
from tests.support import scenario

POSITIONS = 5_000
TOLD_EVERY = 0.1


def held(beat: int) -> tuple[ev.Position, ...]:
    price = Decimal(100) + Decimal(beat) / 100
    return tuple(ev.Position(f"S{number}", Decimal(number + 1), price, price) for number in range(POSITIONS))


async def serve(folder: Path, *, recorded: bool) -> None:
    hub = Hub(JournalWriter(folder / "journal", "guard"), fold_all(scenario.calm().records))
    exchanges = Exchanges()
    tasks = []
    if recorded:
        recorder = Recorder(hub, folder, lambda: Setup(desk_folder=str(folder), version="bench"))
        recording = Recording(hub, recorder)
        tasks.append(asyncio.create_task(recorder.run()))

    def record(kind: str, data: dict[str, Any], actor: str) -> Future[Record]:
        return hub.journal(event_from(kind, data), actor)

    thread = CordThread(Plan.load(str(folder)), record, tap=exchanges.of_cord if recorded else None)
    thread.start()
    positions = [held(beat) for beat in range(2)]
    hub.sample(ev.PositionsRead("sim1", positions[0], time.time_ns()))
    await asyncio.sleep(3 if recorded else 0.5)  # the warm connection, and a worker that has begun
    print("ready", flush=True)
    beat = 0
    while True:
        await asyncio.sleep(TOLD_EVERY)
        beat += 1
        now = time.time_ns()
        for monitor in scenario.MONITORS:
            hub.sample(ev.MonitorSampled(monitor.id, "ok", f"{beat} ms", beat % 10 / 10, now))
        if beat % 10 == 0:
            hub.sample(ev.PositionsRead("sim1", positions[beat // 10 % 2], now))
        if recorded:
            for exchange in exchanges.take():
                recorder.exchange(exchange)
            if beat % 10 == 0:
                recording.keyframe()
            else:
                recording.step()


def main() -> None:
    be_prompt()
    asyncio.run(serve(Path(sys.argv[1]), recorded="recorded" in sys.argv))


if __name__ == "__main__":
    main()
