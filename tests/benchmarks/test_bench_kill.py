"""From the command line to the first byte of a DELETE at the venue, against curl."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.alpaca.cord_form import cord_form
from console.cord.plan import write_plan
from tests.benchmarks.ratios import in_turn, tell
from tests.benchmarks.sink import Sink
from tests.support.broker import ROOT
from tests.support.cord import end_hands

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
RUNS = 15
ANDON = Path(sys.executable).with_name("andon")


def lay_out(folder: Path, sink: Sink) -> Path:
    folder.mkdir()
    keys = folder / "keys.json"
    keys.write_text('{"key_id": "k", "secret_key": "s"}')
    keys.chmod(0o600)
    venue = {"name": "sim1", "url": sink.url, "keys": str(keys), "form": cord_form()}
    desk = {"v": 1, "desk": "bench", "mode": "simulated", "quiet_seconds": 1, "netted": True, "strategies": []}
    write_plan(str(folder), {**desk, "venues": [venue]})
    return folder


def test_bench_kill_to_wire(tmp_path: Path) -> None:
    sink = Sink()
    guarded, bare = lay_out(tmp_path / "guarded", sink), lay_out(tmp_path / "bare", sink)
    guard = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.cord_process", str(guarded)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert guard.stdout is not None
    guard.stdout.readline()

    def timed(*command: str) -> float:
        sink.forget()
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took = sink.first_byte() - began
        process.kill()
        process.wait()
        time.sleep(0.15)  # repeats of the same pull, and the next warm connection
        return took

    def kill(folder: Path) -> float:
        took = timed(str(ANDON), "kill", "--all", "--desk", str(folder), "--reason", "bench")
        end_hands(folder)
        shutil.rmtree(folder / "journal", ignore_errors=True)
        return took

    try:
        taken = in_turn(
            {
                "curl": lambda: timed("curl", "-s", "-X", "DELETE", sink.url + "/v2/orders"),
                "andon kill, guard answers": lambda: kill(guarded),
                "andon kill, no guard": lambda: kill(bare),
            },
            RUNS,
        )
    finally:
        guard.kill()
        guard.wait()
        sink.close()
    tell("process start → first byte of the cancel at the venue", taken, "curl")
