"""Every difference by class: the broker's side first, the book's, and what becomes of it."""

from collections.abc import Iterator, Sequence

from console.desk.adjust import Outcome, Plan, Row
from console.desk.events import Plain
from console.desk.moment import Moment
from console.desk.reconcile import Break
from console.desk.timeline import some
from console.desk.words import MINUS, age, amount, count, short
from console.screens.views.looks import mode_band
from widgets.line import BLANK, Line, fit, line, spread, text_of, width_of, wrap

HERE = " ▸ "
INDENT = 5
SUBJECT = 18
SIDE = 10


class Chosen(Plain, frozen=True):
    """The class under the cursor, and those that were confirmed."""

    at: int = 0
    confirmed: frozenset[str] = frozenset()

    def kind(self, plan: Plan) -> str:
        return plan.kinds[self.at] if self.at < len(plan.kinds) else ""

    def moved(self, by: int, plan: Plan) -> "Chosen":
        return Chosen((self.at + by) % max(1, len(plan.kinds)), self.confirmed)

    def turned(self, plan: Plan) -> "Chosen":
        return Chosen(self.at, self.confirmed ^ {self.kind(plan)})

    def bars(self, plan: Plan) -> str:
        """Why the class under the cursor can not be confirmed, if it can not."""
        kind = self.kind(plan)
        if not kind:
            return "there is nothing to confirm"
        return "" if plan.takes(kind) else plan.of(kind)[0].barred


def title(moment: Moment, width: int) -> list[Line]:
    state = moment.state
    hand = (
        line((f"✕ guard down: {moment.down} ", "cut"))
        if moment.down
        else line((f"guard {age(moment.guard_age or 0)} ", "dim"))
    )
    rule = "The broker’s side stands. Confirming a class makes the books equal to it."
    return [
        spread(line((f" ADJUST   {state.name or '?'}  ", "title"), mode_band(state.mode)), hand, width),
        line((f" {rule}", "dim")),
    ]


def rows(outcome: Outcome | None, chosen: Chosen, width: int) -> list[Line]:
    """Class by class; without a plan the reason for that."""
    if outcome is None:
        return [line((" … the guard reads books and venues anew", "dim"))]
    lines: list[Line] = []
    for why in outcome.plan.unknown:
        lines += wrap(line((" ○ ", "unknown")), f"{why}: nothing is adjusted there", "unknown", width, 3)
    if outcome.clean:
        lines.append(line((" ✓ ", "good"), outcome.said))
    if outcome.plan.rows:
        heads = (fit(line((name, "dim")), SIDE, "right") for name in ("broker", "book"))
        lines.append(line(" " * (INDENT + SUBJECT), *heads))
    for number, kind in enumerate(outcome.plan.kinds):
        lines += _class(outcome.plan, kind, number == chosen.at, kind in chosen.confirmed, width)
    return lines


def cursor_of(shown: Sequence[Line]) -> int:
    """On which of the lines of `rows` the cursor stands."""
    return next((number for number, each in enumerate(shown) if text_of(each).startswith(HERE)), 0)


def _class(plan: Plan, kind: str, here: bool, confirmed: bool, width: int) -> Iterator[Line]:
    able = plan.takes(kind)
    box, looks = ("☑", "good") if confirmed else ("☐", "title") if able else ("✗", "off")
    every = len(plan.of(kind))
    told = f"{kind.replace('_', ' ')}  {every if len(able) in (0, every) else f'{len(able)} of {every}'}"
    yield line((HERE if here else "   ", "key"), (f"{box} {told}", looks), (f"   {Break(kind).says}", "dim"))
    for row in plan.of(kind):
        yield from _row(row, width)


def _row(row: Row, width: int) -> Iterator[Line]:
    """Both sides, then what becomes of the book and why; on one line where there is room."""
    told = row.adjustment
    lead = line(
        " " * INDENT,
        fit(line((f"{row.venue} ", "dim"), (short(told.subject, 12), "title")), SUBJECT),
        fit(line(told.broker.replace("-", MINUS)), SIDE, "right"),
        fit(line(told.book.replace("-", MINUS)), SIDE, "right"),
        "   ",
    )
    becomes, because = _becomes(row), line((told.because, "dim"))
    if len(becomes) == 1 and width_of(lead) + width_of(line(becomes[0], "  ", because)) <= width:
        becomes = [line(becomes[0], "  ", because)]
    elif told.because:
        becomes.append(because)
    for number, each in enumerate(becomes or [BLANK]):
        yield line(" " * width_of(lead) if number else lead, each)
    if row.barred:
        yield from wrap(line(" " * INDENT, ("✗ ", "bad")), row.barred, "warn", width)


def _becomes(row: Row) -> list[Line]:
    told = row.adjustment
    changed = [
        line(f"{change.strategy} ", (f"{amount(change.held)} → {amount(change.leaves)}", "key"))
        for change in told.changes
    ]
    gone = [line(f"{_owner(owned)} ", ("takes it off the book", "key")) for owned in told.ended]
    aside = [line(f"{_owner(owned)} ", ("sets it aside", "key")) for owned in told.set_aside]
    return [*changed, *gone, *aside]


def _owner(owned: str) -> str:
    return owned.partition(" ")[0]


def after(moment: Moment, outcome: Outcome | None, chosen: Chosen, width: int) -> list[Line]:
    """What Enter would do now; or what was done."""
    if outcome is None:
        return []
    if outcome.clean:
        back = bool(moment.state.pulls or moment.state.nameless)
        return [line((" u ", "key"), ("the way back: this proof stands", "good"))] if back else []
    glyph = ("✓", "good") if outcome.adjusted else ("·", "dim")
    said = wrap(line(" ", glyph, " "), outcome.said, "", width, 3)
    if not outcome.plan.open:
        return [*said, line((" Enter ", "off"), ("nothing here can be confirmed: each difference says why", "off"))]
    if not chosen.confirmed:
        return [*said, line((" Enter ", "off"), ("once a class is confirmed: space confirms the one at ▸", "off"))]
    taken = [row for kind in chosen.confirmed for row in outcome.plan.takes(kind)]
    books = sorted({change.strategy for row in taken for change in row.adjustment.changes})
    whose = f" in {some(tuple(books))}" if books else ""
    return [*said, line((" Enter ", "key"), (f"adjusts {count(len(taken), 'difference')}{whose}", "good"))]


def foot(moment: Moment, outcome: Outcome | None, as_of: int, width: int) -> Line:
    keys = [("↑↓", "class"), ("space", "confirm"), ("r", "read again"), ("Esc", "leave")]
    left = line(*(line((f" {key}", "key"), f" {says} ") for key, says in keys))
    told = f"read {age(moment.now - as_of)} ago " if outcome is not None and as_of else "reading … "
    return spread(left, line((told, "dim")), width)
