"""An archive of 2,000 incidents against the same ten million events as lines of JSON: its bytes, how soon an incident
is open, how soon the list is there, and what a table of ten million rows costs against one of ten thousand.

The archive is made once and kept, see `archive_maker`; ANDON_BENCH_EVENTS and ANDON_BENCH_INCIDENTS make a smaller one.
"""

import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import polars as pl
import pytest

from console.desk.archive import Summary
from console.desk.timeline import TOLD
from console.evidence.manifest import MANIFEST
from console.evidence.reading import records
from console.evidence.shelf import FolderShelf
from tests.benchmarks import long_table
from tests.benchmarks.archive_maker import Made, kept, made, sizes
from tests.benchmarks.pty_child import PtyChild
from tests.benchmarks.ratios import in_turn, tell

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
OPENED = 15
STARTS = 5
PAGES = 15
SHORT, LONG = 10_000, 10_000_000
CAPTURED = ("positions", "orders", "account", "settings", "config", "limits", "models")
_ROW = re.compile(rb"row (1\d{9})")
_HOME, _END, _UP, _DOWN = "\x1b[H", "\x1b[F", "\x1b[5~", "\x1b[6~"


@pytest.fixture(scope="module")
def archive() -> Made:
    return made()


# --- bytes ----------------------------------------------------------------------------------------------------------


def test_bench_archive_bytes(archive: Made) -> None:
    found = Counter[str]()
    for name, size in sizes(archive.archive):
        found[_part(name)] += size
    whole = sum(found.values())
    events = sum(found[part] for part in ("records", "journal", "tables derived of them", "manifest"))
    print(f"\nan archive's bytes: {archive.incidents} incidents, {archive.events} events")
    print(f"  {'':<34} of the lines   of the lines with the journal's hashes")
    lines = [
        ("the records alone", found["records"]),
        ("all that is made of them", events),
        ("the whole folders", whole),
    ]
    for title, size in lines + [(f"  {part}", size) for part, size in found.most_common()]:
        print(f"  {title:<34} {size / archive.plain_bytes:8.2%}       {size / archive.chained_bytes:8.2%}")


def _part(name: str) -> str:
    item = name.removesuffix(".parquet")
    if item in ("records", "journal"):
        return item
    if name == MANIFEST:
        return "manifest"
    if item in CAPTURED:
        return "tables of what was captured"
    return "tables derived of them" if name.endswith(".parquet") else "pictures of the screen"


# --- opening an incident --------------------------------------------------------------------------------------------


def test_bench_open_incident(archive: Made) -> None:
    """In one process that has everything loaded, incidents in no order, their files in memory."""
    with FolderShelf([archive.archive]) as shelf:
        summaries = list(shelf.incidents())
        random.Random(7).shuffle(summaries)
        chosen = iter(summaries * 10)

        def timed(way: Callable[[Path, Summary], object]) -> Callable[[], float]:
            def run() -> float:
                summary = next(chosen)
                folder = archive.archive / summary.id
                for file in folder.iterdir():  # what is compared is reading, not whose turn it was at the disk
                    file.read_bytes()
                began = time.perf_counter()
                way(folder, summary)
                return time.perf_counter() - began

            return run

        def page(folder: Path, summary: Summary) -> None:
            case = shelf.open(summary)
            assert case.items
            assert case.timeline()

        def all_rows(folder: Path, summary: Summary) -> None:
            rows = shelf.open(summary).rows("records")
            assert len(rows.window(0, rows.count)) == rows.count

        pages = in_turn({"polars": timed(_polars_page), "the incident's page": timed(page)}, OPENED)
        whole = {
            "polars, columns": timed(_polars_records),
            "polars, rows and their JSON": timed(_polars_told),
            "our cells": timed(all_rows),
            "our records, decoded": timed(lambda folder, summary: sum(1 for _ in records(folder))),
        }
        read = in_turn(whole, OPENED)
        found = in_turn({"grep": timed(lambda folder, summary: _grep(archive.lines, summary.id)), **_only(pages)}, 3)
    tell("an incident opened: manifest, items, timeline", pages, "polars")
    tell("all records of an incident read", read, "polars, columns")
    tell("an incident found: its lines in the JSONL, its page in the archive", found, "grep")


def _only(taken: dict[str, list[float]]) -> dict[str, Callable[[], float]]:
    """What was measured already, once more."""
    again = iter(taken["the incident's page"])
    return {"the incident's page": lambda: next(again)}


def _polars_page(folder: Path, summary: Summary) -> None:
    """The same from the same files, nothing of it checked."""
    lines = [json.loads(line) for line in (folder / MANIFEST).read_bytes().splitlines()]
    files = [folder / line["file"] for line in lines if line.get("item") == "records"]
    kept = pl.read_parquet(files).filter((pl.col("seq") > 0) & pl.col("kind").is_in(TOLD)).sort("ts")
    assert [(row["ts"], row["kind"], json.loads(row["data"])) for row in kept.iter_rows(named=True)]


def _polars_records(folder: Path, summary: Summary) -> pl.DataFrame:
    return pl.read_parquet(sorted(folder.glob("*-records.parquet")))


def _polars_told(folder: Path, summary: Summary) -> None:
    rows = _polars_records(folder, summary).rows()
    assert [json.loads(row[-1]) for row in rows]


def _grep(lines: Path, incident: str) -> None:
    subprocess.run(["grep", "-F", f'"{incident}"', lines], check=True, stdout=subprocess.DEVNULL)


# --- the list -------------------------------------------------------------------------------------------------------


def test_bench_first_incidents(archive: Made) -> None:
    """From before the fork to the first rows in the terminal: incidents here, lines there."""
    latest = archive.names[-1]
    ours = [sys.executable, "-m", "console", "archive", "open", str(archive.archive)]
    ways = {"andon archive open": lambda: _shown(latest, ours)}
    if shutil.which("lnav") is None:
        print("\nlnav is not installed: nothing to compare the Archive's first rows with")
    else:
        ways = {"lnav on the lines": lambda: _shown('"ts"', ["lnav", str(archive.lines)]), **ways}
    taken = in_turn(ways, STARTS)
    tell("started → first rows in the terminal", taken, next(iter(taken)))


def _shown(text: str, command: list[str]) -> float:
    with PtyChild(command) as child:
        return child.wait_for(text) - child.began


# --- a long table ---------------------------------------------------------------------------------------------------


class Browser:
    """`andon archive open` on a table of so many rows, at its beginning."""

    def __init__(self, rows: int) -> None:
        folder = kept(f"table-{rows}", lambda folder: long_table.make(folder / "archive", rows))
        self.rows = rows
        self.child = PtyChild([sys.executable, "-m", "console", "archive", "open", str(folder / "archive")])
        self.child.wait_for(long_table.INCIDENT)
        self._type("\r", long_table.ITEM)
        self._type("\x1b[B", "")
        self._type("\r", long_table.row_text(0))
        time.sleep(1)
        self.room = 1 + max(map(int, _ROW.findall(self.child.text))) - 1_000_000_000

    def jump(self, there: bool) -> float:
        """Seconds to the end, or back."""
        return self._type(_END if there else _HOME, long_table.row_text(self.rows - 1 if there else 0))

    def pages(self) -> Iterator[float]:
        """Seconds of each page down from the beginning; the first moves the cursor alone."""
        self._type(_DOWN, "")
        for page in count(2):
            yield self._type(_DOWN, long_table.row_text(page * (self.room - 1)))

    @property
    def peak(self) -> float:
        """The most memory it ever held, in bytes."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return 1024.0 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])  # type: ignore[index]

    def _type(self, keys: str, awaited: str) -> float:
        before = self.child.written
        sent = self.child.send(keys)
        if not awaited:
            time.sleep(0.5)
        return self.child.wait_for(awaited, before) - sent if awaited else 0.0


def test_bench_long_table() -> None:
    browsers = {"10 k rows": Browser(SHORT), "10 M rows": Browser(LONG)}
    try:
        paging = {name: browser.pages() for name, browser in browsers.items()}
        ways = {name: (lambda pages=pages: next(pages)) for name, pages in paging.items()}  # type: ignore[misc]
        paged = in_turn(ways, PAGES)
        there = count()
        jumps = {
            name: (lambda browser=browser: browser.jump(next(there) % 4 < 2)) for name, browser in browsers.items()
        }  # type: ignore[misc]
        jumped = in_turn(jumps, PAGES)
        peaks = {name: [browser.peak] for name, browser in browsers.items()}
    finally:
        for browser in browsers.values():
            browser.child.close()
    tell("a page down → its last row in the terminal", paged, "10 k rows")
    tell("to the end, or back to the beginning → seen", jumped, "10 k rows")
    tell("peak memory of the console", peaks, "10 k rows", "MB", 1e-6)
    assert statistics.median(peaks["10 M rows"]) < 2 * statistics.median(peaks["10 k rows"])
