"""What commands print: a few lines for people or one JSON object for machines."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TextIO

from console.desk.words import printable


def print_json(value: object) -> None:
    """One JSON object on stdout. Decimals and what has a name of its own become strings."""
    told = json.dumps(value, default=_text, ensure_ascii=False, indent=2)
    print(_UNSHOWN.sub(_escaped, told))


_UNSHOWN = re.compile(r"[^\x00-\x7e]")


def _escaped(found: re.Match[str]) -> str:
    """As JSON writes it, where a terminal would obey it: the value stays the same."""
    letter = found[0]
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]


def _text(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def say(line: str, to: TextIO | None = None) -> None:
    """One line for people, on stdout unless told; nothing in it that a terminal would obey."""
    print(printable(line), file=to)


def print_table(rows: Sequence[tuple[str, ...]], indent: str = "") -> None:
    """Columns as wide as their widest cell, two blanks between them."""
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(max(map(len, rows), default=0))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        print(f"{indent}{'  '.join(cells)}".rstrip())
