"""One seal as the worker makes it: what the flight recorder held, the journal, what is derived, what was captured.

Whatever can not be kept of it is named in the head; the rest is sealed all the same.
"""

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from console.desk.archive import Unreadable
from console.desk.events import ArchiveSealed, EvidenceFailed, encode
from console.desk.hidden import MARK, secret_name
from console.desk.state import DeskState
from console.desk.words import count
from console.evidence import items, seal
from console.evidence.batches import batches, named
from console.evidence.columns import Columns, schema
from console.evidence.derived import DERIVED, Derived
from console.evidence.index import refresh, reindex
from console.evidence.manifest import MANIFEST, HeadLine, Manifest, ManifestError, read_manifest
from console.evidence.reading import state_of
from console.evidence.redact import Redactor
from console.evidence.ring import Slice
from console.evidence.seal import BytesPart, LeftOut, NotSealed, Part, TablePart
from console.evidence.signing import Signer, SigningError
from console.evidence.slices import JournalSpan, journal_span, state_after
from console.evidence.slices import records as told_of_kind
from console.evidence.streams import STREAMS
from console.guard import frames
from console.guard.frames import Captured, File, Seal, Setup

LARGEST_FILE = 64 << 20
_RECORDER = "flight recorder"


def sealed_rows(folder: Path) -> dict[str, int]:
    """The last row of each stream that an incident's seals hold; none where nothing was sealed yet."""
    last: dict[str, int] = {}
    for item in _manifest(folder).items:
        if item.item in STREAMS and isinstance(row := item.extra.get("last"), int):
            last[item.item] = max(row, last.get(item.item, 0))
    return last


def index(archive: Path) -> None:
    """Bring the archive's index up to date. It is no evidence, and the next seal tries again."""
    try:
        refresh(archive)
    except (Unreadable, OSError) as error:
        print(f"andon worker: the index of {archive} is not up to date: {error}", file=sys.stderr)


def indexed_anew(job: str, state: Path) -> frames.Done:
    """Make index and database of the archive anew, and say how that went."""
    archive = state / "archive"
    try:
        known = reindex(archive, state / "desk.duckdb")
    except (Unreadable, OSError) as error:
        return frames.Done(job, str(error), failed=True)
    return frames.Done(job, f"{count(known, 'incident')} indexed in {archive}")


def sealed_with(
    asked: Seal, slices: Mapping[str, Slice], state: Path, setup: Setup, redactor: Redactor
) -> frames.Sealed | frames.Failed:
    """Seal what was asked for from what lies in the state folder, and say how that went."""
    folder = state / "archive" / asked.facts.incident
    try:
        known = read_manifest(folder) if (folder / MANIFEST).exists() else Manifest()
        head = _sealed_before(known, asked.job)
        if head is None:
            signer = Signer.ensure(Path(setup.desk_folder), state)
            sealing = _Sealing(asked, slices, folder, known, state / "journal", setup.version, redactor)
            head = seal.seal(folder, sealing.facts, sealing.parts(), signer)
        told = _told(asked, head, read_manifest(folder))
    except (NotSealed, SigningError, ManifestError, OSError) as error:
        return frames.Failed(EvidenceFailed(asked.facts.incident, f"the seal ({asked.why})", str(error)), asked.job)
    index(folder.parent)
    for file in asked.files:
        if file.spooled:
            with contextlib.suppress(OSError):
                os.unlink(file.path)
    return frames.Sealed(asked.job, told)


def _manifest(folder: Path) -> Manifest:
    try:
        return read_manifest(folder)
    except ManifestError:
        return Manifest()


def _sealed_before(manifest: Manifest, job: str) -> HeadLine | None:
    """The head of a seal that the last worker finished, but could not tell of any more."""
    of = {item.seal for item in manifest.items if item.extra.get("job") == job}
    return next((head for head in manifest.heads if head.seal in of), None)


def _told(asked: Seal, head: HeadLine, manifest: Manifest) -> ArchiveSealed:
    held = manifest.of_seal(head.seal)
    return ArchiveSealed(
        incident=head.incident,
        seal=head.seal,
        why=head.why,
        head=head.hash,
        lines=head.lines,
        fold=head.fold,
        items=tuple(dict.fromkeys(item.item for item in held)),
        bytes=sum(item.bytes for item in held),
        signer=head.signer,
        missing=head.missing,
        captured=asked.captured,
    )


class _Sealing:
    """The parts of one seal, and what its head says of them."""

    def __init__(
        self,
        asked: Seal,
        slices: Mapping[str, Slice],
        folder: Path,
        known: Manifest,
        journal: Path,
        version: str,
        redactor: Redactor,
    ) -> None:
        self._asked = asked
        self._slices = slices
        self._redactor = redactor
        self._now = time.time_ns()
        missing = list(asked.missing)
        self._folder, self._known = folder, known
        last = known.heads[-1] if known.heads else None
        piece = slices.get("records")
        self._span = journal_span(journal, piece, last.journal if last else {})
        fold, records = (last.fold, last.records) if last else ("", 0)
        if piece is not None:
            fold, records = self._fold(piece, missing) or asked.fold, piece.last
        self.facts = seal.Facts(
            incident=asked.facts.incident,
            why=asked.why,
            by=asked.by,
            cls=asked.facts.cls,
            severity=asked.facts.severity,
            title=redactor.text(asked.facts.title),
            opened_at=asked.facts.opened_at,
            closed_at=asked.facts.closed_at,
            pulls=asked.facts.pulls,
            desk=asked.facts.desk,
            mode=asked.facts.mode,
            journal=self._span.ends,
            fold=fold,
            records=records,
            missing=tuple(map(redactor.text, (*missing, *self._span.missing))),
            version=version,
        )

    def _fold(self, piece: Slice, missing: list[str]) -> str:
        try:
            state = state_after(piece, self._before)
        except msgspec.MsgspecError as error:
            missing.append(f"records: this version can not read what it kept: {error}")
            return ""
        if state is None:
            missing.append("records: no whole state is among them, so nobody can fold them")
            return ""
        fold = hashlib.sha256(encode(state)).hexdigest()
        if self._asked.fold and fold != self._asked.fold:
            missing.append(
                "records: the state that they lead to is not the guard's: some were lost, or a secret was blotted out"
            )
        return fold

    def _before(self) -> DeskState | None:
        """The state of the last seal; None where there is none that can be had."""
        try:
            return state_of(self._folder, self._known) if self._known.heads else None
        except Unreadable:
            return None

    def parts(self) -> Iterator[Part]:
        """What can not be had again comes first: the disk may not take all of it."""
        for item, captured in self._asked.items.items():
            yield self._captured(item, captured)
        for file in self._asked.files:
            yield self._file(file)
        if self._span.moved:
            yield self._journal()
        for stream, piece in self._slices.items():
            yield self._slice(stream, piece)
        records = self._slices.get("records")
        if records is not None:
            for item, derived in DERIVED.items():
                yield self._derived(item, derived, records)

    def _table(
        self, item: str, columns: Columns, source: str = _RECORDER, extra: dict[str, Any] | None = None
    ) -> TablePart:
        return TablePart(
            item=item,
            captured_at=self._now,
            by="guard",
            source=source,
            clock_offset_ms=self._asked.clock_offset_ms,
            extra=extra or {},
            schema=schema(columns),
            batches=(),
        )

    def _slice(self, stream: str, piece: Slice) -> TablePart:
        extra = {"first": piece.first, "last": piece.last, "job": self._asked.job}
        part = self._table(stream, items.SLICES[stream], extra=extra)
        part.batches = (batch for _, batch in piece.batches(lambda why: part.missing.append(why)))
        return part

    def _journal(self) -> TablePart:
        span = self._span
        prev = {writer: span.begins[writer].hash for writer in span.moved}
        part = self._table("journal", items.JOURNAL, "journal", {"prev": prev, "job": self._asked.job})
        part.batches = batches(items.JOURNAL, self._lines(span, part), part.missing.append)
        return part

    def _lines(self, span: JournalSpan, part: TablePart) -> Iterator[tuple[Any, ...]]:
        blotted: dict[str, dict[str, str]] = {}
        for line in span.lines():
            data = bytes(line.data).decode()
            clean = self._redactor.text(data)
            if clean != data:
                blotted.setdefault(line.writer, {})[str(line.seq)] = line.hash
                part.extra = {**part.extra, "redacted": blotted}
            yield line.seq, line.ts, line.writer, line.kind, line.actor, line.incident, clean

    def _derived(self, item: str, derived: Derived, records: Slice) -> TablePart:
        columns = items.DERIVED[item]
        part = self._table(item, columns, "records")
        rows = derived.rows((each, each.event) for each in told_of_kind(records, derived.kind))
        part.batches = batches(columns, rows, lambda why: part.missing.append(f"{item}: {why}"))
        return part

    def _captured(self, item: str, captured: Captured) -> Part:
        columns = items.CAPTURED.get(item)
        part = self._table(item, columns or {}, captured.source)
        part.captured_at, part.by = captured.captured_at, captured.by
        if columns is None:
            part.batches = _never(f"there is no item {item!r}")
        else:
            rows = named(columns, (self._blotted(item, row) for row in captured.rows))
            part.batches = batches(columns, rows, lambda why: part.missing.append(f"{item}: {why}"))
        return part

    def _blotted(self, item: str, row: Mapping[str, Any]) -> dict[str, Any]:
        if item == "settings" and secret_name(str(row.get("name", ""))):
            return {**row, **{name: MARK for name in ("value", "committed") if row.get(name) is not None}}
        blot = self._redactor.yaml if item == "config" else self._redactor.text
        return {name: blot(value) if isinstance(value, str) else value for name, value in row.items()}

    def _file(self, file: File) -> BytesPart:
        return BytesPart(
            item=file.name.partition("-" if file.name.startswith("attached-") else ".")[0],
            file=file.name,
            captured_at=file.captured_at,
            by=file.by,
            source=file.source,
            clock_offset_ms=self._asked.clock_offset_ms,
            data=self._content(file),
        )

    def _content(self, file: File) -> Iterator[bytes]:
        """Raises LeftOut."""
        if not file.path:
            yield self._redactor.text(file.text).encode()
            return
        try:
            with open(file.path, "rb") as source:
                data = source.read(LARGEST_FILE + 1)
        except OSError as error:
            raise LeftOut(f"{file.name} can not be read: {error.strerror}") from None
        if len(data) > LARGEST_FILE:
            raise LeftOut(f"{file.name} is larger than {LARGEST_FILE >> 20} MB")
        try:
            yield self._redactor.text(data.decode()).encode()
        except UnicodeDecodeError:
            if self._redactor.holds(data):
                raise LeftOut(f"{file.name} holds a secret that can not be blotted out of it") from None
            yield data


def _never(why: str) -> Iterator[pa.RecordBatch]:
    raise LeftOut(why)
    yield
