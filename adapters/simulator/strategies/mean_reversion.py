"""Mean reversion: against the distance from the mean, in standard deviations, with limit orders that cross."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.base import Bar
from adapters.simulator.strategies.model import BPS, CENT, Cancel, Send, View, Wish, steps, towards


@dataclass(frozen=True, slots=True)
class Parameters:
    """`step` is in standard deviations; a limit is placed `cross_bps` beyond the last price."""

    seed: int
    window: int = 6
    step: Decimal = Decimal("0.7")
    lot: Decimal = Decimal(4)
    lots: int = 2
    cross_bps: Decimal = Decimal(8)


class MeanReversion:
    def __init__(self, seed: int) -> None:
        self.parameters = Parameters(seed)

    def predict(self, bars: Sequence[Bar]) -> Decimal | None:
        """Minus the z-score of the last close: positive where a rise is expected."""
        if len(bars) < self.parameters.window:
            return None
        closes = [bar.close for bar in bars[-self.parameters.window :]]
        mean = sum(closes, Decimal(0)) / len(closes)
        variance = sum(((close - mean) ** 2 for close in closes), Decimal(0)) / len(closes)
        if not variance:
            return Decimal(0)
        return ((mean - closes[-1]) / variance.sqrt()).quantize(Decimal("0.0001"))

    def decide(self, view: View) -> list[Wish]:
        own = self.parameters
        if view.working:  # what did not fill at once is taken back before anything new
            return [Cancel(order.order_id) for order in view.working]
        signal = self.predict(view.bars)
        if signal is None:
            return []
        step = towards(view.position, steps(signal, own.step, own.lots) * own.lot, own.lot)
        if step is None:
            return []
        side, qty = step
        away = (view.close * own.cross_bps / BPS).quantize(CENT)
        return [Send(side, qty, "limit", view.close + (away if side == "buy" else -away))]
