"""A desk without a guard: a state folder whose plan points at a simulated broker, and `andon kill` against it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from adapters.alpaca.cord_form import cord_form
from console.cord.hands import detached_hands
from console.cord.plan import write_plan
from tests.support.broker import ROOT, BrokerProcess

KILL = ROOT / "console" / "cord" / "kill.py"


def lay_out(folder: Path, broker: BrokerProcess, *, quiet: float = 1.0, timeout: float = 2.0) -> Path:
    """A state folder with a cord.json for every account of the broker."""
    folder.mkdir(parents=True, exist_ok=True)
    venues = [
        {"name": name, "url": broker.url, "keys": str(keys), "account": broker.numbers[name], "form": cord_form()}
        for name, keys in broker.key_files.items()
    ]
    told = {
        "v": 1,
        "desk": "test",
        "mode": "simulated",
        "quiet_seconds": quiet,
        "netted": True,
        "venues": [{**venue, "timeout": timeout} for venue in venues],
        "strategies": [
            {"name": "momentum", "venue": "sim1", "symbols": ["AAPL"]},
            {"name": "meanrev", "venue": "sim2", "symbols": ["MSFT"]},
        ],
    }
    write_plan(str(folder), told)
    return folder


def start_kill(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """`andon kill`, as the launcher starts it."""
    return subprocess.Popen(
        [sys.executable, "-IS", str(KILL), "--desk", str(folder), "--reason", "test", "--json", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(folder)},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # whatever the tests were started with
    )


def kill(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON object ({} without one) and what was said on the way."""
    out, err = (process := start_kill(folder, *arguments)).communicate(timeout=90)
    return process.returncode, json.loads(out) if out else {}, err


def end_hands(folder: Path) -> None:
    """A test's desk goes away: so must the hands that would ask its broker for ever."""
    for pid in detached_hands(str(folder)):
        os.kill(pid, signal.SIGKILL)
