"""The journal on disk: one hash-chained JSONL file a writer, appended with group commit, merged on reading.

A record is acknowledged after fsync, and the records that queue up during one fsync share the next. Whatever a disk
refuses is cut off again, so that a file holds acknowledged records and, after a crash, at most a tail that nobody was
told about. The form of a line is `console.desk.chain`.
"""

import contextlib
import fcntl
import heapq
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO

import msgspec

from console.desk import chain
from console.desk.events import Event, Record, Sample, data_of, kind_of, record_from

_WRITER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BATCH = 1000
_SETTLE = 0.2


class JournalError(Exception):
    """A journal file that can not be used as it lies there: `path`, `line` (1-based, None for the file), `why`."""

    def __init__(self, path: Path, line: int | None, why: str) -> None:
        super().__init__(f"{path}:{line}: {why}" if line is not None else f"{path}: {why}")
        self.path = path
        self.line = line
        self.why = why


# --- writing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pending:
    """A record on its way to the disk."""

    event: Event
    data: bytes
    actor: str
    incident: str | None
    ts: int
    future: Future[Record]


class JournalWriter:
    """The one writer of `folder/<writer>.jsonl`. Thread-safe.

    Opening repairs what a crash left behind: bytes that are not a sealed record are moved from the end of the file to
    `<writer>.torn`; `torn` counts them. Raises JournalError where another process writes this file, OSError where the
    folder can not be used.
    """

    def __init__(self, folder: Path, writer: str, clock: Callable[[], int] = time.time_ns) -> None:
        if not _WRITER_NAME.fullmatch(writer):
            raise ValueError(f"{writer!r} can not name a writer: letters, digits, dots, dashes and underscores can")
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{writer}.jsonl"
        self.writer = writer
        self._clock = clock
        self._fd = _open_alone(self.path)
        try:
            self.torn, self._size, last = _repair(self._fd, self.path)
        except BaseException:
            os.close(self._fd)
            raise
        self.seq: int = last["seq"] if last else 0
        self.head: str = last["hash"] if last else chain.GENESIS
        self._last_ts: int = last["ts"] if last else 0
        self._dirty = False
        self._queue: SimpleQueue[_Pending | None] = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"journal-{writer}", daemon=True)
        self._thread.start()

    def append(self, event: Event, actor: str, incident: str | None = None, ts: int | None = None) -> "Future[Record]":
        """Queue one record; never waits for the disk.

        The future is done after fsync and can not be cancelled. It holds an OSError where the disk refused: the record
        is then not in the file, and later appends are tried anew. `ts` (UTC ns, now unless given) is raised to that of
        the record before where a clock stepped back.
        """
        if isinstance(event, Sample):
            raise TypeError(f"{kind_of(event)} is a sample: samples are never journaled")
        future: Future[Record] = Future()
        future.set_running_or_notify_cancel()  # an awaiting task that is cancelled must not take the record with it
        stamp = self._clock() if ts is None else ts
        pending = _Pending(event, data_of(event), actor, incident, stamp, future)
        with self._closing:
            if self._closed:
                raise ValueError(f"{self.path} is closed")
            self._queue.put(pending)
        return future

    def close(self) -> None:
        """Write what is queued, then let go of the file."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        os.close(self._fd)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            closing = False
            while len(batch) < _BATCH and not closing:
                try:
                    more = self._queue.get_nowait()
                except Empty:
                    break
                if more is None:
                    closing = True
                else:
                    batch.append(more)
            self._commit(batch)
            if closing:
                return

    def _commit(self, batch: list[_Pending]) -> None:
        lines, records, sealed, head = self._seal(batch)
        if not records:
            return
        try:
            self._write(b"".join(lines))
        except OSError as error:
            if len(records) == 1:
                sealed[0].future.set_exception(error)
                return
            for pending in sealed:  # on a full disk the small ones may still fit where the whole batch did not
                self._commit([pending])
            return
        self.seq, self.head, self._last_ts = records[-1].seq, head, records[-1].ts
        for pending, record in zip(sealed, records, strict=True):
            pending.future.set_result(record)

    def _seal(self, batch: list[_Pending]) -> tuple[list[bytes], list[Record], list[_Pending], str]:
        lines: list[bytes] = []
        records: list[Record] = []
        sealed: list[_Pending] = []
        seq, head, last_ts = self.seq, self.head, self._last_ts
        for pending in batch:
            ts = max(pending.ts, last_ts)
            try:
                line, digest = chain.seal_raw(
                    seq=seq + 1,
                    ts=ts,
                    writer=self.writer,
                    kind=kind_of(pending.event),
                    actor=pending.actor,
                    data=pending.data,
                    prev=head,
                    incident=pending.incident,
                )
            except (TypeError, ValueError) as error:  # an actor that is not text, say
                pending.future.set_exception(error)
                continue
            seq, head, last_ts = seq + 1, digest, ts
            lines.append(line)
            sealed.append(pending)
            event: Any = pending.event
            records.append(Record(ts, self.writer, pending.actor, event, seq, pending.incident))
        return lines, records, sealed, head

    def _write(self, data: bytes) -> None:
        """Append and fsync, or cut off again whatever got there and raise OSError."""
        if self._dirty:
            self._cut()
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            os.fsync(self._fd)
        except OSError:
            self._dirty = True
            with contextlib.suppress(OSError):  # tried again before the next write
                self._cut()
            raise
        self._size += len(data)

    def _cut(self) -> None:
        os.ftruncate(self._fd, self._size)
        os.fsync(self._fd)
        self._dirty = False


def _open_alone(path: Path) -> int:
    new = not path.exists()
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise JournalError(path, None, "another process is writing this journal") from None
    if new:
        _sync_folder(path.parent)
    return fd


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _repair(fd: int, path: Path) -> tuple[int, int, dict[str, Any] | None]:
    """Cut the file after its last sealed line. Returns bytes cut, bytes kept and the last line's object."""
    size = os.fstat(fd).st_size
    keep, last = _last_sealed(fd, size)
    if keep < size:
        with path.with_suffix(".torn").open("ab") as aside:
            aside.write(os.pread(fd, size - keep, keep))
            aside.flush()
            os.fsync(aside.fileno())
        os.ftruncate(fd, keep)
        os.fsync(fd)
    return size - keep, keep, last


def _last_sealed(fd: int, size: int) -> tuple[int, dict[str, Any] | None]:
    """Where the last line that matches its own hash ends, and that line. Looks backwards, from one newline to the one
    before, so that a journal of any length opens at once."""
    end = _newline_before(fd, size) + 1
    while end > 0:
        start = _newline_before(fd, end - 1) + 1
        line = os.pread(fd, end - start, start)
        try:
            told = msgspec.json.decode(line, type=dict[str, Any])
            record, digest = chain.unseal(line, told["prev"], told["seq"], 0)
        except (ValueError, KeyError, AttributeError):  # chain and msgspec errors are ValueErrors
            end = start
            continue
        return end, {**record, "hash": digest}
    return 0, None


def _newline_before(fd: int, end: int, step: int = 1 << 16) -> int:
    """The offset of the last newline among the first `end` bytes, -1 where there is none."""
    while end > 0:
        start = max(0, end - step)
        found = os.pread(fd, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found
        end = start
    return -1


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Position:
    """How far one file has been read, and what its next line must continue."""

    offset: int = 0
    seq: int = 0
    head: str = chain.GENESIS

    def take(self, path: Path, line: bytes) -> dict[str, Any]:
        """The object of the next complete line. Raises JournalError; the position is then where it was."""
        number = self.seq + 1
        try:
            told, digest = chain.unseal(line, self.head, number, number)
        except chain.ChainError as error:
            raise JournalError(path, number, error.why) from None
        if told.get("writer") != path.stem:
            raise JournalError(path, number, f"it was written by {told.get('writer')!r}, not by {path.stem!r}")
        self.offset, self.seq, self.head = self.offset + len(line), number, digest
        return told

    def take_up(self, path: Path, line: bytes) -> dict[str, Any] | None:
        """The object of a complete line behind damage, where it matches its own hash and is a later one; else None.
        Either way the position is behind it."""
        self.offset += len(line)
        try:
            claimed = msgspec.json.decode(line, type=dict[str, Any])
            told, digest = chain.unseal(line, claimed["prev"], claimed["seq"], 0)
        except (ValueError, KeyError, AttributeError):  # chain and msgspec errors are ValueErrors
            return None
        if told.get("writer") != path.stem or claimed["seq"] <= self.seq:
            return None
        self.seq, self.head = claimed["seq"], digest
        return told


def _record(path: Path, number: int, told: dict[str, Any]) -> Record:
    try:
        return record_from(told)
    except (msgspec.ValidationError, KeyError) as error:
        raise JournalError(path, number, f"this version can not read it: {error}") from None


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Complete lines only: what has no newline yet was never acknowledged."""
    for line in file:
        if not line.endswith(b"\n"):
            return
        yield line


def writers(folder: Path) -> list[Path]:
    """The journal files of a folder, by name; none where there is no folder."""
    return sorted(folder.glob("*.jsonl"))


def read_file(path: Path) -> Iterator[Record]:
    """One writer's records in order, checked as they are read. Raises JournalError at the first broken line."""
    position = _Position()
    with path.open("rb") as file:
        for line in _lines(file):
            told = position.take(path, line)
            yield _record(path, position.seq, told)


def read(folder: Path) -> Iterator[Record]:
    """All writers' records, merged by (ts, writer, seq). Raises JournalError as `read_file` does."""
    return heapq.merge(*(read_file(path) for path in writers(folder)), key=lambda record: record.order)


class Tail:
    """Follows a folder of journals, from their first records on.

    `problems` holds, by writer, where a file was first found damaged: its records up to there were delivered, and those
    behind that match their own hash, because no pull and no close among them may be forgotten; what stood between is
    lost, and nobody knows what it said. `unread` holds, by writer, why a file could not be read in the last poll: the
    others were, and it is tried again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: dict[str, JournalError] = {}
        self.unread: dict[str, OSError] = {}
        self._positions: dict[tuple[str, int], _Position] = {}

    @property
    def missing(self) -> list[str]:
        """What of the journals is missing in what was delivered, a sentence each."""
        broken = [
            f"{name}.jsonl is damaged at line {at.line}, what stood there is not shown: {at.why}"
            for name, at in self.problems.items()
        ]
        return [*broken, *(f"{name}.jsonl can not be read: {error.strerror}" for name, error in self.unread.items())]

    def poll(self) -> list[Record]:
        """What has appeared since the last poll, merged by (ts, writer, seq); empty where nothing has.

        A file that was replaced or cut is read from its start again: replaying is idempotent by (writer, seq).
        """
        found: list[Record] = []
        self.unread = {}
        for path in writers(self.folder):
            try:
                self._more(path, found)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.unread[path.stem] = error
        return sorted(found, key=lambda record: record.order)

    def _more(self, path: Path, found: list[Record]) -> None:
        """Add what a file has more. What was added before it failed was read, and is not read again."""
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            key = (path.stem, status.st_ino)
            position = self._positions.get(key)
            if position is None or status.st_size < position.offset:
                position = self._positions[key] = _Position()
            file.seek(position.offset)
            for line in _lines(file):
                record = self._taken(path, position, line)
                if record is not None:
                    found.append(record)

    def _taken(self, path: Path, position: _Position, line: bytes) -> Record | None:
        try:
            told: dict[str, Any] | None = position.take(path, line)
        except JournalError as error:
            self.problems.setdefault(path.stem, error)
            told = position.take_up(path, line)
        try:
            return None if told is None else _record(path, position.seq, told)
        except JournalError as error:
            self.problems.setdefault(path.stem, error)
            return None


# --- proving --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WriterReport:
    """What a writer's file proves: `records` sealed lines up to `head_hash`, from `first_ts` to `last_ts` (UTC ns, 0
    without records); and, where it stops being a chain, the `problem` and its `line`."""

    writer: str
    records: int
    head_hash: str
    first_ts: int
    last_ts: int
    problem: str | None = None
    line: int | None = None


def verify(folder: Path) -> list[WriterReport]:
    """Check every writer's chain from its first line to its last. Never raises for what the files hold.

    A bare chain can not see that whole lines were cut off its end: compare `head_hash` with an anchor kept elsewhere.
    """
    return [_verify(path) for path in writers(folder)]


def _verify(path: Path) -> WriterReport:
    position = _Position()
    first = last = 0
    problem: JournalError | None = None
    with path.open("rb") as file:
        try:
            for line in _lines(file):
                told = position.take(path, line)
                last = told["ts"]
                first = first or last
        except JournalError as error:
            problem = error
        if problem is None and (rest := _unfinished(file, position.offset)):
            problem = JournalError(path, position.seq + 1, f"an unfinished line of {rest} bytes stands at the end")
    return WriterReport(
        writer=path.stem,
        records=position.seq,
        head_hash=position.head,
        first_ts=first,
        last_ts=last,
        problem=None if problem is None else problem.why,
        line=None if problem is None else problem.line,
    )


def _unfinished(file: BinaryIO, offset: int) -> int:
    """Bytes of a line at `offset` that is still not whole after a moment in which a living writer would finish it."""
    deadline = time.monotonic() + _SETTLE
    while True:
        file.seek(offset)
        rest = file.readline()
        if not rest or rest.endswith(b"\n"):
            return 0
        if time.monotonic() > deadline:
            return len(rest)
        time.sleep(_SETTLE / 10)
