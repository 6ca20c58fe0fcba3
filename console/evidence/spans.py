"""Spans of a journal: the lines of one writer from one number to another, found without reading what stands before."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from console.desk import chain

_SEQ = re.compile(rb'\{"seq":(\d+),')
_LONGEST = 64 << 20


class JournalLine(msgspec.Struct):
    """A line as it lies there. `data` are its own bytes."""

    seq: int
    ts: int
    writer: str
    kind: str
    actor: str
    data: msgspec.Raw
    prev: str
    hash: str
    incident: str | None = None

    def follows(self, seq: int, prev: str) -> bool:
        """Whether it is the line behind the one with this number and hash, and what was hashed."""
        _, digest = chain.seal_raw(
            seq=self.seq,
            ts=self.ts,
            writer=self.writer,
            kind=self.kind,
            actor=self.actor,
            data=bytes(self.data),
            prev=prev,
            incident=self.incident,
        )
        return self.seq == seq + 1 and digest == self.hash


_decode = msgspec.json.Decoder(JournalLine)


def span(path: Path, first: int, last: int) -> Iterator[JournalLine]:
    """The lines from `first` to `last` in their order, those that are whole. Raises OSError."""
    with path.open("rb") as file:
        file.seek(_before(file.fileno(), first))
        while line := file.readline(_LONGEST):
            try:
                told = _decode.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if told.seq > last:
                return
            if told.seq >= first:
                yield told


def _before(fd: int, seq: int) -> int:
    """An offset at which a line begins, at or before the line with this number: numbers rise within a file."""
    low, high = 0, os.fstat(fd).st_size
    while high - low > 1 << 16:
        middle = (low + high) // 2
        found = _line_behind(fd, middle, high)
        if found is None or found[1] >= seq:
            high = middle
        else:
            low = found[0]
    return low


def _line_behind(fd: int, offset: int, end: int) -> tuple[int, int] | None:
    """Where the first readable line behind an offset begins, and its number."""
    at = offset
    while at < end:
        piece = os.pread(fd, 1 << 16, at)
        for newline in re.finditer(rb"\n", piece):
            begin = at + newline.end()
            told = _SEQ.match(os.pread(fd, 40, begin))
            if told is not None and begin < end:
                return begin, int(told[1])
        if not piece:
            break
        at += len(piece)
    return None
