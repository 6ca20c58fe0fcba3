"""kill -9 of the guard, and of the hand that pulls, at every step of a pull and at random moments under load.

After each one: what was acknowledged is there, nothing is there twice, and the desk stays HALTED. The next guard finds
the broker down and claims nothing; once the broker is back, it takes the pull to VERIFIED, and trading stays off.
"""

import asyncio
import contextlib
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.desk import events as ev
from console.desk.pull import Verdict
from console.desk.source import Received
from console.evidence.journal import verify
from console.guard.client import GuardClient
from console.guard.hub import UNWRITTEN
from tests.support.broker import wait_until
from tests.support.cord import end_hands, start_kill
from tests.support.desk import DeskProcesses

pytestmark = pytest.mark.timeout(300)
STEPS = [
    b'"kind":"pulled"',
    b'"kind":"cord_sent"',
    b'"kind":"latch_set"',
    b'"kind":"cord_answered"',
    b'"what":"close"',
    b'"what":"close","outcome"',
    b'"kind":"evidence_taken"',
    b'"kind":"quiet_restarted"',
    b'"kind":"venue_verdict"',
]
HELD = {"AAPL": "7", "MSFT": "-3", "NVDA": "0.5"}


class Witness:
    """A console that remembers every durable record that the guard told it: each was acknowledged before."""

    def __init__(self, folder: Path) -> None:
        self.told: dict[tuple[str, int], ev.Record] = {}
        self._client = GuardClient(folder)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)

    def _run(self) -> None:
        self._task = self._loop.create_task(self._listen())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)

    async def _listen(self) -> None:
        async for update in self._client.updates():
            # What a slow disk has not taken yet is shown under a name of its own, and so promised to nobody.
            if isinstance(update, Received) and update.record.durable and update.record.writer != UNWRITTEN:
                self.told[(update.record.writer, update.record.seq)] = update.record


@pytest.fixture
def quiet_desk(tmp_path: Path) -> Iterator[DeskProcesses]:
    with DeskProcesses(tmp_path, traded=False, quiet_seconds=1) as desk:
        desk.broker.control("POST", "/clock", {"session": "open"})
        yield desk
        end_hands(desk.state_dir)


def load(desk: DeskProcesses) -> None:
    """Orders that rest and positions that stand, at both venues."""
    for venue in ("sim1", "sim2"):
        desk.broker.control("POST", "/orders", {"venue": venue, "count": 6, "prefix": "momentum-"})
        for symbol, qty in HELD.items():
            desk.broker.control("POST", "/positions", {"venue": venue, "symbol": symbol, "qty": qty})


def nothing_left(desk: DeskProcesses) -> bool:
    seen = desk.broker.control("GET")["accounts"].values()
    return all(account["open_orders"] == 0 and not account["positions"] for account in seen)


def restart_with_the_broker_down(desk: DeskProcesses, pull: str) -> None:
    """Start the next guard while no venue takes a connection: it claims nothing. Then the broker is back."""
    desk.broker.fault("refuse")
    desk.start_guard()
    wait_until(lambda: says(desk, pull) == "UNKNOWN", "UNKNOWN while the broker is down")
    assert desk.http("GET", "/gate")[1]["state"] == "HALTED"
    desk.broker.clear("refuse")


def says(desk: DeskProcesses, pull: str) -> str:
    """The verdict as the guard tells it."""
    pulls = desk.http("GET", "/status")[1]["pulls"]
    return next((each["verdict"] for each in pulls if each["pull"] == pull), "")


def check_history(desk: DeskProcesses, witness: Witness) -> None:
    """Every chain is whole; what a console was told is there as it was told; no execution is there twice."""
    assert all(report.problem is None for report in verify(desk.state_dir / "journal"))
    kept = {(record.writer, record.seq): record for record in desk.records()}
    lost = [key for key, record in witness.told.items() if kept.get(key) != record]
    assert not lost, f"acknowledged and not there: {lost}"
    fills = [(event.venue, event.execution_id) for event in desk.journaled(ev.Filled)]
    assert len(fills) == len(set(fills)), "a fill is there twice"


def kill_at(desk: DeskProcesses, sign: bytes, began: int) -> None:
    """SIGKILL the guard as soon as its journal holds `sign` behind the byte `began`."""
    journal = desk.state_dir / "journal" / "guard.jsonl"

    def there() -> bool:
        with journal.open("rb") as file:
            file.seek(began)
            return sign in file.read()

    deadline = time.monotonic() + 30
    while not there():
        assert time.monotonic() < deadline, f"the journal never held {sign!r}"
    desk.stop_guard(signal.SIGKILL)


def test_killed_at_every_step_of_a_pull_the_next_guard_finishes_it(quiet_desk: DeskProcesses) -> None:
    desk = quiet_desk
    witness = Witness(desk.state_dir)
    for sign in STEPS:
        load(desk)
        wait_until(lambda: desk.http("GET", "/health/live", token=None)[0] == 200, "the guard answers")
        began = (desk.state_dir / "journal" / "guard.jsonl").stat().st_size
        asked = {"reason": "crash", "scope": "all", "level": "L4"}
        pull = desk.http("POST", "/emergency/shutdown", asked)[1]["pull"]
        kill_at(desk, sign, began)
        restart_with_the_broker_down(desk, pull)
        wait_until(lambda: says(desk, pull) == "VERIFIED", f"VERIFIED after a kill at {sign!r}")  # noqa: B023
        assert nothing_left(desk), sign
        assert desk.http("GET", "/gate")[1]["state"] == "HALTED"
    witness.close()
    check_history(desk, witness)
    assert [event.pull for event in desk.journaled(ev.Pulled)] == list(desk.folded().pulls), "each pull is there once"


def random_moments(folder: Path, moments: int, seed: int) -> None:
    """A trading desk whose guard is killed again and again; in the middle of it the cord is pulled."""
    chance = random.Random(seed)
    with DeskProcesses(folder, quiet_seconds=1, broker_arguments=("--speed", "60")) as desk:
        witness = Witness(desk.state_dir)
        pulled = ""
        for moment in range(moments):
            if moment == moments // 2:
                pulled = desk.http("POST", "/emergency/shutdown", {"reason": "crash", "scope": "all"})[1]["pull"]
            time.sleep(chance.uniform(0, 0.7))
            desk.stop_guard(signal.SIGKILL)
            if pulled:
                restart_with_the_broker_down(desk, pulled)
            else:
                desk.start_guard()
        wait_until(lambda: says(desk, pulled) == "VERIFIED", "VERIFIED after all of it")
        witness.close()
        check_history(desk, witness)
        assert all(account["open_orders"] == 0 for account in desk.broker.control("GET")["accounts"].values())


def test_killed_at_random_moments_under_load_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    random_moments(tmp_path, moments=20, seed=7)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_five_hundred_random_moments(tmp_path: Path) -> None:
    random_moments(tmp_path, moments=500, seed=int(time.time()))


def test_the_pulling_hand_killed_at_any_moment_leaves_nothing_half_claimed(tmp_path: Path) -> None:
    """Without a guard: either the pull never began, or the latch stands and the next guard brings it to its end."""
    chance = random.Random(11)
    with DeskProcesses(tmp_path, traded=False, guarded=True, quiet_seconds=1) as desk:
        desk.broker.control("POST", "/clock", {"session": "open"})
        desk.stop_guard(signal.SIGKILL)
        latch, killed = desk.state_dir / "cord.latch", 0
        while killed < 8 or not latch.exists():  # a busy machine lets each one live longer until one has begun
            killed += 1
            load(desk)
            process = start_kill(desk.state_dir, "--all", "--level", "L4")
            time.sleep(chance.uniform(0.0, 0.03 * max(8, killed)))
            process.kill()
            process.communicate()
        desk.start_guard()
        latched = latch.read_bytes().splitlines()
        assert latched
        wait_until(lambda: len(desk.folded().pulls) >= len(latched), "every latched pull is known")
        wait_until(
            lambda: all(known.verdict is Verdict.VERIFIED for known in desk.folded().pulls.values()), "all are VERIFIED"
        )
        assert nothing_left(desk)
        assert all(report.problem is None for report in verify(desk.state_dir / "journal"))
        end_hands(desk.state_dir)
