"""One desk of ten venues, each 30 ms away with 1,000 open orders, one of which hangs and one refuses: how soon are all
ten requests on the wire, and how soon do the eight healthy venues confirm?

Side by side: the cord by a guard with warm connections and by the direct hand, raw sockets used all at once, and the
broker's own client in sequence. A healthy venue's own round trip is what it takes alone.
"""

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.benchmarks.desk import guard, lay_out
from tests.benchmarks.ratios import in_turn, tell
from tests.benchmarks.venues import Venues, venue
from tests.support.broker import ROOT
from tests.support.cord import end_hands

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
RUNS = 5
DELAY, ORDERS = 0.03, 1000
HUNG, REFUSING = 3, 6
FAULTS = {HUNG: "hang", REFUSING: "refuse"}
HEALTHY = frozenset(range(10)) - FAULTS.keys()
PATIENCE = 3.0
GUARD, DIRECT = "Andon, a guard answers", "Andon, no guard"
WARM, FRESH, CLIENT = "raw sockets, warm", "raw sockets, fresh", "alpaca-py in sequence"
ALONE = "the slowest venue alone"


class Taken(NamedTuple):
    """Seconds from the trigger. `wire` by venue; `answered` and `empty` (see desk_hands.py) of the slowest healthy one,
    infinite where one of them never was."""

    wire: dict[int, float]
    answered: float
    empty: float
    confirmed: int

    @property
    def all_sent(self) -> float:
        return max(self.wire.values()) if len(self.wire) == len(HEALTHY) + len(FAULTS) else float("inf")


@contextlib.contextmanager
def hand(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A way of desk_hands.py, ready to begin."""
    command = [sys.executable, "-m", "tests.benchmarks.desk_hands", *arguments]
    pipes = subprocess.PIPE
    whole = {
        name: value for name, value in os.environ.items() if name != "PYTHONPATH"
    }  # the broker's client needs pandas
    with subprocess.Popen(command, cwd=ROOT, env=whole, stdin=pipes, stdout=pipes, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def trigger(process: "subprocess.Popen[str]") -> float:
    assert process.stdin is not None
    at = time.monotonic()
    process.stdin.write("go\n")
    process.stdin.flush()
    return at


class Told:
    """What a hand says, as it says it: when it first said each thing of each venue."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        self.said: dict[tuple[str, int], float] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def wait(self, began: float) -> None:
        """Until every healthy venue is empty, or for `PATIENCE` seconds."""
        while not all(("empty", number) in self.said for number in HEALTHY):
            try:
                line = self._lines.get(timeout=max(began + PATIENCE - time.monotonic(), 0.001))
            except queue.Empty:
                return
            number, what, at = line.split()
            self.said.setdefault((what, int(number)), float(at))

    def last(self, what: str, began: float) -> float:
        return max(self.said.get((what, number), float("inf")) for number in HEALTHY) - began


def run(venues: Venues, *arguments: str) -> Taken:
    venues.refill()
    with hand(*arguments) as process:
        told = Told(process)
        time.sleep(0.2)
        began = trigger(process)
        wire = venues.first_bytes(began, PATIENCE if arguments[0] == "client" else 1)
        told.wait(began)
    confirmed = sum(("answered", number) in told.said for number in HEALTHY)
    first = {number: at - began for number, at in wire.items()}
    return Taken(first, told.last("answered", began), told.last("empty", began), confirmed)


def by_itself(venues: Venues) -> Taken:
    """The slowest of the healthy venues when each is asked alone."""
    venues.refill()
    healthy = [url for number, url in enumerate(venues.urls) if number in HEALTHY]
    with hand("alone", *healthy) as process:
        trigger(process)
        assert process.stdout is not None
        lines = [line.split() for line in process.stdout]
    said = {(what, number): float(at) for number, what, at in lines}
    took = {
        what: max(said[what, number] - said["begun", number] for begun, number in said if begun == "begun")
        for what in ("answered", "empty")
    }
    return Taken({}, took["answered"], took["empty"], len(healthy))


def test_bench_desk_of_ten_venues(tmp_path: Path) -> None:
    told = [venue(DELAY, ORDERS, FAULTS.get(number, "")) for number in range(10)]
    with Venues(told) as venues:
        guarded, bare = lay_out(tmp_path / "guarded", venues.urls), lay_out(tmp_path / "bare", venues.urls)

        def by_guard() -> Taken:
            with guard(guarded):
                return run(venues, "pull", str(guarded))

        def directly() -> Taken:
            taken = run(venues, "pull", str(bare))
            end_hands(bare)
            shutil.rmtree(bare / "journal", ignore_errors=True)
            return taken

        taken = in_turn(
            {
                ALONE: lambda: by_itself(venues),
                WARM: lambda: run(venues, "warm", *venues.urls),
                FRESH: lambda: run(venues, "fresh", *venues.urls),
                GUARD: by_guard,
                DIRECT: directly,
                CLIENT: lambda: run(venues, "client", *venues.urls),
            },
            RUNS,
        )
    for ours, raw in ((GUARD, WARM), (DIRECT, FRESH)):
        sent = {way: [each.all_sent for each in taken[way]] for way in (raw, ours)}
        tell(f"trigger → the tenth request on the wire ({ours})", sent, raw)
    ways = (ALONE, WARM, FRESH, GUARD, DIRECT)
    tell(
        "trigger → every healthy venue has cancelled all",
        {way: [t.answered for t in taken[way]] for way in ways},
        ALONE,
    )
    tell("trigger → … and lists no open order", {way: [each.empty for each in taken[way]] for way in ways}, ALONE)
    reached, confirmed = (len(taken[CLIENT][-1].wire), taken[CLIENT][-1].confirmed)
    print(f"{CLIENT}: after {PATIENCE:g} s {reached} of 10 venues had been asked, {confirmed} of 8 had confirmed")
