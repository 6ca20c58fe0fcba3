"""cord.lock: one hand at a time sends closes. Two unlocked hands closing by size would flip the position.

The lock is flock(2), so it falls with its holder. The file names the holder (pid, start time) and when it last beat, by
a clock that nobody can set. A hand that finds a holder who has not beaten for 2 s takes it for frozen and fences: it
kills the holder, and only then goes on. A holder that beats is at work on the same thing and is left to it.

What excludes is the flock alone. A bad disk takes the name away, not the lock: the name is written over itself in a
file that was made beforehand, a file that can only be read can still be locked, and no hung disk is waited for.
"""

import contextlib
import errno
import fcntl
import os
import signal
import threading
import time

from console.cord.aside import Aside

FROZEN_AFTER = 2.0
BEAT_EVERY = 0.5
DISK_MAY_TAKE = 2.0
SIGN_WITHIN = 0.05
NAME_BYTES = 64


class CordLock:
    """The right to send exposing writes, shared by the venue threads of one process. `since` is when it was taken
    (monotonic seconds): what was read before may have been changed by the hand that held it then."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "cord.lock")
        self._mutex = threading.Lock()
        self._aside = Aside("cord-lock")
        self._descriptor = -1
        self.held = False
        self.since = 0.0

    def prepare(self) -> None:
        """Make the file, with room for a name in it, while the disk still takes it, and keep it open: later the disk
        may not even find it."""
        with contextlib.suppress(OSError):
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o660)
            if os.fstat(self._descriptor).st_size < NAME_BYTES:
                _write(self._descriptor, "")

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
            if self._descriptor < 0:
                with self._mutex:  # another thread may have opened it meanwhile, and hold the lock
                    self._descriptor = self._descriptor if self._descriptor >= 0 else self._opened()
            _, _, beaten = _signed(os.pread(self._descriptor, NAME_BYTES, 0))
        except (OSError, ValueError):
            return False
        return time.clock_gettime(time.CLOCK_BOOTTIME) - beaten < FROZEN_AFTER

    def beat(self) -> None:
        """To be called every `BEAT_EVERY` seconds by a thread that stops when the process does. Never waits."""
        if self.held:
            self._sign(0.0)

    def release(self) -> None:
        with self._mutex:
            if self.held:
                self.held = False
                self._write("", SIGN_WITHIN)
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _acquire(self) -> str:
        if not _usable(self._descriptor):
            self._descriptor = self._opened()
        why = "" if _locked(self._descriptor) else _fence(self._descriptor)
        if not why:
            self._sign(SIGN_WITHIN)
            self.held, self.since = True, time.monotonic()
        return why

    def _opened(self) -> int:
        """Raises OSError, also where the disk does not answer."""
        done = threading.Event()
        found: list[int | OSError] = []

        def job() -> None:
            try:
                found.append(_open(self._path))
            except OSError as error:
                found.append(error)
            done.set()

        self._aside.ask(job)
        done.wait(DISK_MAY_TAKE)
        result = found[0] if found else OSError(errno.ETIMEDOUT, f"the disk does not answer for {DISK_MAY_TAKE:g} s")
        if isinstance(result, OSError):
            raise result
        return result

    def _sign(self, patience: float) -> None:
        """Write who holds the lock, and that it lives."""
        beaten = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._write(f"{os.getpid()} {_started(os.getpid())} {beaten}", patience)

    def _write(self, name: str, patience: float) -> None:
        descriptor, done = self._descriptor, threading.Event()

        def job() -> None:
            _write(descriptor, name)
            done.set()

        self._aside.ask(job)
        done.wait(patience)


def _usable(descriptor: int) -> bool:
    """Whether an open file is still the one that other hands lock, and can be written once the disk allows it."""
    if descriptor < 0:
        return False
    there = os.fstat(descriptor).st_nlink > 0  # else somebody tidied the folder up
    return there and fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o660)
    except OSError:
        return os.open(path, os.O_RDONLY)


def _signed(name: bytes) -> tuple[int, str, float]:
    """Who holds the lock: process id, start time, and when it last beat, in seconds. Raises ValueError for nobody."""
    pid, started, beaten = name.decode("ascii").split()
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
        name = os.pread(descriptor, NAME_BYTES, 0)
        holder, started, beaten = _signed(name)
    except ValueError:
        return "cord.lock is held by a process that does not name itself"
    if time.clock_gettime(time.CLOCK_BOOTTIME) - beaten < FROZEN_AFTER:
        return "another hand is closing"
    time.sleep(BEAT_EVERY * 1.5)  # what was signed may have been held up by the disk, or be the name of the one before
    if os.pread(descriptor, NAME_BYTES, 0) != name:
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
