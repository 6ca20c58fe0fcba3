"""What every venue has to fulfil, whoever wrote its adapter: asked of the real adapter at a real (simulated) broker.

A new adapter joins by an entry in VENUES. Each test has an account of its own at one broker process.
"""

import asyncio
import itertools
import re
import time
from dataclasses import replace
from datetime import date
from decimal import Decimal
from unittest.mock import ANY

import pytest

from adapters.base import Acked, Ambiguous, Connection, NewOrder, Ok, Refused, Unknown
from adapters.registry import UnknownAdapter, known_adapters, make_venue
from console.desk.events import Filled, Order
from tests.support.broker import PATIENCE, BrokerProcess

ACCOUNTS = [f"acc{number}" for number in range(40)]


def connection_to(broker, account, timeout=10.0):
    return Connection(account, broker.url, broker.url, *broker.accounts[account], timeout)


VENUES = {"alpaca": lambda broker, account: make_venue("alpaca", connection_to(broker, account))}


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    accounts = itertools.chain.from_iterable(("--account", account) for account in ACCOUNTS)
    with BrokerProcess("--seed", "1", *accounts, keys=tmp_path_factory.mktemp("keys")) as broker:
        broker.control("POST", "/clock", {"session": "open"})
        broker.unused = iter(ACCOUNTS)
        yield broker


@pytest.fixture
def account(broker):
    name = next(broker.unused)
    yield name
    broker.clear(venue=name)


@pytest.fixture(params=VENUES)
async def venue(request, broker, account):
    venue = VENUES[request.param](broker, account)
    yield venue
    await venue.aclose()


_unique = itertools.count()


def market(symbol="AAPL", side="buy", qty=10, **more):
    return NewOrder(f"momentum-{next(_unique)}", symbol, side, Decimal(qty), **more)


def resting(symbol="AAPL", price="1.00", **more):
    return market(symbol, type="limit", limit_price=Decimal(price), **more)


async def eventually(look, what):
    """The first true value of an awaited look."""
    deadline = time.monotonic() + PATIENCE
    while not (value := await look()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.05)
    return value


async def held(venue, symbol="AAPL"):
    read = await venue.positions()
    assert isinstance(read, Ok), read
    return next((position.qty for position in read.data if position.symbol == symbol), Decimal(0))


async def hold(venue, qty=10, symbol="AAPL", **more):
    """Buys, and waits until it is there."""
    answer = await venue.submit(market(symbol, qty=qty, **more))
    assert isinstance(answer, Acked), answer

    async def there():
        return await held(venue, symbol) == qty

    await eventually(there, "the position")
    return answer.data


async def open_ids(venue):
    read = await venue.open_orders()
    assert isinstance(read, Ok), read
    assert read.complete
    return {order.id for order in read.data}


# --- reads ------------------------------------------------------------------------------------------------------------


async def test_the_calendar_names_the_days_on_which_there_is_trading(venue):
    read = await venue.sessions(date(2026, 11, 23), date(2026, 12, 1))
    assert isinstance(read, Ok), read
    days = [date(2026, 11, day) for day in (23, 24, 25, 27, 30)]  # the 26th is Thanksgiving
    assert read.data == (*days, date(2026, 12, 1))


async def test_account_and_clock_can_be_read(venue):
    before = time.time_ns()
    account, clock = await venue.account(), await venue.clock()
    assert isinstance(account, Ok)
    assert account.data.equity > 0
    assert account.data.last_equity > 0
    assert account.data.currency == "USD"
    assert not account.data.blocked
    assert before <= account.as_of <= time.time_ns()
    assert isinstance(clock, Ok)
    assert clock.data.is_open
    assert clock.data.next_open > clock.data.now


async def test_nothing_is_an_empty_answer_and_not_an_unknown_one(venue):
    for read in (venue.positions(), venue.open_orders(), venue.orders_until(frozenset())):
        answer = await read
        assert isinstance(answer, Ok)
        assert answer.data == ()
        assert answer.complete


async def test_bars_come_oldest_first_and_the_latest_one_is_among_them(venue):
    read = await venue.bars("AAPL", 30)
    latest = await venue.latest_bars(["AAPL", "MSFT"])
    assert isinstance(read, Ok)
    assert isinstance(latest, Ok)
    starts = [bar.start for bar in read.data]
    assert len(starts) == 30
    assert starts == sorted(set(starts))
    assert set(latest.data) == {"AAPL", "MSFT"}
    assert latest.data["AAPL"].start >= starts[-1]
    assert all(bar.low <= bar.open <= bar.high and bar.interval == 60 for bar in read.data)


async def test_quotes_are_of_the_market_that_the_bars_tell_and_unlisted_symbols_have_none(venue):
    read = await venue.latest_quotes(["MSFT", "AAPL", "NOSUCH"])
    bars = await venue.latest_bars(["AAPL"])
    assert isinstance(read, Ok), read
    assert [quote.symbol for quote in read.data] == ["AAPL", "MSFT"]
    quote, close = read.data[0], bars.data["AAPL"].close
    assert quote.bid < quote.ask
    assert quote.bid_size > 0
    assert quote.ask_size > 0
    assert abs(quote.bid / close - 1) < Decimal("0.05")
    assert quote.at >= bars.data["AAPL"].start
    assert await venue.latest_quotes([]) == Ok((), ANY)


async def test_orders_are_paged_to_the_end_and_back_to_what_is_known(venue, broker, account):
    ids = broker.control("POST", "/orders", {"venue": account, "count": 1203})["ids"]
    assert await open_ids(venue) == set(ids)
    first = await venue.orders_until(frozenset())
    assert isinstance(first, Ok)
    assert first.complete
    assert {order.id for order in first.data} == set(ids)
    more = broker.control("POST", "/orders", {"venue": account, "count": 3})["ids"]
    news = await venue.orders_until(frozenset(ids))
    assert isinstance(news, Ok)
    assert news.complete
    assert {order.id for order in news.data} == set(more)
    capped = await venue.orders_until(frozenset(), most=600)
    assert isinstance(capped, Ok)
    assert not capped.complete
    assert [order.id for order in capped.data[:3]] == [order.id for order in news.data]


async def test_fills_are_paged_to_the_end_and_know_their_orders(venue, broker, account):
    ids = broker.control("POST", "/orders", {"venue": account, "count": 120, "prefix": "momentum-"})["ids"]
    for order_id in ids:
        broker.control("POST", "/fills", {"venue": account, "order_id": order_id})
    fills = await venue.fills_until(frozenset())
    assert isinstance(fills, Ok)
    assert fills.complete
    assert sorted(fill.order_id for fill in fills.data) == sorted(ids)
    assert all(fill.client_order_id.startswith("momentum-") for fill in fills.data)
    assert [fill.at for fill in fills.data] == sorted((fill.at for fill in fills.data), reverse=True)
    news = await venue.fills_until(frozenset({fills.data[7].execution_id, fills.data[90].execution_id}))
    assert isinstance(news, Ok)
    assert news.data == fills.data[:7]


# --- orders -----------------------------------------------------------------------------------------------------------


async def test_a_market_order_becomes_a_position_and_a_fill(venue):
    order = await hold(venue, 10)
    positions = await venue.positions()
    assert isinstance(positions, Ok)
    (position,) = positions.data
    assert (position.symbol, position.qty) == ("AAPL", Decimal(10))
    assert position.mark is not None
    fills = await venue.fills_until(frozenset())
    assert isinstance(fills, Ok)
    assert sum(fill.qty for fill in fills.data) == 10
    assert {(fill.order_id, fill.client_order_id, fill.side) for fill in fills.data} == {
        (order.id, order.client_order_id, "buy")
    }


async def test_a_short_position_has_a_negative_quantity(venue):
    await venue.submit(market(side="sell", qty=7))

    async def short():
        return await held(venue) == -7

    await eventually(short, "the short position")


async def test_an_order_is_found_by_its_client_id_and_one_that_never_was_is_none(venue):
    sent = await venue.submit(resting())
    assert isinstance(sent, Acked)
    found = await venue.order_by_client_id(sent.data.client_order_id)
    assert isinstance(found, Ok)
    assert found.data is not None
    assert found.data.id == sent.data.id
    missing = await venue.order_by_client_id("momentum-never")
    assert isinstance(missing, Ok)
    assert missing.data is None


async def test_a_client_id_can_not_be_used_twice(venue):
    order = resting()
    assert isinstance(await venue.submit(order), Acked)
    assert isinstance(await venue.submit(order), Refused)
    assert len(await open_ids(venue)) == 1


async def test_a_wrong_order_is_refused_with_the_venues_reason(venue):
    refused = await venue.submit(market(symbol="NOSUCH"))
    assert isinstance(refused, Refused)
    assert "NOSUCH" in refused.message
    assert refused.code


async def test_a_resting_order_stands_until_it_is_cancelled(venue):
    sent = await venue.submit(resting(price="1.25"))
    assert isinstance(sent, Acked)
    read = await venue.open_orders()
    assert isinstance(read, Ok)
    (order,) = read.data
    assert (order.id, order.limit_price, order.qty, order.filled_qty) == (sent.data.id, Decimal("1.25"), 10, 0)
    assert not order.protective
    assert isinstance(await venue.cancel(order.id), Acked)

    async def gone():
        return not await open_ids(venue)

    await eventually(gone, "the cancel")
    assert isinstance(await venue.cancel(order.id), Refused)


async def test_cancel_all_answers_for_each_order(venue, broker, account):
    ids = set(broker.control("POST", "/orders", {"venue": account, "count": 30})["ids"])
    answer = await venue.cancel_all()
    assert isinstance(answer, Acked)
    assert {item.target for item in answer.data} == ids
    assert all(item.ok for item in answer.data)

    async def gone():
        return not await open_ids(venue)

    await eventually(gone, "the cancels")


async def test_a_cancel_that_fails_is_told_and_the_order_stands(venue, broker, account):
    ids = broker.control("POST", "/orders", {"venue": account, "count": 3})["ids"]
    broker.fault("partial_207", account, ids[1])
    answer = await venue.cancel_all()
    assert isinstance(answer, Acked)
    assert [item.target for item in answer.data if not item.ok] == [ids[1]]

    async def one_left():
        return await open_ids(venue) == {ids[1]}

    await eventually(one_left, "the other cancels")


async def test_a_bracket_names_its_legs_and_only_they_are_protective(venue):
    price = (await venue.latest_bars(["AAPL"])).data["AAPL"].close
    bracket = {"take_profit": round(price * 2, 2), "stop_loss": round(price / 2, 2)}
    parent = await hold(venue, 10, **bracket)
    assert len(parent.legs) == 2
    other = await venue.submit(resting())
    assert isinstance(other, Acked)

    async def armed():
        read = await venue.open_orders()
        assert isinstance(read, Ok)
        return {order.id for order in read.data if order.protective} == set(parent.legs)

    await eventually(armed, "protective legs")
    assert await open_ids(venue) == {*parent.legs, other.data.id}
    found = await venue.order_by_client_id(parent.client_order_id)
    assert isinstance(found, Ok)
    assert found.data is not None
    assert set(found.data.legs) == set(parent.legs)


async def test_an_unfilled_bracket_protects_nothing(venue):
    price = (await venue.latest_bars(["AAPL"])).data["AAPL"].close
    bracket = {"take_profit": round(price, 2), "stop_loss": Decimal("0.50")}
    parent = await venue.submit(resting(**bracket))
    assert isinstance(parent, Acked)
    read = await venue.open_orders()
    assert isinstance(read, Ok)
    assert {order.id for order in read.data} == {parent.data.id, *parent.data.legs}
    assert not any(order.protective for order in read.data)


# --- flattening and suspending ----------------------------------------------------------------------------------------


async def test_close_flattens_a_part_or_all_and_refuses_what_is_not_there(venue):
    await hold(venue, 10)
    part = await venue.close("AAPL", Decimal(4))
    assert isinstance(part, Acked)
    assert (part.data.side, part.data.qty) == ("sell", Decimal(4))

    async def six():
        return await held(venue) == 6

    await eventually(six, "the part")
    assert isinstance(await venue.close("AAPL"), Acked)

    async def flat():
        return await held(venue) == 0

    await eventually(flat, "the rest")
    assert isinstance(await venue.close("AAPL"), Refused)


async def test_close_all_cancels_first_and_answers_for_each_position(venue):
    await hold(venue, 5, "AAPL")
    await hold(venue, 6, "MSFT")
    await venue.submit(resting())
    answer = await venue.close_all(cancel_orders=True)
    assert isinstance(answer, Acked)
    assert {item.target for item in answer.data} == {"AAPL", "MSFT"}
    assert all(item.ok and item.order_id for item in answer.data)

    async def flat():
        return not (await venue.positions()).data and not await open_ids(venue)

    await eventually(flat, "flat and without orders")


async def test_a_suspended_account_takes_no_orders(venue):
    await hold(venue, 5)
    assert isinstance(await venue.suspend(True), Acked)
    account = await venue.account()
    assert isinstance(account, Ok)
    assert account.data.blocked
    assert isinstance(await venue.submit(market()), Refused)
    if venue.capabilities.suspend_blocks_close:
        assert isinstance(await venue.close("AAPL"), Refused)
    assert isinstance(await venue.suspend(False), Acked)
    assert isinstance(await venue.close("AAPL"), Acked)


# --- when the venue fails ---------------------------------------------------------------------------------------------


async def test_an_order_with_an_unknown_fate_is_sent_once_and_found_again(venue, broker, account):
    broker.fault("gateway504", account, methods=["POST"])
    order = resting()
    assert isinstance(await venue.submit(order), Ambiguous)
    found = await venue.order_by_client_id(order.client_order_id)
    assert isinstance(found, Ok)
    assert found.data is not None
    assert broker.counters(account)["exposing_total"] == 1


@pytest.mark.parametrize("fault", ["error500", "html502", "truncated_json", "refuse", "reset", "wrong_types"])
async def test_a_failed_read_is_unknown(venue, broker, account, fault):
    broker.fault(fault, account)
    for read in (venue.account(), venue.positions(), venue.open_orders(), venue.orders_until(frozenset())):
        assert isinstance(await read, Unknown)


async def test_a_close_is_sent_once_whatever_happens_to_the_connection(venue, broker, account):
    await hold(venue, 10)
    broker.fault("reset", account, methods=["DELETE"])
    before = broker.counters(account)
    assert isinstance(await venue.close("AAPL", Decimal(3)), Ambiguous)
    after = broker.counters(account)
    deletes = [count for name, count in after["requests"].items() if name.startswith("DELETE")]
    assert sum(deletes) == 1
    assert after["exposing_total"] - before["exposing_total"] <= 1


async def test_a_closed_warm_connection_repeats_nothing(venue, broker, account):
    broker.fault("close_warm", account)
    for _ in range(5):
        assert isinstance(await venue.submit(resting()), Acked)
        await venue.positions()
    assert broker.counters(account)["requests"]["POST /v2/orders"] == 5


async def test_a_hang_ends_with_the_timeout(broker, account):
    broker.fault("hang_before_accept", account)
    venue = make_venue("alpaca", connection_to(broker, account, timeout=0.5))
    assert isinstance(await venue.positions(), Unknown)
    assert isinstance(await venue.cancel_all(), Ambiguous)
    await venue.aclose()


async def test_too_many_requests_is_a_refusal_that_says_how_long_to_wait(venue, broker, account):
    broker.fault("rate_limited", account, 3)
    answer = await venue.submit(resting())
    assert isinstance(answer, Refused)
    assert answer.retry_after == 3
    assert isinstance(await venue.positions(), Unknown)


async def test_a_wrong_secret_is_refused_and_never_shown(broker, account):
    right = connection_to(broker, account)
    venue = make_venue("alpaca", replace(right, secret="not-the-secret"))
    told = [await venue.positions(), await venue.submit(resting()), await anext(venue.updates())]
    await venue.aclose()
    assert isinstance(told[0], Unknown)
    assert isinstance(told[1], Refused)
    assert isinstance(told[2], Unknown)
    assert "not-the-secret" not in repr([*told, venue])
    assert right.secret not in repr([venue, right])


# --- the stream -------------------------------------------------------------------------------------------------------


async def test_the_stream_tells_orders_and_each_execution_once(venue, broker, account):
    if not venue.capabilities.fills_stream:
        pytest.skip("this venue has no stream")
    broker.fault("duplicate_fill", account)
    updates = venue.updates()
    async with asyncio.timeout(PATIENCE):
        assert isinstance(await anext(updates), Unknown), "listening begins with a mark"
        order = await hold(venue, 10)
        told = []
        while not any(isinstance(update, Order) and update.status == "filled" for update in told):
            told.append(await anext(updates))
        broker.fault("stream_closed", account)
        while not isinstance(await anext(updates), Unknown):
            pass
        broker.clear("stream_closed", account)
        while "listens" not in getattr(await anext(updates), "reason", ""):
            pass
    fills = [update for update in told if isinstance(update, Filled)]
    assert sum(fill.qty for fill in fills) == 10
    assert len({fill.execution_id for fill in fills}) == len(fills)
    assert {fill.client_order_id for fill in fills} == {order.client_order_id}
    read = await venue.fills_until(frozenset())
    assert isinstance(read, Ok)
    assert {fill.execution_id for fill in read.data} == {fill.execution_id for fill in fills}, "one fill has one name"


# --- the form and the registry ----------------------------------------------------------------------------------------


async def test_the_cords_form_holds_requests_that_the_venue_understands_and_no_secret(venue, broker, account):
    form = venue.cord_form()
    assert not set(broker.accounts[account]) & set(re.findall(r"[\w+/=-]+", repr(form)))
    for name in ("open_orders", "orders", "fills", "positions", "clock"):
        status, answer = broker.request(form[name]["method"], form[name]["path"], account=account)
        assert (name, status) == (name, 200)
        assert isinstance(answer, list | dict)


def test_an_unknown_adapter_is_told_with_the_known_ones():
    with pytest.raises(UnknownAdapter, match="no adapter 'ibkr'; known are alpaca"):
        make_venue("ibkr", Connection("x", "http://x", "http://x", "k", "s"))
    assert "alpaca" in known_adapters()
