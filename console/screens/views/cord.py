"""The overlay of the cord: what a pull would reach, and which key pulls it."""

from collections.abc import Sequence

from console.desk.blast import Blast, VenueBlast
from console.desk.moment import Moment
from console.desk.pull import Level, Scope
from console.desk.words import age, count, money, signed
from console.screens.views.looks import aged, mode_band
from widgets.grid import Column, Row, lay, widths
from widgets.line import BLANK, Line, line, spread, wrap

LATER = "later: strategy, symbols"
NOT_YET = "come later: use 3"

COLUMNS = (
    Column("venue", 8, grow=1),
    Column("account", 12, drop=1),
    Column("orders", 6, align="right"),
    Column("positions", 9, align="right"),
    Column("gross", 10, align="right", drop=3),
    Column("net", 11, align="right", drop=2),
    Column("age", 10, align="right"),
)


def title(moment: Moment, width: int) -> Line:
    state = moment.state
    return spread(
        line((f" PULL THE CORD   {state.name or '?'}  ", "title"), mode_band(state.mode)), _hand(moment), width
    )


def _hand(moment: Moment) -> Line:
    return (
        line(("✕ guard down: directly ", "cut"))
        if moment.down
        else line((f"guard {age(moment.guard_age or 0)} ", "dim"))
    )


def scope_line(offered: Sequence[Scope], chosen: Scope) -> Line:
    parts: list[Line] = [line((" Tab ", "key"), " ")]
    for scope in offered:
        name = "whole desk" if scope.kind == "desk" else scope.names[0]
        parts.append(line((f" ▸ {name} ", "band-calm"), " ") if scope == chosen else line(f"   {name}  "))
    parts.append(line((f"  {LATER}", "off")))
    return line(*parts)


def table(moment: Moment, blast: Blast, width: int) -> list[Line]:
    """What lies in scope, a venue a line."""
    across = widths(COLUMNS, width - 2)
    heading = lay([((column.title, "dim"),) for column in COLUMNS], COLUMNS, across)
    return [line(" ", heading), *(line(" ", lay(_venue(moment, row).cells, COLUMNS, across)) for row in blast.venues)]


def _venue(moment: Moment, row: VenueBlast) -> Row:
    looks = "unknown" if row.unknown else ""
    least = "≥ " if row.unknown and row.as_of else ""
    known = bool(row.as_of)
    return Row(
        row.venue,
        (
            line((row.venue, "title")),
            line((row.account, "dim")),
            line((f"{least}{row.orders}" if known else "?", looks)),
            line((f"{least}{row.positions}" if known else "?", looks)),
            line((money(row.gross) if known else "?", looks)),
            line((signed(row.net, 0) if known else "?", looks)),
            aged(moment, row.as_of, row.unknown, marked=False),
        ),
    )


def cautions(blast: Blast, width: int) -> list[Line]:
    """What else a pull touches, and what it leaves without a stop."""
    told = []
    if blast.foreign:
        told.append(f"{count(blast.foreign, 'order')} not sent by our strategies")
    if blast.protective:
        told.append(count(blast.protective, "protective order"))
    lines = [line(f" includes {' and '.join(told)}")] if told else []
    if blast.naked:
        names = ", ".join(blast.naked)
        stand = "stands" if len(blast.naked) == 1 else "stand"
        lines += wrap(line((" △ ", "warn")), f"after 3, {names} {stand} without stops; 4 flattens", "warn", width)
    retired = [row.venue for row in blast.venues if row.retired]
    if retired:
        lines += wrap(line((" ○ ", "unknown")), f"{', '.join(retired)} retired: tried all the same", "unknown", width)
    for row in blast.venues:
        if row.unknown:
            lines += wrap(
                line((" ○ ", "unknown")), f"{row.venue}: {row.unknown}; counts are as last seen", "unknown", width
            )
    return lines or [line((" every order was sent by our strategies; none is protective", "dim"))]


def levels() -> list[Line]:
    """The digits. Those that do not exist yet stay, and say what to use."""
    return [
        line(
            "  ",
            (" 3 ", "band-bad"),
            (f" {Level.L3.says}", "bad"),
            "      ",
            (" 4 ", "band-bad"),
            (f" {Level.L4.says}", "bad"),
        ),
        BLANK,
        line((f"   1  {Level.L1.says}      2  {Level.L2.says}      {NOT_YET}", "off")),
    ]


def foot(note: str, width: int) -> Line:
    return spread(
        line((" Esc ", "key"), "leave", (f"   {note}", "warn")), line(("Enter does nothing here ", "dim")), width
    )
