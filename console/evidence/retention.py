"""What an archive keeps: everything, unless a policy says for how many days, or how much of it."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from console.desk.events import ArchiveRemoved
from console.evidence.manifest import ManifestError, read_manifest

DAY = 86_400 * 1_000_000_000
GOING = ".going-"


@dataclass(frozen=True, slots=True)
class _Closed:
    folder: Path
    closed_at: int
    bytes: int
    head: str


def removed(archive: Path, keep_days: int, limit: int, now: int) -> Iterator[ArchiveRemoved]:
    """Remove incidents, each told right before its files go: those that were closed more than `keep_days` days ago, and
    then the oldest until all of the archive is no larger than `limit` bytes; 0 is no bound. Only closed incidents go,
    and none whose manifest can not be read. Times are UTC ns."""
    yield from _gone_half(archive)
    closed = sorted(_closed(archive), key=lambda each: (each.closed_at, each.folder.name))
    total = sum(_bytes(folder) for folder in _folders(archive))
    for each in closed:
        if keep_days and now - each.closed_at > keep_days * DAY:
            why = f"it was closed more than {keep_days} days ago"
        elif limit and total > limit:
            why = f"the archive is larger than {limit >> 20} MB"
        else:
            continue
        going = archive / f"{GOING}{each.folder.name}"
        try:
            each.folder.rename(going)
        except OSError:
            continue
        yield ArchiveRemoved(each.folder.name, each.head, each.bytes, why)
        shutil.rmtree(going, ignore_errors=True)
        total -= each.bytes


def _gone_half(archive: Path) -> Iterator[ArchiveRemoved]:
    """What a crash left of incidents that were being removed: they may not have been told of."""
    for going in archive.glob(f"{GOING}*"):
        try:
            head = read_manifest(going).heads[-1].hash
        except ManifestError:
            head = ""
        yield ArchiveRemoved(going.name.removeprefix(GOING), head, _bytes(going), "the policy, in an earlier run")
        shutil.rmtree(going, ignore_errors=True)


def _folders(archive: Path) -> list[Path]:
    return [path for path in archive.glob("INC-*") if path.is_dir() and not path.is_symlink()]


def _closed(archive: Path) -> Iterator[_Closed]:
    for folder in _folders(archive):
        try:
            last = read_manifest(folder).heads[-1]
        except (ManifestError, IndexError):
            continue
        if last.closed_at:
            yield _Closed(folder, last.closed_at, _bytes(folder), last.hash)


def _bytes(folder: Path) -> int:
    total = 0
    for entry in os.scandir(folder):
        if entry.is_file(follow_symlinks=False):
            total += entry.stat(follow_symlinks=False).st_size
    return total
