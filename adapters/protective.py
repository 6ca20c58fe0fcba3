"""Marks the open orders that can do nothing but reduce, by the one rule of `console.desk.protective`."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from console.desk.events import Order
from console.desk.protective import Resting, protective


def mark_protective(orders: Sequence[Order], positions: Mapping[str, Decimal]) -> tuple[Order, ...]:
    """`orders` with `protective` set where it is proven. `positions` are signed, by symbol."""
    kept = protective(
        (
            Resting(
                order.id,
                order.symbol,
                order.side,
                order.qty - order.filled_qty,
                order.type,
                order_class=order.order_class,
                status=order.status,
                made=order.created,
            )
            for order in orders
        ),
        positions,
    )
    return tuple(msgspec.structs.replace(order, protective=True) if order.id in kept else order for order in orders)
