"""What was known at a pull: broker truth, book, model and config hashes, read at once and beside the cord.

The cord never waits for this. Every venue and strategy is asked at the same time, each for at most `SECONDS`; what did
not answer is named in `missing`, and stands nowhere as empty.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypeVar

from adapters.base import Ok, Read, StrategyHost, Unknown, Venue
from console.desk.events import BookRead, EvidenceTaken, Order, Position, StrategySampled

SECONDS = 5.0

T = TypeVar("T")


async def take_evidence(
    pull: str, venues: Sequence[Venue], hosts: Mapping[str, StrategyHost], config_hash: str
) -> EvidenceTaken:
    """The evidence of one pull, from the venues in its scope and all strategies."""
    missing: list[str] = []

    async def asked(what: str, read: "asyncio.Future[Read[T]]") -> T | None:
        try:
            async with asyncio.timeout(SECONDS):
                answer = await read
        except TimeoutError:
            answer = Unknown("no answer in time")
        if isinstance(answer, Ok) and answer.complete:
            return answer.data
        missing.append(what)
        return None

    positions: dict[str, tuple[Position, ...]] = {}
    orders: dict[str, tuple[Order, ...]] = {}
    book: dict[str, tuple[Position, ...]] = {}
    models: dict[str, str] = {}

    async def of_venue(venue: Venue) -> None:
        held, standing = await asyncio.gather(
            asked(f"{venue.name} positions", asyncio.ensure_future(venue.positions())),
            asked(f"{venue.name} open orders", asyncio.ensure_future(venue.open_orders())),
        )
        if held is not None:
            positions[venue.name] = held
        if standing is not None:
            orders[venue.name] = standing

    async def of_strategy(name: str, host: StrategyHost) -> None:
        believed: BookRead | None
        sample: StrategySampled | None
        believed, sample = await asyncio.gather(
            asked(f"{name} book", asyncio.ensure_future(host.book())),
            asked(f"{name} model", asyncio.ensure_future(host.sample())),
        )
        if believed is not None:
            book[name] = believed.positions
        if sample is not None:
            models[name] = sample.model_hash

    await asyncio.gather(
        *(of_venue(venue) for venue in venues), *(of_strategy(name, host) for name, host in hosts.items())
    )
    return EvidenceTaken(
        pull=pull,
        positions=positions,
        orders=orders,
        book=book,
        model_hashes=models,
        config_hash=config_hash,
        missing=tuple(sorted(missing)),
    )
