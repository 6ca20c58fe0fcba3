"""One incident with a table of any length: `make(folder, rows)`, sealed by the real code."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from console import __version__
from console.evidence.columns import schema
from console.evidence.items import TABLES
from console.evidence.seal import Facts, TablePart, seal
from console.evidence.signing import Signer
from tests.benchmarks.desk_stream import BEGUN

INCIDENT = "INC-2026-0001"
ITEM = "telemetry"
BATCH = 1 << 15


def make(folder: Path, rows: int) -> Path:
    """The archive in `folder`; the symbol of row `n`, from 0 on, is `row_text(n)`."""
    form = schema(TABLES[ITEM])
    part = TablePart(
        item=ITEM, schema=form, batches=_batches(rows, form), captured_at=BEGUN, by="guard", source="recorder"
    )
    facts = Facts(
        incident=INCIDENT,
        why="closed",
        by="guard",
        cls="stale-data",
        severity="P1",
        title=f"{rows} predictions",
        opened_at=BEGUN,
        closed_at=BEGUN + rows,
        desk="demo",
        mode="simulated",
        fold="",
        records=0,
        version=__version__,
    )
    seal(folder / INCIDENT, facts, [part], Signer.make(folder.parent), clock=lambda: BEGUN)
    return folder


def row_text(number: int) -> str:
    return f"row {number + 1_000_000_000}"


def _batches(rows: int, form: pa.Schema) -> Iterator[pa.RecordBatch]:
    chance = np.random.default_rng(7)
    for first in range(0, rows, BATCH):
        count = min(BATCH, rows - first)
        numbers = np.arange(first, first + count)
        texts = pc.binary_join_element_wise("row", pa.array(numbers + 1_000_000_000).cast(pa.string()), " ")
        values = pa.array(chance.integers(-10_000, 10_000, count)).cast(form.field("value").type)
        columns = {
            "ts": pa.array(BEGUN + numbers * 1_000_003).cast(form.field("ts").type),
            "strategy": pa.array(np.where(numbers % 3, "momentum", "maker")),
            "kind": pa.repeat("predictions", count),
            "symbol": texts,
            "value": values,
            "model_hash": pa.repeat("74b3cdda8e21a430", count),
        }
        yield pa.RecordBatch.from_arrays([columns[name] for name in form.names], schema=form)
