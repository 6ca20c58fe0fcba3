"""The guard when things break: killed, frozen, half blind, without its worker, with files and ports that are wrong."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from console.desk import events as ev
from console.desk.pull import GateState, Verdict
from console.desk.source import Attached, Detached, Received, Update
from console.desk.state import fold
from console.evidence.journal import verify
from console.guard.client import GuardClient
from tests.support.broker import PATIENCE, wait_until
from tests.support.cord import kill
from tests.support.desk import DeskProcesses

U = TypeVar("U")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskProcesses]:
    with DeskProcesses(tmp_path, traded=False) as desk:
        yield desk


class Watcher:
    """A console without a screen: attached to a desk, remembering what it saw."""

    def __init__(self, folder: Path) -> None:
        self.client = GuardClient(folder)
        self.seen: list[Update] = []

    async def follow(self) -> None:
        async for update in self.client.updates():
            self.seen.append(update)

    async def until(self, found: Callable[[Update], U | None], since: int = 0) -> U:
        """What `found` makes of the first update after the first `since` ones that it likes."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for update in self.seen[since:]:
                    if (value := found(update)) is not None:
                        return value
                await asyncio.sleep(0.02)


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[Watcher]:
    watcher = Watcher(folder)
    task = asyncio.create_task(watcher.follow())
    try:
        yield watcher
    finally:
        task.cancel()


def attached(update: Update) -> Attached | None:
    return update if isinstance(update, Attached) else None


def detached(update: Update) -> str | None:
    return update.why if isinstance(update, Detached) else None


async def test_a_console_sees_the_guard_go_and_come_back(desk: DeskProcesses) -> None:
    async with watching(desk.state_dir) as console:
        state = (await console.until(attached)).state
        assert (state.name, state.mode) == ("test", "simulated")
        await console.until(
            lambda told: (isinstance(told, Received) and isinstance(told.record.event, ev.GuardBeat)) or None
        )
        mark = len(console.seen)
        desk.stop_guard(signal.SIGKILL)
        assert "gone" in await console.until(detached, mark)
        mark = len(console.seen)
        desk.start_guard()
        again = (await console.until(attached, mark)).state
        assert again.guard_started > state.guard_started
        with pytest.raises(RuntimeError, match="no command"):
            await console.client.command("dance")


async def test_a_frozen_guard_counts_as_away_until_it_wakes(desk: DeskProcesses) -> None:
    async with watching(desk.state_dir) as console:
        await console.until(attached)
        os.kill(desk.guard_pid, signal.SIGSTOP)
        assert "frozen" in await console.until(detached)
        with pytest.raises(RuntimeError):
            await console.client.command("reason", pull="x", text="y")
        mark = len(console.seen)
        os.kill(desk.guard_pid, signal.SIGCONT)
        await console.until(attached, mark)


async def test_without_a_guard_a_console_reads_the_journal(desk: DeskProcesses) -> None:
    desk.wait_journaled(ev.SessionChanged)
    desk.stop_guard(signal.SIGKILL)
    async with watching(desk.state_dir) as console:
        state = (await console.until(attached)).state
        assert list(state.venues) == ["sim1", "sim2"]
        assert await console.until(detached) == "no guard is running"
        assert state.guard_stopped == ""


def test_killed_under_a_pull_the_next_guard_carries_it_to_the_end(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path, traded=False, quiet_seconds=3) as desk:
        rest(desk, "sim1", 5)
        status, told, _ = desk.http("POST", "/emergency/shutdown", {"reason": "x", "scope": "all"})
        assert status == 202
        desk.wait_journaled(ev.Pulled)
        before = len(list(desk.records()))
        desk.stop_guard(signal.SIGKILL)
        assert (desk.state_dir / "guard.sock").exists()
        desk.start_guard()
        verdict = desk.wait_journaled(ev.VenueVerdict, lambda event: event.venue == "sim1" and event.t_verified > 0)
        assert verdict.pull == told["pull"]
        assert len(desk.journaled(ev.Pulled)) == 1
        assert desk.broker.request("GET", "/v2/orders?status=open")[1] == []
        assert len(list(desk.records())) > before
        assert all(report.problem is None for report in verify(desk.state_dir / "journal"))


def test_a_frozen_guard_that_wakes_repeats_nothing_and_opens_nothing(desk: DeskProcesses) -> None:
    wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "both venues answer")
    rest(desk, "sim1", 4)
    os.kill(desk.guard_pid, signal.SIGSTOP)
    code, told, _ = kill(desk.state_dir, "--all", "--reason", "the guard is frozen", "--json")
    assert (code, told["verdict"]) == (0, "VERIFIED")
    cancels = desk.broker.counters()["requests"]["DELETE /v2/orders"]
    os.kill(desk.guard_pid, signal.SIGCONT)
    wait_until(lambda: desk.http("GET", "/gate")[1]["state"] == "HALTED", "the guard halts its gate, too")
    status = wait_until(lambda: desk.http("GET", "/status")[1]["pulls"], "the guard knows of the pull")
    assert [(pull["pull"], pull["hand"], pull["verdict"]) for pull in status] == [(told["pull"], "direct", "VERIFIED")]
    assert len(desk.journaled(ev.Pulled)) == 1
    assert desk.broker.counters()["requests"]["DELETE /v2/orders"] == cancels
    assert desk.folded().gate_state is GateState.HALTED


def test_a_latch_that_no_journal_tells_of_is_taken_over(desk: DeskProcesses) -> None:
    desk.stop_guard(signal.SIGKILL)
    rest(desk, "sim2", 2)
    entry = {"v": 1, "id": "20260101T000000Z-00000000", "level": "L3", "scope": "desk", "actor": "ana", "ts": 1}
    (desk.state_dir / "cord.latch").write_text(json.dumps(entry) + "\n")
    desk.start_guard()
    wait_until(lambda: desk.http("GET", "/gate")[1]["state"] == "HALTED", "the gate is halted")
    pulled = desk.wait_journaled(ev.Pulled)
    assert (pulled.pull, pulled.origin) == (entry["id"], "latch")
    wait_until(lambda: desk.broker.request("GET", "/v2/orders?status=open", account="sim2")[1] == [], "orders are gone")


def test_a_gate_that_was_taken_away_stays_shut_over_a_restart(desk: DeskProcesses) -> None:
    wait_until(lambda: (desk.state_dir / "gate.json").exists(), "the gate")
    wait_until(lambda: desk.journaled(ev.GateChanged), "the gate's first word")
    (desk.state_dir / "gate.json").unlink()
    changed = desk.wait_journaled(ev.GateChanged, lambda event: event.state is GateState.HALTED)
    assert "removed" in changed.because
    desk.stop_guard(signal.SIGKILL)
    desk.start_guard()
    assert desk.http("GET", "/gate")[1]["state"] == "HALTED"


def test_a_venue_that_hangs_does_not_delay_the_other(desk: DeskProcesses) -> None:
    wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "both venues answer")
    desk.broker.fault("hang", "sim2")
    changed = desk.wait_journaled(ev.VenueChanged, lambda event: event.venue == "sim2" and not event.answers)
    assert changed.why
    sim2 = wait_until(
        lambda: (row := desk.http("GET", "/status")[1]["venues"]["sim2"])["answers"] is False and row, "sim2 is missing"
    )
    assert sim2["open_orders"] is None  # not 0: nobody knows
    rest(desk, "sim1", 3)
    wait_until(lambda: desk.http("GET", "/status")[1]["venues"]["sim1"]["open_orders"] == 3, "sim1 is read meanwhile")
    assert desk.http("GET", "/status")[1]["venues"]["sim1"]["answers"] is True
    desk.broker.clear()
    desk.wait_journaled(ev.VenueChanged, lambda event: event.venue == "sim2" and event.answers)


def test_evidence_names_what_could_not_be_read(desk: DeskProcesses) -> None:
    wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "both venues answer")
    desk.broker.fault("hang", "sim2")
    desk.http("POST", "/emergency/shutdown", {"reason": "x", "scope": "all"})
    evidence = desk.wait_journaled(ev.EvidenceTaken)
    assert set(evidence.positions) == {"sim1"}
    assert evidence.missing == ("sim2 open orders", "sim2 positions")


def test_fills_that_the_stream_lost_are_found(desk: DeskProcesses) -> None:
    wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "the venues answer")
    desk.stop_guard(signal.SIGKILL)
    order = {"symbol": "AAPL", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day"}
    assert desk.broker.request("POST", "/v2/orders", order)[0] == 200
    wait_until(lambda: desk.broker.request("GET", "/v2/account/activities/FILL")[1], "the order is filled")
    desk.start_guard()
    fill = desk.wait_journaled(ev.Filled)
    assert (fill.venue, fill.symbol, fill.side) == ("sim1", "AAPL", "buy")
    desk.stop_guard(signal.SIGKILL)
    desk.start_guard()
    wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "the venues answer again")
    ids = [each.execution_id for each in desk.journaled(ev.Filled)]
    assert len(ids) == len(set(ids))


def test_systemd_hears_that_it_is_ready_and_that_it_lives(tmp_path: Path) -> None:
    with (
        DeskProcesses(tmp_path, traded=False, guarded=False) as desk,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
    ):
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE)
        desk.start_guard(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert systemd.recv(100) == b"READY=1"
        assert systemd.recv(100) == b"WATCHDOG=1"
        desk.stop_guard(signal.SIGTERM)
        said = b""
        while said != b"STOPPING=1":
            said = systemd.recv(100)


def test_a_dead_worker_is_started_again(desk: DeskProcesses) -> None:
    worker = wait_until(lambda: children(desk.guard_pid), "the worker")[0]
    os.kill(worker, signal.SIGKILL)
    refused = desk.wait_journaled(ev.Refused, lambda event: event.what == "telemetry")
    assert "started again" in refused.why
    wait_until(lambda: children(desk.guard_pid), "another worker")
    body = {"strategy": "s", "kind": "test", "rows": [{"ts": 1, "symbol": "A", "value": 1}]}
    assert desk.http("POST", "/telemetry", body)[0] == 202
    kept = desk.wait_journaled(ev.TelemetryKept, lambda event: event.stream == "telemetry")
    assert kept.rows == 1


def test_what_keeps_a_guard_from_starting_is_one_sentence(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path, traded=False, guarded=False) as desk:
        tokens = desk.state_dir / "tokens.json"
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            said = refusal(desk, "--http-port", str(port))
            assert f"127.0.0.1:{port}" in said
            assert "--http-port" in said
        tokens.write_text('{"operator": "0123456789abcdef"}')
        tokens.chmod(0o644)
        assert f"chmod 600 {tokens}" in refusal(desk)
        tokens.chmod(0o600)
        tokens.write_text("[]")
        assert '{"name": "token"}' in refusal(desk)


def refusal(desk: DeskProcesses, *arguments: str) -> str:
    """The one sentence with which a guard refuses to start."""
    (desk.folder / "guard.log").unlink(missing_ok=True)
    assert desk.launch_guard(*arguments).wait(PATIENCE) == 2
    (sentence,) = desk.guard_log.strip().splitlines()
    return sentence


def rest(desk: DeskProcesses, account: str, count: int) -> None:
    """Orders that rest: far from the market."""
    for _ in range(count):
        order = {
            "symbol": "AAPL",
            "qty": "1",
            "side": "buy",
            "type": "limit",
            "limit_price": "1",
            "time_in_force": "day",
        }
        status, told = desk.broker.request("POST", "/v2/orders", order, account=account)
        assert status == 200, told


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_without_a_guard_a_console_obeys_a_latch_that_no_journal_tells_of(desk: DeskProcesses) -> None:
    desk.wait_journaled(ev.SessionChanged)
    desk.stop_guard(signal.SIGKILL)
    entry = {"v": 1, "id": "20260101T000000Z-00000000", "level": "L3", "scope": "desk", "actor": "ana", "ts": 1}
    (desk.state_dir / "cord.latch").write_text(json.dumps(entry) + "\n")
    async with watching(desk.state_dir) as console:
        state = (await console.until(attached)).state
        assert state.gate_state is GateState.OPEN
        state = fold(state, await console.until(lambda update: update.record if is_pull(update) else None))
        assert state.gate_state is GateState.HALTED
        assert state.pull is not None
        assert state.pull.verdict is Verdict.UNKNOWN, "nobody has proven anything"


def is_pull(update: Update) -> bool:
    return isinstance(update, Received) and isinstance(update.record.event, ev.Pulled)
