"""Books and venues as they are now, read for one request: what the way back is judged by."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import msgspec

from adapters.base import Acked, Ok, Read, Refused, StrategyHost, Unknown, Venue, Write
from console.desk.events import BookRead
from console.desk.moment import Moment
from console.desk.reconcile import IN_FLIGHT_FOR, Comparison, compare, compare_settled
from console.desk.state import DeskState, StrategyState, VenueState
from console.desk.words import SECOND
from console.guard.hub import Hub

READ_SECONDS = 20.0
STALLED_SECONDS = 1.0
LOOK_SECONDS = 1

T = TypeVar("T")


class Fresh:
    """Reads everything anew; what can not be read is unknown, never what was known before."""

    def __init__(self, hub: Hub, venues: Mapping[str, Venue], hosts: Mapping[str, StrategyHost]) -> None:
        self._hub = hub
        self._venues = venues
        self._hosts = hosts

    async def compared(self, names: list[str], *, still: bool) -> tuple[DeskState, Comparison]:
        """These venues, and the comparison. Where they stand `still`, one look tells; where somebody trades on, a
        difference counts once it is old, as everywhere."""
        began = self._hub.clock()
        state, now = await self.state(names), self._hub.clock()
        if still:
            return state, compare_settled(state, now)
        comparison = compare(Moment(state=state, now=now, live=False))
        while comparison.in_flight and now - began < IN_FLIGHT_FOR + LOOK_SECONDS * SECOND:
            await asyncio.sleep(LOOK_SECONDS)
            state, now = await self.state(names), self._hub.clock()
            comparison = compare(Moment(state=state, now=now, live=False), comparison)
        return state, comparison

    async def state(self, names: list[str]) -> DeskState:
        """The desk with these venues alone, and everything about them read anew."""
        state = self._hub.state
        books = [row for row in state.strategies.values() if row.info.venue in names]
        venues, strategies = await asyncio.gather(
            asyncio.gather(*(self._venue(state.venues[name]) for name in names)),
            asyncio.gather(*(self._book(row) for row in books)),
        )
        return msgspec.structs.replace(
            state,
            venues={row.info.name: row for row in venues},
            strategies={row.info.name: row for row in strategies},
        )

    async def _venue(self, row: VenueState) -> VenueState:
        venue = self._venues[row.info.name]
        held, open_orders = await asyncio.gather(within(venue.positions()), within(venue.open_orders()))
        changes: dict[str, Any] = {"positions_unknown": why(held), "orders_unknown": why(open_orders)}
        if isinstance(held, Ok):
            changes |= {"positions": held.data, "positions_as_of": held.as_of}
        if isinstance(open_orders, Ok):
            changes |= {"orders": open_orders.data, "orders_as_of": open_orders.as_of}
        return msgspec.structs.replace(row, **changes)

    async def _book(self, row: StrategyState) -> StrategyState:
        read = await within(self._hosts[row.info.name].book())
        if isinstance(read, Ok):
            return msgspec.structs.replace(row, book=read.data)
        return msgspec.structs.replace(row, book=BookRead(row.info.name, (), (), 0, unknown=why(read)))


def journal_trouble(hub: Hub) -> str:
    """Why the journal does not take records now, if it does not."""
    if hub.refusal:
        return f"the journal refuses records: {hub.refusal}"
    stalled = hub.stalled
    return f"the journal has been waiting for the disk for {stalled:.0f} s" if stalled > STALLED_SECONDS else ""


def why(read: Read[Any]) -> str:
    """Why a read does not count; empty where it does."""
    if isinstance(read, Unknown):
        return read.reason
    return "" if read.complete else "not every page could be read"


def told(write: Write[Any]) -> tuple[str, str]:
    """Outcome and detail of a write, as events say them."""
    if isinstance(write, Acked):
        return "acked", ""
    if isinstance(write, Refused):
        return "refused", f"{write.code} {write.message}".strip()
    return "ambiguous", write.reason


async def within(reading: Coroutine[Any, Any, Read[T]]) -> Read[T]:
    """The read, or Unknown after READ_SECONDS."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await reading
    except TimeoutError:
        return Unknown(f"no answer within {READ_SECONDS:.0f} s")
