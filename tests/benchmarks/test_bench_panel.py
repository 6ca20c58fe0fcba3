"""What a live panel costs: ours against the same one made of Textual's own widgets, with the same data at ten ticks a
second in terminals of the same size: processor time, bytes to the terminal, and how long a key takes to be seen.
Costs are told by the tick, because a panel that can not keep up leaves ticks out.
"""

import bisect
import itertools
import random
import re
import statistics
import sys
import time
from typing import NamedTuple

import pytest

from tests.benchmarks.pty_child import Chunk, PtyChild
from tests.benchmarks.ratios import in_turn, tell
from tests.support.broker import wait_until

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
RUNS = 2
KEYS = 16
STOCK, LINES = "Textual's widgets", "our grids"
_DOWN = "\x1b[B"
_TICK = re.compile(rb"tick (\d+)\.")
_ROW = re.compile(rb"\x1b\[([0-9;]*)m *SYM-(\d+)")
_COLOUR = re.compile(rb"[34]8;(2;\d+;\d+;\d+|5;\d+)")


class Figures(NamedTuple):
    """Of one run: shares of one processor, bytes and ticks a second, and seconds from each key to its cursor."""

    cpu: float
    bytes: float
    ticks: float
    keys: list[float]


def measure(kind: str, cols: int, rows: int) -> Figures:
    with PtyChild([sys.executable, "-m", "tests.benchmarks.panels", kind], cols, rows) as panel:
        wait_until(lambda: len(ticks(panel.chunks)) > 5, "the panel lives")
        pauses = random.Random(3)
        began, cpu, first = time.monotonic(), panel.cpu, panel.written
        sent = []
        for _ in range(KEYS):
            sent.append(panel.send(_DOWN))
            time.sleep(pauses.uniform(0.2, 0.35))
        took = time.monotonic() - began
        cpu, written = panel.cpu - cpu, panel.written - first
        wait_until(lambda: cursors(panel.chunks)[-1][1] >= KEYS, "the last key is seen")
    shown = [chunk for chunk in panel.chunks if began <= chunk.at <= began + took]
    return Figures(cpu / took, written / took, len(ticks(shown)) / took, seen(sent, panel.chunks))


def ticks(chunks: list[Chunk]) -> set[bytes]:
    """The ticks that came to the terminal."""
    return set(_TICK.findall(b"".join(chunk.data for chunk in chunks)))


def cursors(chunks: list[Chunk]) -> list[tuple[float, int]]:
    """When the row with the cursor (it is drawn in reverse) came to the terminal, and which row it was."""
    ends = list(itertools.accumulate(len(chunk.data) for chunk in chunks))
    drawn = _ROW.finditer(b"".join(chunk.data for chunk in chunks))
    return [
        (chunks[bisect.bisect_left(ends, row.end())].at, int(row[2]))
        for row in drawn
        if b"7" in _COLOUR.sub(b"", row[1]).split(b";")
    ]


def seen(sent: list[float], chunks: list[Chunk]) -> list[float]:
    """Each key moved the cursor one row down from the first: seconds until that row, or one below it, had it."""
    shown = cursors(chunks)
    return [next(at for at, row in shown if row >= number) - key for number, key in enumerate(sent, 1)]


def p90(figures: list[float]) -> float:
    return sorted(figures)[int(len(figures) * 0.9)]


@pytest.mark.parametrize(("cols", "rows"), [(120, 36), (160, 50)])
def test_bench_panel(cols: int, rows: int) -> None:
    runs = in_turn(
        {STOCK: lambda: measure("stock", cols, rows), LINES: lambda: measure("lines", cols, rows)}, RUNS, warm_up=0
    )
    where = f"12 monitors and 200 rows at 10 Hz, {cols}×{rows}"
    told = {
        "processor time a tick": (lambda of: of.cpu / of.ticks, "ms", 1000),
        "bytes to the terminal a tick": (lambda of: of.bytes / of.ticks, "kB", 1e-3),
        "ticks shown": (lambda of: of.ticks, "/s", 1),
        "key → seen, median": (lambda of: statistics.median(of.keys), "ms", 1000),
        "key → seen, p90": (lambda of: p90(of.keys), "ms", 1000),
    }
    for what, (figure, unit, scale) in told.items():
        tell(f"{where}: {what}", {way: [figure(run) for run in of] for way, of in runs.items()}, STOCK, unit, scale)
