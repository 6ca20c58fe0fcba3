"""`andon archive drill`: one incident, picked at random, restored from its archive, judged, filed and journaled."""

import random
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from console import __version__
from console.commands.ask import NoGuard, ask
from console.config import ConfigError, Glance
from console.cord.puller import user_name
from console.desk.archive import Summary, Unreadable
from console.desk.events import RestoreDrilled
from console.desk.restore import RESTORE_FOLDER, restore_event
from console.desk.words import count, size
from console.evidence.journal import JournalError, JournalWriter, Tail
from console.evidence.manifest import read_manifest
from console.evidence.restore import Restored, restore
from console.evidence.shelf import FolderShelf
from console.evidence.signing import SigningError, Trusted
from console.evidence.verify import Known, known_seals
from console.reports import file_report, file_stamp, utc

WRITER = "restore"
KEPT_SECONDS = 5.0


class RestoreDrill(NamedTuple):
    """One that was done. `lines` are the report for people, `report` where it was filed, None where there is no desk to
    file it with; `problem` why the desk's journal does not know of it."""

    restored: Restored
    source: str
    seed: int
    lines: tuple[str, ...]
    report: Path | None
    problem: str

    @property
    def passed(self) -> bool:
        """A drill that the journal of the desk does not know of has proven nothing to anybody else."""
        return self.restored.passed and not self.problem


def run_restore(shelf: FolderShelf, desk: Glance | None, seed: int | None) -> RestoreDrill:
    """Pick, restore, file, journal. Raises ConfigError where there is no incident, or no report can be written."""
    found = sorted(shelf.incidents(), key=lambda each: (each.archive, each.id))
    if not found:
        raise ConfigError("there is no sealed incident to restore")
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    picked = random.Random(seed).choice(found)  # noqa: S311 - a drill that can be done again, not a secret
    began = time.time_ns()
    restored = restore(shelf.folder_of(picked), *_vouched(shelf.folder_of(picked), desk))
    source = f"{picked.archive}/{picked.id}"
    told = _told(restored, picked, source, seed, len(found), began)
    lines = tuple(_lines(told, restored))
    if desk is None:
        return RestoreDrill(restored, source, seed, lines, None, "")
    name = f"{file_stamp(began)}-{began // 1_000_000 % 1000:03}-restore-{picked.id}"
    report, sha256 = file_report(desk.state / RESTORE_FOLDER, name, told, lines)
    return RestoreDrill(restored, source, seed, lines, report, _journal(desk, report, sha256))


def _vouched(folder: Path, desk: Glance | None) -> tuple[Trusted | None, Known | None]:
    """The desk's key and journal, where the desk signed this: it may be another desk's."""
    try:
        trusted = None if desk is None else Trusted.of(desk.path.parent, desk.state)
        signers = {head.signer for head in read_manifest(folder).heads}
    except (SigningError, Unreadable):
        return None, None
    if desk is None or trusted is None or not signers & trusted.fingerprints:
        return None, None
    return trusted, known_seals(Tail(desk.state / "journal").poll())


def _journal(desk: Glance, report: Path, sha256: str) -> str:
    """By the guard where one runs, else in a file of its own, which the next guard reads. Returns what went wrong."""
    within = f"{RESTORE_FOLDER}/{report.name}"
    try:
        ask(str(desk.path), "restore_drill", report=within, sha256=sha256)
    except NoGuard:
        return _journal_alone(desk.state, restore_event(report.read_bytes(), within))
    except RuntimeError as error:
        return str(error)
    return ""


def _journal_alone(state: Path, event: RestoreDrilled) -> str:
    try:
        writer = JournalWriter(state / "journal", WRITER)
        try:
            writer.append(event, user_name()).result(KEPT_SECONDS)
        finally:
            writer.close()
    except (JournalError, OSError, TimeoutError) as error:
        return str(error) or "the disk does not answer"
    return ""


def _told(restored: Restored, picked: Summary, source: str, seed: int, among: int, began: int) -> dict[str, Any]:
    return {
        "drill": "restore",
        "passed": restored.passed,
        "source": source,
        **msgspec.structs.asdict(restored),
        "title": picked.title,
        "seals": picked.seals,
        "seed": seed,
        "among": among,
        "version": __version__,
        "actor": user_name(),
        "began": utc(began),
        "ended": utc(time.time_ns()),
    }


def _lines(told: dict[str, Any], restored: Restored) -> list[str]:
    """The report for people."""
    what = f"{count(restored.items, 'item')}, {count(restored.rows, 'row')}, {size(restored.bytes)}"
    return [
        f"Restore drill of {restored.incident}: {'PASSED' if restored.passed else 'FAILED'}",
        f"  source    {told['source']}, picked from {count(told['among'], 'incident')} (seed {told['seed']})",
        f"  began     {told['began']}   ended {told['ended']}   by {told['actor']}, andon {told['version']}",
        f"  copy      {restored.standing}{f', signed by {restored.signer}' if restored.signer else ''}",
        f"  read      {what}",
        f"  head      {restored.head or 'none'}",
        *(f"  MISSED    {missed}" for missed in restored.missed),
    ]
