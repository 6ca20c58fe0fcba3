"""Every fill of a venue, journaled exactly once, whatever the stream lost or said twice."""

import asyncio
from itertools import islice

from adapters.base import Unknown, Venue
from console.desk.events import Filled, Record
from console.guard.hub import Hub

ANCHORS = 500
SETTLED_NS = 120_000_000_000
"""A fill journaled so long before the journal's end has been passed by many sweeps: none older is missing."""


class KnownFills:
    """Execution ids by venue, gathered from a journal that is being read."""

    def __init__(self) -> None:
        self.at: dict[str, dict[str, int]] = {}

    def observe(self, record: Record) -> None:
        if isinstance(record.event, Filled):
            self.at.setdefault(record.event.venue, {})[record.event.execution_id] = record.ts


class Fills:
    """Hears fills from the stream and sweeps the venue's own list for those it missed.

    A sweep reads back to what was known two complete sweeps ago, not merely to any known fill: behind one that the
    stream brought may lie an older one that it lost, or that the venue's list shows late."""

    def __init__(self, hub: Hub, venue: Venue, known: dict[str, int]) -> None:
        self._hub = hub
        self._venue = venue
        self._known = dict.fromkeys(known)
        self._sweeping = asyncio.Lock()
        end = max(known.values(), default=0)
        settled = [execution for execution, ts in known.items() if ts < end - SETTLED_NS]
        self._anchor = self._next_anchor = frozenset(settled[-ANCHORS:])

    def heard(self, fill: Filled) -> None:
        if fill.execution_id not in self._known:
            self._known[fill.execution_id] = None
            self._hub.journal(fill)

    async def sweep(self) -> None:
        """Read the venue's fills back to the anchor and journal what is new, oldest first."""
        async with self._sweeping:
            await self._sweep()

    async def _sweep(self) -> None:
        read = await self._venue.fills_until(self._anchor)
        if isinstance(read, Unknown):
            return
        for fill in reversed(read.data):
            self.heard(fill)
        if read.complete:
            self._anchor = self._next_anchor
            self._next_anchor = frozenset(islice(reversed(self._known), ANCHORS))
