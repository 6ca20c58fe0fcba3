"""The broker's state in the words of the Alpaca API: order, position, account, activity, clock, bar and their kin."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from adapters.simulator.account import MULTIPLIER, Account, Holding, Mark
from adapters.simulator.admission import ASSET_IDS
from adapters.simulator.market import LISTINGS, MarketBar, MarketClock, Quote
from adapters.simulator.orders import Fill, Order, Update
from adapters.simulator.sessions import (
    EARLY_CLOSE,
    SECOND,
    Session,
    new_york_date,
    new_york_offset,
    session_from,
    utc_ns,
)

Json = dict[str, object]
RATIO = Decimal("0.000001")


def stamp(at: int) -> str:
    """RFC 3339 in UTC with nanoseconds."""
    return f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%dT%H:%M:%S}.{at % SECOND:09d}Z"


def stamp_or_none(at: int) -> str | None:
    return stamp(at) if at else None


def new_york_stamp(at: int) -> str:
    """RFC 3339 in New York's time, as the clock call answers."""
    offset = new_york_offset(new_york_date(at))
    local = datetime.fromtimestamp(at // SECOND, UTC) + offset
    hours = int(offset / timedelta(hours=1))
    fraction = f".{at % SECOND:09d}" if at % SECOND else ""
    return f"{local:%Y-%m-%dT%H:%M:%S}{fraction}{hours:+03d}:00"


def plain(value: Decimal) -> str:
    """A number without exponent and without trailing zeros."""
    return f"{value.normalize():f}" if value else "0"


def plain_or_none(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def ratio(part: Decimal, whole: Decimal) -> str:
    return plain((part / whole).quantize(RATIO)) if whole else "0"


# --- trading ---------------------------------------------------------------------------------------------------------


def order(order: Order, legs: Sequence[Json] = ()) -> Json:
    """`legs`, themselves rendered, are rolled up where the caller hands them in."""
    average = order.average
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": stamp(order.created),
        "updated_at": stamp(order.updated),
        "submitted_at": stamp(order.created),
        "filled_at": stamp_or_none(order.filled_at),
        "expired_at": stamp_or_none(order.expired_at),
        "canceled_at": stamp_or_none(order.canceled_at),
        "failed_at": stamp_or_none(order.failed_at),
        "replaced_at": stamp_or_none(order.replaced_at),
        "replaced_by": order.replaced_by or None,
        "replaces": order.replaces or None,
        "asset_id": ASSET_IDS[order.symbol],
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": plain_or_none(order.notional),
        "qty": plain_or_none(order.qty),
        "filled_qty": plain(order.filled_qty),
        "filled_avg_price": None if average is None else plain(average.quantize(RATIO)),
        "order_class": order.order_class,
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "time_in_force": order.time_in_force,
        "limit_price": plain_or_none(order.limit_price),
        "stop_price": plain_or_none(order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": list(legs) or None,
        "trail_percent": plain_or_none(order.trail_percent),
        "trail_price": plain_or_none(order.trail_price),
        "hwm": plain_or_none(order.hwm),
        "position_intent": order.intent,
    }


def position(symbol: str, holding: Holding, account: Account, mark: Decimal, last_close: Decimal) -> Json:
    value, basis = holding.qty * mark, holding.qty * holding.average
    gain, intraday = value - basis, holding.qty * (mark - last_close)
    return {
        "asset_id": ASSET_IDS[symbol],
        "symbol": symbol,
        "exchange": LISTINGS[symbol].exchange,
        "asset_class": "us_equity",
        "asset_marginable": True,
        "qty": plain(holding.qty),
        "qty_available": plain(account.available(symbol, mark) * (1 if holding.qty > 0 else -1)),
        "avg_entry_price": plain(holding.average.quantize(RATIO)),
        "side": "long" if holding.qty > 0 else "short",
        "market_value": plain(value),
        "cost_basis": plain(basis.quantize(RATIO)),
        "unrealized_pl": plain(gain.quantize(RATIO)),
        "unrealized_plpc": ratio(gain, abs(basis)),
        "unrealized_intraday_pl": plain(intraday.quantize(RATIO)),
        "unrealized_intraday_plpc": ratio(intraday, abs(holding.qty * last_close)),
        "current_price": plain(mark),
        "lastday_price": plain(last_close),
        "change_today": ratio(mark - last_close, last_close),
    }


def account(account: Account, mark: Mark, blocked: bool) -> Json:
    long_value, short_value = account.long_value(mark), account.short_value(mark)
    equity = account.cash + long_value + short_value
    gross = long_value - short_value
    power = account.buying_power(mark)
    return {
        "id": account.opened.id,
        "account_number": account.opened.number,
        "status": "ACTIVE",
        "crypto_status": "INACTIVE",
        "currency": "USD",
        "cash": plain(account.cash),
        "portfolio_value": plain(equity),
        "equity": plain(equity),
        "last_equity": plain(account.last_equity),
        "long_market_value": plain(long_value),
        "short_market_value": plain(short_value),
        "initial_margin": plain(gross / 2),
        "maintenance_margin": plain(gross * 3 / 10),
        "last_maintenance_margin": "0",
        "sma": plain(equity),
        "buying_power": plain(power),
        "regt_buying_power": plain(power),
        "daytrading_buying_power": plain(power),
        "non_marginable_buying_power": plain(power / MULTIPLIER),
        "options_buying_power": plain(power / MULTIPLIER),
        "options_approved_level": 0,
        "options_trading_level": 0,
        "multiplier": str(MULTIPLIER),
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "pending_reg_taf_fees": "0",
        "intraday_adjustments": "0",
        "daytrade_count": 0,
        "pattern_day_trader": False,
        "trading_blocked": blocked,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": account.configurations.suspend_trade,
        "shorting_enabled": not account.configurations.no_shorting,
        "created_at": stamp(account.opened.at),
        "balance_asof": new_york_date(account.history[-1].at if account.history else account.opened.at).isoformat(),
    }


def activity(fill: Fill) -> Json:
    return {
        "id": fill.id,
        "activity_type": "FILL",
        "transaction_time": stamp(fill.at),
        "type": "partial_fill" if fill.leaves_qty else "fill",
        "order_id": fill.order_id,
        "order_status": "partially_filled" if fill.leaves_qty else "filled",
        "symbol": fill.symbol,
        "side": fill.side,
        "qty": plain(fill.qty),
        "price": plain(fill.price),
        "cum_qty": plain(fill.cum_qty),
        "leaves_qty": plain(fill.leaves_qty),
    }


def trade_update(update: Update) -> Json:
    data: Json = {"event": update.event, "timestamp": stamp(update.at), "order": order(update.order)}
    if update.fill is not None:
        data |= {
            "execution_id": update.fill.execution_id,
            "price": plain(update.fill.price),
            "qty": plain(update.fill.qty),
            "position_qty": plain(update.fill.position_qty),
        }
    return {"stream": "trade_updates", "data": data}


def clock(clock: MarketClock, is_open: bool, skew: int) -> Json:
    return {
        "timestamp": new_york_stamp(clock.now + skew),
        "is_open": is_open,
        "next_open": new_york_stamp(clock.next_open),
        "next_close": new_york_stamp(clock.next_close),
    }


def calendar_day(session: Session) -> Json:
    early = session.close == utc_ns(session.day, EARLY_CLOSE)
    return {
        "date": session.day.isoformat(),
        "open": "09:30",
        "close": "13:00" if early else "16:00",
        "session_open": "0400",
        "session_close": "1700" if early else "2000",
        "settlement_date": session_from(session.day + timedelta(days=1)).day.isoformat(),
    }


def asset(symbol: str) -> Json:
    listing = LISTINGS[symbol]
    return {
        "id": ASSET_IDS[symbol],
        "class": "us_equity",
        "exchange": listing.exchange,
        "symbol": symbol,
        "name": listing.name,
        "status": "active",
        "tradable": True,
        "marginable": True,
        "maintenance_margin_requirement": 30,
        "margin_requirement_long": "30",
        "margin_requirement_short": "30",
        "shortable": True,
        "easy_to_borrow": True,
        "borrow_status": "easy_to_borrow",
        "fractionable": True,
        "attributes": [],
    }


def portfolio_history(account: Account, mark: Mark, now: int, timeframe: str) -> Json:
    """Equity at each close that the account has seen, and now."""
    points = [(day.at, day.equity) for day in account.history] + [(now, account.equity(mark))]
    base = account.opened.cash
    gains = [equity - (points[index - 1][1] if index else base) for index, (_, equity) in enumerate(points)]
    return {
        "timestamp": [at // SECOND for at, _ in points],
        "equity": [float(equity) for _, equity in points],
        "profit_loss": [float(gain) for gain in gains],
        "profit_loss_pct": [
            float(gain / (equity - gain)) if equity != gain else 0.0
            for gain, (_, equity) in zip(gains, points, strict=True)
        ],
        "base_value": float(base),
        "base_value_asof": new_york_date(account.opened.at).isoformat(),
        "timeframe": timeframe,
        "cashflow": {},
    }


# --- market data -----------------------------------------------------------------------------------------------------


def bar(bar: MarketBar) -> Json:
    return {
        "t": f"{stamp(bar.start)[:19]}Z",
        "o": float(bar.open),
        "h": float(bar.high),
        "l": float(bar.low),
        "c": float(bar.close),
        "v": bar.volume,
        "n": bar.trades,
        "vw": float(bar.vwap),
    }


def quote(quote: Quote) -> Json:
    return {
        "t": stamp(quote.at),
        "ax": "V",
        "ap": float(quote.ask),
        "as": quote.size,
        "bx": "V",
        "bp": float(quote.bid),
        "bs": quote.size,
        "c": ["R"],
        "z": "C",
    }


def trade(quote: Quote) -> Json:
    return {
        "t": stamp(quote.at),
        "x": "V",
        "p": float(quote.last),
        "s": quote.size,
        "c": ["@"],
        "i": quote.at // SECOND,
        "z": "C",
    }
