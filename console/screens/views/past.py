"""The lines above what is not live: archives read without a desk, and a desk as it was."""

from collections.abc import Sequence

from console.desk.archive import Summary
from console.desk.moment import Moment
from console.desk.timeline import some
from console.desk.words import clock, stamp
from console.screens.views import head
from console.screens.views.archive import place
from console.screens.views.looks import mode_band
from widgets.line import Line, cut, fit, line, spread, text_of, width_of


def offline(paths: Sequence[str], now: int, width: int) -> list[Line]:
    """Above a console to which no desk is attached."""
    title = line((" ANDON ", "title"), " ", (" ARCHIVE ", "band-stale"), "  no desk is attached")
    return [
        spread(title, line((f"{clock(now)}Z ", "title")), width),
        cut(line((f" {some(tuple(map(place, paths)), 2)}", "dim")), width),
    ]


def header(moment: Moment, of: Summary, width: int) -> list[Line]:
    """Above a desk as it was: two lines that no live desk ever has. `moment` is that of the seal."""
    when = f"  {stamp(moment.now)} "
    band = fit(line(f" ARCHIVE  {of.id}  {of.desk} {of.mode.upper()}  as it was at"), width - len(when))
    left = line((" THEN ", "band-stale"), " ")
    money = line("   ", *head.money(moment))
    gate = head.gate(moment, width - width_of(left) - width_of(money))
    return [((text_of(band) + when, "band-stale"),), cut(line(left, gate, money), width)]


def now(live: Moment, width: int) -> list[Line]:
    """Below that: how the live desk stands meanwhile, so that nobody takes old numbers for it."""
    if not live.live:
        return [line((" no live desk is attached: K has nothing to pull", "dim"))]
    state = live.state
    left = line((" NOW ", "title"), " ", f"{state.name or '?'} ", mode_band(state.mode), "  ")
    guard = line(("   ✕ its guard is down", "cut")) if live.down else line()
    right = line("  ", ("1", "key"), " goes there   ", ("K", "bad"), " pulls there ")
    gate = head.gate(live, width - width_of(left) - width_of(guard) - width_of(right))
    return [spread(line(left, gate, guard), right, width)]


def small(moment: Moment, of: Summary) -> list[Line]:
    """On a terminal that is too small for more."""
    return [
        line((f" ARCHIVE {of.id} ", "band-stale")),
        line(f" as it was at {stamp(moment.now)}"),
        line(" ", ("1", "key"), " goes to the live desk"),
    ]
