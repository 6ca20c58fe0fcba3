"""The two lines above every room, the banner below them, and the line of keys at the foot."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from console.actions import Action, Console
from console.desk.moment import Moment
from console.desk.pull import GateState
from console.desk.words import age, clock, signed
from console.screens.views.looks import GATES, aged, mode_band
from widgets.line import Line, Span, cut, fit, line, spread, text_of, width_of


def header(moment: Moment, width: int) -> list[Line]:
    """Whose desk this is, and how it stands."""
    return [_identity(moment, width), _standing(moment, width)]


def _identity(moment: Moment, width: int) -> Line:
    state = moment.state
    accounts = " · ".join(
        f"{name} {'RETIRED' if row.retired else row.info.account or 'account unknown'}"
        for name, row in state.venues.items()
    )
    locked = (" READ-ONLY ", "band-warn") if moment.read_only else ("", "")
    left = line((" ANDON ", "title"), f" {state.name or '?'}  ", mode_band(state.mode), "  ", (accounts, "dim"))
    return spread(left, line(locked, "  ", (f"{clock(moment.now)}Z ", "title")), width)


def _standing(moment: Moment, width: int) -> Line:
    figures, right = line("   ", *money(moment)), line(*_guard(moment), " ")
    left = line(" ", gate(moment, width - width_of(figures) - width_of(right) - 2), figures)
    venues = line("   ", *_venues(moment), "  ")
    whole = line(left, venues)
    return spread(whole if width_of(whole) + width_of(right) <= width else left, right, width)


def gate(moment: Moment, width: int) -> Line:
    """The desk-wide gate, and every narrower one that is tighter, in as many words as `width` has room for. It never
    looks open while any part of the desk is not."""
    tighter = moment.tighter
    if not tighter:
        return line(_desk_gate(moment))
    states = dict.fromkeys(tighter.values())
    named = [(", ".join(name for name in tighter if tighter[name] is state), state) for state in states]
    counted = [(str(list(tighter.values()).count(state)), state) for state in states]
    mixed = [*named[:1], *counted[1:]]
    long, brief = _desk_gate(moment, whole=False), _desk_gate(moment, whole=False, label="")
    tries = [_gates(lead, held) for held in (named, mixed, counted) for lead in (long, brief)]
    return next((tried for tried in tries if width_of(tried) <= width), tries[-1])


def _gates(lead: Span, held: Sequence[tuple[str, GateState]]) -> Line:
    return line(
        lead, *((f" · {names} {state}", "bad" if state is GateState.HALTED else "warn") for names, state in held)
    )


def _desk_gate(moment: Moment, *, whole: bool = True, label: str = "GATE ") -> Span:
    """The desk-wide gate; of a `whole` desk with the share of the normal size that it lets through."""
    state, told = moment.state.gate_state, moment.state.gate
    if state is None:
        return (f"{label}○ UNKNOWN", "unknown")
    glyph, looks = GATES[state]
    if moment.down and state is not GateState.HALTED:
        return (f"{label}✕ was {state}", "cut")
    if not whole:
        return (f"{label}◐ {state}", "warn")
    open_share = told.size_factor if told is not None and state in (GateState.OPEN, GateState.REDUCED) else 0
    text = f"GATE {glyph} {state} {open_share * 100:.0f} %"
    return (f" {text} ", "band-bad") if state is GateState.HALTED else (text, looks)


def money(moment: Moment) -> tuple[Span, ...]:
    """The day's change and the drawdown of all accounts together, and how old they are."""
    day, deepest = moment.day_pct, moment.drawdown_pct
    parts: list[Span] = [("day ", "dim"), (f"{signed(day)} %" if day is not None else "unknown", _known(day))]
    parts += [("  dd ", "dim"), (f"{deepest:.2f} %" if deepest is not None else "unknown", _known(deepest))]
    return (*parts, ("  ", ""), *aged(moment, moment.money_as_of))


def _known(value: Decimal | None) -> str:
    return "unknown" if value is None else ""


def _venues(moment: Moment) -> tuple[Span, ...]:
    rows = [row for row in moment.state.venues.values() if not row.retired]
    retired = len(moment.state.venues) - len(rows)
    answering = sum(row.answers is True for row in rows)
    asked = all(row.answers is not None for row in rows) and bool(rows)
    looks = "cut" if moment.down else "unknown" if not asked else "" if answering == len(rows) else "bad"
    return ("venues ", "dim"), (f"{answering}/{len(rows)}", looks), (f" {retired} retired" if retired else "", "warn")


def _guard(moment: Moment) -> tuple[Span, ...]:
    told = age(moment.guard_age) if moment.guard_age is not None else ""
    if moment.down:
        return ("guard ", "dim"), (f" ✕ DOWN {told} ", "band-cut")
    return ("guard ", "dim"), (told or "connecting…", "")


def banner(moment: Moment, width: int) -> list[Line]:
    """Said across the screen while nobody watches, or while the disk does not do its part; else nothing."""
    if not moment.down:
        return [line((text_of(fit(line(f" ▲ {told}"), width)), "band-warn")) for told in moment.state.trouble]
    pulls = "this console is READ-ONLY: K pulls nothing" if moment.read_only else "K still works: it pulls directly"
    told = f" ✕ GUARD DOWN · {pulls} · all below is as last seen · {moment.down}"
    return [line((text_of(fit(line(told), width)), "band-cut"))]


def keys(actions: Sequence[Action], room: str, offers: Mapping[str, str], width: int) -> list[Line]:
    """What can be done in this room with what it shows now, each with its key; what is refused is paler."""
    spans: list[Span] = []
    for action in actions:
        refused = offers.get(action.id.partition(".")[2]) if action.at == room else None
        if refused is not None:
            spans += [
                (f" {action.shown}", "off" if refused else "key"),
                (f" {action.label} ", "off" if refused else ""),
            ]
    return [cut(line(*spans), width)] if spans else []


def footer(actions: Sequence[Action], console: Console, room: str, width: int) -> Line:
    """Rooms on the left, keys on the right, KILL last; what is disabled is paler. Where space is short the disabled
    rooms lose their names first, then the keys on the right theirs, then the rooms move together."""
    rooms = [action for action in actions if action.room]
    tries = [
        (
            _rooms(rooms, console, room, brief=few > 0, gap=" " if few > 2 else "  "),
            _keys(actions, console, brief=few > 1),
        )
        for few in range(4)
    ]
    left, right = next((both for both in tries if width_of(both[0]) + width_of(both[1]) <= width), tries[-1])
    return spread(left, right, width)


def _keys(actions: Sequence[Action], console: Console, *, brief: bool) -> Line:
    keys: list[Span] = []
    for action in actions:
        if action.foot and not action.at and not action.dangerous:
            looks = "off" if action.refuses(console) else "key"
            keys.append((f"{action.shown} ", looks))
            if not brief:
                keys.append((f"{action.label}  ", "off" if looks == "off" else ""))
    kill = next(action for action in actions if action.dangerous)
    return line(*keys, (f" {kill.shown} {kill.label} ", "off" if kill.refuses(console) else "band-bad"))


def _rooms(rooms: Sequence[Action], console: Console, room: str, *, brief: bool, gap: str) -> Line:
    parts: list[Span] = [(" ", "")]
    for action in rooms:
        if action.room == room:
            parts += [(f" {action.shown} {action.label} ", "band-calm"), (" ", "")]
        elif not action.refuses(console):
            parts += [(action.shown, "key"), (f" {action.label}{gap}", "")]
        else:
            parts.append((f"{action.shown} " if brief else f"{action.shown} {action.label}{gap}", "off"))
    return line(*parts)
