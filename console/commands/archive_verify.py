"""`andon archive verify`: whether sealed evidence is what was sealed. Works with files alone, wherever they lie."""

import argparse
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from console.commands.output import print_json, say
from console.config import ConfigError, Glance, find, glance
from console.desk import incidents as inc
from console.desk.archive import Unreadable
from console.evidence.export import SUFFIX, unpacked
from console.evidence.index import INDEX, misled
from console.evidence.journal import Tail
from console.evidence.manifest import MANIFEST, ManifestError, parse, read_bytes
from console.evidence.signing import SigningError, Trusted
from console.evidence.verify import BROKEN, VERIFIED, Known, Report, known_seals, verify

FOUND = 1
SIGNER_UNKNOWN = 4


def verify_archive(options: argparse.Namespace) -> int:
    """Prints how each incident stands; returns 0 verified, 1 something is wrong, 4 nobody vouches for the signer.
    Raises ConfigError where there is nothing to verify."""
    try:
        told = Trusted.parse(options.key) if options.key is not None else None
        asked = _asked(options.path, options.desk, told)
    except SigningError as error:
        raise ConfigError(str(error)) from None
    reports: list[Report] = []
    for path in asked.paths:
        reports.append(report := _report(path, asked))
        if not options.json:
            _print(report)
    words = {report.word for report in reports}
    notes = [*asked.notes, *_misled(asked, reports)]
    code = FOUND if BROKEN in words or asked.gone else 0 if words == {VERIFIED} else SIGNER_UNKNOWN
    if options.json:
        print_json(
            {
                "verified": not code,
                "incidents": [_facts(r) for r in reports],
                "missing": asked.gone,
                "notes": notes,
            }
        )
    else:
        for line in (*asked.gone, *notes):
            say(line)
    return code


@dataclass(slots=True)
class _Asked:
    """What is verified, and against what. `own` where it lies in the desk's own archive."""

    paths: list[Path]
    where: Path
    own: bool
    told: Trusted | None
    desks: Trusted | None = None
    known: Known | None = None
    gone: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _asked(path: str, desk: str | None, told: Trusted | None) -> _Asked:
    """Raises ConfigError and SigningError."""
    seen = _desk(desk, needed=not path or bool(desk))
    archive = seen.state / "archive" if seen else None
    where = Path(path).expanduser()
    if archive is not None and (not path or (inc.NUMBER.fullmatch(path) and (archive / path).is_dir())):
        where = archive / path
    own = archive is not None and _lies_in(where, archive)
    if not path and not where.exists():
        raise ConfigError(f"{where}: no incident was sealed there yet")
    asked = _Asked(_incidents(where), where, own, told)
    if seen is None:
        return asked
    asked.desks = Trusted.of(seen.path.parent, seen.state)
    tail = Tail(seen.state / "journal")
    asked.known = known_seals(tail.poll())
    if own:
        asked.notes += tail.missing
    if own and where == archive:
        here = {each.name for each in asked.paths}
        asked.gone = [
            f"{name}: the journal tells of {len(seals)} seals, and there is no such folder"
            for name, seals in asked.known.items()
            if name not in here
        ]
    return asked


def _misled(asked: _Asked, reports: Sequence[Report]) -> list[str]:
    """Of evidence that is broken the index may well say what it said before."""
    if asked.where in asked.paths:
        return []
    broken = {report.folder.name for report in reports if report.word == BROKEN}
    says = "says what its evidence does not; andon archive reindex makes it anew"
    return [f"{name}: {asked.where / INDEX} {says}" for name in misled(asked.where) if name not in broken]


def _lies_in(where: Path, archive: Path) -> bool:
    """By the name it has there: a link in a desk's archive is held against the desk, wherever it leads."""
    return (where.parent.resolve() / where.name).is_relative_to(
        archive.resolve()
    ) or where.resolve() == archive.resolve()


def _desk(desk: str | None, *, needed: bool) -> Glance | None:
    """The desk of this machine, if there is one: evidence is verified anywhere."""
    try:
        return glance(find(desk))
    except ConfigError:
        if needed:
            raise
        return None


def _incidents(where: Path) -> list[Path]:
    """The folders and exported files that a path stands for. Raises ConfigError."""
    if where.is_file() or (where / MANIFEST).exists() or inc.NUMBER.fullmatch(where.name):
        if not where.exists():
            raise ConfigError(f"{where}: there is no such incident, neither here nor in the desk's archive")
        return [where]
    try:
        found = [
            each
            for each in sorted(where.iterdir())
            if (each.is_dir() and (inc.NUMBER.fullmatch(each.name) or (each / MANIFEST).exists()))
            or (each.name.endswith(SUFFIX) and each.is_file())
        ]
    except OSError as error:
        raise ConfigError(f"{where}: it can not be read: {error.strerror}") from None
    if not found:
        raise ConfigError(f"{where}: there is no sealed incident; a folder with {MANIFEST} in it is expected")
    return found


def _report(path: Path, asked: _Asked) -> Report:
    try:
        with _opened(path) as folder:
            desks = asked.own or _signed_by(folder, asked.desks)
            return verify(folder, asked.told or (asked.desks if desks else None), asked.known if desks else None)
    except Unreadable as error:
        report = Report(path, path.name.removesuffix(SUFFIX))
        report.found(path.name, str(error).removeprefix(f"{path}: "))
        return report


def _signed_by(folder: Path, trusted: Trusted | None) -> bool:
    """Evidence that lies elsewhere may be another desk's, which numbers its incidents too: this desk's key and journal
    have something to say of it only where this desk signed."""
    if trusted is None:
        return False
    try:
        return any(head.signer in trusted.fingerprints for head in parse(read_bytes(folder))[0].heads)
    except ManifestError:
        return False


def _opened(path: Path) -> contextlib.AbstractContextManager[Path]:
    return contextlib.nullcontext(path) if path.is_dir() else unpacked(path)


def _print(report: Report) -> None:
    standing = report.standing
    say(f"{report.incident or report.folder.name}  {standing.says}")
    for line in (*standing.findings, *report.notes):
        say(f"  {line}")


def _facts(report: Report) -> dict[str, object]:
    last = report.heads[-1] if report.heads else None
    return {
        "incident": report.incident,
        "standing": report.word,
        "says": report.standing.says,
        "signer": report.signer,
        "seals": len(report.heads),
        "sealed_at": last.sealed_at if last else None,
        "closed_at": last.closed_at if last else None,
        "findings": [{"file": each.file, "line": each.line, "what": each.what} for each in report.findings],
        "notes": report.notes,
        "files": report.files,
    }
