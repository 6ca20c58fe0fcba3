"""The guard's end of the worker process, which keeps the flight recorder and seals the archive.

Frames go in without being looked at, what became of them comes out. The guard never waits for the worker: frames queue
up, and what there is no room for is turned away. A worker that ends is started again, and that is journaled.
"""

import asyncio
import sys
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from console.desk.events import Refused
from console.guard.frames import (
    AnyCommand,
    AnySaid,
    Failed,
    Kept,
    Kind,
    Lost,
    Pin,
    Ready,
    Removed,
    Seal,
    Sealed,
    Setup,
    Taken,
    Unpin,
    command,
    frame,
    said_of,
)
from console.guard.hub import Hub

BODY_LIMIT = 4 << 20
ROOM = {Kind.TELEMETRY: 16 << 20, Kind.EXCHANGES: 24 << 20, Kind.RECORDS: 64 << 20}
"""How much may wait for the worker, in bytes, until a kind of frame is turned away; commands never are."""
RESTART_SECONDS = 1.0
END_SECONDS = 5.0
LINE_LIMIT = 8 << 20


class Recorder:
    """Starts the worker, feeds it, and tells what it says. `folder` is the desk's state; `setup` says what each worker
    begins with.

    A worker that is started anew is asked again for what the one before left unanswered, and `keyframe_due` is called;
    `heard` hear everything it says."""

    def __init__(self, hub: Hub, folder: Path, setup: Callable[[], Setup]) -> None:
        self._hub = hub
        self._folder = folder
        self._setup = setup
        self._queue: deque[tuple[Kind, bytes]] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._serving = False
        self._pins: dict[str, Pin] = {}
        self._seals: dict[str, Seal] = {}
        self.keyframe_due: Callable[[], None] = lambda: None
        self.heard: list[Callable[[AnySaid], None]] = []
        self.rows = 0
        self.kept_rows = 0
        self.kept_bytes = 0
        self.restarts = 0
        self.ended = ""
        self.refused: Counter[str] = Counter()

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    @property
    def trouble(self) -> str:
        """What keeps the desk from being recorded, in a sentence; empty where nothing does."""
        if self.ended and not self._serving:
            return f"the flight recorder stands still: {self.ended}"
        return ""

    def offer(self, body: bytes) -> bool:
        """Take a body of telemetry if there is room for it."""
        return self._send(Kind.TELEMETRY, body)

    def records(self, lines: bytes, *, keyframe: bool) -> bool:
        """Take a batch of records if there is room for it; `keyframe` says that there is one in it."""
        return self._send(Kind.RECORDS, lines)

    def pin(self, incident: str, since: int) -> None:
        self._pins[incident] = Pin(incident, since)
        self._command(self._pins[incident])

    def unpin(self, incident: str) -> None:
        self._pins.pop(incident, None)
        self._command(Unpin(incident))

    def seal(self, asked: Seal) -> None:
        self._seals[asked.job] = asked
        self._command(asked)

    def _send(self, kind: Kind, payload: bytes) -> bool:
        if self._queued + len(payload) > ROOM[kind]:
            return False
        sent = frame(kind, payload)
        self._queue.append((kind, sent))
        self._queued += len(sent)
        self._wake.set()
        return True

    def _command(self, asked: AnyCommand) -> None:
        self._queue.append((Kind.COMMAND, command(asked)))
        self._wake.set()

    async def run(self) -> None:
        """Keep a worker, for ever."""
        while True:
            process = self._process = await self._started()
            feeding = asyncio.create_task(self._feed(process))
            try:
                await self._listen(process)
            finally:
                feeding.cancel()
            code = await process.wait()
            self._serving = False
            self.restarts += 1
            self.ended = f"the worker process ended ({code}) and is started again"
            self._hub.journal(Refused(what="telemetry", why=self.ended))
            await asyncio.sleep(RESTART_SECONDS)

    async def end(self) -> None:
        """Let the worker close its segments and end; kill it where it does not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._listen(process)
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _started(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "console.guard.worker",
            str(self._folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            start_new_session=True,
        )
        waiting = [(kind, sent) for kind, sent in self._queue if kind is not Kind.COMMAND]
        self._queue = deque([(Kind.COMMAND, command(self._setup())), *waiting])
        for asked in (*self._pins.values(), *self._seals.values()):
            again = msgspec.structs.replace(asked, fold="") if isinstance(asked, Seal) else asked
            self._command(again)
        self.keyframe_due()
        return process

    async def _feed(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None  # noqa: S101 - it was asked for as a pipe
        try:
            while True:
                while self._queue:
                    kind, sent = self._queue.popleft()
                    if kind is not Kind.COMMAND:
                        self._queued -= len(sent)
                    process.stdin.write(sent)
                    await process.stdin.drain()
                self._wake.clear()
                await self._wake.wait()
        except (BrokenPipeError, ConnectionResetError):
            return  # it ended: `run` sees that, too

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        async for line in process.stdout:
            said = said_of(line)
            self._take(said)
            for hear in self.heard:
                hear(said)

    def _take(self, said: AnySaid) -> None:
        match said:
            case Ready():
                self._serving = True
            case Taken(stream="telemetry"):
                self.rows += said.rows
                self.refused.update(said.refused)
            case Kept():
                self.kept_rows += said.segment.rows
                self.kept_bytes += said.segment.bytes
                self._hub.journal(said.segment)
            case Lost():
                self._hub.journal(Refused(what=said.stream, why=f"{said.rows} rows could not be kept: {said.why}"))
            case Removed():
                self._hub.journal(said.removed)
            case Sealed():
                self._seals.pop(said.job, None)
                self._hub.journal(said.seal)
            case Failed():
                self._seals.pop(said.job, None)
                self._hub.journal(said.failure)
