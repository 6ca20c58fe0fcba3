"""One complete look at a venue: what is open, what is new, what was filled, what is held."""

import time
from decimal import Decimal

from console.cord.forms import FormHand, Row
from console.cord.keeping import Keeping

REMEMBERED = 5000


class Look:
    """Everything here was read completely. `begun` is monotonic seconds before the first request left, `ts` UTC ns
    after the last answer. `new` and `fills` are what no earlier look had shown; both are empty in the first one.
    Nothing came and went unseen after `since`: before the end of a first look it may have. `keeping` tells which open
    orders protect, where positions were read; `spared` are open orders that may be closes of another hand."""

    __slots__ = ("begun", "fills", "keeping", "new", "open", "positions", "since", "spared", "ts")

    def __init__(
        self,
        begun: float,
        open_orders: list[Row],
        new: list[Row],
        fills: list[Row],
        positions: dict[str, Decimal],
        *,
        keeping: Keeping | None = None,
        first: bool = False,
    ) -> None:
        self.begun = begun
        self.since = time.monotonic() if first else begun
        self.open = open_orders
        self.new = new
        self.fills = fills
        self.positions = positions
        self.keeping = keeping or Keeping()
        self.spared: frozenset[str] = frozenset()
        self.ts = time.time_ns()


class Watch:
    """Looks at one venue again and again and remembers what it has seen, by id and never by time: the venue's clock may
    be off by minutes."""

    def __init__(self, hand: FormHand) -> None:
        self._hand = hand
        self._orders: dict[str, Row] | None = None
        self._fills: dict[str, Row] | None = None
        self._keeping = Keeping()
        self._seen_at = time.monotonic()
        self.listed: Look | None = None
        """What the latest look knows if no more than the open orders could be read, None where they could not."""

    def look(self, *, positions: bool) -> Look:
        """With positions where they are asked for. Raises Unread where any part could not be read; what was new is then
        still new in the next look."""
        begun, self.listed = time.monotonic(), None
        open_orders = self._hand.open_orders()
        doubted = self._keeping.unseen(open_orders, begun - self._seen_at)
        self.listed = Look(begun, open_orders, [], [], {}, keeping=doubted)
        orders = self._hand.orders(None if self._orders is None else frozenset(self._orders))
        fills = self._hand.fills(None if self._fills is None else frozenset(self._fills))
        held = self._hand.positions() if positions else {}
        if positions:
            self._keeping, self._seen_at = self._keeping.seen(open_orders, held), time.monotonic()
        first = self._orders is None
        self._orders = _remember(self._orders, [*orders, *open_orders])
        self._fills = _remember(self._fills, fills)
        for fill in fills:
            if (filled := self._orders.get(fill.order)) is not None:
                fill.client, fill.order_class = filled.client, filled.order_class
        return Look(
            begun,
            open_orders,
            [] if first else orders,
            [] if first else fills,
            held,
            keeping=self._keeping if positions else doubted,
            first=first,
        )


def _remember(known: dict[str, Row] | None, rows: list[Row]) -> dict[str, Row]:
    """By id, in the order of their appearance, oldest first; the oldest are forgotten."""
    merged = {**(known or {}), **{row.id: row for row in reversed(rows)}}
    return dict(list(merged.items())[-REMEMBERED:])
