"""The exchange's sessions by rule: weekends, US market holidays, early closes, New York's summer time.

Rules instead of a table, and no time zone database: both are small enough to be checked by eye, and a fresh machine may
have no zone files. Sessions never touch the hour in which the clocks change, so an offset a date is enough.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

SECOND = 1_000_000_000
OPEN = time(9, 30)
CLOSE = time(16, 0)
EARLY_CLOSE = time(13, 0)


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day. `open` and `close` are UTC ns."""

    day: date
    open: int
    close: int

    @property
    def seconds(self) -> int:
        return (self.close - self.open) // SECOND


def nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th Monday (0) … Sunday (6) of a month; n = -1 is the last."""
    if n > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - weekday) % 7)


def easter(year: int) -> date:
    """Easter Sunday by the anonymous Gregorian computus."""
    golden, century, rest = year % 19, year // 100, year % 100
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - correction + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)


def observed(day: date) -> date:
    """A holiday on a Saturday is kept on Friday, one on a Sunday on Monday."""
    return day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    new_year = date(year, 1, 1)
    return frozenset(
        {
            # The one exception: a New Year's Day on a Saturday is not made up for in the old year.
            new_year if new_year.weekday() == 5 else observed(new_year),
            nth_weekday(year, 1, 0, 3),
            nth_weekday(year, 2, 0, 3),
            easter(year) - timedelta(days=2),
            nth_weekday(year, 5, 0, -1),
            observed(date(year, 6, 19)),
            observed(date(year, 7, 4)),
            nth_weekday(year, 9, 0, 1),
            nth_weekday(year, 11, 3, 4),
            observed(date(year, 12, 25)),
        }
    )


def closes_early(day: date) -> bool:
    eves = {date(day.year, 7, 3), nth_weekday(day.year, 11, 3, 4) + timedelta(days=1), date(day.year, 12, 24)}
    return day in eves


def new_york_offset(day: date) -> timedelta:
    """New York's distance from UTC at noon of a day: summer time from March's second to November's first Sunday."""
    summer = nth_weekday(day.year, 3, 6, 2) <= day < nth_weekday(day.year, 11, 6, 1)
    return timedelta(hours=-4 if summer else -5)


def utc_ns(day: date, local: time) -> int:
    """A New York time of a day as UTC ns."""
    naive = datetime.combine(day, local, tzinfo=UTC)
    return int((naive - new_york_offset(day)).timestamp()) * SECOND


@lru_cache(maxsize=8192)
def session_on(day: date) -> Session | None:
    """The session of a day, None on weekends and holidays."""
    if day.weekday() >= 5 or day in holidays(day.year):
        return None
    return Session(day, utc_ns(day, OPEN), utc_ns(day, EARLY_CLOSE if closes_early(day) else CLOSE))


def session_from(day: date) -> Session:
    """The session of a day, or the first one after it."""
    while (session := session_on(day)) is None:
        day += timedelta(days=1)
    return session


def session_until(day: date) -> Session:
    """The session of a day, or the last one before it."""
    while (session := session_on(day)) is None:
        day -= timedelta(days=1)
    return session


def following(session: Session) -> Session:
    return session_from(session.day + timedelta(days=1))


def preceding(session: Session) -> Session:
    return session_until(session.day - timedelta(days=1))


def new_york_date(at: int) -> date:
    """The New York calendar date at UTC ns."""
    moment = datetime.fromtimestamp(at // SECOND, UTC)
    return (moment + new_york_offset(moment.date())).date()
