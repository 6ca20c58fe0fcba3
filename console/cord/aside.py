"""Work that may hang (a full, a frozen, a dead disk), on a thread that keeps nobody waiting."""

import threading
from collections.abc import Callable


class Aside:
    """One daemon thread that runs one job at a time. A job that is asked for while another runs replaces the one that
    waits; nobody waits for any of them, and none keeps the process from ending."""

    def __init__(self, name: str) -> None:
        self._job: Callable[[], None] | None = None
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self, job: Callable[[], None]) -> None:
        """Run `job` as soon as the one before is done. It must not raise."""
        with self._wake:
            self._job = job
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._job is not None)
                job, self._job = self._job, None
            if job is not None:
                job()
