"""The overlay of the cord: what a pull would reach, and which key pulls it."""

from collections.abc import Mapping, Sequence

from console.desk.blast import Blast, Share, VenueBlast
from console.desk.moment import Moment
from console.desk.pull import Level, Scope
from console.desk.timeline import some
from console.desk.words import age, count, money, signed
from console.screens.views.looks import aged, mode_band
from widgets.grid import Column, Row, lay, widths
from widgets.line import BLANK, Line, band, line, spread, width_of, wrap

KINDS = {"desk": "whole desk", "venue": "venue", "strategy": "strategy", "symbol": "symbols"}

COLUMNS = (
    Column("venue", 10, grow=1),
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


def live_now(moment: Moment, width: int) -> Line:
    """Above an archived desk: what is pulled here."""
    return band(f"not the archive: this is the desk {moment.state.name} as it is NOW", "band-warn", width)


def _hand(moment: Moment) -> Line:
    return (
        line(("✕ guard down: directly ", "cut"))
        if moment.down
        else line((f"guard {age(moment.guard_age or 0)} ", "dim"))
    )


class Picked:
    """The symbols to choose from, those that are chosen, and where the cursor stands."""

    def __init__(self, symbols: Sequence[str], chosen: Sequence[str], cursor: int) -> None:
        self.symbols = symbols
        self.chosen = chosen
        self.cursor = cursor


def scope_lines(offered: Sequence[Scope], kind: str, chosen: Scope | None, picked: Picked, width: int) -> list[Line]:
    """The kinds of scope, and below them the names of the kind that is chosen, the chosen one always in sight."""
    kinds: list[Line] = [line((" Tab ", "key"))]
    for name, says in KINDS.items():
        kinds.append(line((f" ▸ {says} ", "band-calm")) if name == kind else line((f"   {says} ", "dim")))
    return [line(*kinds), _symbols(picked, width) if kind == "symbol" else _names(offered, kind, chosen, width)]


def _names(offered: Sequence[Scope], kind: str, chosen: Scope | None, width: int) -> Line:
    if kind == "desk":
        return line(("       every venue and every strategy", "dim"))
    names = [
        line((f"▸ {scope.names[0]}", "key")) if scope == chosen else line((f"  {scope.names[0]}", ""))
        for scope in offered
        if scope.kind == kind
    ]
    at = next((number for number, scope in enumerate(s for s in offered if s.kind == kind) if scope == chosen), 0)
    return _in_sight(names, at, width)


def _symbols(picked: Picked, width: int) -> Line:
    if not picked.symbols:
        return line(("       no symbol is traded or held here", "dim"))
    names = []
    for number, symbol in enumerate(picked.symbols):
        mark = "■" if symbol in picked.chosen else "□"
        looks = "key" if number == picked.cursor else "title" if symbol in picked.chosen else "dim"
        here = "▸" if number == picked.cursor else " "
        names.append(line((f"{here}{mark} {symbol}", looks)))
    return _in_sight(names, picked.cursor, width)


def _in_sight(names: Sequence[Line], at: int, width: int) -> Line:
    """As many names as fit around the one at `at`; dots where there are more."""
    lead, gap = "       ", "   "
    first = 0
    while first < at and len(lead) + sum(width_of(name) + len(gap) for name in names[first : at + 1]) > width - 4:
        first += 1
    shown: list[Line] = [line((lead if not first else "     … ", "dim"))]
    for number, name in enumerate(names[first:], first):
        if sum(map(width_of, shown)) + width_of(name) + len(gap) > width - 2:
            shown.append(line(("…", "dim")))
            break
        shown.append(line(name, gap if number + 1 < len(names) else ""))
    return line(*shown)


def reach(moment: Moment, blast: Blast, width: int, height: int) -> list[Line]:
    """Everything in scope, within `height` lines: each venue, its strategies where there is room, and what else a
    person should know before pulling. What to know is never what gives way."""
    told = cautions(moment, blast, width)
    room = height - len(told) - 2  # the heading, and the line between
    shares = sum(len(row.shares) for row in blast.venues)
    return [*table(moment, blast, width, shares=len(blast.venues) + shares <= room), BLANK, *told]


def table(moment: Moment, blast: Blast, width: int, *, shares: bool) -> list[Line]:
    """A venue a line, and with `shares` each of its strategies."""
    across = widths(COLUMNS, width - 2)
    rows = [lay([((column.title, "dim"),) for column in COLUMNS], COLUMNS, across)]
    for venue in blast.venues:
        rows.append(lay(_venue(moment, venue).cells, COLUMNS, across))
        if shares:
            rows += [lay(_share(moment, share).cells, COLUMNS, across) for share in venue.shares]
    return [line(" ", row) for row in rows]


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


def _share(moment: Moment, row: Share) -> Row:
    looks = "unknown" if row.unknown else "dim"
    known = bool(row.as_of)
    return Row(
        row.strategy,
        (
            line((f"  {row.strategy}", looks)),
            line(("its own book", looks)),
            line((f"{row.orders}", looks)),
            line((f"{row.positions}" if known else "?", looks)),
            line((money(row.gross) if known else "?", looks)),
            line((signed(row.net, 0) if known else "?", looks)),
            aged(moment, row.as_of, row.unknown, marked=False),
        ),
    )


def cautions(moment: Moment, blast: Blast, width: int) -> list[Line]:
    """What else a pull touches, what it leaves alone, and what it leaves without a stop."""
    lines, strategy = _whose(moment, blast), blast.scope.startswith("strategy:")
    left = [f"{count(row.untouched, 'order')} at {row.venue}" for row in blast.venues if row.untouched]
    if left:
        only = "touches only what it sent: " if strategy else ""
        lines += wrap(line("   "), f"{only}leaves {some(tuple(left))} open", "", width)
    if blast.keep_protective and blast.protective:
        kept = f"keeps {count(blast.protective, 'protective order')}"
        lines += wrap(line((" ● ", "good")), kept if strategy else f"{kept}; 4 flattens, and keeps none", "", width)
    if blast.naked:
        names = ", ".join(blast.naked)
        stand = "stands" if len(blast.naked) == 1 else "stand"
        flatten = "" if strategy else ", 4 flattens"
        told = f"after 3, {names} {stand} without stops; p keeps them{flatten}"
        lines += wrap(line((" △ ", "warn")), told, "warn", width)
    retired = [row.venue for row in blast.venues if row.retired]
    if retired:
        lines += wrap(line((" ○ ", "unknown")), f"{', '.join(retired)} retired: tried all the same", "unknown", width)
    for row in blast.venues:
        if row.unknown:
            lines += wrap(
                line((" ○ ", "unknown")), f"{row.venue}: {row.unknown}; counts are as last seen", "unknown", width
            )
    return lines or [line(("   every order was sent by our strategies; none is protective", "dim"))]


def _whose(moment: Moment, blast: Blast) -> list[Line]:
    """Orders that no strategy sent, and whether they go along; and what of the rest protects."""
    protective = count(blast.protective, "protective order") if blast.protective and not blast.keep_protective else ""
    if not blast.foreign:
        return [line(f"   includes {protective}")] if protective else []
    oldest = f"(oldest {age(moment.now - blast.foreign_since)})"
    strangers = f"{count(blast.foreign, 'order')} not sent by strategies {oldest}"
    if blast.own_only:
        return [line((" ● ", "good"), f"leaves {strangers}", f"; includes {protective}" if protective else "")]
    return [line((" △ ", "warn"), f"includes {strangers}", f", {protective}" if protective else "")]


def nothing_picked() -> list[Line]:
    return [
        line(" ", ("← →", "key"), " move   ", ("Space", "key"), " takes a symbol in or out"),
        BLANK,
        line((" no symbol is picked: there is nothing to pull", "warn")),
    ]


def levels(blast: Blast, refused: Mapping[Level, str], offer: str, width: int, *, armed: bool) -> list[Line]:
    """The digits. One that is not offered here stays, and says why; `offer` is what can be done instead."""
    disable = (
        f"disable {blast.disables[0]}"
        if len(blast.disables) == 1
        else (f"disable {len(blast.disables)} strategies" if blast.disables else Level.L2.says)
    )
    says = {Level.L1: Level.L1.says, Level.L2: disable, Level.L3: Level.L3.says, Level.L4: Level.L4.says}

    def key(level: Level) -> Line:
        digit, tones = str(level.rank), ("band-bad", "bad") if level.cancels else ("band-warn", "warn")
        if level in refused or not armed:
            return line((f" {digit}  {says[level]}", "off"))
        return line((f" {digit} ", tones[0]), (f" {says[level]}", tones[1]))

    lines = [_pair(key(Level.L1), key(Level.L2), width), _pair(key(Level.L3), key(Level.L4), width)]
    for level, why in refused.items():
        if armed:
            lines += wrap(
                line((f"   {level.rank} not here: ", "dim")),
                f"{why}{offer}" if level is Level.L4 else why,
                "dim",
                width,
            )
    return lines


def _pair(left: Line, right: Line, width: int) -> Line:
    """Side by side; closer together on a small terminal, where what a digit does must still be told whole."""
    longest = len(f" 4  {Level.L4.says}")
    return line("  ", left, " " * max(2, min(30, width - longest - 3) - width_of(left)), right)


def advice(level: Level) -> str:
    """What the tree says that led here."""
    return f"the tree says {level.rank}: {level.says}"


def foot(blast: Blast, note: str, kind: str, width: int) -> Line:
    """The other keys. A mark shows what the next pull leaves; a strategy's never takes more than its own orders."""
    if note:
        return spread(
            line((" Esc ", "key"), "leave", (f"   {note}", "warn")), line(("Enter does nothing here ", "dim")), width
        )
    keys: list[Line] = []
    if kind == "symbol":
        keys.append(line(("← →", "key"), " move  ", ("Space", "key"), " picks   "))
    if kind == "strategy":
        keys.append(line(("s", "key"), " its symbols   "))
    keys.append(_switch("p", "keep protective", on=blast.keep_protective))
    if kind != "strategy":
        keys.append(line("   ", _switch("o", "own only", on=blast.own_only)))
    return spread(line((" Esc ", "key"), "leave"), line(*keys, " "), width)


def _switch(key: str, label: str, *, on: bool) -> Line:
    return line((key, "key"), (f" ■ {label}", "good") if on else (f" □ {label}", ""))
