"""The thread on which the worker does what takes long: one job after the other, beside the loop that takes frames."""

import os
import threading
import traceback
from collections.abc import Callable
from queue import SimpleQueue

from console.guard.frames import AnySaid

Job = Callable[[], AnySaid]
Hear = Callable[[AnySaid], None]


class Archivist:
    """`do` and `hear` belong to one loop; `wakes` is a descriptor that can be read once a job is finished. A job
    answers for its own failures: what it raises all the same ends the process, and the guard starts another."""

    def __init__(self) -> None:
        self.busy = False
        self.wakes, self._wake = os.pipe()
        self._jobs: SimpleQueue[tuple[Job, Hear]] = SimpleQueue()
        self._done: SimpleQueue[tuple[AnySaid, Hear]] = SimpleQueue()
        threading.Thread(target=self._run, name="archivist", daemon=True).start()

    def do(self, job: Job, hear: Hear) -> None:
        """Do a job on the thread, and let `hear` have its answer on the loop."""
        self.busy = True
        self._jobs.put((job, hear))

    def hear(self) -> None:
        """On the loop: hand over the answer of a job that is finished."""
        if self._done.empty():
            return
        os.read(self.wakes, 1)
        said, hear = self._done.get()
        self.busy = False
        hear(said)

    def _run(self) -> None:
        while True:
            job, hear = self._jobs.get()
            try:
                said = job()
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            self._done.put((said, hear))
            os.write(self._wake, b".")
