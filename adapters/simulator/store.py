"""What survives a crash: one append-only file of changes, synced before the answer that tells of them is sent.

    begun    the seed, the first session, the clock and an image of each account     (first line)
    kept     the clock and the changes of one operation or one tick                  (every further line)

One operation is one line, so a torn last line is an operation that nobody was told of. At start the file is folded into
a new first line, put in place by a rename.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import msgspec

from adapters.simulator.account import Account, Change, Image

FILE = "broker.jsonl"
FORMAT = 1


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    format: int
    seed: int
    first_day: date
    now: int
    forced: bool | None
    accounts: list[Image]


class Kept(msgspec.Struct, frozen=True, tag="kept"):
    now: int
    forced: bool | None = None
    changes: dict[str, list[Change]] = {}


class StateError(Exception):
    """The state folder can not be used; the text is one sentence for the user."""


class StoreFailure(Exception):
    """The disk refused a change. What is in memory is no longer what would be read back: the process has to end."""


_decode = msgspec.json.Decoder(Begun | Kept).decode
_encode = msgspec.json.Encoder().encode


def load(folder: Path) -> Begun | None:
    """The state as it was last acknowledged, None where there is none. Raises StateError."""
    path = folder / FILE
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path}: can not be read: {error.strerror}; move the folder aside to start anew") from error
    lines.pop()  # what follows the last newline is empty, or was torn off by a crash
    try:
        begun, kept = _fold_lines(lines)
    except (msgspec.DecodeError, ValueError) as error:
        raise StateError(f"{path}: is not a broker's state: {error}; move the folder aside to start anew") from error
    if begun.format != FORMAT:
        raise StateError(f"{path}: has format {begun.format}, this program reads {FORMAT}; move the folder aside")
    accounts = {image.opened.name: Account.restored(image) for image in begun.accounts}
    now, forced = begun.now, begun.forced
    for record in kept:
        now, forced = record.now, record.forced
        for name, changes in record.changes.items():
            for change in changes:
                accounts[name].apply(change)
    return Begun(FORMAT, begun.seed, begun.first_day, now, forced, [account.image() for account in accounts.values()])


def _fold_lines(lines: list[bytes]) -> tuple[Begun, list[Kept]]:
    begun: Begun | None = None
    kept: list[Kept] = []
    for number, line in enumerate(lines, 1):
        record = _decode(line)
        if isinstance(record, Begun) != (number == 1):
            raise ValueError(f"line {number} is out of place")
        if isinstance(record, Begun):
            begun = record
        else:
            kept.append(record)
    if begun is None:
        raise ValueError("it is empty")
    return begun, kept


@contextmanager
def locked(folder: Path | None) -> Iterator[None]:
    """Holds the folder against a second broker. Raises StateError where one is there already."""
    if folder is None:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(folder / "broker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"{folder}: can not be used as a state folder: {error.strerror}; name another one") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StateError(f"{folder}: another simulated broker uses it; stop that one or name another folder") from None
    finally:
        os.close(fd)


class Store:
    """The file, open for appending. Without a folder everything is forgotten at the end."""

    def __init__(self, folder: Path | None, begun: Begun) -> None:
        self._fd = -1
        self._folder = folder
        self._failure: StoreFailure | None = None
        if folder is None:
            return
        path, fresh = folder / FILE, folder / f"{FILE}.new"
        # The account's secrets are in it: nobody else may read it.
        self._fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._write(_encode(begun))
        os.fsync(self._fd)
        fresh.rename(path)
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def keep(self, record: Kept) -> None:
        """Appends, and comes back when it is on the disk. A clock alone is not worth a sync: it only moves forward.

        Raises StoreFailure, and from then on always: a line half written must stay the last one."""
        if self._fd < 0:
            return
        if self._failure is not None:
            raise self._failure
        try:
            self._write(_encode(record))
            if record.changes:
                os.fdatasync(self._fd)
        except OSError as error:
            self._failure = StoreFailure(
                f"{self._folder}: can not be written: {error.strerror}; nothing more is accepted"
            )
            raise self._failure from error

    def _write(self, line: bytes) -> None:
        data = memoryview(line + b"\n")
        while data:
            data = data[os.write(self._fd, data) :]

    def close(self) -> None:
        if self._fd >= 0:
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1
