"""Evidence when things break: worker and guard killed while the desk is read, a venue that hangs, a disk that takes
nothing, and no guard at all. The cord never waits for any of it, and what could not be kept is said, and kept later."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from console.desk import entries as en
from console.desk import events as ev
from console.evidence.manifest import read_manifest
from console.evidence.reading import state_of
from console.evidence.signing import Trusted
from console.evidence.verify import known_seals, verify
from tests.support.broker import PATIENCE, wait_until
from tests.support.cord import kill
from tests.support.desk import DeskProcesses
from tests.support.mounts import NotAllowed, ReadOnlyDisk, own_namespace

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcesses]:
    with DeskProcesses(tmp_path_factory.mktemp("desk"), traded=False, quiet_seconds=1, pictures=True) as desk:
        wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "both venues answer")
        yield desk


def andon(desk: DeskProcesses, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "console", "--desk", str(desk.file), *words]
    told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return told.returncode, told.stdout.strip(), told.stderr.strip()


def pull(desk: DeskProcesses) -> str:
    """A pull that belongs to an incident by now."""
    status, told, _ = desk.http("POST", "/emergency/shutdown", {"reason": "a test", "scope": "all"})
    assert status == 202
    name = str(told["pull"])
    wait_until(lambda: name in belonging(desk), "it belongs to an incident")
    return name


def belonging(desk: DeskProcesses) -> set[str]:
    entries = (*desk.journaled(en.IncidentOpened), *desk.journaled(en.IncidentJoined))
    return {entry.pull for entry in entries}


def worker(desk: DeskProcesses) -> int:
    children = Path(f"/proc/{desk.guard_pid}/task/{desk.guard_pid}/children")

    def found() -> list[int]:
        pids = [int(pid) for pid in children.read_text().split()]
        return [pid for pid in pids if b"console.guard.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    (pid,) = wait_until(found, "the worker")
    return pid


def proven(desk: DeskProcesses, incident: str) -> None:
    folder = desk.state_dir / "archive" / incident
    report = verify(folder, Trusted.of(desk.folder, desk.state_dir), known_seals(desk.records()))
    assert not report.findings
    state_of(folder)  # raises where it is not what was sealed


@pytest.mark.xdist_group("evidence")
@pytest.mark.parametrize("killed", ["worker", "guard", "guard and worker"])
def test_whoever_is_killed_while_a_venue_hangs_the_pull_is_captured(desk: DeskProcesses, killed: str) -> None:
    desk.broker.fault("hang", "sim2")
    name = pull(desk)  # from here on the desk is read for two seconds
    began = time.time_ns()
    if "worker" in killed:
        os.kill(worker(desk), signal.SIGKILL)
    if "guard" in killed:
        desk.stop_guard(signal.SIGKILL)
        desk.broker.clear()
        began = time.time_ns()
        desk.start_guard()
    seal = desk.wait_journaled(ev.ArchiveSealed, lambda event: name in event.captured and event.why == "pull")
    desk.broker.clear()
    lacks = [what for what in seal.missing if what.startswith("sim2")]
    if "guard" in killed:  # read late, from a venue that answers again, and it says when
        assert not lacks
        manifest = read_manifest(desk.state_dir / "archive" / seal.incident)
        (held,) = (item for item in manifest.of_seal(seal.seal) if item.item == "positions")
        assert held.captured_at > began
    else:
        assert "sim2 positions: no answer within 2 s" in lacks  # its own timeout
        assert {"positions", "orders", "account", "records"} <= set(seal.items)
    assert len(desk.journaled(en.IncidentOpened)) == 1
    proven(desk, seal.incident)


def test_what_was_done_without_a_guard_is_taken_up_by_the_next(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path, traded=False, quiet_seconds=1) as desk:
        wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "both venues answer")
        desk.stop_guard(signal.SIGKILL)
        code, told, _ = kill(desk.state_dir, "--all")
        assert code == 0
        for asked in (["snapshot"], ["attach", "INC-2026-0001", str(desk.file)]):
            code, _, error = andon(desk, "incident", *asked)
            assert (code, error.startswith("andon: no guard is running")) == (1, True)
        desk.start_guard()
        seal = desk.wait_journaled(ev.ArchiveSealed)
        assert (seal.why, seal.captured) == ("pull", (told["pull"],))

        desk.stop_guard(signal.SIGKILL)
        number = desk.journaled(en.IncidentOpened)[0].incident
        assert andon(desk, "incident", "note", number, "nobody", "watched")[:2] == (0, f"noted in {number}")
        assert andon(desk, "incident", "close", number, "--outcome", "a test")[0] == 0
        code, said, _ = andon(desk, "incident", "open", "--title", "by hand")
        assert (code, said) == (0, f"{number[:-1]}2 is open")
        desk.start_guard()
        desk.wait_journaled(ev.ArchiveSealed, lambda event: (event.incident, event.why) == (number, "closed"))
        desk.wait_journaled(ev.ArchiveSealed, lambda event: event.incident == f"{number[:-1]}2")
        proven(desk, number)


def test_an_archive_that_takes_nothing_is_said_and_sealed_once_it_does(tmp_path: Path) -> None:
    with ExitStack() as held:
        try:
            held.enter_context(own_namespace())
            disk = held.enter_context(ReadOnlyDisk(tmp_path / "desk" / "archive"))
        except NotAllowed as reason:
            pytest.skip(str(reason))
        disk.spoil()
        desk = held.enter_context(DeskProcesses(tmp_path, traded=False, quiet_seconds=1))
        wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "both venues answer")
        name = pull(desk)
        failed = desk.wait_journaled(ev.EvidenceFailed)
        assert "ead-only" in failed.why
        wait_until(lambda: desk.folded().pulls[name].verified_at, "the cord proves it all the same")
        assert f"TROUBLE: {failed.incident}: " in andon(desk, "status")[1]
        code, _, error = andon(desk, "incident", "snapshot")
        assert (code, "ead-only" in error) == (1, True)
        disk.mend()
        assert andon(desk, "incident", "snapshot", failed.incident)[0] == 0
        seals = wait_until(
            lambda: (
                {event.why for event in desk.journaled(ev.ArchiveSealed)} >= {"pull", "snapshot"}
                and desk.journaled(ev.ArchiveSealed)
            ),
            "what was read at the pull is sealed, too",
        )
        (late,) = (seal for seal in seals if seal.why == "pull")
        assert late.captured == (name,)
        assert "TROUBLE" not in andon(desk, "status")[1]
        proven(desk, failed.incident)
