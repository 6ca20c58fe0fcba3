"""The guard's figures in Prometheus' text form (version 0.0.4). What is not known has no sample: absent is not zero."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Literal

from console.desk.pull import GateState, Verdict
from console.desk.state import DeskState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Number = int | float | Decimal | bool
Labels = Mapping[str, str]
Sample = tuple[Labels, Number | None]
Family = tuple[str, Literal["gauge", "counter"], str, list[Sample]]


def render(families: Iterator[Family]) -> str:
    """The text of all families that have a sample."""
    return "".join(_family(*family) for family in families)


def _family(name: str, kind: str, meaning: str, samples: list[Sample]) -> str:
    known = [(labels, value) for labels, value in samples if value is not None]
    if not known:
        return ""
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{_labels(labels)} {_value(value)}" for labels, value in known]
    return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _value(value: Number) -> str:
    return str(int(value)) if isinstance(value, bool) else f"{value}"


def desk_families(state: DeskState, now: int) -> Iterator[Family]:
    """Everything that the folded state knows. `now` is UTC ns."""
    yield from _gate_families(state)
    yield from _venue_families(state, now)
    yield from _strategy_families(state)
    yield (
        "andon_monitor_state",
        "gauge",
        "1 for the state that a monitor is in.",
        [({"monitor": name, "state": row.state}, 1) for name, row in state.monitors.items()],
    )
    yield (
        "andon_monitor_level",
        "gauge",
        "The reading as a share of its threshold.",
        [({"monitor": name}, row.level) for name, row in state.monitors.items()],
    )
    yield (
        "andon_pulls",
        "gauge",
        "Standing pulls of the cord by verdict.",
        [
            ({"verdict": verdict.value}, sum(pull.verdict is verdict for pull in state.pulls.values()))
            for verdict in Verdict
        ],
    )


def _gate_families(state: DeskState) -> Iterator[Family]:
    gate = state.gate_state
    yield (
        "andon_gate_state",
        "gauge",
        "1 for the state that the desk's gate is in.",
        [] if gate is None else [({"state": each.value}, each is gate) for each in GateState],
    )
    yield (
        "andon_gate_size_factor",
        "gauge",
        "The share of the normal size that strategies may trade.",
        [({}, None if state.gate is None else state.gate.size_factor)],
    )


def _venue_families(state: DeskState, now: int) -> Iterator[Family]:
    rows = [({"venue": name}, row) for name, row in state.venues.items()]
    yield ("andon_venue_answers", "gauge", "Whether the venue answers.", [(of, row.answers) for of, row in rows])
    yield (
        "andon_venue_heartbeat_seconds",
        "gauge",
        "How long the last answered heartbeat took.",
        [(of, None if row.latency_us is None else row.latency_us / 1e6) for of, row in rows],
    )
    yield (
        "andon_venue_session_open",
        "gauge",
        "Whether the venue is in its session.",
        [(of, r.open) for of, r in rows],
    )
    yield ("andon_venue_equity", "gauge", "Equity in the account's currency.", [(of, row.equity) for of, row in rows])
    yield (
        "andon_venue_day_percent",
        "gauge",
        "Today's result in percent of yesterday's equity.",
        [(of, row.day_pct) for of, row in rows],
    )
    yield (
        "andon_venue_drawdown_percent",
        "gauge",
        "Distance from the highest equity seen, in percent of it.",
        [(of, row.drawdown_pct) for of, row in rows],
    )
    yield (
        "andon_venue_open_orders",
        "gauge",
        "Open orders; absent while the latest read failed.",
        [(of, None if row.orders_unknown else len(row.orders)) for of, row in rows],
    )
    yield (
        "andon_venue_positions",
        "gauge",
        "Open positions; absent while the latest read failed.",
        [(of, None if row.positions_unknown else len(row.positions)) for of, row in rows],
    )
    yield ("andon_venue_fills_total", "counter", "Fills in the journal.", [(of, row.fills) for of, row in rows])
    yield (
        "andon_venue_bar_age_intervals",
        "gauge",
        "Age of the oldest symbol's newest bar, in bar intervals.",
        [(of, row.bar_age) for of, row in rows],
    )
    yield (
        "andon_venue_read_age_seconds",
        "gauge",
        "Seconds since the last read that succeeded.",
        [
            ({**of, "read": read}, round((now - as_of) / 1e9, 3) if as_of else None)
            for of, row in rows
            for read, as_of in (
                ("account", row.account_as_of),
                ("orders", row.orders_as_of),
                ("positions", row.positions_as_of),
            )
        ],
    )


def _strategy_families(state: DeskState) -> Iterator[Family]:
    rows = [({"strategy": name}, row.sample) for name, row in state.strategies.items()]
    known = [(of, sample) for of, sample in rows if sample is not None]
    yield ("andon_strategy_healthy", "gauge", "Whether its health check passes.", [(of, s.healthy) for of, s in known])
    yield ("andon_strategy_enabled", "gauge", "Whether it is enabled.", [(of, s.enabled) for of, s in known])
    yield ("andon_strategy_orders_total", "counter", "Orders sent.", [(of, s.orders_sent) for of, s in known])
    yield (
        "andon_strategy_orders_per_minute",
        "gauge",
        "Orders sent within the last minute.",
        [(of, s.orders_per_minute) for of, s in known],
    )
    yield ("andon_strategy_fills_total", "counter", "Fills that it booked.", [(of, s.fills) for of, s in known])
    yield ("andon_strategy_predictions_total", "counter", "Predictions.", [(of, s.predictions) for of, s in known])
    yield ("andon_strategy_errors_total", "counter", "Errors that it counted.", [(of, s.errors) for of, s in known])
