"""The other hands of the desk: what they journal is folded here too, and what they left unfinished is found."""

import asyncio
import sys
import threading
from collections.abc import Callable

from console.desk.events import Record
from console.desk.state import PullState
from console.evidence.journal import Tail

POLL_SECONDS = 0.25


class Others(threading.Thread):
    """Follows all journal files but the guard's own, on a thread, because the disk may hang. `take` and `found` are
    called on the loop; `orphans` on the thread. `missing` is what of any journal can not be read, a sentence each."""

    def __init__(
        self,
        tail: Tail,
        own: str,
        *,
        take: Callable[[list[Record]], None],
        orphans: Callable[[], list[PullState]],
        found: Callable[[list[PullState]], None],
    ) -> None:
        super().__init__(name="other-journals", daemon=True)
        self._tail = tail
        self._own = own
        self._take = take
        self._orphans = orphans
        self._found = found
        self._loop = asyncio.get_running_loop()
        self._ended = threading.Event()
        self.missing = tail.missing

    def end(self) -> None:
        self._ended.set()

    def run(self) -> None:
        said = self.missing
        while not self._ended.wait(POLL_SECONDS):
            try:
                records = [record for record in self._tail.poll() if record.writer != self._own]
                self.missing = self._tail.missing
            except OSError as error:
                records, self.missing = [], [f"the journals can not be read: {error}"]
            if self.missing and self.missing != said:
                print(f"andon guard: {'; '.join(self.missing)}", file=sys.stderr, flush=True)
            said = self.missing
            if records:
                self._taken(records)
            if self._ended.is_set():
                return
            orphans = self._orphans()
            if orphans and not self._ended.is_set():
                self._loop.call_soon_threadsafe(self._found, orphans)

    def _taken(self, records: list[Record]) -> None:
        """Waits until the loop has folded them: a pull whose record was just read must not count as one that no journal
        knows. A guard that was frozen finds both at once."""
        folded = threading.Event()

        def fold() -> None:
            try:
                self._take(records)
            finally:
                folded.set()

        self._loop.call_soon_threadsafe(fold)
        while not (folded.wait(POLL_SECONDS) or self._ended.is_set()):
            pass
