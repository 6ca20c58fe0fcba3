"""The direct hand's own journal file: the same lines and chain as the guard's, written with the standard library.

A thread writes and syncs, so that a hung disk stops no venue. What the disk refuses is kept in order and tried again,
and a hand that is done stays until it is written, or for `close`'s patience. The records are also told on standard
output, and the latch does not depend on them.
"""

import fcntl
import os
import queue
import threading
import time
from collections import deque
from typing import Any, TypeAlias

from console.desk.chain import GENESIS, seal

AGAIN_EVERY = 1.0


class Written:
    """Done when a record is on disk, or can not be. `ts` is its time, UTC ns, `seq` its number in the file."""

    __slots__ = ("_done", "seq", "ts")

    def __init__(self, seq: int) -> None:
        self.ts = time.time_ns()
        self.seq = seq
        self._done = threading.Event()

    def done(self) -> None:
        self._done.set()

    def result(self, timeout: float | None = None) -> None:
        """Waits. Raises TimeoutError."""
        if not self._done.wait(timeout):
            raise TimeoutError


_Entry: TypeAlias = tuple[str, dict[str, Any], str, Written]


class DirectLog:
    """`direct-<pull>.jsonl`. The file is locked while its hand works, which is how a guard knows that it does."""

    def __init__(self, folder: str, pull: str) -> None:
        self.writer = f"direct-{pull}"
        self._path = os.path.join(folder, "journal", self.writer + ".jsonl")
        self._queue: queue.Queue[_Entry | None] = queue.Queue()
        self._descriptor, self._prev, self._last, self._end = -1, GENESIS, 0, 0
        self._recorded = 0
        self._working = True
        self._thread = threading.Thread(target=self._run, name="direct-log", daemon=True)
        self._thread.start()

    def record(self, kind: str, data: dict[str, Any], actor: str) -> Written:
        """Never waits. One call at a time: records are numbered as they come."""
        self._recorded += 1
        written = Written(self._recorded)
        self._queue.put((kind, data, actor, written))
        return written

    def unlock(self) -> None:
        """The hand has done its work, and only writes what the disk did not take yet."""
        self._working = False
        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self, timeout: float) -> None:
        """Wait for what was recorded, at most `timeout` seconds."""
        self._queue.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        unwritten: deque[_Entry] = deque()
        closing = False
        while unwritten or not closing:
            try:
                taken = self._queue.get(timeout=AGAIN_EVERY if unwritten else None)
                if taken is None:
                    closing = True
                else:
                    unwritten.append(taken)
            except queue.Empty:
                pass
            while unwritten and self._write(unwritten[0]):
                unwritten.popleft()[-1].done()
            for *_, written in unwritten:  # whoever waits has waited for what the disk said
                written.done()

    def _write(self, entry: _Entry) -> bool:
        """Whether the disk has it."""
        kind, data, actor, written = entry
        ts, seq = max(written.ts, self._last), written.seq
        line, head = seal(seq=seq, ts=ts, writer=self.writer, kind=kind, actor=actor, data=data, prev=self._prev)
        try:
            if self._descriptor < 0:
                self._descriptor = self._open()
            os.ftruncate(self._descriptor, self._end)  # what the disk took of a line before, and then refused
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            if os.write(self._descriptor, line) != len(line):
                return False
            os.fsync(self._descriptor)
        except OSError:
            return False
        self._prev, self._last, self._end = head, ts, self._end + len(line)
        return True

    def _open(self) -> int:
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        if self._working:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
