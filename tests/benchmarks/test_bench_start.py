"""From starting the console to its first content in the terminal, against a Textual app that shows one line.

Twice: the frames, and the first name that came from its desk.
"""

import signal
import sys
from pathlib import Path

import pytest

from tests.benchmarks.pty_child import PtyChild
from tests.benchmarks.ratios import in_turn, tell
from tests.support.desk import DeskProcesses

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
RUNS = 8
MINIMAL = "minimal Textual app"


def shown(text: str, *arguments: str) -> float:
    """Seconds from just before the fork to the last byte of `text`."""
    with PtyChild([sys.executable, "-m", *arguments]) as child:
        return child.wait_for(text) - child.began


def test_bench_first_content(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path) as desk:
        console = ("console", "--desk", str(desk.file))
        ways = {
            MINIMAL: lambda: shown("Hello, operator", "tests.benchmarks.minimal_app"),
            "console, frames": lambda: shown("Strategies", *console),
            "console, the desk in them": lambda: shown("momentum", *console),
        }
        with_guard = in_turn(ways, RUNS)
        desk.stop_guard(signal.SIGKILL)
        without = in_turn(ways, RUNS)
    tell("start → first content, with a guard", with_guard, MINIMAL)
    tell("start → first content, without a guard (from its journal)", without, MINIMAL)
