"""What may hang (a disk, a frozen file system), awaited for so long and no longer."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


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
        result, failure = None, None
        try:
            result = job()
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop may be over by now
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="beside", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await done
