"""One guard a desk: `guard.lock` in the state folder, held as long as the process lives, with its pid inside."""

import fcntl
import os
from pathlib import Path


class AlreadyRunning(Exception):
    """Another guard has this desk. The message says which process."""


class Instance:
    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises AlreadyRunning; OSError where the folder can not be used."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        path = folder / "guard.lock"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip() or "?"
            os.close(self._descriptor)
            raise AlreadyRunning(f"{folder}: a guard (pid {holder}) has this desk already; stop it first") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._descriptor)
