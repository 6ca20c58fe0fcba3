"""What sealed tables say, held against what the heads say of them: the journal's chains, and the state of the desk.

Whoever holds the key could sign heads that do not fit what they cover; these checks find that. Imports PyArrow.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from console import __version__
from console.desk import chain
from console.desk.archive import Unreadable
from console.evidence.columns import schema
from console.evidence.items import JOURNAL
from console.evidence.manifest import HeadLine, ItemLine, JournalHead, Manifest, open_file
from console.evidence.reading import MOST_ROWS, RECORDS, SealedFile, parquet_of, state_of
from console.evidence.seal import columns

_LARGEST_GROUP = 256 << 20
_TELLS = 100  # of one table's lines that are wrong
_JOURNAL_COLUMNS = columns(schema(JOURNAL))


class NotJudged(Exception):
    """Something that can not be told from what was sealed, or not by this version. The message says why."""


def damage(folder: Path, line: ItemLine) -> str:
    """Where a Parquet file is damaged that is not the one that was sealed: words to go with that."""
    try:
        with open_file(folder / line.file) as opened:
            file = parquet_of(opened)
    except (OSError, ValueError, Unreadable, pa.ArrowException):
        return "its footer can not be read"
    with file:
        for group in range(file.metadata.num_row_groups):
            claimed = file.metadata.row_group(group)
            if claimed.total_byte_size > _LARGEST_GROUP or claimed.num_rows > MOST_ROWS:
                return "it is too large to look closer"
            for column in file.schema_arrow.names:
                try:
                    file.read_row_group(group, columns=[column])
                except (OSError, ValueError, pa.ArrowException):
                    return f"row group {group}, column {column!r} is damaged"
    return "each page of it can be read: it was written anew, or changed where no page is"


# --- the journal ----------------------------------------------------------------------------------------------------


class JournalCheck:
    """Goes through an incident's seals, and holds the lines of the journal in each against the head that ends it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reached: dict[str, JournalHead] = {}

    def take(self, item: ItemLine, head: HeadLine) -> Iterator[str]:
        """What is wrong with the lines of one seal. Raises Unreadable."""
        if item.schema != _JOURNAL_COLUMNS:
            yield "its columns are not those of a journal"
            return
        try:
            here, wrong = self._recomputed(item)
        except (TypeError, ValueError, AttributeError) as error:
            raise Unreadable(f"these are no lines of a journal: {error}") from None
        yield from wrong
        for writer, at in head.journal.items():
            if here.get(writer, at) != at:
                yield f"its lines of {writer} do not lead to the hash that seal {head.seal} names for line {at.seq}"
            elif writer not in here and self._reached.get(writer, at) != at:
                yield f"lines of {writer} are missing in it: seal {head.seal} names line {at.seq}"
        for writer in here.keys() - head.journal.keys():
            yield f"it holds lines of {writer}, and seal {head.seal} names no hash for them"
        self._reached |= head.journal

    def _recomputed(self, item: ItemLine) -> tuple[dict[str, JournalHead], list[str]]:
        """How far each writer gets, and where a line does not go on from the one before."""
        here: dict[str, JournalHead] = {}
        wrong: list[str] = []
        begins = item.extra.get("prev", {})
        blotted = item.extra.get("redacted", {})  # lines that held a secret: they are not what was hashed
        for row in _rows(SealedFile(self._folder, item, 0)):
            writer, seq = row["writer"], row["seq"]
            before = here.get(writer)
            if before is None:
                before = JournalHead(seq - 1, begins.get(writer, chain.GENESIS))
                if self._reached.get(writer, before) != before:
                    wrong.append(f"its first line of {writer}, {seq}, does not go on where the seal before ended")
            elif seq != before.seq + 1:
                wrong.append(f"line {seq} of {writer} stands behind {before.seq}: one is missing or moved")
            data = row.pop("data").encode()
            digest = blotted.get(writer, {}).get(str(seq)) or chain.seal_raw(**row, data=data, prev=before.hash)[1]
            here[writer] = JournalHead(seq, digest)
        return here, wrong[:_TELLS]


def _rows(file: SealedFile) -> Iterator[dict[str, Any]]:
    try:
        for group in range(len(file.sizes)):
            columns = dict(zip(JOURNAL, file.columns(group, list(JOURNAL)), strict=True))
            columns["ts"] = columns["ts"].cast(pa.int64())
            for values in zip(*(column.to_pylist() for column in columns.values()), strict=True):
                yield dict(zip(columns, values, strict=True))
    finally:
        file.close()


# --- the state ------------------------------------------------------------------------------------------------------


def check_state(folder: Path, manifest: Manifest, head: HeadLine) -> None:
    """Whether the records up to a seal fold to the state that its head names. Raises Unreadable where they do not, and
    NotJudged where records are missing or another version sealed them, whose rules may have been others."""
    heads = tuple(each for each in manifest.heads if each.seal <= head.seal)
    items = tuple(item for item in manifest.items if item.seal <= head.seal)
    try:
        state_of(folder, Manifest((), items, heads))
    except Unreadable as error:
        gaps = {each.seal for each in heads} - {item.seal for item in items if item.item == RECORDS}
        if gaps:
            raise NotJudged(f"seal {min(gaps)} holds no records: seal {head.seal} can not be folded") from None
        if head.version != __version__:
            why = f"seal {head.seal} was made by version {head.version}; by this one ({__version__}) {error}"
            raise NotJudged(why) from None
        raise
