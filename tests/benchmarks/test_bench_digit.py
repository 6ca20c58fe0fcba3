"""From a digit's byte in the terminal to the first byte of the DELETE at the venue.

The measure is a program that does nothing but read that byte and send the same request on a connection that stands.
"""

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.cord.hands import detached_hands
from tests.benchmarks.pty_child import PtyChild
from tests.benchmarks.ratios import in_turn, tell
from tests.benchmarks.sink import Sink
from tests.benchmarks.test_bench_kill import lay_out
from tests.support.broker import ROOT, wait_until
from tests.support.cord import end_hands

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
RUNS = 7
ARMED = 0.6
BLOCKED = 1.2
PATIENCE = 5.0
BARE = "a byte read, the request sent"


@contextlib.contextmanager
def guard(folder: Path) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.cord_process", str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.wait()


class Pulls:
    """One console, pulled again and again."""

    def __init__(self, folder: Path, sink: Sink) -> None:
        self._folder = folder
        self._sink = sink
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
        self._sink.forget()
        for _ in range(5):
            self._pulled_behind, sent = self.console.written, self.console.send("3")
            with contextlib.suppress(queue.Empty):
                return self._sink.first_byte(PATIENCE) - sent
        raise AssertionError("no digit pulled")

    def _wait_for_verdict(self) -> None:
        """The overlay is gone, and can not be taken for the next one."""
        self.console.wait_for("waiting for its first record", self._pulled_behind)


def test_bench_digit_to_wire(tmp_path: Path) -> None:
    sink = Sink()
    guarded, alone = lay_out(tmp_path / "guarded", sink), lay_out(tmp_path / "alone", sink)
    with guard(guarded), PtyChild([sys.executable, "-m", "tests.benchmarks.idle_hand", str(guarded)]) as bare:
        bare.wait_for("ready")
        by_guard, direct = Pulls(guarded, sink), Pulls(alone, sink)

        def bare_pull() -> float:
            time.sleep(0.3)
            sink.forget()
            sent = bare.send("3")
            return sink.first_byte() - sent

        def direct_pull(way: Callable[[], float]) -> float:
            took = way()
            wait_until(lambda: detached_hands(str(alone)), "the hand that carries the pull on")
            end_hands(alone)
            shutil.rmtree(alone / "journal", ignore_errors=True)
            return took

        with by_guard.console, direct.console:
            taken = in_turn(
                {
                    BARE: bare_pull,
                    "console idle": by_guard.idle,
                    "console at full load": by_guard.loaded,
                    "loop blocked, waiting": lambda: by_guard.blocked(signal.SIGUSR1),
                    "loop blocked, computing": lambda: by_guard.blocked(signal.SIGUSR2),
                    "no guard, console idle": lambda: direct_pull(direct.idle),
                },
                RUNS,
            )
    end_hands(guarded)  # of pulls that a guard on a busy machine heard too late
    sink.close()
    tell("digit → first byte of the cancel at the venue", taken, BARE)
