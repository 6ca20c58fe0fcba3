"""The cadence: every gate, when it was last attested and by whom, and when it is due."""

from collections.abc import Mapping, Sequence
from datetime import date

from console.desk.attested import DeskCalendar
from console.desk.cadence import Attestation, Cadence, Gate, Standing, State
from console.desk.words import NONE
from console.runbooks.handbook import Handbook
from console.screens.views.looks import STANDINGS
from console.screens.views.writer import Writer
from widgets.grid import Column, Row
from widgets.line import Line, line, wrap

COLUMNS = (
    Column("", 11),
    Column("gate", 3),
    Column("", 40, grow=1),
    Column("last", 22, drop=1),
    Column("due", 10, align="right"),
)


def title(standings: Mapping[str, Standing], today: date, calendar: DeskCalendar) -> str:
    """`Cadence  20 · 2 late or failed · 5 due today · by the days of xnys`."""
    late = sum(at.late for at in standings.values())
    now = sum(at.state is State.DUE and at.due == today for at in standings.values())
    told = [f"Cadence  {len(standings)}"]
    told += [f"{late} late or failed"] if late else []
    told += [f"{now} due today"] if now else []
    return f" {' · '.join([*told, f'by the days of {calendar.name}'])} "


def calendar_lines(calendar: DeskCalendar | None, today: date, width: int) -> list[Line]:
    """A word where the days can not be trusted."""
    if calendar is None:
        return wrap(line((" ○ ", "unknown")), "no calendar can be read: no gate’s day is known", "unknown", width)
    if not calendar.knows(today):
        told = f"the calendar {calendar.fallback.id} has no holidays of {today.year}: weekends alone are left out"
        return wrap(line((" ○ ", "unknown")), told, "unknown", width)
    return []


def rows(
    cadences: Sequence[Cadence], gates: Sequence[Gate], standings: Mapping[str, Standing], today: date
) -> list[Row]:
    """The gates under their cadences."""
    told = []
    for cadence in cadences:
        inside = [gate for gate in gates if gate.cadence == cadence.id]
        green = sum(standings[gate.id].green for gate in inside)
        tone = "good" if green == len(inside) else "dim"
        lead = line((cadence.id, "title"), (f"  {green} of {len(inside)} green", tone), (f"  {cadence.when}", "dim"))
        told.append(Row(cadence.id, (lead,)))
        told += [_gate(gate, standings[gate.id], today) for gate in inside]
    return told


def _gate(gate: Gate, at: Standing, today: date) -> Row:
    glyph, looks = STANDINGS[at.state.value]
    late = at.late
    return Row(
        gate.id,
        (
            line((f" {glyph} {at.state.value.upper() if late else at.state.value}", looks)),
            line((gate.id.rpartition(" ")[2], looks if late else "title")),
            line((gate.title, looks if late else "")),
            line((_last(at.last), "dim")),
            line((_due(at.due, today), looks if late else "dim")),
        ),
        words=f"{gate.id} {gate.check}",
    )


def _last(last: Attestation | None) -> str:
    return f"{last.result} {last.day:%m-%d} {last.actor}" if last is not None else "never"


def _due(due: date | None, today: date) -> str:
    if due is None:
        return NONE
    days = (due - today).days
    if days == 0:
        return "today"
    return f"in {days} d" if days > 0 else f"{-days} d late"


def about(gate: Gate, at: Standing, book: Handbook, page: Writer) -> None:
    """What has to be true, how it stands, and what was said of it last."""
    blocks = line(("  BLOCKS: no more size before it is green", "warn")) if gate.blocks else line()
    page.text((), gate.title, "title")
    page.text((), gate.check)
    facts = [
        f"due {at.due}" if at.due else "never due again",
        gate.due.replace("-", " the ") if gate.due else "",
        f"holds for {gate.valid}" if gate.valid else "",
    ]
    page.add(line((" · ".join(fact for fact in facts if fact), "dim"), blocks))
    last = at.last
    if last is not None:
        evidence = f" · evidence {last.evidence}" if last.evidence else ""
        page.text(line(("last  ", "dim")), f"{last.result} {last.day} by {last.actor}: {last.note}{evidence}")
    page.links(gate.see, book)


def attested(gate: Gate, result: str, note: str, evidence: str, width: int) -> list[Line]:
    """What is about to be put on record."""
    looks = {"passed": "band-good", "failed": "band-bad", "waived": "band-warn", "": "off"}
    chosen = [
        line((f" {key} ", "key"), (f" {word.upper()} ", looks[word]) if word == result else (f" {word} ", ""), "   ")
        for key, word in (("p", "passed"), ("f", "failed"), ("w", "waived"))
    ]
    why = "note" if result == "passed" else "reason"
    return [
        *wrap(line(), gate.check, "", width, 8),
        line(),
        line(("   found  ", "dim"), *chosen),
        *wrap(line((" t ", "key"), (f"{why:<7}", "dim")), note or NONE, "" if note else "dim", width),
        *wrap(line((" e ", "key"), ("proof  ", "dim")), evidence or NONE, "" if evidence else "dim", width),
    ]


def lacking(result: str, note: str, evidence: str) -> str:
    """What is missing before it can be kept; nothing where it can."""
    if not result:
        return "say what you found: p, f or w"
    if result == "passed":
        return "" if note or evidence else "a note (t), or where the evidence lies (e)"
    return "" if note else f"a gate that {'failed' if result == 'failed' else 'is waived'} needs a reason (t)"


def attest_foot(result: str, note: str, evidence: str, width: int) -> Line:
    missing = lacking(result, note, evidence)
    if missing:
        return line(
            (" Enter ", "off"), (f"once there is {missing}" if result else missing, "off"), ("   Esc ", "key"), "leave"
        )
    return line((" Enter ", "key"), (f"puts it on record: {result}", "good"), ("   Esc ", "key"), "leave")
