"""The operating cadence: gates, and when each is due. Pure; the day and the calendar are arguments.

A gate is due on the last session of its period: the session itself, the week, the month, the quarter. It counts as done
for the period that it was attested in. PRE-LAUNCH gates are due once, before any money moves. A gate with `valid` is
also due again when so much time has passed since it was attested, however long its period.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Protocol

from msgspec import Meta

from console.desk.base import Plain
from console.desk.runbook import CadenceId, Fault, GateId, Id, Refs, Span, Spec, Text, seconds

DAY = timedelta(days=1)
Day = Annotated[
    str,
    Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", description='a day in quotes, such as "2026-12-25"'),
]
Year = Annotated[int, Meta(ge=1970, le=2200, description="a year from 1970 to 2200")]


class Cadence(Spec, frozen=True):
    """How often the gates of one list are gone through."""

    id: CadenceId
    title: Text
    when: Text


class Gate(Spec, frozen=True):
    """`check` is what has to be true. A gate that `blocks` has to be green before the desk's size is raised; `due` says
    on which side of the session it is done; `valid` how long an attestation holds."""

    id: GateId
    title: Text
    check: Text
    blocks: bool = False
    due: Literal["before-open", "after-close"] | None = None
    valid: Span | None = None
    see: Refs = ()

    @property
    def cadence(self) -> CadenceId:
        name: CadenceId = self.id.rpartition(" ")[0]  # type: ignore[assignment]  # the id's pattern says so
        return name


# --- the calendar ---------------------------------------------------------------------------------------------------


class Calendar(Protocol):
    """Which days are sessions. A venue's own is asked where there is one."""

    def is_session(self, day: date) -> bool: ...


class Holidays(Spec, frozen=True):
    """An exchange's full holidays, for the years from `first_year` to `last_year`. Outside them weekends alone are
    known: `knows` tells."""

    id: Id
    title: Text
    first_year: Year
    last_year: Year
    closed: tuple[Day, ...]

    def knows(self, day: date) -> bool:
        return self.first_year <= day.year <= self.last_year

    def is_session(self, day: date) -> bool:
        return day.weekday() < 5 and day.isoformat() not in self.closed

    def faults(self) -> Iterable[Fault]:
        """Days that are none, lie outside the years, on a weekend, or not behind the one before."""
        before = ""
        for index, text in enumerate(self.closed):
            try:
                day = date.fromisoformat(text)
            except ValueError:
                yield Fault(("closed", index), f"{text!r} is no day of the calendar")
                continue
            if not self.knows(day):
                yield Fault(("closed", index), f"{text!r} lies outside {self.first_year} to {self.last_year}")
            elif day.weekday() >= 5:
                yield Fault(("closed", index), f"{text!r} is a {day:%A}, no session anyway; take it out")
            elif text <= before:
                yield Fault(
                    ("closed", index), f"{text!r} stands behind {before!r}; each day is expected once, in order"
                )
            before = text


# --- when a gate is due ---------------------------------------------------------------------------------------------


class State(StrEnum):
    """Where a gate stands. Only `DONE` and `WAIVED` are green."""

    DONE = "done"
    WAIVED = "waived"
    DUE = "due"
    OVERDUE = "overdue"
    EXPIRED = "expired"
    FAILED = "failed"


class Attestation(Plain, frozen=True):
    """What somebody found: on which day of the desk's calendar, by whom, at which UTC ns, with which evidence.
    `sha256` is the hash of the evidence where that was a file."""

    gate: str
    day: date
    result: Literal["passed", "failed", "waived"]
    actor: str
    at: int
    note: str = ""
    evidence: str = ""
    sha256: str = ""


class Standing(Plain, frozen=True):
    """`due` is the day by which the gate has to be attested, or had to be; None where it never has to be again."""

    state: State
    due: date | None
    last: Attestation | None = None

    @property
    def green(self) -> bool:
        return self.state in (State.DONE, State.WAIVED)

    @property
    def late(self) -> bool:
        """It had to be green by now, and is not."""
        return self.state in (State.OVERDUE, State.EXPIRED, State.FAILED)


def standing(gate: Gate, last: Attestation | None, *, since: date, today: date, calendar: Calendar) -> Standing:
    """Where a gate stands `today`. `last` is its latest attestation, None where there never was one; `since` is the day
    from which the desk keeps the cadence at all."""
    if last is None:
        due = due_in_period(gate.cadence, since, calendar)
        if due < since:  # begun on the weekend after the period's last session
            due = due_in_period(gate.cadence, _next_period(gate.cadence, since, calendar), calendar)
        return Standing(State.OVERDUE if today > due else State.DUE, due)
    if last.result == "failed":
        return Standing(State.FAILED, due_in_period(gate.cadence, last.day, calendar), last)
    green = State.WAIVED if last.result == "waived" else State.DONE
    ends = last.day + timedelta(seconds=seconds(gate.valid)) if gate.valid else None
    if ends is not None and today > ends:
        return Standing(State.EXPIRED, ends, last)
    if gate.cadence == "PRE-LAUNCH":
        return Standing(green, ends, last)
    begins = _next_period(gate.cadence, last.day, calendar)
    due = due_in_period(gate.cadence, begins, calendar)
    if today < begins:
        return Standing(green, min(due, ends) if ends else due, last)
    return Standing(State.OVERDUE if today > due else State.DUE, due, last)


def quarters_around(day: date) -> tuple[date, date]:
    """The first day of the quarter before the one that `day` lies in, and the last day of the quarter after it."""
    first = _first_day("QUARTERLY", day)
    return _first_day("QUARTERLY", first - DAY), _after("QUARTERLY", _after("QUARTERLY", first)) - DAY


def due_in_period(cadence: CadenceId, day: date, calendar: Calendar) -> date:
    """The last session of the period that `day` lies in; of a period without any (a week of holidays), of the next one
    that has some. PRE-LAUNCH is due on the day itself."""
    if cadence == "PRE-LAUNCH":
        return day
    first = _first_day(cadence, day)
    while True:
        after = _after(cadence, first)
        sessions = [each for each in _days(first, after) if calendar.is_session(each)]
        if sessions:
            return sessions[-1]
        first = after


def _next_period(cadence: CadenceId, day: date, calendar: Calendar) -> date:
    """The first day of the period after the one that an attestation on `day` counts for. What is attested on a day
    without session counts for the session before it, or, of longer periods, for the one it lies in."""
    after = _after(cadence, _first_day(cadence, day))
    if cadence == "DAILY":
        while not calendar.is_session(after):
            after += DAY
    return after


def _first_day(cadence: CadenceId, day: date) -> date:
    if cadence == "WEEKLY":
        return day - timedelta(days=day.weekday())
    if cadence == "MONTHLY":
        return day.replace(day=1)
    if cadence == "QUARTERLY":
        return date(day.year, day.month - (day.month - 1) % 3, 1)
    return day


def _after(cadence: CadenceId, first: date) -> date:
    """The first day of the period after the one that begins on `first`."""
    if cadence == "WEEKLY":
        return first + timedelta(days=7)
    if cadence in ("MONTHLY", "QUARTERLY"):
        month = first.month + (1 if cadence == "MONTHLY" else 3)
        return date(first.year + (month > 12), (month - 1) % 12 + 1, 1)
    return first + DAY


def _days(first: date, after: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((after - first).days))
