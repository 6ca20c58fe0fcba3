"""Textual's terminal driver with the cord in the thread that reads keys: a busy event loop delays no pull."""

import codecs
import os
import select
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, cast

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from console.switch import LEVELS, SETTLE, CordSwitch, PullMade

if TYPE_CHECKING:
    from textual.app import App

WAKE_MS = 100
LONGEST_READ = 4096
PASTE_BEGINS, PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"


class _Mark(str):
    """An empty write that tells when what was written before it left (monotonic seconds)."""

    then: Callable[[float], None]

    def __new__(cls, then: Callable[[float], None]) -> "_Mark":
        mark = super().__new__(cls)
        mark.then = then
        return mark


class _MarkedFile:
    """The terminal as the writer thread sees it, with marks between the writes. Once the line is cut, what is written
    goes nowhere: a writer thread that died of it would leave its queue to fill, and the program could not end."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._left = time.monotonic()
        self._waits = False
        self._cut = False

    def write(self, text: str) -> None:
        if isinstance(text, _Mark):
            self.flush()
            if not self._cut:
                text.then(self._left)
        elif not self._cut:
            self._unless_cut(lambda: self._file.write(text))
            self._waits = True

    def flush(self) -> None:
        if not self._cut:
            self._unless_cut(self._file.flush)
        if self._waits:
            self._left, self._waits = time.monotonic(), False

    def _unless_cut(self, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError:
            self._cut = True

    def fileno(self) -> int:
        return self._file.fileno()


class Stretch:
    """What the terminal sent so far, as far as it tells whether a byte stands for itself."""

    def __init__(self) -> None:
        self._last = 0.0
        self._end = b""
        self._pasting = False

    def alone(self, read: bytes, at: float) -> bool:
        """Take note of what was read, `at` monotonic seconds. True where it is one key of one byte: not the rest of a
        sequence, because nothing came for a while, and no part of a paste."""
        silent, self._last = at - self._last > SETTLE, at
        seen = self._end + read
        begins, ends = seen.rfind(PASTE_BEGINS), seen.rfind(PASTE_ENDS)
        if begins != ends:
            self._pasting = begins > ends
        self._end = seen[1 - len(PASTE_BEGINS) :]
        return silent and len(read) == 1 and not self._pasting


class CordDriver(LinuxDriver):
    """`switch` is the app's; it is asked about every key before the loop hears of it."""

    def __init__(
        self,
        app: "App[object]",
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.switch: CordSwitch = app.switch  # type: ignore[attr-defined]
        self._terminal = cast("IO[str]", self._file)
        self._file = cast("Any", _MarkedFile(self._terminal))

    def _get_terminal_size(self) -> tuple[int, int]:
        """The terminal's own answer. The framework believes COLUMNS and LINES first, and then sees no resize."""
        try:
            size = os.get_terminal_size(self.fileno)
        except OSError:
            return super()._get_terminal_size()
        return size.columns, size.lines

    def run_input_thread(self) -> None:
        """As the framework's, but a key that may pull is shown to the switch before it is parsed: whatever takes long
        here is interrupted by a busy loop, and waits for its turn again."""
        parser = XTermParser(self._debug)
        decode = codecs.getincrementaldecoder("utf-8")().decode
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        stretch = Stretch()
        ended = False
        while not ended:
            ended = self.exit_event.is_set()  # and once more: answers of the terminal may still be on their way
            if poll.poll(WAKE_MS):
                read, at = os.read(self.fileno, LONGEST_READ), time.monotonic()
                if not read:
                    return  # the terminal is gone
                if stretch.alone(read, at) and (key := chr(read[0])) in LEVELS and self.switch.key(key, at):
                    continue
                if text := decode(read):
                    for message in parser.feed(text):
                        self.process_message(message)
            for message in parser.tick():
                self.process_message(message)

    def process_message(self, message: Message) -> None:
        """Runs in the input thread."""
        if isinstance(message, events.Key) and self.switch.key(message.key, time.monotonic()):
            return
        super().process_message(message)

    def when_painted(self, then: Callable[[float], None]) -> None:
        """Call `then`, in the writer thread, with the time at which the last of what is written so far went to the
        terminal, which a lagging loop may ask for long after."""
        self.write(_Mark(then))

    def announce(self, made: PullMade) -> None:
        """Say it on the terminal itself, because no screen can: the loop is blocked. Gives up on a full terminal."""
        text = f" CORD PULLED  {made.level} {made.scope}  {made.pull}  the screen hangs, the pull does not "
        descriptor = self._terminal.fileno()
        if select.select([], [descriptor], [], 0.2)[1]:
            os.write(descriptor, f"\x1b7\x1b[1;1H\x1b[0;1;7m{text}\x1b[0m\x1b8".encode())
