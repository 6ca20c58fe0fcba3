"""A text as lines; of a picture of a terminal the words that stand in it."""

import html
import re

_TEXT = re.compile(r"<text\b([^<>]{0,500})>([^<]*)</text>")
_PLACE = re.compile(r'\bx="([0-9]{1,5}(?:\.[0-9]{0,9})?)".*?\by="([0-9]{1,5}(?:\.[0-9]{0,9})?)"', re.DOTALL)
_PICTURE = re.compile(r"<svg\b")


def lines(name: str, text: str) -> list[str]:
    """Long lines are left as they are."""
    told = drawn_text(text) if name.endswith(".svg") else text.splitlines()
    return [each.expandtabs(8) for each in told] or ["the file is empty"]


def drawn_text(svg: str) -> list[str]:
    """The text of a drawn terminal, line by line."""
    found: list[str] = []
    for picture in _PICTURE.split(svg):
        rows: dict[float, list[tuple[float, str]]] = {}
        for said, text in _TEXT.findall(picture):
            if place := _PLACE.search(said):
                x, y = map(float, place.groups())
                rows.setdefault(y, []).append((x, html.unescape(text).replace("\u00a0", " ")))
        if rows and found:
            found.append("")
        found += [_joined(sorted(rows[y])) for y in sorted(rows)]
    return found


CELL = 12.2
"""What the drawing takes for the width of a cell, in its own units."""


def _joined(pieces: list[tuple[float, str]]) -> str:
    told = ""
    for x, text in pieces:
        told = told.ljust(round(x / CELL)) + text
    return told.rstrip()
