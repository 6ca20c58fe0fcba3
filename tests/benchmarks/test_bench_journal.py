"""Appending events so that none is lost: the journal against a bare fsynced file and SQLite with synchronous=FULL."""

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from console.desk.events import Refused
from console.evidence.journal import JournalWriter
from tests.benchmarks.ratios import in_turn, tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
EVENTS = 2000
BURST = 50


def event(number: int) -> Refused:
    return Refused(what=f"order {number}", why="the gate is HALTED", remote="momentum")


def journal(folder: Path, burst: int) -> float:
    """Seconds an event, each burst acknowledged before the next one begins."""
    writer = JournalWriter(folder / f"j{time.monotonic_ns()}", "guard")
    began = time.perf_counter()
    for start in range(0, EVENTS, burst):
        futures: list[Future[object]] = [
            writer.append(event(number), "ana")
            for number in range(start, start + burst)  # type: ignore[misc]
        ]
        for future in futures:
            future.result()
    took = time.perf_counter() - began
    writer.close()
    return took / EVENTS


def bare(folder: Path, burst: int) -> float:
    descriptor = os.open(folder / f"b{time.monotonic_ns()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    began = time.perf_counter()
    for start in range(0, EVENTS, burst):
        lines = (
            json.dumps({"seq": number, "what": f"order {number}", "why": "the gate is HALTED", "remote": "momentum"})
            for number in range(start, start + burst)
        )
        os.write(descriptor, "".join(line + "\n" for line in lines).encode())
        os.fsync(descriptor)
    took = time.perf_counter() - began
    os.close(descriptor)
    return took / EVENTS


def sqlite(folder: Path, burst: int) -> float:
    database = sqlite3.connect(folder / f"s{time.monotonic_ns()}.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, what TEXT, why TEXT, remote TEXT)")
    began = time.perf_counter()
    for start in range(0, EVENTS, burst):
        database.execute("BEGIN")
        rows = [(number, f"order {number}", "the gate is HALTED", "momentum") for number in range(start, start + burst)]
        database.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", rows)
        database.execute("COMMIT")
    took = time.perf_counter() - began
    database.close()
    return took / EVENTS


@pytest.mark.parametrize("burst", [1, BURST])
def test_bench_journal_append(tmp_path: Path, burst: int) -> None:
    ways: dict[str, Callable[[], float]] = {
        "bare JSONL, fsync": lambda: bare(tmp_path, burst),
        "the journal (chained)": lambda: journal(tmp_path, burst),
        "SQLite WAL, FULL": lambda: sqlite(tmp_path, burst),
    }
    taken = in_turn(ways, 5)
    tell(f"one event acknowledged on disk, {burst} at a time", taken, "bare JSONL, fsync", "µs", 1e6)
