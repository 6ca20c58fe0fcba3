"""Rows of any source as Arrow batches of an item's columns; a row that does not fit is refused, and never rounded."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

import pyarrow as pa

from console.evidence.columns import Columns, Type, schema

ROWS = 8192
_TELLS = 3
"""Different reasons that are told of one table; the others are counted."""


def batches(columns: Columns, rows: Iterable[Sequence[Any]], refuse: Callable[[str], None]) -> Iterator[pa.RecordBatch]:
    """The rows, values in the order of the columns: numbers as Decimal or text, times as UTC ns. At the end `refuse` is
    told which rows are not in it and why, a sentence each."""
    wanted = schema(columns)
    kinds = tuple(columns.values())
    refused: Counter[str] = Counter()
    source = iter(rows)
    while chunk := list(islice(source, ROWS)):
        try:
            yield _batch(chunk, kinds, wanted)
        except _NOT_FIT:
            good = [row for row in chunk if _fits(row, columns, wanted, refused)]
            if good:
                yield _batch(good, kinds, wanted)
    for why, count in refused.most_common(_TELLS):
        refuse(f"{count} rows are left out: {why}")
    if len(refused) > _TELLS:
        refuse(f"{sum(count for _, count in refused.most_common()[_TELLS:])} rows are left out for other such reasons")


def named(columns: Columns, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """Rows that come as mappings, in the order of the columns. Raises ValueError where one has a name that is none."""
    for row in rows:
        if strange := row.keys() - columns.keys():
            raise ValueError(f"there is no column {min(strange)!r}")
        yield tuple(row.get(name) for name in columns)


_NOT_FIT = (ValueError, TypeError, ArithmeticError)  # Arrow's are among them, and Decimal's


def _batch(rows: Sequence[Sequence[Any]], kinds: Sequence[Type], wanted: pa.Schema) -> pa.RecordBatch:
    arrays = [
        _array(column, kind, each.type)
        for column, kind, each in zip(zip(*rows, strict=True), kinds, wanted, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=wanted)


def _array(values: Sequence[Any], kind: Type, wanted: pa.DataType) -> pa.Array:
    if kind in ("number", "value"):
        values = [Decimal(value) if isinstance(value, str) else value for value in values]
    elif kind in ("whole", "time") and any(isinstance(value, float) for value in values):
        raise TypeError("not a whole number")  # Arrow would cut it off
    return pa.array(values, wanted)


def _fits(row: Sequence[Any], columns: Columns, wanted: pa.Schema, refused: Counter[str]) -> bool:
    for (name, kind), each, value in zip(columns.items(), wanted, row, strict=True):
        try:
            _array([value], kind, each.type)
        except _NOT_FIT:
            refused[f"{name} {str(value)[:60]!r} does not fit {each.type}"] += 1
            return False
    return True
