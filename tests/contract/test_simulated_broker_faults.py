"""Each fault of the simulated broker, seen from outside over a real socket; and the control endpoint beside it."""

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from support.broker import BrokerProcess, wait_until
from support.openapi import descriptions

from adapters.simulator.faults import CATALOGUE

SHORT = 0.4


@pytest.fixture(scope="module")
def running() -> Iterator[BrokerProcess]:
    with BrokerProcess("--start", "2026-03-04", "--speed", "60", "--rate-limit", "100000") as process:
        yield process


@pytest.fixture
def broker(running: BrokerProcess) -> Iterator[BrokerProcess]:
    """The running broker, without faults and with a flat account, before and after."""
    yield running
    running.clear()
    running.control("POST", "/clock", {"session": "auto"})
    running.request("DELETE", "/v2/positions?cancel_orders=true")
    wait_until(lambda: running.request("GET", "/v2/positions")[1] == [], "the account is flat")
    wait_until(lambda: running.request("GET", "/v2/orders")[1] == [], "no order is open")


def order(**more: object) -> dict[str, object]:
    fields = {"symbol": "AAPL", "qty": "5", "side": "buy", "type": "limit", "limit_price": "50", "time_in_force": "day"}
    return fields | {"client_order_id": f"momentum-{uuid4()}"} | more


def market(**more: object) -> dict[str, object]:
    return order(type="market", limit_price=None, **more)


def send(broker: BrokerProcess, body: dict[str, object]) -> Any:
    status, answered = broker.request("POST", "/v2/orders", body)
    assert status == 200, answered
    return answered


def seen(broker: BrokerProcess, order_id: str) -> Any:
    return broker.request("GET", f"/v2/orders/{order_id}")[1]


def reaches(broker: BrokerProcess, order_id: str, status: str) -> Any:
    return wait_until(lambda: (now := seen(broker, order_id))["status"] == status and now, f"the order is {status}")


def hold(broker: BrokerProcess) -> Any:
    """A filled order: five shares of AAPL."""
    return reaches(broker, send(broker, market())["id"], "filled")


# --- the wire --------------------------------------------------------------------------------------------------------


def test_hang_carries_out_and_never_answers(broker: BrokerProcess) -> None:
    broker.fault("hang", "sim1", methods=["POST"])
    body = order()
    with pytest.raises(TimeoutError):
        broker.request("POST", "/v2/orders", body, timeout=SHORT)
    assert broker.request("GET", f"/v2/orders:by_client_order_id?client_order_id={body['client_order_id']}")[0] == 200


def test_hang_before_accept_does_nothing(broker: BrokerProcess) -> None:
    broker.fault("hang_before_accept", "sim1", methods=["POST"])
    body = order()
    with pytest.raises(TimeoutError):
        broker.request("POST", "/v2/orders", body, timeout=SHORT)
    assert broker.request("GET", f"/v2/orders:by_client_order_id?client_order_id={body['client_order_id']}")[0] == 404


def test_late_accept_carries_out_although_nobody_waits_any_more(broker: BrokerProcess) -> None:
    broker.fault("late_accept", "sim1", 2 * SHORT)
    body = order()
    with pytest.raises(TimeoutError):
        broker.request("POST", "/v2/orders", body, timeout=SHORT)
    there = f"/v2/orders:by_client_order_id?client_order_id={body['client_order_id']}"
    assert broker.request("GET", there)[0] == 404
    wait_until(lambda: broker.request("GET", there)[0] == 200, "the order arrives")


def test_a_fault_of_one_path_leaves_those_below_it_alone(broker: BrokerProcess) -> None:
    sent = send(broker, order())
    broker.fault("error500", "sim1", methods=["DELETE"], path="/v2/orders$")
    assert broker.request("DELETE", "/v2/orders")[0] == 500
    assert broker.request("DELETE", f"/v2/orders/{sent['id']}")[0] == 204


def test_a_fault_concerns_its_venue_alone(broker: BrokerProcess) -> None:
    broker.fault("hang", "sim1")
    with pytest.raises(TimeoutError):
        broker.request("GET", "/v2/clock", timeout=SHORT)
    assert broker.request("GET", "/v2/clock", account="sim2")[0] == 200


def test_slow_answers_late(broker: BrokerProcess) -> None:
    broker.fault("slow", "sim1", SHORT)
    began = time.monotonic()
    assert broker.request("GET", "/v2/clock")[0] == 200
    assert time.monotonic() - began >= SHORT


def test_refuse_drops_the_connection(broker: BrokerProcess) -> None:
    broker.fault("refuse", "sim1")
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        broker.request("GET", "/v2/clock")


def test_reset_breaks_off_in_the_middle_of_an_answer(broker: BrokerProcess) -> None:
    broker.fault("reset", "sim1")
    with closing(http.client.HTTPConnection("127.0.0.1", broker.port, timeout=30)) as connection:
        connection.request("GET", "/v2/account", headers=broker.headers())
        response = connection.getresponse()
        assert response.status == 200
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            response.read()


def test_close_warm_closes_a_connection_that_looked_kept(broker: BrokerProcess) -> None:
    broker.fault("close_warm", "sim1")
    with closing(http.client.HTTPConnection("127.0.0.1", broker.port, timeout=30)) as connection:
        connection.request("GET", "/v2/clock", headers=broker.headers())
        response = connection.getresponse()
        assert response.read()
        assert response.headers.get("Connection", "").lower() != "close"
        assert connection.sock is not None
        assert connection.sock.recv(1) == b""


def test_error500_has_a_body_and_does_nothing(broker: BrokerProcess) -> None:
    broker.fault("error500", "sim1", times=1)
    status, body = broker.request("POST", "/v2/orders", order())
    assert (status, set(body)) == (500, {"code", "message"})
    assert broker.request("GET", "/v2/orders") == (200, [])


@pytest.mark.parametrize(("name", "status", "orders"), [("html502", 502, 0), ("gateway504", 504, 1)])
def test_gateways_answer_pages_and_one_has_carried_the_write_out(
    broker: BrokerProcess, name: str, status: int, orders: int
) -> None:
    broker.fault(name, "sim1", methods=["POST"])
    with closing(http.client.HTTPConnection("127.0.0.1", broker.port, timeout=30)) as connection:
        connection.request("POST", "/v2/orders", json.dumps(order()), broker.headers())
        response = connection.getresponse()
        assert (response.status, response.headers.get_content_type()) == (status, "text/html")
        assert response.read().startswith(b"<html>")
    assert len(broker.request("GET", "/v2/orders")[1]) == orders


def test_rate_limited_says_when_to_come_back(broker: BrokerProcess) -> None:
    broker.fault("rate_limited", "sim1", 3)
    with closing(http.client.HTTPConnection("127.0.0.1", broker.port, timeout=30)) as connection:
        connection.request("DELETE", "/v2/orders", headers=broker.headers())
        response = connection.getresponse()
        assert (response.status, response.headers["Retry-After"]) == (429, "3")
        assert json.loads(response.read())["code"]


def test_unauthorized(broker: BrokerProcess) -> None:
    broker.fault("unauthorized", "sim1")
    assert broker.request("GET", "/v2/account")[0] == 401


def test_truncated_json_can_not_be_parsed(broker: BrokerProcess) -> None:
    broker.fault("truncated_json", "sim1")
    with pytest.raises(json.JSONDecodeError):
        broker.request("GET", "/v2/account")


def test_wrong_types_parse_and_are_not_what_is_described(broker: BrokerProcess) -> None:
    described = descriptions()
    for path in ("/v2/account", "/v2/positions", "/v2/orders"):
        status, body = broker.request("GET", path)
        described.check("GET", path, status, json.dumps(body))
    broker.fault("wrong_types", "sim1")
    for path in ("/v2/account", "/v2/positions", "/v2/orders"):
        status, body = broker.request("GET", path)
        with pytest.raises(AssertionError, match="is not of type"):
            described.check("GET", path, status, json.dumps(body))


def test_echoed_keys_are_in_headers_and_in_refusals(broker: BrokerProcess) -> None:
    key, secret = broker.accounts["sim1"]
    broker.fault("echoes_keys", "sim1")
    with closing(http.client.HTTPConnection("127.0.0.1", broker.port, timeout=30)) as connection:
        for path, status in (("/v2/clock", 200), ("/v2/orders/nobody", 404)):
            connection.request("GET", path, headers={"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret})
            answer = connection.getresponse()
            body = answer.read().decode()
            assert answer.status == status
            assert answer.headers["X-Api-Key"] == key
            assert secret in answer.headers["Set-Cookie"]
            assert (secret in body) is (status == 404)


# --- the book --------------------------------------------------------------------------------------------------------


def test_wrong_values_keep_the_shape(broker: BrokerProcess) -> None:
    send(broker, order())
    (right,) = broker.request("GET", "/v2/orders")[1]
    broker.fault("wrong_values", "sim1")
    (wrong,) = broker.request("GET", "/v2/orders")[1]
    assert wrong == dict.fromkeys(right, False) | {"id": None}
    assert broker.request("GET", "/v2/clock")[1]["is_open"] is False


def test_partial_207_fails_one_order_so_many_times(broker: BrokerProcess) -> None:
    stuck, other = send(broker, order())["id"], send(broker, order())["id"]
    broker.fault("partial_207", "sim1", 2)
    status, items = broker.request("DELETE", "/v2/orders")
    assert status == 207
    assert {item["id"]: item["status"] for item in items} == {stuck: 500, other: 200}
    assert broker.request("DELETE", f"/v2/orders/{stuck}")[0] == 500
    assert [(item["id"], item["status"]) for item in broker.request("DELETE", "/v2/orders")[1]] == [(stuck, 200)]


@pytest.mark.parametrize("arg", ["forever", "id"])
def test_partial_207_may_last(broker: BrokerProcess, arg: str) -> None:
    first, second = send(broker, order())["id"], send(broker, order())["id"]
    stuck = second if arg == "id" else first
    broker.fault("partial_207", "sim1", stuck if arg == "id" else arg)
    for _ in range(4):
        items = {item["id"]: item["status"] for item in broker.request("DELETE", "/v2/orders")[1]}
        assert items[stuck] == 500
    assert [left["id"] for left in broker.request("GET", "/v2/orders")[1]] == [stuck]


def test_partial_207_holds_the_whole_group_of_its_order(broker: BrokerProcess) -> None:
    exits = {"order_class": "bracket", "take_profit": {"limit_price": "60"}, "stop_loss": {"stop_price": "40"}}
    entry = send(broker, order(**exits))
    broker.fault("partial_207", "sim1", entry["legs"][1]["id"])
    assert {item["status"] for item in broker.request("DELETE", "/v2/orders")[1]} == {500}
    assert len(broker.request("GET", "/v2/orders")[1]) == 3


def test_stuck_pending_cancel_stays_until_it_is_cleared(broker: BrokerProcess) -> None:
    broker.fault("stuck_pending_cancel", "sim1")
    order_id = send(broker, order())["id"]
    assert broker.request("DELETE", "/v2/orders")[1] == [{"id": order_id, "status": 200}]
    assert broker.request("DELETE", f"/v2/orders/{order_id}")[0] == 204
    assert [left["status"] for left in broker.request("GET", "/v2/orders")[1]] == ["pending_cancel"]
    broker.clear("stuck_pending_cancel")
    reaches(broker, order_id, "canceled")


def test_late_fill_fills_what_was_canceled(broker: BrokerProcess) -> None:
    order_id = send(broker, order())["id"]
    broker.fault("late_fill", "sim1", 0.5)
    broker.request("DELETE", "/v2/orders")
    assert seen(broker, order_id)["status"] == "canceled"
    reaches(broker, order_id, "filled")
    assert broker.request("GET", "/v2/positions/AAPL")[1]["qty"] == "5"


def test_no_fills(broker: BrokerProcess) -> None:
    broker.fault("no_fills", "sim1")
    order_id = send(broker, market())["id"]
    other = broker.request("POST", "/v2/orders", market(), account="sim2")[1]["id"]
    wait_until(lambda: broker.request("GET", f"/v2/orders/{other}", account="sim2")[1]["status"] == "filled")
    assert seen(broker, order_id)["status"] == "accepted"
    broker.clear("no_fills")
    reaches(broker, order_id, "filled")


def test_rejects_come_behind_the_answer(broker: BrokerProcess) -> None:
    broker.fault("rejects", "sim1")
    assert reaches(broker, send(broker, market())["id"], "rejected")["failed_at"]


def test_a_blocked_account_takes_no_order(broker: BrokerProcess) -> None:
    broker.fault("account_blocked", "sim1")
    assert broker.request("POST", "/v2/orders", order())[0] == 403
    assert broker.request("DELETE", "/v2/positions/AAPL")[0] == 404
    assert broker.request("GET", "/v2/account")[1]["trading_blocked"] is True


def test_a_ghost_position_has_no_fill(broker: BrokerProcess) -> None:
    fills = broker.request("GET", "/v2/account/activities/FILL")[1]
    broker.fault("ghost_position", "sim1", "KO/-40")
    ghost = wait_until(lambda: broker.request("GET", "/v2/positions")[1], "the ghost appears")
    assert [(p["symbol"], p["qty"], p["side"]) for p in ghost] == [("KO", "-40", "short")]
    assert broker.request("GET", "/v2/account/activities/FILL")[1] == fills


def test_a_runaway_strategy_goes_on_until_the_account_is_suspended(broker: BrokerProcess) -> None:
    before = broker.counters()["exposing_total"]
    broker.fault("runaway_strategy", "sim1", 20)
    wait_until(lambda: len(broker.request("GET", "/v2/orders")[1]) > 5, "orders of nobody appear")
    assert broker.counters()["exposing_total"] == before, "a runaway's orders are not the clients'"
    broker.request("PATCH", "/v2/account/configurations", {"suspend_trade": True})
    try:
        broker.request("DELETE", "/v2/orders")
        assert broker.request("GET", "/v2/orders")[1] == []
        newest = broker.request("GET", "/v2/orders?status=all&limit=1")[1]
        now = broker.control("GET")["now"]
        wait_until(lambda: broker.control("GET")["now"] > now[:17] + "59", "some market time passes")
        assert broker.request("GET", "/v2/orders?status=all&limit=1")[1] == newest
    finally:
        broker.clear()
        broker.request("PATCH", "/v2/account/configurations", {"suspend_trade": False})


def test_a_closed_market_keeps_orders_waiting(broker: BrokerProcess) -> None:
    broker.fault("market_closed", "sim1")
    assert broker.request("GET", "/v2/clock")[1]["is_open"] is False
    assert broker.request("GET", "/v2/clock", account="sim2")[1]["is_open"] is True
    order_id = send(broker, market())["id"]
    bar = broker.request("GET", "/v2/stocks/KO/bars/latest")[1]
    wait_until(lambda: broker.request("GET", "/v2/stocks/KO/bars/latest")[1] != bar, "a minute passes")
    assert seen(broker, order_id)["status"] == "accepted"
    broker.clear()
    reaches(broker, order_id, "filled")


def test_clock_skew(broker: BrokerProcess) -> None:
    broker.fault("clock_skew", "sim1", -30)
    skewed = datetime.fromisoformat(broker.request("GET", "/v2/clock")[1]["timestamp"])
    honest = datetime.fromisoformat(broker.request("GET", "/v2/clock", account="sim2")[1]["timestamp"])
    assert 25 < (honest - skewed).total_seconds() / 60 < 35


def test_stale_bars_stand_still_while_the_market_moves(broker: BrokerProcess) -> None:
    broker.fault("stale_bars", "sim1", "AAPL")

    def latest(symbol: str) -> Any:
        return broker.request("GET", f"/v2/stocks/{symbol}/bars/latest")[1]

    stale, fresh = latest("AAPL"), latest("KO")
    wait_until(lambda: latest("KO") != fresh, "a minute passes")
    assert latest("AAPL") == stale


# --- the stream ------------------------------------------------------------------------------------------------------


class Stream:
    """A raw listener of sim1's updates on a thread of its own."""

    def __init__(self, broker: BrokerProcess) -> None:
        self._broker = broker
        self.messages: list[dict[str, Any]] = []
        self.binary = True
        self.ended = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), daemon=True)

    async def _listen(self) -> None:
        key_id, secret = self._broker.accounts["sim1"]
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{self._broker.url}/stream") as socket:
            await socket.send_str(
                json.dumps({"action": "authenticate", "data": {"key_id": key_id, "secret_key": secret}})
            )
            await socket.send_bytes(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}).encode())
            while not self._stop.is_set():
                try:
                    frame = await asyncio.wait_for(socket.receive(), 0.1)
                except TimeoutError:
                    continue
                if frame.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                    break
                self.binary &= frame.type is aiohttp.WSMsgType.BINARY
                self.messages.append(json.loads(frame.data))
        self.ended.set()

    def __enter__(self) -> "Stream":
        self._thread.start()
        wait_until(lambda: self.ended.is_set() or len(self.messages) == 2, "the stream answers")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def of(self, order_id: str, event: str) -> list[dict[str, Any]]:
        found = [message["data"] for message in list(self.messages) if message["stream"] == "trade_updates"]
        return [data for data in found if data["order"]["id"] == order_id and data["event"] == event]


def test_the_stream_authorizes_then_listens_in_binary_frames(broker: BrokerProcess) -> None:
    with Stream(broker) as stream:
        assert stream.messages == [
            {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}},
            {"stream": "listening", "data": {"streams": ["trade_updates"]}},
        ]
        filled = hold(broker)
        wait_until(lambda: stream.of(filled["id"], "fill"), "the fill is heard")
        assert stream.binary


async def test_the_stream_refuses_a_wrong_secret_and_who_has_not_shown_one(broker: BrokerProcess) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{broker.url}/stream") as socket:
        await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
        assert json.loads((await socket.receive(30)).data)["data"]["status"] == "unauthorized"
        wrong = {"key_id": broker.accounts["sim1"][0], "secret_key": "wrong"}
        await socket.send_json({"action": "authenticate", "data": wrong})
        assert json.loads((await socket.receive(30)).data)["data"]["status"] == "unauthorized"


def until_heard(broker: BrokerProcess, stream: Stream) -> None:
    """An update that came after everything else: the end of an order that was sent and cancelled now."""
    order_id = send(broker, order())["id"]
    broker.request("DELETE", f"/v2/orders/{order_id}")
    wait_until(lambda: stream.of(order_id, "canceled"), "the stream is heard")


@pytest.mark.parametrize(("name", "times"), [("dropped_fill", 0), ("duplicate_fill", 2)])
def test_fills_are_dropped_or_doubled_on_the_stream_alone(broker: BrokerProcess, name: str, times: int) -> None:
    with Stream(broker) as stream:
        broker.fault(name, "sim1")
        filled = hold(broker)
        until_heard(broker, stream)
        fills = stream.of(filled["id"], "fill")
        assert len(fills) == times
        assert len({fill["execution_id"] for fill in fills}) <= 1
    assert broker.request("GET", "/v2/account/activities/FILL?page_size=1")[1][0]["order_id"] == filled["id"]


def test_a_silent_stream(broker: BrokerProcess) -> None:
    with Stream(broker) as stream:
        broker.fault("stream_silent", "sim1")
        filled = hold(broker)
        broker.clear()
        until_heard(broker, stream)
        assert stream.of(filled["id"], "new") == []


def test_a_closed_stream_refuses_listeners_too(broker: BrokerProcess) -> None:
    with Stream(broker) as stream:
        broker.fault("stream_closed", "sim1")
        assert stream.ended.wait(30)
    with Stream(broker) as stream:
        assert stream.ended.wait(30)
        assert stream.messages == []


# --- control ---------------------------------------------------------------------------------------------------------


def test_counters_name_each_exposing_write_once(broker: BrokerProcess) -> None:
    broker.control("DELETE", "/counters")
    sent = hold(broker)
    closing_order = broker.request("DELETE", "/v2/positions/AAPL")[1]
    rests = send(broker, order())["id"]
    broker.request("POST", "/v2/orders", order(symbol="NOPE"))
    broker.request("DELETE", "/v2/orders")
    counters = broker.counters()
    assert [(entry["kind"], entry["id"]) for entry in counters["exposing"]] == [
        ("order", sent["id"]), ("close", closing_order["id"]), ("order", rests),
    ]  # fmt: skip
    assert counters["exposing"][0]["client_order_id"] == sent["client_order_id"]
    assert rests in counters["cancels"]
    assert counters["requests"]["POST /v2/orders"] == 3
    assert counters["requests"]["DELETE /v2/positions/{symbol_or_asset_id}"] == 1


def test_foreign_orders_and_fills_by_hand(broker: BrokerProcess) -> None:
    (order_id,) = broker.control("POST", "/orders", {"venue": "sim1", "symbol": "KO", "prefix": "stranger-"})["ids"]
    found = seen(broker, order_id)
    assert found["client_order_id"].startswith("stranger-")
    broker.control("POST", "/fills", {"venue": "sim1", "order_id": order_id, "price": "12.34"})
    assert seen(broker, order_id)["filled_avg_price"] == "12.34"
    broker.control("POST", "/positions", {"venue": "sim1", "symbol": "XOM", "qty": "3"})
    (canceled,) = broker.control("POST", "/orders", {"venue": "sim1", "symbol": "JPM"})["ids"]
    broker.request("DELETE", f"/v2/orders/{canceled}")
    broker.control("POST", "/fills", {"venue": "sim1", "order_id": canceled})
    assert seen(broker, canceled)["filled_qty"] == "1"
    assert {p["symbol"] for p in broker.request("GET", "/v2/positions")[1]} == {"JPM", "KO", "XOM"}


def test_the_session_is_closed_and_opened_by_hand(broker: BrokerProcess) -> None:
    broker.control("POST", "/clock", {"session": "closed"})
    order_id = send(broker, market())["id"]
    assert broker.request("GET", "/v2/clock")[1]["is_open"] is False
    broker.control("POST", "/clock", {"session": "open"})
    reaches(broker, order_id, "filled")


def test_the_close_ends_day_orders_and_rolls_the_day(broker: BrokerProcess) -> None:
    day, gtc = send(broker, order())["id"], send(broker, order(time_in_force="gtc"))["id"]
    hold(broker)
    closes = broker.request("GET", "/v2/clock")[1]["next_close"]
    broker.control("POST", "/clock", {"shift_minutes": 8 * 60})
    assert broker.request("GET", "/v2/clock")[1]["next_close"] > closes
    assert seen(broker, day)["status"] == "expired"
    assert seen(broker, gtc)["status"] in ("new", "accepted")
    account = broker.request("GET", "/v2/account")[1]
    assert account["last_equity"] != "1000000"
    assert len(broker.request("GET", "/v2/account/portfolio/history")[1]["equity"]) >= 2


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/faults", {"name": "gremlins"}, "unknown fault 'gremlins'"),
        ("/faults", {"name": "slow", "venue": "nyse"}, "unknown venue 'nyse'"),
        ("/faults", {"name": "slow", "arg": "soon"}, "'soon' is not understood; a number of seconds is expected"),
        ("/faults", {"name": "hang", "arg": "5"}, "no argument is expected"),
        ("/faults", {"name": "ghost_position", "arg": "NOPE/3"}, "SYMBOL or SYMBOL/QTY is expected"),
        ("/faults", {"name": "partial_207", "arg": "often"}, "a number, forever or an order id is expected"),
        ("/faults", {"nom": "slow"}, "nom"),
        ("/clock", {"shift_minutes": -1}, "never goes backwards"),
        ("/orders", {"venue": "nyse"}, "unknown venue"),
        ("/orders", {"venue": "sim1", "symbol": "NOPE"}, "unknown symbol"),
        ("/fills", {"venue": "sim1", "order_id": "x"}, "that is open or was canceled"),
    ],
)
def test_control_says_what_is_wrong(broker: BrokerProcess, path: str, body: object, message: str) -> None:
    status, answered = broker.request("POST", f"/_control{path}", body, account=None)
    assert status == 422
    assert message in answered["message"]


def test_rate_limits_are_counted_down_and_kept() -> None:
    with (
        BrokerProcess("--rate-limit", "3", "--account", "solo") as broker,
        closing(http.client.HTTPConnection("127.0.0.1", broker.port, timeout=30)) as connection,
    ):

        def ask() -> tuple[int, int]:
            connection.request("GET", "/v2/clock", headers=broker.headers("solo"))
            response = connection.getresponse()
            response.read()
            assert response.headers["X-RateLimit-Limit"] == "3"
            assert int(response.headers["X-RateLimit-Reset"]) > time.time() - 1
            if response.status == 429:
                assert 1 <= int(response.headers["Retry-After"]) <= 60
            return response.status, int(response.headers["X-RateLimit-Remaining"])

        wait_until(lambda: time.time() % 60 < 45, "the minute is young enough for four requests")
        assert [ask() for _ in range(4)] == [(200, 2), (200, 1), (200, 0), (429, 0)]


def test_every_fault_has_its_test_here() -> None:
    source = Path(__file__).read_text()
    assert [name for name in CATALOGUE if f'"{name}"' not in source] == []
