"""What somebody looks for in an archive, in one line of words: `class:outage sev:P0 since:2026-11-01 AAPL`. Pure.

Forgiving: what is no key is a word to be found anywhere, and what is no date is said and left out.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from console.desk.archive import Summary
from console.desk.base import Plain
from console.desk.words import SECOND

KEYS = {
    "class": "class",
    "cls": "class",
    "sev": "severity",
    "severity": "severity",
    "symbol": "symbol",
    "sym": "symbol",
    "since": "since",
    "from": "since",
    "until": "until",
    "to": "until",
    "on": "on",
    "is": "is",
}
"""What may be typed for what."""
EXAMPLE = "class:outage sev:P0 since:2026-11-01 symbol:AAPL is:open, or any words"
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_BACK = re.compile(r"(\d{1,4})d")
_STATES = ("open", "closed", "unchecked", "verified", "consistent", "broken")

Test = Callable[[Summary, str], bool]


class Sought(Plain, frozen=True):
    """`says` is what was understood, `wrong` what was not. Every test has to hold. `deep` where one of them looks into
    the evidence."""

    tests: tuple[Test, ...] = ()
    deep: bool = False
    says: str = ""
    wrong: str = ""

    def finds(self, summary: Summary, standing: str) -> bool:
        """`standing` is the word of the incident's last verification, unchecked where there was none."""
        return all(test(summary, standing) for test in self.tests)


def sought(typed: str, now: int) -> Sought:
    """What was typed, understood at the moment `now` (UTC ns)."""
    tests: list[Test] = []
    says: list[str] = []
    deep = False
    wrong: list[str] = []
    for word in typed.split():
        name, colon, value = word.partition(":")
        key = KEYS.get(name.casefold()) if colon else None
        if key is None:
            deep = True
            tests.append(_anywhere(word.casefold()))
            says.append(f"“{word}”")
        elif value:
            try:
                test, told = _test(key, value, now)
            except ValueError as error:
                wrong.append(str(error))
            else:
                tests.append(test)
                says.append(told)
                deep |= key == "symbol"
    return Sought(tuple(tests), deep, " and ".join(says), "; ".join(wrong))


def _test(key: str, value: str, now: int) -> tuple[Test, str]:
    """The test of one word, and how it is told. Raises ValueError with a sentence."""
    folded = value.casefold()
    match key:
        case "class":
            return lambda row, _: folded in row.cls.casefold(), f"class {value}"
        case "severity":
            wanted = folded if folded.startswith("p") else f"p{folded}"
            return lambda row, _: row.severity.casefold() == wanted, wanted.upper()
        case "symbol":
            return lambda row, _: _among(folded, row.symbols), f"symbol {value.upper()}"
        case "is":
            if folded not in _STATES:
                raise ValueError(f"is:{value}? One of {', '.join(_STATES)} is expected")
            return _state(folded), folded
    first, after = _days(key, value, now)
    told = {"since": f"since {_day(first)}", "until": f"until {_day(after - 1)}", "on": f"on {_day(first)}"}
    if key == "on" and _day(first) != _day(after - 1):
        told["on"] = f"from {_day(first)} to {_day(after - 1)}"
    begins = first if key in ("since", "on") else 0
    ends = after if key in ("until", "on") else 1 << 63
    return lambda row, _: begins <= row.opened_at < ends, told[key]


def _anywhere(word: str) -> Test:
    def found(row: Summary, standing: str) -> bool:
        fields = (row.id, row.desk, row.mode, row.cls, row.severity, row.title, row.text, standing, *row.symbols)
        return word in " ".join(fields).casefold()

    return found


def _among(symbol: str, symbols: Iterable[str]) -> bool:
    bare = symbol.replace("/", "")
    return any(bare in each.casefold().replace("/", "") for each in symbols)


def _state(word: str) -> Test:
    if word == "open":
        return lambda row, _: not row.closed_at and not row.trouble
    if word == "closed":
        return lambda row, _: bool(row.closed_at)
    return lambda _, standing: standing == word


def _days(key: str, value: str, now: int) -> tuple[int, int]:
    """The first moment of the days meant, and the first one after them. `7d` is seven days back."""
    if match := _BACK.fullmatch(value):
        today = datetime.fromtimestamp(now // SECOND, UTC).replace(hour=0, minute=0, second=0)
        first = today - timedelta(days=int(match[1]))
        return _ns(first), _ns(first + timedelta(days=1))
    match = _DATE.fullmatch(value)
    try:
        if match is None:
            raise ValueError
        year, month, day = (int(part) if part else None for part in match.groups())
        first = datetime(year or 0, month or 1, day or 1, tzinfo=UTC)
        if day:
            after = first + timedelta(days=1)
        elif month:
            after = datetime(first.year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        else:
            after = datetime(first.year + 1, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{key}:{value} is no date; such as 2026-11-01, 2026-11 or 7d is expected") from None
    return _ns(first), _ns(after)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND


def _day(ts: int) -> str:
    return datetime.fromtimestamp(ts // SECOND, UTC).strftime("%Y-%m-%d")
