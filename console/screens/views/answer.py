"""A query's answer as a table like any other; it is short, and lies in memory."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation

from console.desk.archive import Answer, Column, Curve, Unreadable
from console.desk.words import SECOND

Cells = tuple[str, ...]
NONE = "–"


class AnswerRows:
    """`console.desk.archive.Rows` over an Answer."""

    def __init__(self, columns: tuple[Column, ...], rows: tuple[Cells, ...]) -> None:
        self.columns = columns
        self.count = len(rows)
        self._rows = rows

    @classmethod
    def of(cls, answer: Answer) -> "AnswerRows":
        return cls(answer.columns, answer.rows)

    def window(self, first: int, count: int) -> list[Cells]:
        return list(self._rows[first : first + count])

    def sorted(self, column: str, *, descending: bool = False) -> "AnswerRows":
        """What has no value comes last, either way."""
        at, read = self._at(column)
        known = [row for row in self._rows if row[at] != NONE]
        known.sort(key=lambda row: read(row[at]), reverse=descending)
        return AnswerRows(self.columns, (*known, *(row for row in self._rows if row[at] == NONE)))

    def filtered(self, words: str) -> "AnswerRows":
        sought = words.casefold().split()
        kept = [row for row in self._rows if all(any(word in cell.casefold() for cell in row) for word in sought)]
        return AnswerRows(self.columns, tuple(kept))

    def curve(self, column: str, points: int) -> Curve:
        clock = next((number for number, each in enumerate(self.columns) if each.kind == "time"), None)
        if clock is None:
            raise Unreadable("the answer has no time to plot over: select a time column, too")
        at, _ = self._at(column)
        both = [(row[clock], row[at]) for row in self._rows if NONE not in (row[clock], row[at])]
        told = [(_nanoseconds(when), float(_number(value))) for when, value in both]
        if not told:
            raise Unreadable(f"{column} has no number with a time")
        first, last = min(ts for ts, _ in told), max(ts for ts, _ in told)
        steps: list[list[float]] = [[] for _ in range(points)]
        for ts, value in told:
            steps[min(points - 1, (ts - first) * points // max(1, last - first))].append(value)
        return Curve(first, last, tuple(sum(step) / len(step) if step else None for step in steps))

    def _at(self, column: str) -> tuple[int, Callable[[str], Decimal | str]]:
        """Where a column is, and how its cells compare."""
        at = next(number for number, each in enumerate(self.columns) if each.name == column)
        return at, _number if self.columns[at].kind == "number" else str.casefold


def _number(cell: str) -> Decimal:
    try:
        found = Decimal(cell.replace(",", "").replace("−", "-"))
    except InvalidOperation:
        return Decimal(0)
    return found if found.is_finite() else Decimal(0)


def _nanoseconds(cell: str) -> int:
    try:
        moment = datetime.fromisoformat(cell if cell.endswith("Z") or "+" in cell else f"{cell}Z")
    except ValueError:
        raise Unreadable(f"{cell} is no time") from None
    return round(moment.timestamp() * 1_000_000) * (SECOND // 1_000_000)
