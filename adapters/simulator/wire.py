"""In front of every route: keys, counters, rate limit, and the faults that change how a request is answered."""

import asyncio
import json
import logging
import socket
import struct
import time
from base64 import b64encode
from secrets import compare_digest, token_hex
from typing import NoReturn

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from adapters.simulator.account import Account
from adapters.simulator.answers import ACCOUNT, COUNTERS, answer, encode, refused
from adapters.simulator.broker import Broker
from adapters.simulator.counters import Counters, RateWindow
from adapters.simulator.faults import Fault, FaultBoard
from adapters.simulator.orders import Refusal
from adapters.simulator.store import StoreFailure

LOG = logging.getLogger("broker")
OPEN_PATHS = ("/_control", "/stream")
HTML = (
    "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr><center>nginx</center></body></html>"
)


class Front:
    """The one middleware. `limit` is requests a minute, for trading and for market data apart."""

    def __init__(self, broker: Broker, limit: int) -> None:
        self._broker = broker
        self._keys = {account.opened.key_id: account for account in broker.accounts.values()}
        self.counters = {name: Counters() for name in broker.accounts}
        self._late: set[asyncio.Task[web.Response]] = set()
        self._windows = {(name, data): RateWindow(limit) for name in broker.accounts for data in (True, False)}

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def front(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._front(request, handler)

        return front

    def forget(self) -> None:
        """Begins all counts anew."""
        for counters in self.counters.values():
            counters.reset()

    async def _front(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(OPEN_PATHS):
            return await handler(request)
        try:
            account = self._account(request)
        except Refusal as refusal:
            LOG.warning("nobody is known by the key of %s %s: %s", request.method, request.path, refusal)
            return refused(refusal)
        request[ACCOUNT] = account
        counters = request[COUNTERS] = self.counters[account.name]
        resource = request.match_info.route.resource
        counters.requests[f"{request.method} {resource.canonical if resource else 'unknown'}"] += 1
        window = self._windows[account.name, request.path.startswith("/v2/stocks")]
        faults = WireFaults(self._broker.faults, account.name, request)
        await faults.before()
        response = faults.instead()
        if response is None and not window.take(time.time()):
            response = answer({"code": 42910000, "message": "rate limit exceeded"}, 429)
            response.headers["Retry-After"] = str(max(1, int(window.reset - time.time())))
        if response is None:
            response = await self._carry_out(request, handler, faults.late())
        response.headers.update(window.headers() | {"X-Request-ID": token_hex(16)})
        return await faults.after(response)

    async def _carry_out(self, request: web.Request, handler: Handler, late: Fault | None) -> web.Response:
        if late is None:
            return await self._handle(request, handler)
        await request.read()
        task = asyncio.create_task(self._later(late.number(1), request, handler))
        self._late.add(task)  # the loop itself holds no task that nobody waits for
        task.add_done_callback(self._late.discard)
        return await asyncio.shield(task)

    async def _later(self, seconds: float, request: web.Request, handler: Handler) -> web.Response:
        await asyncio.sleep(seconds)
        return await self._handle(request, handler)

    async def _handle(self, request: web.Request, handler: Handler) -> web.Response:
        self._broker.advance()
        try:
            response = await handler(request)
        except Refusal as refusal:
            if request.method != "GET":
                LOG.warning("%s: refused %s %s: %s", request[ACCOUNT].name, request.method, request.path, refusal)
            return refused(refusal)
        except StoreFailure as failure:
            LOG.error("%s: %s %s failed: %s", request[ACCOUNT].name, request.method, request.path, failure)
            return answer({"code": 50010000, "message": "internal server error occurred"}, 500)
        except web.HTTPException as error:
            return answer({"code": error.status * 100_000 + 10000, "message": "endpoint not found"}, error.status)
        assert isinstance(response, web.Response)  # noqa: S101 - no route here streams
        return response

    def _account(self, request: web.Request) -> Account:
        key, secret = request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")
        if not key or not secret:
            raise Refusal(401, 40110000, "request is not authorized")
        account = self._keys.get(key)
        if account is None or not compare_digest(secret.encode(), account.opened.secret.encode()):
            raise Refusal(403, 40310000, "forbidden.")
        return account


class WireFaults:
    """The faults of the wire for one request."""

    def __init__(self, board: FaultBoard, venue: str, request: web.Request) -> None:
        self._board = board
        self._venue = venue
        self._request = request

    def _on(self, name: str) -> Fault | None:
        return self._board.on_wire(name, self._venue, self._request.method, self._request.path)

    async def before(self) -> None:
        if self._on("refuse"):
            self._abort()
        if self._on("hang_before_accept"):
            await self._never()
        if fault := self._on("slow"):
            await asyncio.sleep(fault.number(1))

    def instead(self) -> web.Response | None:
        """The answer of a broker that does not even look at the request."""
        if self._on("unauthorized"):
            return answer({"code": 40110000, "message": "request is not authorized"}, 401)
        if fault := self._on("rate_limited"):
            retry = {"Retry-After": f"{fault.number(1):g}"}
            return answer({"code": 42910000, "message": "rate limit exceeded"}, 429, retry)
        if self._on("error500"):
            return answer({"code": 50010000, "message": "internal server error occurred"}, 500)
        if self._on("html502"):
            return web.Response(text=HTML.format("502 Bad Gateway"), status=502, content_type="text/html")
        return None

    def late(self) -> Fault | None:
        return None if self._request.method == "GET" else self._on("late_accept")

    async def after(self, response: web.Response) -> web.StreamResponse:
        """What becomes of an answer on its way."""
        if self._on("hang"):
            await self._never()
        if self._request.method != "GET" and self._on("gateway504"):
            return web.Response(text=HTML.format("504 Gateway Time-out"), status=504, content_type="text/html")
        body = response.body if isinstance(response.body, bytes) else b""
        if body and self._on("truncated_json"):
            response.body = body[: len(body) // 2]
        if self._request.method == "GET" and self._on("wrong_types"):
            response.body = (
                b'"' if not body else b'{"unexpected": [1, null, "x"]}' if body[:1] == b"[" else b"[0, null]"
            )
        if self._request.method == "GET" and body and self._on("wrong_values"):
            response.body = wrong_values(body)
        if self._on("echoes_keys"):
            self._echo(response)
        if self._on("reset"):
            await self._reset(response, body)
        if fault := self._on("close_warm"):
            await response.prepare(self._request)
            await response.write_eof()
            self._close_in(fault.number(0))
        return response

    def _echo(self, response: web.Response) -> None:
        key, secret = (self._request.headers[name] for name in ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY"))
        both = b64encode(f"{key}:{secret}".encode()).decode()
        response.headers.update({"X-Api-Key": key, "Set-Cookie": f"session={secret}; HttpOnly", "X-Asked-As": both})
        if response.status >= 400:
            response.body = encode({"code": 40010000, "message": f"{key} with {secret!r} may not", "asked_as": both})

    async def _never(self) -> NoReturn:
        """Waits until the client goes away."""
        await asyncio.Event().wait()
        raise AssertionError("an event that nobody sets was set")

    def _abort(self) -> NoReturn:
        """Drops the connection without another byte."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()
        raise asyncio.CancelledError

    async def _reset(self, response: web.Response, body: bytes) -> NoReturn:
        """Half an answer, then RST: lingering for no time makes the close a reset."""
        half = web.StreamResponse(status=response.status, headers={"Content-Length": str(len(body) + 1)})
        await half.prepare(self._request)
        await half.write(body[: len(body) // 2])
        transport = self._request.transport
        raw = transport.get_extra_info("socket") if transport is not None else None
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._abort()

    def _close_in(self, seconds: float) -> None:
        transport = self._request.transport
        if transport is not None:
            asyncio.get_running_loop().call_later(seconds, transport.close)


def wrong_values(body: bytes) -> bytes:
    """JSON of the same shape: ids are null, everything else is false."""
    told = json.loads(body)
    rows = [dict.fromkeys(row, False) | {"id": None} for row in (told if isinstance(told, list) else [told])]
    return json.dumps(rows if isinstance(told, list) else rows[0]).encode()
