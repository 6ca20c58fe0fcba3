"""Where the gates of the cadence stand on a desk: by what people attested, and by drills that were measured. Pure."""

from collections.abc import Iterable
from datetime import date

from console.desk.base import Plain
from console.desk.cadence import Attestation, Calendar, Gate, Holidays, Standing, standing
from console.desk.drill import KILL_SWITCH
from console.desk.events import CalendarRead
from console.desk.logbook import utc_day
from console.desk.state import DeskState, DrillState


class DeskCalendar(Plain, frozen=True):
    """Which days are sessions of a desk: those of any of its venues, by what each of them says. Days of which none has
    said anything are left to the `fallback`."""

    told: tuple[CalendarRead, ...]
    fallback: Holidays

    @classmethod
    def of(cls, state: DeskState, fallback: Holidays) -> "DeskCalendar":
        told = (row.calendar for row in state.venues.values() if row.calendar is not None and not row.retired)
        return cls(tuple(told), fallback)

    @property
    def name(self) -> str:
        """Whose calendar it is."""
        return ", ".join(each.venue for each in self.told) or self.fallback.id

    def knows(self, day: date) -> bool:
        return bool(self._covering(day)) or self.fallback.knows(day)

    def is_session(self, day: date) -> bool:
        covering = self._covering(day)
        return any(day in each.sessions for each in covering) if covering else self.fallback.is_session(day)

    def _covering(self, day: date) -> tuple[CalendarRead, ...]:
        return tuple(each for each in self.told if each.first <= day <= each.last)


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
