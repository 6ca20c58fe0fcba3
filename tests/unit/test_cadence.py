"""The cadence: when a gate is due, by sessions, weekends and holidays; and the holidays, computed anew by rule."""

from datetime import date, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.desk.cadence import Attestation, Gate, Holidays, Standing, State, due_in_period, standing
from console.desk.runbook import CadenceId
from console.runbooks.kinds import CALENDAR, GATE
from console.runbooks.library import Library

SHIPPED = Library(None, {})
GATES = {name: document.spec for name, document in SHIPPED.shelf(GATE).documents.items()}
NEW_YORK = SHIPPED.shelf(CALENDAR).documents["xnys"].spec
SINCE = date(2026, 11, 2)  # a Monday
CADENCES: tuple[CadenceId, ...] = ("PRE-LAUNCH", "DAILY", "WEEKLY", "MONTHLY", "QUARTERLY")


# --- holidays, by rule ---


def easter(year: int) -> date:
    """The Gregorian Easter Sunday, by the anonymous algorithm."""
    a, (b, c) = year % 19, divmod(year, 100)
    (d, e), f = divmod(b, 4), (b + 8) // 25
    g = (b - f + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    rest = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * rest) // 451
    month, day = divmod(h + rest - 7 * m + 114, 31)
    return date(year, month, day + 1)


def nth(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th such weekday of a month; the last for n = 0."""
    if not n:
        after = date(year, month + 1, 1)
        return after - timedelta(days=(after.weekday() - weekday - 1) % 7 + 1)
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def observed(day: date) -> date:
    return day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


def new_york(year: int) -> set[date]:
    """The full closings of the New York Stock Exchange. A New Year's Day on a Saturday is not made up for."""
    new_year = date(year, 1, 1)
    days = {
        *([] if new_year.weekday() == 5 else [observed(new_year)]),
        nth(year, 1, 0, 3),
        nth(year, 2, 0, 3),
        easter(year) - timedelta(days=2),
        nth(year, 5, 0, 0),
        observed(date(year, 6, 19)),
        observed(date(year, 7, 4)),
        nth(year, 9, 0, 1),
        nth(year, 11, 3, 4),
        observed(date(year, 12, 25)),
    }
    return days | ({date(2025, 1, 9)} if year == 2025 else set())  # a day of national mourning


def test_the_holiday_file_is_what_the_rules_give() -> None:
    years = range(NEW_YORK.first_year, NEW_YORK.last_year + 1)
    assert (years[0], years[-1]) == (2024, 2030)
    assert list(NEW_YORK.closed) == sorted(day.isoformat() for year in years for day in new_york(year))


@pytest.mark.parametrize(
    "day", ["2024-03-29", "2026-04-03", "2026-07-03", "2026-11-26", "2027-06-18", "2027-12-24", "2028-07-04"]
)
def test_known_holidays_are_no_sessions(day: str) -> None:
    assert not NEW_YORK.is_session(date.fromisoformat(day))


def test_a_calendar_knows_which_years_it_knows() -> None:
    assert NEW_YORK.knows(date(2030, 12, 31))
    assert not NEW_YORK.knows(date(2031, 1, 1))
    assert NEW_YORK.is_session(date(2031, 1, 1))
    assert not NEW_YORK.is_session(date(2031, 1, 4))


# --- when a gate is due ---


def stand(
    gate: str, last: date | None, today: date, result: Literal["passed", "failed", "waived"] = "passed"
) -> Standing:
    attested = None if last is None else Attestation(gate=gate, day=last, result=result, actor="ana", at=0)
    return standing(GATES[gate], attested, since=SINCE, today=today, calendar=NEW_YORK)


@pytest.mark.parametrize(
    ("cadence", "day", "due"),
    [
        ("DAILY", date(2026, 11, 25), date(2026, 11, 25)),
        ("DAILY", date(2026, 11, 26), date(2026, 11, 27)),  # Thanksgiving
        ("DAILY", date(2026, 11, 28), date(2026, 11, 30)),  # a Saturday
        ("WEEKLY", date(2026, 3, 30), date(2026, 4, 2)),  # Good Friday ends the week on Thursday
        ("WEEKLY", date(2026, 11, 22), date(2026, 11, 20)),  # on a Sunday the week is over
        ("MONTHLY", date(2026, 1, 1), date(2026, 1, 30)),  # the 31st is a Saturday
        ("MONTHLY", date(2026, 12, 5), date(2026, 12, 31)),
        ("QUARTERLY", date(2026, 1, 15), date(2026, 3, 31)),
        ("QUARTERLY", date(2027, 10, 1), date(2027, 12, 31)),
        ("QUARTERLY", date(2024, 2, 1), date(2024, 3, 28)),  # Good Friday, then a weekend
        ("PRE-LAUNCH", date(2026, 11, 22), date(2026, 11, 22)),
    ],
)
def test_a_gate_is_due_on_the_last_session_of_its_period(cadence: CadenceId, day: date, due: date) -> None:
    assert due_in_period(cadence, day, NEW_YORK) == due


@pytest.mark.parametrize(
    ("gate", "last", "today", "state", "due"),
    [
        ("DAILY D4", None, date(2026, 11, 2), State.DUE, date(2026, 11, 2)),
        ("DAILY D4", None, date(2026, 11, 3), State.OVERDUE, date(2026, 11, 2)),
        ("DAILY D4", date(2026, 11, 24), date(2026, 11, 24), State.DONE, date(2026, 11, 25)),
        ("DAILY D4", date(2026, 11, 24), date(2026, 11, 25), State.DUE, date(2026, 11, 25)),
        ("DAILY D4", date(2026, 11, 25), date(2026, 11, 26), State.DONE, date(2026, 11, 27)),
        ("DAILY D4", date(2026, 11, 25), date(2026, 11, 27), State.DUE, date(2026, 11, 27)),
        ("DAILY D4", date(2026, 11, 25), date(2026, 11, 28), State.OVERDUE, date(2026, 11, 27)),
        ("DAILY D4", date(2026, 11, 27), date(2026, 11, 29), State.DONE, date(2026, 11, 30)),
        ("WEEKLY W1", date(2026, 11, 17), date(2026, 11, 21), State.DONE, date(2026, 11, 27)),
        ("WEEKLY W1", date(2026, 11, 17), date(2026, 11, 23), State.DUE, date(2026, 11, 27)),
        ("WEEKLY W1", date(2026, 11, 17), date(2026, 11, 28), State.OVERDUE, date(2026, 11, 27)),
        ("MONTHLY M2", date(2026, 11, 30), date(2026, 12, 1), State.DUE, date(2026, 12, 31)),
        ("MONTHLY M2", date(2026, 10, 1), date(2027, 2, 1), State.OVERDUE, date(2026, 11, 30)),
        ("QUARTERLY Q3", date(2026, 12, 31), date(2027, 1, 1), State.DUE, date(2027, 3, 31)),
        ("QUARTERLY Q3", date(2026, 10, 1), date(2026, 12, 31), State.DONE, date(2027, 3, 31)),
        ("PRE-LAUNCH P2", date(2026, 11, 2), date(2027, 11, 2), State.DONE, None),
        ("PRE-LAUNCH P1", date(2026, 11, 2), date(2026, 11, 9), State.DONE, date(2026, 11, 9)),
        ("PRE-LAUNCH P1", date(2026, 11, 2), date(2026, 11, 10), State.EXPIRED, date(2026, 11, 9)),
        ("PRE-LAUNCH P3", date(2026, 11, 2), date(2027, 2, 1), State.EXPIRED, date(2027, 1, 31)),
    ],
)
def test_where_a_gate_stands(gate: str, last: date | None, today: date, state: State, due: date | None) -> None:
    told = stand(gate, last, today)
    assert (told.state, told.due) == (state, due)
    assert told.green == (state is State.DONE)


def test_a_desk_that_begins_after_the_last_session_of_a_period_is_not_late_at_once() -> None:
    sunday = date(2026, 11, 22)
    told = standing(GATES["WEEKLY W1"], None, since=sunday, today=sunday, calendar=NEW_YORK)
    assert (told.state, told.due) == (State.DUE, date(2026, 11, 27))


def test_what_failed_stays_failed_until_it_is_attested_anew() -> None:
    told = stand("DAILY D2", date(2026, 11, 24), date(2026, 12, 24), "failed")
    assert (told.state, told.green) == (State.FAILED, False)


def test_what_was_waived_is_green_for_its_period_alone() -> None:
    assert stand("DAILY D2", date(2026, 11, 24), date(2026, 11, 24), "waived").state is State.WAIVED
    assert stand("DAILY D2", date(2026, 11, 24), date(2026, 11, 24), "waived").green
    assert stand("DAILY D2", date(2026, 11, 24), date(2026, 11, 25), "waived").state is State.DUE


def test_an_attestation_that_runs_out_within_its_period_is_due_before_it_ends() -> None:
    gate = Gate(id="QUARTERLY Q9", title="t", check="c", valid="30 d")
    last = Attestation(gate=gate.id, day=date(2026, 10, 1), result="passed", actor="ana", at=0)
    told = standing(gate, last, since=SINCE, today=date(2026, 10, 5), calendar=NEW_YORK)
    assert (told.state, told.due) == (State.DONE, date(2026, 10, 31))


@given(
    st.sampled_from(CADENCES[1:]),
    st.dates(date(2024, 1, 1), date(2030, 9, 30)),
    st.integers(0, 200),
)
def test_a_gate_turns_from_done_to_due_to_overdue_and_never_back(cadence: CadenceId, last: date, ahead: int) -> None:
    gate = Gate(id=f"{cadence} {cadence[0]}1", title="t", check="c")
    attested = Attestation(gate=gate.id, day=last, result="passed", actor="ana", at=0)
    order = [State.DONE, State.DUE, State.OVERDUE]
    told = [
        standing(gate, attested, since=SINCE, today=last + timedelta(days=days), calendar=NEW_YORK)
        for days in (0, ahead, ahead + 1)
    ]
    assert told[0].state is State.DONE
    assert [order.index(each.state) for each in told] == sorted(order.index(each.state) for each in told)
    assert len({each.due for each in told}) == 1
    due = told[0].due
    assert due is not None
    assert NEW_YORK.is_session(due)
    assert due > last or cadence != "DAILY"


def test_a_holiday_calendar_is_asked_and_may_be_any() -> None:
    class Always:
        def is_session(self, day: date) -> bool:
            return True

    assert due_in_period("WEEKLY", date(2026, 11, 26), Always()) == date(2026, 11, 29)
    lazy = Holidays(id="x", title="x", first_year=2026, last_year=2026, closed=())
    assert due_in_period("WEEKLY", date(2026, 11, 26), lazy) == date(2026, 11, 27)
