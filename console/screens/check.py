"""A verification on its way."""

import time

from console.desk.archive import Unreadable
from console.desk.words import SECOND

QUICK = SECOND


class Check:
    """Told in the thread that verifies, looked at by a screen. `what` names what is verified; `done` and `of` are
    bytes; once it was `stopped` the verification ends."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.done = self.of = 0
        self.stopped = False
        self._began = time.monotonic_ns()

    def __call__(self, done: int, of: int) -> None:
        if self.stopped:
            raise Unreadable("the verification was stopped")
        self.done, self.of = done, of

    @property
    def slow(self) -> bool:
        """Whether it takes so long that a person wants to know how far it is."""
        return time.monotonic_ns() - self._began > QUICK
