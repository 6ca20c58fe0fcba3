"""`andon cadence`: the gates, where each of them stands, and what somebody answers for."""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Literal

import msgspec

from console.commands.kept import write_down
from console.commands.look import look
from console.commands.output import print_json, print_table
from console.commands.runbooks import all_of, library_of, named
from console.config import ConfigError
from console.desk import entries as en
from console.desk.attested import DeskCalendar, standings
from console.desk.cadence import Gate, Standing
from console.desk.logbook import utc_day
from console.desk.state import DeskState
from console.runbooks.kinds import CADENCE, CALENDAR, FALLBACK_CALENDAR, GATE


def list_gates(options: argparse.Namespace, clock: Callable[[], int] = time.time_ns) -> int:
    """Prints every gate: where it stands, when it is due, and who said what of it last. `clock` is UTC ns."""
    library = library_of(options.desk)
    gates = all_of(library, GATE)
    cadences = all_of(library, CADENCE)
    today = utc_day(clock())
    in_order = [each.spec for cadence in cadences for each in gates.values() if each.spec.cadence == cadence]
    state = _state(options.desk)
    calendar = DeskCalendar.of(state, all_of(library, CALENDAR)[FALLBACK_CALENDAR].spec)
    stand = standings(state, in_order, today, calendar)
    if options.json:
        gates_told = [_facts(gate, stand[gate.id]) for gate in in_order]
        knows = calendar.knows(today)
        print_json({"day": today, "calendar": calendar.name, "calendar_knows": knows, "gates": gates_told})
        return 0
    print_table([_row(gate, stand[gate.id]) for gate in in_order])
    if not calendar.knows(today):
        print(
            f"andon: the calendar {calendar.fallback.id} has no holidays of {today.year}; weekends alone are left out",
            file=sys.stderr,
        )
    return 0


def _state(desk: str | None) -> DeskState:
    """What is recorded of the desk; nothing where there is none, or none has run yet."""
    try:
        return look(desk)[1].state
    except ConfigError:
        return DeskState()


def _row(gate: Gate, at: Standing) -> tuple[str, ...]:
    state = at.state.value.upper() if at.late else at.state.value
    last = f"{at.last.result} {at.last.day} by {at.last.actor}: {at.last.note or at.last.evidence}" if at.last else ""
    return (gate.id, f"{state} {at.due or ''}".rstrip(), "blocks" if gate.blocks else "", gate.title, last)


def _facts(gate: Gate, at: Standing) -> dict[str, object]:
    last = None if at.last is None else msgspec.structs.asdict(at.last)
    return {**msgspec.to_builtins(gate), "state": at.state, "green": at.green, "due": at.due, "last": last}


def attest(options: argparse.Namespace) -> int:
    """Writes what was found about a gate; returns 0, or 1 where that was not kept. Raises ConfigError."""
    return _write(options, options.result, options.note, options.evidence)


def waive(options: argparse.Namespace) -> int:
    """Writes that a gate is let go by this time, and why."""
    return _write(options, "waived", options.reason, "")


def _write(options: argparse.Namespace, result: Literal["passed", "failed", "waived"], note: str, evidence: str) -> int:
    gate = named(options.id, "gate", all_of(library_of(options.desk), GATE)).spec
    day = options.day or utc_day(time.time_ns())
    entry = en.GateAttested(gate.id, day, result, note, evidence)
    return write_down(options, entry, lambda session: f"{gate.id} {result} for {day}")
