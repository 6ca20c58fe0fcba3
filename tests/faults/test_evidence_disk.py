"""A desk whose archive or flight recorder lies on a disk that is full or can only be read, whose worker is killed while
it seals, and whose venue hangs when the desk is read: by real mounts and real processes.

Whatever happens, the cord and the incident go on, nothing that is not whole is ever taken for evidence, and somebody is
told what could not be kept.
"""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from console.desk import events as ev
from console.evidence.manifest import read_manifest
from tests.support.broker import PATIENCE, wait_until
from tests.support.cord import kill
from tests.support.desk import DeskProcesses
from tests.support.mounts import Disk, FullDisk, NotAllowed, ReadOnlyDisk, own_namespace

pytestmark = pytest.mark.timeout(300)


class Case:
    """A desk with parts of its state folder on disks of their own."""

    def __init__(self, desk: DeskProcesses) -> None:
        self.desk = desk
        self.archive = desk.state_dir / "archive"

    def andon(self, *words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "console", "--desk", str(self.desk.file), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    def opened(self, title: str) -> str:
        code, said = self.andon("incident", "open", "--title", title)
        assert code == 0, said
        return said.split()[0]

    def sealed(self, incident: str) -> list[ev.ArchiveSealed]:
        return [each for each in self.desk.journaled(ev.ArchiveSealed) if each.incident == incident]

    def heads(self, incident: str) -> int:
        """How many seals count in the archive itself."""
        folder = self.archive / incident
        return len(read_manifest(folder).heads) if (folder / "manifest.jsonl").exists() else 0

    def worker(self) -> int:
        children = Path(f"/proc/{self.desk.guard_pid}/task/{self.desk.guard_pid}/children").read_text().split()
        return next((int(pid) for pid in children if b"console.guard.worker" in _command(pid)), 0)


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def running(folder: Path, held: ExitStack, *disks: Disk) -> Case:
    """A desk on these disks. Skips where nothing can be mounted."""
    try:
        held.enter_context(own_namespace())
        for disk in disks:
            held.enter_context(disk)
    except NotAllowed as reason:
        pytest.skip(str(reason))
    desk = held.enter_context(DeskProcesses(folder, traded=False, quiet_seconds=1))
    for disk in disks:
        held.callback(disk.mend)
    wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "both venues answer")
    return Case(desk)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        pytest.param(FullDisk, "No space left on device", marks=pytest.mark.xdist_group("archive full")),
        pytest.param(ReadOnlyDisk, "Read-only file system", marks=pytest.mark.xdist_group("archive read-only")),
    ],
)
def test_an_archive_that_takes_nothing_holds_up_nobody_and_is_made_good(
    tmp_path: Path, kind: type[Disk], says: str
) -> None:
    with ExitStack() as held:
        disk = kind(tmp_path / "desk" / "archive")
        case = running(tmp_path, held, disk)
        disk.spoil()
        case.desk.broker.control("POST", "/orders", {"venue": "sim1", "count": 3})
        assert kill(case.desk.state_dir, "--all")[0] == 0
        failed = case.desk.wait_journaled(ev.EvidenceFailed)
        assert says in failed.why
        assert case.heads(failed.incident) == 0
        assert "NOT KEPT: the seal (pull): " in case.andon("status")[1]
        wait_until(lambda: f"TROUBLE: {failed.incident}: the seal (pull): " in case.andon("status")[1], "the trouble")
        assert case.andon("incident", "note", failed.incident, "the archive's disk is full")[0] == 0
        assert not case.sealed(failed.incident)
        disk.mend()
        code, said = case.andon("incident", "snapshot")
        assert code == 0, said
        wait_until(lambda: case.sealed(failed.incident), "a seal")
        assert says not in case.andon("status")[1]
        code, said = case.andon("archive", "verify", failed.incident)
        assert code == 0, said
        assert not [path.name for path in (case.archive / failed.incident).iterdir() if path.name.endswith(".new")]
        texts = [each["data"] for each in rows(case, failed.incident, "journal")]
        assert any("the archive's disk is full" in text for text in texts), "what happened meanwhile is in the evidence"


def rows(case: Case, incident: str, item: str) -> list[dict[str, str]]:
    files = sorted((case.archive / incident).glob(f"*-{item}.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


@pytest.mark.xdist_group("recorder full")
def test_a_flight_recorder_without_room_is_told_and_a_pull_is_sealed_all_the_same(tmp_path: Path) -> None:
    with ExitStack() as held:
        disk = FullDisk(tmp_path / "desk" / "telemetry")
        case = running(tmp_path, held, disk)
        disk.spoil()
        wait_until(lambda: "the flight recorder" in case.andon("status")[1], "status says so")
        assert kill(case.desk.state_dir, "--all")[0] == 0
        (incident,) = wait_until(lambda: case.desk.folded().logbook.incidents, "an incident")
        wait_until(lambda: case.sealed(incident), "its seal")
        assert any('"pull"' in each["data"] for each in rows(case, incident, "journal"))
        disk.mend()
        before = len(case.desk.journaled(ev.TelemetryKept))
        wait_until(lambda: len(case.desk.journaled(ev.TelemetryKept)) > before, "segments are written again")
        wait_until(lambda: "the flight recorder" not in case.andon("status")[1], "status takes it back")
        code, said = case.andon("archive", "verify", incident)
        assert code == 0, said


@pytest.mark.xdist_group("recorder full")
def test_a_worker_killed_while_it_seals_leaves_no_half_seal_and_owes_none(tmp_path: Path) -> None:
    chance = random.Random(7)
    with ExitStack() as held:
        case = running(tmp_path, held)
        incident = case.opened("the worker is killed")
        killed = 0
        for _ in range(4):
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
            assert case.andon("archive", "verify", incident)[0] == 0
        assert killed
        told = [(each.seal, each.head) for each in case.sealed(incident)]
        heads = [(head.seal, head.hash) for head in read_manifest(case.archive / incident).heads]
        assert told == heads
        named = {item.file for item in read_manifest(case.archive / incident).items} | {"manifest.jsonl"}
        assert {path.name for path in (case.archive / incident).iterdir()} == named
