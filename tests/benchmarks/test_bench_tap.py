"""What it costs the cord that its exchanges with venues are recorded: from a byte in a terminal to the first byte of a
DELETE at the venue, by a guard's cord with and without the tap."""

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
ORDERS = 1000


def test_bench_tap(tmp_path: Path) -> None:
    """Each pull finds the one before still proving itself: the tap is busy with answers that list a thousand orders."""
    with Venues([venue(orders=ORDERS)]) as venues:
        plain, tapped = lay_out(tmp_path / "plain", venues.urls), lay_out(tmp_path / "tapped", venues.urls)

        def asked(hand: PtyChild) -> float:
            venues.refill()
            time.sleep(0.3)
            sent = hand.send("3")
            return venues.first_byte(sent) - sent

        idle = [sys.executable, "-m", "tests.benchmarks.idle_hand", "guard"]
        with (
            guard(plain),
            guard(tapped, "tapped"),
            PtyChild([*idle, str(plain)]) as without,
            PtyChild([*idle, str(tapped)]) as with_tap,
        ):
            without.wait_for("ready")
            with_tap.wait_for("ready")
            taken = in_turn({"no tap": lambda: asked(without), "tapped": lambda: asked(with_tap)}, RUNS)
    tell("a byte, by the guard's cord → first byte of the cancel at the venue", taken, "no tap")
