"""What the gate says, worked out from the latch and gate.json as they lie on disk. Pure: bytes and clocks go in.

`gate.json` is `{"v":1,"desk","state","size_factor","rate_factor","scopes":{scope: state},"lease":{"boot_id",
"expires"}}`; factors are decimal strings, `expires` is CLOCK_BOOTTIME in nanoseconds. The latch is one JSON object a
line, one line a standing pull: `{"v":1,"id","level","scope","actor","ts"}`. Whatever can not be read means HALTED.
"""

import json

from console.desk.pull import GateState, Level, Scope

LEASE_NS = 5_000_000_000

# What json, the enums and a Scope raise about bytes that anybody may have written.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class Gate:
    """An answer of the gate: the state, the share of the normal size and rate (0 to 1, decimal strings), and why."""

    __slots__ = ("because", "rate_factor", "size_factor", "state")

    def __init__(self, state: GateState, size_factor: str, rate_factor: str, because: str) -> None:
        self.state = state
        self.size_factor = size_factor
        self.rate_factor = rate_factor
        self.because = because

    def __repr__(self) -> str:
        return f"Gate({self.state}, size={self.size_factor}, because={self.because!r})"


def closed(because: str) -> Gate:
    return Gate(GateState.HALTED, "0", "0", because)


def latch_entries(latch: bytes) -> "list[dict[str, str]]":
    """The standing pulls of a latch file. Raises where any line is not one: that means HALTED."""
    entries = []
    for line in latch.splitlines():
        entry = json.loads(line)
        Level(entry["level"])
        Scope.parse(entry["scope"])
        entries.append(entry)
    if not entries:
        raise ValueError("the latch is there, but empty")
    return entries


def read_gate(
    latch: "bytes | None", gate: "bytes | None", *, boot_id: str, now: int, venue: str, strategy: str, symbol: str
) -> Gate:
    """The gate for one order. `latch` and `gate` are the files' bytes, None where a file is absent; `now` is
    CLOCK_BOOTTIME in nanoseconds. The most restrictive scope that touches the order wins."""
    answer = _leased(gate, boot_id, now, venue, strategy, symbol)
    if latch is None:
        return answer
    try:
        entries = latch_entries(latch)
    except UNREADABLE as error:
        return closed(f"the latch can not be read: {error}")
    for entry in entries:
        state = Level(entry["level"]).gate
        if Scope.parse(entry["scope"]).touches(venue=venue, strategy=strategy, symbol=symbol) and (
            state.rank > answer.state.rank
        ):
            answer = Gate(state, "0", "0", f"{entry['level']} {entry['scope']} by {entry.get('actor', '?')}")
    return answer


def _leased(gate: "bytes | None", boot_id: str, now: int, venue: str, strategy: str, symbol: str) -> Gate:
    if gate is None:
        return closed("there is no gate.json")
    try:
        told = json.loads(gate)
        lease = told["lease"]
        if lease["boot_id"] != boot_id:
            return closed("gate.json is of an earlier boot")
        if not now <= lease["expires"] <= now + 2 * LEASE_NS:
            return closed("gate.json is stale: the guard no longer renews it")
        size, rate = _factor(told["size_factor"]), _factor(told["rate_factor"])
        answer = Gate(GateState(told["state"]), size, rate, told.get("because", ""))
        for scope, name in told["scopes"].items():
            state = GateState(name)
            if Scope.parse(scope).touches(venue=venue, strategy=strategy, symbol=symbol) and (
                state.rank > answer.state.rank
            ):
                answer = Gate(state, "0", "0", f"gate {scope}")
    except UNREADABLE as error:
        return closed(f"gate.json can not be read: {error!r}")
    return answer


def _factor(text: str) -> str:
    if not set(text) <= set("0123456789.") or not 0 <= float(text) <= 1:
        raise ValueError(f"{text!r} is not a share from 0 to 1")
    return text
