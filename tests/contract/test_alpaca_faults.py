"""A broker that misbehaves on the wire: the right answer each time, and each request seen exactly once."""

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import aiohttp
import aiohttp.web
import pytest

from adapters.alpaca import AlpacaVenue
from adapters.base import Acked, Ambiguous, Connection, NewOrder, Ok, Refused, Unknown

SECRET = "sekret-that-must-not-show"
ORDER = NewOrder(client_order_id="momentum-1", symbol="AAPL", side="buy", qty=Decimal(1))

ORDER_JSON = {
    "id": "o1",
    "client_order_id": "momentum-1",
    "symbol": "AAPL",
    "side": "buy",
    "qty": "1",
    "filled_qty": "0",
    "type": "market",
    "status": "new",
    "created_at": "2026-01-02T03:04:05.123456789Z",
    "time_in_force": "day",
}

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A raw socket server: notes the request line and body of every request, and answers with prepared bytes (or what
    a function makes of the request line); None answers nothing. The connection stays open unless it `closes`."""

    def __init__(self, answer=b"", closes=False):
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._answer = answer if callable(answer) else lambda line: answer
        self._closes = closes
        self._writers = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc):
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        self._writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line = head.split(b"\r\n")[0].decode()
                lower = head.lower()
                length = 0
                if b"content-length:" in lower:
                    length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
                self.bodies.append(await reader.readexactly(length))
                self.requests.append(line)
                answer = self._answer(line)
                if answer is None:
                    continue
                writer.write(answer)
                await writer.drain()
                if self._closes:
                    writer.close()
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass

    def venue(self, timeout=5.0, name="sim1", tap=None):
        url = f"http://127.0.0.1:{self.port}"
        return AlpacaVenue(Connection(name, url, url, "key-id-that-must-not-show", SECRET, timeout, tap))


def http(status, body=b"", *headers, length=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


READS = {
    "account": lambda venue: venue.account(),
    "clock": lambda venue: venue.clock(),
    "positions": lambda venue: venue.positions(),
    "open_orders": lambda venue: venue.open_orders(),
    "orders_until": lambda venue: venue.orders_until(frozenset()),
    "fills_until": lambda venue: venue.fills_until(frozenset()),
    "order_by_client_id": lambda venue: venue.order_by_client_id("momentum-1"),
    "latest_bars": lambda venue: venue.latest_bars(["AAPL"]),
    "latest_quotes": lambda venue: venue.latest_quotes(["AAPL"]),
    "bars": lambda venue: venue.bars("AAPL", 5),
}
WRITES = {
    "submit": lambda venue: venue.submit(ORDER),
    "cancel": lambda venue: venue.cancel("o1"),
    "cancel_all": lambda venue: venue.cancel_all(),
    "close": lambda venue: venue.close("AAPL"),
    "close_all": lambda venue: venue.close_all(cancel_orders=True),
    "suspend": lambda venue: venue.suspend(True),
}
HTML = b"<html><body>502 Bad Gateway</body></html>"
BROKEN = {
    "an HTML 502": http(502, HTML, "Content-Type: text/html"),
    "an HTML 200": http(200, HTML),
    "a 500": http(500, {"code": 50010000, "message": "internal"}),
    "a 504": http(504, b""),
    "an HTML 403 of a proxy": http(403, HTML),
    "truncated JSON": http(200, b'[{"id": "o1", "sta'),
    "a body cut off": http(200, b'[{"id": "o1"', length=500),
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "a redirect": http(307, b"", "Location: http://127.0.0.1:1/elsewhere"),
    "wrong types": http(200, [[1], "x"]),
    "null": http(200, b"null"),
    "NaN": http(200, b'{"equity": NaN, "bars": NaN, "quotes": NaN}'),
    "deep nesting": http(200, b"[" * 200_000),
    "nothing, and closed": b"",
}


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("read", READS)
async def test_a_read_that_fails_is_unknown_and_is_sent_once(read, fault):
    async with Server(BROKEN[fault], closes=True) as server:
        venue = server.venue()
        answer = await READS[read](venue)
        await venue.aclose()
    assert isinstance(answer, Unknown), answer
    assert answer.reason
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("write", WRITES)
async def test_a_write_whose_fate_is_open_is_ambiguous_and_is_sent_once(write, fault):
    async with Server(BROKEN[fault], closes=True) as server:
        venue = server.venue()
        answer = await WRITES[write](venue)
        await venue.aclose()
    assert isinstance(answer, Ambiguous), answer
    assert len(server.requests) == 1


@pytest.mark.parametrize("write", WRITES)
async def test_a_hang_is_ambiguous_for_a_write_and_unknown_for_a_read(write):
    async with Server(None) as server:
        venue = server.venue(timeout=0.3)
        answer = await WRITES[write](venue)
        read = await venue.positions()
        await venue.aclose()
    assert isinstance(answer, Ambiguous)
    assert isinstance(read, Unknown)
    assert "within 0.3 s" in answer.reason
    assert "within 0.3 s" in read.reason
    assert len(server.requests) == 2


@pytest.mark.parametrize("write", WRITES)
async def test_a_refusal_in_the_brokers_own_words_is_proof(write):
    async with Server(http(403, {"code": 40310000, "message": "insufficient\nqty"})) as server:
        venue = server.venue()
        answer = await WRITES[write](venue)
        await venue.aclose()
    assert answer == Refused("40310000", "insufficient qty")
    assert len(server.requests) == 1


@pytest.mark.parametrize("write", WRITES)
async def test_too_many_requests_is_refused_with_the_wait_it_asks_for(write):
    async with Server(http(429, b"slow down", "Retry-After: 7")) as server:
        venue = server.venue()
        answer = await WRITES[write](venue)
        read = await venue.account()
        await venue.aclose()
    assert isinstance(answer, Refused)
    assert answer.retry_after == 7
    assert isinstance(read, Unknown)
    assert "wait 7 s" in read.reason
    assert len(server.requests) == 2


async def test_a_request_timeout_of_the_server_proves_nothing():
    async with Server(http(408, {"code": 1, "message": "request timeout"})) as server:
        venue = server.venue()
        assert isinstance(await venue.submit(ORDER), Ambiguous)
        await venue.aclose()


@pytest.mark.parametrize("url", ["http://", "nonsense", "http://[::1", "http://127.0.0.1:99999", "ftp://127.0.0.1"])
async def test_a_url_that_leads_nowhere_is_unknown_too(url):
    venue = AlpacaVenue(Connection("sim1", url, url, "key", SECRET, 5))
    assert isinstance(await venue.positions(), Unknown)
    assert isinstance(await venue.cancel_all(), Ambiguous)
    assert isinstance(await anext(venue.updates()), Unknown)
    await venue.aclose()


async def test_nobody_there_is_ambiguous_and_unknown():
    async with Server() as server:
        venue = server.venue()
    assert isinstance(await venue.cancel_all(), Ambiguous)
    assert isinstance(await venue.positions(), Unknown)
    await venue.aclose()


# --- nothing is sent twice --------------------------------------------------------------------------------------------


class Dropper(Server):
    """Answers a GET of positions and keeps the connection; whatever else comes is read, and the connection closed."""

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line = head.split(b"\r\n")[0].decode()
                self.requests.append(line)
                if line.split()[1] != "/v2/positions" or not line.startswith("GET"):
                    writer.close()
                    return
                writer.write(http(200, b"[]"))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass


async def test_plain_aiohttp_does_send_a_delete_twice():
    """The reason for adapters.wire: if this ever fails, aiohttp has stopped doing it."""
    async with Dropper() as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}"
        async with session.get(url + "/v2/positions") as response:
            await response.read()
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.delete(url + "/v2/positions/AAPL")
    assert server.requests.count("DELETE /v2/positions/AAPL HTTP/1.1") == 2


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_is_seen_once_when_the_connection_drops(write):
    async with Dropper() as server:
        venue = server.venue()
        assert isinstance(await venue.positions(), Ok)
        answer = await WRITES[write](venue)
        await venue.aclose()
    assert isinstance(answer, Ambiguous)
    assert len(server.requests) == 2
    assert server.connections == 2, "a write goes over a connection of its own"


async def test_a_read_is_seen_once_when_the_warm_connection_drops():
    async with Dropper() as server:
        venue = server.venue()
        assert isinstance(await venue.positions(), Ok)
        answer = await venue.account()
        await venue.aclose()
    assert isinstance(answer, Unknown)
    assert len(server.requests) == 2
    assert server.connections == 1


async def test_a_reset_in_the_middle_of_an_answer_is_ambiguous():
    class Resetter(Server):
        async def _serve(self, reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            self.requests.append("one")
            writer.write(http(207, b'[{"id": "o1", "status": 200}', length=900))
            await writer.drain()
            writer.transport.abort()

    async with Resetter() as server:
        venue = server.venue()
        assert isinstance(await venue.cancel_all(), Ambiguous)
        assert isinstance(await venue.open_orders(), Unknown)
        await venue.aclose()
    assert len(server.requests) == 2


async def test_a_redirect_is_followed_by_nobody():
    async with Server(http(200, b"[]")) as elsewhere:
        location = f"Location: http://127.0.0.1:{elsewhere.port}/v2/orders"
        async with Server(lambda line: http(307, b"", location)) as server:
            venue = server.venue()
            for write in WRITES.values():
                assert isinstance(await write(venue), Ambiguous)
            assert isinstance(await venue.positions(), Unknown)
            assert isinstance(await anext(venue.updates()), Unknown)
            await venue.aclose()
    assert elsewhere.requests == []
    assert len(server.requests) == len(WRITES) + 2


# --- TLS --------------------------------------------------------------------------------------------------------------


async def test_a_certificate_that_nobody_vouches_for_is_unknown_and_gets_no_request():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("untrusted.pem"))
    seen = []

    async def serve(reader, writer):
        seen.append(await reader.read(1))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    url = f"https://127.0.0.1:{port}"
    venue = AlpacaVenue(Connection("sim1", url, url, "key", SECRET, 5))
    read, write = await venue.positions(), await venue.cancel_all()
    await venue.aclose()
    server.close()
    assert isinstance(read, Unknown)
    assert "TLS" in read.reason
    assert isinstance(write, Ambiguous)
    assert seen == []


async def test_a_server_without_tls_behind_https_is_unknown():
    async with Server(http(200, b"[]")) as server:
        url = f"https://127.0.0.1:{server.port}"
        venue = AlpacaVenue(Connection("sim1", url, url, "key", SECRET, 5))
        assert isinstance(await venue.positions(), Unknown)
        await venue.aclose()
    assert server.requests == []


# --- what is proven, what is complete ---------------------------------------------------------------------------------


async def test_only_the_brokers_own_404_says_that_an_order_never_was():
    answers = iter([http(404, {"code": 40410000, "message": "order not found"}), http(404, HTML), http(404, {})])
    async with Server(lambda line: next(answers)) as server:
        venue = server.venue()
        assert await venue.order_by_client_id("x") == Ok(None, as_of=pytest.approx(0, abs=2**63))
        assert isinstance(await venue.order_by_client_id("x"), Unknown)
        assert isinstance(await venue.order_by_client_id("x"), Unknown)
        await venue.aclose()


async def test_a_side_that_nobody_quotes_is_none_and_sizes_keep_their_digits():
    row = {"t": "2026-03-04T15:00:00.123456789Z", "ap": 0, "as": 0, "bp": 387.67, "bs": 1.25, "ax": "C", "bx": "N"}
    async with Server(http(200, {"quotes": {"BTC/USD": row}})) as server:
        venue = server.venue()
        read = await venue.latest_quotes(["BTC/USD"])
        await venue.aclose()
    (quote,) = read.data
    assert (quote.symbol, quote.bid, quote.ask, quote.bid_size) == ("BTCUSD", Decimal("387.67"), None, Decimal("1.25"))
    assert quote.at % 1_000_000_000 == 123456789


async def test_a_bulk_answer_keeps_each_item():
    failed = {"id": "b", "status": 500, "body": {"code": 50010000, "message": "stuck"}}
    async with Server(http(207, [{"id": "a", "status": 200}, failed])) as server:
        venue = server.venue()
        answer = await venue.cancel_all()
        await venue.aclose()
    assert isinstance(answer, Acked)
    assert [(item.target, item.ok, item.status, item.message) for item in answer.data] == [
        ("a", True, 200, ""),
        ("b", False, 500, "stuck"),
    ]


async def test_a_bulk_item_that_makes_no_sense_leaves_the_whole_ambiguous():
    async with Server(http(207, [{"id": "a", "status": 200}, {"status": 200}])) as server:
        venue = server.venue()
        assert isinstance(await venue.cancel_all(), Ambiguous)
        await venue.aclose()


async def test_a_suspension_that_the_broker_does_not_show_is_not_acknowledged():
    async with Server(http(200, {"suspend_trade": False})) as server:
        venue = server.venue()
        assert isinstance(await venue.suspend(True), Ambiguous)
        assert isinstance(await venue.suspend(False), Acked)
        await venue.aclose()


def pages_of_orders(total, fails_after=None):
    """1,200 orders, newest first: serves 500 a page before an id, and perhaps fails from some page on."""

    def answer(line):
        target = line.split()[1]
        start = int(target.rpartition("before_order_id=")[2]) + 1 if "before_order_id" in target else 0
        if fails_after is not None and start >= fails_after:
            return http(502, HTML)
        page = [{**ORDER_JSON, "id": str(number)} for number in range(start, min(start + 500, total))]
        return http(200, page)

    return answer


async def test_orders_are_read_to_the_last_page():
    async with Server(pages_of_orders(1200)) as server:
        venue = server.venue()
        read = await venue.open_orders()
        await venue.aclose()
    assert isinstance(read, Ok)
    assert read.complete
    assert [order.id for order in read.data] == [str(number) for number in range(1200)]
    assert len(server.requests) == 3


async def test_a_page_that_fails_leaves_the_read_incomplete():
    async with Server(pages_of_orders(1200, fails_after=500)) as server:
        venue = server.venue()
        read = await venue.open_orders()
        await venue.aclose()
    assert isinstance(read, Ok)
    assert not read.complete
    assert len(read.data) == 500


async def test_orders_are_read_back_to_what_is_known():
    async with Server(pages_of_orders(1200)) as server:
        venue = server.venue()
        read = await venue.orders_until(frozenset({"620", "900"}))
        capped = await venue.orders_until(frozenset(), most=700)
        await venue.aclose()
    assert isinstance(read, Ok)
    assert read.complete
    assert len(read.data) == 620
    assert isinstance(capped, Ok)
    assert not capped.complete
    assert len(capped.data) == 700


async def test_a_server_that_repeats_its_page_for_ever_is_left():
    page = http(200, [{**ORDER_JSON, "id": str(number)} for number in range(500)])
    async with Server(page) as server:
        venue = server.venue()
        read = await venue.open_orders()
        await venue.aclose()
    assert isinstance(read, Ok)
    assert not read.complete
    assert len(server.requests) == 2


# --- numbers and secrets ----------------------------------------------------------------------------------------------


async def test_numbers_are_exact_however_they_are_written():
    row = b'{"symbol": "BTC/USD", "side": "short", "qty": %s, "avg_entry_price": "0.10", "current_price": 134567.125}'
    for written in (b'"-0.123456789012345678"', b"-0.123456789012345678"):
        async with Server(http(200, b"[" + row % written + b"]")) as server:
            venue = server.venue()
            read = await venue.positions()
            await venue.aclose()
        assert isinstance(read, Ok)
        (position,) = read.data
        assert position.symbol == "BTCUSD"
        assert position.qty == Decimal("-0.123456789012345678")
        assert str(position.avg_price) == "0.10"
        assert position.mark == Decimal("134567.125")


async def test_an_order_is_sent_as_strings_with_its_own_name():
    async with Server(http(200, ORDER_JSON)) as server:
        venue = server.venue()
        order = NewOrder("m-1", "AAPL", "buy", Decimal("1E+2"), take_profit=Decimal("10.50"), stop_loss=Decimal("9.5"))
        answer = await venue.submit(order)
        await venue.aclose()
    assert isinstance(answer, Acked)
    assert answer.data.created == 1767323045123456789
    assert json.loads(server.bodies[0]) == {
        "client_order_id": "m-1",
        "symbol": "AAPL",
        "side": "buy",
        "qty": "100",
        "type": "market",
        "time_in_force": "day",
        "order_class": "bracket",
        "take_profit": {"limit_price": "10.50"},
        "stop_loss": {"stop_price": "9.5"},
    }


async def test_a_secret_shows_nowhere(caplog, capfd):
    """Not even when the other side sends it back."""
    caplog.set_level(0)
    taken = []
    told = [repr(Connection("sim1", "http://x", "http://x", "key-id-that-must-not-show", SECRET))]
    for status in (200, 403, 404, 422, 429, 500):
        body = {"code": 40010001, "message": f"key key-id-that-must-not-show with {SECRET} is wrong"}
        echoed = (f"Set-Cookie: {SECRET}", f"X-Said: {b64encode(f'me:{SECRET}'.encode()).decode()}")
        async with Server(http(status, body, *echoed)) as server:
            venue = server.venue(tap=taken.append)
            told += [repr(venue), repr(vars(venue)["_trading"])]
            for call in (*READS.values(), *WRITES.values()):
                told.append(repr(await call(venue)))
            await venue.aclose()
            assert [f"{each.method} {each.path} HTTP/1.1" for each in taken] == server.requests
            told += map(repr, taken)
            taken.clear()
    output = capfd.readouterr()
    everything = "\n".join([*told, caplog.text, output.out, output.err])
    assert "must-not-show" not in everything
    assert b64encode(SECRET.encode()).decode()[4:-4] not in everything
    assert "is wrong" in everything


async def test_every_exchange_is_told_whatever_became_of_it():
    told = []
    async with Server(http(200, b"[]", "X-Request-ID: 7", "Set-Cookie: a=b")) as server:
        venue = server.venue(tap=told.append)
        await venue.latest_quotes(["AAPL", "MSFT"])
        await venue.close("BTC/USD", Decimal("0.5"))
        await venue.aclose()
    answered = [(each.method, each.path, each.status, each.body, each.error) for each in told]
    assert answered == [
        ("GET", "/v2/stocks/quotes/latest?symbols=AAPL%2CMSFT", 200, "[]", ""),
        ("DELETE", "/v2/positions/BTCUSD?qty=0.5", 200, "[]", ""),
    ]
    assert told[0].headers["x-request-id"] == "7"
    assert told[0].headers["set-cookie"] == "[redacted]"
    async with Server(None) as server:
        venue = server.venue(timeout=0.3, tap=told.append)
        await venue.positions()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await venue.cancel_all()
        await venue.aclose()
    assert [(each.status, each.error) for each in told[2:]] == [
        (0, "no answer within 0.3 s"),
        (0, "given up before an answer came"),
    ]
    assert told[2].took_ms >= 300


# --- the stream -------------------------------------------------------------------------------------------------------


class Stream:
    """A broker's /stream that plays prepared messages after `listen` and closes."""

    def __init__(self, *plays, authorized=True):
        self.plays = list(plays)
        self.authorized = authorized
        self.keys = []

    async def __aenter__(self):
        app = aiohttp.web.Application()
        app.router.add_get("/stream", self._serve)
        self._runner = aiohttp.web.AppRunner(app)
        await self._runner.setup()
        site = aiohttp.web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        url = f"http://127.0.0.1:{self.port}"
        self.venue = AlpacaVenue(Connection("sim1", url, url, "key", SECRET, 5))
        return self

    async def __aexit__(self, *exc):
        await self.venue.aclose()
        await self._runner.cleanup()

    async def _serve(self, request):
        socket = aiohttp.web.WebSocketResponse()
        await socket.prepare(request)
        self.keys.append((await socket.receive_json())["data"]["secret_key"])
        status = "authorized" if self.authorized else "unauthorized"
        await socket.send_json({"stream": "authorization", "data": {"status": status, "action": "authenticate"}})
        if self.authorized:
            await socket.receive()
            await socket.send_json({"stream": "listening", "data": {"streams": ["trade_updates"]}})
            for message in self.plays.pop(0) if self.plays else []:
                await (socket.send_bytes if isinstance(message, bytes) else socket.send_str)(message)
        await socket.close()
        return socket


def update(event, execution=None, **extra):
    data = {"event": event, "order": ORDER_JSON, "timestamp": "2026-01-02T03:04:05Z", **extra}
    if execution:
        data |= {"execution_id": execution, "qty": "1", "price": "10.25"}
    return json.dumps({"stream": "trade_updates", "data": data})


async def collect(updates, count):
    async with asyncio.timeout(30):
        return [await anext(updates) for _ in range(count)]


async def test_an_execution_is_told_once_over_text_binary_and_reconnects():
    first = [update("new"), update("fill", "e1"), update("fill", "e1").encode()]
    second = [update("partial_fill", "e1"), update("fill", "e2").encode()]
    async with Stream(first, second) as stream:
        told = await collect(stream.venue.updates(), 10)
    kinds = [item.execution_id if hasattr(item, "execution_id") else type(item).__name__ for item in told]
    assert kinds == ["Unknown", "Order", "e1", "Order", "Order", "Unknown", "Unknown", "Order", "e2", "Order"]
    assert told[2].price == Decimal("10.25")


async def test_a_message_that_makes_no_sense_is_a_gap_and_not_the_end():
    strange = ["{", "[1]", json.dumps({"stream": "trade_updates"}), update("fill"), json.dumps({"stream": "news"})]
    async with Stream([*strange, update("fill", "e1")]) as stream:
        told = await collect(stream.venue.updates(), 7)
    assert [type(item).__name__ for item in told] == ["Unknown"] * 5 + ["Filled", "Order"]


async def test_a_wrong_secret_is_unknown_and_is_not_tried_again_at_once():
    async with Stream(authorized=False) as stream:
        updates = stream.venue.updates()
        (told,) = await collect(updates, 1)
        assert isinstance(told, Unknown)
        assert "does not accept" in told.reason
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await anext(updates)
        assert len(stream.keys) == 1
