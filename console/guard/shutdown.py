"""The body of POST /emergency/shutdown, read strictly: nobody should have to guess what was understood."""

import json
from typing import Any

from console.cord.plan import Plan, spares_refused
from console.cord.request import SPARES, PullRequest
from console.desk.pull import SCOPE_KINDS, Level, Scope, normal_symbol

REASON_LIMIT = 1000
_FIELDS = ("reason", "scope", "level", *SPARES)


class BadRequest(Exception):
    """`field` of the body is wrong; `expected` says what belongs there."""

    def __init__(self, field: str, why: str, expected: str) -> None:
        super().__init__(f"{field}: {why}; {expected} is expected")
        self.field = field
        self.why = why
        self.expected = expected


def read_shutdown(body: bytes, plan: Plan, symbols: frozenset[str], actor: str) -> PullRequest:
    """The pull that the body asks for. `symbols` are those that anything on this desk trades, holds or has ordered.
    Raises BadRequest."""
    told = _object(body)
    for field in told:
        if field not in _FIELDS:
            raise BadRequest(field, "unknown field", f"one of {', '.join(_FIELDS)}")
    reason = told.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        why = "missing" if "reason" not in told else "not a text with something in it"
        raise BadRequest("reason", why, "why the desk is stopped, as text")
    if len(reason) > REASON_LIMIT:
        raise BadRequest("reason", f"{len(reason)} characters", f"at most {REASON_LIMIT}")
    level, scope = _level(told.get("level", "L3")), _scope(told.get("scope"), plan, symbols)
    request = PullRequest(
        level=level.value,
        scope=str(scope),
        reason=reason.strip(),
        actor=actor,
        origin="http",
        keep_protective=_flag(told, "keep_protective"),
        own_only=_flag(told, "own_only"),
    )
    if refusal := spares_refused(request):
        raise BadRequest(request.spares[0], refusal, "false")
    if refusal := plan.refusal(request):
        raise BadRequest("scope", refusal, "another scope" if level is Level.L4 else _names(scope.kind, plan))
    return request


def _flag(told: dict[str, Any], field: str) -> bool:
    value = told.get(field, False)
    if not isinstance(value, bool):
        raise BadRequest(field, f"{value!r} is neither true nor false", "true or false")
    return value


def _object(body: bytes) -> dict[str, Any]:
    expected = 'a JSON object such as {"reason": "why", "scope": "all", "level": "L3"}'
    try:
        told = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise BadRequest("body", "not JSON", expected) from None
    if not isinstance(told, dict):
        raise BadRequest("body", "not an object", expected)
    return told


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise BadRequest(doubled, "given twice", "it once")
    return told


def _level(told: object) -> Level:
    try:
        return Level(str(told))
    except ValueError:
        raise BadRequest("level", f"unknown level {told!r}", "one of L1, L2, L3, L4") from None


def _scope(told: object, plan: Plan, symbols: frozenset[str]) -> Scope:
    expected = "all, venue:V, strategy:S or symbol:X"
    if not isinstance(told, str):
        raise BadRequest("scope", "missing" if told is None else "not a text", expected)
    try:
        scope = Scope.parse(told)
    except ValueError:
        raise BadRequest("scope", f"unknown scope {told!r}", expected) from None
    known = {"venue": frozenset(plan.venues), "strategy": frozenset(plan.strategies), "symbol": symbols}
    for name in scope.names:
        if name not in known[scope.kind]:
            raise BadRequest("scope", f"there is no {scope.kind} {name!r} on this desk", _names(scope.kind, plan))
    return scope


def _names(kind: str, plan: Plan) -> str:
    if kind not in SCOPE_KINDS or kind == "desk":
        return "all"
    if kind == "symbol":
        traded = {normal_symbol(symbol) for each in plan.strategies.values() for symbol in each["symbols"]}
        return "symbol:X with a symbol that is traded, held or ordered here, such as " + ", ".join(sorted(traded)[:8])
    names = plan.venues if kind == "venue" else plan.strategies
    return " or ".join(f"{kind}:{name}" for name in names) or "all (there is none)"
