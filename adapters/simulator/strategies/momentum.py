"""Momentum: go with the return of the last few bars. Some entries are brackets, so that protective orders stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.base import Bar
from adapters.simulator.strategies.model import BPS, CENT, Cancel, Send, View, Wish, chance, steps, towards


@dataclass(frozen=True, slots=True)
class Parameters:
    """Returns in basis points. `bracket_share` of the entries from flat get exits `exit_bps` away."""

    seed: int
    lookback: int = 3
    step_bps: Decimal = Decimal(6)
    lot: Decimal = Decimal(4)
    lots: int = 3
    bracket_share: Decimal = Decimal("0.25")
    exit_bps: Decimal = Decimal(40)


class Momentum:
    def __init__(self, seed: int) -> None:
        self.parameters = Parameters(seed)

    def predict(self, bars: Sequence[Bar]) -> Decimal | None:
        """The return over the lookback, in basis points."""
        if len(bars) <= self.parameters.lookback:
            return None
        before = bars[-1 - self.parameters.lookback].close
        return ((bars[-1].close / before - 1) * BPS).quantize(Decimal("0.0001"))

    def decide(self, view: View) -> list[Wish]:
        own = self.parameters
        signal = self.predict(view.bars)
        if signal is None or any(not order.leg for order in view.working):
            return []
        target = steps(signal, own.step_bps, own.lots) * own.lot
        if view.working:  # a bracket holds the position; it goes when the signal does
            return [] if view.position * target > 0 else [Cancel(view.working[0].order_id)]
        step = towards(view.position, target, own.lot)
        if step is None:
            return []
        side, qty = step
        if view.position or chance(own.seed, view.symbol, view.bars[-1].start) >= own.bracket_share:
            return [Send(side, qty)]
        away = (view.close * own.exit_bps / BPS).quantize(CENT) * (1 if side == "buy" else -1)
        return [Send(side, qty, take_profit=view.close + away, stop_loss=view.close - away)]
