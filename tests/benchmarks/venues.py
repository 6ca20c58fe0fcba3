"""A process with venues in it (venue_process.py), as a benchmark sees it: when did the first byte of a DELETE come?"""

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import NamedTuple, Self

from tests.support.broker import ROOT


class Seen(NamedTuple):
    """A DELETE: the venue's number, when it arrived there and when the venue had read it (monotonic seconds)."""

    venue: int
    arrived: float
    read: float


class Venues:
    """`with Venues([venue(), …]) as venues:`; `urls` in the order of what it was given."""

    def __init__(self, told: list[dict[str, object]]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.venue_process", json.dumps(told)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: PT018
        self._tell, self._told = self._process.stdin, self._process.stdout
        self.urls = [f"http://127.0.0.1:{port}" for port in json.loads(self._told.readline())]
        self._seen: queue.Queue[Seen] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._told:
            number, arrived, read = line.split()
            self._seen.put(Seen(int(number), float(arrived), float(read)))

    def first_byte(self, since: float, patience: float = 30) -> float:
        """When the venue had read the first DELETE after `since`. Raises queue.Empty."""
        deadline = time.monotonic() + patience
        while (seen := self._seen.get(timeout=max(deadline - time.monotonic(), 0))).read < since:
            pass
        return seen.read

    def first_bytes(self, since: float, patience: float = 1) -> dict[int, float]:
        """When the first DELETE after `since` arrived at each venue, by its number; those of all, or of as many as one
        came to within `patience` seconds of the one before."""
        seen: dict[int, float] = {}
        with contextlib.suppress(queue.Empty):
            while len(seen) < len(self.urls):
                venue, at, _ = self._seen.get(timeout=patience)
                if at >= since:
                    seen.setdefault(venue, at)
        return seen

    def refill(self) -> None:
        """All orders are open again."""
        self._tell.write(b"\n")
        self._tell.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()


def venue(delay: float = 0, orders: int = 0, fault: str = "") -> dict[str, object]:
    """See venue_process.py."""
    return {"delay": delay, "orders": orders, "fault": fault}
