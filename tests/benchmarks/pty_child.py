"""A program in a pseudo-terminal, watched cheaply: what it writes is kept with its times and drawn later, or never.

An emulator that draws along would compete for the processors with what is being measured.
"""

import fcntl
import os
import pty
import signal
import struct
import termios
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from tests.support.broker import ROOT

PATIENCE = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Chunk(NamedTuple):
    """What one read of the terminal gave, and when (monotonic seconds)."""

    at: float
    data: bytes


class PtyChild:
    """`with PtyChild([sys.executable, "-m", "console"], cols=120, rows=36) as child:`; `began` is just before fork."""

    def __init__(self, argv: Sequence[str], cols: int = 120, rows: int = 36) -> None:
        self.chunks: list[Chunk] = []
        self._written = bytearray()
        self._grown = threading.Condition()
        self._ended = False
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.began = time.monotonic()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:  # the child: exec or nothing
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
                os.chdir(ROOT)
                os.execvpe(argv[0], list(argv), environment)
            finally:
                os._exit(127)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                data = b""
            at = time.monotonic()
            with self._grown:
                self._ended = not data
                if data:
                    self.chunks.append(Chunk(at, data))
                    self._written += data
                self._grown.notify_all()
            if not data:
                return

    @property
    def written(self) -> int:
        """Bytes so far."""
        return len(self._written)

    @property
    def text(self) -> bytes:
        """What it wrote so far."""
        return bytes(self._written)

    @property
    def cpu(self) -> float:
        """Seconds of processor time of all its threads so far."""
        with open(f"/proc/{self.pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def send(self, keys: str) -> float:
        """Type; returns when (monotonic seconds)."""
        at = time.monotonic()
        os.write(self._fd, keys.encode())
        return at

    def wait_for(self, text: str, since: int = 0) -> float:
        """When `text` had been written whole, somewhere behind the first `since` bytes. Text counts as a run: words of
        different looks are written apart."""
        sought = text.encode()
        deadline = time.monotonic() + PATIENCE
        with self._grown:
            while (found := self._written.find(sought, since)) < 0:
                left = deadline - time.monotonic()
                if self._ended or left < 0:
                    raise AssertionError(f"never wrote {text!r}; its last words: {bytes(self._written[-2000:])!r}")
                self._grown.wait(left)
            end = found + len(sought)
            for chunk in self.chunks:
                end -= len(chunk.data)
                if end <= 0:
                    return chunk.at
        raise AssertionError("unreachable: what was found was read")

    def close(self) -> None:
        """End the program for good."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._reader.join(PATIENCE)
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
