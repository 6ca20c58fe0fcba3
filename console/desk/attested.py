"""Where the gates of the cadence stand on a desk: by what people attested, and by drills that were measured. Pure."""

from collections.abc import Iterable
from datetime import date

from console.desk.cadence import Attestation, Calendar, Gate, Standing, standing
from console.desk.drill import KILL_SWITCH
from console.desk.logbook import utc_day
from console.desk.state import DeskState, DrillState

DRILLED = {"PRE-LAUNCH P1": KILL_SWITCH}
"""Gates that a drill attests by itself: it is what the gate asks for, and its report the evidence."""


def last(state: DeskState, gate: str) -> Attestation | None:
    """The latest word on a gate, a person's or a drill's."""
    told = [_of_drill(gate, row) for row in state.drills if _proves(row, gate)]
    if gate in state.logbook.attestations:
        told.append(state.logbook.attestations[gate])
    return max(told, key=lambda each: (each.day, each.at), default=None)


def _proves(row: DrillState, gate: str) -> bool:
    """Only a drill that flattens shows what the gate asks for; one that failed shows that it does not hold."""
    return row.done.drill == DRILLED.get(gate) and row.done.level == "L4"


def _of_drill(gate: str, row: DrillState) -> Attestation:
    return Attestation(
        gate=gate,
        day=utc_day(row.at),
        result="passed" if row.done.passed else "failed",
        actor=row.actor,
        at=row.at,
        note=f"drill {row.done.id}",
        evidence=row.done.report,
        sha256=row.done.sha256,
    )


def standings(state: DeskState, gates: Iterable[Gate], today: date, calendar: Calendar) -> dict[str, Standing]:
    """Every gate by its id. A desk keeps the cadence from the day on which it was first described."""
    since = utc_day(state.since) if state.since else today
    return {
        gate.id: standing(gate, last(state, gate.id), since=min(since, today), today=today, calendar=calendar)
        for gate in gates
    }
