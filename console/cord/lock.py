"""cord.lock: one hand at a time sends closes. Two unlocked hands closing by size would flip the position.

The lock is flock(2), so it falls with its holder. The file names the holder (pid, start time) and when it last beat, by
a clock that nobody can set. A hand that finds a holder who has not beaten for 2 s takes it for frozen and fences: it
kills the holder, and only then goes on. A holder that beats is at work on the same thing and is left to it.

What excludes is the flock alone. A disk that is full or read-only takes the name away, not the lock: the name is
written over itself in a file that was made beforehand, and a file that can only be read can still be locked.
"""

import contextlib
import errno
import fcntl
import os
import signal
import threading
import time

FROZEN_AFTER = 2.0
BEAT_EVERY = 0.5
NAME_BYTES = 64


class CordLock:
    """The right to send exposing writes, shared by the venue threads of one process. `since` is when it was taken
    (monotonic seconds): what was read before may have been changed by the hand that held it then."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "cord.lock")
        self._mutex = threading.Lock()
        self._descriptor = -1
        self.since = 0.0

    @property
    def held(self) -> bool:
        return self._descriptor >= 0

    def prepare(self) -> None:
        """Make the file, with room for a name in it, while the disk still takes it."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o660)
            if os.fstat(descriptor).st_size < NAME_BYTES:
                _write(descriptor, "")
            os.close(descriptor)

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

    @property
    def elsewhere(self) -> bool:
        """Whether another hand holds the lock and lives: what looks like a close at a venue may be its."""
        if self.held:
            return False
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except OSError:
            return False
        try:
            _, _, beaten = _signed(descriptor)
            return time.clock_gettime(time.CLOCK_BOOTTIME) - beaten < FROZEN_AFTER
        except (OSError, ValueError):
            return False
        finally:
            os.close(descriptor)

    def beat(self) -> None:
        """To be called every `BEAT_EVERY` seconds by a thread that stops when the process does."""
        with self._mutex:
            if self.held:
                _sign(self._descriptor)

    def release(self) -> None:
        with self._mutex:
            if self.held:
                _write(self._descriptor, "")
                os.close(self._descriptor)
                self._descriptor = -1

    def _acquire(self) -> str:
        descriptor = _open(self._path)
        try:
            why = "" if _locked(descriptor) else _fence(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        if why:
            os.close(descriptor)
            return why
        _sign(descriptor)
        self._descriptor, self.since = descriptor, time.monotonic()
        return ""


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o660)
    except OSError:
        return os.open(path, os.O_RDONLY)


def _sign(descriptor: int) -> None:
    """Write who holds the lock, and that it lives."""
    _write(descriptor, f"{os.getpid()} {_started(os.getpid())} {time.clock_gettime_ns(time.CLOCK_BOOTTIME)}")


def _signed(descriptor: int) -> tuple[int, str, float]:
    """Who holds the lock: process id, start time, and when it last beat, in seconds. Raises ValueError for nobody."""
    pid, started, beaten = os.pread(descriptor, NAME_BYTES, 0).decode("ascii").split()
    return int(pid), started, int(beaten) / 1e9


def _write(descriptor: int, name: str) -> None:
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, name.ljust(NAME_BYTES).encode(), 0)


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
    try:
        holder, started, beaten = _signed(descriptor)
    except ValueError:
        return "cord.lock is held by a process that does not name itself"
    if time.clock_gettime(time.CLOCK_BOOTTIME) - beaten < FROZEN_AFTER:
        return "another hand is closing"
    if _started(holder) != started:
        return "cord.lock is held by a process that does not name itself"
    try:
        os.kill(holder, signal.SIGKILL)
    except PermissionError:
        return f"positions stand, the hand that closes is frozen; finish it with: sudo kill -9 {holder}"
    except ProcessLookupError:
        pass
    deadline = time.monotonic() + FROZEN_AFTER
    while not _locked(descriptor):
        if time.monotonic() > deadline:
            return f"the frozen hand {holder} does not die"
        time.sleep(0.002)
    return ""


def _started(pid: int) -> str:
    """The start time of a process, which tells it from a later one with the same number; "" when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return ""
