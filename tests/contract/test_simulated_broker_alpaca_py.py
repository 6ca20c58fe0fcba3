"""The official client, unchanged, against the simulated broker; every answer is held against the API's description."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.enums import Adjustment
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import (
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockSnapshotRequest,
)
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.models import Order, TradeUpdate
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrderByIdRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
    TrailingStopOrderRequest,
)
from alpaca.trading.stream import TradingStream
from support.broker import BrokerProcess, wait_until
from support.openapi import Descriptions, descriptions

START = date(2026, 3, 4)


@pytest.fixture(scope="module")
def broker() -> Iterator[BrokerProcess]:
    with BrokerProcess("--start", START.isoformat(), "--rate-limit", "100000") as process:
        process.control("POST", "/clock", {"shift_minutes": 30})
        yield process


@pytest.fixture(scope="module")
def described() -> Descriptions:
    return descriptions()


@pytest.fixture
def checked(described: Descriptions) -> Callable[[Any], Any]:
    """Puts the check behind every answer that a client of the official library gets."""

    def check(response: Any, *_args: object, **_more: object) -> None:
        described.check(response.request.method, response.url, response.status_code, response.content)

    def install(client: Any) -> Any:
        client._session.hooks["response"].append(check)
        return client

    return install


@pytest.fixture
def client(broker: BrokerProcess, checked: Callable[[Any], Any]) -> Iterator[TradingClient]:
    """A client of an account that is flat, before and after."""
    trading = checked(TradingClient(*broker.accounts["sim1"], url_override=broker.url))
    yield trading
    broker.clear()
    trading.close_all_positions(cancel_orders=True)
    wait_until(lambda: not trading.get_all_positions(), "the account is flat")


@pytest.fixture
def data(broker: BrokerProcess, checked: Callable[[Any], Any]) -> StockHistoricalDataClient:
    client: StockHistoricalDataClient = checked(
        StockHistoricalDataClient(*broker.accounts["sim1"], url_override=broker.url)
    )
    return client


def limit(price: float, side: OrderSide = OrderSide.BUY, **more: Any) -> LimitOrderRequest:
    fields: dict[str, Any] = {"symbol": "AAPL", "qty": 5, "side": side, "time_in_force": TimeInForce.DAY}
    return LimitOrderRequest(**(fields | {"limit_price": price} | more))


def market(side: OrderSide = OrderSide.BUY, **more: Any) -> MarketOrderRequest:
    fields: dict[str, Any] = {"symbol": "AAPL", "side": side, "time_in_force": TimeInForce.DAY}
    return MarketOrderRequest(**(fields | ({} if "notional" in more else {"qty": 5}) | more))


def filled(client: TradingClient, order: Order) -> Order:
    def now() -> Order | None:
        seen = client.get_order_by_id(order.id)
        return seen if seen.status == OrderStatus.FILLED else None

    return wait_until(now, f"{order.id} is filled")


def buy(client: TradingClient, **more: Any) -> Order:
    return filled(client, client.submit_order(market(**more)))


# --- account, clock, calendar, assets --------------------------------------------------------------------------------


def test_account(client: TradingClient, broker: BrokerProcess) -> None:
    account = client.get_account()
    assert account.account_number == broker.numbers["sim1"]
    assert account.currency == "USD"
    assert float(account.equity) > 0
    assert not account.trading_blocked


def test_accounts_are_apart(broker: BrokerProcess, client: TradingClient) -> None:
    other = TradingClient(*broker.accounts["sim2"], url_override=broker.url)
    buy(client)
    assert other.get_all_positions() == []
    assert other.get_account().account_number != client.get_account().account_number


@pytest.mark.parametrize(("secret", "status"), [("wrong", 403), ("", 401)])
def test_a_wrong_key_is_refused(broker: BrokerProcess, described: Descriptions, secret: str, status: int) -> None:
    client = TradingClient(broker.accounts["sim1"][0], "x", url_override=broker.url)
    client._secret_key = secret
    client._session.hooks["response"].append(
        lambda response, **_: described.check("GET", response.url, response.status_code, response.content)
    )
    with pytest.raises(APIError) as caught:
        client.get_account()
    assert caught.value.status_code == status
    assert caught.value.message


def test_configurations_change_what_is_given_and_leave_nulls_alone(client: TradingClient) -> None:
    before = client.get_account_configurations()
    assert not before.suspend_trade
    suspended = before.model_copy(update={"suspend_trade": True, "dtbp_check": None, "pdt_check": None})
    assert client.set_account_configurations(suspended).suspend_trade
    assert client.get_account().trade_suspended_by_user
    with pytest.raises(APIError, match="rejected by user request"):
        client.submit_order(market())
    client.set_account_configurations(before)
    assert client.get_account_configurations() == before


def test_clock_and_calendar_agree(client: TradingClient) -> None:
    clock = client.get_clock()
    assert clock.is_open
    assert clock.timestamp < clock.next_close < clock.next_open
    days = client.get_calendar(GetCalendarRequest(start=START, end=START + timedelta(days=7)))
    assert [day.date for day in days] == [START + timedelta(days=offset) for offset in (0, 1, 2, 5, 6, 7)]
    assert days[0].close == clock.next_close.replace(tzinfo=None)
    assert len(client.get_calendar()) > 1900


def test_assets(client: TradingClient) -> None:
    assets = client.get_all_assets(GetAssetsRequest(status="active"))
    assert {"AAPL", "MSFT", "SPY"} <= {asset.symbol for asset in assets}
    apple = client.get_asset("AAPL")
    assert client.get_asset(apple.id) == apple
    with pytest.raises(APIError) as caught:
        client.get_asset("NOPE")
    assert caught.value.status_code == 404


# --- orders ----------------------------------------------------------------------------------------------------------


def test_a_market_order_opens_a_position_and_leaves_activities(client: TradingClient) -> None:
    mine = f"momentum-{uuid4()}"
    order = client.submit_order(market(client_order_id=mine))
    assert order.client_order_id == mine
    done = filled(client, order)
    assert (done.filled_qty, done.qty) == ("5", "5")
    assert client.get_order_by_client_id(mine).id == order.id
    position = client.get_open_position("AAPL")
    assert (position.qty, position.side.value, position.qty_available) == ("5", "long", "5")
    fills = client.get("/account/activities/FILL")
    assert fills[0]["order_id"] == str(order.id)
    assert client.get("/account/activities", {"activity_types": "FILL"})[0] == fills[0]
    assert client.get("/account/portfolio/history")["timestamp"]


def test_notional_and_fractional_orders(client: TradingClient) -> None:
    half = buy(client, qty=0.5)
    assert half.filled_qty == "0.5"
    worth = buy(client, notional=1000)
    assert worth.qty is None
    assert worth.notional == "1000"
    assert abs(float(worth.filled_qty) * float(worth.filled_avg_price) - 1000) < 0.01
    client.close_position("AAPL", ClosePositionRequest(percentage="50"))


def test_a_short_position(client: TradingClient) -> None:
    filled(client, client.submit_order(market(OrderSide.SELL)))
    position = client.get_open_position("AAPL")
    assert (position.qty, position.side.value) == ("-5", "short")
    assert float(position.market_value) < 0


def test_resting_orders_of_every_kind_and_their_bulk_cancel(client: TradingClient) -> None:
    fields: dict[str, Any] = {"symbol": "MSFT", "qty": 1, "side": OrderSide.BUY, "time_in_force": TimeInForce.GTC}
    sent = [
        client.submit_order(limit(50)),
        client.submit_order(StopOrderRequest(stop_price=5000, **fields)),
        client.submit_order(StopLimitOrderRequest(stop_price=5000, limit_price=5001, **fields)),
        client.submit_order(TrailingStopOrderRequest(trail_percent=90, **fields)),
    ]
    listed = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN))
    assert {order.id for order in listed} == {order.id for order in sent}
    assert [o.id for o in client.get_orders(GetOrdersRequest(symbols=["AAPL"]))] == [sent[0].id]
    results = client.cancel_orders()
    assert {(result.id, result.status) for result in results} == {(order.id, 200) for order in sent}
    assert client.get_orders() == []
    assert client.get_order_by_id(sent[0].id).status == OrderStatus.CANCELED
    with pytest.raises(APIError) as caught:
        client.cancel_order_by_id(sent[0].id)
    assert caught.value.status_code == 422


def test_a_failed_item_of_a_bulk_cancel_is_an_item_and_no_exception(
    broker: BrokerProcess, client: TradingClient
) -> None:
    stuck, other = client.submit_order(limit(50)), client.submit_order(limit(51))
    broker.fault("partial_207", "sim1", str(stuck.id))
    assert {result.id: result.status for result in client.cancel_orders()} == {stuck.id: 500, other.id: 200}
    assert [order.id for order in client.get_orders()] == [stuck.id]


def test_one_order_is_cancelled(client: TradingClient) -> None:
    order = client.submit_order(limit(50))
    assert client.cancel_order_by_id(order.id) is None
    assert client.get_order_by_id(order.id).canceled_at is not None
    with pytest.raises(APIError) as caught:
        client.cancel_order_by_id(uuid4())
    assert caught.value.status_code == 404


def test_a_replaced_order(client: TradingClient) -> None:
    order = client.submit_order(limit(50))
    successor = client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=7, limit_price=51.5))
    assert (successor.qty, successor.limit_price, successor.replaces) == ("7", "51.5", order.id)
    before = client.get_order_by_id(order.id)
    assert (before.status, before.replaced_by) == (OrderStatus.REPLACED, successor.id)


def test_a_bracket_and_its_legs(client: TradingClient) -> None:
    entry = client.submit_order(
        market(
            order_class=OrderClass.BRACKET,
            take_profit=TakeProfitRequest(limit_price=900),
            stop_loss=StopLossRequest(stop_price=20, limit_price=19),
        )
    )
    assert [leg.status for leg in entry.legs] == [OrderStatus.HELD, OrderStatus.HELD]
    filled(client, entry)
    nested = client.get_order_by_id(entry.id, GetOrderByIdRequest(nested=True))
    assert {leg.status for leg in nested.legs} == {OrderStatus.NEW}
    listed = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN, nested=True))
    assert [order.id for order in listed] == [entry.id]
    assert len(client.get_orders()) == 2
    with pytest.raises(APIError, match="insufficient qty available"):
        client.close_position("AAPL")
    client.cancel_order_by_id(nested.legs[0].id)
    assert client.get_orders() == []


@pytest.mark.parametrize("order_class", [OrderClass.OCO, OrderClass.OTO])
def test_oco_and_oto(client: TradingClient, order_class: OrderClass) -> None:
    exits: dict[str, Any] = {"take_profit": TakeProfitRequest(limit_price=900)}
    if order_class == OrderClass.OCO:
        buy(client)
        order = client.submit_order(
            limit(900, OrderSide.SELL, order_class=order_class, stop_loss=StopLossRequest(stop_price=20), **exits)
        )
    else:
        order = client.submit_order(limit(50, order_class=order_class, **exits))
    assert len(order.legs) == 1
    assert {result.status for result in client.cancel_orders()} == {200}


def test_refusals_are_errors_with_code_and_message(client: TradingClient) -> None:
    mine = str(uuid4())
    client.submit_order(limit(50, client_order_id=mine))
    for request, status in (
        (limit(50, client_order_id=mine), 422),
        (limit(50, symbol="NOPE"), 422),
        (market(qty=10**7), 403),
        (limit(50, qty=1.5, time_in_force=TimeInForce.GTC), 422),
    ):
        with pytest.raises(APIError) as caught:
            client.submit_order(request)
        assert caught.value.status_code == status
        assert caught.value.code
    for read in (client.get_order_by_id, client.get_order_by_client_id):
        with pytest.raises(APIError) as caught:
            read(str(uuid4()))
        assert caught.value.status_code == 404


def test_more_orders_than_a_page_are_read_by_order_id(broker: BrokerProcess, client: TradingClient) -> None:
    sent = broker.control("POST", "/orders", {"venue": "sim1", "count": 1203})["ids"]
    assert len(client.get_orders()) == 50
    seen: list[str] = []
    while page := client.get("/orders", {"limit": 500, "before_order_id": seen[-1] if seen else None}):
        seen += [order["id"] for order in page]
    assert seen == sent[::-1]
    oldest_first = client.get("/orders", {"limit": 500, "direction": "asc", "after_order_id": sent[1000]})
    assert [order["id"] for order in oldest_first] == sent[1001:]
    assert len(client.cancel_orders()) == 1203


def test_fills_are_read_page_by_page(client: TradingClient) -> None:
    orders = [buy(client, qty=1) for _ in range(5)]
    everything = client.get("/account/activities/FILL", {"direction": "desc"})[:5]
    assert [fill["order_id"] for fill in everything] == [str(order.id) for order in reversed(orders)]
    first = client.get("/account/activities/FILL", {"page_size": 2})
    second = client.get("/account/activities/FILL", {"page_size": 3, "page_token": first[-1]["id"]})
    assert first + second == everything


# --- positions -------------------------------------------------------------------------------------------------------


def test_closing_a_position_in_part_and_whole(client: TradingClient) -> None:
    buy(client, qty=10)
    order = client.close_position("AAPL", ClosePositionRequest(qty="4"))
    assert (order.side, order.qty) == (OrderSide.SELL, "4")
    filled(client, order)
    with pytest.raises(APIError, match="less than one share"):
        client.close_position("AAPL", ClosePositionRequest(percentage="0.5"))
    filled(client, client.close_position("AAPL"))
    with pytest.raises(APIError) as caught:
        client.get_open_position("AAPL")
    assert caught.value.status_code == 404
    with pytest.raises(APIError) as caught:
        client.close_position("AAPL")
    assert caught.value.status_code == 404


def test_closing_everything_cancels_orders_where_that_is_asked(client: TradingClient) -> None:
    buy(client)
    buy(client, symbol="KO")
    client.submit_order(limit(900, OrderSide.SELL))
    results = client.close_all_positions()
    assert {result.symbol: result.status for result in results} == {"AAPL": 403, "KO": 200}
    assert [result.body.message for result in results if result.status == 403]
    results = client.close_all_positions(cancel_orders=True)
    assert {result.status for result in results if result.symbol == "AAPL"} == {200}
    wait_until(lambda: not client.get_all_positions(), "everything is closed")


# --- market data -----------------------------------------------------------------------------------------------------


def test_bars_of_history_and_today(
    broker: BrokerProcess, client: TradingClient, data: StockHistoricalDataClient
) -> None:
    now = client.get_clock().timestamp.astimezone(UTC)
    ask: dict[str, Any] = {"symbol_or_symbols": ["AAPL", "KO"], "adjustment": Adjustment.RAW}
    minutes = data.get_stock_bars(
        StockBarsRequest(timeframe=TimeFrame.Minute, start=datetime(2026, 3, 3, 20, 0, tzinfo=UTC), **ask)
    )
    times = [bar.timestamp for bar in minutes["AAPL"]]
    assert times == sorted(set(times))
    assert times[0] == datetime(2026, 3, 3, 20, 0, tzinfo=UTC)
    assert now - timedelta(minutes=3) < times[-1] < now
    days = data.get_stock_bars(
        StockBarsRequest(timeframe=TimeFrame.Day, start=datetime(2026, 2, 25, tzinfo=UTC), limit=9, **ask)
    )
    assert len(days["AAPL"]) == 6
    assert len(days["KO"]) == 3
    hour = data.get_stock_bars(
        StockBarsRequest(
            timeframe=TimeFrame.Hour,
            start=datetime(2026, 3, 3, 15, 0, tzinfo=UTC),
            end=datetime(2026, 3, 3, 15, 59, tzinfo=UTC),
            **ask,
        )
    )
    (whole,) = hour["AAPL"]
    assert whole.high >= max(whole.open, whole.close)


def test_latest_bar_quote_trade_and_snapshot(data: StockHistoricalDataClient) -> None:
    bar = data.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols=["AAPL"]))["AAPL"]
    quote = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=["AAPL"]))["AAPL"]
    trade = data.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert quote.bid_price < quote.ask_price
    assert bar.low > 0
    assert trade.price > 0
    snapshot = data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=["AAPL", "NOPE"]))
    assert set(snapshot) == {"AAPL"}
    assert snapshot["AAPL"].previous_daily_bar.volume > 0


@pytest.mark.parametrize("what", ["bars", "bars/latest", "quotes/latest", "trades/latest", "snapshot"])
def test_market_data_of_one_symbol(data: StockHistoricalDataClient, what: str) -> None:
    answer = data.get(f"/stocks/KO/{what}", {"timeframe": "5Min"} if what == "bars" else None)
    assert answer["symbol"] == "KO"


def test_market_data_that_is_asked_for_wrongly(data: StockHistoricalDataClient) -> None:
    for path in ("/stocks/bars?symbols=KO&timeframe=7Years", "/stocks/bars?timeframe=1Min", "/stocks/NOPE/bars/latest"):
        with pytest.raises(APIError) as caught:
            data.get(path)
        assert caught.value.status_code == 400


# --- stream ----------------------------------------------------------------------------------------------------------


def event_of(update: TradeUpdate) -> str:
    """The client gives some events as an enum, others as plain text."""
    return str(getattr(update.event, "value", update.event))


class Listener:
    """The official stream client on a thread of its own, as its users run it."""

    def __init__(self, broker: BrokerProcess) -> None:
        url = broker.url.replace("http", "ws") + "/stream"
        self.seen: list[TradeUpdate] = []
        self._stream = TradingStream(*broker.accounts["sim1"], url_override=url)
        self._stream.subscribe_trade_updates(self._hear)
        self._thread = threading.Thread(target=self._stream.run, daemon=True)

    async def _hear(self, update: TradeUpdate) -> None:
        self.seen.append(update)

    def events(self, order: Order) -> list[str]:
        return [event_of(update) for update in list(self.seen) if update.order.id == order.id]

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        loop = self._stream._loop
        asyncio.run_coroutine_threadsafe(self._stream.stop_ws(), loop).result()
        self._thread.join(30)


def test_the_stream_tells_the_life_of_an_order(broker: BrokerProcess, client: TradingClient) -> None:
    with Listener(broker) as listener:
        # Until the client listens nothing is heard: orders are sent until one is.
        def heard() -> bool:
            order = client.submit_order(limit(50))
            client.cancel_order_by_id(order.id)
            return bool(listener.seen)

        wait_until(heard, "the stream is heard")
        order = buy(client)
        wait_until(lambda: "fill" in listener.events(order), "the fill is heard")
        assert listener.events(order) == ["pending_new", "new", "fill"]
        (fill,) = [update for update in listener.seen if update.order.id == order.id and event_of(update) == "fill"]
        assert (fill.qty, fill.position_qty) == (5.0, 5.0)
        assert str(fill.execution_id) in client.get("/account/activities/FILL")[0]["id"]
