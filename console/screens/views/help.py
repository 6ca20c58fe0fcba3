"""Help, from the registry and the table of looks, so that neither can drift."""

from collections.abc import Sequence

from console.actions import Action, Console
from console.screens.views.looks import LOOKS
from widgets.line import BLANK, Line, cut, line, wrap


def lines(actions: Sequence[Action], console: Console, width: int) -> list[Line]:
    """Actions by group, the cord first; then what the glyphs mean."""
    groups = dict.fromkeys(["Cord", *(action.group for action in actions)])
    told: list[Line] = []
    for group in groups:
        told += [BLANK] if told else []
        told += [told for action in actions if action.group == group for told in _action(action, console, width)]
    parts = [
        part for glyph, looks, meaning in LOOKS.values() for part in ((f"{glyph} ", looks), (f"{_word(meaning)}  ", ""))
    ]
    told.append(
        line(
            ("   Tab", "key"),
            "  next grid    ",
            ("↑ ↓", "key"),
            "  row    ",
            ("Esc", "key"),
            "  back    ",
            ("F10", "key"),
            "  KILL while typing",
        )
    )
    told.append(cut(line(("  looks  ", "dim"), *parts, ("pale: the key says why", "off")), width))
    return told


def _word(meaning: str) -> str:
    return meaning.partition(":")[0]


def _action(action: Action, console: Console, width: int) -> list[Line]:
    """What it does; paler where it is refused now, and the key itself then says why."""
    refused = bool(action.refuses(console))
    keys = f"{action.shown} F10" if action.dangerous else action.shown
    lead = line(
        (f"{keys:>7}  ", "off" if refused else "key"),
        (f"{action.label.capitalize() if action.label.islower() else action.label:<10}", "off" if refused else "title"),
    )
    return wrap(lead, action.help, "off" if refused else "", width)
