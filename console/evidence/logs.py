"""Logs that others write, followed line by line: through rotation, truncation, binary junk, files that are not there.

A file that was there before the first look is followed from its end on, one that comes later from its beginning.
`places` says how far each was read, so that the next process goes on there.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from console.desk.hidden import MARK
from console.evidence.redact import KeyBlocks, Redactor
from console.evidence.streams import LogRow

POLL_BYTES = 1 << 20
"""Bytes of a file that are read at once; the rest comes next."""
LONGEST_LINE = 64 << 10
LONGEST_KEPT = 8 << 10
CUT = " …[cut]"
_CONTROLS = dict.fromkeys((*range(9), *range(10, 32), 127), "\ufffd")

Place = tuple[int, int, int]
"""Inode, offset and number of lines behind the last line that was taken."""


@dataclass(slots=True)
class _Followed:
    name: str
    path: str
    fd: int = -1
    inode: int = 0
    offset: int = 0
    lines: int = 0
    rest: bytes = b""
    endless: bool = False
    trouble: str = ""
    keys: KeyBlocks = field(default_factory=KeyBlocks)

    @property
    def place(self) -> Place:
        return (self.inode, self.offset - len(self.rest), self.lines)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def begin(self, offset: int = 0, lines: int = 0) -> None:
        self.offset, self.lines, self.rest, self.endless = offset, lines, b"", False
        self.keys = KeyBlocks()


class Logs:
    """Follows `files`, name and path of each."""

    def __init__(
        self,
        files: Sequence[tuple[str, str]],
        places: Mapping[str, Place],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock = clock
        self._files = [_Followed(name, path) for name, path in files]
        for file in self._files:
            self._take_up(file, places.get(file.name))

    @property
    def places(self) -> dict[str, Place]:
        return {file.name: file.place for file in self._files if file.inode}

    @property
    def trouble(self) -> list[str]:
        """Which files can not be followed, a sentence each. One that is not there is none: it may come."""
        return [f"{file.path}: {file.trouble}" for file in self._files if file.trouble]

    def poll(self, redactor: Redactor) -> tuple[list[LogRow], bool]:
        """What was written since the last look, and whether there is more already."""
        rows: list[LogRow] = []
        more = False
        for file in self._files:
            try:
                more |= self._read(file, redactor, rows)
            except OSError as error:
                file.trouble = f"it can not be read: {error.strerror}"
                file.close()
        return rows, more

    def close(self) -> None:
        for file in self._files:
            file.close()

    def _take_up(self, file: _Followed, place: Place | None) -> None:
        """Where to begin: where the last process stopped; else at the end of what lies there."""
        try:
            if not self._open(file):
                return
            size = os.fstat(file.fd).st_size
        except OSError:
            return  # told by the first look
        if place is None:
            file.begin(size)
        elif place[0] == file.inode and place[1] <= size:
            file.begin(place[1], place[2])

    def _open(self, file: _Followed) -> bool:
        file.trouble = ""
        try:
            fd = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe of that name must not hold us
        except FileNotFoundError:
            return False
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            file.trouble = "it is no file"
            return False
        file.fd, file.inode = fd, status.st_ino
        file.begin()
        return True

    def _read(self, file: _Followed, redactor: Redactor, rows: list[LogRow]) -> bool:
        if file.fd < 0 and not self._open(file):
            return False
        data = os.pread(file.fd, POLL_BYTES, file.offset)
        if data:
            file.offset += len(data)
            rows += self._lines(file, data, redactor)
            return len(data) == POLL_BYTES
        if os.fstat(file.fd).st_size < file.offset:
            file.begin()
            return True
        return self._rotated(file, redactor, rows)

    def _rotated(self, file: _Followed, redactor: Redactor, rows: list[LogRow]) -> bool:
        """Whether another file has that name now. The old one was read to its end."""
        try:
            if os.stat(file.path).st_ino == file.inode:
                return False
        except FileNotFoundError:
            return False  # moved away, and its writer may still write into it
        if file.rest:
            rows += self._lines(file, b"\n", redactor)
        file.close()
        return self._open(file)

    def _lines(self, file: _Followed, data: bytes, redactor: Redactor) -> Iterator[LogRow]:
        now = self._clock()
        *whole, rest = (file.rest + data).split(b"\n")
        for raw in whole:
            if file.endless:
                file.endless = False
                continue
            yield self._row(file, raw, redactor, now)
        if len(rest) > LONGEST_LINE or (file.endless and rest):
            if not file.endless:
                yield self._row(file, rest, redactor, now)
            file.endless, rest = True, b""
        file.rest = rest

    def _row(self, file: _Followed, raw: bytes, redactor: Redactor, now: int) -> LogRow:
        file.lines += 1
        text = raw.rstrip(b"\r").decode("utf-8", "replace").translate(_CONTROLS)
        text = MARK if file.keys.inside(text) else redactor.text(text)  # before it is cut: half a secret is not found
        if len(text) > LONGEST_KEPT:
            text = text[:LONGEST_KEPT] + CUT
        return LogRow(now, file.name, file.lines, text)
