"""One complete look at a venue: what is open, what is new, what was filled, what is held."""

import time
from decimal import Decimal

from console.cord.forms import FormHand, Row

REMEMBERED = 5000


class Look:
    """Everything here was read completely. `begun` is monotonic seconds before the first request left, `ts` UTC ns
    after the last answer. `new` and `fills` are what no earlier look had shown; both are empty in the first one.
    Nothing came and went unseen after `since`: before the end of a first look it may have. `spared` are open orders
    that may be closes of another hand."""

    __slots__ = ("begun", "fills", "new", "open", "positions", "since", "spared", "ts")

    def __init__(
        self,
        begun: float,
        open_orders: list[Row],
        new: list[Row],
        fills: list[Row],
        positions: dict[str, Decimal],
        *,
        first: bool = False,
    ) -> None:
        self.begun = begun
        self.since = time.monotonic() if first else begun
        self.open = open_orders
        self.new = new
        self.fills = fills
        self.positions = positions
        self.spared: frozenset[str] = frozenset()
        self.ts = time.time_ns()


class Watch:
    """Looks at one venue again and again and remembers what it has seen, by id and never by time: the venue's clock may
    be off by minutes."""

    def __init__(self, hand: FormHand) -> None:
        self._hand = hand
        self._orders: dict[str, str | None] | None = None
        self._fills: dict[str, str | None] | None = None

    def look(self, *, positions: bool) -> Look:
        """With positions where they are asked for. Raises Unread where any part could not be read; what was new is then
        still new in the next look."""
        begun = time.monotonic()
        open_orders = self._hand.open_orders()
        orders = self._hand.orders(None if self._orders is None else frozenset(self._orders))
        fills = self._hand.fills(None if self._fills is None else frozenset(self._fills))
        held = self._hand.positions() if positions else {}
        first = self._orders is None
        self._orders = _remember(self._orders, [*orders, *open_orders])
        self._fills = _remember(self._fills, fills)
        for fill in fills:
            fill.client = self._orders.get(fill.order)
        return Look(begun, open_orders, [] if first else orders, [] if first else fills, held, first=first)


def _remember(known: dict[str, str | None] | None, rows: list[Row]) -> dict[str, str | None]:
    """Ids with their client ids, in the order of their appearance, oldest first; the oldest are forgotten."""
    merged = {**(known or {}), **{row.id: row.client for row in reversed(rows)}}
    return dict(list(merged.items())[-REMEMBERED:])
