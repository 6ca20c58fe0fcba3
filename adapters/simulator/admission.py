"""From a request's JSON to orders: what the broker checks before it accepts anything. Nothing is changed here."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from uuid import NAMESPACE_URL, uuid4, uuid5

from adapters.simulator.account import Account
from adapters.simulator.market import LISTINGS, Quote
from adapters.simulator.orders import BUY, HELD, SELL, ZERO, Order, Refusal, forbidden, invalid

Body = Mapping[str, object]

TYPES = {
    "market": (),
    "limit": ("limit_price",),
    "stop": ("stop_price",),
    "stop_limit": ("limit_price", "stop_price"),
    "trailing_stop": (),
}
CLASSES = ("", "simple", "bracket", "oco", "oto")
TIMES_IN_FORCE = ("day", "gtc", "ioc", "fok")
ASSET_IDS = {symbol: str(uuid5(NAMESPACE_URL, f"andon-simulator/{symbol}")) for symbol in LISTINGS}
SYMBOLS = {asset_id: symbol for symbol, asset_id in ASSET_IDS.items()}


def symbol_named(name: str) -> str | None:
    """The listed symbol with this symbol or asset id."""
    symbol = SYMBOLS.get(name.lower(), name.upper())
    return symbol if symbol in LISTINGS else None


def number(body: Body, name: str) -> Decimal | None:
    """A positive quantity or price, sent as a JSON number or as a string; None where it is absent or null."""
    value = body.get(name)
    if value is None or value == "":
        return None
    try:
        parsed = Decimal(str(value))
    except InvalidOperation:
        raise invalid(f"invalid {name}: {value}") from None
    if not parsed.is_finite() or parsed <= 0:
        raise invalid(f"{name} must be > 0")
    if parsed != round(parsed, 9):
        raise invalid(f"{name} is limited to 9 decimal places")
    return parsed


def price(body: Body, name: str) -> Decimal | None:
    value = number(body, name)
    if value is not None and value != round(value, 2 if value >= 1 else 4):
        raise invalid(f"invalid {name} {value}. sub-penny increment does not fulfill minimum pricing criteria")
    return value


def text(body: Body, name: str, allowed: tuple[str, ...], default: str = "") -> str:
    value = body.get(name) or default
    if value not in allowed:
        raise invalid(f"invalid {name.replace('_', ' ')}: {value}" if value else f"{name} is required")
    return str(value)


def nested(body: Body, name: str) -> Body | None:
    value = body.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise invalid(f"{name} must be an object")
    return value


def intent(position: Decimal, side: str) -> str:
    """What an order means to a position: it closes what opposes it and opens everything else."""
    closes = position < 0 if side == BUY else position > 0
    return f"{side}_to_{'close' if closes else 'open'}"


def client_id(account: Account, body: Body) -> str:
    given = body.get("client_order_id") or str(uuid4())
    if not isinstance(given, str) or len(given) > 128:
        raise invalid("client_order_id must be a string of at most 128 characters")
    if given in account.by_client_id:
        raise Refusal(422, 40010001, "client_order_id must be unique")
    return given


def read_order(account: Account, body: Body, now: int) -> Order:
    """The order a request describes, checked for itself; what the account allows comes after."""
    given = body.get("symbol")
    if not given:
        raise invalid("symbol is required")
    symbol = symbol_named(str(given))
    if symbol is None:
        raise invalid(f'asset "{given}" not found')
    qty, notional = number(body, "qty"), number(body, "notional")
    if (qty is None) == (notional is None):
        raise invalid("qty or notional is required" if qty is None else "only one of qty or notional is accepted")
    kind = text(body, "type", tuple(TYPES))
    limit, stop = price(body, "limit_price"), price(body, "stop_price")
    for name, value in (("limit_price", limit), ("stop_price", stop)):
        if (name in TYPES[kind]) != (value is not None):
            raise invalid(f"{kind} orders {'require' if value is None else 'must not have'} {name}")
    trail_price, trail_percent = number(body, "trail_price"), number(body, "trail_percent")
    if (trail_price is not None) + (trail_percent is not None) != (kind == "trailing_stop"):
        raise invalid("trailing_stop orders, and no others, require one of trail_price and trail_percent")
    side = text(body, "side", (BUY, SELL))
    order = Order(
        id=str(uuid4()),
        client_order_id=client_id(account, body),
        symbol=symbol,
        side=side,
        type=kind,
        time_in_force=text(body, "time_in_force", TIMES_IN_FORCE),
        qty=qty,
        notional=notional,
        limit_price=limit,
        stop_price=stop,
        trail_price=trail_price,
        trail_percent=trail_percent,
        order_class=text(body, "order_class", CLASSES) if body.get("order_class") else "",
        extended_hours=body.get("extended_hours") is True,
        intent=intent(account.position(symbol), side),
        created=now,
        updated=now,
    )
    check_fraction(account, order)
    if order.extended_hours and (order.type != "limit" or order.time_in_force not in ("day", "gtc")):
        raise invalid("extended hours order must be DAY or GTC limit orders")
    return order


def check_fraction(account: Account, order: Order) -> None:
    if order.qty is not None and order.qty == order.qty.to_integral_value():
        return
    if not account.configurations.fractional_trading:
        raise forbidden("fractional trading is disabled for this account")
    if order.order_class not in ("", "simple"):
        raise invalid("fractional orders must be simple orders")
    if order.time_in_force != "day":
        raise invalid("fractional orders must be DAY orders")
    if order.notional is not None and order.type != "market":
        raise invalid("notional orders must be market orders")
    if order.side == SELL and not order.closes:
        raise invalid("fractional orders cannot be sold short")


def leg(parent: Order, kind: str, limit: Decimal | None, stop: Decimal | None, status: str) -> Order:
    """An exit of a parent order: the other side, closing, of the same quantity."""
    side = parent.side if parent.order_class == "oco" else (SELL if parent.side == BUY else BUY)
    return Order(
        id=str(uuid4()),
        client_order_id=str(uuid4()),
        symbol=parent.symbol,
        side=side,
        type=kind,
        time_in_force=parent.time_in_force,
        qty=parent.qty,
        limit_price=limit,
        stop_price=stop,
        order_class=parent.order_class,
        intent=f"{side}_to_close",
        status=status,
        created=parent.created,
        updated=parent.created,
    )


def read_group(account: Account, body: Body, now: int, quote: Quote | None = None) -> list[Order]:
    """All orders that a request describes: one, or the parent and its exits."""
    order_class = body.get("order_class")
    if order_class == "oco":
        return read_oco(account, body, now)
    parent = read_order(account, body, now)
    if order_class not in ("bracket", "oto"):
        return [parent]
    profit, stop = exits(body)
    if order_class == "bracket" and not (profit and stop):
        raise invalid("bracket orders require take_profit.limit_price and stop_loss.stop_price")
    if order_class == "oto" and bool(profit) == bool(stop):
        raise invalid("oto orders require one of take_profit and stop_loss")
    check_entry(parent)
    base = parent.limit_price or parent.stop_price or (quote.last if quote else None)
    check_exits(parent.side, base, profit, stop)
    legs = []
    if profit:
        legs.append(leg(parent, "limit", profit, None, HELD))
    if stop:
        legs.append(leg(parent, *stop_form(stop), HELD))
    return grouped(parent, legs)


def read_oco(account: Account, body: Body, now: int) -> list[Order]:
    """Two exits of a position, of which one cancels the other: the parent is the take profit, its leg the stop."""
    profit, stop = exits(body)
    if not (profit and stop):
        raise invalid("oco orders require take_profit.limit_price and stop_loss.stop_price")
    parent = read_order(account, {**body, "type": "limit", "limit_price": profit}, now)
    check_entry(parent)
    if not parent.closes:
        raise invalid("oco orders must be exit orders")
    check_exits(SELL if parent.side == BUY else BUY, None, profit, stop)
    return grouped(parent, [leg(parent, *stop_form(stop), parent.status)])


Stop = tuple[Decimal, Decimal | None]


def exits(body: Body) -> tuple[Decimal | None, Stop | None]:
    """The take profit's limit, and the stop loss's stop with its limit where it has one."""
    take_profit, stop_loss = nested(body, "take_profit"), nested(body, "stop_loss")
    profit = price(take_profit, "limit_price") if take_profit else None
    stop = price(stop_loss, "stop_price") if stop_loss else None
    return profit, (stop, price(stop_loss, "limit_price")) if stop and stop_loss else None


def stop_form(stop: Stop) -> tuple[str, Decimal | None, Decimal]:
    return ("stop_limit" if stop[1] else "stop", stop[1], stop[0])


def check_entry(parent: Order) -> None:
    if parent.time_in_force not in ("day", "gtc"):
        raise invalid(f"{parent.order_class} orders must be DAY or GTC orders")
    if parent.extended_hours:
        raise invalid(f"{parent.order_class} orders are not allowed in extended hours")


def check_exits(entry: str, base: Decimal | None, profit: Decimal | None, stop: Stop | None) -> None:
    """A long entry takes its profit above and stops its loss below; a short one the other way round."""
    sign = 1 if entry == BUY else -1
    if profit and stop and (profit - stop[0]) * sign <= 0:
        raise invalid(f"take_profit.limit_price must be {'>' if sign > 0 else '<'} stop_loss.stop_price")
    if base and profit and (profit - base) * sign <= 0:
        raise invalid(f"take_profit.limit_price must be {'>=' if sign > 0 else '<='} base_price + 0.01")
    if base and stop and (base - stop[0]) * sign <= 0:
        raise invalid(f"stop_loss.stop_price must be {'<=' if sign > 0 else '>='} base_price - 0.01")


def grouped(parent: Order, legs: list[Order]) -> list[Order]:
    orders = [parent, *legs]
    for order in orders:
        order.group = tuple(member.id for member in orders)
    return orders


def check_account(account: Account, order: Order, quote: Quote, buying_power: Decimal) -> None:
    """Whether the account allows a new order now: shares to close, money or leave to open."""
    if account.configurations.suspend_trade:
        raise forbidden("new orders are rejected by user request")
    asked = order.remaining(quote.last)
    if order.closes:
        check_shares(account, order.symbol, asked, quote.last)
    elif order.side == SELL and account.configurations.no_shorting:
        raise forbidden("account is not allowed to short")
    elif asked * order.asked_price(quote.ask) > buying_power:
        raise forbidden("insufficient buying power", buying_power=str(buying_power))


def check_shares(account: Account, symbol: str, asked: Decimal, mark: Decimal) -> None:
    """A closing order may take what no other closing order has taken."""
    available = account.available(symbol, mark)
    if asked <= available:
        return
    held = account.position(symbol)
    raise forbidden(
        "insufficient qty available for order "
        f"(requested: {asked.normalize():f}, available: {available.normalize():f})",
        symbol=symbol,
        available=f"{available.normalize():f}",
        existing_qty=f"{abs(held).normalize():f}",
        held_for_orders=f"{max(ZERO, abs(held) - available).normalize():f}",
    )
