"""Two hands that flatten at once while the guard is frozen, or wakes up in between: no position ever flips."""

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from console.cord.hands import detached_hands
from console.cord.plan import write_plan
from tests.support.broker import wait_until
from tests.support.cord import end_hands, start_kill
from tests.support.desk import DeskProcesses

pytestmark = pytest.mark.timeout(300)
HELD = {"AAPL": Decimal(7), "MSFT": Decimal(-3), "NVDA": Decimal("0.5")}
LATE = {"KO": Decimal(4)}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskProcesses]:
    with DeskProcesses(tmp_path, traded=False, quiet_seconds=1, broker_arguments=("--rate-limit", "1000000")) as desk:
        desk.broker.control("POST", "/clock", {"session": "open"})
        wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "both venues answer")
        plan = wait_until(lambda: identified(desk), "the guard has written the plan for the last time")
        write_plan(str(desk.state_dir), {**plan, "quiet_seconds": 0.2})  # for the hands; the guard keeps its second
        yield desk
        end_hands(desk.state_dir)


def identified(desk: DeskProcesses) -> dict[str, Any]:
    """The plan, once it names every account."""
    plan: dict[str, Any] = json.loads((desk.state_dir / "cord.json").read_bytes())
    return plan if all(venue["account"] for venue in plan["venues"]) else {}


class Account:
    """One account's fills, each looked at once."""

    def __init__(self, desk: DeskProcesses, venue: str) -> None:
        self._desk = desk
        self._venue = venue
        self._seen: set[str] = set()

    def take(self, held: dict[str, Decimal]) -> None:
        """Hold this, in a market that is as deep as it needs to be."""
        for symbol, qty in held.items():
            told = {"venue": self._venue, "symbol": symbol, "qty": str(qty)}
            self._desk.broker.control("POST", "/positions", told)

    @property
    def flat(self) -> bool:
        return not self._desk.broker.control("GET")["accounts"][self._venue]["positions"]

    def courses(self, held: dict[str, Decimal]) -> dict[str, list[Decimal]]:
        """The way each position has gone since this was last asked, from what was held, fill by fill."""
        path = "/v2/account/activities/FILL?page_size=100"
        fills = [
            fill
            for fill in reversed(self._desk.broker.request("GET", path, account=self._venue)[1])
            if fill["id"] not in self._seen
        ]
        self._seen |= {fill["id"] for fill in fills}
        courses = {symbol: [qty] for symbol, qty in held.items()}
        for fill in fills:
            qty = Decimal(fill["qty"])
            course = courses[fill["symbol"]]
            course.append(course[-1] + (qty if fill["side"] == "buy" else -qty))
        return courses


def flipped(course: list[Decimal]) -> bool:
    return course[-1] != 0 or any((qty > 0) is not (course[0] > 0) for qty in course if qty)


@pytest.mark.parametrize("tries", [20, pytest.param(200, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_two_hands_at_once_past_a_frozen_guard_flip_nothing(desk: DeskProcesses, tries: int) -> None:
    chance = random.Random(tries)
    account = Account(desk, "sim1")
    for number in range(tries):
        if desk.guard is None or desk.guard.poll() is not None:  # frozen with the lock in its hand, it was fenced
            desk.start_guard()
        os.kill(desk.guard_pid, signal.SIGSTOP)
        account.take(HELD)
        hands = [start_kill(desk.state_dir, "--all", "--level", "L4", "--no-wait") for _ in range(2)]
        if number % 2:  # the guard wakes up in the middle, and finds their pulls in the latch
            time.sleep(chance.uniform(0.0, 0.6))
            os.kill(desk.guard_pid, signal.SIGCONT)
        wait_until(lambda: account.flat, f"flat in try {number}")
        for hand in hands:
            hand.communicate(timeout=60)
        wait_until(lambda: not detached_hands(str(desk.state_dir)), "both hands have proof")
        os.kill(desk.guard_pid, signal.SIGCONT)
        courses = account.courses(HELD)
        assert not any(flipped(course) for course in courses.values()), f"try {number}: {courses}"
    latch = (desk.state_dir / "cord.latch").read_text().splitlines()
    assert len(latch) == 2 * tries, "every hand's pull stands"


def test_a_guard_frozen_in_the_middle_of_a_flatten_is_fenced_and_nothing_flips(desk: DeskProcesses) -> None:
    account = Account(desk, "sim1")
    account.take(HELD)
    desk.broker.fault("slow", "sim1", 3, methods=["DELETE"], path="/v2/positions")
    desk.http("POST", "/emergency/shutdown", {"reason": "x", "scope": "all", "level": "L4"})
    wait_until(lambda: "DELETE /v2/positions" in str(desk.broker.counters()["requests"]), "a close is on its way")
    os.kill(desk.guard_pid, signal.SIGSTOP)
    account.take(LATE)  # the closes that have left do all the rest without any hand
    desk.broker.clear()
    guard = desk.guard
    hand = start_kill(desk.state_dir, "--all", "--level", "L4", "--wait", "30")
    hand.communicate(timeout=90)
    assert hand.returncode == 0
    assert guard is not None
    assert guard.wait(10) == -signal.SIGKILL
    assert account.flat
    courses = account.courses(HELD | LATE)
    assert not any(flipped(course) for course in courses.values()), courses
