"""The guard's HTTP, on loopback only. Health is open; everything else wants a bearer token.

Every error is JSON, `{"error": {"message", …}}`, and names the field where a field is wrong.
"""

import asyncio
import json
import math
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from console.cord.thread import CordThread
from console.desk.events import Refused
from console.desk.pull import Verdict, normal_symbol
from console.desk.state import DeskState
from console.guard.gate_watch import MOST_WAITERS, GateWatch, TooMany, revision
from console.guard.gatekeeper import GateKeeper
from console.guard.hub import Hub
from console.guard.prometheus import CONTENT_TYPE, Family, desk_families, render
from console.guard.recorder import BODY_LIMIT, Recorder
from console.guard.refusals import Refusals
from console.guard.shutdown import BadRequest, read_shutdown
from console.guard.status import pull_status, status
from console.guard.tokens import Tokens

LONGEST_WAIT = 3600.0
LONGEST_GATE_WAIT = 60.0
LONGEST_TOLD = 200
_SHUTDOWN = "/emergency/shutdown"
_OPEN_PATHS = frozenset({"/health", "/health/live", "/health/ready"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the endpoints speak for."""

    hub: Hub
    cord: CordThread
    gate: GateKeeper
    recorder: Recorder
    tokens: Tokens
    refusals: Refusals
    figures: Callable[[], list[Family]]


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 picks a free one. Raises OSError."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


class Http:
    """The server. `start` and `stop` belong to the loop."""

    def __init__(self, parts: Parts, listening: socket.socket) -> None:
        self._parts = parts
        self._listening = listening
        self._gates = GateWatch(parts.gate)
        app = web.Application(client_max_size=BODY_LIMIT, middlewares=[self._errors, self._authorize])
        app.add_routes(
            [
                web.get("/health", self._health),
                web.get("/health/live", self._health),
                web.get("/health/ready", self._ready),
                web.get("/metrics", self._metrics),
                web.get("/gate", self._gate),
                web.get("/status", self._status),
                web.post("/telemetry", self._telemetry),
                web.post(_SHUTDOWN, self._shutdown),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    async def start(self) -> None:
        await self._runner.setup()
        await web.SockSite(self._runner, self._listening).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    # --- around every request ----------------------------------------------------------------------------------------

    @web.middleware
    async def _errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            return _error(413, f"the body is larger than {BODY_LIMIT} bytes")
        except BadRequest as bad:
            if request.method == "POST" and request.path == _SHUTDOWN:
                self._parts.refusals.note(
                    Refused(what=_asked(request), why=str(bad)[:LONGEST_TOLD], remote=request.remote or ""),
                    request["actor"],
                )
            return _error(422, str(bad), field=bad.field, expected=bad.expected)
        except web.HTTPException as error:
            return _error(error.status, error.reason, allow=error.headers.get("Allow"))

    @web.middleware
    async def _authorize(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in _OPEN_PATHS:
            return await handler(request)
        authorization = request.headers.get("Authorization")
        actor = self._parts.tokens.actor(authorization)
        if actor is None:
            return self._refuse(request, "no bearer token" if authorization is None else "not a token of this desk")
        request["actor"] = actor
        return await handler(request)

    def _refuse(self, request: web.Request, why: str) -> web.Response:
        """Only what no token was found for ever comes here, so nobody's guesses keep a good token out."""
        refusals, remote = self._parts.refusals, request.remote or ""
        refusals.note(Refused(what=_asked(request), why=why, remote=remote))
        wait = refusals.failed(remote)
        if wait:
            answer = _error(429, f"{why}, and too many were tried from {remote}")
            answer.headers["Retry-After"] = str(math.ceil(wait))
            return answer
        answer = _error(401, f"{why}; send `Authorization: Bearer TOKEN` with one of {self._parts.tokens.path}")
        answer.headers["WWW-Authenticate"] = 'Bearer realm="andon"'
        return answer

    # --- endpoints ---------------------------------------------------------------------------------------------------

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _ready(self, request: web.Request) -> web.Response:
        missing = not_ready(self._parts.hub, self._parts.gate)
        return web.json_response(
            {"status": "not ready" if missing else "ready", "not_ready": missing}, status=503 if missing else 200
        )

    async def _metrics(self, request: web.Request) -> web.Response:
        families = [*desk_families(self._parts.hub.state, self._parts.hub.clock()), *self._parts.figures()]
        return web.Response(body=render(iter(families)).encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _gate(self, request: web.Request) -> web.Response:
        state = self._parts.hub.state
        strategy, symbol = request.query.get("strategy", ""), request.query.get("symbol", "")
        if strategy and strategy not in state.strategies:
            return _error(404, f"there is no strategy {strategy!r}; there are: {', '.join(state.strategies) or 'none'}")
        order = (state.strategies[strategy].info.venue if strategy else "", strategy, symbol)
        wait = _wait_of(request, LONGEST_GATE_WAIT)
        knows = request.query.get("since", "").strip('"')
        transport = request.transport
        try:
            gate = await self._gates.changed(
                order, knows, wait, lambda: transport is not None and not transport.is_closing()
            )
        except TooMany:
            answer = _error(503, f"{MOST_WAITERS} wait for the gate already; ask without `wait`")
            answer.headers["Retry-After"] = "1"
            return answer
        told = revision(gate)
        return web.json_response(
            {
                "state": gate.state.value,
                "size_factor": gate.size_factor,
                "rate_factor": gate.rate_factor,
                "because": gate.because,
                "revision": told,
            },
            headers={"ETag": f'"{told}"', "Cache-Control": "no-store"},
        )

    async def _status(self, request: web.Request) -> web.Response:
        state = self._parts.hub.state
        pull = request.query.get("pull")
        if pull is None:
            return web.json_response(status(state))
        if pull not in state.pulls:
            return _error(404, f"there is no pull {pull!r}")
        return web.json_response(pull_status(state.pulls[pull]))

    async def _telemetry(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not body:
            raise BadRequest("body", "empty", 'a JSON object {"strategy", "kind", "rows": […]}')
        if not self._parts.recorder.offer(body):
            answer = _error(503, "telemetry comes faster than it can be kept; this body was not taken")
            answer.headers["Retry-After"] = "1"
            return answer
        return web.json_response({"taken": len(body)}, status=202)

    async def _shutdown(self, request: web.Request) -> web.Response:
        wait = _wait_of(request, LONGEST_WAIT)
        body = await request.read()
        pull = read_shutdown(body, self._parts.cord.plan, _symbols(self._parts.hub.state), request["actor"])
        refusal = self._parts.cord.pull(pull)
        if refusal:
            raise BadRequest("scope", refusal, "another scope")
        verdict = await self._verdict(pull.id, wait)
        return web.json_response(
            {"pull": pull.id, "verdict": verdict.value, "status_url": f"{self.url}/status?pull={pull.id}"}, status=202
        )

    async def _verdict(self, pull: str, wait: float) -> Verdict:
        """The verdict as it is now, or, with patience, once it is VERIFIED."""
        until = time.monotonic() + wait
        while True:
            known = self._parts.hub.state.pulls.get(pull)
            if (known is not None and known.verdict is Verdict.VERIFIED) or time.monotonic() >= until:
                return Verdict.REQUESTED if known is None else known.verdict
            await asyncio.sleep(0.05)


def not_ready(hub: Hub, gate: GateKeeper) -> list[str]:
    """The names of what is not ready, each with why."""
    state = hub.state
    missing = [f"venue {name}: {row.why or 'not read yet'}" for name, row in state.venues.items() if not row.answers]
    missing += [
        f"strategy {name}: {'not read yet' if row.sample is None else row.sample.why or 'not healthy'}"
        for name, row in state.strategies.items()
        if row.sample is None or not row.sample.healthy
    ]
    return [*missing, *(trouble for trouble in (hub.trouble, gate.trouble) if trouble)]


def _symbols(state: DeskState) -> frozenset[str]:
    """Everything that is traded, held or ordered here."""
    traded = [symbol for row in state.strategies.values() for symbol in row.info.symbols]
    held = [position.symbol for venue in state.venues.values() for position in venue.positions]
    ordered = [order.symbol for venue in state.venues.values() for order in venue.orders]
    return frozenset(map(normal_symbol, (*traded, *held, *ordered)))


def _wait_of(request: web.Request, longest: float) -> float:
    told = request.query.get("wait", "0")
    try:
        wait = float(told)
    except ValueError:
        wait = -1.0
    if not 0 <= wait <= longest:
        raise BadRequest("wait", f"it is {told!r}", f"a number of seconds from 0 to {longest:.0f}")
    return wait


def _asked(request: web.Request) -> str:
    """What a request asked for, as it stood on the wire: escaped, so that no terminal obeys it, and not too long."""
    return f"{request.method} {request.rel_url.raw_path}"[:LONGEST_TOLD]


def _error(code: int, message: str, *, allow: str | None = None, **more: str) -> web.Response:
    answer = web.Response(
        body=json.dumps({"error": {"message": message, **more}}, ensure_ascii=False).encode(),
        status=code,
        content_type="application/json",
    )
    if allow:
        answer.headers["Allow"] = allow
    return answer
