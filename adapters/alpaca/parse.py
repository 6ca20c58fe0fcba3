"""From the broker's JSON to our words. Every function raises ValueError, KeyError or TypeError where it can not."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.base import Account, Bar, Clock, ItemResult, Quote
from console.desk.events import Filled, Order, Position
from console.desk.protective import LINKED
from console.desk.pull import normal_symbol

NONSENSE = (ValueError, KeyError, TypeError, AttributeError)


_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nanoseconds(text: str) -> int:
    """An RFC 3339 time as UTC ns. The broker sends up to nine digits of a second, which datetime would cut."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time")
    day, clock, fraction, zone = match.groups()
    moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    return (moment - _EPOCH) // timedelta(seconds=1) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))


def day_of(at: int) -> str:
    """The UTC date of a time in ns."""
    return (_EPOCH + timedelta(microseconds=at // 1000)).date().isoformat()


def number(value: object) -> Decimal:
    """A quantity or money, from a string or a JSON number; never from a float."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise TypeError(f"{value!r} is not a number")
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not parsed.is_finite():
        raise ValueError(f"{value!r} is not a number")
    return parsed


def optional(value: object) -> Decimal | None:
    return None if value is None else number(value)


def text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r} is not a word")
    return value


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def items(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TypeError("a list of objects was expected")
    return value


def side(value: object) -> str:
    """buy or sell. Short sales come as `sell_short` in fills."""
    word = text(value)
    if word not in ("buy", "sell", "sell_short"):
        raise ValueError(f"{word!r} is not a side")
    return "buy" if word == "buy" else "sell"


def account(told: dict[str, Any]) -> Account:
    return Account(
        number=text(told["account_number"]),
        equity=number(told["equity"]),
        last_equity=number(told["last_equity"]),
        currency=text(told["currency"]),
        blocked=any(flag(told.get(name, False)) for name in BLOCKS),
    )


BLOCKS = ("account_blocked", "trading_blocked", "trade_suspended_by_user")


def clock(told: dict[str, Any]) -> Clock:
    return Clock(
        now=nanoseconds(told["timestamp"]),
        is_open=flag(told["is_open"]),
        next_open=nanoseconds(told["next_open"]),
        next_close=nanoseconds(told["next_close"]),
    )


def sessions(told: object, first: date, last: date) -> tuple[date, ...]:
    """The days of a calendar. One that names others than it was asked for is not believed at all."""
    days = sorted({date.fromisoformat(row["date"]) for row in items(told)})
    if days and not (first <= days[0] and days[-1] <= last):
        raise ValueError(f"a calendar from {days[0]} to {days[-1]}, asked for {first} to {last}")
    return tuple(days)


def position(told: dict[str, Any]) -> Position:
    """The sign is taken from `side`, which the broker always sends, and not from the quantity's own."""
    qty = abs(number(told["qty"]))
    which = text(told["side"])
    if which not in ("long", "short"):
        raise ValueError(f"{which!r} is not a side of a position")
    return Position(
        symbol=normal_symbol(text(told["symbol"])),
        qty=qty if which == "long" else -qty,
        avg_price=optional(told.get("avg_entry_price")),
        mark=optional(told.get("current_price")),
    )


def order(told: dict[str, Any]) -> Order:
    """An order by notional has no quantity until it is filled: then what is filled is all that is known of it."""
    filled = number(told["filled_qty"])
    qty = optional(told.get("qty"))
    return Order(
        id=text(told["id"]),
        client_order_id=text(told["client_order_id"]),
        symbol=normal_symbol(text(told["symbol"])),
        side=side(told["side"]),
        qty=filled if qty is None else qty,
        filled_qty=filled,
        type=text(told["type"]),
        status=text(told["status"]),
        created=nanoseconds(told["created_at"]),
        limit_price=optional(told.get("limit_price")),
        stop_price=optional(told.get("stop_price")),
        time_in_force=text(told["time_in_force"]),
        order_class=_linked(told.get("order_class")),
        legs=tuple(text(leg["id"]) for leg in items(told.get("legs") or [])),
    )


def _linked(order_class: object) -> str:
    return order_class if isinstance(order_class, str) and order_class in LINKED else ""


def execution_of(activity_id: str) -> str:
    """Activities are named `time::execution`; the stream sends the execution alone. One fill has one name here."""
    return activity_id.rpartition("::")[2]


def fill(told: dict[str, Any], venue: str, client_order_id: str) -> Filled:
    """A fill from the list of activities, which does not say the client's order id."""
    return Filled(
        venue=venue,
        execution_id=execution_of(text(told["id"])),
        order_id=text(told["order_id"]),
        client_order_id=client_order_id,
        symbol=normal_symbol(text(told["symbol"])),
        side=side(told["side"]),
        qty=abs(number(told["qty"])),
        price=number(told["price"]),
        at=nanoseconds(told["transaction_time"]),
    )


def streamed_fill(told: dict[str, Any], venue: str) -> Filled:
    """A fill from a `fill` or `partial_fill` of the stream."""
    of = order(told["order"])
    return Filled(
        venue=venue,
        execution_id=execution_of(text(told["execution_id"])),
        order_id=of.id,
        client_order_id=of.client_order_id,
        symbol=of.symbol,
        side=of.side,
        qty=abs(number(told["qty"])),
        price=number(told["price"]),
        at=nanoseconds(told["timestamp"]),
    )


def bar(symbol: str, told: dict[str, Any], interval: int) -> Bar:
    return Bar(
        symbol=symbol,
        start=nanoseconds(told["t"]),
        interval=interval,
        open=number(told["o"]),
        high=number(told["h"]),
        low=number(told["l"]),
        close=number(told["c"]),
        volume=number(told["v"]),
    )


def market_quote(symbol: str, told: dict[str, Any]) -> Quote:
    """A price of 0 is the broker's way to say that nobody quotes that side."""
    return Quote(
        symbol=normal_symbol(symbol),
        bid=number(told["bp"]) or None,
        ask=number(told["ap"]) or None,
        bid_size=number(told["bs"]),
        ask_size=number(told["as"]),
        at=nanoseconds(told["t"]),
    )


def cancelled_item(told: dict[str, Any]) -> ItemResult:
    status = int(number(told["status"]))
    return ItemResult(
        target=text(told["id"]), ok=200 <= status < 300, status=status, message=_message(told.get("body"))
    )


def closed_item(told: dict[str, Any]) -> ItemResult:
    status = int(number(told["status"]))
    done = 200 <= status < 300
    body = told.get("body")
    return ItemResult(
        target=normal_symbol(text(told["symbol"])),
        ok=done,
        status=status,
        message="" if done else _message(body),
        order_id=text(body["id"]) if done and isinstance(body, dict) else "",
    )


def _message(body: object) -> str:
    return str(body.get("message", "")) if isinstance(body, dict) else ""
