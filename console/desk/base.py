"""What events, and the values in them, are made of. Imports nothing, so that whatever an event holds can import it."""

from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, tag_field="kind", omit_defaults=True):
    """Base of everything on the stream."""


class Sample(Event, frozen=True):
    """Base of the readings that are shown and forgotten."""


class Plain(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Base of the values that events and states are made of. Values make no cycles: the collector, which holds the
    interpreter while it looks, is spared them."""


def spelled(default: Any) -> Any:
    """A default that is written out all the same. `omit_defaults` goes by identity, and whether two equal words are one
    object is chance; a state has one encoding only where its defaults are empty, small, or spelled."""
    return msgspec.field(default_factory=lambda: default)
