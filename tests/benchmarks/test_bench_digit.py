"""From a digit's byte in the terminal to the first byte of the DELETE at the venue.

The measure is a program that does nothing but read that byte and send the same request on a connection that stands.
"""

import contextlib
import os
import queue
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.desk import guard, lay_out
from tests.benchmarks.pty_child import PtyChild
from tests.benchmarks.ratios import in_turn, tell
from tests.benchmarks.venues import Venues, venue
from tests.support.broker import wait_until
from tests.support.cord import end_hands

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
RUNS = 7
ARMED = 0.6
BLOCKED = 1.2
PATIENCE = 5.0
IDLE_HAND = (sys.executable, "-m", "tests.benchmarks.idle_hand")
BARE = "an idle thread, to the venue"
ASKING = "an idle thread, by the guard"


class Pulls:
    """One console, pulled again and again."""

    def __init__(self, folder: Path, venues: Venues) -> None:
        self._folder = folder
        self._venues = venues
        self._pulled_behind = 0
        self.console = PtyChild([sys.executable, "-m", "tests.benchmarks.console_process", str(folder)])
        self.console.wait_for("Strategies")

    def idle(self) -> float:
        self._arm("1")
        took = self._pull()
        self._wait_for_verdict()
        return took

    def loaded(self) -> float:
        (self._folder / "load").touch()
        self._arm("2")
        took = self._pull()
        (self._folder / "load").unlink()
        self._wait_for_verdict()
        return took

    def blocked(self, number: signal.Signals) -> float:
        self._arm("1")
        os.kill(self.console.pid, number)
        wait_until((self._folder / "blocked").exists, "the loop is blocked")
        time.sleep(BLOCKED)
        took = self._pull()
        (self._folder / "blocked").unlink()
        (self._folder / "go").touch()
        self._wait_for_verdict()
        (self._folder / "go").unlink()
        return took

    def _arm(self, room: str) -> None:
        """Open the overlay, and wait until a digit counts."""
        self.console.send(room)
        time.sleep(0.3)
        before = self.console.written
        self.console.send("K")
        self.console.wait_for("PULL THE CORD", before)
        time.sleep(ARMED)

    def _pull(self) -> float:
        """Seconds from the digit to the wire. A console that lags may still find it too soon: it is typed again."""
        for _ in range(5):
            self._pulled_behind, sent = self.console.written, self.console.send("3")
            with contextlib.suppress(queue.Empty):
                return self._venues.first_byte(sent, PATIENCE) - sent
        raise AssertionError("no digit pulled")

    def _wait_for_verdict(self) -> None:
        """The overlay is gone, and can not be taken for the next one."""
        self.console.wait_for("waiting for its first record", self._pulled_behind)


def test_bench_digit_to_wire(tmp_path: Path) -> None:
    with Venues([venue()]) as venues:
        guarded, alone = lay_out(tmp_path / "guarded", venues.urls), lay_out(tmp_path / "alone", venues.urls)
        taken = compare(venues, guarded, alone)
    end_hands(guarded)  # of pulls that a guard on a busy machine heard too late
    tell("digit → first byte of the cancel at the venue", taken, BARE)


def compare(venues: Venues, guarded: Path, alone: Path) -> dict[str, list[float]]:
    """The ways in turn, each in seconds."""

    def idle(hand: PtyChild) -> float:
        time.sleep(0.3)
        sent = hand.send("3")
        return venues.first_byte(sent) - sent

    def direct(way: Callable[[], float]) -> float:
        took = way()
        wait_until(lambda: any(alone.glob("journal/direct-*")), "the hand that carries the pull on")
        end_hands(alone)
        shutil.rmtree(alone / "journal", ignore_errors=True)
        return took

    with (
        guard(guarded),
        PtyChild([*IDLE_HAND, "venue", str(guarded)]) as bare,
        PtyChild([*IDLE_HAND, "guard", str(guarded)]) as asking,
    ):
        bare.wait_for("ready")
        asking.wait_for("ready")
        with_guard, without = Pulls(guarded, venues), Pulls(alone, venues)
        with with_guard.console, without.console:
            return in_turn(
                {
                    BARE: lambda: idle(bare),
                    ASKING: lambda: idle(asking),
                    "console idle": with_guard.idle,
                    "console at full load": with_guard.loaded,
                    "loop blocked, waiting": lambda: with_guard.blocked(signal.SIGUSR1),
                    "loop blocked, computing": lambda: with_guard.blocked(signal.SIGUSR2),
                    "no guard, console idle": lambda: direct(without.idle),
                },
                RUNS,
            )
