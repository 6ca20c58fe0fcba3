"""After the cord has flattened: the books brought to broker truth, on a desk of real processes, and the way back."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from console.desk import events as ev
from console.desk.pull import Verdict
from tests.support.broker import ROOT, wait_until
from tests.support.desk import DeskProcesses

pytestmark = pytest.mark.timeout(300)
ANDON = (sys.executable, "-m", "console")
OWN_FIX = ("--cause", "own-fix", "--text", "a loop in the sizing", "--checked", "replayed on the simulated desk")


def andon(desk: DeskProcesses, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [*ANDON, "--desk", str(desk.file), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def told(desk: DeskProcesses, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = andon(desk, *arguments, "--json")
    return done.returncode, json.loads(done.stdout) if done.stdout else {"said": done.stderr}


def at_broker(desk: DeskProcesses, account: str) -> dict[str, Decimal]:
    rows = desk.broker.request("GET", "/v2/positions", account=account)[1]
    return {row["symbol"]: Decimal(row["qty"]) for row in rows}


def in_book(desk: DeskProcesses, strategy: str) -> dict[str, Decimal]:
    assert desk.strategies is not None
    return {row["symbol"]: Decimal(row["qty"]) for row in desk.strategies.json(strategy, "/book")["positions"]}


def pull(desk: DeskProcesses, level: str, scope: str = "all") -> str:
    asked = {"reason": "test", "scope": scope, "level": level}
    name: str = desk.http("POST", "/emergency/shutdown", asked)[1]["pull"]
    wait_until(lambda: (known := desk.folded().pulls.get(name)) and known.verdict is Verdict.VERIFIED, "VERIFIED")
    return name


def test_after_a_flattening_the_books_are_adjusted_and_the_desk_comes_back(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path, quiet_seconds=1, broker_arguments=("--speed", "60")) as desk:
        wait_until(lambda: at_broker(desk, "sim1") and at_broker(desk, "sim2"), "positions at both venues")
        code, answer = told(desk, "book", "adjust", "--yes")
        assert code != 1, f"a strategy that trades is not adjusted: {answer}"
        assert desk.journaled(ev.BookAdjusting) == []
        pull(desk, "L4")
        assert (at_broker(desk, "sim1"), at_broker(desk, "sim2")) == ({}, {})
        print(andon(desk, "book", "adjust").stdout)
        print(told(desk, "resume", "--size", "25", *OWN_FIX, "--confirm", "test"))
        print(andon(desk, "book", "adjust", "--yes").stdout)
        print(told(desk, "resume", "--size", "25", *OWN_FIX, "--confirm", "test"))
        raise AssertionError
