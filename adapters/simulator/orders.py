"""What the broker keeps: orders and fills, and the words of their life."""

from decimal import Decimal

import msgspec

ZERO = Decimal(0)

ACCEPTED = "accepted"
NEW = "new"
PARTIALLY_FILLED = "partially_filled"
HELD = "held"
PENDING_CANCEL = "pending_cancel"
FILLED = "filled"
CANCELED = "canceled"
EXPIRED = "expired"
REJECTED = "rejected"
REPLACED = "replaced"

WORKING = frozenset({NEW, PARTIALLY_FILLED})
OPEN = frozenset({ACCEPTED, NEW, PARTIALLY_FILLED, HELD, PENDING_CANCEL})

STOPS = frozenset({"stop", "stop_limit", "trailing_stop"})

BUY = "buy"
SELL = "sell"


class Refusal(Exception):
    """The broker says no, and proves it: an HTTP status, its own code and a sentence. Nothing was changed."""

    def __init__(self, status: int, code: int, message: str, **detail: object) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, object] = {"code": code, "message": message, **detail}


def invalid(message: str) -> Refusal:
    return Refusal(422, 42210000, message)


def forbidden(message: str, **detail: object) -> Refusal:
    return Refusal(403, 40310000, message, **detail)


def not_found(message: str) -> Refusal:
    return Refusal(404, 40410000, message)


class Order(msgspec.Struct):
    """One order. Times are venue UTC ns, 0 where it has not happened. Exactly one of `qty` and `notional` is set.

    `intent` is fixed when the order is accepted; what is meant to close (`*_to_close`) never does more than that.
    A trailing stop's `stop_price` follows `hwm`, the best price since it went live, at a distance.
    `group` holds the order ids of a bracket, OCO or OTO: the parent first.
    """

    id: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: Decimal | None
    created: int
    updated: int
    intent: str
    status: str = ACCEPTED
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None
    order_class: str = ""
    extended_hours: bool = False
    group: tuple[str, ...] = ()
    triggered: bool = False
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    filled_at: int = 0
    canceled_at: int = 0
    expired_at: int = 0
    failed_at: int = 0
    replaced_at: int = 0
    replaced_by: str = ""
    replaces: str = ""

    @property
    def sign(self) -> int:
        return 1 if self.side == BUY else -1

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_leg(self) -> bool:
        return bool(self.group) and self.group[0] != self.id

    @property
    def closes(self) -> bool:
        return self.intent.endswith("_to_close")

    @property
    def average(self) -> Decimal | None:
        """The average fill price, None before the first fill."""
        return self.filled_value / self.filled_qty if self.filled_qty else None

    def remaining(self, price: Decimal) -> Decimal:
        """Shares still to be filled; what a notional order buys depends on the price."""
        if self.qty is not None:
            return self.qty - self.filled_qty
        assert self.notional is not None  # noqa: S101 - exactly one of the two is set
        return ZERO if self.filled_qty else (self.notional / price).quantize(Decimal("0.000000001"))

    def asked_price(self, mark: Decimal) -> Decimal:
        """The price at which money is set aside for it."""
        return self.limit_price or self.stop_price or mark


class Fill(msgspec.Struct, frozen=True):
    """One execution. `id` sorts by time; `execution_id` is its unique part. `cum_qty` and `leaves_qty` are the order's
    after it; `position_qty` the account's in the symbol after it, signed."""

    id: str
    execution_id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    at: int
    cum_qty: Decimal
    leaves_qty: Decimal
    position_qty: Decimal


class Update(msgspec.Struct, frozen=True):
    """One message of the trade_updates stream. `order` is a copy as it was then."""

    event: str
    order: Order
    at: int
    fill: Fill | None = None
