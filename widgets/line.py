"""A line as a value: spans of text, each with a tone. What a screen says is worked out in these and painted later.

Tones are names from `TONES`; a theme gives them their looks. Widths are terminal cells.
"""

import textwrap
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size
from textual.content import Content

Span: TypeAlias = tuple[str, str]
Line: TypeAlias = tuple[Span, ...]

TONES = (
    "dim", "title", "good", "warn", "bad", "cord", "stale", "unknown", "cut", "key", "off",
    "band-good", "band-warn", "band-bad", "band-unknown", "band-calm", "band-cut", "band-stale",
)  # fmt: skip

BLANK: Line = ()

_UNSEEN = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_UNSEEN |= dict.fromkeys((*range(0x80, 0xA0), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)


def plain(text: str) -> str:
    """The text with a picture in place of every character that would steer a terminal, or turn the text around."""
    return text if text.isascii() and text.isprintable() else text.translate(_UNSEEN)


def label(text: str) -> Content:
    """The same for what Textual itself draws, which would take brackets for markup: the title of a border, say."""
    return Content(plain(text))


def line(*parts: "str | Span | Line") -> Line:
    """A line from plain strings, `(text, tone)` spans and other lines."""
    spans: list[Span] = []
    for part in parts:
        if isinstance(part, str):
            spans.append((part, ""))
        elif len(part) == 2 and isinstance(part[0], str):
            spans.append(part)
        else:
            spans.extend(part)
    return tuple(span for span in spans if span[0])


def text_of(of: Line) -> str:
    return "".join(text for text, _ in of)


def width_of(of: Line) -> int:
    return sum(cell_len(text) for text, _ in of)


def cut(of: Line, width: int) -> Line:
    """The line within `width` cells; where something had to go it ends in an ellipsis."""
    if width <= 0:
        return BLANK
    if width_of(of) <= width:
        return of
    kept: list[Span] = []
    room = width - 1
    for text, tone in of:
        size = cell_len(text)
        if size >= room:
            kept.append((f"{set_cell_size(text, room)}…", tone))
            break
        kept.append((text, tone))
        room -= size
    return tuple(kept)


def fit(of: Line, width: int, align: str = "left") -> Line:
    """The line in exactly `width` cells: cut, or padded on the side away from `align` (left, right or center)."""
    of = cut(of, width)
    space = width - width_of(of)
    if space <= 0:
        return of
    before = {"left": 0, "right": space, "center": space // 2}[align]
    return line(" " * before, of, " " * (space - before))


def spread(left: Line, right: Line, width: int) -> Line:
    """Both ends of one line; the left gives way."""
    room = width - width_of(right)
    return line(fit(left, room), right) if room > 0 else cut(right, width)


def band(text: str, tone: str, width: int) -> Line:
    """Text in the middle of a line that has its tone from edge to edge."""
    return ((text_of(fit(((text, tone),), width, "center")), tone),)


def big(text: str, below: str, tone: str, width: int) -> list[Line]:
    """The one thing that a screen has to say, in three lines: spaced out, with a sentence below it."""
    spaced = " ".join(text) if 2 * len(text) < width else text
    return [band(told, tone, width) for told in ("", spaced, below)]


def wrap(lead: Line, text: str, tone: str, width: int, most: int = 2) -> list[Line]:
    """`text` behind `lead`, broken at words into at most `most` lines that hang below each other."""
    indent = width_of(lead)
    pieces = textwrap.wrap(text, max(8, width - indent), max_lines=most, placeholder=" …") or [""]
    return [line(lead if number == 0 else " " * indent, (piece, tone)) for number, piece in enumerate(pieces)]
