"""Numbers over time as a curve of many lines, with both axes labelled."""

from collections.abc import Sequence

from widgets.line import Line, line

STEPS = " ▁▂▃▄▅▆▇█"
GAP = "·"
MOST_DIGITS = 9


def plot(levels: Sequence[float | None], width: int, height: int, began: str, ended: str) -> list[Line]:
    """`height` lines of `width` cells, the axis of time included. The levels are drawn one a cell between the least and
    the greatest of them; a step that has none is a dot on the axis. `began` and `ended` label the axis of time."""
    known = [level for level in levels if level is not None]
    if not known:
        return [line(("  no number in it", "unknown"))]
    least, greatest = min(known), max(known)
    labels = _labels(least, greatest)
    margin = max(map(len, labels))
    tall = height - 2
    eighths = [None if level is None else _eighths(level, least, greatest, tall) for level in levels]
    rows = [
        _row(eighths, tall - 1 - y, {0: labels[0], tall // 2: labels[1], tall - 1: labels[2]}.get(y, ""), margin)
        for y in range(tall)
    ]
    ends = f"{began}{ended:>{max(1, len(levels) - len(began))}}"
    return [
        *rows,
        line((f"{'':>{margin}} └{'─' * len(levels)}", "dim")),
        line((f"{'':>{margin}}  {ends}", "dim")),
    ]


def steps(width: int, labels: int = 12) -> int:
    """How many levels a plot of so many cells has room for."""
    return max(10, width - labels - 2)


def number(value: float, digits: int = 4) -> str:
    """Short enough for an axis: `812`, `0.0314`, `1.24e+09`."""
    if 1000 <= abs(value) < 1e9:
        return f"{value:,.{max(0, digits - len(str(int(abs(value)))))}f}"
    return f"{value:.{digits}g}"


def _labels(least: float, greatest: float) -> list[str]:
    """Of the top, the middle and the bottom: no longer than it takes to tell them apart. One value has one label."""
    if least == greatest:
        return ["", number(least, MOST_DIGITS), ""]
    labels: list[str] = []
    for digits in range(4, MOST_DIGITS + 1):
        labels = [number(greatest, digits), number((least + greatest) / 2, digits), number(least, digits)]
        if len(set(labels)) == len(labels):
            break
    return labels


def _eighths(level: float, least: float, greatest: float, tall: int) -> int:
    """How many eighths of a line the level is high: never none, so that it is seen."""
    if greatest == least:
        return tall * 4
    return max(1, round((level - least) / (greatest - least) * tall * 8))


def _row(eighths: Sequence[int | None], above: int, label: str, margin: int) -> Line:
    """One line of the plot, `above` of the lowest."""
    cells = "".join(
        (GAP if above == 0 else " ") if high is None else STEPS[max(0, min(8, high - above * 8))] for high in eighths
    )
    return line((f"{label:>{margin}} ", "dim"), ("┤" if label else "│", "dim"), (cells, "key"))
