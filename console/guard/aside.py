"""Work that may hang (a disk, a frozen file system) done beside the event loop, on threads that keep nobody waiting."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


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


async def beside(job: Callable[[], T], seconds: float | None) -> T:
    """What `job` returns or raises, on a daemon thread of its own; TimeoutError where it takes longer than `seconds`
    (None: it may take for ever).

    Not `asyncio.to_thread`: its threads are joined when the process ends, and one that hangs would keep it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if not done.done():
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]  # None only where T is None

    def run() -> None:
        try:
            result = job()
        except BaseException as error:
            loop.call_soon_threadsafe(settle, None, error)
        else:
            loop.call_soon_threadsafe(settle, result, None)

    threading.Thread(target=run, name="beside", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await done
