"""The verdict: what was asked, what each venue has proven, what still stands, and whom to call about it. Never more.

The same page goes to a screen (lines with tones) and to a terminal without one (`text`); nothing here knows Textual.
"""

from collections.abc import Iterator, Sequence

from console.desk.call import Person, Standing, brokers_desk, ladder, person_line, what_to_say
from console.desk.moment import Moment
from console.desk.pull import GateState, Scope, Verdict, spared_text
from console.desk.state import Exchange, PullState, VenuePull
from console.desk.words import NONE, SECOND, after, age, amount, clock, count, short
from console.screens.views.looks import VERDICTS
from widgets.line import BLANK, Line, big, cut, line, spread, text_of, width_of, wrap

SAYS = {
    Verdict.REQUESTED: "Asked to stop. Nothing is proven yet.",
    Verdict.PARTIAL: "Not everything has stopped. What stands is listed below.",
    Verdict.UNKNOWN: "A venue does not answer. Take its orders for live.",
    Verdict.VERIFIED: "Proven: {orders}, and nothing new for {quiet} s{flat}.",
}
GATE_ONLY = "Proven: every strategy obeys, and nothing new was entered for {quiet} s."
UNPROVEN = (Verdict.PARTIAL, Verdict.UNKNOWN)
BAR = 20
FRESH_RESTART = 5 * SECOND
MOST_CALLS = 3
MOST_LINES = 3
MOST_EXCHANGES = 12
LONG_ID = 16


def said(pull: PullState) -> str:
    """The verdict in a sentence."""
    if not pull.venues:
        return "No venue has been asked yet."
    proven = pull.verdict is Verdict.VERIFIED and not pull.level.cancels
    sentence = GATE_ONLY if proven else SAYS[pull.verdict]
    kept = sum(len(row.kept) for row in pull.proving)
    orders = "no strategy’s order open" if pull.own_only else "no open order"
    return sentence.format(
        orders=f"{orders} but {kept} kept" if kept else orders,
        quiet=pull.quiet_seconds,
        flat=", no position" if pull.level.flattens else "",
    )


def headline(pull: PullState | None, width: int) -> list[Line]:
    """The worst venue's verdict, said big."""
    if pull is None:
        return big("SENT", "No hand has reported yet.", "band-calm", width)
    return big(pull.verdict.value, said(pull), VERDICTS[pull.verdict][2], width)


def about(moment: Moment, pull: PullState, width: int, *, keys: bool = True) -> list[Line]:
    """The pull itself, and the gate, which is not the proof. `keys` are told where there are any to press."""
    hand = "by the guard" if pull.hand == "guard" else "directly, without the guard"
    what = f"{pull.level} {pull.level.says}"
    head = line(" ", (what, "title"), f"   {pull.scope}")
    who = line((f"{clock(pull.at)}Z  {age(moment.now - pull.at)} ago ", "dim"))
    reason: Line = (
        line((f" “{pull.reason}”", ""))
        if pull.reason
        else line((" no reason yet  ", "warn"), *((("r", "key"), " writes it down") if keys else ()))
    )
    hint = line(("↑ ↓", "key"), (" scroll  ", "dim"), ("c", "key"), (" copies what to say ", "dim"))
    gate = moment.state.gate_state
    gate_told = line(("gate ", "dim"), (str(gate or "UNKNOWN"), "bad" if gate is GateState.HALTED else "unknown"))
    latch = [line((f" ▲ the latch could not be written: {pull.latch_error}", "bad"))] if pull.latch_error else []
    return [
        spread(head, who, width),
        spread(
            line((f" {pull.actor}, {pull.origin}, {hand}   ", "dim"), gate_told), line((f"{pull.id} ", "dim")), width
        ),
        spread(reason, hint, width) if keys and unproven(pull) else cut(reason, width),
        *latch,
        *_spares(pull),
        *_others(moment, pull, keys=keys),
    ]


def _spares(pull: PullState) -> list[Line]:
    """What this pull leaves standing on purpose, where it was told to leave anything."""
    told = spared_text(keep_protective=pull.keep_protective, own_only=pull.own_only)
    return [line((f" this pull {told}", "warn"))] if told and pull.level.cancels else []


def _others(moment: Moment, pull: PullState, *, keys: bool) -> list[Line]:
    """How many other pulls stand, and whether one of them is worse than this."""
    others = [other for other in moment.state.pulls.values() if other.id != pull.id]
    if not others:
        return []
    worst = max((other.verdict for other in others), key=lambda verdict: verdict.rank)
    worse = worst.rank > pull.verdict.rank
    at = list(moment.state.pulls).index(pull.id) + 1
    told = f"{count(len(others), 'other stands', 'others stand')}, the worst {worst}"
    return [
        line(
            (f" pull {at} of {len(others) + 1}  ", "dim"),
            ("← →  " if keys else "", "key"),
            (told, VERDICTS[worst][1] if worse else "dim"),
        )
    ]


# --- whom to call, and what to say ------------------------------------------------------------------------------------


def unproven(pull: PullState) -> list[VenuePull]:
    """The venues that a person has to ask, the worst first."""
    return [row for row in _worst_first(pull) if row.verdict in UNPROVEN]


def calls(moment: Moment, pull: PullState, width: int) -> list[Line]:
    """The number to dial for each venue that has not proven it: in sight whatever else is."""
    asked = unproven(pull)
    lines = [_call(moment, row, width) for row in asked[:MOST_CALLS]]
    if len(asked) > MOST_CALLS:
        names = ", ".join(row.venue for row in asked[MOST_CALLS:])
        lines.append(cut(line((f" and {names}: scroll down", "bad")), width))
    return lines


def _call(moment: Moment, row: VenuePull, width: int) -> Line:
    people = _broker(moment, row.venue)
    account = _account(moment, row.venue)
    told = person_line(people[0]) if people else "no number in contacts.yaml or desk.yaml: use the one you have"
    left = line((f" CALL {row.venue} ", "band-bad"), " ", (told, "bad"))
    return spread(left, line((f" account {account or '?'} ", "title")), width)


def words(moment: Moment, pull: PullState, row: VenuePull) -> list[str]:
    """What to say to one venue's desk, line by line."""
    standing = Standing(
        desk=moment.state.name,
        account=_account(moment, row.venue),
        verdict=row.verdict,
        orders=_orders(moment, pull, row),
        positions=row.positions,
        as_seen=_as_seen(moment, row),
        kept=row.kept,
        keep_protective=pull.keep_protective,
        own_only=pull.own_only,
    )
    return what_to_say(pull.level, Scope.parse(pull.scope), standing)


def script(moment: Moment, pull: PullState) -> list[str]:
    """Everything to say, venue by venue, with the number to dial: what is copied. Empty where there is nothing."""
    lines: list[str] = []
    for row in unproven(pull):
        lines += ["", *(person_line(person) for person in _broker(moment, row.venue)), *words(moment, pull, row)]
    return lines[1:]


def people(moment: Moment, pull: PullState) -> list[Line]:
    """Our own people, by the rung of the escalation, where a verdict needs them."""
    rungs = ladder(moment.state.contacts)
    if not unproven(pull) or not rungs:
        return []
    lines = [BLANK, line((" Our own people, first to last", "title"))]
    return [*lines, *(line((f" {f'level {person.level}':>10}  ", "dim"), person_line(person)) for person in rungs)]


def _broker(moment: Moment, venue: str) -> list[Person]:
    known = moment.state.venues.get(venue)
    return brokers_desk(moment.state.contacts, venue, known.info.phone if known else "")


def _account(moment: Moment, venue: str) -> str:
    known = moment.state.venues.get(venue)
    return known.info.account if known else ""


def _orders(moment: Moment, pull: PullState, row: VenuePull) -> list[tuple[str, str]]:
    """What stands by id, with what is known of each. Of a venue that never showed what stands: what was last seen open
    there."""
    known = moment.state.venues.get(row.venue)
    kept = pull.evidence.orders.get(row.venue, ()) if pull.evidence is not None else ()
    seen = {order.id: order for order in (*kept, *(known.orders if known else ()))}
    ids: Sequence[str] = row.standing
    if not ids and row.verdict is Verdict.UNKNOWN and not row.t_blocked:
        scope = Scope.parse(pull.scope)
        last = known.orders if known else ()
        ids = [o.id for o in last if scope.takes_order(symbol=o.symbol, client_order_id=o.client_order_id)]
    return [
        (name, f"{seen[name].side} {amount(seen[name].qty)} {seen[name].symbol}" if name in seen else "")
        for name in ids
    ]


def _as_seen(moment: Moment, row: VenuePull) -> str:
    known = moment.state.venues.get(row.venue)
    if row.verdict is not Verdict.UNKNOWN or known is None:
        return ""
    at = row.since if row.standing else known.orders_as_of
    return f"Open when we last looked, {clock(at)} UTC" if at else ""


# --- venue by venue ---------------------------------------------------------------------------------------------------


def _worst_first(pull: PullState) -> list[VenuePull]:
    return sorted(pull.venues.values(), key=lambda row: -row.verdict.rank)


def venues(moment: Moment, pull: PullState, width: int) -> list[Line]:
    """Worst first, so that what needs a person is in sight."""
    return [told for row in _worst_first(pull) for told in (BLANK, *_venue(moment, pull, row, width))]


def _venue(moment: Moment, pull: PullState, row: VenuePull, width: int) -> list[Line]:
    glyph, looks, big_looks = VERDICTS[row.verdict]
    if row.retired:
        retired = moment.state.venues[row.venue].retired if row.venue in moment.state.venues else ""
        return wrap(line(f" {row.venue:<10} ", (" RETIRED ", "band-unknown"), "  "), retired, "dim", width)
    since = line((f"{age(moment.now - row.since)} " if row.since else "", "dim"))
    head = line(f" {row.venue:<10} ", (f" {glyph} {row.verdict} ", big_looks), "  ")
    fits = width_of(head) + len(row.why) + width_of(since) <= width
    lines = [spread(line(head, (row.why, looks) if fits else ("", "")), since, width)]
    if not fits:
        lines += wrap(_lead("why"), row.why, looks, width, MOST_LINES)
    lines += _stands(moment, pull, row, width)
    if row.verdict in UNPROVEN:
        lines += _say(moment, pull, row, width)
    return [*lines, *_asked(pull, row, width), *_quiet(moment, pull, row, width), _times(pull, row)]


def _stands(moment: Moment, pull: PullState, row: VenuePull, width: int) -> list[Line]:
    lines: list[Line] = []
    if row.standing:
        told = ", ".join(f"{name} {what}".rstrip() for name, what in _orders(moment, pull, row))
        lines += wrap(_lead("stands"), f"{count(len(row.standing), 'order')}: {told}", "warn", width, MOST_LINES)
    if row.positions:
        held = f"{count(len(row.positions), 'position')}: {', '.join(row.positions)}"
        lines += wrap(_lead("" if row.standing else "stands"), held, "warn", width, MOST_LINES)
    if row.kept:
        told = "; ".join(row.kept)
        lines += wrap(
            _lead("kept"), f"{count(len(row.kept), 'order')} that can only reduce: {told}", "", width, MOST_LINES
        )
    if row.suspended:
        lines.append(line(_lead("account"), ("suspended: the venue takes no order from it", "")))
    return lines


def _say(moment: Moment, pull: PullState, row: VenuePull, width: int) -> list[Line]:
    """To be read aloud. The numbers that the first line of the page has no room for come before it."""
    dial = [line(_lead("or call"), person_line(person)) for person in _broker(moment, row.venue)[1:]]
    spoken = words(moment, pull, row)
    lines: list[Line] = []
    for number, told in enumerate(spoken):
        indent = "  " if told.startswith(" ") else ""
        lead = line(_lead("say" if number == 0 else ""), ("│ ", "key"), indent)
        lines += wrap(lead, told.strip(), "title", width, MOST_LINES)
    return [*dial, *lines]


def _lead(label: str) -> Line:
    return line((f" {label:>10}  ", "dim"))


def _asked(pull: PullState, row: VenuePull, width: int) -> list[Line]:
    """What was asked of the venue, when, how often, and what it answered."""
    if not row.exchanges:
        return [line(_lead("sent"), ("nothing yet", "unknown"))]
    lead = max(0, len(row.exchanges) - MOST_EXCHANGES)
    lines = [
        cut(line(_lead("sent" if number == 0 else ""), _exchange(pull, each)), width)
        for number, each in enumerate(row.exchanges[lead:])
    ]
    return [*lines, line(_lead(""), (f"and {lead} before these", "dim"))] if lead else lines


def _exchange(pull: PullState, row: Exchange) -> Line:
    target = short(row.target, 9) if len(row.target) > LONG_ID else row.target  # it stands in full above
    what = " ".join(part for part in (row.what.replace("_", " "), target, row.qty) if part)
    times = f" ×{row.attempts}" if row.attempts > 1 else ""
    asked = line((f"{after(row.at - pull.at):>8}  ", "dim"), f"{what}{times}  ")
    return line(asked, *_answer(row))


def _answer(row: Exchange) -> Iterator[Line]:
    if not row.outcome:
        yield line(("no answer yet", "unknown"))
        return
    looks = {"acked": "", "refused": "warn"}.get(row.outcome, "bad")
    status = f" {row.status}" if row.status else ""
    yield line((f"→ {row.outcome}{status}", looks))
    if row.items:
        yield line(f", {count(row.items, 'item')}")
    if row.failed:
        yield line((f", {row.failed} refused", "warn"))
    yield line((f" in {row.took_ms} ms", "dim"))
    if row.detail:
        yield line((f"  {row.detail}", looks))


def _quiet(moment: Moment, pull: PullState, row: VenuePull, width: int) -> list[Line]:
    """The clock runs down while nothing new comes; a restart is said for as long as the clock runs, and loudly at
    first. It does not run while anything stands."""
    lead = _lead("quiet")
    if row.verdict is Verdict.VERIFIED:
        again = f", begun again {count(row.quiet_restarts, 'time')}" if row.quiet_restarts else ""
        return [line(lead, (f"{pull.quiet_seconds} s without a new order or fill{again}", "good"))]
    if row.standing or row.positions:
        return [line(lead, ("waits until nothing stands", "dim"))]
    if not row.quiet_from:
        return [line(lead, ("the clock has not begun", "dim"))]
    gone = min(pull.quiet_seconds, max(0, (moment.now - row.quiet_from) // SECOND))
    filled = BAR * gone // pull.quiet_seconds if pull.quiet_seconds else BAR
    fresh = bool(row.quiet_restarts) and moment.now - row.quiet_from < FRESH_RESTART
    looks = "cut" if moment.down else "warn" if fresh else "key"
    left = f" {pull.quiet_seconds - gone} s to go" if gone < pull.quiet_seconds else " waiting for the last read"
    bar = line(lead, ("━" * filled, looks), ("─" * (BAR - filled), "off"), (left, looks if fresh else ""))
    since = f"from {clock(row.quiet_from)}Z: {row.quiet_why}"
    if row.quiet_restarts:
        times = "" if row.quiet_restarts == 1 else f" ×{row.quiet_restarts}"
        return [bar, *wrap(_lead(""), f"▲ began again{times}, {since}", "warn" if fresh else "dim", width)]
    return [cut(line(bar, (f"   {since}", "dim")), width)]


def _times(pull: PullState, row: VenuePull) -> Line:
    reached = [("blocked", row.t_blocked), ("flat", row.t_flat), ("verified", row.t_verified)]
    parts: list[Line] = [_lead("proof")]
    for label, at in reached:
        if label == "flat" and not pull.level.flattens and not at:
            continue
        parts.append(line((f"{label} ", "dim"), (after(at - pull.at), "good") if at else (NONE, "dim"), "   "))
    return line(*parts)


# --- the page as text -------------------------------------------------------------------------------------------------


def text(moment: Moment, pull: PullState, width: int) -> list[str]:
    """The whole page for a terminal without a screen."""
    first = line(f"{pull.verdict}  {said(pull)}")
    body = [
        *about(moment, pull, width, keys=False),
        *calls(moment, pull, width),
        *venues(moment, pull, width),
        *people(moment, pull),
    ]
    return [text_of(told).rstrip() for told in (first, *body)]
