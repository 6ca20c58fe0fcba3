"""The direct hand's own journal file: the same lines and chain as the guard's, written with the standard library.

A thread writes and syncs, so that a hung disk stops no venue. What could not be written is dropped after the pull is
over; the records are also told on standard output, and the latch does not depend on them.
"""

import os
import queue
import threading
import time
from typing import Any

from console.desk.chain import GENESIS, seal


class Written:
    """Done when a record is on disk, or can not be. `ts` is its time, UTC ns."""

    __slots__ = ("_done", "ts")

    def __init__(self) -> None:
        self.ts = time.time_ns()
        self._done = threading.Event()

    def done(self) -> None:
        self._done.set()

    def result(self, timeout: float | None = None) -> None:
        """Waits. Raises TimeoutError."""
        if not self._done.wait(timeout):
            raise TimeoutError


class DirectLog:
    """`direct-<pull>.jsonl`. The file is locked while its hand lives, which is how a guard knows that it does."""

    def __init__(self, folder: str, pull: str) -> None:
        self.writer = f"direct-{pull}"
        self._path = os.path.join(folder, "journal", self.writer + ".jsonl")
        self._queue: queue.Queue[tuple[str, dict[str, Any], str, Written] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._write, name="direct-log", daemon=True)
        self._thread.start()

    def record(self, kind: str, data: dict[str, Any], actor: str) -> Written:
        written = Written()
        self._queue.put((kind, data, actor, written))
        return written

    def close(self, timeout: float) -> None:
        """Wait for what was recorded, at most `timeout` seconds."""
        self._queue.put(None)
        self._thread.join(timeout)

    def _write(self) -> None:
        import fcntl

        descriptor, seq, prev, last, end = -1, 0, GENESIS, 0, 0
        while (taken := self._queue.get()) is not None:
            kind, data, actor, written = taken
            last = max(written.ts, last)
            line, head = seal(seq=seq + 1, ts=last, writer=self.writer, kind=kind, actor=actor, data=data, prev=prev)
            try:
                if descriptor < 0:
                    os.makedirs(os.path.dirname(self._path), exist_ok=True)
                    descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.ftruncate(descriptor, end)  # what the disk took of a line before, and then refused
                os.lseek(descriptor, end, os.SEEK_SET)
                if os.write(descriptor, line) == len(line):
                    os.fsync(descriptor)
                    seq, prev, end = seq + 1, head, end + len(line)
            except OSError:
                continue
            finally:
                written.done()
