"""Which open orders can do nothing but reduce the position they protect.

Such an order may be left standing while everything else is cancelled, so the rule is strict: whatever can not be shown
to only reduce is not protective. All orders called protective together can never take the position past zero. The
console and the cord's hand both judge by this, the hand with the standard library alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

STOPS = frozenset({"stop", "stop_limit", "trailing_stop"})
PAIRED = frozenset({"bracket", "oco"})
LINKED = PAIRED | {"oto"}
HELD = "held"


class Resting:
    """An open order as far as the rule cares. `rest` is what is still to be filled; `order_class` is bracket, oco (two
    of which one cancels the other), oto, or anything else for an order by itself; one with the status `held` the venue
    keeps back until its parent has filled. `made` tells the older of two orders (a time, in a form that sorts)."""

    __slots__ = ("id", "made", "order_class", "rest", "side", "status", "symbol", "type")

    def __init__(
        self,
        id: str,  # noqa: A002 - what every venue calls it
        symbol: str,
        side: str,
        rest: Decimal,
        type: str,  # noqa: A002
        *,
        order_class: str,
        status: str,
        made: str | int,
    ) -> None:
        self.id = id
        self.symbol = symbol
        self.side = side
        self.rest = rest
        self.type = type
        self.order_class = order_class
        self.status = status
        self.made = made

    @property
    def linked(self) -> bool:
        return self.order_class in LINKED

    @property
    def held(self) -> bool:
        return self.status == HELD

    @property
    def paired(self) -> bool:
        return self.order_class in PAIRED


def protective(orders: Iterable[Resting], positions: Mapping[str, Decimal]) -> frozenset[str]:
    """The ids of those that only protect. `positions` are signed, by symbol, and symbols are written alike in both."""
    by_symbol: dict[str, list[Resting]] = {}
    for order in orders:
        by_symbol.setdefault(order.symbol, []).append(order)
    kept: set[str] = set()
    for symbol, resting in by_symbol.items():
        if position := positions.get(symbol, Decimal(0)):
            kept |= _of_symbol(resting, position)
    return frozenset(kept)


def _of_symbol(orders: Sequence[Resting], position: Decimal) -> set[str]:
    exit_side = "sell" if position > 0 else "buy"
    # An unfilled bracket stands with its parent on one side and its legs on the other, and a flat list does not say
    # which is which. Legs still held back are legs for sure; the rest only while nothing linked is on the entry side.
    entry_linked = any(order.linked and order.side != exit_side for order in orders)
    exits = sorted(
        (
            order
            for order in orders
            if order.side == exit_side and order.rest > 0 and (not order.linked or order.held or not entry_linked)
        ),
        key=lambda order: (order.made, order.id),
    )
    kept: set[str] = set()
    taken = standalone = Decimal(0)
    stops = [order for order in exits if order.type in STOPS]
    for stop in stops:
        if taken + stop.rest <= abs(position):
            taken += stop.rest
            standalone += Decimal(0) if stop.paired else stop.rest
            kept.add(stop.id)
    targets = [order for order in exits if order.type == "limit" and order.paired]
    # A target shares its shares with the stop that it is paired with, but not with a stop that stands alone.
    if len(kept) == len(stops) and standalone + sum((each.rest for each in targets), Decimal(0)) <= abs(position):
        kept |= {target.id for target in targets}
    return kept
