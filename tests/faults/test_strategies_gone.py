"""The process that holds the strategies is frozen, then dead: the venue flattens all the same, and the book lags."""

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.broker import ROOT, wait_until
from tests.support.cord import kill
from tests.support.desk import DeskProcesses


def book(desk: DeskProcesses) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "console", "--desk", str(desk.file), "book", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout)


def sides(told: dict[str, Any], venue: str) -> dict[str, tuple[Decimal, Decimal]]:
    """Book and broker by symbol."""
    rows = told["venues"][venue]["positions"]
    return {row["symbol"]: (Decimal(row["book"]), Decimal(row["broker"])) for row in rows}


def flattened(desk: DeskProcesses) -> None:
    """The guard flattens the desk and has proof of it; the broker's own word."""
    code, told, said = kill(desk.state_dir, "--all", "--level", "L4", "--wait", "60")
    assert (code, told["hand"], told["positions"], told["orders"]) == (0, "guard", 0, 0), said
    accounts = desk.broker.control("GET")["accounts"].values()
    assert [account["positions"] for account in accounts] == [{}, {}]


def test_with_the_strategies_frozen_or_dead_the_desk_is_flat_and_the_book_shows_the_difference(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path, quiet_seconds=1) as desk:
        assert desk.strategies is not None
        wait_until(lambda: desk.broker.control("GET")["accounts"]["sim1"]["positions"], "a strategy trades")
        wait_until(lambda: any(ours for ours, _ in sides(book(desk)[1], "sim1").values()), "its book says so")
        os.kill(desk.strategies.pid, signal.SIGSTOP)
        flattened(desk)
        told = wait_until(lambda: unread(desk), "the book of a frozen process can not be read")
        assert {theirs for _, theirs in sides(told, "sim1").values()} == {Decimal(0)}, "what it last said is shown, too"
        assert all(ours for ours, _ in sides(told, "sim1").values())
        os.kill(desk.strategies.pid, signal.SIGCONT)
        told = wait_until(lambda: (said := book(desk)[1])["differences"] and said, "awake, it still believes in them")
        kinds = {row["kind"] for row in told["venues"]["sim1"]["positions"]}
        assert kinds == {"MISSING_AT_BROKER"}

        desk.strategies.stop(signal.SIGKILL)
        desk.broker.control("POST", "/positions", {"venue": "sim1", "symbol": "AAPL", "qty": "7"})
        flattened(desk)
        assert wait_until(lambda: unread(desk), "nor can that of a dead one")["differences"] == 0, "unknown, not equal"


def unread(desk: DeskProcesses) -> dict[str, Any]:
    """The comparison, once it says that the book of a strategy can not be read."""
    code, told = book(desk)
    assert code == 1, "never equal"
    return told if any("book of momentum" in why for why in told["unknown"]) else {}
