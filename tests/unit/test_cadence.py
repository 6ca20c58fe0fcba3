"""The cadence: when a gate is due, by sessions, weekends and holidays; and the holidays, computed anew by rule."""

from datetime import date, timedelta

import pytest

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
