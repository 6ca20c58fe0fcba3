"""Rows of telemetry as a Parquet file. PyArrow is loaded with this module, by the worker alone."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from console.guard.kept import SCALE, WHOLE, Kept

pa.set_cpu_count(1)

_SCHEMA = pa.schema(
    [
        ("ts", pa.timestamp("ns", tz="UTC")),
        ("strategy", pa.string()),
        ("kind", pa.string()),
        ("symbol", pa.string()),
        ("value", pa.decimal128(SCALE + WHOLE, SCALE)),
        ("model_hash", pa.string()),
    ]
)


def write(rows: Sequence[Kept], path: Path) -> None:
    """Write at least one row. Raises OSError."""
    columns = zip(*rows, strict=True)
    table = pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA
    )
    pq.write_table(table, path, compression="zstd")
