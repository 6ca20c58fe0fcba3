"""How a table is written as Parquet: small, and every page with its checksum.

Measured on what a desk tells (tests/benchmarks): times and whole numbers as differences, no dictionary of what hardly
repeats (events, ids, prices), and a footer without Arrow's own schema and without the least and the greatest of texts
save a third of the bytes. Reading needs to know nothing of it.
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

LEVEL = 9
"""Of zstd. Three times the level takes thirteen times the time, and saves a seventeenth."""
PAGE_BYTES = 4 << 20


def options(rows: pa.Table) -> dict[str, Any]:
    """For a `ParquetWriter`, made after the first rows that it will write."""
    stepping = [field.name for field in rows.schema if _steps(field.type)]
    return {
        "compression": "zstd",
        "compression_level": LEVEL,
        "write_page_checksum": True,
        "store_schema": False,
        "data_page_size": PAGE_BYTES,
        "use_dictionary": [field.name for field in rows.schema if _repeats(rows.column(field.name))],
        "column_encoding": dict.fromkeys(stepping, "DELTA_BINARY_PACKED") or None,
        "write_statistics": stepping,
    }


def _steps(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_integer(kind))


def _repeats(values: pa.ChunkedArray) -> bool:
    """Whether a dictionary pays: each text stands there twice and more."""
    return pa.types.is_string(values.type) and bool(2 * pc.count_distinct(values).as_py() <= len(values))
