"""Which open orders can do nothing but reduce the position they protect.

Such an order may be left standing while everything else is cancelled, so the rule is strict: whatever can not be shown
to only reduce is not protective. All orders called protective together can never take the position past zero.
"""

from collections.abc import Mapping, Sequence, Set
from decimal import Decimal

import msgspec

from console.desk.events import Order

STOPS = frozenset({"stop", "stop_limit", "trailing_stop"})


def mark_protective(
    orders: Sequence[Order], linked: Set[str], held: Set[str], positions: Mapping[str, Decimal]
) -> tuple[Order, ...]:
    """`orders` with `protective` set where it is proven. `linked` are the ids of orders that belong to a bracket or a
    pair of which one cancels the other, `held` those that the venue keeps back until their parent has filled;
    `positions` are signed, by symbol."""
    kept: set[str] = set()
    for symbol in {order.symbol for order in orders}:
        position = positions.get(symbol, Decimal(0))
        if position:
            kept |= _of_symbol([order for order in orders if order.symbol == symbol], linked, held, position)
    return tuple(msgspec.structs.replace(order, protective=True) if order.id in kept else order for order in orders)


def _of_symbol(orders: Sequence[Order], linked: Set[str], held: Set[str], position: Decimal) -> set[str]:
    exit_side = "sell" if position > 0 else "buy"
    # An unfilled bracket stands with its parent on one side and its legs on the other, and a flat list does not say
    # which is which. Legs still held back are legs for sure; the rest only while nothing linked is on the entry side.
    entry_linked = any(order.id in linked and order.side != exit_side for order in orders)
    exits = sorted(
        (
            order
            for order in orders
            if order.side == exit_side and (order.id not in linked or order.id in held or not entry_linked)
        ),
        key=lambda order: (order.created, order.id),
    )
    kept: set[str] = set()
    taken = standalone = Decimal(0)
    stops = [order for order in exits if order.type in STOPS]
    for stop in stops:
        if taken + _rest(stop) <= abs(position):
            taken += _rest(stop)
            standalone += Decimal(0) if stop.id in linked else _rest(stop)
            kept.add(stop.id)
    targets = [order for order in exits if order.type == "limit" and order.id in linked]
    # A target shares its shares with the linked stop beside it, but not with a stop that stands alone.
    if len(kept) == len(stops) and standalone + sum(map(_rest, targets), Decimal(0)) <= abs(position):
        kept |= {target.id for target in targets}
    return kept


def _rest(order: Order) -> Decimal:
    return order.qty - order.filled_qty
