"""The flight recorder's ring: what came in lately, a stream beside the other, in memory and in closed segments on disk.

`<folder>/<stream>/<first row>-<when>.parquet`. The oldest segments go once they are older than `minutes` or all of them
are larger than `megabytes`. What a pinned incident has not sealed stays, up to twice the bytes; beyond that the oldest
go all the same, and that is said. One thread owns a ring; a `Slice` of it may be read by another.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from console.evidence import segments
from console.evidence.columns import schema
from console.evidence.segments import About, Segment
from console.evidence.streams import STATE, STREAMS

BATCH_ROWS = 4096
SEGMENT_ROWS = 100_000
SEGMENT_BYTES = 8 << 20
PATIENCE = 4
"""Segments' worth of rows that are held in memory while the disk refuses; then they are let go."""
ASIDE = ".unreadable"

Places: TypeAlias = dict[str, tuple[int, int, int]]


class Unkept(Exception):
    """Rows were let go because the disk has refused them for too long."""

    def __init__(self, rows: int, why: str) -> None:
        super().__init__(why)
        self.rows = rows


@dataclass(slots=True)
class Pin:
    """Rows from `since` (UTC ns) on are kept until they are sealed; `sealed` is the last sealed row of each stream,
    `start` the row before the keyframe that the records begin with."""

    since: int
    sealed: dict[str, int]
    start: int = 0


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of a stream behind `after` up to `last`: in closed segments, and in memory where the disk refused.
    `keyframes` are the numbers of those among them."""

    stream: str
    after: int
    last: int
    segments: tuple[Segment, ...]
    tail: tuple[pa.RecordBatch, ...] = ()
    tail_first: int = 0
    keyframes: tuple[int, ...] = ()

    @property
    def first(self) -> int:
        """The first row that is there; above `last` where none is."""
        known = [segment.about.first for segment in self.segments] + ([self.tail_first] if self.tail else [])
        return max(self.after + 1, min(known, default=self.last + 1))

    def batches(
        self, unreadable: Callable[[str], None], columns: Sequence[str] | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows in order, each batch with the number of its first row. What can not be read, or is gone, is told to
        `unreadable` in a sentence and left out."""
        due = self.after + 1
        for segment in self.segments:
            about = segment.about
            if about.first > due:
                unreadable(_gone(self.stream, due, about.first - 1))
            at = about.first
            try:
                for batch in segments.read(segment, columns):
                    yield from self._cut(at, batch)
                    at += batch.num_rows
            except (OSError, ValueError) as error:
                why = " ".join(str(error).split())[:200]
                rows = f"rows {max(at, self.after + 1)} to {min(about.last, self.last)}"
                unreadable(f"{self.stream}: {rows}: {segment.path.name} can not be read: {why}")
            due = about.last + 1
        at = self.tail_first
        for batch in self.tail:
            yield from self._cut(at, batch.select(columns) if columns else batch)
            at += batch.num_rows
        if not self.tail and due <= self.last:
            unreadable(_gone(self.stream, due, self.last))

    def _cut(self, at: int, batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
        skip = max(0, self.after + 1 - at)
        count = min(batch.num_rows, self.last + 1 - at) - skip
        if count > 0:
            yield at + skip, batch.slice(skip, count)


def _gone(stream: str, first: int, last: int) -> str:
    return f"{stream}: rows {first} to {last} are gone from the flight recorder"


@dataclass(slots=True)
class _Buffer:
    """The rows of a stream that are in no segment yet."""

    columns: pa.Schema
    first: int = 1
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    batches: list[pa.RecordBatch] = field(default_factory=list)
    count: int = 0
    bytes: int = 0
    begun: int = 0
    closed: int = 0
    since: float = 0.0
    keyframes: list[tuple[int, int]] = field(default_factory=list)

    def add(self, rows: Sequence[tuple[Any, ...]], at: int, now: float) -> None:
        if not self.count:
            self.begun, self.since = at, now
        self.closed = at
        self.rows += rows
        self.count += len(rows)
        if len(self.rows) >= BATCH_ROWS:
            self.pack()

    def pack(self) -> None:
        """From Python's objects to Arrow's columns, which are a tenth of the size."""
        if self.rows:
            columns = zip(*self.rows, strict=True)
            arrays = [pa.array(column, each.type) for column, each in zip(columns, self.columns, strict=True)]
            self.batches.append(pa.RecordBatch.from_arrays(arrays, schema=self.columns))
            self.bytes += self.batches[-1].nbytes
            self.rows = []

    def clear(self) -> None:
        self.first += self.count
        self.rows, self.batches, self.keyframes = [], [], []
        self.count = self.bytes = 0


class Ring:
    """`found` says, by stream and in a sentence, what the last worker left that is no whole segment: it was removed or
    set aside."""

    def __init__(
        self,
        folder: Path,
        *,
        minutes: int,
        megabytes: int,
        seconds: float,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Take up what is on disk. Raises OSError."""
        self.folder = folder
        self.found: list[tuple[str, str]] = []
        self._minutes, self._bytes, self._seconds, self._clock = minutes, megabytes << 20, seconds, clock
        self._pins: dict[str, Pin] = {}
        self._segments: list[Segment] = []
        self._buffers = {stream: _Buffer(schema(columns)) for stream, columns in STREAMS.items()}
        for stream in STREAMS:
            self._take_up(stream)
        self._segments.sort(key=lambda segment: segment.about.closed)

    @property
    def places(self) -> Places:
        """How far the logs were read that are in closed segments."""
        told = [segment.about.places for segment in self._segments if segment.about.stream == "logs"]
        return dict(told[-1]) if told else {}

    def _take_up(self, stream: str) -> None:
        folder = self.folder / stream
        folder.mkdir(parents=True, exist_ok=True)
        for torn in folder.glob(f"*{segments.NEW}"):
            torn.unlink()
            self.found.append((stream, f"{torn.name} was not whole and is removed"))
        for path in sorted(folder.glob("*.parquet")):
            try:
                segment = segments.look(path)
            except (OSError, ValueError) as error:
                path.rename(path.with_name(path.name + ASIDE))
                self.found.append((stream, f"{path.name} can not be read and is set aside: {error}"))
                continue
            self._segments.append(segment)
            buffer = self._buffers[stream]
            buffer.first = max(buffer.first, segment.about.last + 1)

    # --- what comes in -----------------------------------------------------------------------------------------------

    def next_row(self, stream: str) -> int:
        """The number that the next row of a stream gets."""
        buffer = self._buffers[stream]
        return buffer.first + buffer.count

    def add(self, stream: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take rows in, in the order of the stream's columns. They fit the columns; that is the caller's business."""
        if not rows:
            return
        buffer = self._buffers[stream]
        if stream == "records":
            buffer.keyframes += [(row[0], row[1]) for row in rows if row[4] == STATE]
        buffer.add(rows, self._clock(), time.monotonic())

    def due(self) -> float | None:
        """In how many seconds a segment has to be closed; None where nothing waits for that."""
        waiting = [self._wait(buffer) for buffer in self._buffers.values() if buffer.count]
        return min(waiting, default=None)

    def ripe(self) -> list[str]:
        """The streams whose segment has to be closed now."""
        return [stream for stream, buffer in self._buffers.items() if buffer.count and self._wait(buffer) <= 0]

    def waiting(self) -> list[str]:
        """The streams that have rows in no segment yet."""
        return [stream for stream, buffer in self._buffers.items() if buffer.count]

    def _wait(self, buffer: _Buffer) -> float:
        if buffer.bytes >= SEGMENT_BYTES or buffer.count >= SEGMENT_ROWS:
            return 0.0
        return max(0.0, buffer.since + self._seconds - time.monotonic())

    def close(self, stream: str, tell: Callable[[Segment, str], None], places: Places | None = None) -> None:
        """Close the segment of a stream that has rows waiting, and `tell` of it with its SHA-256. Raises OSError where
        the disk refuses, and the rows are then still here; Unkept once they were let go because it refused too many."""
        buffer = self._buffers[stream]
        buffer.pack()
        last = buffer.first + buffer.count - 1
        about = About(
            stream, buffer.first, last, buffer.begun, buffer.closed, tuple(buffer.keyframes), dict(places or {})
        )
        when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(buffer.begun / 1e9))
        path = self.folder / stream / f"{buffer.first:012d}-{when}.parquet"
        try:
            segment = segments.write(path, about, buffer.batches, tell)
        except OSError as error:
            with contextlib.suppress(OSError):
                path.with_name(path.name + segments.NEW).unlink(missing_ok=True)
            buffer.since = time.monotonic()
            if buffer.count > PATIENCE * SEGMENT_ROWS or buffer.bytes > PATIENCE * SEGMENT_BYTES:
                rows = buffer.count
                buffer.clear()
                raise Unkept(rows, str(error)) from error
            raise
        self._segments.append(segment)
        buffer.clear()

    # --- what goes ---------------------------------------------------------------------------------------------------

    def make_room(self) -> dict[str, str]:
        """Let go what is too old or too much. Which pinned incidents lost something by that, and what of it."""
        horizon = self._clock() - self._minutes * 60 * 1_000_000_000
        total = sum(segment.bytes for segment in self._segments)
        torn: dict[str, str] = {}
        latest = {segment.about.stream: segment for segment in self._segments}  # they carry the numbers on
        for segment in list(self._segments):
            if segment.about.closed >= horizon and total <= self._bytes:
                break
            if segment is latest[segment.about.stream]:
                continue
            holders = [incident for incident, pin in self._pins.items() if _needs(pin, segment.about)]
            if holders and total <= 2 * self._bytes:
                continue
            for incident in holders:
                torn[incident] = (
                    f"the flight recorder is full: {segment.about.stream} up to row {segment.about.last} went unsealed"
                )
            with contextlib.suppress(FileNotFoundError):
                segment.path.unlink()
            total -= segment.bytes
            self._segments.remove(segment)
        return torn

    # --- pins and slices ---------------------------------------------------------------------------------------------

    def pinned(self, incident: str) -> bool:
        return incident in self._pins

    def pin(self, incident: str, since: int, sealed: Mapping[str, int]) -> None:
        """Keep what came in from `since` (UTC ns) on for an incident whose seals hold the rows up to `sealed`. A number
        that was not reached yet is of a ring that is gone."""
        known = {stream: last for stream, last in sealed.items() if last < self.next_row(stream)}
        self._pins[incident] = Pin(since, known)
        self._begin(self._pins[incident])

    def unpin(self, incident: str) -> None:
        self._pins.pop(incident, None)

    def sealed(self, incident: str, last: Mapping[str, int]) -> None:
        """The rows up to `last`, by stream, are sealed."""
        if incident in self._pins:
            self._pins[incident].sealed.update(last)

    def _begin(self, pin: Pin) -> None:
        """The records of a first seal begin with a keyframe: the last before the window, else the first there is."""
        told = [each for segment in self._segments for each in segment.about.keyframes]
        told = sorted([*told, *self._buffers["records"].keyframes])
        before = [row for row, ts in told if ts <= pin.since]
        pin.start = before[-1] - 1 if before else told[0][0] - 1 if told else 0

    def rows(self) -> dict[str, int]:
        """The last row of each stream."""
        return {stream: self.next_row(stream) - 1 for stream in STREAMS}

    def cut(self, incident: str, upto: Mapping[str, int]) -> dict[str, Slice]:
        """What a pinned incident has not sealed yet, up to these rows; a stream without any is left out."""
        pin = self._pins[incident]
        if not pin.start:
            self._begin(pin)
        found: dict[str, Slice] = {}
        for stream, last in upto.items():
            buffer = self._buffers[stream]
            held = [each for each in self._segments if each.about.stream == stream and each.about.first <= last]
            after = self._after(pin, stream, held)
            held = [each for each in held if each.about.last > after]
            buffer.pack()
            tail = tuple(buffer.batches) if buffer.first <= last else ()
            told = [*(each for segment in held for each in segment.about.keyframes), *buffer.keyframes]
            keyframes = tuple(row for row, _ in told if after < row <= last)
            if last > after:
                found[stream] = Slice(stream, after, last, tuple(held), tail, buffer.first, keyframes)
        return found

    def _after(self, pin: Pin, stream: str, held: Sequence[Segment]) -> int:
        if stream in pin.sealed:
            return pin.sealed[stream]
        if stream == "records":
            return pin.start
        before = [segment.about.last for segment in held if segment.about.closed < pin.since]
        first = min((segment.about.first for segment in held), default=self._buffers[stream].first)
        return max([first - 1, *before])


def _needs(pin: Pin, about: About) -> bool:
    """Whether an incident has rows of a segment still to seal."""
    if about.stream in pin.sealed:
        return about.last > pin.sealed[about.stream]
    return about.last > pin.start if about.stream == "records" else about.closed >= pin.since
