"""Sealing: files become evidence, and stay what they are.

Every file is written aside, synced and renamed; then the manifest, with their lines and one signed head, is written
aside and renamed. That last rename is the one moment at which a seal exists. A crash before it leaves files that no
manifest names, and `tidy` removes them; a crash after it leaves the whole seal. What was sealed before is not touched.
"""

import base64
import contextlib
import fcntl
import hashlib
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import pyarrow as pa
import pyarrow.parquet as pq

from console.evidence.manifest import (
    MANIFEST,
    HeadLine,
    ItemLine,
    JournalHead,
    Manifest,
    ManifestError,
    encoded,
    item_named,
    read_manifest,
    seal_of,
    with_signature,
)
from console.evidence.parquet import options
from console.evidence.signing import Signer

ROW_GROUP_ROWS = 1 << 15
ROW_GROUP_BYTES = 16 << 20
_FILE_MODE = 0o440
_FOLDER_MODE = 0o750


class NotSealed(Exception):
    """Nothing was sealed, and what was sealed before stands. The message says why."""


class LeftOut(Exception):
    """A part that can not be had; the others are sealed without it, and the head says so in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a head says beside what it covers; as in `manifest.HeadLine`. `missing` is read last: whoever makes the
    parts may add to it meanwhile."""

    incident: str
    why: str
    by: str
    cls: str = ""
    severity: str = ""
    title: str = ""
    opened_at: int
    closed_at: int = 0
    pulls: tuple[str, ...] = ()
    desk: str
    mode: str
    journal: Mapping[str, JournalHead] = field(default_factory=dict)
    fold: str
    records: int
    missing: Sequence[str] = ()
    version: str


class Part(Protocol):
    """One file of a seal. `file` is its name without the seal's number; `captured_at` is UTC ns, `clock_offset_ms` how
    far the clock was off then, None where nobody knows. `missing`, read after `write`, is what of it could not be had.
    """

    item: str
    captured_at: int
    by: str
    source: str
    clock_offset_ms: int | None
    extra: Mapping[str, Any]
    missing: list[str]

    @property
    def file(self) -> str: ...

    def write(self, file: BinaryIO) -> tuple[int | None, tuple[str, ...]]:
        """Write it, and say how many rows and which columns it has (None and none where it is no table). Raises
        LeftOut, or OSError where the disk refuses."""
        ...


@dataclass(slots=True, kw_only=True)
class _Described:
    item: str
    captured_at: int
    by: str
    source: str
    clock_offset_ms: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class TablePart(_Described):
    """A table, as Parquet. `batches` are taken once, while it is written, and may be any number of any size; whatever
    goes wrong in making them leaves the part out. None at all makes a table without rows."""

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]

    @property
    def file(self) -> str:
        return f"{self.item}.parquet"

    def write(self, file: BinaryIO) -> tuple[int, tuple[str, ...]]:
        groups = _row_groups(self.schema, self._made())
        first = list(islice(groups, 1))
        rows = 0
        with pq.ParquetWriter(file, self.schema, **options(*first or [self.schema.empty_table()])) as writer:
            for table in chain(first, groups):
                writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
                rows += table.num_rows
        return rows, columns(self.schema)

    def _made(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self.batches:
                if batch.schema != self.schema:
                    raise ValueError(f"its columns are {columns(batch.schema)}, not {columns(self.schema)}")
                yield batch
        except GeneratorExit:
            raise
        except Exception as error:  # of whoever makes the rows: a file that can not be read, a number that does not fit
            raise LeftOut(str(error) or type(error).__name__) from error


@dataclass(slots=True, kw_only=True)
class BytesPart(_Described):
    """Bytes as they are, whole or in pieces."""

    file: str
    data: bytes | Iterable[bytes]

    def write(self, file: BinaryIO) -> tuple[None, tuple[str, ...]]:
        file.writelines((self.data,) if isinstance(self.data, bytes) else self.data)
        return None, ()


def columns(schema: pa.Schema) -> tuple[str, ...]:
    """The schema as a manifest says it: `name: type`."""
    return tuple(f"{column.name}: {column.type}" for column in schema)


def _row_groups(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Small batches put together: a row group each would make a file slow to read."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= ROW_GROUP_ROWS or size >= ROW_GROUP_BYTES:
            yield pa.Table.from_batches(waiting, schema)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting, schema)


# --- sealing --------------------------------------------------------------------------------------------------------


def seal(
    folder: Path, facts: Facts, parts: Iterable[Part], signer: Signer, *, clock: Callable[[], int] = time.time_ns
) -> HeadLine:
    """Seal the parts as one more step of the incident in `folder`, which is made where it is missing, and return the
    signed head. A part that can not be had, or does not fit on the disk, is left out, and the head says so. Waits while
    another process seals the same incident. Raises NotSealed: also where the disk takes none of the parts."""
    try:
        _make(folder)
        with _locked(folder, fcntl.LOCK_EX):
            return _Sealing(folder, facts, signer, clock).done(parts)
    except ManifestError as error:
        raise NotSealed(f"nothing is added to evidence that is not what was sealed: {error}") from error
    except OSError as error:
        raise NotSealed(f"{folder}: the evidence can not be written: {error.strerror or error}") from error


class _Sealing:
    """One seal on its way. The folder is ours."""

    def __init__(self, folder: Path, facts: Facts, signer: Signer, clock: Callable[[], int]) -> None:
        self.folder, self.facts, self.signer, self.clock = folder, facts, signer, clock
        self.before = _sealed(folder)
        if self.before.loose:
            raise ManifestError(f"{folder / MANIFEST}: lines stand behind the last head")
        if self.before.heads and self.before.last.incident != facts.incident:
            raise NotSealed(f"{folder}: this is the evidence of {self.before.last.incident}, not of {facts.incident}")
        self.seal = len(self.before.heads) + 1
        _remove_leftovers(folder, self.before)
        for name in os.listdir(folder):
            if (seal_of(name) or 0) >= self.seal:  # it would be overwritten
                raise ManifestError(f"{folder / name}: it is of a seal that the manifest does not tell of")
        self.lines: list[bytes] = []
        self.prev = self.before.head_hash
        self.missing: list[str] = []
        self.refused: OSError | None = None
        self.files: set[str] = set()

    def done(self, parts: Iterable[Part]) -> HeadLine:
        try:
            for part in parts:
                self._add(part)
            if self.refused is not None and not self.lines:
                raise self.refused
            head = self._head()
            data = b"".join(line + b"\n" for line in self.before.lines) + b"".join(self.lines)
            _sync(self.folder)  # the files have their names on disk before anything speaks of them
            with _aside(self.folder / MANIFEST) as file:
                file.write(data)
        except BaseException:
            with contextlib.suppress(OSError):
                _remove_leftovers(self.folder, self.before)
            raise
        try:
            _sync(self.folder)
        except OSError as error:
            raise NotSealed(f"{self.folder}: the disk does not confirm seal {self.seal}: {error.strerror}") from error
        return head

    @property
    def _seq(self) -> int:
        return len(self.before.lines) + len(self.lines) + 1

    def _add(self, part: Part) -> None:
        name = f"{self.seal:03d}-{part.file}"
        try:
            if seal_of(name) != self.seal or name in self.files:
                raise LeftOut(f"{part.file!r} can not name a file, or names two")
            if not item_named(part.item):
                raise LeftOut(f"{part.item!r} can not name an item")
            self.files.add(name)
            with _aside(self.folder / name) as file:
                rows, schema = part.write(cast("BinaryIO", file))
        except (LeftOut, pa.ArrowException) as why:
            self.missing.append(f"{part.item}: {why}")
            return
        except OSError as error:  # what is smaller may still fit
            self.missing.append(f"{part.item}: it can not be written: {error.strerror or error}")
            self.refused = error
            return
        self.missing += part.missing
        line = ItemLine(
            seq=self._seq,
            prev=self.prev,
            file=name,
            item=part.item,
            seal=self.seal,
            sha256=file.sha256,
            bytes=file.bytes,
            rows=rows,
            schema=schema,
            captured_at=part.captured_at,
            by=part.by,
            source=part.source,
            clock_offset_ms=part.clock_offset_ms,
            extra=dict(part.extra),
        )
        raw, line = encoded(line)
        self.lines.append(raw)
        self.prev = line.hash

    def _head(self) -> HeadLine:
        facts = self.facts
        head = HeadLine(
            seq=self._seq,
            prev=self.prev,
            seal=self.seal,
            why=facts.why,
            incident=facts.incident,
            cls=facts.cls,
            severity=facts.severity,
            title=facts.title,
            opened_at=facts.opened_at,
            closed_at=facts.closed_at,
            pulls=facts.pulls,
            desk=facts.desk,
            mode=facts.mode,
            lines=self._seq - 1,
            journal=dict(facts.journal),
            fold=facts.fold,
            records=facts.records,
            missing=(*facts.missing, *self.missing),
            sealed_at=self.clock(),
            by=facts.by,
            version=facts.version,
            public_key=self.signer.public_key,
            signer=self.signer.fingerprint,
        )
        raw, head = encoded(head)
        raw, head = with_signature(raw, head, base64.b64encode(self.signer.sign(head.signed)).decode())
        self.lines.append(raw)
        return head


def _sealed(folder: Path) -> Manifest:
    """What the folder holds so far. Raises ManifestError."""
    return read_manifest(folder) if os.path.lexists(folder / MANIFEST) else Manifest()


# --- what a crash leaves --------------------------------------------------------------------------------------------


def tidy(archive: Path) -> list[str]:
    """Remove what interrupted seals left behind, in every incident's folder where nobody is sealing, and say what it
    was. A folder whose manifest can not be read is left as it is. Raises OSError."""
    removed: list[str] = []
    for folder in sorted(path for path in archive.glob("*") if path.is_dir() and not path.is_symlink()):
        with contextlib.suppress(BlockingIOError, ManifestError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            gone = _remove_leftovers(folder, _sealed(folder))
            removed += (f"{folder.name}/{name}" for name in gone)
            if not os.listdir(folder):
                folder.rmdir()
    return removed


def being_sealed(folder: Path) -> bool:
    """Whether somebody is sealing this incident right now."""
    try:
        with _locked(folder, fcntl.LOCK_SH | fcntl.LOCK_NB):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def leftovers(names: Iterable[str], sealed: Manifest) -> list[str]:
    """Which files of a folder an interrupted seal left: those of the seal that would have come next. Where files of
    later ones lie there, it is the manifest that is not whole, and only what is unfinished is left over."""
    due = len(sealed.heads) + 1
    of = {name: seal_of(name.removesuffix(NEW)) for name in names}
    whole = max((seal for seal in of.values() if seal), default=0) <= due
    return sorted(
        name for name, seal in of.items() if name == MANIFEST + NEW or (seal == due and (whole or name.endswith(NEW)))
    )


def _remove_leftovers(folder: Path, sealed: Manifest) -> list[str]:
    names = leftovers(os.listdir(folder), sealed)
    for name in names:
        os.unlink(folder / name)
    if names:
        _sync(folder)
    return names


# --- the disk -------------------------------------------------------------------------------------------------------

NEW = ".new"


class _Hashed(io.BufferedIOBase):
    """A file that knows what was written into it."""

    def __init__(self, fd: int) -> None:
        self._file = os.fdopen(fd, "wb")
        self._hash = hashlib.sha256()
        self.bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._hash.update(view)
        self.bytes += view.nbytes
        return self._file.write(view)

    def tell(self) -> int:
        return self.bytes

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        try:
            self._file.close()
        finally:
            super().close()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


@contextlib.contextmanager
def _aside(path: Path) -> Iterator[_Hashed]:
    """A file that has its name once it is whole and on disk, and else is gone."""
    new = path.with_name(path.name + NEW)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    file = _Hashed(fd)
    try:
        yield file
        file.sync()
        os.fchmod(fd, _FILE_MODE)
        os.rename(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    finally:
        with contextlib.suppress(OSError):  # what could not be written is said already
            file.close()


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        _sync(folder.parent)


@contextlib.contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Whoever seals or tidies a folder holds it alone. Raises BlockingIOError where somebody does, and `how` says not
    to wait."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
