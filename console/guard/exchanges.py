"""Every HTTP exchange with a venue, on its way to the recorder: the adapters' and the cord's own.

Who talks to a venue leaves here what came of it and goes on; the guard's loop takes it away at the recorder's pace.
The cord leaves what it has just as it is, keys and all, in memory and for that moment alone.
"""

import hashlib
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import lru_cache

from console.cord.http import Answer, HttpError
from console.desk.exchange import KEPT_BODY, SLACK, HttpExchange, answered, unanswered
from console.desk.hidden import spelled
from console.guard.frames import Exchange

WAITING = 2048
AT_ONCE = 256
REMEMBERED = 512
AGAIN_SECONDS = 60.0
"""A body that does not change is kept again after so long: what was kept first falls out of the recorder one day."""

_PLAIN = frozenset({b"host", b"accept", b"user-agent", b"content-type", b"content-length"})


class Exchanges:
    """`of_adapter` and `of_cord` may be called from any thread; they take no lock and wait for nothing. `lost` counts
    what was left while nobody took anything away."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], tuple[str, HttpExchange]]] = deque()
        self._bodies: OrderedDict[tuple[str, str, str], tuple[str, float]] = OrderedDict()
        self.lost = 0

    def of_adapter(self, venue: str) -> Callable[[HttpExchange], None]:
        """The tap of a venue's adapter."""
        return lambda exchange: self._leave(lambda: (venue, exchange))

    def of_cord(self, venue: str, request: bytes, answer: Answer | HttpError, seconds: float) -> None:
        """The cord's tap, on a thread that has more to do."""
        at = time.time_ns() - int(seconds * 1e9)
        if isinstance(answer, Answer):
            status, headers, body = answer.status, answer.headers, answer.body[: KEPT_BODY + SLACK]
            self._leave(lambda: (venue, answered(at, *_asked(request), status, headers, body, seconds, _keys(request))))
        else:
            why = str(answer)
            self._leave(lambda: (venue, unanswered(at, *_asked(request), why, seconds, _keys(request))))

    def take(self) -> list[Exchange]:
        """What was left here, oldest first, at most `AT_ONCE` of it, without its secrets."""
        return [self._told(*self._waiting.popleft()()) for _ in range(min(AT_ONCE, len(self._waiting)))]

    def forget(self) -> None:
        """Keep every body again: what was kept before may be gone."""
        self._bodies.clear()

    def _leave(self, exchange: Callable[[], tuple[str, HttpExchange]]) -> None:
        if len(self._waiting) >= WAITING:
            self.lost += 1
        else:
            self._waiting.append(exchange)

    def _told(self, venue: str, told: HttpExchange) -> Exchange:
        digest = hashlib.sha256(told.body.encode()).hexdigest() if told.body else ""
        return Exchange(
            ts=told.at,
            venue=venue,
            method=told.method,
            path=told.path,
            status=told.status,
            headers=dict(told.headers),
            body="" if self._is_known((venue, told.method, told.path), digest) else told.body,
            body_sha256=digest,
            took_ms=told.took_ms,
            error=told.error,
        )

    def _is_known(self, asked: tuple[str, str, str], digest: str) -> bool:
        """Whether the last answer to the same request held this body, and was kept not long ago."""
        now = time.monotonic()
        last, kept = self._bodies.pop(asked, ("", 0.0))
        known = last == digest and now - kept < AGAIN_SECONDS
        self._bodies[asked] = (digest, kept if known else now)
        if len(self._bodies) > REMEMBERED:
            self._bodies.popitem(last=False)
        return known


def _asked(request: bytes) -> tuple[str, str]:
    """Method and path of a request's bytes."""
    method, path, _ = request.partition(b"\r\n")[0].decode("latin-1").split(" ", 2)
    return method, path


def _keys(request: bytes) -> tuple[str, ...]:
    """What a request's headers hold besides the usual: the keys it was made with, as they may look elsewhere."""
    return _keys_in(request.partition(b"\r\n\r\n")[0].partition(b"\r\n")[2])


@lru_cache(maxsize=64)
def _keys_in(headers: bytes) -> tuple[str, ...]:
    lines = headers.split(b"\r\n")
    values = [
        value.strip() for name, _, value in (line.partition(b":") for line in lines) if name.lower() not in _PLAIN
    ]
    return spelled(word.decode("latin-1") for value in values for word in (value, *value.split()))
