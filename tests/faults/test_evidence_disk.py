"""A desk whose archive or flight recorder lies on a full disk, whose worker is killed while it seals, and whose venue
hangs when the desk is read: by real mounts and real processes.

Whatever happens, the cord and the incident go on, nothing that is not whole is ever taken for evidence, and somebody is
told what could not be kept.
"""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from console.desk import events as ev
from console.evidence.manifest import read_manifest
from tests.support.broker import PATIENCE, wait_until
from tests.support.cord import kill
from tests.support.desk import DeskProcesses
from tests.support.mounts import Disk, FullDisk, NotAllowed, own_namespace

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("evidence disks")]


class Case:
    """A desk whose archive and flight recorder lie on disks of their own, where this machine lets us mount them."""

    def __init__(self, desk: DeskProcesses, *, mounted: bool) -> None:
        self.desk = desk
        self.mounted = mounted
        self.archive = desk.state_dir / "archive"
        self.telemetry = desk.state_dir / "telemetry"

    @contextlib.contextmanager
    def spoiled(self, disk: Disk) -> Iterator[None]:
        if not self.mounted:
            pytest.skip("nothing can be mounted here")
        disk.spoil()
        try:
            yield
        finally:
            disk.mend()

    def andon(self, *words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "console", "--desk", str(self.desk.file), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    def wait_status(self, says: str, but: str = "") -> None:
        """Until `andon status` says so, and does not say `but`."""
        deadline = time.monotonic() + PATIENCE
        while re.search(says, told := self.andon("status")[1]) is None or (but and but in told):
            assert time.monotonic() < deadline, told
            time.sleep(1)

    def opened(self, title: str) -> str:
        code, said = self.andon("incident", "open", "--title", title)
        assert code == 0, said
        return said.split()[0]

    def closed(self, incident: str) -> None:
        """It is over, and the last seal proves all of it; nothing lies there that no head covers."""
        assert self.andon("incident", "close", incident, "--outcome", "tried")[0] == 0
        wait_until(lambda: self.sealed(incident)[-1].why == "closed", "the last seal")
        code, said = self.andon("archive", "verify", incident)
        assert code == 0, said
        named = {item.file for item in read_manifest(self.archive / incident).items}
        assert {path.name for path in (self.archive / incident).iterdir()} == named | {"manifest.jsonl"}

    def sealed(self, incident: str) -> list[ev.ArchiveSealed]:
        return [each for each in self.desk.journaled(ev.ArchiveSealed) if each.incident == incident]

    def rows(self, incident: str, item: str) -> list[dict[str, str]]:
        """Of all seals, or of one: `003-positions`."""
        files = sorted((self.archive / incident).glob(f"*{item}.parquet"))
        return [row for file in files for row in pq.read_table(file).to_pylist()]

    def worker(self) -> int:
        children = Path(f"/proc/{self.desk.guard_pid}/task/{self.desk.guard_pid}/children").read_text().split()
        return next((int(pid) for pid in children if b"console.guard.worker" in _command(pid)), 0)


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("desk")
    with ExitStack() as held:
        with contextlib.suppress(NotAllowed):
            held.enter_context(own_namespace())
            for name in ("archive", "telemetry"):
                held.enter_context(Disk(folder / "desk" / name))
        mounted = (folder / "desk" / "telemetry").is_mount()
        desk = held.enter_context(DeskProcesses(folder, traded=False, quiet_seconds=1))
        wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "both venues answer")
        yield Case(desk, mounted=mounted)


def test_a_venue_that_hangs_is_named_as_missing_and_stands_nowhere_as_empty(case: Case) -> None:
    for venue, symbol in (("sim1", "AAPL"), ("sim2", "SPY")):
        case.desk.broker.control("POST", "/positions", {"venue": venue, "symbol": symbol, "qty": "3"})
    incident = case.opened("sim2 hangs")
    case.desk.broker.fault("hang_before_accept", "sim2")
    code, said = case.andon("incident", "snapshot", incident)
    case.desk.broker.clear()
    assert code == 0, said
    seal = case.sealed(incident)[-1]
    unread = {"positions", "open orders", "account"}
    assert {what for what in unread if any(f"sim2 {what}: " in each for each in seal.missing)} == unread, seal.missing
    for item in ("positions", "account"):
        read = [each for each in case.rows(incident, f"{seal.seal:03d}-{item}") if each.get("phase") != "before"]
        assert {each["venue"] for each in read} == {"sim1"}
    case.closed(incident)
    told = [each for each in case.rows(incident, "exchanges") if each["venue"] == "sim2" and not each["status"]]
    assert {"/v2/positions", "/v2/clock"} <= {each["path"] for each in told}
    assert all(each["error"] for each in told)


def test_a_worker_killed_while_it_seals_leaves_no_half_seal_and_owes_none(case: Case) -> None:
    chance = random.Random(7)
    incident = case.opened("the worker is killed")
    killed = 0
    for _ in range(3):
        asking = subprocess.Popen(
            [sys.executable, "-m", "console", "--desk", str(case.desk.file), "incident", "snapshot", incident],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        time.sleep(chance.uniform(0.8, 2.2))
        if pid := case.worker():
            os.kill(pid, signal.SIGKILL)
            killed += 1
        said, _ = asking.communicate(timeout=PATIENCE)
        assert asking.returncode == 0, said
    assert killed
    case.closed(incident)
    told = [(each.seal, each.head) for each in case.sealed(incident)]
    assert told == [(head.seal, head.hash) for head in read_manifest(case.archive / incident).heads]


def test_a_flight_recorder_without_room_is_told_and_seals_all_the_same(case: Case) -> None:
    with case.spoiled(FullDisk(case.telemetry)):
        case.wait_status("TROUBLE: the flight recorder is not written: No space left on device")
        incident = case.opened("the recorder has no room")
        wait_until(lambda: case.sealed(incident), "its seal")
        assert any("the recorder has no room" in each["data"] for each in case.rows(incident, "journal"))
    case.wait_status("guard .* beat", but="the flight recorder")
    case.closed(incident)


def test_an_archive_without_room_holds_up_nobody_and_is_made_good(case: Case) -> None:
    says = "No space left on device"
    case.desk.broker.control("POST", "/orders", {"venue": "sim1", "count": 3})
    with case.spoiled(FullDisk(case.archive)):
        assert kill(case.desk.state_dir, "--all")[0] == 0
        incident = case.desk.wait_journaled(ev.EvidenceFailed, lambda failed: says in failed.why).incident
        assert not (case.archive / incident / "manifest.jsonl").exists()
        trouble = rf"TROUBLE: {incident}: the seal \((pull|verified)\): .*{says}"
        case.wait_status(rf"(?s){trouble}.*\nincident {incident} .* NOT KEPT: the seal ")
        assert case.andon("incident", "note", incident, "the archive takes nothing")[0] == 0
        assert not case.sealed(incident)
    code, said = case.andon("incident", "snapshot")
    assert code == 0, said
    case.wait_status(rf"incident {incident} .* sealed [0-9]+×", but=says)
    case.closed(incident)
    texts = [each["data"] for each in case.rows(incident, "journal")]
    assert any("the archive takes nothing" in text for text in texts), "what happened meanwhile is in the evidence"
