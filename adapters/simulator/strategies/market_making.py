"""Market making: resting limit orders on both sides of the last price, leaning against the inventory."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.base import Bar
from adapters.simulator.strategies.model import BPS, CENT, Cancel, Send, View, Wish, Working


@dataclass(frozen=True, slots=True)
class Parameters:
    """Distances in basis points of the price. A quote within the tolerance of where it should be (wider for the far
    ones, which stand almost always) is left alone; a side that could take the inventory past `most` is not quoted."""

    seed: int
    offsets_bps: tuple[Decimal, ...] = (Decimal(6), Decimal(15), Decimal(40))
    tolerance_bps: Decimal = Decimal(6)
    tolerance_share: Decimal = Decimal("0.25")
    lean_bps: Decimal = Decimal(3)
    lot: Decimal = Decimal(3)
    most: Decimal = Decimal(24)


class MarketMaking:
    def __init__(self, seed: int) -> None:
        self.parameters = Parameters(seed)

    def predict(self, bars: Sequence[Bar]) -> Decimal | None:
        """The fair price: the mean of the last two closes."""
        if not bars:
            return None
        closes = [bar.close for bar in bars[-2:]]
        return (sum(closes, Decimal(0)) / len(closes)).quantize(Decimal("0.0001"))

    def decide(self, view: View) -> list[Wish]:
        sends: list[Wish] = []
        cancels: list[Wish] = []
        for side in ("buy", "sell"):
            standing = [order for order in view.working if order.side == side]
            missing: list[Wish] = []
            for price, tolerance in self._quotes(view, side):
                near = _nearest(standing, price, tolerance)
                if near is not None:
                    standing.remove(near)
                else:
                    missing.append(Send(side, self.parameters.lot, "limit", price))
            cancels += [Cancel(order.order_id) for order in standing]
            closes = view.position < 0 if side == "buy" else view.position > 0
            if not (closes and standing):  # shares are free for another closing order only once a cancel is done
                sends += missing
        return cancels + sends

    def _quotes(self, view: View, side: str) -> list[tuple[Decimal, Decimal]]:
        """Where this side's quotes should stand, nearest first, and how far off each may be."""
        own = self.parameters
        sign = -1 if side == "buy" else 1
        room = own.most + view.position * sign
        if view.position * sign > 0:  # this side closes, and a broker takes no more of that than there is
            room = min(room, abs(view.position))
        count = max(0, min(len(own.offsets_bps), int(room / own.lot)))
        fair = view.close * (1 - own.lean_bps * (view.position / own.lot) / BPS)
        return [
            (
                (fair * (1 + sign * offset / BPS)).quantize(CENT),
                fair * (own.tolerance_bps + offset * own.tolerance_share) / BPS,
            )
            for offset in own.offsets_bps[:count]
        ]


def _nearest(standing: Sequence[Working], price: Decimal, tolerance: Decimal) -> Working | None:
    fits = [
        (abs(order.limit_price - price), order.order_id, order)
        for order in standing
        if order.limit_price is not None and abs(order.limit_price - price) <= tolerance
    ]
    return min(fits)[2] if fits else None
