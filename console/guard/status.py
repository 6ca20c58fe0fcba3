"""The desk's state as plain JSON, for machines: what GET /status answers."""

from typing import Any

from console.desk.state import DeskState, PullState


def pull_status(pull: PullState) -> dict[str, Any]:
    """A pull and what every venue has proven. Times are UTC ns, 0 until reached; `latch_error` is empty once the latch
    is written."""
    return {
        "pull": pull.id,
        "level": pull.level.value,
        "scope": pull.scope,
        "reason": pull.reason,
        "actor": pull.actor,
        "origin": pull.origin,
        "hand": pull.hand,
        "keep_protective": pull.keep_protective,
        "own_only": pull.own_only,
        "at": pull.at,
        "verdict": pull.verdict.value,
        "latch_error": pull.latch_error,
        "t_blocked": pull.blocked_at,
        "t_flat": pull.flat_at,
        "t_verified": pull.verified_at,
        "venues": {
            name: {
                "verdict": venue.verdict.value,
                "why": venue.why,
                "standing": list(venue.standing),
                "positions": list(venue.positions),
                "kept": list(venue.kept),
                "t_blocked": venue.t_blocked,
                "t_flat": venue.t_flat,
                "t_verified": venue.t_verified,
            }
            for name, venue in pull.venues.items()
        },
    }


def status(state: DeskState) -> dict[str, Any]:
    """The desk in short. What is not known is null."""
    gate = state.gate_state
    return {
        "desk": state.name,
        "mode": state.mode,
        "gate": None if gate is None else gate.value,
        "venues": {
            name: {
                "answers": row.answers,
                "why": row.why,
                "session": None if row.open is None else "open" if row.open else "closed",
                "open_orders": None if row.orders_unknown else len(row.orders),
                "positions": None if row.positions_unknown else len(row.positions),
            }
            for name, row in state.venues.items()
        },
        "strategies": {
            name: {
                "healthy": None if row.sample is None else row.sample.healthy,
                "gate": None if row.sample is None else row.sample.gate.value,
            }
            for name, row in state.strategies.items()
        },
        "monitors": {name: {"state": row.state, "text": row.text} for name, row in state.monitors.items()},
        "pulls": [pull_status(pull) for pull in state.pulls.values()],
    }
