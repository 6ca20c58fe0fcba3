"""Whether an incident's evidence is what was sealed: every byte, every line, every signature; from files alone.

A chain whose signer nobody vouches for proves that it fits together, and no more. A tail that was cut off at a head
shows only to somebody who knows of the later seal: the desk's journal does (`known`).
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from console.desk import events as ev
from console.desk import incidents as inc
from console.desk.archive import Standing, Unreadable
from console.desk.events import Record
from console.evidence.contents import JournalCheck, NotJudged, check_state, damage
from console.evidence.manifest import (
    MANIFEST,
    HeadLine,
    ItemLine,
    Manifest,
    ManifestError,
    open_file,
    parse,
    read_bytes,
)
from console.evidence.reading import SealedFile
from console.evidence.seal import NEW, being_sealed, leftovers
from console.evidence.signing import Trusted, fingerprint, signed_by

VERIFIED, CONSISTENT, BROKEN = "verified", "consistent", "broken"
OK = "ok"
_PIECE = 1 << 20

Known = Mapping[str, Sequence[inc.Sealed]]
"""By incident the seals that a desk's journal tells of, the oldest first."""
Progress = Callable[[int, int], None]
"""Told how many bytes are done, and of how many; what it raises ends the verification."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was sealed. `line` counts from 1, None for the file as a whole."""

    file: str
    what: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.file}{'' if self.line is None else f':{self.line}'}: {self.what}"


@dataclass(slots=True)
class Report:
    """What a verification found. `notes` are nothing wrong, but worth knowing; `files` says by file how it stands: ok,
    or a sentence."""

    folder: Path
    incident: str = ""
    trusted: Trusted | None = None
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    heads: tuple[HeadLine, ...] = ()

    @property
    def signer(self) -> str:
        """The fingerprint of whoever signed the last seal, as the chain itself says."""
        return self.heads[-1].signer if self.heads else ""

    @property
    def word(self) -> str:
        if self.findings:
            return BROKEN
        return CONSISTENT if self.trusted is None else VERIFIED

    @property
    def standing(self) -> Standing:
        return Standing(self.word, shown(self._says()), self.signer, tuple(map(str, self.findings)))

    def _says(self) -> str:
        if not self.heads:
            return f"broken: {self.findings[0]}"
        last = self.heads[-1]
        how = "the incident was closed by then" if last.closed_at else "the incident was open then"
        reach = f"the last seal is {last.seal} ({last.why}) of {_time(last.sealed_at)}; {how}"
        match self.word:
            case "verified":
                return f"verified, signed by {self.signer}; {reach}"
            case "consistent":
                return f"consistent, signer not known: {self.signer}; {reach}"
        more = len(self.findings) - 1
        return f"broken: {self.findings[0]}{f', and {more} more' if more else ''}"

    def found(self, file: str, what: str, line: int | None = None) -> None:
        self.findings.append(Finding(shown(file), shown(what), line))


def shown(text: str) -> str:
    """Text from who knows whom, without anything that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def known_seals(records: Iterable[Record]) -> dict[str, list[inc.Sealed]]:
    """What a desk's journal tells of seals, without the incidents whose evidence was removed since."""
    known: dict[str, list[inc.Sealed]] = {}
    for record in records:
        match record.event:
            case ev.ArchiveSealed() as told:
                sealed = inc.Sealed(told.seal, record.ts, told.why, told.head, told.lines, told.items, told.missing)
                known.setdefault(told.incident, []).append(sealed)
            case ev.ArchiveRemoved(incident=incident):
                known.pop(incident, None)
    return known


def verify(
    folder: Path, trusted: Trusted | None = None, known: Known | None = None, progress: Progress | None = None
) -> Report:
    """Check the evidence of one incident. Never raises for what lies in the folder."""
    report = Report(folder, trusted=trusted)
    try:
        names = os.listdir(folder)  # before the manifest: what is sealed meanwhile is then in it
        data = read_bytes(folder)
    except (OSError, ManifestError) as error:
        report.found(MANIFEST, _why(error, folder / MANIFEST))
        _hold_against(report, known)
        return report
    manifest, problems = parse(data)
    for line, why in problems:
        report.found(MANIFEST, why, line)
    report.heads = manifest.heads
    report.incident = manifest.heads[0].incident if manifest.heads else ""
    if manifest.loose and not problems:
        report.found(MANIFEST, "behind the last head stand lines that nobody signed", len(manifest.lines))
    _signatures(report)
    _files(report, manifest, progress or (lambda done, of: None))
    _contents(report, manifest)
    _strays(report, manifest, names, data)
    _hold_against(report, known)
    return report


def _why(error: Exception, path: Path) -> str:
    said = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return said.removeprefix(f"{path}: ")


# --- who signed -----------------------------------------------------------------------------------------------------


def _signatures(report: Report) -> None:
    for head in report.heads:
        try:
            key = base64.b64decode(head.public_key, validate=True)
            signature = base64.b64decode(head.signature, validate=True)
        except (binascii.Error, ValueError):
            key = signature = b""
        if not signed_by(key, signature, head.signed):
            report.found(MANIFEST, f"the signature of seal {head.seal} is not that of the key it names", head.seq)
        elif fingerprint(key) != head.signer:
            report.found(
                MANIFEST, f"seal {head.seal} names {head.signer!r} as its signer, but that is not its key", head.seq
            )
        elif report.trusted is not None and head.signer not in report.trusted.fingerprints:
            why = f"seal {head.seal} is signed by {head.signer}, and {report.trusted} is trusted"
            report.found(MANIFEST, why, head.seq)
        elif head.signer != report.heads[0].signer and report.trusted is None:
            why = f"seal {head.seal} is signed by {head.signer}, the first by {report.heads[0].signer}"
            report.found(MANIFEST, why, head.seq)


# --- the files ------------------------------------------------------------------------------------------------------


def _files(report: Report, manifest: Manifest, progress: Progress) -> None:
    """Every byte of every file that a head covers."""
    all_bytes, done = sum(item.bytes for item in manifest.items), 0
    held: dict[str, ItemLine] = {}
    for item in manifest.items:
        held.setdefault(item.sha256, item)
    for item in manifest.items:
        progress(done, all_bytes)
        path = report.folder / item.file
        try:
            with open_file(path) as file:
                size, digest = os.fstat(file.fileno()).st_size, hashlib.sha256()
                while piece := file.read(_PIECE):
                    digest.update(piece)
                    progress(min(done + file.tell(), all_bytes), all_bytes)
        except (OSError, Unreadable) as error:
            what = _why(error, path)
        else:
            what = _compared(report.folder, item, size, digest.hexdigest(), held)
        done += item.bytes
        report.files[item.file] = what or OK
        if what:
            report.found(item.file, what)
    progress(done, all_bytes)


def _compared(folder: Path, item: ItemLine, size: int, sha256: str, held: Mapping[str, ItemLine]) -> str:
    """What is wrong with a file; empty where it is what was sealed."""
    if sha256 == item.sha256:
        return "" if size == item.bytes else f"its line says {item.bytes} bytes, and {size} were sealed"
    if sha256 in held:
        return f"it holds what was sealed as {held[sha256].file}"
    what = "its bytes are not those that were sealed"
    if size != item.bytes:
        what = f"it has {size} bytes, and {item.bytes} were sealed"
    return what if item.rows is None else f"{what}; {damage(folder, item)}"


def _contents(report: Report, manifest: Manifest) -> None:
    """What the tables say; as far as their bytes are right."""
    journal = JournalCheck(report.folder)
    heads = {head.seal: head for head in report.heads}
    for item in manifest.items:
        if report.files[item.file] != OK or item.rows is None or item.seal not in heads:
            continue
        try:
            SealedFile(report.folder, item, 0).close()
            said = list(journal.take(item, heads[item.seal])) if item.item == "journal" else []
        except Unreadable as error:
            said = [_why(error, report.folder / item.file)]
        for what in said:
            report.found(item.file, what)
            report.files[item.file] = what
    if report.findings:
        return
    for head in report.heads:
        try:
            check_state(report.folder, manifest, head)
        except NotJudged as why:
            report.notes.append(str(why))
        except Unreadable as error:
            report.found(MANIFEST, _why(error, report.folder), head.seq)


def _strays(report: Report, manifest: Manifest, names: Sequence[str], data: bytes) -> None:
    """What lies in the folder and nobody sealed; `data` is the manifest as it was read."""
    sealed = {item.file for item in manifest.items} | {MANIFEST}
    left = set(leftovers(names, manifest))
    for name in sorted(set(names) - sealed):
        if not os.path.lexists(report.folder / name):
            continue  # a seal was under way, and is done
        if name not in left:
            report.found(name, "nobody sealed it")
        elif being_sealed(report.folder) or read_bytes(report.folder) != data:
            report.notes.append("a seal is being written")
            return
        else:
            what = "an unfinished file" if name.endswith(NEW) else "a file"
            report.found(name, f"{what} of a seal that was interrupted; no head covers it")


# --- what the journal knows -----------------------------------------------------------------------------------------


def _hold_against(report: Report, known: Known | None) -> None:
    name = report.folder.name
    if inc.NUMBER.fullmatch(name):
        if report.incident and report.incident != name:
            report.found(MANIFEST, f"it is the evidence of {report.incident}, and lies under the name of {name}")
        report.incident = name
    if known is None:
        return
    told = known.get(report.incident, ())
    heads = {head.seal: head for head in report.heads}
    for sealed in told:
        which = f"seal {sealed.seal} ({sealed.why}), which the journal tells of at {_time(sealed.at)}"
        if sealed.seal not in heads:
            report.found(MANIFEST, f"{which}, is not here: something was cut off")
        elif heads[sealed.seal].hash != sealed.head:
            report.found(MANIFEST, f"{which}, is another one here: this was written anew", heads[sealed.seal].seq)
    last = max((sealed.seal for sealed in told), default=0)
    report.notes += [f"the journal does not tell of seal {head.seal}" for head in report.heads if head.seal > last]


def _time(ts: int) -> str:
    try:
        return datetime.fromtimestamp(ts // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{ts} ns"
