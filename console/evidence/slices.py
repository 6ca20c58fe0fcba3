"""What a slice of records tells beside itself: the state that follows from it, and the journal lines that go along."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from console.desk.chain import GENESIS
from console.desk.events import Record
from console.desk.state import DeskState, fold
from console.evidence.manifest import JournalHead
from console.evidence.ring import Slice
from console.evidence.spans import JournalLine, span
from console.evidence.streams import STATE, RecordRow, record_of, told_of

_COLUMNS = ("pos", "ts", "writer", "seq", "kind", "actor", "incident", "data")


class _Heads(msgspec.Struct):
    heads: dict[str, int] = {}


_decode_heads = msgspec.json.Decoder(_Heads)


def told(piece: Slice) -> Iterator[Record | DeskState]:
    """The records and keyframes of a slice in their order, those that can be read. Raises msgspec.MsgspecError for what
    this version does not understand."""
    for _, batch in piece.batches(_unreadable, _COLUMNS):
        yield from map(told_of, _rows(batch))


def records(piece: Slice, kind: str) -> Iterator[Record]:
    """The records of one kind in their order, those that can be read. Raises msgspec.MsgspecError."""
    for _, batch in piece.batches(_unreadable, _COLUMNS):
        yield from map(record_of, _rows(batch.filter(pc.equal(batch["kind"], kind))))


def _rows(batch: pa.RecordBatch) -> Iterator[RecordRow]:
    columns = [batch[name].cast(pa.int64()) if name == "ts" else batch[name] for name in _COLUMNS]
    for values in zip(*(column.to_pylist() for column in columns), strict=True):
        yield RecordRow(*values)


def _unreadable(why: str) -> None:
    """The slice itself, which is sealed beside what is made of it, says what of it can not be read."""


def state_after(piece: Slice, before: Callable[[], DeskState | None]) -> DeskState | None:
    """The state that the last keyframe and what stands behind it lead to; where no keyframe can be read, what all of it
    makes of the state `before`. None where there was none."""
    for row in reversed(piece.keyframes):
        held = tuple(segment for segment in piece.segments if segment.about.last >= row)
        state: DeskState | None = None
        for each in told(replace(piece, after=row - 1, segments=held)):
            if isinstance(each, DeskState):
                state = each
            elif state is not None:
                state = fold(state, each)
        if state is not None:
            return state
    state = before()
    for each in told(piece) if state is not None else ():
        if isinstance(each, Record) and state is not None:
            state = fold(state, each)
    return state


# --- the journal ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class JournalSpan:
    """The lines of the journals that belong to a slice: by writer from the one behind `begins` to `ends`. `missing`
    says what of them could not be read, a sentence each."""

    folder: Path
    begins: dict[str, JournalHead] = field(default_factory=dict)
    ends: dict[str, JournalHead] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def moved(self) -> list[str]:
        """The writers that have lines in it."""
        return [writer for writer, end in self.ends.items() if end.seq > self.begins[writer].seq]

    def lines(self) -> Iterator[JournalLine]:
        """The lines, writer by writer. Raises OSError."""
        for writer in self.moved:
            yield from span(self._path(writer), self.begins[writer].seq + 1, self.ends[writer].seq)

    def reach(self, writer: str, base: int | JournalHead, last: int) -> None:
        """Take in a writer's lines from behind `base` (a number, or the head that was sealed) up to `last`, as far as
        they are a chain."""
        path = self._path(writer)
        try:
            at = base if isinstance(base, JournalHead) else self._head(path, base)
            self.begins[writer] = at
            for line in span(path, at.seq + 1, last):
                if not line.follows(at.seq, at.hash):
                    break
                at = JournalHead(line.seq, line.hash)
        except OSError as error:
            self.missing.append(f"journal: {path.name} can not be read: {error.strerror}")
            return
        self.ends[writer] = at
        if at.seq < last:
            self.missing.append(f"journal: {path.name} is no chain behind line {at.seq}; {last} were told")

    def _path(self, writer: str) -> Path:
        return self.folder / f"{writer}.jsonl"

    def _head(self, path: Path, seq: int) -> JournalHead:
        for line in span(path, seq, seq + 1):  # its own hash, or what the next line says that it is
            return JournalHead(seq, line.hash if line.seq == seq else line.prev)
        return JournalHead(seq, GENESIS)


def journal_span(folder: Path, piece: Slice | None, sealed: Mapping[str, JournalHead]) -> JournalSpan:
    """The journal's lines that go with a slice of records, behind those that are `sealed`."""
    found = JournalSpan(folder)
    base, last = _numbers(piece) if piece else ({}, {})
    for writer in sorted(last.keys() | sealed.keys()):
        if "~" not in writer:  # what was told before it was written has no file; it came again once it was
            begin = sealed.get(writer) or base.get(writer, 0)
            known = begin.seq if isinstance(begin, JournalHead) else begin
            found.reach(writer, begin, max(known, last.get(writer, 0)))
    return found


def _numbers(piece: Slice) -> tuple[dict[str, int], dict[str, int]]:
    """By writer how far its journal had got at the first keyframe, and how far it is at the end."""
    base: dict[str, int] | None = None
    last: dict[str, int] = {}
    for _, batch in piece.batches(_unreadable, ("writer", "seq", "kind", "data")):
        durable = batch.filter(pc.greater(batch["seq"], 0))
        pairs = zip(durable["writer"].to_pylist(), durable["seq"].to_pylist(), strict=True)
        states = batch.filter(pc.equal(batch["kind"], STATE))["data"].to_pylist()
        heads = [_decode_heads.decode(data).heads for data in states]
        if base is None and heads:
            base = heads[0]
        for writer, seq in (*pairs, *(pair for each in heads for pair in each.items())):
            last[writer] = max(seq, last.get(writer, 0))
    return base or {}, last
