"""Help, from the registry and the table of looks, so that neither can drift."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from console.actions import Action, Console, key_at
from console.screens.views.looks import LOOKS
from widgets.line import BLANK, Line, Span, cut, line, wrap

TOLD_IN_FULL = ("Here", "Cord")
"""Groups whose actions need a sentence each; the others are a row of keys, for all to fit on a small terminal."""


def lines(actions: Sequence[Action], console: Console, room: str, offers: Mapping[str, str], width: int) -> list[Line]:
    """What can be done here first, then what can be done everywhere, then what the glyphs mean."""
    here = [action for action in actions if action.at == room and action.id.partition(".")[2] in offers]
    everywhere = [replace(action, shown=key_at(action, room)) for action in actions if not action.at]
    told: list[Line] = []
    for group in dict.fromkeys((*TOLD_IN_FULL, *(action.group for action in everywhere))):
        members = [action for action in (*here, *everywhere) if action.group == group]
        if group in TOLD_IN_FULL:
            told += [line for action in members for line in _action(action, console, width)]
            told += [BLANK] if members else []
        else:
            told += _row(group, members, console, width)
    told.append(
        line(
            (f"{'Move':>7}  ", "dim"),
            ("Tab", "key"),
            " next grid or stop   ",
            ("↑ ↓", "key"),
            " row   ",
            ("Esc", "key"),
            " back   ",
            ("F10", "key"),
            " KILL while typing",
        )
    )
    parts = [
        part for glyph, looks, meaning in LOOKS.values() for part in ((f"{glyph} ", looks), (f"{_word(meaning)}  ", ""))
    ]
    told.append(cut(line((f"{'Glyphs':>7}  ", "dim"), *parts, ("pale: the key says why", "off")), width))
    return told


def _word(meaning: str) -> str:
    return meaning.partition(":")[0]


def _named(action: Action) -> str:
    return action.label.capitalize() if action.label.islower() else action.label


def _action(action: Action, console: Console, width: int) -> list[Line]:
    """What it does; paler where it is refused now, and the key itself then says why."""
    refused = bool(action.refuses(console))
    keys = f"{action.shown} F10" if action.dangerous else action.shown
    lead = line((f"{keys:>9}  ", "off" if refused else "key"), (f"{_named(action):<11}", "off" if refused else "title"))
    return wrap(lead, action.help, "off" if refused else "", width)


def _row(group: str, members: Sequence[Action], console: Console, width: int) -> list[Line]:
    """A group as keys with their names, in as many lines as it takes."""
    rows: list[list[Span]] = [[(f"{group:>7}  ", "dim")]]
    room = width
    for action in members:
        refused = bool(action.refuses(console))
        size = len(action.shown) + len(action.label) + 4
        if size > room - 9:
            rows.append([(" " * 9, "")])
            room = width
        room -= size
        rows[-1] += [(action.shown, "off" if refused else "key"), (f" {_named(action)}   ", "off" if refused else "")]
    return [line(*row) for row in rows]
