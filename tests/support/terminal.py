"""A program in a real pseudo-terminal, and the screen that a person would see."""

import errno
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import pyte

PATIENCE = 60.0


class Terminal:
    """`with Terminal([sys.executable, "-m", "console"], cols=80, rows=24) as terminal:`

    A thread reads what the program writes, as a terminal does; `screen` is what stands there now. Answers that a
    terminal gives to queries are not given: programs must do without.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        cols: int = 80,
        rows: int = 24,
        cwd: str | os.PathLike[str] | None = None,
    ) -> None:
        self._screen = pyte.Screen(cols, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self.raw = bytearray()
        self.returned: int | None = None
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}
        self.pid, self._fd = pty.fork()
        if self.pid == 0:  # the child: exec or nothing
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as at a login, whatever the tests were started with
            try:
                if cwd is not None:
                    os.chdir(cwd)
                os.execvpe(argv[0], list(argv), environment)
            finally:
                os._exit(127)
        self._set_size(cols, rows)
        self._cut_out, self._cut_in = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _set_size(self, cols: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def _read(self) -> None:
        while self._cut_out not in select.select([self._fd, self._cut_out], [], [])[0]:
            try:
                data = os.read(self._fd, 65536)
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                return
            if not data:
                return
            with self._lock:
                self.raw += data
                self._stream.feed(data)
            self._changed.set()

    def send(self, text: str | bytes) -> None:
        """Type, or paste without brackets: everything in one write. Gives up where the program no longer reads."""
        data = text.encode() if isinstance(text, str) else text
        while data:
            if not select.select([], [self._fd], [], PATIENCE)[1]:
                raise AssertionError("the program reads no keys")
            data = data[os.write(self._fd, data) :]

    def screen(self) -> list[str]:
        """The lines as they stand there now."""
        with self._lock:
            return list(self._screen.display)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen())

    def wait_for(self, text: str, timeout: float = PATIENCE) -> str:
        """The screen once it shows `text`."""
        return self.wait_until(lambda shown: text in shown, f"{text!r} on the screen", timeout)

    def wait_gone(self, text: str, timeout: float = PATIENCE) -> str:
        return self.wait_until(lambda shown: text not in shown, f"{text!r} to leave the screen", timeout)

    def wait_until(self, condition: Callable[[str], bool], what: str, timeout: float = PATIENCE) -> str:
        """The screen once `condition(text)` holds; a failure that shows the screen when it never does."""
        deadline = time.monotonic() + timeout
        while True:
            self._changed.clear()
            if condition(shown := self.text):
                return shown
            if (left := deadline - time.monotonic()) < 0 or not self._changed.wait(left):
                raise AssertionError(f"waited {timeout:g} s in vain for {what}; the screen shows:\n{shown}")
            time.sleep(0.02)  # a frame comes in several writes, and reading the screen costs more than they do

    def resize(self, cols: int, rows: int) -> None:
        with self._lock:
            self._screen.resize(rows, cols)
        self._set_size(cols, rows)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait_exit(self, timeout: float = PATIENCE) -> int:
        """The exit code once the program has ended by itself."""
        deadline = time.monotonic() + timeout
        while self.returned is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returned = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise AssertionError(f"still running after {timeout:g} s; the screen shows:\n{self.text}")
            else:
                time.sleep(0.02)
        return self.returned

    def hang_up(self) -> None:
        """Cut the line: the kernel takes the terminal away and sends SIGHUP, as when an SSH connection drops."""
        if self._fd >= 0:
            os.write(self._cut_in, b".")
            self._reader.join(2)  # a thread that reads would keep the terminal open
            os.close(self._fd)
            self._fd = -1

    def close(self) -> None:
        """End the program, gently first."""
        for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 10.0)):
            if self.returned is not None:
                break
            try:
                os.kill(self.pid, number)
                self.wait_exit(patience)
            except (ProcessLookupError, AssertionError):
                continue
        self.hang_up()
        os.close(self._cut_out)
        os.close(self._cut_in)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
