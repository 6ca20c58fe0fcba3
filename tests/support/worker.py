"""The worker as a process of its own, fed by a test in place of a guard."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from console.desk.events import Record, encode
from console.desk.state import DeskState, fold
from console.evidence.journal import JournalWriter
from console.guard.frames import (
    AnySaid,
    Captured,
    Command,
    Facts,
    Kind,
    Said,
    Seal,
    Setup,
    command,
    frame,
    keyframe,
    said_of,
)
from tests.support.broker import PATIENCE, ROOT, wait_until

S = TypeVar("S", bound=Said)
DAY_BEGAN = 1_790_000_000_000_000_000


class WorkerProcess:
    """`with WorkerProcess(folder) as worker:`. `state` is the desk's state folder, `said` what the worker has said;
    `setup` are further fields of its Setup."""

    def __init__(self, folder: Path, **setup: Any) -> None:
        self.state = folder / "state"
        self.state.mkdir(parents=True, exist_ok=True)
        self.setup = Setup(desk_folder=str(folder), version="test", **{"segment_seconds": 3600.0, **setup})
        self.said: list[AnySaid] = []
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *raised: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        self.wait()

    def start(self) -> Self:
        """Start the process and wait until it is ready."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "console.guard.worker", str(self.state)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.said = []
        self._reader = threading.Thread(target=self._read, args=(self.process, self.said), daemon=True)
        self._reader.start()
        self.send(command(self.setup))
        wait_until(lambda: self.said, "the worker is ready")
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def memory(self) -> int:
        """Bytes of memory that it had at most, so far."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        told = next(line for line in lines if line.startswith("VmHWM:"))
        return int(told.split()[1]) << 10

    def send(self, data: bytes) -> None:
        """Raises BrokenPipeError where it is gone."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def ask(self, asked: Command) -> None:
        self.send(command(asked))  # type: ignore[arg-type]

    def records(self, *lines: bytes) -> None:
        self.send(frame(Kind.RECORDS, b"\n".join(lines)))

    def heard(self, kind: type[S], matching: Callable[[S], bool] = lambda said: True) -> list[S]:
        return [each for each in list(self.said) if isinstance(each, kind) and matching(each)]

    def until(self, kind: type[S], matching: Callable[[S], bool] = lambda said: True) -> S:
        """The first of what it says that matches."""
        found = wait_until(lambda: self.heard(kind, matching), f"the worker says {kind.__name__}")
        return found[0]

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def end(self) -> int:
        """Close its input and wait for its end; its exit code."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        if self.process is None:
            return 0
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        return code

    @staticmethod
    def _read(process: "subprocess.Popen[bytes]", said: list[AnySaid]) -> None:
        assert process.stdout is not None
        said.extend(said_of(line) for line in process.stdout)


class Told:
    """What a guard would tell: records in order, journaled where they are durable, and the state that they lead to."""

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self.state = DeskState()
        self.journal = JournalWriter(worker.state / "journal", "guard")

    def keyframe(self) -> None:
        self.worker.records(keyframe(encode(self.state), time.time_ns()))

    def tell(self, *events: Any) -> None:
        """In one frame."""
        lines: list[bytes] = []
        for event in events:
            try:
                record = self.journal.append(event, "guard").result()
            except TypeError:  # a sample
                record = Record(ts=time.time_ns(), writer="guard", actor="guard", event=event)
            self.state = fold(self.state, record)
            lines.append(encode(record))
        self.worker.records(*lines)

    def seal(self, incident: str, job: str, **more: Any) -> None:
        self.worker.ask(seal(incident, job, **more))


def seal(incident: str, job: str, **more: Any) -> Seal:
    facts = Facts(incident, "no-fills", "P1", "no fills", 1, more.pop("closed_at", 0), ("p1",), "desk", "simulated")
    return Seal(**{"job": job, "facts": facts, "why": "snapshot", "by": "ana", "since": 0, **more})


def captured(*rows: dict[str, Any]) -> Captured:
    return Captured(DAY_BEGAN, "ana", "the venue", rows)
