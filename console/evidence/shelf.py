"""`console.desk.archive.Shelf` over folders and exported files: archives as they lie there, with nothing else.

Nothing of a desk is needed: no guard, no desk.yaml, no network. Imports PyArrow.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from console.desk import incidents as inc
from console.desk.archive import Answer, Column, Item, Progress, Standing, Summary, Unreadable
from console.desk.state import DeskState
from console.desk.timeline import TOLD, TimelineEntry, tell
from console.evidence.export import SUFFIX, unpacked
from console.evidence.index import Known as Indexed
from console.evidence.index import known_summary, read_index
from console.evidence.journal import Tail
from console.evidence.manifest import MANIFEST, read_manifest
from console.evidence.reading import durable, open_table, sealed_file, state_of
from console.evidence.rows import TableRows
from console.evidence.signing import Trusted
from console.evidence.summaries import deep_summary_of, incident_folders, summary_of
from console.evidence.verify import Known, known_seals, verify

if TYPE_CHECKING:
    from console.evidence.query import Sandbox

ARCHIVE = "archive"
TEXT_BYTES = 16 << 20
"""What a file may have to be shown as text."""


class FolderShelf:
    """One archive or several: each of `paths` is an incident's folder, an archive, a desk's state folder, or an
    exported `.tar.zst`, which is unpacked into a temporary folder until `close`. Raises Unreadable where one is none.

    `trusted` is whose signature counts; the incidents named in `without` are left out. For several threads, one at a
    time, but for `cancel`."""

    def __init__(self, paths: Sequence[Path], trusted: Trusted | None = None, *, without: Sequence[str] = ()) -> None:
        self.paths = tuple(map(str, paths))
        self._trusted = trusted
        self._without = frozenset(without)
        self._aside = contextlib.ExitStack()
        self._folders: dict[tuple[str, str], Path] = {}
        try:
            self._places = [self._place(path.absolute()) for path in paths]
        except BaseException:
            self.close()
            raise

    def incidents(self, *, deep: bool = False) -> tuple[Summary, ...]:
        """See `Shelf`."""
        found = [summary for _, summary in self._entries(deep)]
        return tuple(sorted(found, key=lambda each: (each.opened_at, each.id), reverse=True))

    def open(self, summary: Summary) -> "FolderCase":
        """See `Shelf`. Raises Unreadable."""
        return FolderCase(self.folder_of(summary), summary.archive, self._trusted)

    def folder_of(self, summary: Summary) -> Path:
        """Where an incident's files lie. Raises Unreadable."""
        if (summary.archive, summary.id) not in self._folders:
            self._entries(False)
        folder = self._folders.get((summary.archive, summary.id))
        if folder is None:
            raise Unreadable(f"there is no incident {summary.id} in {summary.archive}")
        return folder

    @cached_property
    def sandbox(self) -> "Sandbox":
        """What queries run in. To load it takes longer than to list thousands of incidents: once somebody asks."""
        from console.evidence.query import Sandbox

        return Sandbox(self._entries)

    def query(self, sql: str, limit: int = 1000) -> Answer:
        """See `Shelf`."""
        return self.sandbox.answer(sql, limit)

    def cancel(self) -> None:
        """See `Shelf`."""
        if "sandbox" in self.__dict__:
            self.sandbox.cancel()

    def tables(self) -> Mapping[str, tuple[Column, ...]]:
        """See `Shelf`."""
        return self.sandbox.tables()

    def close(self) -> None:
        """Remove what was unpacked, and let go of what queries ran in."""
        self.__dict__.pop("sandbox", None)  # DuckDB complains on the terminal of whatever outlives the interpreter
        self._aside.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _place(self, path: Path) -> "_Place":
        if path.is_file():
            if not path.name.endswith(SUFFIX):
                raise Unreadable(f"{path}: it is no exported incident; a {SUFFIX} is expected")
            folder = self._aside.enter_context(unpacked(path))
            return _Place(folder.parent, folder, shown=str(path))
        if not path.is_dir():
            raise Unreadable(f"{path}: there is no such folder")
        if (path / MANIFEST).exists() or inc.NUMBER.fullmatch(path.name):
            return _Place(path.parent, path)
        if (path / ARCHIVE).is_dir():
            return _Place(path / ARCHIVE)
        if path.name != ARCHIVE and not incident_folders(path):
            raise Unreadable(f"{path}: no incident lies there; a folder with {MANIFEST} in it is expected")
        return _Place(path)

    def _entries(self, deep: bool) -> list[tuple[Path, Summary]]:
        """All incidents. What was listed last is what can be opened."""
        found: dict[tuple[str, str], tuple[Path, Summary]] = {}
        for place in self._places:
            for folder, summary in place.entries(deep=deep):
                if (summary.archive, summary.id) in found:  # a copy beside it: known by its folder's name
                    summary = msgspec.structs.replace(summary, id=folder.name)
                if summary.id not in self._without:
                    found[summary.archive, summary.id] = folder, summary
        self._folders = {key: folder for key, (folder, _) in found.items()}
        return list(found.values())


class _Place:
    """An archive, or one incident of it; `shown` is what people know the archive by."""

    def __init__(self, archive: Path, only: Path | None = None, *, shown: str = "") -> None:
        self._archive, self._only = archive, only
        self._shown = shown or str(archive)

    def entries(self, *, deep: bool) -> Iterator[tuple[Path, Summary]]:
        index = read_index(self._archive)
        for folder in incident_folders(self._archive) if self._only is None else [self._only]:
            summary = _summary(folder, index, deep=deep)
            yield folder, msgspec.structs.replace(summary, archive=self._shown)


def _summary(folder: Path, index: Mapping[str, Indexed], *, deep: bool) -> Summary:
    try:
        known = known_summary(folder, index)
    except Unreadable as error:
        return Summary(archive="", id=folder.name, trouble=str(error))
    summary = known or (deep_summary_of(folder) if deep else summary_of(folder))
    if inc.NUMBER.fullmatch(folder.name) and summary.id != folder.name:
        why = f"{folder}: it is the evidence of {summary.id}, and lies under the name of {folder.name}"
        return msgspec.structs.replace(summary, id=folder.name, trouble=why)
    return summary


class FolderCase:
    """See `console.desk.archive.Case`. Raises Unreadable where its manifest can not be read."""

    def __init__(self, folder: Path, archive: str, trusted: Trusted | None = None) -> None:
        self.folder = folder
        self._manifest = read_manifest(folder)
        self._trusted = trusted
        self.summary = msgspec.structs.replace(summary_of(folder, self._manifest), archive=archive)
        self.items = tuple(
            Item(
                file=line.file,
                item=line.item,
                seal=line.seal,
                rows=line.rows,
                bytes=line.bytes,
                captured_at=line.captured_at,
                by=line.by,
                source=line.source,
                sha256=line.sha256,
            )
            for line in self._manifest.items
        )
        self.missing = tuple(f"seal {head.seal}: {what}" for head in self._manifest.heads for what in head.missing)

    def timeline(self) -> Sequence[TimelineEntry]:
        """See `Case`."""
        records = sorted(durable(self.folder, self._manifest, TOLD), key=lambda record: record.order)
        return [entry for record in records if (entry := tell(record)) is not None]

    def state(self) -> DeskState:
        """See `Case`."""
        return state_of(self.folder, self._manifest)

    def sealed_at(self) -> int:
        """See `Case`."""
        return self._manifest.last.sealed_at

    def rows(self, item: str) -> TableRows:
        """See `Case`."""
        return TableRows(open_table(self.folder, item, self._manifest))

    def text(self, file: str) -> str:
        """See `Case`."""
        line = next((line for line in self._manifest.items if line.file == file), None)
        path = self.folder / file
        if line is None:
            raise Unreadable(f"{path}: no such file was sealed")
        if line.bytes > TEXT_BYTES:
            raise Unreadable(f"{path}: it has {line.bytes >> 20} MB, too much to be shown as text")
        with sealed_file(path, line, whole_bytes=TEXT_BYTES) as opened:
            data = opened.read()
        if line.rows is not None or b"\0" in data:
            raise Unreadable(f"{path}: it is no text")
        return data.decode("utf-8", "replace")

    def verify(self, progress: Progress | None = None) -> tuple[Standing, tuple[Item, ...]]:
        """See `Case`. In a desk's own archive also held against the seals that the desk's journal tells of."""
        report = verify(self.folder, self._trusted, _known(self.folder), progress)
        items = tuple(
            msgspec.structs.replace(item, standing=report.files.get(item.file, item.standing)) for item in self.items
        )
        return report.standing, items


def _known(folder: Path) -> Known | None:
    """What the journal of the desk tells whose archive this is, None where it is nobody's."""
    journal = folder.parent.parent / "journal"
    return known_seals(Tail(journal).poll()) if folder.parent.name == ARCHIVE and journal.is_dir() else None
