"""Sealing under kill -9 at every step, on a disk that is full or can not be written, and by two processes at once: what
is there afterwards is the former state or the whole new seal, and never anything else."""

import os
import random
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from console.evidence.manifest import MANIFEST, read_manifest
from console.evidence.seal import NotSealed, tidy
from console.evidence.signing import KEY_FILE, Signer, Trusted
from console.evidence.verify import verify
from tests.support.archives import make_archive
from tests.support.broker import ROOT
from tests.support.mounts import Disk, FullDisk, NotAllowed, ReadOnlyDisk, own_namespace
from tests.support.sealing import INCIDENT, seal_once

BEFORE = [pytest.param(0, id="first"), pytest.param(2, id="third")]


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer.make(tmp_path)


def archive(tmp_path: Path, signer: Signer, seals: int) -> Path:
    """With so many seals of the incident before."""
    folder = tmp_path / "archive"
    folder.mkdir()
    if seals:
        make_archive(folder, events=60, seals=seals, signer=signer)
    return folder


def harness(base: Path, what: str, *points: object) -> str:
    command = [sys.executable, "-m", "tests.support.sealing", base, base.parent / KEY_FILE, what, *map(str, points)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    assert not done.returncode
    return done.stdout


def manifest_of(folder: Path) -> bytes:
    return (folder / MANIFEST).read_bytes() if (folder / MANIFEST).exists() else b""


def check(base: Path, left: Path, signer: Signer) -> bool:
    """What a killed seal left of `base` in `left`, as readers see it; then it is tidied and sealed on. Returns whether
    the seal that was killed is there."""
    before, after = manifest_of(base / INCIDENT), manifest_of(left / INCIDENT)
    folder, trusted = left / INCIDENT, Trusted(frozenset({signer.fingerprint}))
    assert after.startswith(before)
    known = {path.name: path.read_bytes() for path in (base / INCIDENT).glob("*") if path.name != MANIFEST}
    assert all((folder / name).read_bytes() == data for name, data in known.items())
    seals = len(read_manifest(folder).heads) if after else 0
    done = seals - (len(read_manifest(base / INCIDENT).heads) if before else 0)
    assert done in (0, 1)
    for finding in verify(folder, trusted).findings if after else ():
        assert "of a seal that was interrupted" in finding.what, str(finding)
        assert not done
    tidy(left)
    if after:
        assert verify(folder, trusted).word == "verified"
    else:
        assert not folder.exists()
    assert tidy(left) == []
    assert seal_once(folder, signer).seal == seals + 1
    assert verify(folder, trusted).word == "verified"
    return bool(done)


@pytest.mark.parametrize("seals", BEFORE)
def test_a_seal_that_is_killed_before_any_of_its_steps_is_not_there_or_whole(
    tmp_path: Path, signer: Signer, seals: int
) -> None:
    base = archive(tmp_path, signer, seals)
    steps = int(harness(base, "calls", 0))
    assert check(base, tmp_path / "archive-0", signer)
    assert steps > 20
    harness(base, "calls", *range(1, steps + 1))
    done = [check(base, tmp_path / f"archive-{step}", signer) for step in range(1, steps + 1)]
    assert done == sorted(done)
    assert not done[0]
    assert done[-1], "the last steps only make sure of what is there"


@pytest.mark.parametrize("points", [20, pytest.param(300, marks=pytest.mark.soak)])
def test_a_seal_that_is_killed_at_any_moment_is_not_there_or_whole(tmp_path: Path, signer: Signer, points: int) -> None:
    base = archive(tmp_path, signer, 1)
    chance = random.Random(11)
    moments = [f"{chance.random() * 1.2:.6f}" for _ in range(points)]
    harness(base, "moments", *moments)
    for moment in moments:
        check(base, tmp_path / f"archive-{moment}", signer)


def test_two_processes_seal_one_after_the_other(tmp_path: Path, signer: Signer) -> None:
    base = archive(tmp_path, signer, 0)
    harness(base, "race", "ana", "bo", "kim")
    heads = read_manifest(base / INCIDENT).heads
    assert [head.seal for head in heads] == list(range(1, 16))
    assert sorted(head.by for head in heads) == ["ana"] * 5 + ["bo"] * 5 + ["kim"] * 5
    assert verify(base / INCIDENT).findings == []


def test_tidy_leaves_alone_what_it_can_not_judge(tmp_path: Path, signer: Signer) -> None:
    """A manifest that is damaged or gone must not make evidence look like the rest of a crash."""
    base = archive(tmp_path, signer, 2)
    folder = base / INCIDENT
    there = sorted(os.listdir(folder))
    whole = manifest_of(folder)
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).write_bytes(whole[:-30])
    assert tidy(base) == []
    with pytest.raises(NotSealed, match="nothing is added to evidence that is not what was sealed"):
        seal_once(folder, signer)
    (folder / MANIFEST).unlink()
    assert tidy(base) == []
    with pytest.raises(NotSealed, match="it is of a seal that the manifest does not tell of"):
        seal_once(folder, signer)
    assert sorted(os.listdir(folder)) == [name for name in there if name != MANIFEST]


# --- disks ----------------------------------------------------------------------------------------------------------


def held(disk: Disk) -> ExitStack:
    with ExitStack() as opened:
        try:
            opened.enter_context(own_namespace())
            opened.enter_context(disk)
        except NotAllowed as reason:
            pytest.skip(str(reason))
        return opened.pop_all()


@pytest.mark.parametrize(
    ("disk", "why"), [(FullDisk, "No space left on device"), (ReadOnlyDisk, "Read-only file system")]
)
def test_a_disk_that_takes_nothing_is_said_and_the_former_seals_stand(
    tmp_path: Path, signer: Signer, disk: type[Disk], why: str
) -> None:
    with held(disk(tmp_path / "disk")):
        spoiled = disk(tmp_path / "disk")
        folder = archive(tmp_path / "disk", signer, 2) / INCIDENT
        there = sorted(os.listdir(folder))
        spoiled.spoil()
        try:
            with pytest.raises(NotSealed, match=rf"{INCIDENT}: the evidence can not be written: {why}"):
                seal_once(folder, signer)
            assert sorted(os.listdir(folder)) == there
            assert verify(folder).findings == []
        finally:
            spoiled.mend()
        assert seal_once(folder, signer).seal == 3
        assert verify(folder).findings == []


def test_a_disk_with_a_little_room_takes_what_fits_or_nothing(tmp_path: Path, signer: Signer) -> None:
    disk = FullDisk(tmp_path / "disk")
    with held(disk):
        base = archive(tmp_path / "disk", signer, 1)
        outcomes = set()
        for pages in (0, 1, 2, 4, 8, 16, 24, 40, 60):
            folder = Path(shutil.copytree(base, tmp_path / "disk" / f"copy-{pages}")) / INCIDENT
            disk.spoil()
            filler = tmp_path / "disk" / "filler"
            os.truncate(filler, filler.stat().st_size - pages * 4096)
            try:
                missing = seal_once(folder, signer, rows=3000).missing
            except NotSealed as error:
                missing = ("everything", str(error))
            disk.mend()
            assert all("No space left on device" in sentence for sentence in missing if sentence != "everything")
            assert verify(folder).findings == []
            outcomes.add(missing[0].partition(":")[0] if missing else "nothing")
            shutil.rmtree(folder.parent)
        assert outcomes == {"everything", "logs", "nothing"}
