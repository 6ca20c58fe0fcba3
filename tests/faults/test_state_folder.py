"""A state folder that is full, can only be read, or hangs: by real mounts. The cord still stops the venues."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from adapters.gate_client import Gate
from console.cord.latch import standing
from console.cord.plan import write_plan
from console.desk.events import LatchSet, Pulled, VenueVerdict
from console.desk.pull import Verdict
from console.desk.state import PullState
from console.evidence.journal import verify
from tests.support.broker import ROOT, wait_until
from tests.support.cord import kill, start_kill
from tests.support.desk import DeskProcesses
from tests.support.mounts import DeadDisk, Disk, FrozenDisk, FullDisk, NotAllowed, ReadOnlyDisk, own_namespace
from tests.support.strategies import GateFile
from tests.support.terminal import Terminal

pytestmark = pytest.mark.timeout(300)
F10 = "\x1b[21~"
PLAN = {"mode": "simulated", "quiet_seconds": 1, "netted": True, "venues": [], "strategies": []}
DISKS = (FullDisk, ReadOnlyDisk, FrozenDisk)


class Bad:
    """A desk whose state folder lies on a disk that can be spoiled."""

    def __init__(self, desk: DeskProcesses, disk: Disk) -> None:
        self.desk = desk
        self.disk = disk

    def rest(self) -> None:
        """Orders at both venues."""
        for venue in ("sim1", "sim2"):
            self.desk.broker.control("POST", "/orders", {"venue": venue, "count": 3, "prefix": "momentum-"})

    @property
    def open(self) -> int:
        return sum(len(self.desk.broker.request("GET", "/v2/orders", account=name)[1]) for name in ("sim1", "sim2"))

    def freeze_guard(self) -> None:
        os.kill(self.desk.guard_pid, signal.SIGSTOP)

    def thaw_guard(self) -> None:
        os.kill(self.desk.guard_pid, signal.SIGCONT)

    def told(self, pull: str) -> PullState | None:
        """The pull as the journals of all hands tell it, once every venue has verified there."""
        known = self.desk.folded().pulls.get(pull)
        return known if known is not None and known.verdict is Verdict.VERIFIED else None

    def come_back(self, *pulls: str) -> None:
        """The disk is mended: everything about these pulls is in the journals, and nothing is broken in them."""
        self.disk.mend()
        for pull in pulls:
            wait_until(lambda pull=pull: self.told(pull), "the records came back")  # type: ignore[misc]
        wait_until(lambda: set(pulls) <= self.latched, "the latch holds them")
        assert all(report.problem is None for report in verify(self.desk.state_dir / "journal"))

    @property
    def latched(self) -> set[str]:
        """The pulls in the latch: a full disk may still take one where the file is there already."""
        return {each["id"] for each in standing(str(self.desk.state_dir)) or []}


@pytest.fixture(
    scope="module",
    params=[pytest.param(disk, marks=pytest.mark.xdist_group(disk.__name__), id=disk.__name__) for disk in DISKS],
)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bad]:
    folder = tmp_path_factory.mktemp("disk")
    with ExitStack() as held:
        try:
            held.enter_context(own_namespace())
            disk = held.enter_context(request.param(folder / "desk"))
        except NotAllowed as reason:
            pytest.skip(str(reason))
        desk = held.enter_context(DeskProcesses(folder, traded=False, quiet_seconds=1))
        held.callback(disk.mend)
        desk.broker.control("POST", "/clock", {"session": "open"})
        wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "both venues answer")
        yield Bad(desk, disk)


@pytest.fixture
def bad(desk: Bad) -> Iterator[Bad]:
    """The desk with orders at both venues and a spoiled disk; mended, and the guard awake, when the test is over."""
    desk.rest()
    desk.disk.spoil()
    yield desk
    desk.disk.mend()
    if desk.desk.guard is None:
        desk.desk.start_guard()
    desk.thaw_guard()


def test_a_pull_by_the_guard_is_proven_and_halts_the_gate_for_whoever_asks(desk: Bad) -> None:
    """The first of this file: the gate is still open."""
    client = Gate(desk.desk.state_dir, venue="sim1", strategy="momentum")
    wait_until(lambda: client.ask("AAPL").state == "OPEN", "the gate is open")
    assert desk.desk.http("GET", "/gate")[1]["state"] == "OPEN"
    acknowledged = (desk.desk.state_dir / "journal" / "guard.jsonl").read_bytes()
    desk.rest()
    desk.disk.spoil()
    code, told, _ = kill(desk.desk.state_dir, "--all", "--no-wait")
    assert (code, told["hand"]) == (6, "guard")
    assert desk.desk.http("GET", "/gate")[1]["state"] == "HALTED", "wherever the guard answers it is halted at once"
    because = wait_until(lambda: (said := client.ask("AAPL")).state == "HALTED" and said.because, "the files say so")
    assert ("stale" in because) is not isinstance(desk.disk, FullDisk), "a full disk halts at once, others by the lease"
    pull = wait_until(lambda: verified(desk, told["pull"]), "the guard has proof")
    assert ("cord.latch" in pull["latch_error"]) is (told["pull"] not in desk.latched)
    assert desk.open == 0
    desk.come_back(told["pull"])
    assert (desk.desk.state_dir / "journal" / "guard.jsonl").read_bytes().startswith(acknowledged)
    wait_until(lambda: not desk.desk.journaled(LatchSet)[-1].error, "written in the end, and the screen is told")


def verified(desk: Bad, pull: str) -> Any:
    told = desk.desk.http("GET", f"/status?pull={pull}")[1]
    return told if told.get("verdict") == "VERIFIED" else None


def test_who_reads_a_dead_disk_is_halted_and_told_within_seconds(tmp_path: Path) -> None:
    """A network disk whose server is gone: whoever looks for a file there would wait for ever."""
    try:
        with own_namespace(), DeadDisk(tmp_path / "desk") as disk:
            write_plan(str(disk.folder), {**PLAN, "desk": "test"})
            client = Gate(disk.folder, venue="sim1", strategy="momentum")
            with GateFile(disk.folder):
                assert client.ask("AAPL").state == "OPEN"
            with ExitStack() as dead:
                dead.callback(disk.mend)
                disk.spoil()
                hand = start_kill(disk.folder, "--all")
                _, said = hand.communicate(timeout=60)
                assert hand.returncode == 4
                assert "the state folder does not answer" in said
                answer = client.ask("AAPL")
                assert (answer.state, answer.because) == ("HALTED", "the gate could not be read within 1 s")
                disk.mend()
                wait_until(lambda: "could not be read" not in client.ask("AAPL").because, "it is read again")
    except NotAllowed as reason:
        pytest.skip(str(reason))


def test_a_flatten_past_a_frozen_guard_is_proven_and_its_records_come_back(bad: Bad) -> None:
    bad.desk.broker.control("POST", "/positions", {"venue": "sim1", "symbol": "AAPL", "qty": "7"})
    bad.freeze_guard()
    code, told, said = kill(bad.desk.state_dir, "--all", "--level", "L4")
    assert (code, told["hand"], told["positions"]) == (0, "direct", 0), said
    assert ("latch not written (cord.latch" in said) is (told["pull"] not in bad.latched)
    assert bad.desk.broker.control("GET")["accounts"]["sim1"]["positions"] == {}
    bad.come_back(told["pull"])


def test_the_console_says_what_could_not_be_written_and_f10_twice_needs_neither_loop_nor_guard(
    desk: Bad, tmp_path: Path
) -> None:
    file = tmp_path / "console"
    command = [sys.executable, "-m", "tests.support.pty_desk", str(desk.desk.state_dir), str(file)]
    with Terminal(command, cwd=ROOT, cols=100, rows=30) as terminal:
        terminal.wait_for("Monitors")
        desk.rest()
        desk.disk.spoil()
        terminal.send("K")
        terminal.wait_for("PULL THE CORD")
        time.sleep(0.4)
        terminal.send("3")
        terminal.wait_for("V E R I F I E D")
        terminal.wait_for("is not written" if isinstance(desk.disk, FullDisk) else "could not be written: cord.latch")
        assert desk.open == 0
        desk.rest()
        desk.freeze_guard()
        terminal.signal(signal.SIGUSR1)
        wait_until(file.with_suffix(".blocked").exists, "the loop to block")
        time.sleep(1.2)
        for _ in range(2):
            terminal.send(F10)
            time.sleep(0.3)
        terminal.wait_for("CORD PULLED  L3 desk")
        wait_until(lambda: desk.open == 0, "the orders are gone")
        file.with_suffix(".go").touch()
        terminal.wait_for("directly, without the guard")
        terminal.wait_for("V E R I F I E D")
        desk.disk.mend()
        desk.thaw_guard()
        pulls = wait_until(lambda: len(made := console_pulls(desk)) == 2 and made, "both are journaled")
        desk.come_back(*pulls)


def console_pulls(desk: Bad) -> list[str]:
    return [pulled.pull for pulled in desk.desk.journaled(Pulled) if pulled.origin == "console"]


def test_without_a_guard_the_pull_is_proven_and_the_next_guard_is_halted(bad: Bad) -> None:
    os.kill(bad.desk.guard_pid, signal.SIGKILL)  # where a thread of it waits for the disk, it ends with that wait only
    code, told, said = kill(bad.desk.state_dir, "--all")
    assert (code, told["hand"]) == (0, "direct"), said
    assert bad.open == 0
    bad.come_back(told["pull"])
    bad.desk.stop_guard(signal.SIGKILL)
    bad.desk.start_guard()
    assert bad.desk.http("GET", "/gate")[1]["state"] == "HALTED"
    assert any(event.pull == told["pull"] for event in bad.desk.journaled(VenueVerdict))
