"""From the command line to the first byte of a DELETE at the venue, against curl."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.desk import guard, lay_out
from tests.benchmarks.ratios import in_turn, tell
from tests.benchmarks.venues import Venues, venue
from tests.support.cord import end_hands

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
RUNS = 15
ANDON = Path(sys.executable).with_name("andon")


def test_bench_kill_to_wire(tmp_path: Path) -> None:
    with Venues([venue()]) as venues:
        guarded, bare = lay_out(tmp_path / "guarded", venues.urls), lay_out(tmp_path / "bare", venues.urls)

        def timed(*command: str) -> float:
            began = time.monotonic()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            took = venues.first_byte(began) - began
            process.kill()
            process.wait()
            time.sleep(0.15)  # repeats of the same pull, and the next warm connection
            return took

        def kill(folder: Path) -> float:
            took = timed(str(ANDON), "kill", "--all", "--desk", str(folder), "--reason", "bench")
            end_hands(folder)
            shutil.rmtree(folder / "journal", ignore_errors=True)
            return took

        with guard(guarded):
            taken = in_turn(
                {
                    "curl": lambda: timed("curl", "-s", "-X", "DELETE", venues.urls[0] + "/v2/orders"),
                    "andon kill, guard answers": lambda: kill(guarded),
                    "andon kill, no guard": lambda: kill(bare),
                },
                RUNS,
            )
    tell("process start → first byte of the cancel at the venue", taken, "curl")
