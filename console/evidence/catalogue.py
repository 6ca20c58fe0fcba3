"""What a query can read of archives: their incidents as Arrow tables, and each item as one dataset over all of them.

A file is opened, and held against what was sealed, when a statement mentions its item; the checksums of its pages are
held against their bytes while they are read. Imports PyArrow.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import fs

from console.desk.archive import Summary, Unreadable
from console.evidence.index import INCIDENTS, ITEMS, digest_of, item_rows, row_of
from console.evidence.manifest import ItemLine, Manifest, read_manifest
from console.evidence.reading import SEAL, SealedFile
from console.evidence.verify import verify

Entries = Callable[[bool], Sequence[tuple[Path, Summary]]]
"""The incidents: their folders and summaries, deep ones where that is true."""
FINDINGS = pa.schema([(name, pa.string()) for name in ("incident", "what", "file", "says")])
"""`what` is missing (a seal could not keep it), broken (it is not what was sealed) or unreadable (all of it)."""
_ARCHIVE, _INCIDENT = "archive", "incident"
_FORMAT = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
)


class _Case(NamedTuple):
    folder: Path
    summary: Summary
    manifest: Manifest


class _Part(NamedTuple):
    """A file of an item, and whose."""

    case: _Case
    line: ItemLine


class Catalogue:
    """The tables `incidents`, `items`, `findings`, and one an item. Where there are several archives, each table has a
    column `archive`."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        self._manifests: dict[Path, tuple[str, Manifest]] = {}
        self._schemas: dict[tuple[str, ...], pa.Schema] = {}
        self._checked: dict[Path, tuple[int, ...]] = {}

    def sources(self, mentioned: Callable[[str], bool], go_on: Callable[[], None]) -> dict[str, Any]:
        """All tables by name, those that are not mentioned with their columns and no row. What `go_on` raises, which is
        called now and then, ends it. Raises Unreadable."""
        cases = list(self._cases())
        several = len({case.summary.archive for case in cases}) > 1
        made: dict[str, Any] = {
            item: self._dataset(parts, go_on, several=several)
            if mentioned(item)
            else self._form(parts, several).empty_table()
            for item, parts in _items(cases).items()
        }
        own: tuple[tuple[str, pa.Schema, Callable[[], Iterable[_Row]]], ...] = (
            ("incidents", INCIDENTS, self._incidents),
            ("items", ITEMS, lambda: _item_rows(cases)),
            ("findings", FINDINGS, self._findings),
        )
        for name, form, rows in own:
            named = pa.schema([(_ARCHIVE, pa.string()), *form]) if several else form
            told = []
            for archive, row in rows() if mentioned(name) else ():
                go_on()
                told.append({_ARCHIVE: archive, **row})
            made[name] = pa.Table.from_pylist(told, schema=named)
        return made

    def find_damage(self, mentioned: Callable[[str], bool]) -> None:
        """Raises Unreadable where a file of an item that is mentioned is not what was sealed, to its last byte."""
        for item, parts in _items(list(self._cases())).items():
            if mentioned(item):
                for case, line in parts:
                    SealedFile(case.folder, line, whole_bytes=line.bytes).close()

    def _cases(self) -> Iterator[_Case]:
        """The incidents that can be read."""
        for folder, summary in self._entries(False):
            if summary.trouble:
                continue
            digest, known = digest_of(folder), self._manifests.get(folder)
            if known is None or known[0] != digest:
                known = self._manifests[folder] = digest, read_manifest(folder)
            yield _Case(folder, summary, known[1])

    # --- items --------------------------------------------------------------------------------------------------------

    def _dataset(self, parts: Sequence[_Part], go_on: Callable[[], None], *, several: bool) -> ds.Dataset:
        for case, line in parts:
            go_on()
            self._check(case.folder, line)
        files = fs.LocalFileSystem()
        fragments = [
            _FORMAT.make_fragment(str(part.case.folder / part.line.file), files, _whose(part, several))
            for part in parts
        ]
        return ds.FileSystemDataset(fragments, self._form(parts, several), _FORMAT, files)

    def _check(self, folder: Path, line: ItemLine) -> None:
        """Once a file, as long as nobody touches it. Raises Unreadable."""
        path = folder / line.file
        with contextlib.suppress(OSError):
            at = os.stat(path)
            seen = (at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
            if self._checked.get(path) == seen:
                return
            self._checked[path] = seen
        try:
            SealedFile(folder, line).close()
        except Unreadable:
            self._checked.pop(path, None)
            raise

    def _form(self, parts: Sequence[_Part], several: bool) -> pa.Schema:
        """Whose a row is, and then the item's own columns. Times lose their zone, which is UTC everywhere: so DuckDB
        keeps them to the nanosecond."""
        schemas = {part.line.schema: part for part in parts}
        for told, part in schemas.items():
            if told not in self._schemas:
                self._schemas[told] = _schema_of(part)
        try:
            form = pa.unify_schemas([self._schemas[told] for told in schemas], promote_options="permissive")
        except pa.ArrowException as error:
            item = parts[0].line.item
            raise Unreadable(f"the tables {item!r} of these archives are no rows of one table: {error}") from None
        own = [_ARCHIVE, _INCIDENT] if several else [_INCIDENT]
        whose = [*((name, pa.string()) for name in own), (SEAL, pa.int32())]
        rest = [field for field in form if field.name not in (*own, SEAL)]
        return pa.schema([*whose, *(field.with_type(_zoneless(field.type)) for field in rest)])

    # --- the tables about them ----------------------------------------------------------------------------------------

    def _incidents(self) -> Iterator["_Row"]:
        for _, summary in self._entries(True):
            yield summary.archive, row_of(summary)

    def _findings(self) -> Iterator["_Row"]:
        for folder, summary in self._entries(False):
            for what, file, says in _found(folder, summary):
                yield summary.archive, {_INCIDENT: summary.id, "what": what, "file": file, "says": says}


_Row = tuple[str, dict[str, object]]
"""The archive, and a row."""


def _found(folder: Path, summary: Summary) -> Iterator[tuple[str, str, str]]:
    if summary.trouble:
        yield "unreadable", "", summary.trouble
        return
    report = verify(folder)
    for head in report.heads:
        for missing in head.missing:
            yield "missing", "", missing
    for found in report.findings:
        yield "broken", found.file, str(found)


def _items(cases: Iterable[_Case]) -> dict[str, list[_Part]]:
    found: dict[str, list[_Part]] = {}
    for case in cases:
        for line in case.manifest.items:
            if line.rows is not None:
                found.setdefault(line.item, []).append(_Part(case, line))
    return found


def _item_rows(cases: Iterable[_Case]) -> Iterator[_Row]:
    for case in cases:
        for row in item_rows(case.manifest):
            yield case.summary.archive, {**row, _INCIDENT: case.summary.id}


def _whose(part: _Part, several: bool) -> ds.Expression:
    summary = part.case.summary
    whose = (ds.field(_INCIDENT) == summary.id) & (ds.field(SEAL) == pa.scalar(part.line.seal, pa.int32()))
    return whose & (ds.field(_ARCHIVE) == summary.archive) if several else whose


def _schema_of(part: _Part) -> pa.Schema:
    file = SealedFile(part.case.folder, part.line)
    file.close()
    return file.schema


def _zoneless(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp(kind.unit) if pa.types.is_timestamp(kind) else kind
