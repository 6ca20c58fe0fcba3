"""`console.desk.archive.Rows` over the table of an item: a window, sorted, filtered, as a curve. Imports PyArrow.

What is kept of a table of any length is a number a row, where it is sorted or filtered, and the few row groups that
were decoded last.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from console.desk.archive import Column, Curve, Unreadable
from console.desk.words import printable
from console.evidence.cells import NUMBER, TIME, kind_of, texts
from console.evidence.reading import Table

SORT_BYTES = 512 << 20
"""What the values may weigh that rows are sorted by."""
_INT32 = 1 << 31


class TableRows:
    """All rows of a table, or those at `positions` (int32 or int64), in that order."""

    def __init__(self, table: Table, positions: pa.Array | None = None, *, ascending: bool = True) -> None:
        self.columns = tuple(Column(field.name, kind_of(field.type)) for field in table.schema)
        self.count: int = table.count if positions is None else len(positions)
        self._table = table
        self._positions = positions
        self._ascending = ascending

    def window(self, first: int, count: int) -> list[tuple[str, ...]]:
        """See `Rows`."""
        first = max(0, first)
        count = max(0, min(count, self.count - first))
        if not count:
            return []
        columns = [_cells(self._gathered(column.name, first, count)) for column in self.columns]
        return list(zip(*columns, strict=True))

    def sorted(self, column: str, *, descending: bool = False) -> "TableRows":
        """See `Rows`. Rows that are alike stay in their order, those without a value come last. Raises Unreadable also
        where the column is too heavy to be sorted by."""
        self._column(column)
        values = self._gathered(column, 0, self.count, most=SORT_BYTES)
        if pa.types.is_nested(values.type):
            values = pa.chunked_array([texts(chunk) for chunk in values.chunks], pa.string())
        order = pc.sort_indices(values, sort_keys=[("", "descending" if descending else "ascending")])
        del values
        order = order.cast(_narrow(self._table.count))
        positions = order if self._positions is None else self._positions.take(order)
        return TableRows(self._table, positions, ascending=False)

    def filtered(self, words: str) -> "TableRows":
        """See `Rows`."""
        wanted = words.split()
        if not wanted:
            return self
        masks = [self._holding(group, wanted) for group in range(len(self._table.groups))]
        mask = pa.chunked_array(masks, pa.bool_())
        if self._positions is not None:
            kept = self._positions.filter(mask.take(self._positions).combine_chunks())
            return TableRows(self._table, kept, ascending=self._ascending)
        return TableRows(self._table, _true(masks, self._table))

    def curve(self, column: str, points: int) -> Curve:
        """See `Rows`."""
        times = next((each.name for each in self.columns if each.kind == TIME), None)
        if times is None:
            raise Unreadable(f"{column} can not be drawn: the table has no time")
        if self._column(column).kind != NUMBER or points < 1:
            raise Unreadable(f"{column} can not be drawn: it is no number")
        ends = [pc.min_max(at).as_py() for at, _ in self._pairs(times, column)]
        known = [end for end in ends if end["min"] is not None]
        if not known:
            raise Unreadable(f"{column} can not be drawn: there is no row with a time and a value")
        first, last = min(end["min"] for end in known), max(end["max"] for end in known)
        means = _Means(first, last, points)
        for at, value in self._pairs(times, column):
            means.add(at, value)
        return Curve(first, last, means.levels)

    # --- values -------------------------------------------------------------------------------------------------------

    def _column(self, name: str) -> Column:
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise Unreadable(f"there is no column {name!r}; there are {', '.join(each.name for each in self.columns)}")
        return found

    def _gathered(self, name: str, first: int, count: int, most: int | None = None) -> pa.ChunkedArray:
        """Values of the rows from `first` on, in the order of the rows. Raises Unreadable where they weigh more than
        `most` bytes."""
        kind = self._table.schema.field(name).type
        if self._positions is None:
            return pa.chunked_array(_bounded(_ranges(self._table, name, first, count), name, most), kind)
        positions = self._positions.slice(first, count)
        if self._ascending:
            return pa.chunked_array(_bounded(_picked(self._table, name, positions), name, most), kind)
        order = pc.sort_indices(positions)
        picked = pa.chunked_array(_bounded(_picked(self._table, name, positions.take(order)), name, most), kind)
        return picked.take(pc.sort_indices(order))

    def _pairs(self, times: str, column: str) -> Iterator[tuple[pa.Array, pa.Array]]:
        """The times (UTC ns) and the numbers of the rows that have both, a row group at a time."""
        positions = self._positions
        if positions is not None and not self._ascending:
            positions = positions.take(pc.sort_indices(positions))
        for number, group in enumerate(self._table.groups):
            at, value = (self._table.column(number, name) for name in (times, column))
            if positions is not None:
                here = _within(positions, group.first, group.rows)
                at, value = at.take(here), value.take(here)
            value = value.cast(pa.float64())
            both = pc.and_(pc.is_valid(at), pc.fill_null(pc.is_finite(value), False))
            yield at.filter(both).cast(pa.timestamp("ns", at.type.tz)).cast(pa.int64()), value.filter(both)

    def _holding(self, group: int, words: Sequence[str]) -> pa.Array:
        """Which rows of a group have all of the words, each in one cell or another."""
        every: pa.Array | None = None
        cells: dict[str, pa.Array] = {}
        for word in words:
            some: pa.Array | None = None
            for column in self.columns:
                if not _may_hold(column.kind, word):
                    continue
                if column.name not in cells:
                    cells[column.name] = texts(self._table.column(group, column.name))
                found = pc.match_substring(cells[column.name], word, ignore_case=True)
                some = found if some is None else pc.or_(some, found)
            if some is None:
                some = pa.repeat(False, self._table.groups[group].rows)
            every = some if every is None else pc.and_(every, some)
        return every


_IN_TIMES = frozenset("0123456789-:. zZ–")
_IN_NUMBERS = frozenset("0123456789-+.eEinfaINFA–")


def _may_hold(kind: str, word: str) -> bool:
    """Whether a cell of that kind could hold the word at all: most words are spared the numbers and times."""
    letters = {TIME: _IN_TIMES, NUMBER: _IN_NUMBERS}.get(kind)
    return letters is None or letters.issuperset(word)


def _cells(values: pa.ChunkedArray) -> list[str]:
    return [printable(cell) for chunk in values.chunks for cell in texts(chunk).to_pylist()]


def _bounded(chunks: Iterable[pa.Array], name: str, most: int | None) -> Iterator[pa.Array]:
    held = 0
    for chunk in chunks:
        held += chunk.nbytes
        if most is not None and held > most:
            raise Unreadable(f"{name} is too much to sort by, more than {most >> 20} MB: filter the rows first")
        yield chunk


def _ranges(table: Table, name: str, first: int, count: int) -> Iterator[pa.Array]:
    end = first + count
    for number, group in enumerate(table.groups):
        start, stop = max(first, group.first), min(end, group.first + group.rows)
        if start < stop:
            yield table.column(number, name).slice(start - group.first, stop - start)


def _picked(table: Table, name: str, positions: pa.Array) -> Iterator[pa.Array]:
    """Values at ascending positions."""
    for number, group in enumerate(table.groups):
        here = _within(positions, group.first, group.rows)
        if len(here):
            yield table.column(number, name).take(here)


def _within(positions: pa.Array, first: int, rows: int) -> pa.Array:
    """Which of the rows from `first` on the ascending positions name, counted from there."""
    places = range(len(positions))
    start = bisect_left(places, first, key=lambda place: positions[place].as_py())
    stop = bisect_left(places, first + rows, lo=start, key=lambda place: positions[place].as_py())
    return pc.subtract(positions.slice(start, stop - start), pa.scalar(first, positions.type))


def _true(masks: Iterable[pa.Array], table: Table) -> pa.Array:
    """The positions at which the masks, one a row group, are true."""
    kind = _narrow(table.count)
    found = [
        pc.add(pc.indices_nonzero(mask).cast(kind), pa.scalar(group.first, kind))
        for mask, group in zip(masks, table.groups, strict=True)
    ]
    return pa.concat_arrays(found) if found else pa.array([], kind)


def _narrow(count: int) -> pa.DataType:
    return pa.int32() if count < _INT32 else pa.int64()


class _Bucket(NamedTuple):
    total: float = 0.0
    rows: int = 0


class _Means:
    """Means of numbers in equal steps of time."""

    def __init__(self, first: int, last: int, points: int) -> None:
        self._first, self._points = first, points
        self._bits = max(0, ((last - first) * points).bit_length() - 62)  # so that no product exceeds an int64
        self._span = max(1, (last - first) >> self._bits)
        self._buckets: dict[int, _Bucket] = {}

    def add(self, at: pa.Array, values: pa.Array) -> None:
        since = pc.shift_right(pc.subtract(at, self._first), self._bits)
        step = pc.min_element_wise(pc.divide(pc.multiply(since, self._points), self._span), self._points - 1)
        table = pa.table({"step": step, "value": values}).group_by("step", use_threads=False)
        for row in table.aggregate([("value", "sum"), ("value", "count")]).to_pylist():
            known = self._buckets.get(row["step"], _Bucket())
            self._buckets[row["step"]] = _Bucket(known.total + row["value_sum"], known.rows + row["value_count"])

    @property
    def levels(self) -> tuple[float | None, ...]:
        buckets = (self._buckets.get(step, _Bucket()) for step in range(self._points))
        return tuple(bucket.total / bucket.rows if bucket.rows else None for bucket in buckets)
