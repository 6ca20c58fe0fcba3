"""What stands around a table: where it comes from, how it is shown, one row whole, a curve."""

from collections.abc import Sequence

from console.desk.archive import Column, Curve
from console.desk.words import SECOND, age, clock, count, stamp
from console.screens.views.writer import Writer
from widgets.line import Line, cut, line
from widgets.plot import plot
from widgets.table import Heading

DAY = 86_400 * SECOND
SORTED = {False: " ▲", True: " ▼"}


def headings(columns: Sequence[Column]) -> list[Heading]:
    """The first column stays in sight where it is the time."""
    return [
        Heading(column.name, "right" if column.kind == "number" else "left", pinned=not at and column.kind == "time")
        for at, column in enumerate(columns)
    ]


def title(where: str, total: int | None, shown: int | None, busy: str) -> str:
    """`total` is None as long as nothing was read."""
    told = ""
    if total is not None:
        told = f"  {count(total, 'row')}" if shown == total else f"  {shown:,} of {count(total, 'row')}"
    return f" {where}{told}{f' · {busy}' if busy else ''} "


def told(span: tuple[int, int], of: int | None, column: Column | None, said: str, width: int) -> Line:
    """Below the table: which rows are in sight, and what the keys would act upon."""
    if said:
        return cut(line((f" {said}", "warn")), width)
    if not of:
        return line((" … reading" if of is None else " no row", "dim"))
    rows = f" {span[0]:,}–{span[1]:,} of {of:,}"
    here = line(("   column ", "dim"), (column.name, "key"), (f"  {column.kind}", "dim")) if column else line()
    return cut(line((rows, "dim"), here), width)


def whole(columns: Sequence[Column], cells: Sequence[str], number: int, page: Writer) -> None:
    """One row, a column a line."""
    page.label = min(24, max((len(column.name) for column in columns), default=0) + 2)
    page.add(line((f"row {number + 1:,}", "title")))
    page.blank()
    for column, cell in zip(columns, cells, strict=True):
        page.fact(column.name, cell or "–", "" if cell else "dim")


def example(incident: str) -> str:
    """What an empty line suggests."""
    which = f" where incident = '{incident}'" if incident else ""
    return f"such as: select * from fills{which} order by ts   ↑ ↓ typed before"  # noqa: S608 - shown, never run


def curve(of: Curve, width: int, height: int) -> list[Line]:
    """Over the time from the first to the last row, told as finely as it takes to tell its ends apart."""
    span = of.last - of.first
    began, ended = (_moment(at, span) for at in (of.first, of.last))
    step = f"each column is the mean of {_span(span // max(1, len(of.levels)))}; · has no row"
    return [*plot(of.levels, width, height - 1, began, ended), line((step, "dim"))]


def _moment(at: int, span: int) -> str:
    if span >= DAY:
        return stamp(at)[:16]
    return f"{clock(at)}.{at % SECOND // 1_000_000:03}Z" if span < 100 * SECOND else f"{clock(at)}Z"


def _span(ns: int) -> str:
    return f"{ns / 1_000_000:.3g} ms" if ns < SECOND else age(ns)
