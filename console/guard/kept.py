"""A row of telemetry as it is kept."""

from decimal import Decimal
from typing import NamedTuple

SCALE = 12
"""Digits of a value behind the point."""
WHOLE = 26
"""Digits of a value before the point, at most."""


class Kept(NamedTuple):
    """The fields are in the order of the columns; `ts` is UTC ns."""

    ts: int
    strategy: str
    kind: str
    symbol: str
    value: Decimal
    model_hash: str
