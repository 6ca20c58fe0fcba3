"""The life of an order, from acceptance to its end, against quotes that are handed in.

    accepted → new → partially_filled → filled          legs of a bracket wait as held
                   → pending_cancel → canceled          expired at the close, replaced by its successor

Pure like the ledger. Invariants: an order never fills more than its quantity; cash and positions move by fills alone;
what is meant to close never does more than that, whatever else happened to the position meanwhile.
"""

from copy import copy
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

from adapters.simulator.account import Account
from adapters.simulator.admission import Body, check_account, check_shares, client_id, read_group, read_order
from adapters.simulator.market import CENT, Quote
from adapters.simulator.orders import (
    ACCEPTED,
    CANCELED,
    EXPIRED,
    FILLED,
    HELD,
    NEW,
    OPEN,
    PARTIALLY_FILLED,
    PENDING_CANCEL,
    REJECTED,
    REPLACED,
    STOPS,
    WORKING,
    ZERO,
    Fill,
    Order,
    forbidden,
    invalid,
    not_found,
)

# --- requests --------------------------------------------------------------------------------------------------------


def submit(account: Account, body: Body, quote: Quote, buying_power: Decimal, now: int) -> Order:
    """Accepts an order with its legs, or raises Refusal."""
    orders = read_group(account, body, now, quote)
    check_account(account, orders[0], quote, buying_power)
    for order in orders:
        account.save(order, "held" if order.status == HELD else "pending_new", now)
    return orders[0]


def close(account: Account, symbol: str, qty: Decimal | None, mark: Decimal, now: int) -> Order:
    """Sends the market order that closes a position, or so many of its shares."""
    position = account.position(symbol)
    if not position:
        raise not_found("position does not exist")
    if account.configurations.suspend_trade:
        raise forbidden("new orders are rejected by user request")
    asked = abs(position) if qty is None else qty
    check_shares(account, symbol, asked, mark)
    side = "sell" if position > 0 else "buy"
    body = {"symbol": symbol, "qty": asked, "side": side, "type": "market", "time_in_force": "day"}
    order = read_order(account, body, now)
    account.save(order, "pending_new", now)
    return order


def ask_cancel(account: Account, order: Order, now: int) -> None:
    """Asks for an end; `settle_cancel` brings it. Raises Refusal where the order has ended already."""
    if not order.is_open:
        raise invalid(f'order is already in "{order.status}" state')
    if order.status != PENDING_CANCEL:
        order.status = PENDING_CANCEL
        account.save(order, "pending_cancel", now)


def settle_cancel(account: Account, order: Order, now: int) -> None:
    """Ends an order and, with it, the rest of its group."""
    if order.is_open:
        end(account, order, CANCELED, now)
        for other in group(account, order):
            if other.is_open:
                end(account, other, CANCELED, now)


def replace(account: Account, order: Order, body: Body, quote: Quote, buying_power: Decimal, now: int) -> Order:
    """Puts a changed order in the place of an open one. `qty` is the total, so what has been filled is taken off."""
    if order.status not in (ACCEPTED, *WORKING):
        raise invalid(f'order is in "{order.status}" state and can not be replaced')
    if order.notional is not None:
        raise invalid("notional orders can not be replaced")
    successor = changed(account, order, body, now)
    before = order.status
    order.status = REPLACED  # out of the way, so that its own shares and money count as free
    account.open[order.symbol].pop(order.id)
    try:
        freed = order.remaining(quote.ask) * order.asked_price(quote.ask) if not order.closes else ZERO
        check_account(account, successor, quote, buying_power + freed)
    except BaseException:
        order.status = before
        raise
    finally:
        account.open.setdefault(order.symbol, {})[order.id] = order
    order.replaced_by, order.replaced_at = successor.id, now
    for other in group(account, order):
        other.group = tuple(successor.id if member == order.id else member for member in other.group)
        account.save(other, "", now)
    account.save(successor, "", now)
    account.save(order, "replaced", now)
    return successor


def changed(account: Account, order: Order, body: Body, now: int) -> Order:
    request = {
        "symbol": order.symbol,
        "side": order.side,
        "type": order.type,
        "qty": order.qty,
        "limit_price": order.limit_price,
        "stop_price": None if order.type == "trailing_stop" else order.stop_price,
        "trail_price": order.trail_price,
        "trail_percent": order.trail_percent,
        "time_in_force": order.time_in_force,
        "extended_hours": order.extended_hours,
        "order_class": order.order_class,
    }
    given = {name: value for name, value in body.items() if value is not None}
    if "trail" in given:
        given["trail_price" if order.trail_price else "trail_percent"] = given.pop("trail")
    successor = read_order(account, {**request, **given, "client_order_id": client_id(account, body)}, now)
    assert successor.qty is not None  # noqa: S101 - a notional order is refused above
    if successor.qty <= order.filled_qty:
        raise invalid("qty must be greater than what has been filled")
    successor.qty -= order.filled_qty
    successor.intent = order.intent
    successor.replaces = order.id
    successor.group = tuple(successor.id if member == order.id else member for member in order.group)
    return successor


def group(account: Account, order: Order) -> list[Order]:
    """The other orders of its bracket, OCO or OTO."""
    return [account.orders[member] for member in order.group if member != order.id and member in account.orders]


def end(account: Account, order: Order, status: str, now: int) -> None:
    """An end without a fill: canceled, expired or rejected."""
    order.status = status
    if status == CANCELED:
        order.canceled_at = now
    elif status == EXPIRED:
        order.expired_at = now
    elif status == REJECTED:
        order.failed_at = now
    account.save(order, status, now)


# --- the market moves ------------------------------------------------------------------------------------------------


def activate(account: Account, order: Order, quote: Quote, now: int) -> None:
    """An accepted order reaches the market: it fills against the quote, rests, or ends if it may not rest."""
    order.status = NEW
    account.save(order, "new", now)
    whole = order.remaining(quote.last) <= quote.size
    if order.time_in_force != "fok" or whole:
        match(account, order, quote, quote.last, quote.last, now)
    if order.is_open and order.time_in_force in ("ioc", "fok"):
        end(account, order, CANCELED, now)


def match(account: Account, order: Order, quote: Quote, low: Decimal, high: Decimal, now: int) -> None:
    """Fills a working order as far as the trades between `low` and `high` and the quote's size allow."""
    if order.type in STOPS and not order.triggered:
        if not trigger(account, order, quote, low, high, now):
            return
        low = high = quote.last  # the trades that led to the stop are over
    at = fill_price(order, quote, low, high)
    if at is None:
        return
    shares = min(order.remaining(at), Decimal(quote.size))
    if order.closes:
        position = account.position(order.symbol)
        shares = min(shares, max(ZERO, -position * order.sign))
        if not shares:
            settle_cancel(account, order, now)
            return
    execute(account, order, shares, at, now)


def trigger(account: Account, order: Order, quote: Quote, low: Decimal, high: Decimal, now: int) -> bool:
    """Whether a stop was reached by these trades. A trailing one that was not is pulled behind them."""
    if order.stop_price is None:
        trail(account, order, quote.last, now)
    assert order.stop_price is not None  # noqa: S101 - `trail` has set it, admission that of the others
    order.triggered = high >= order.stop_price if order.sign > 0 else low <= order.stop_price
    if order.triggered:
        account.save(order, "", now)
    elif order.type == "trailing_stop":
        # Only now: whether the best or the worst of these trades came first is not known.
        trail(account, order, low if order.sign > 0 else high, now)
    return order.triggered


def trail(account: Account, order: Order, best: Decimal, now: int) -> None:
    """Pulls a trailing stop behind the best price: the lowest for a buy, the highest for a sell."""
    if order.hwm is not None and (best - order.hwm) * order.sign >= 0:
        return
    distance = order.trail_price or (best * (order.trail_percent or ZERO) / 100).quantize(CENT)
    order.hwm, order.stop_price = best, best + distance * order.sign
    account.save(order, "", now)


def fill_price(order: Order, quote: Quote, low: Decimal, high: Decimal) -> Decimal | None:
    """The price at which an order trades now, None where it does not."""
    buys = order.sign > 0
    touch = quote.ask if buys else quote.bid
    if order.limit_price is None:
        return touch
    if (order.limit_price - touch) * order.sign >= 0:
        return touch
    best = low + (quote.ask - quote.last) if buys else high - (quote.last - quote.bid)
    return order.limit_price if (order.limit_price - best) * order.sign >= 0 else None


def execute(account: Account, order: Order, shares: Decimal, at: Decimal, now: int) -> Fill:
    """Books one fill of an order, whatever the order's state, and what follows for its group."""
    order.filled_qty += shares
    order.filled_value += shares * at
    left = ZERO if order.qty is None else order.qty - order.filled_qty
    execution = str(uuid4())
    moment = datetime.fromtimestamp(now // 1_000_000_000, UTC).strftime("%Y%m%d%H%M%S")
    fill = Fill(
        id=f"{moment}{now // 1_000_000 % 1000:03d}::{execution}",
        execution_id=execution,
        order_id=order.id,
        symbol=order.symbol,
        side=order.side,
        qty=shares,
        price=at,
        at=now,
        cum_qty=order.filled_qty,
        leaves_qty=left,
        position_qty=account.position(order.symbol) + shares * order.sign,
    )
    account.execute(fill)
    if left:
        if order.status in OPEN:
            order.status = PARTIALLY_FILLED
        account.save(order, "partial_fill", now, fill)
    else:
        order.status, order.filled_at = FILLED, now
        account.save(order, "fill", now, fill)
    follow(account, order, now)
    return fill


def follow(account: Account, order: Order, now: int) -> None:
    """What a fill means to the rest of a group: exits wake up behind an entry, and shrink or end beside each other."""
    entry = order.group and not order.is_leg and order.order_class != "oco"
    for other in group(account, order):
        if entry:
            if order.status == FILLED and other.status == HELD:
                other.status, other.qty = NEW, order.filled_qty
                account.save(other, "new", now)
        elif other.status in (ACCEPTED, *WORKING):
            left = order.remaining(ZERO)
            if not left:
                end(account, other, CANCELED, now)
            else:
                other.qty = other.filled_qty + left
                account.save(other, "", now)


def expire(account: Account, close_at: int, now: int) -> None:
    """The session is over: day orders that were there before its close end."""
    for order in account.open_orders():
        if order.time_in_force == "day" and order.created < close_at and order.is_open:
            end(account, order, EXPIRED, now)


def reject(account: Account, order: Order, now: int) -> None:
    """An accepted order is turned down behind the answer."""
    end(account, order, REJECTED, now)
    for other in group(account, order):
        if other.is_open:
            end(account, other, CANCELED, now)


def fill_after_cancel(account: Account, order: Order, quote: Quote, now: int) -> None:
    """A canceled order turns out to have been filled. A closing one still does no more than close."""
    if order.status != CANCELED:
        return
    at = order.limit_price or (quote.ask if order.sign > 0 else quote.bid)
    shares = order.remaining(at)
    if order.closes:
        shares = min(shares, max(ZERO, -account.position(order.symbol) * order.sign))
    if shares:
        execute(account, order, shares, at, now)


def resting(account: Account, symbol: str, at: Decimal, count: int, client_prefix: str, now: int) -> list[Order]:
    """So many one-share orders to buy at a price, placed past every check: somebody else's hand in the account."""
    form = read_order(
        account,
        {
            "symbol": symbol,
            "side": "buy",
            "qty": 1,
            "type": "limit",
            "limit_price": at,
            "time_in_force": "gtc",
        },
        now,
    )
    form.status, form.intent = NEW, "buy_to_open"
    orders = []
    for _ in range(count):
        order = copy(form)
        order.id, order.client_order_id = str(uuid4()), f"{client_prefix}{uuid4()}"
        account.save(order, "new", now)
        orders.append(order)
    return orders
