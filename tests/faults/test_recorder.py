"""The guard's end of the worker: whatever becomes of a worker, the next one gets what it needs."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from console.desk import events as ev
from console.desk.events import Record, encode
from console.desk.state import DeskState
from console.evidence.journal import JournalWriter, read
from console.guard.frames import AnySaid, Exchange, Failed, Kind, Sealed, Setup, Taken, keyframe
from console.guard.hub import Hub
from console.guard.recorder import QUEUE_BYTES, Recorder
from tests.support.broker import PATIENCE
from tests.support.worker import seal

INCIDENT = "INC-2026-0001"


class Guard:
    """As much of a guard as a recorder needs, with a real journal and a real worker."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.hub = Hub(JournalWriter(self.state / "journal", "guard"), DeskState())
        self.recorder = Recorder(self.hub, self.state, lambda: Setup(desk_folder=str(folder), version="test"))
        self.recorder.keyframe_due = self.keyframe
        self.said: list[AnySaid] = []
        self.recorder.heard.append(self.said.append)
        self.keyframes = 0

    def keyframe(self) -> None:
        self.keyframes += self.recorder.records(keyframe(encode(self.hub.state), 1), keyframe=True)

    def beat(self, size: int = 1) -> bool:
        return self.recorder.records(encode(Record(1, "guard", "guard", ev.Heartbeat("sim1", 1, "x" * size))))

    async def until(self, condition: Callable[[], object], what: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)

    def heard(self, kind: type[AnySaid], job: str) -> list[AnySaid]:
        return [each for each in self.said if isinstance(each, kind) and getattr(each, "job", "") == job]

    async def worker(self, former: int = 0) -> int:
        """The pid of a worker that is ready, another one than the former."""
        await self.until(lambda: self.recorder.pid not in (0, former), "a worker")
        return self.recorder.pid


@asynccontextmanager
async def guard(folder: Path) -> AsyncIterator[Guard]:
    guard = Guard(folder)
    guard.keyframe()
    running = asyncio.create_task(guard.recorder.run())
    try:
        yield guard
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await guard.recorder.end()
        guard.hub.writer.close()


async def test_a_seal_that_a_worker_took_to_its_grave_is_made_by_the_next(tmp_path: Path) -> None:
    async with guard(tmp_path) as desk:
        desk.recorder.pin(INCIDENT, 0)
        first = await desk.worker()
        desk.beat()
        await desk.until(lambda: desk.recorder.rows["records"] == 2, "the records are taken")
        os.kill(first, signal.SIGSTOP)
        desk.recorder.seal(seal(INCIDENT, "owed", fold="0" * 64))
        await desk.until(lambda: not desk.recorder._queue, "the seal is in the pipe")
        os.kill(first, signal.SIGKILL)
        await desk.until(lambda: desk.heard(Sealed, "owed"), "the next worker seals")
        (told,) = desk.heard(Sealed, "owed")
        assert isinstance(told, Sealed)
        assert told.seal.missing == ()
        assert desk.keyframes == 2, "the next worker is given a keyframe before it is asked"
        assert not desk.heard(Failed, "owed")
    kinds = [record.event for record in read(desk.state / "journal")]
    assert [each.head for each in kinds if isinstance(each, ev.ArchiveSealed)] == [told.seal.head]


async def test_a_seal_that_three_workers_did_not_survive_has_failed(tmp_path: Path) -> None:
    async with guard(tmp_path) as desk:
        desk.recorder.seal(seal(INCIDENT, "fatal"))
        former = 0
        for _ in range(3):
            former = await desk.worker(former)
            os.kill(former, signal.SIGSTOP)
            await desk.until(lambda: not desk.recorder._queue, "the seal is in the pipe")
            os.kill(former, signal.SIGKILL)
        await desk.until(lambda: desk.heard(Failed, "fatal"), "it has failed")
    failures = [record.event for record in read(desk.state / "journal") if isinstance(record.event, ev.EvidenceFailed)]
    assert [(each.incident, "3 times" in each.why) for each in failures] == [(INCIDENT, True)]


async def test_what_finds_no_room_is_turned_away_by_kind_and_a_keyframe_closes_the_gap(tmp_path: Path) -> None:
    async with guard(tmp_path) as desk:
        worker = await desk.worker()
        await desk.until(lambda: any(isinstance(each, Taken) for each in desk.said), "it works")
        os.kill(worker, signal.SIGSTOP)
        body = b"x" * (4 << 20)
        while desk.recorder.offer(body):
            await asyncio.sleep(0)
        exchange = Exchange(1, "sim1", "GET", "/", 200, body="x" * (4 << 20))
        while desk.recorder.exchange(exchange):
            await asyncio.sleep(0)
        assert desk.beat(), "records are kept when the others have no room left"
        while desk.beat(4 << 20):
            await asyncio.sleep(0)
        assert not desk.beat(), "what comes behind a gap leads nowhere"
        assert desk.recorder.lost["records"] == 2
        assert desk.recorder._queued[Kind.RECORDS] <= QUEUE_BYTES[Kind.RECORDS]
        before = desk.keyframes
        os.kill(worker, signal.SIGCONT)
        await desk.until(lambda: desk.keyframes > before, "a keyframe is asked for")
        assert desk.beat()
        await desk.until(lambda: not desk.recorder._queue, "it has caught up")
