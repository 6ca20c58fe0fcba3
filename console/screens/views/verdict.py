"""The verdict: what was asked, what each venue has proven, and what still stands. Never more than that."""

from console.desk.moment import Moment
from console.desk.pull import GateState, Verdict
from console.desk.state import PullState, VenuePull
from console.desk.words import NONE, SECOND, after, age, clock, count
from console.screens.views.looks import VERDICTS
from widgets.line import BLANK, Line, big, line, spread, wrap

SAYS = {
    Verdict.REQUESTED: "Asked to stop. Nothing is proven yet.",
    Verdict.PARTIAL: "Not everything has stopped. What stands is listed below.",
    Verdict.UNKNOWN: "A venue does not answer. Take its orders for live.",
    Verdict.VERIFIED: "Proven: no open order, and nothing new for {quiet} s{flat}.",
}
BAR = 20


def headline(pull: PullState | None, width: int) -> list[Line]:
    """The worst venue's verdict, said big."""
    if pull is None:
        return big("SENT", "No hand has reported yet.", "band-calm", width)
    said = SAYS[pull.verdict].format(quiet=pull.quiet_seconds, flat=", no position" if pull.level.flattens else "")
    if not pull.venues:
        said = "No venue has been asked yet."
    return big(pull.verdict.value, said, VERDICTS[pull.verdict][2], width)


def about(moment: Moment, pull: PullState, width: int) -> list[Line]:
    """The pull itself, and the gate, which is not the proof."""
    hand = "by the guard" if pull.hand == "guard" else "directly, without the guard"
    what = f"{pull.level} {pull.level.says}"
    head = line(" ", (what, "title"), f"   {pull.scope}")
    who = line((f"{clock(pull.at)}Z  {age(moment.now - pull.at)} ago ", "dim"))
    reason: Line = (
        line((f" “{pull.reason}”", ""))
        if pull.reason
        else line((" no reason yet  ", "warn"), ("r", "key"), " writes it down")
    )
    gate = moment.state.gate_state
    gate_told = line(("gate ", "dim"), (str(gate or "UNKNOWN"), "bad" if gate is GateState.HALTED else "unknown"))
    latch = [line((f" ▲ the latch could not be written: {pull.latch_error}", "bad"))] if pull.latch_error else []
    return [
        spread(head, who, width),
        spread(
            line((f" {pull.actor}, {pull.origin}, {hand}   ", "dim"), gate_told), line((f"{pull.id} ", "dim")), width
        ),
        reason,
        *latch,
    ]


def venues(moment: Moment, pull: PullState, width: int) -> list[Line]:
    """Worst first, so that what needs a person is in sight."""
    rows = sorted(pull.venues.values(), key=lambda row: -row.verdict.rank)
    return [told for row in rows for told in (BLANK, *_venue(moment, pull, row, width))]


def _venue(moment: Moment, pull: PullState, row: VenuePull, width: int) -> list[Line]:
    glyph, looks, big = VERDICTS[row.verdict]
    if row.retired:
        retired = moment.state.venues[row.venue].retired if row.venue in moment.state.venues else ""
        return wrap(line(f" {row.venue:<10} ", (" RETIRED ", "band-unknown"), "  "), retired, "dim", width)
    since = line((f"{age(moment.now - row.since)} " if row.since else "", "dim"))
    head = line(f" {row.venue:<10} ", (f" {glyph} {row.verdict} ", big), "  ", (row.why, looks))
    lines = [spread(head, since, width), _told("sent", _sent(pull, row))]
    for label, left in (("orders", row.standing), ("positions", row.positions)):
        if left:
            lines += wrap(
                _lead(label),
                f"{len(left)} {'stands' if len(left) == 1 else 'stand'}: {', '.join(left)}",
                "warn",
                width,
                3,
            )
    gone_wrong = [item for item in row.failed if item not in row.standing]
    if gone_wrong and row.verdict is not Verdict.VERIFIED:
        lines += wrap(_lead("refused"), ", ".join(gone_wrong), "warn", width)
    if row.verdict in (Verdict.PARTIAL, Verdict.UNKNOWN):
        known = moment.state.venues.get(row.venue)
        phone = known.info.phone if known else ""
        lines.append(_told("phone", line((phone or "not in desk.yaml: ask the broker by the number you have", "bad"))))
    return [*lines, _told("quiet", _quiet(moment, pull, row)), _told("proof", _times(pull, row))]


def _lead(label: str) -> Line:
    return line((f" {label:>10}  ", "dim"))


def _told(label: str, told: Line) -> Line:
    return line(_lead(label), told)


def _sent(pull: PullState, row: VenuePull) -> Line:
    if not row.sent:
        return line(("nothing yet", "unknown"))
    closes = f", {count(len(row.closes), 'close')}" if row.closes else ""
    silent = f", {row.sent - row.answered} without an answer" if row.sent > row.answered else ""
    last = f" · {row.answer.replace('_', ' ')}" if row.answer else ""
    blocked = " · account suspended" if row.suspended else ""
    return line(f"{after(row.sent_at - pull.at)}  {count(row.sent, 'request')}{closes}{silent}{last}{blocked}")


def _quiet(moment: Moment, pull: PullState, row: VenuePull) -> Line:
    """The clock runs down while nothing new comes; it is not running before the venue has shown itself empty once."""
    if row.verdict is Verdict.VERIFIED:
        return line((f"{pull.quiet_seconds} s without a new order or fill", "good"))
    if not row.quiet_from:
        return line(("the clock has not begun", "dim"))
    gone = min(pull.quiet_seconds, max(0, (moment.now - row.quiet_from) // SECOND))
    filled = BAR * gone // pull.quiet_seconds if pull.quiet_seconds else BAR
    looks = "cut" if moment.down else "key"
    left = f" {pull.quiet_seconds - gone} s to go" if gone < pull.quiet_seconds else " waiting for the last read"
    return line(
        ("━" * filled, looks),
        ("─" * (BAR - filled), "off"),
        left,
        (f"   from {clock(row.quiet_from)} {row.quiet_why}", "dim"),
    )


def _times(pull: PullState, row: VenuePull) -> Line:
    reached = [("blocked", row.t_blocked), ("flat", row.t_flat), ("verified", row.t_verified)]
    parts: list[Line] = []
    for label, at in reached:
        if label == "flat" and not pull.level.flattens and not at:
            continue
        parts.append(line((f"{label} ", "dim"), (after(at - pull.at), "good") if at else (NONE, "dim"), "   "))
    return line(*parts)
