"""An HTTP exchange with a venue, as it is kept for evidence: no request header, no secret, not too long a body."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from console.desk.hidden import blot, blot_headers, blot_query

KEPT_BODY = 16 * 1024
SLACK = 1024
"""So much more is looked at than is kept: a secret that is cut in two would no longer be known for one."""


@dataclass(frozen=True, slots=True)
class HttpExchange:
    """A request to a venue and what came of it. `at` is UTC ns when it began; `path` is as it was asked for, with its
    query. `status` is 0 where no whole answer came, and `error` says why. `body` is the first `KEPT_BODY` bytes of the
    answer's, as text."""

    at: int
    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: str
    took_ms: float
    error: str = ""


def answered(
    at: int,
    method: str,
    path: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    seconds: float,
    hidden: Iterable[str],
) -> HttpExchange:
    """What may be kept of an exchange that was answered; `hidden` as `hidden.spelled` gives it."""
    known = tuple(hidden)
    told = (blot_query(path, known), status, blot_headers(headers, known), _beginning(body, known))
    return HttpExchange(at, method, *told, round(seconds * 1000, 3))


def unanswered(at: int, method: str, path: str, why: str, seconds: float, hidden: Iterable[str]) -> HttpExchange:
    """What may be kept of an exchange that brought no whole answer."""
    known = tuple(hidden)
    return HttpExchange(at, method, blot_query(path, known), 0, {}, "", round(seconds * 1000, 3), blot(why, known))


def _beginning(body: bytes, hidden: tuple[str, ...]) -> str:
    text = blot(body[: KEPT_BODY + SLACK].decode(errors="replace"), hidden)
    return text if len(body) <= KEPT_BODY else text[: min(KEPT_BODY, len(text) - SLACK)]
