"""Reading the desk for the evidence: everything at once, beside the cord, and nothing of it for longer than `SECONDS`.

What did not answer is `Unknown` with its reason, and stands nowhere as empty. What the answers look like as evidence is
`console.guard.exhibits`.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from adapters.base import Account, Clock, Ok, Read, StrategyHost, Unknown, Venue
from console.desk.events import BookRead, Order, Position, Quote, QuotesRead, StrategySampled
from console.desk.state import DeskState
from console.guard.aside import beside
from console.guard.committed import ConfigFile, config_files
from console.guard.fresh import why
from console.guard.hub import Hub

SECONDS = 5.0

T = TypeVar("T")


class VenueRead(NamedTuple):
    """What one venue answered. `offset_ms` is how far its clock is ahead of ours."""

    positions: Read[tuple[Position, ...]]
    orders: Read[tuple[Order, ...]]
    account: Read[Account]
    quotes: Read[tuple[Quote, ...]]
    offset_ms: Read[float]


class StrategyRead(NamedTuple):
    """What one strategy's host answered."""

    book: Read[BookRead]
    sample: Read[StrategySampled]
    settings: Read[dict[str, str]]


class Taken(NamedTuple):
    """The desk as it was known at `at` (UTC ns), and as it was read from then on."""

    at: int
    before: DeskState
    venues: dict[str, VenueRead]
    strategies: dict[str, StrategyRead]
    config: Read[tuple[ConfigFile, ...]]


class Capture:
    """Reads the desk whose desk.yaml is `file`. `symbols` are those that are traded, by venue."""

    def __init__(
        self,
        hub: Hub,
        venues: Mapping[str, Venue],
        hosts: Mapping[str, StrategyHost],
        symbols: Mapping[str, tuple[str, ...]],
        file: Path,
    ) -> None:
        self._hub = hub
        self._venues = venues
        self._hosts = hosts
        self._symbols = symbols
        self._file = file

    async def take(self) -> Taken:
        """Never raises, and takes little more than `SECONDS`."""
        at, before = self._hub.clock(), self._hub.state
        venues, strategies, config = await asyncio.gather(
            asyncio.gather(*(self._venue(name, venue) for name, venue in self._venues.items())),
            asyncio.gather(*(self._strategy(host) for host in self._hosts.values())),
            self._config(),
        )
        return Taken(
            at,
            before,
            dict(zip(self._venues, venues, strict=True)),
            dict(zip(self._hosts, strategies, strict=True)),
            config,
        )

    async def _venue(self, name: str, venue: Venue) -> VenueRead:
        positions, orders, account, quotes, offset = await asyncio.gather(
            _asked(venue.positions()),
            _asked(venue.open_orders()),
            _asked(venue.account()),
            _asked(venue.latest_quotes(self._symbols[name])),
            self._offset(venue),
        )
        if isinstance(quotes, Ok):
            self._hub.sample(QuotesRead(name, tuple(quotes.data), quotes.as_of))
        return VenueRead(positions, orders, account, quotes, offset)

    async def _offset(self, venue: Venue) -> Read[float]:
        """Its clock is taken to have been read in the middle of the request."""
        began = self._hub.clock()
        read: Read[Clock] = await _asked(venue.clock())
        if isinstance(read, Unknown):
            return read
        return Ok((read.data.now - (began + self._hub.clock()) / 2) / 1e6, began)

    async def _strategy(self, host: StrategyHost) -> StrategyRead:
        return StrategyRead(*await asyncio.gather(_asked(host.book()), _asked(host.sample()), _asked(host.settings())))

    async def _config(self) -> Read[tuple[ConfigFile, ...]]:
        at = self._hub.clock()
        try:
            return Ok(await beside(lambda: config_files(self._file), SECONDS), at)
        except TimeoutError:
            return _LATE
        except OSError as error:
            return Unknown(str(error))


_LATE = Unknown(f"no answer within {SECONDS:.0f} s")


async def _asked(reading: Coroutine[Any, Any, Read[T]]) -> Read[T]:
    """The whole answer, or Unknown: also for one that lacks a page."""
    try:
        async with asyncio.timeout(SECONDS):
            read = await reading
    except TimeoutError:
        return _LATE
    reason = why(read)
    return Unknown(reason) if reason else read
