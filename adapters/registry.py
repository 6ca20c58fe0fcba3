"""From an adapter's name in desk.yaml to a venue. Third parties add theirs under the entry point group below."""

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from adapters.base import Connection, Venue

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = "andon.adapters"


class UnknownAdapter(Exception):
    """desk.yaml names an adapter that is not installed. Its str is one sentence that lists the ones that are."""


def known_adapters() -> tuple[str, ...]:
    return tuple(sorted({"alpaca", *(entry.name for entry in entry_points(group=GROUP))}))


def make_venue(adapter: str, connection: Connection) -> Venue:
    """The venue that `adapter` makes of a connection; an entry point is any callable from Connection to Venue.

    Raises UnknownAdapter. An adapter of our own can not be replaced by a third party's of the same name."""
    if adapter == "alpaca":
        from adapters.alpaca import AlpacaVenue

        return AlpacaVenue(connection)
    for entry in entry_points(group=GROUP, name=adapter):
        make: Callable[[Connection], Venue] = entry.load()
        return make(connection)
    raise UnknownAdapter(
        f"venue {connection.name!r}: there is no adapter {adapter!r}; known are {', '.join(known_adapters())}"
        f" (others are installed as packages with an entry point in the group {GROUP})"
    )
