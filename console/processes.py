"""Child processes with an end: started with a log, waited for until ready, stopped by pid and by nothing else."""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

_POLL_SECONDS = 0.02
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class ChildError(Exception):
    """A child did not come up, or went away. The message is one sentence that names its log."""


class Child:
    """A Python module running as a process of its own, in a session of its own, so that a terminal's signals reach us
    alone and children are stopped in order. It is told to end (SIGTERM) if we should die without stopping it."""

    def __init__(self, name: str, module: Sequence[str], logs: Path) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        self._said = logs / f"{name}.out"
        with self.log.open("ab") as errors, self._said.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own modules, by our own interpreter
                [sys.executable, "-P", "-m", *module],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
                preexec_fn=partial(_end_with, os.getpid()),
            )
        self.pid = self._process.pid

    def ended(self) -> bool:
        return self._process.poll() is not None

    def check(self) -> None:
        """Raises ChildError if the process has ended."""
        if self.ended():
            raise ChildError(f"the {self.name} ended (exit {self._process.returncode}){self._last_words()}")

    def wait_for(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready`. Raises ChildError when the process ends first, or `seconds` have passed."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise ChildError(f"the {self.name} was not ready within {seconds:.0f} s{self._last_words()}")
            time.sleep(_POLL_SECONDS)

    def ready_line(self, seconds: float) -> dict[str, Any]:
        """The JSON object that the process prints once it is ready."""
        self.wait_for(lambda: b"\n" in self._said.read_bytes(), seconds)
        try:
            told = json.loads(self._said.read_bytes().splitlines()[0])
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise ChildError(f"the {self.name} said something else than that it is ready{self._last_words()}")
        return told

    def stop(self, seconds: float = 5) -> None:
        """SIGTERM, and SIGKILL if it is still there after `seconds`."""
        if self.ended():
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        return f": {lines[-1].strip()} ({self.log})" if lines else f"; its log is {self.log}"


def listens(path: Path) -> bool:
    """Whether a process accepts connections on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _end_with(parent: int) -> None:
    """In the child: have the kernel send SIGTERM when the parent dies, unless it has done so already."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


# --- signals --------------------------------------------------------------------------------------------------------


class Ended(SystemExit):
    """A signal asked us to end."""


@contextlib.contextmanager
def ending_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does: by way of everything that has to be stopped."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def deaf_to_signals() -> Iterator[None]:
    """Let no further signal interrupt the stopping. With a handler that does nothing: an ignored signal would be
    ignored by whatever another thread starts meanwhile, too."""
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {number: signal.signal(number, lambda number, frame: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
