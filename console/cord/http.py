"""HTTP/1.1 by hand, one request at a time, so that nothing is ever sent twice behind our back.

No pooling, no redirects, no retries: a library that repeats a DELETE over a dropped connection would repeat a close.
Every wait has a deadline (monotonic seconds). A failure says on which side of the one line that matters it is:
`NotSent` means that no whole request can have reached the server; `Lost` means that one may have.
"""

import json
import socket
import time
from typing import Any

from console.cord.names import Address, addresses

CRLF = b"\r\n"
LARGEST_ANSWER = 64 * 1024 * 1024
LONGEST_PATIENCE = 60.0


class HttpError(Exception):
    """Base of both failures; the message is a short reason without secrets."""


class NotSent(HttpError):
    """The request did not leave: refused, unreachable, no handshake."""


class Lost(HttpError):
    """The request left, and no whole answer came: its fate is not known."""


class Answer:
    """A whole HTTP answer. `took` is seconds from the first byte sent."""

    __slots__ = ("body", "headers", "status", "took")

    def __init__(self, status: int, headers: dict[str, str], body: bytes, took: float) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.took = took

    def json(self) -> Any:
        """The body with numbers kept as text. Raises ValueError: an HTML page is an answer, but not this one."""
        try:
            return json.loads(self.body, parse_float=str, parse_int=str)
        except RecursionError:
            raise ValueError("nested too deeply") from None

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait, at most `LONGEST_PATIENCE`: a slip of its must not end the stopping."""
        value = self.headers.get("retry-after", "")
        return min(float(value), LONGEST_PATIENCE) if value.isdecimal() else None


def request_bytes(host: str, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """A whole request, ready to be sent."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Accept: application/json", "User-Agent: andon-cord/1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method in ("POST", "PATCH"):
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + CRLF + CRLF + body


class Wire:
    """One connection to one server. Not thread-safe; hand it over whole. `request` is the last that was sent on it."""

    __slots__ = ("_rest", "_sent_at", "_socket", "opened", "request")

    def __init__(self, host: str, port: int, *, tls: bool, deadline: float) -> None:
        """Connect before `deadline`. Raises NotSent."""
        try:
            found = addresses(host, port, deadline)
        except OSError as error:
            raise NotSent(_reason("looking up its address", error)) from None
        try:
            raw = _connected(found, deadline)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = _handshake(raw, host, deadline) if tls else raw
        except OSError as error:
            raise NotSent(_reason("connecting", error)) from None
        self._rest = b""
        self._sent_at = 0.0
        self.opened = time.monotonic()
        self.request = b""

    @property
    def waited(self) -> float:
        """Seconds since the last request began to be sent."""
        return time.monotonic() - self._sent_at

    def alive(self) -> bool:
        """Whether an idle connection still stands, as far as this side can know. An idle server says nothing: any byte,
        and the end above all, is the end. Under TLS only reading tells: session tickets arrive on their own."""
        try:
            self._socket.settimeout(0)
            self._socket.recv(1)
        except OSError as error:
            return isinstance(error, BlockingIOError) or type(error).__name__ == "SSLWantReadError"
        return False

    def send(self, request: bytes, deadline: float) -> None:
        """Send a whole request. Raises NotSent where not all of its bytes can have left, Lost otherwise."""
        self._sent_at = time.monotonic()
        view = memoryview(request)
        while view:
            try:
                self._socket.settimeout(_left(deadline, NotSent("no time left to send")))
                view = view[self._socket.send(view) :]
            except OSError as error:
                self.close()
                raise NotSent(_reason("sending", error)) from None
        self.request = request

    def send_now(self, request: bytes) -> bool:
        """Send a whole request on an idle connection, in one call and without waiting. False where it did not leave. A
        connection that the server has closed takes it all the same: then the answer is its end."""
        self._sent_at = time.monotonic()
        try:
            if self._socket.gettimeout() != 0:
                self._socket.settimeout(0)
            if self._socket.send(request) == len(request):
                self.request = request
                return True
        except OSError:
            pass
        self.close()
        return False

    def receive(self, deadline: float, *, bodiless: bool = False) -> Answer:
        """The answer to what was sent. Raises Lost for anything less than a whole one."""
        try:
            return self._receive(deadline, bodiless)
        except (OSError, ValueError) as error:
            self.close()
            raise Lost(_reason("waiting for the answer", error)) from None
        except Lost:
            self.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def _receive(self, deadline: float, bodiless: bool) -> Answer:
        while True:
            head = self._until(CRLF + CRLF, deadline)
            first, *lines = head.decode("latin-1").split("\r\n")
            version, _, rest = first.partition(" ")
            if not version.startswith("HTTP/1."):
                raise Lost("the answer is not HTTP")
            status = int(rest[:3])
            headers = {
                name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            if status >= 200:
                break
        body = b"" if bodiless or status in (204, 304) else self._body(headers, deadline)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body, self.waited)

    def _body(self, headers: dict[str, str], deadline: float) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int(self._until(CRLF, deadline).split(b";")[0], 16):
                parts.append(self._exactly(size, deadline))
                self._until(CRLF, deadline)
            while self._until(CRLF, deadline):
                pass  # trailers
            return b"".join(parts)
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]), deadline)
        return self._to_the_end(deadline)

    def _read(self, deadline: float) -> bytes:
        self._socket.settimeout(_left(deadline, Lost("no answer in time")))
        return self._socket.recv(65536)

    def _more(self, deadline: float) -> None:
        read = self._read(deadline)
        if not read:
            raise Lost("the connection was closed before the answer was whole")
        self._rest += read
        if len(self._rest) > LARGEST_ANSWER:
            raise Lost("the answer is too large")

    def _until(self, end: bytes, deadline: float) -> bytes:
        while (at := self._rest.find(end)) < 0:
            self._more(deadline)
        found, self._rest = self._rest[:at], self._rest[at + len(end) :]
        return found

    def _exactly(self, size: int, deadline: float) -> bytes:
        if not 0 <= size <= LARGEST_ANSWER:
            raise Lost("the answer is too large")
        parts, held = [self._rest], len(self._rest)
        while held < size:
            read = self._read(deadline)
            if not read:
                raise Lost("the connection was closed before the answer was whole")
            parts.append(read)
            held += len(read)
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]

    def _to_the_end(self, deadline: float) -> bytes:
        parts = [self._rest]
        self._rest = b""
        while read := self._read(deadline):
            parts.append(read)
        self.close()
        return b"".join(parts)


def _connected(found: list[Address], deadline: float) -> socket.socket:
    """A connection to the first of the addresses that takes one; each has its share of the time that is left."""
    failure = OSError("no address")
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        raw = socket.socket(family, kind, protocol)
        try:
            raw.settimeout(_left(deadline, NotSent("no time left to connect")) / (len(found) - tried))
            raw.connect(address)
        except OSError as error:
            raw.close()
            failure = error
        else:
            return raw
    raise failure


def _handshake(raw: socket.socket, host: str, deadline: float) -> socket.socket:
    import ssl  # costs milliseconds: only where a venue needs it

    raw.settimeout(_left(deadline, NotSent("no time left for the handshake")))
    try:
        return ssl.create_default_context().wrap_socket(raw, server_hostname=host)
    except (OSError, ValueError) as error:
        raw.close()
        raise NotSent(_reason("the TLS handshake", error)) from None


def _left(deadline: float, over: HttpError) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise over
    return left


def _reason(doing: str, error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"{doing}: no answer in time"
    return f"{doing}: {getattr(error, 'strerror', None) or error}"
