"""A curve in one line of text."""

from collections.abc import Sequence

from widgets.line import Line, Span

BARS = "▁▂▃▄▅▆▇"
OVER = "█"
GAP = "·"


def curve(levels: Sequence[float | None], width: int) -> Line:
    """The latest `width` levels, oldest first, as shares of the threshold: 1 and above fills the cell and is `bad`.

    What was not known is a dot; what was never read is blank.
    """
    latest = list(levels)[-width:]
    spans: list[Span] = [(" " * (width - len(latest)), "")] if len(latest) < width else []
    for level in latest:
        glyph, tone = _cell(level)
        if spans and spans[-1][1] == tone:
            spans[-1] = (spans[-1][0] + glyph, tone)
        else:
            spans.append((glyph, tone))
    return tuple(spans)


def _cell(level: float | None) -> Span:
    if level is None:
        return GAP, "unknown"
    if level >= 1:
        return OVER, "bad"
    return BARS[max(0, min(len(BARS) - 1, int(level * len(BARS))))], "warn" if level >= 0.75 else "dim"
