"""`andon status`: the desk in a few lines. Says how old everything is and never more than a venue has proven."""

import shutil

import msgspec

from console.commands.look import look
from console.commands.output import print_json, print_table
from console.desk.incidents import IncidentState
from console.desk.moment import Look, Moment
from console.desk.pull import GateState
from console.desk.state import MonitorState, PullState, StrategyState, VenueState
from console.desk.words import NONE, age, clock, count, share, signed
from console.screens.views.verdict import text as page
from console.screens.views.verdict import unproven, words

GUARD_DOWN = 1


def status(desk: str | None, *, as_json: bool) -> int:
    """Prints; returns the code of the worst verdict that stands, and 1 where all is well but for the guard, which is
    not there to say so."""
    _, moment = look(desk)
    if as_json:
        print_json(_facts(moment))
    else:
        _lines(moment)
    pull = moment.state.pull
    proven = 0 if pull is None else pull.verdict.exit_code
    return proven or (GUARD_DOWN if moment.down else 0)


def _lines(moment: Moment) -> None:
    state = moment.state
    guard = f"guard {state.guard_version}, beat {_ago(moment, state.guard_beat)}"
    print(f"desk {state.name}  {state.mode.upper()}  {f'GUARD DOWN: {moment.down}' if moment.down else guard}")
    if moment.down:
        print("what follows is what was last recorded")
    for trouble in () if moment.down else state.trouble:
        print(f"TROUBLE: {trouble}")
    print(_gate_line(moment))
    if (row := state.logbook.open_incident) is not None:
        print(_incident_line(moment, row))
    for pull in sorted(state.pulls.values(), key=lambda pull: (-pull.verdict.rank, -pull.at)):
        _pull_lines(moment, pull)
    print_table([_venue_row(moment, row) for row in state.venues.values()])
    if state.strategies:
        print_table([_strategy_row(moment, row) for row in state.strategies.values()])
    print_table([("task", task.id, task.says, _ago(moment, task.at)) for task in state.logbook.open_tasks])
    rows = [(row.id, row.state, row.text, _monitor_age(moment, row)) for row in state.monitors.values()]
    if rows:
        print_table(rows)


def _incident_line(moment: Moment, row: IncidentState) -> str:
    """The incident that is open, and whether its evidence is kept."""
    what = " ".join(filter(None, (row.id, row.severity, row.cls, f"“{row.title}”" if row.title else "")))
    told = "nothing sealed yet" if row.sealed is None else f"sealed {row.sealed.seal}×, {_ago(moment, row.sealed.at)}"
    kept = f"NOT KEPT: {row.trouble[-1]}" if row.trouble else told
    return f"incident {what}, opened {_ago(moment, row.opened_at)}, {kept}"


def _gate_line(moment: Moment) -> str:
    gate, tightest = moment.state.gate, moment.state.gate_state
    if tightest is None:
        return "gate: nothing recorded yet"
    why = f": {gate.because}" if gate is not None and gate.state is tightest and gate.because else ""
    part = f" {share(gate.size_factor)}" if gate is not None and tightest is GateState.REDUCED else ""
    told = f"gate {tightest}{part}{why}"
    narrower = [f"{pull.level.gate} for {pull.scope}" for pull in moment.state.pulls.values() if pull.scope != "desk"]
    if narrower and tightest is not GateState.HALTED:
        told = f"gate {tightest}{part} for the desk, {', '.join(dict.fromkeys(narrower))}"
    return told


def _pull_lines(moment: Moment, pull: PullState) -> None:
    """The verdict's page, as its screen has it."""
    print()
    for told in page(moment, pull, shutil.get_terminal_size((100, 24)).columns):
        print(told)
    print()


def _venue_row(moment: Moment, row: VenueState) -> tuple[str, ...]:
    answers = {None: "has not answered yet", True: "answers", False: f"does not answer: {row.why}"}[row.answers]
    orders = _read(moment, count(len(row.orders), "open order"), row.orders_as_of, row.orders_unknown)
    positions = _read(moment, count(len(row.positions), "position"), row.positions_as_of, row.positions_unknown)
    day = NONE if row.day_pct is None else f"{signed(row.day_pct)} %, {_ago(moment, row.account_as_of)}"
    if row.retired:
        return (
            "venue",
            row.info.name,
            f"RETIRED: {row.retired}",
            "it is asked for no proof",
            "the cord still tries it",
            "",
        )
    return ("venue", row.info.name, answers, orders, positions, f"day {day}")


def _strategy_row(moment: Moment, row: StrategyState) -> tuple[str, ...]:
    name, gate = row.info.name, moment.state.gate_for(row.info.name)
    if row.sample is None:
        return ("strategy", name, "never answered", f"gate {gate or NONE}")
    health = "healthy" if row.sample.healthy else f"not healthy: {row.sample.why}"
    acts = f"acts on {row.sample.gate}"
    sent = f"{count(row.sample.orders_sent, 'order')} sent, {count(row.sample.fills, 'fill')}"
    return ("strategy", name, health, f"gate {gate or NONE}", acts, sent, _ago(moment, row.sample.as_of))


def _read(moment: Moment, text: str, as_of: int, unknown: str) -> str:
    look_ = moment.look(as_of, unknown)
    if look_ is Look.UNKNOWN:
        return f"unknown: {unknown}" if not as_of else f"unknown: {unknown}; last {text}, {_ago(moment, as_of)}"
    return f"{text}, {_ago(moment, as_of)}" + ("" if look_ is Look.OK else f" {look_.value.upper()}")


def _monitor_age(moment: Moment, row: MonitorState) -> str:
    """A journal tells when a monitor changed, not when it was last read."""
    if row.as_of:
        return _ago(moment, row.as_of)
    return f"since {clock(row.since)}Z" if row.since else NONE


def _ago(moment: Moment, ts: int) -> str:
    return f"{age(moment.now - ts)} ago" if ts else "never"


def _facts(moment: Moment) -> dict[str, object]:
    state = moment.state
    return {
        "desk": state.name,
        "mode": state.mode,
        "guard": {"down": moment.down, "version": state.guard_version, "age_s": _seconds(moment, state.guard_beat)},
        "trouble": [moment.down] if moment.down else list(state.trouble),
        "gate": state.gate_state,
        "incident": None if (row := state.logbook.open_incident) is None else msgspec.to_builtins(row),
        "size": state.size,
        "contacts": [msgspec.structs.asdict(contact) for contact in state.contacts],
        "pulls": {pull.id: _pull_facts(moment, pull) for pull in state.pulls.values()},
        "venues": {
            name: {
                "answers": row.answers,
                "retired": row.retired,
                "why": row.why,
                "orders": len(row.orders),
                "orders_age_s": _seconds(moment, row.orders_as_of),
                "orders_unknown": row.orders_unknown,
                "positions": {position.symbol: position.qty for position in row.positions},
                "positions_age_s": _seconds(moment, row.positions_as_of),
                "positions_unknown": row.positions_unknown,
            }
            for name, row in state.venues.items()
        },
        "strategies": {
            name: {
                "gate": state.gate_for(name),
                "healthy": row.sample and row.sample.healthy,
                "acts_on": row.sample and row.sample.gate,
                "age_s": _seconds(moment, row.sample.as_of if row.sample else 0),
            }
            for name, row in state.strategies.items()
        },
        "tasks": [msgspec.structs.asdict(task) for task in state.logbook.open_tasks],
        "monitors": monitor_facts(moment),
    }


def _pull_facts(moment: Moment, pull: PullState) -> dict[str, object]:
    return {
        "level": pull.level,
        "scope": pull.scope,
        "reason": pull.reason,
        "actor": pull.actor,
        "hand": pull.hand,
        "keep_protective": pull.keep_protective,
        "own_only": pull.own_only,
        "at": pull.at,
        "verdict": pull.verdict,
        "venues": {
            name: {
                "verdict": venue.verdict,
                "why": venue.why,
                "standing": venue.standing,
                "positions": venue.positions,
                "kept": venue.kept,
                "quiet_from": venue.quiet_from,
                "quiet_why": venue.quiet_why,
                "quiet_restarts": venue.quiet_restarts,
                "suspended": venue.suspended,
                "t_blocked": venue.t_blocked,
                "t_flat": venue.t_flat,
                "t_verified": venue.t_verified,
                "say": words(moment, pull, venue) if venue in unproven(pull) else [],
            }
            for name, venue in pull.venues.items()
        },
    }


def monitor_facts(moment: Moment) -> dict[str, object]:
    """Every monitor's state, words and age in seconds (null: never read)."""
    return {
        name: {"state": row.state, "text": row.text, "age_s": _seconds(moment, row.as_of)}
        for name, row in moment.state.monitors.items()
    }


def _seconds(moment: Moment, ts: int) -> float | None:
    return round((moment.now - ts) / 1e9, 1) if ts else None
