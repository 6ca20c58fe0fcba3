"""HTTP for adapters: one request out, one answer or one reason back. Nothing is ever sent twice, nothing is raised.

aiohttp sends a GET, PUT or DELETE again by itself when the connection it used was dropped, and a broker's close call is
a DELETE. `_never_again` takes that away with a client middleware: a drop leaves it as an error of our own, which the
resending loop does not know. Writes have a fresh connection each, because bytes written to a connection that the
server has already closed are reported as sent and are lost. Redirects are not followed, not by a websocket either:
whoever follows one sends a request, and its keys, to a place that nobody configured.
"""

import asyncio
import email.utils
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from console.desk import exchange
from console.desk.exchange import HttpExchange
from console.desk.hidden import spelled

LARGEST_ANSWER = 64 * 1024 * 1024
REDIRECTS = frozenset({301, 302, 303, 307, 308})

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that arrived whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def done(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body, numbers as Decimal or int. Raises ValueError for everything that is not strict JSON."""
        try:
            return json.loads(self.body, parse_float=Decimal, parse_constant=_no_constant)
        except RecursionError:
            raise ValueError("nested too deeply") from None

    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait, in any of the three ways in use; None where it does not ask."""
        asked = self.headers.get("retry-after", "").strip()
        if asked.isascii() and asked.isdigit():
            return float(asked[:9])
        if asked:
            try:
                return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
            except ValueError:
                return None
        reset = self.headers.get("x-ratelimit-reset", "").strip()
        if reset.isascii() and reset.isdigit():
            return min(120.0, max(0.0, float(reset[:12]) - time.time()))
        return None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request may or may not have arrived; no whole answer came back."""

    reason: str


class Dropped(Exception):
    """A connection broke under a request. Deliberately no aiohttp.ClientError: see the module's first lines."""


class Wire:
    """Requests to one base URL, with fixed headers. `secrets` are blotted out of every reason, and of what `tap` is
    told: every exchange, once it is over."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        timeout: float,
        secrets: tuple[str, ...] = (),
        tap: Callable[[HttpExchange], None] | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        scheme, _, rest = self._base_url.partition("://")
        self._origin = f"{scheme}://{rest.partition('/')[0]}"
        self._headers = dict(headers)
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._seconds = timeout
        self._secrets = tuple(secret for secret in secrets if secret)
        self._hidden = spelled(secrets)
        self._tap = tap
        self._warm: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Wire({self._base_url!r})"

    async def read(self, path: str, query: Query | None = None) -> Answer | NoAnswer:
        """GET over a kept connection."""
        return await self._request(self._kept(), "GET", path, query, None)

    async def write(self, method: str, path: str, query: Query | None = None, body: object = None) -> Answer | NoAnswer:
        """A request that changes something, over a connection of its own."""
        if self._fresh is None:
            self._fresh = self._session(aiohttp.TCPConnector(limit=32, force_close=True))
        return await self._request(self._fresh, method, path, query, body)

    async def websocket(self, path: str, heartbeat: float) -> "aiohttp.ClientWebSocketResponse":
        """A websocket at this base URL. Raises aiohttp.ClientError, OSError, TimeoutError or Dropped."""
        url = self._base_url.replace("http", "ws", 1) + path
        async with asyncio.timeout(self._seconds):
            return await self._kept().ws_connect(url, heartbeat=heartbeat, max_msg_size=16 * 1024 * 1024)

    async def aclose(self) -> None:
        for session in (self._warm, self._fresh):
            if session is not None:
                await session.close()
        self._warm = self._fresh = None

    def blot(self, text: str) -> str:
        """`text` without any secret in it, on one line and of a length that fits a screen."""
        for secret in self._secrets:
            text = text.replace(secret, "•••")
        return " ".join(text.split())[:300]

    def explain(self, error: BaseException) -> str:
        """One short sentence for an error of the network. Never holds a header, so never a key."""
        if isinstance(error, TimeoutError):
            return f"no answer within {self._seconds:g} s"
        if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLError | aiohttp.ClientSSLError):
            return self.blot(f"TLS failed: {error}")
        if isinstance(error, aiohttp.ClientConnectorError):
            return self.blot(f"can not connect: {error.os_error.strerror or error.os_error}")
        if isinstance(error, aiohttp.ClientResponseError):  # its str names the URL, its repr the request's headers
            return self.blot(f"not understood: {error.status} {error.message}")
        if isinstance(error, Dropped):
            return self.blot(str(error))
        return self.blot(f"{type(error).__name__}: {error}")

    def _kept(self) -> aiohttp.ClientSession:
        if self._warm is None:
            self._warm = self._session(aiohttp.TCPConnector(limit=8, keepalive_timeout=10))
        return self._warm

    def _session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            headers=self._headers,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_never_again,),
        )

    async def _request(
        self, session: aiohttp.ClientSession, method: str, path: str, query: Query | None, body: object
    ) -> Answer | NoAnswer:
        text = self._base_url + path + ("?" + urlencode(query) if query else "")
        at, began = time.time_ns(), time.monotonic()
        answer: Answer | NoAnswer = NoAnswer("given up before an answer came")
        try:
            answer = await self._answer(session, method, text, body)
        finally:
            if self._tap is not None:
                self._tap(self._told(at, method, text, answer, time.monotonic() - began))
        return answer

    async def _answer(self, session: aiohttp.ClientSession, method: str, text: str, body: object) -> Answer | NoAnswer:
        data = None if body is None else json.dumps(body).encode()
        headers = None if body is None else {"Content-Type": "application/json"}
        try:
            url = URL(text, encoded=True)
            async with session.request(method, url, data=data, headers=headers) as response:
                held = bytearray()
                async for chunk in response.content.iter_chunked(65536):
                    held += chunk
                    if len(held) > LARGEST_ANSWER:
                        return NoAnswer(f"the answer is longer than {LARGEST_ANSWER} bytes")
                names = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, names, bytes(held))
        except (aiohttp.ClientError, OSError, TimeoutError, Dropped, ValueError) as error:
            return NoAnswer(self.explain(error))

    def _told(self, at: int, method: str, text: str, answer: Answer | NoAnswer, seconds: float) -> HttpExchange:
        path = text.removeprefix(self._origin)
        if isinstance(answer, NoAnswer):
            return exchange.unanswered(at, method, path, answer.reason, seconds, self._hidden)
        told = (answer.status, answer.headers, answer.body)
        return exchange.answered(at, method, path, *told, seconds, self._hidden)


async def _never_again(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        response = await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Dropped(f"the connection broke: {error}") from None
    if response.status in REDIRECTS:
        response.close()
        raise Dropped(f"redirected ({response.status}), which is not followed")
    return response


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
