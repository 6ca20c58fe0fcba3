"""What commands print: a few lines for people or one JSON object for machines."""

import json
import sys
from collections.abc import Sequence
from decimal import Decimal


def print_json(value: object) -> None:
    """One JSON object on stdout. Decimals and what has a name of its own become strings."""
    json.dump(value, sys.stdout, default=_text, ensure_ascii=False, indent=2)
    print()


def _text(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def print_table(rows: Sequence[tuple[str, ...]], indent: str = "") -> None:
    """Columns as wide as their widest cell, two blanks between them."""
    widths = [max(len(row[column]) for row in rows) for column in range(max(map(len, rows), default=0))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        print(f"{indent}{'  '.join(cells)}".rstrip())
