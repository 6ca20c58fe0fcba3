"""Asks the gate on a strategy's behalf, and makes an order as small as the answer demands."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from adapters.gate_client import Answer, Gate
from adapters.simulator.strategies.model import Send

_RANK = {"OPEN": 0, "REDUCED": 1, "CLOSE_ONLY": 2, "HALTED": 3}


class Gatekeeper:
    """`latest` is the last answer for each symbol."""

    def __init__(self, folder: Path, venue: str, strategy: str, symbols: tuple[str, ...]) -> None:
        self._gate = Gate(folder, venue=venue, strategy=strategy)
        nothing = Answer("HALTED", "0", "0", "the gate was not asked yet")
        self.latest = dict.fromkeys(symbols, nothing)

    async def ask(self, symbol: str) -> Answer:
        answer = await asyncio.to_thread(self._gate.ask, symbol)
        self.latest[symbol] = answer
        return answer

    @property
    def overall(self) -> Answer:
        """The strategy's own gate is that of its freest symbol: it is HALTED only when nothing of it may trade."""
        return min(self.latest.values(), key=lambda answer: _RANK[answer.state])


def allowed(send: Send, answer: Answer, reducible: Decimal) -> Send | None:
    """What the gate leaves of a wish, None for nothing. `reducible` is how much of the position it may close, 0 for a
    wish that opens. An order that only closes needs no exits, and is not made smaller by a lower size."""
    if answer.state == "HALTED":
        return None
    qty = send.qty
    if answer.state == "CLOSE_ONLY":
        qty = min(qty, reducible)
    elif answer.state == "REDUCED":
        qty = max(Decimal(int(qty * answer.size_factor)), min(qty, reducible))
    if qty <= 0:
        return None
    if 0 < qty <= reducible:
        return replace(send, qty=qty, take_profit=None, stop_loss=None)
    return replace(send, qty=qty)
