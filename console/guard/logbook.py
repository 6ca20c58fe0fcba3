"""The logbook's place in the guard: entries that consoles send are judged, journaled and answered, one at a time."""

import asyncio
from collections.abc import Callable

import msgspec

from console.desk.entries import AnyEntry, SizeLowered
from console.desk.events import Record
from console.desk.logbook import Logbook, after
from console.guard.hub import PATIENCE, Hub

SHOWN_AFTER = 2 * PATIENCE


class LogKeeper:
    """Belongs to the event loop. What stands in an entry is judged by the state that all entries before it left;
    `judges` may refuse it besides, with a ValueError."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._one = asyncio.Lock()
        self.judges: list[Callable[[AnyEntry], None]] = []
        hub.listeners.append(self._heard)

    async def keep(self, told: str, actor: str) -> str:
        """Journal an entry (JSON, with its kind). Answers once it is folded: with nothing, or with why the disk has not
        taken it. Raises RuntimeError with the reason for a refusal."""
        try:
            entry = msgspec.json.decode(told, type=AnyEntry)
        except msgspec.MsgspecError as error:
            raise RuntimeError(f"not an entry of this version's logbook: {error}") from None
        return await self.write(lambda _: entry, actor)

    async def write(self, make: Callable[[Logbook], AnyEntry | None], actor: str) -> str:
        """As `keep`, an entry that is made of the logbook as it stands once all others are written; None is none."""
        async with self._one:
            entry = make(self._hub.state.logbook)
            if entry is None:
                return ""
            try:
                after(self._hub.state.logbook, entry, actor, self._hub.clock())
                for judge in self.judges:
                    judge(entry)
            except ValueError as refusal:
                raise RuntimeError(str(refusal)) from None
            written = asyncio.wrap_future(self._hub.journal(entry, actor))
            try:
                async with asyncio.timeout(SHOWN_AFTER):
                    await asyncio.shield(written)
            except (TimeoutError, OSError):
                written.add_done_callback(asyncio.Future.exception)  # the hub knows of it, and tries again
                return f"noted; {self._hub.trouble or 'the disk has not taken it yet'}"
        return ""

    def _heard(self, record: Record) -> None:
        """Another hand lowered the size before a resume that did not know of it: from the guard's own file it counts
        behind that resume after a restart, too."""
        event = record.event
        others = record.writer != self._hub.writer.writer
        if isinstance(event, SizeLowered) and others and record.ts < self._hub.state.size_since:
            self._hub.journal(event, record.actor)
