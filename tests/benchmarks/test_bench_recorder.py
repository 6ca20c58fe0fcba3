"""What it costs the cord that the desk is recorded: from a byte in a terminal to the first byte of a DELETE at the
venue, by the cord of a guard that tells much, with and without the flight recorder. Aim: at most 1.5×."""

import sys
import time
from itertools import chain
from pathlib import Path

import pytest

from tests.benchmarks.desk import guard, lay_out
from tests.benchmarks.pty_child import PtyChild
from tests.benchmarks.ratios import in_turn, tell
from tests.benchmarks.venues import Venues, venue

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
BLOCKS = 5
RUNS = 10
PROGRAM = "tests.benchmarks.guard_process"


def test_bench_recorder(tmp_path: Path) -> None:
    """The guards take turns, a few pulls each, and one of them lives at a time: the other's worker would be in its way
    as well."""
    with Venues([venue()]) as venues:
        folders = {name: lay_out(tmp_path / name, venues.urls) for name in ("plain", "recorded")}

        def pulls(*recorded: str) -> list[float]:
            folder = folders[recorded[0] if recorded else "plain"]
            hand = [sys.executable, "-m", "tests.benchmarks.idle_hand", "guard", str(folder)]
            with guard(folder, *recorded, program=PROGRAM), PtyChild(hand) as asking:
                asking.wait_for("ready")
                return [asked(asking) for _ in range(RUNS)]

        def asked(hand: PtyChild) -> float:
            time.sleep(0.3)
            sent = hand.send("3")
            return venues.first_byte(sent) - sent

        ways = {"not recorded": pulls, "recorded": lambda: pulls("recorded")}
        taken = {name: list(chain(*blocks)) for name, blocks in in_turn(ways, BLOCKS).items()}
    tell("a byte, by the guard's cord → first byte of the cancel at the venue", taken, "not recorded")
