"""What it costs the cord that the desk is recorded: from a byte in a terminal to the first byte of a DELETE at the
venue, by the cord of a guard that tells much, with and without the flight recorder. Aim: at most 1.5×."""

import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.desk import guard, lay_out
from tests.benchmarks.pty_child import PtyChild
from tests.benchmarks.ratios import in_turn, tell
from tests.benchmarks.venues import Venues, venue

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
RUNS = 40
PROGRAM = "tests.benchmarks.guard_process"


def test_bench_recorder(tmp_path: Path) -> None:
    with Venues([venue()]) as venues:
        plain, recorded = lay_out(tmp_path / "plain", venues.urls), lay_out(tmp_path / "recorded", venues.urls)

        def asked(hand: PtyChild) -> float:
            time.sleep(0.3)
            sent = hand.send("3")
            return venues.first_byte(sent) - sent

        idle = [sys.executable, "-m", "tests.benchmarks.idle_hand", "guard"]
        with (
            guard(plain, program=PROGRAM),
            guard(recorded, "recorded", program=PROGRAM),
            PtyChild([*idle, str(plain)]) as without,
            PtyChild([*idle, str(recorded)]) as with_recorder,
        ):
            without.wait_for("ready")
            with_recorder.wait_for("ready")
            ways = {"not recorded": lambda: asked(without), "recorded": lambda: asked(with_recorder)}
            taken = in_turn(ways, RUNS)
    tell("a byte, by the guard's cord → first byte of the cancel at the venue", taken, "not recorded")
