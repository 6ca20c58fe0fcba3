"""Market making: resting limit orders on both sides of the last price, leaning against the inventory."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.base import Bar
from adapters.simulator.strategies.model import BPS, CENT, Cancel, Send, View, Wish, Working


@dataclass(frozen=True, slots=True)
class Parameters:
    """Distances in basis points of the price. A quote within `tolerance_bps` of where it should be is left alone; a
    side that could take the inventory past `most` is not quoted."""

    seed: int
    offsets_bps: tuple[Decimal, ...] = (Decimal(5), Decimal(12))
    tolerance_bps: Decimal = Decimal(6)
    lean_bps: Decimal = Decimal(2)
    lot: Decimal = Decimal(3)
    most: Decimal = Decimal(15)


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
        wishes: list[Wish] = []
        cancels: list[Wish] = []
        for side in ("buy", "sell"):
            standing = [order for order in view.working if order.side == side]
            wanted = self._quotes(view, side)
            for price in wanted:
                near = self._nearest(standing, price)
                if near is not None:
                    standing.remove(near)
                else:
                    wishes.append(Send(side, self.parameters.lot, "limit", price))
            cancels += [Cancel(order.order_id) for order in standing]
        return cancels + wishes

    def _quotes(self, view: View, side: str) -> list[Decimal]:
        """Where this side's quotes should stand, nearest first."""
        own = self.parameters
        sign = -1 if side == "buy" else 1
        room = own.most + view.position * sign
        if view.position * sign < 0:  # this side closes, and a broker takes no more of that than there is
            room = min(room, abs(view.position))
        count = max(0, min(len(own.offsets_bps), int(room / own.lot)))
        fair = view.close * (1 - own.lean_bps * (view.position / own.lot) / BPS)
        return [(fair * (1 + sign * offset / BPS)).quantize(CENT) for offset in own.offsets_bps[:count]]

    def _nearest(self, standing: Sequence[Working], price: Decimal) -> Working | None:
        tolerance = price * self.parameters.tolerance_bps / BPS
        fits = [
            (abs(order.limit_price - price), order.order_id, order)
            for order in standing
            if order.limit_price is not None and abs(order.limit_price - price) <= tolerance
        ]
        return min(fits)[2] if fits else None
