"""What all routes share: JSON in and out, parameters, refusals as answers."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
from aiohttp import web

from adapters.simulator.account import Account
from adapters.simulator.broker import Broker
from adapters.simulator.counters import Counters
from adapters.simulator.orders import Refusal, invalid
from adapters.simulator.sessions import SECOND

BROKER = web.AppKey("broker", Broker)
ACCOUNT = web.RequestKey("account", Account)
COUNTERS = web.RequestKey("counters", Counters)

encode = msgspec.json.Encoder().encode


def answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=encode(data), status=status, content_type="application/json", headers=headers)


def refused(refusal: Refusal) -> web.Response:
    return answer(refusal.body, refusal.status)


async def body(request: web.Request) -> dict[str, object]:
    """The JSON object that was sent, its numbers exact. An empty body is an empty object."""
    text = await request.text()
    if not text:
        return {}
    try:
        parsed = json.loads(text, parse_float=Decimal)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise Refusal(400, 40010000, "request body format is invalid")
    return parsed


def flag(request: web.Request, name: str) -> bool:
    """`true` in any case: the official client sends Python's True."""
    return request.query.get(name, "").lower() == "true"


def whole(request: web.Request, name: str, default: int, most: int) -> int:
    given = request.query.get(name)
    if not given:
        return default
    if not given.isdecimal() or int(given) < 1:
        raise invalid(f"invalid {name}: {given}")
    return min(int(given), most)


def choice(request: web.Request, name: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words, of which the first is the default."""
    given = request.query.get(name) or allowed[0]
    if given.lower() not in allowed:
        raise invalid(f"invalid {name}: {given}")
    return given.lower()


def names(request: web.Request, name: str) -> frozenset[str]:
    """A comma-separated list, upper case."""
    return frozenset(part.strip().upper() for part in request.query.get(name, "").split(",") if part.strip())


def moment(request: web.Request, name: str) -> int | None:
    """A date or an RFC 3339 time as UTC ns, None where it is absent."""
    given = request.query.get(name)
    return parse_moment(given, name) if given else None


def parse_moment(given: str, name: str) -> int:
    try:
        if len(given) == len("2024-01-31"):
            return int(datetime.fromisoformat(given).replace(tzinfo=UTC).timestamp()) * SECOND
        # A plus that came unquoted is a space by now.
        parsed = datetime.fromisoformat(given.replace(" ", "+") if "T" in given else given)
    except ValueError:
        raise invalid(f"invalid {name}: {given}") from None
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return int(aware.replace(microsecond=0).timestamp()) * SECOND + nanoseconds(given)


def nanoseconds(given: str) -> int:
    """The fraction of a second in an RFC 3339 text, which `datetime` cuts to microseconds."""
    _, dot, rest = given.partition(".")
    digits = ""
    for character in rest if dot else "":
        if not character.isdecimal():
            break
        digits += character
    return int(digits[:9].ljust(9, "0")) if digits else 0


def day(request: web.Request, name: str, default: date) -> date:
    given = request.query.get(name)
    try:
        return date.fromisoformat(given[:10]) if given else default
    except ValueError:
        raise invalid(f"invalid {name}: {given}") from None
