"""Real mounts for tests, in a mount namespace of this thread and the processes it starts: nothing leaks out of it.

A `Disk` is a folder on a file system of its own, which can be spoiled and mended: one that is full, one that can only
be read, one that hangs in every write (a frozen ext4), and one that does not even find a file (a FUSE server that never
answers).
"""

import contextlib
import ctypes
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEW_NAMESPACE = 0x00020000
_OWN_FOLDERS = 0x00000200
_DETACH = 2
BUSY_TRIES = 100


class NotAllowed(Exception):
    """This machine, or this user, may not mount. The message says why."""


def _call(what: str, *arguments: object) -> None:
    if getattr(_LIBC, what)(*arguments):
        raise NotAllowed(f"{what} is not allowed here: {os.strerror(ctypes.get_errno())}")


def _run(*command: str | Path) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError as missing:
        raise NotAllowed(f"there is no {missing.filename} here") from None
    except subprocess.CalledProcessError as failed:
        raise NotAllowed(f"{command[0]} is not allowed here: {failed.stderr.strip()}") from None


@contextlib.contextmanager
def own_namespace() -> Iterator[None]:
    """What this thread and its processes mount inside stays among them. Raises NotAllowed."""
    before, here = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY), os.getcwd()
    try:
        _call("unshare", _NEW_NAMESPACE)
        try:
            _run("mount", "--make-rprivate", "/")
            yield
        finally:
            _call("unshare", _OWN_FOLDERS)  # threads begun meanwhile share this one's working folder, which moves
            _call("setns", before, _NEW_NAMESPACE)
            os.chdir(here)
    finally:
        os.close(before)


class Disk:
    """A folder on a good file system. `spoil` and `mend` turn its fault on and off."""

    size = "8m"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spoiled = False

    def __enter__(self) -> "Disk":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._mount()
        return self

    def __exit__(self, *raised: object) -> None:
        self.mend()
        _LIBC.umount2(os.fsencode(self.folder), _DETACH)

    def spoil(self) -> None:
        self._spoiled = True
        self._spoil()

    def mend(self) -> None:
        if self._spoiled:
            self._spoiled = False
            self._mend()

    def _mount(self) -> None:
        _run("mount", "-t", "tmpfs", "-o", f"size={self.size}", "tmpfs", self.folder)

    def _spoil(self) -> None: ...

    def _mend(self) -> None: ...


class FullDisk(Disk):
    """No byte fits any more."""

    def _spoil(self) -> None:
        with contextlib.suppress(OSError), (self.folder / "filler").open("wb", buffering=0) as filler:
            while filler.write(b"x" * 4096):
                pass

    def _mend(self) -> None:
        (self.folder / "filler").unlink()


class ReadOnlyDisk(Disk):
    """Every name can be read and none written; what is open for writing stays so."""

    def _spoil(self) -> None:
        _run("mount", "--bind", self.folder, self.folder)
        for left in range(BUSY_TRIES, -1, -1):  # whoever is just writing a file there keeps it busy
            try:
                _run("mount", "-o", "remount,bind,ro", self.folder)
                return
            except NotAllowed:
                if not left:
                    raise
                time.sleep(0.02)

    def _mend(self) -> None:
        _call("umount2", os.fsencode(self.folder), _DETACH)


class FrozenDisk(Disk):
    """Reads answer; a write does not come back before the disk is mended, and not even SIGKILL ends who waits."""

    def _mount(self) -> None:
        self._image = self.folder.with_name(self.folder.name + ".img")
        with self._image.open("wb") as image:
            image.truncate(16 << 20)
        _run("mkfs.ext4", "-q", "-O", "^has_journal", self._image)
        _run("mount", "-o", "loop", self._image, self.folder)

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        self._image.unlink()

    def _spoil(self) -> None:
        _run("fsfreeze", "--freeze", self.folder)

    def _mend(self) -> None:
        _run("fsfreeze", "--unfreeze", self.folder)


class DeadDisk(Disk):
    """Whoever looks for a file waits for ever, as on a network disk whose server is gone; a signal that kills does."""

    def _spoil(self) -> None:
        self._server = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self._server},rootmode=40000,user_id=0,group_id=0"
        _call("mount", b"dead", os.fsencode(self.folder), b"fuse", 0, options.encode())

    def _mend(self) -> None:
        os.close(self._server)
        _call("umount2", os.fsencode(self.folder), _DETACH)
