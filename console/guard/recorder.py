"""The guard's end of the worker process: what happens goes in as frames, what became of it comes out.

The guard never waits for the worker. Each kind of frame queues up to a limit of bytes: telemetry and exchanges are
turned away first, records last, commands never. Records that were turned away leave a gap that only a keyframe closes.
A worker that ends is started again: it is set up, told the pins, given a keyframe, and asked anew for the seals that it
owes.
"""

import asyncio
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import msgspec

from console.desk.events import EvidenceFailed, Refused, encode
from console.guard import frames
from console.guard.frames import AnySaid, Exchange, Kind, Seal, Setup, command, frame
from console.guard.hub import Hub

BODY_LIMIT = 4 << 20
QUEUE_BYTES = {Kind.TELEMETRY: 16 << 20, Kind.EXCHANGES: 16 << 20, Kind.RECORDS: 64 << 20}
RESTART_SECONDS = 1.0
END_SECONDS = 5.0
LONGEST_LINE = 16 << 20
LATE = 2.0
"""Seconds of a gap in the records that are trouble: a worker that is started again closes it sooner."""
TRIES = 3
"""Workers that a seal is asked of before it has failed."""


@dataclass(slots=True)
class _Waiting:
    """A frame on its way. A seal is encoded when it leaves: what it says may have to change until then."""

    kind: Kind
    data: bytes = b""
    seal: Seal | None = None


@dataclass(slots=True)
class _Owed:
    """A seal that was asked for, and how many workers were sent it."""

    seal: Seal
    tries: int = 0


class Recorder:
    """Starts the worker on a state folder, feeds it, journals and counts what it says. On the event loop.

    `heard` are told everything that the worker says, after it was journaled. `keyframe_due` is called when the next
    frame of records has to be a keyframe."""

    def __init__(self, hub: Hub, folder: Path, setup: Callable[[], Setup]) -> None:
        self._hub = hub
        self._folder = folder
        self._setup = setup
        self._queue: deque[_Waiting] = deque()
        self._queued: Counter[Kind] = Counter()
        self._wake = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._pins: dict[str, int] = {}
        self._owed: dict[str, _Owed] = {}
        self._asked: dict[str, asyncio.Future[str]] = {}
        self._gap = True
        self._gap_since = time.monotonic()
        self.heard: list[Callable[[AnySaid], None]] = []
        self.keyframe_due: Callable[[], None] = lambda: None
        self.rows: Counter[str] = Counter()
        self.kept_rows: Counter[str] = Counter()
        self.kept_bytes: Counter[str] = Counter()
        self._unwritten: dict[str, str] = {}
        self.lost: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.restarts = 0

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    @property
    def trouble(self) -> str:
        """What of the desk is not being recorded, in a sentence; empty while all of it is."""
        if self._gap and time.monotonic() - self._gap_since > LATE:
            return "the flight recorder does not follow: what happens is not recorded until it does"
        why = next(iter(self._unwritten.values()), "")
        return f"the flight recorder is not written: {why}; it holds what happens in memory alone" if why else ""

    # --- what goes in ------------------------------------------------------------------------------------------------

    def offer(self, body: bytes) -> bool:
        """Take a body of telemetry if there is room for it."""
        return self._admit(Kind.TELEMETRY, body)

    def exchange(self, exchange: Exchange) -> bool:
        """Record a request to a venue if there is room for it."""
        admitted = self._admit(Kind.EXCHANGES, encode(exchange))
        self.lost["exchanges"] += not admitted
        return admitted

    def records(self, lines: bytes, *, keyframe: bool = False) -> bool:
        """Record newline-joined lines, the first of which is a keyframe where `keyframe` says so. False where they were
        turned away: all further ones are, until one that begins with a keyframe is taken."""
        admitted = (keyframe or not self._gap) and self._admit(Kind.RECORDS, lines)
        if not admitted:
            self.lost["records"] += lines.count(b"\n") + 1
        self._set_gap(not admitted)
        return admitted

    def pin(self, incident: str, since: int) -> None:
        """Keep what was recorded from `since` (UTC ns) on until the incident has sealed it, and is unpinned."""
        if incident not in self._pins:
            self._pins[incident] = since
            self._put(_Waiting(Kind.COMMAND, command(frames.Pin(incident, since))))

    def unpin(self, incident: str) -> None:
        if self._pins.pop(incident, None) is not None:
            self._put(_Waiting(Kind.COMMAND, command(frames.Unpin(incident))))

    def seal(self, seal: Seal) -> None:
        """Ask for a seal. `Sealed` or `Failed` with its job is heard later, also where no worker lives to say it."""
        self._owed[seal.job] = _Owed(seal)
        self._put(_Waiting(Kind.COMMAND, seal=seal))

    async def reindex(self) -> str:
        """Have the archive's index made anew, and say how that went. Raises RuntimeError with the reason."""
        job = new_job()
        asked = self._asked[job] = asyncio.get_running_loop().create_future()
        self._put(_Waiting(Kind.COMMAND, command(frames.Reindex(job))))
        told: str = await asked
        return told

    def _admit(self, kind: Kind, payload: bytes) -> bool:
        if self._queued[kind] + len(payload) > QUEUE_BYTES[kind]:
            return False
        self._put(_Waiting(kind, frame(kind, payload)))
        return True

    def _set_gap(self, gap: bool) -> None:
        if gap and not self._gap:
            self._gap_since = time.monotonic()
        self._gap = gap

    def _put(self, waiting: _Waiting) -> None:
        self._queue.append(waiting)
        self._queued[waiting.kind] += len(waiting.data)
        self._wake.set()

    # --- the process -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep a worker, for ever."""
        while True:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "console.guard.worker",
                str(self._folder),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
                limit=LONGEST_LINE,
            )
            feeding = asyncio.create_task(self._feed(process))
            try:
                await self._listen(process)
            except ValueError as error:
                print(f"andon guard: the worker is not understood, and is started again: {error}", file=sys.stderr)
                process.kill()
            finally:
                feeding.cancel()
            code = await process.wait()
            self.restarts += 1
            self._begin_anew()
            self._hub.journal(Refused(what="telemetry", why=f"the worker process ended ({code}) and is started again"))
            await asyncio.sleep(RESTART_SECONDS)

    async def end(self) -> None:
        """Let the worker finish what it was given and end; kill it where it does not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            async with asyncio.timeout(END_SECONDS):
                if process.stdin is not None:
                    await self._empty(process.stdin)
                    process.stdin.close()
                await self._listen(process)
                await process.wait()
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            process.kill()
            await process.wait()

    def _begin_anew(self) -> None:
        """What a new worker gets. Records that nobody can fold any more are let go: a keyframe comes first, then what
        the last worker owes, then what has not left yet. A seal's cut is not that place of the pipe any more."""
        left = [each for each in self._queue if each.kind is not Kind.RECORDS]
        self._queue.clear()
        self._queued.clear()
        self._set_gap(True)
        self._unwritten.clear()
        self.keyframe_due()
        for owed in [each for each in self._owed.values() if each.tries]:
            if owed.tries < TRIES:
                self._put(_Waiting(Kind.COMMAND, seal=owed.seal))
            else:
                why = f"the worker process ended {owed.tries} times while it was sealed"
                failure = EvidenceFailed(incident=owed.seal.facts.incident, what="the seal", why=why)
                self._hear(frames.Failed(failure, owed.seal.job))
        for each in left:
            self._put(each)
        for waiting in self._queue:
            if waiting.seal is not None:
                waiting.seal = msgspec.structs.replace(waiting.seal, fold="")
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(RuntimeError("the worker process ended; ask again"))
        self._asked.clear()

    async def _feed(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None  # noqa: S101 - it was asked for as a pipe
        try:
            process.stdin.write(command(self._setup()))
            for incident, since in self._pins.items():
                process.stdin.write(command(frames.Pin(incident, since)))
            while True:
                await self._empty(process.stdin)
                self._wake.clear()
                await self._wake.wait()
        except (BrokenPipeError, ConnectionResetError):
            return  # it ended: `run` sees that, too

    async def _empty(self, pipe: asyncio.StreamWriter) -> None:
        while self._queue:
            waiting = self._queue.popleft()
            self._queued[waiting.kind] -= len(waiting.data)
            data = waiting.data
            if waiting.seal is not None:
                data = command(waiting.seal)
                self._owed[waiting.seal.job].tries += 1
            pipe.write(data)
            await pipe.drain()
            if self._gap and self._queued[Kind.RECORDS] < QUEUE_BYTES[Kind.RECORDS] // 2:
                self.keyframe_due()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        async for line in process.stdout:
            self._hear(frames.said_of(line))

    def _hear(self, said: AnySaid) -> None:
        match said:
            case frames.Taken(stream, rows, refused):
                self.rows[stream] += rows
                self.refused.update(refused)
            case frames.Kept(segment):
                self._unwritten.pop(segment.stream, None)
                self.kept_rows[segment.stream] += segment.rows
                self.kept_bytes[segment.stream] += segment.bytes
                self._hub.journal(segment)
            case frames.Unwritten(stream, why):
                self._unwritten[stream] = why
            case frames.Lost(stream, rows, why):
                self.lost[stream] += rows
                told = f"{rows} rows could not be kept: {why}" if rows else why
                self._hub.journal(Refused(what=stream, why=told))
            case frames.Sealed(job, seal):
                self._owed.pop(job, None)
                self._hub.journal(seal)
            case frames.Failed(failure, job):
                self._owed.pop(job, None)
                self._hub.journal(failure)
            case frames.Removed(removed):
                self._hub.journal(removed)
            case frames.Done(job, text, failed):
                asked = self._asked.pop(job, None)
                if asked is not None and not asked.done():
                    asked.set_exception(RuntimeError(text)) if failed else asked.set_result(text)
        for hear in self.heard:
            hear(said)


def new_job() -> str:
    """A name for something that is asked of the worker."""
    return uuid4().hex
