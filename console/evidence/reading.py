"""Reading what was sealed: rows of an item, the records, and the state that they fold to. With files alone.

Only files that a signed head covers are read. A small file is hashed before its first row is believed; of a larger one
the checksum of each page is held against its bytes as it is decoded. Imports PyArrow.
"""

import hashlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from console import __version__
from console.desk.archive import Unreadable
from console.desk.events import Record, encode
from console.desk.state import DeskState, fold
from console.evidence.columns import schema as schema_of
from console.evidence.manifest import ItemLine, Manifest, open_file, read_manifest
from console.evidence.seal import columns
from console.evidence.streams import STATE, STREAMS, RecordRow, told_of

WHOLE_BYTES = 16 << 20
"""A file of up to so many bytes is hashed when it is opened: a matter of milliseconds."""
CACHE_BYTES = 64 << 20
MOST_ROWS = 1 << 20
"""Rows that a row group may have. Those of an archive have far fewer; what a footer claims costs nothing to write."""
RECORDS = "records"
SEAL = "seal"

_MANGLED = (OSError, ValueError, pa.ArrowException)  # of a file that is not what was written, Arrow raises all of these


class SealedFile:
    """One Parquet file as the manifest tells of it. Raises Unreadable where it is not that file."""

    def __init__(self, folder: Path, line: ItemLine, whole_bytes: int = WHOLE_BYTES) -> None:
        self.path = folder / line.file
        self.line = line
        with sealed_file(self.path, line, whole_bytes) as file:
            try:
                self._file = parquet_of(file)
                told, rows = columns(self._file.schema_arrow), self._file.metadata.num_rows
            except _MANGLED as error:
                raise _unreadable(self.path, error) from None
        if told != line.schema or rows != line.rows:
            raise Unreadable(f"{self.path}: its columns or its number of rows are not those that were sealed")
        self.schema: pa.Schema = self._file.schema_arrow
        groups = range(self._file.metadata.num_row_groups)
        self.sizes: list[int] = [self._file.metadata.row_group(number).num_rows for number in groups]
        if sum(self.sizes) != rows:
            raise Unreadable(f"{self.path}: its row groups do not add up to its {rows} rows")
        if max(self.sizes, default=0) > MOST_ROWS:
            raise Unreadable(f"{self.path}: a row group of {max(self.sizes)} rows was never written by a seal")

    def columns(self, group: int, names: Sequence[str]) -> list[pa.Array]:
        """Columns of one row group, their pages checked; together they are read in half the time."""
        try:
            read = self._file.read_row_group(group, columns=list(names))
            read.validate(full=True)
        except _MANGLED as error:
            raise _unreadable(self.path, error) from None
        if read.num_rows != self.sizes[group]:
            raise Unreadable(f"{self.path}: row group {group} has not the rows that it says")
        return [_whole(read.column(name)) for name in names]

    def column(self, group: int, name: str) -> pa.Array:
        """One of them."""
        return self.columns(group, [name])[0]

    def close(self) -> None:
        self._file.close()


def _whole(values: pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)


def sealed_file(path: Path, line: ItemLine, whole_bytes: int = WHOLE_BYTES) -> BinaryIO:
    """A file to be read that has the size that was sealed and, as far as it is small, the bytes. Raises Unreadable."""
    file = open_file(path)
    try:
        size = os.fstat(file.fileno()).st_size
        if size != line.bytes:
            raise Unreadable(f"{path}: it has {size} bytes, {line.bytes} were sealed")
        if size <= whole_bytes and hashlib.sha256(file.read()).hexdigest() != line.sha256:
            raise Unreadable(f"{path}: its bytes are not those that were sealed")
        file.seek(0)
    except BaseException as error:
        file.close()
        if isinstance(error, OSError):
            raise _unreadable(path, error) from None
        raise
    return file


def parquet_of(file: BinaryIO) -> pq.ParquetFile:
    """A Parquet file that is open already, whatever its name leads to by now. Raises OSError, and what Arrow raises."""
    return pq.ParquetFile(f"/dev/fd/{file.fileno()}", page_checksum_verification=True)


def _unreadable(path: Path, error: Exception) -> Unreadable:
    return Unreadable(f"{path}: it is damaged, or not what was written: {' '.join(str(error).split())}")


class Group(NamedTuple):
    """A row group in its place: `rows` of them, from `first` on."""

    file: int
    number: int
    first: int
    rows: int


class Table:
    """The rows of an item, over all seals that added to it, in their order. A row group's column is decoded when it is
    asked for; the latest ones asked for are kept, up to CACHE_BYTES. Thread-safe.

    Where several seals added to it, a column `seal` says which. What a file does not have of the columns is null.
    """

    def __init__(self, folder: Path, lines: Sequence[ItemLine], whole_bytes: int = WHOLE_BYTES) -> None:
        self.files = [SealedFile(folder, line, whole_bytes) for line in lines]
        self._folder = folder
        self.schema = _one_schema(folder, self.files)
        self.groups = tuple(_groups(self.files))
        self.count = sum(group.rows for group in self.groups)
        self._decoded: OrderedDict[tuple[int, str], pa.Array] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def column(self, group: int, name: str) -> pa.Array:
        """A column of one of the `groups`. Raises Unreadable."""
        return self.columns(group, [name])[0]

    def columns(self, group: int, names: Sequence[str]) -> list[pa.Array]:
        """Columns of one of the `groups`. Raises Unreadable."""
        with self._lock:
            found = {name: self._decoded[group, name] for name in names if (group, name) in self._decoded}
            found |= self._read(self.groups[group], [name for name in names if name not in found])
            for name, values in found.items():
                if (group, name) not in self._decoded:
                    self._held += values.nbytes
                self._decoded[group, name] = values
                self._decoded.move_to_end((group, name))
            while self._held > CACHE_BYTES and len(self._decoded) > 1:
                _, oldest = self._decoded.popitem(last=False)
                self._held -= oldest.nbytes
            return [found[name] for name in names]

    def close(self) -> None:
        for file in self.files:
            file.close()

    def _read(self, group: Group, names: Sequence[str]) -> dict[str, pa.Array]:
        file = self.files[group.file]
        there = [name for name in names if name in file.schema.names]
        found = dict(zip(there, file.columns(group.number, there), strict=True)) if there else {}
        kinds = {name: self.schema.field(name).type for name in names}
        for name in names:
            if name not in found:
                seal = file.line.seal if name == SEAL else None
                found[name] = pa.repeat(pa.scalar(seal, kinds[name]), group.rows)
        return {
            name: values if values.type == kinds[name] else values.cast(kinds[name]) for name, values in found.items()
        }


def _one_schema(folder: Path, files: Sequence[SealedFile]) -> pa.Schema:
    try:
        schema = pa.unify_schemas([file.schema for file in files], promote_options="permissive")
    except pa.ArrowException as error:
        names = " and ".join(file.line.file for file in files)
        raise Unreadable(f"{folder}: {names} are no rows of one table: {error}") from None
    if len(files) > 1 and SEAL not in schema.names:
        schema = schema.append(pa.field(SEAL, pa.int32()))
    return schema


def _groups(files: Sequence[SealedFile]) -> Iterator[Group]:
    first = 0
    for number, file in enumerate(files):
        for group, count in enumerate(file.sizes):
            if count:
                yield Group(number, group, first, count)
            first += count


def open_table(folder: Path, item: str, manifest: Manifest | None = None, whole_bytes: int = WHOLE_BYTES) -> Table:
    """The table of an item of an incident. Raises Unreadable, also where it has no such table."""
    manifest = manifest or read_manifest(folder)
    lines = [line for line in manifest.items if line.item == item and line.rows is not None]
    if not lines:
        known = sorted({line.item for line in manifest.items if line.rows is not None})
        raise Unreadable(f"{folder}: no table {item!r} was sealed; there are {', '.join(known) or 'none'}")
    return Table(folder, lines, whole_bytes)


# --- the records ----------------------------------------------------------------------------------------------------

_RECORD = schema_of(STREAMS[RECORDS])
_EXPONENT = re.compile(r'"[-+]?[0-9._]+[eE][-+]?[0-9_]{3,}"')
"""A number that takes a gigabyte to write out; no desk ever had one."""


def _open_records(folder: Path, manifest: Manifest | None = None) -> Table:
    table = open_table(folder, RECORDS, manifest)
    for column in _RECORD:
        if column.name not in table.schema.names or table.schema.field(column.name).type != column.type:
            table.close()
            raise Unreadable(f"{folder}: its records have no column {column.name} of {column.type}")
    return table


def records(folder: Path) -> Iterator[Record | DeskState]:
    """What the desk did and saw, in its order; a keyframe is the whole state at its place. Raises Unreadable."""
    table = _open_records(folder)
    try:
        for group in range(len(table.groups)):
            for row in _rows(table, group):
                yield _told(folder, row)
    finally:
        table.close()


def durable(folder: Path, manifest: Manifest | None = None, kinds: Sequence[str] = ()) -> Iterator[Record]:
    """Those of the records that are in a journal, each once; of these `kinds` alone where some are named."""
    table = _open_records(folder, manifest)
    seen: set[tuple[str, int]] = set()
    try:
        for group in range(len(table.groups)):
            columns = dict(zip(RecordRow._fields, table.columns(group, RecordRow._fields), strict=True))
            kept = pc.greater(columns["seq"], 0)
            if kinds:
                kept = pc.and_(kept, pc.is_in(columns["kind"], pa.array(kinds, pa.string())))
            for row in _rows(table, group, kept):
                if (row.writer, row.seq) not in seen:
                    seen.add((row.writer, row.seq))
                    record = _told(folder, row)
                    if isinstance(record, Record):
                        yield record
    finally:
        table.close()


def state_of(folder: Path, manifest: Manifest | None = None) -> DeskState:
    """The desk as it was at the last seal: the last keyframe and what came after it, compared with the hash in the
    signed head. Raises Unreadable."""
    manifest = manifest or read_manifest(folder)
    table = _open_records(folder, manifest)
    try:
        state = _folded(folder, table, manifest.last.records)
    except Unreadable:
        raise
    except Exception as error:  # records that no desk ever told: the fold promises nothing for them
        raise Unreadable(f"{folder}: its records can not be folded: {error!r}") from error
    finally:
        table.close()
    if hashlib.sha256(encode(state)).hexdigest() != manifest.last.fold:
        by = f"seal {manifest.last.seal}, by version {manifest.last.version}"
        raise Unreadable(
            f"{folder}: its records do not fold to the state that was sealed ({by}; this is {__version__})"
        )
    return state


def _folded(folder: Path, table: Table, until: int) -> DeskState:
    """The state after the record numbered `until`."""
    first, keyframe = _last_keyframe(folder, table, until)
    state = DeskState()
    for group in range(first, len(table.groups)):
        numbers = table.column(group, "pos")
        for row in _rows(table, group, pc.and_(pc.greater_equal(numbers, keyframe), pc.less_equal(numbers, until))):
            told = _told(folder, row)
            state = fold(state, told) if isinstance(told, Record) else told
    return state


def _last_keyframe(folder: Path, table: Table, until: int) -> tuple[int, int]:
    """The row group that holds it, and its number. Raises Unreadable where there is none."""
    for group in reversed(range(len(table.groups))):
        numbers, told = table.columns(group, ("pos", "kind"))
        numbers = numbers.filter(pc.equal(told, STATE))
        latest = pc.max(numbers.filter(pc.less_equal(numbers, until))).as_py()
        if latest is not None:
            return group, latest
    raise Unreadable(f"{folder}: no keyframe is among its records, so nobody can tell the desk's state from them")


def _rows(table: Table, group: int, kept: pa.Array | None = None) -> Iterator[RecordRow]:
    """The rows of a row group; where `kept` is given, those it is true of."""
    if kept is not None and not pc.any(kept).as_py():
        return
    columns = table.columns(group, RecordRow._fields)
    for name, column in zip(RecordRow._fields, columns, strict=True):
        if column.null_count and name != "incident":
            raise Unreadable(f"a record has no {name}")
    if kept is not None:
        columns = [column.filter(kept) for column in columns]
    lists = [
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist() for column in columns
    ]
    yield from map(RecordRow._make, zip(*lists, strict=True))


def _told(folder: Path, row: RecordRow) -> Record | DeskState:
    try:
        if _EXPONENT.search(row.data):
            raise ValueError("it holds a number beyond all bounds")
        return told_of(row)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unreadable(f"{folder}: this version can not read record {row.pos} ({row.kind}): {error}") from None
