"""cord.lock: one hand at a time sends closes. Two unlocked hands closing by size would flip the position.

The lock is flock(2), so it falls with its holder. The file names the holder (pid and start time) and is touched twice a
second while held. A hand that finds a holder who has not touched it for 2 s takes it for frozen and fences: it kills
the holder, and only then goes on. A holder that beats is at work on the same thing and is left to it.
"""

import errno
import fcntl
import os
import signal
import threading
import time

FROZEN_AFTER = 2.0
BEAT_EVERY = 0.5


class CordLock:
    """The right to send exposing writes, shared by the venue threads of one process."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "cord.lock")
        self._mutex = threading.Lock()
        self._descriptor = -1

    @property
    def held(self) -> bool:
        return self._descriptor >= 0

    def acquire(self) -> str:
        """Take the lock, at once or after fencing a frozen holder. Returns "" when held, else why not; never waits for
        a holder that is alive."""
        with self._mutex:
            if self.held:
                return ""
            try:
                return self._acquire()
            except OSError as error:
                return f"cord.lock: {error.strerror}"

    def beat(self) -> None:
        """To be called every `BEAT_EVERY` seconds by a thread that stops when the process does."""
        with self._mutex:
            if self.held:
                os.utime(self._descriptor)

    def release(self) -> None:
        with self._mutex:
            if self.held:
                os.close(self._descriptor)
                self._descriptor = -1

    def _acquire(self) -> str:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o660)
        try:
            if not _locked(descriptor) and (why := _fence(descriptor)):
                os.close(descriptor)
                return why
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {_started(os.getpid())}\n".encode(), 0)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return ""


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _fence(descriptor: int) -> str:
    """Kill a holder that has stopped beating, and take its lock. Returns "" when held, else why not."""
    if time.time() - os.fstat(descriptor).st_mtime < FROZEN_AFTER:
        return "another hand is closing"
    held = os.pread(descriptor, 64, 0).split()
    if len(held) != 2 or _started(pid := int(held[0])) != held[1].decode():
        return "cord.lock is held by a process that does not name itself"
    try:
        os.kill(pid, signal.SIGKILL)
    except PermissionError:
        return f"positions stand, the hand that closes is frozen; finish it with: sudo kill -9 {pid}"
    except ProcessLookupError:
        pass
    deadline = time.monotonic() + FROZEN_AFTER
    while not _locked(descriptor):
        if time.monotonic() > deadline:
            return f"the frozen hand {pid} does not die"
        time.sleep(0.002)
    return ""


def _started(pid: int) -> str:
    """The start time of a process, which tells it from a later one with the same number; "" when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return ""
