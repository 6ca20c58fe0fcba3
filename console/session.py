"""A desk for a command that asks and writes step by step: what is known of it, and its logbook.

The guard's stream, or without a guard the journal's files, are followed on a thread of their own, so that a command may
wait for its user meanwhile.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from console.desk.entries import AnyEntry
from console.desk.source import Attached, Detached, Received
from console.desk.state import DeskState, fold
from console.guard.client import SILENCE_SECONDS, GuardClient
from console.processes import listens

T = TypeVar("T")


class Session:
    """`with Session(folder) as session:` is attached to the guard of the desk whose state lies there, if one answers.
    `down` says why none does, and is empty while one does; one that listens gets `patience` seconds to answer."""

    def __init__(self, folder: Path, patience: float = SILENCE_SECONDS) -> None:
        self._folder = folder
        self._patience = patience
        self._client = GuardClient(folder)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="session", daemon=True)
        self._following: asyncio.Task[None] | None = None
        self._first = threading.Event()
        self._guard = threading.Event()
        self.state = DeskState()
        self.down = "no guard is running"

    def __enter__(self) -> Self:
        listening = listens(self._folder / "guard.sock")
        self._thread.start()
        self._first.wait()
        if listening:
            self._guard.wait(self._patience)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._following is not None:
            self._loop.call_soon_threadsafe(self._following.cancel)
        self._thread.join(SILENCE_SECONDS)

    @property
    def now(self) -> int:
        return time.time_ns()

    def keep(self, entry: AnyEntry) -> str:
        """See `console.desk.source.Source`. `state` holds the entry once this returns."""
        return self._done(self._client.keep(entry))

    def command(self, name: str, /, **arguments: str) -> str:
        """See `console.desk.source.Source`."""
        return self._done(self._client.command(name, **arguments))

    def upload(self, data: bytes) -> str:
        """See `GuardClient.upload`."""
        return self._done(self._client.upload(data))

    def _done(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._following = self._loop.create_task(self._follow())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._following)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        self._client.close()

    async def _follow(self) -> None:
        async with contextlib.aclosing(self._client.updates()) as updates:  # type: ignore[type-var]
            async for update in updates:
                match update:
                    case Attached():
                        self.state = update.state
                        if self._client.connected:
                            self.down = ""
                            self._guard.set()
                        self._first.set()
                    case Received():
                        self.state = fold(self.state, update.record)
                    case Detached():
                        self.down = update.why
