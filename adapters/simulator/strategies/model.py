"""What a model is: parameters, a prediction from bars, and the wishes that follow. Pure, and the same for one seed."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Protocol

from adapters.base import Bar

CENT = Decimal("0.01")
BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Working:
    """An order of ours that may still fill. `leg`: one of a bracket's exits; `rest` is the quantity not yet filled."""

    order_id: str
    side: str
    rest: Decimal
    limit_price: Decimal | None = None
    leg: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What a model sees of one symbol: minute bars (oldest first, at least one), its own position and its orders."""

    symbol: str
    bars: Sequence[Bar]
    position: Decimal
    working: Sequence[Working]

    @property
    def close(self) -> Decimal:
        return self.bars[-1].close


@dataclass(frozen=True, slots=True)
class Send:
    """A wish to send an order; the gate and the book may make it smaller."""

    side: str
    qty: Decimal
    type: str = "market"
    limit_price: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    order_id: str


Wish = Send | Cancel


class Model(Protocol):
    """`parameters` is a frozen dataclass with everything that `predict` and `decide` depend on besides the bars."""

    @property
    def parameters(self) -> Any: ...

    def predict(self, bars: Sequence[Bar]) -> Decimal | None:
        """The prediction for the next bars, None while there are too few."""
        ...

    def decide(self, view: View) -> list[Wish]: ...


def hash_of(kind: str, model: Model) -> str:
    """SHA-256 of the kind and its parameters, as a canonical JSON object."""
    told = {"kind": kind, **asdict(model.parameters)}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def chance(seed: int, *what: object) -> float:
    """A number from 0 to 1 that is the same for the same words, whatever was drawn before."""
    digest = hashlib.sha256(repr((seed, *what)).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def steps(signal: Decimal, step: Decimal, most: int) -> int:
    """How many whole steps a signal is worth, at most `most` either way."""
    return max(-most, min(most, round(signal / step)))


def towards(position: Decimal, target: Decimal, lot: Decimal) -> tuple[str, Decimal] | None:
    """The side and quantity of the next order from a position to a target, None when there. A position is closed
    before the other side is opened: a broker takes no order that would do both."""
    if position * target < 0:
        target = Decimal(0)
    change = target - position
    if abs(change) < lot and target:
        return None
    return ("buy" if change > 0 else "sell", abs(change)) if change else None
