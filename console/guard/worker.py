"""The worker process: whatever holds the interpreter lock for long is done here, and not beside the cord.

`python -m console.guard.worker STATE` reads frames from standard input (see `console.guard.frames`), keeps what is in
them in the flight recorder in STATE/telemetry, seals incidents into STATE/archive, and says on standard output, a JSON
object a line, what it did. It ends when its input does, so it never outlives its guard. The loop takes frames in and
never waits for a job; jobs are done one after the other by a thread beside it. No other process of the desk imports
PyArrow or DuckDB.
"""

import argparse
import contextlib
import math
import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa

from console.desk.events import EvidenceFailed, TelemetryKept, encode
from console.evidence import retention
from console.evidence.logs import Logs
from console.evidence.ring import Ring, Unkept
from console.evidence.seal import tidy
from console.evidence.segments import Segment
from console.evidence.signing import Signer, SigningError
from console.guard import frames
from console.guard.archivist import Archivist
from console.guard.frames import AnySaid, Kind, Setup, command_of, read_frame
from console.guard.ingest import STREAM_OF, taken
from console.guard.sealing import index, indexed_anew, sealed_rows, sealed_with
from console.guard.secrets import Secrets

LOOK_SECONDS = 0.5
"""How often logs and key files are looked at."""
RETAIN_SECONDS = 3600.0


class Pipe:
    """A pipe read in exact lengths, with nothing held back that `select` could not see."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe

    def fileno(self) -> int:
        return int(self._pipe.fileno())

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size and (part := self._pipe.read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class _Due:
    """Something that is asked for and has its turn: a seal with the rows that it covers, or what comes after it."""

    asked: frames.Seal | frames.Unpin | frames.Reindex | None
    upto: dict[str, int]


class Worker:
    """Owns the ring. `say` may be called from any thread."""

    def __init__(self, state: Path, setup: Setup, say: Callable[[AnySaid], None]) -> None:
        """Raises OSError where the folder can not be used."""
        self._state = state
        self._archive = state / "archive"
        self._setup = setup
        self._say = say
        self._secrets = Secrets(setup.secrets, setup.secret_files)
        self._ring = Ring(
            state / "telemetry", minutes=setup.minutes, megabytes=setup.megabytes, seconds=setup.segment_seconds
        )
        for stream, found in self._ring.found:
            say(frames.Lost(stream, 0, found))
        self._logs = Logs([(log.name, log.path) for log in setup.logs], self._ring.places)
        self._log_trouble: list[str] = []
        self._unwritten: set[str] = set()
        self._pinned: set[str] = set()
        self._torn: set[str] = set()
        self._waiting: deque[_Due] = deque()
        self._archivist = Archivist()
        self._looked = self._retained = -math.inf
        with contextlib.suppress(OSError, SigningError):  # told by the first seal
            Signer.ensure(Path(setup.desk_folder), state)
        with contextlib.suppress(OSError):
            for leftover in tidy(self._archive):
                print(f"andon worker: {leftover} was left by a seal that was not finished", file=sys.stderr)

    @property
    def wakes(self) -> int:
        """What can be read from once the archivist has finished a job."""
        return self._archivist.wakes

    @property
    def busy(self) -> bool:
        return self._archivist.busy or bool(self._waiting)

    def wait(self) -> float:
        """In how many seconds `step` has something to do."""
        looks = max(0.0, self._looked + LOOK_SECONDS - time.monotonic())
        due = self._ring.due()
        return looks if due is None else min(looks, due)

    # --- frames ------------------------------------------------------------------------------------------------------

    def take(self, kind: Kind, payload: bytes) -> None:
        if kind is Kind.COMMAND:
            self._obey(payload)
            return
        stream = STREAM_OF[kind]
        rows, refused = taken(kind, payload, self._secrets.redactor, self._ring.next_row(stream))
        self._ring.add(stream, rows)
        self._say(frames.Taken(stream, len(rows), dict(refused)))

    def _obey(self, payload: bytes) -> None:
        try:
            asked = command_of(payload)
        except msgspec.MsgspecError as error:
            print(f"andon worker: a command that it does not know: {error}", file=sys.stderr)
            return
        match asked:
            case frames.Pin(incident, since):
                self._pinned.add(incident)
                self._pin(incident, since)
            case frames.Seal():
                self._look()
                for stream in self._ring.waiting():
                    self._close(stream)
                self._pin(asked.facts.incident, asked.since)
                self._waiting.append(_Due(asked, self._ring.rows()))
            case frames.Unpin() | frames.Reindex():
                self._waiting.append(_Due(asked, {}))
        self._begin()

    def _pin(self, incident: str, since: int) -> None:
        if not self._ring.pinned(incident):
            self._ring.pin(incident, since, sealed_rows(self._archive / incident))

    # --- segments ----------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """What is due: logs, segments, the archivist's answers, retention."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._look()
        for stream in self._ring.ripe():
            self._close(stream)
        self._begin()

    def finish(self) -> None:
        """The input has ended: close every segment. What was asked for is still done."""
        self._look()
        for stream in self._ring.waiting():
            self._close(stream)
        while self.busy:
            self._begin()
            select.select([self.wakes], [], [], 1.0)

    def _look(self) -> None:
        self._secrets.refresh()
        rows, more = self._logs.poll(self._secrets.redactor)
        self._ring.add("logs", rows)
        self._looked = -math.inf if more else time.monotonic()
        trouble = self._logs.trouble
        for each in trouble:
            if each not in self._log_trouble:
                self._say(frames.Lost("logs", 0, each))
        self._log_trouble = trouble

    def _close(self, stream: str) -> None:
        try:
            self._ring.close(stream, self._tell, self._logs.places if stream == "logs" else None)
        except Unkept as error:
            self._say(frames.Lost(stream, error.rows, str(error)))
            return
        except OSError as error:
            if stream not in self._unwritten:
                self._unwritten.add(stream)
                self._say(frames.Unwritten(stream, os.strerror(error.errno) if error.errno else str(error)))
            return
        self._unwritten.discard(stream)
        for incident, what in self._ring.make_room().items():
            if incident not in self._torn:  # once, until it is sealed again
                self._torn.add(incident)
                self._say(frames.Failed(EvidenceFailed(incident, "the flight recorder", what)))

    def _tell(self, segment: Segment, sha256: str) -> None:
        about = segment.about
        kept = TelemetryKept(f"{about.stream}/{segment.path.name}", sha256, about.rows, segment.bytes, about.stream)
        self._say(frames.Kept(kept))

    # --- jobs --------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Hear what came of the last job, and begin the next."""
        self._archivist.hear()
        while self._waiting and not self._archivist.busy:
            due = self._waiting.popleft()
            match due.asked:
                case frames.Unpin(incident):
                    self._pinned.discard(incident)
                    self._ring.unpin(incident)
                case frames.Seal() as asked:
                    self._seal(asked, due.upto)
                case frames.Reindex(job):
                    self._archivist.do(lambda: indexed_anew(job, self._state), self._say)
        if not self._archivist.busy and time.monotonic() - self._retained > RETAIN_SECONDS:
            self._retain()

    def _seal(self, asked: frames.Seal, upto: dict[str, int]) -> None:
        incident, redactor = asked.facts.incident, self._secrets.redactor
        self._pin(incident, asked.since)  # it may have been unpinned since it was asked for
        slices = self._ring.cut(incident, upto)

        def done(said: AnySaid) -> None:
            if isinstance(said, frames.Sealed):
                self._ring.sealed(incident, sealed_rows(self._archive / incident))
                self._torn.discard(incident)
                self._retained = -math.inf
            if incident not in self._pinned:
                self._ring.unpin(incident)
            self._say(said)

        self._archivist.do(lambda: sealed_with(asked, slices, self._state, self._setup, redactor), done)

    def _retain(self) -> None:
        self._retained = time.monotonic()
        if not (self._setup.keep_days or self._setup.archive_megabytes):
            return

        def removed() -> frames.Done:
            limit = self._setup.archive_megabytes << 20
            for gone in retention.removed(self._archive, self._setup.keep_days, limit, time.time_ns()):
                self._say(frames.Removed(gone))
                index(self._archive)
            return frames.Done("", "the archive is within its limits")

        self._archivist.do(removed, self._say)


def serve(source: Pipe, state: Path, say: Callable[[AnySaid], None]) -> None:
    """Until `source` ends. Raises Broken for what are no frames, OSError where the state folder can not be used."""
    first = read_frame(source)
    if first is None:
        return
    pa.set_cpu_count(1)  # the other cores are the guard's and the cord's
    setup = command_of(first[1]) if first[0] is Kind.COMMAND else None
    if not isinstance(setup, Setup):
        raise frames.Broken("the first frame is no setup")
    worker = Worker(state, setup, say)
    say(frames.Ready(os.getpid()))
    while True:
        ready, _, _ = select.select([source.fileno(), worker.wakes], [], [], worker.wait())
        if source.fileno() in ready:
            told = read_frame(source)
            if told is None:
                break
            worker.take(*told)
        worker.step()
    worker.finish()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m console.guard.worker")
    parser.add_argument("state", type=Path)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the guard ends it, by closing its input
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    output: BinaryIO = sys.stdout.buffer

    def say(said: AnySaid) -> None:
        output.write(encode(said) + b"\n")
        output.flush()

    with contextlib.suppress(BrokenPipeError), open(0, "rb", buffering=0) as unbuffered:
        serve(Pipe(unbuffered), options.state, say)


if __name__ == "__main__":
    main()
