"""The list of archived incidents, and the page of one."""

import os
from collections.abc import Iterable, Mapping, Sequence

from console.desk.archive import Case, Item, Standing, Summary
from console.desk.sought import EXAMPLE, Sought
from console.desk.timeline import TimelineEntry
from console.desk.words import NONE, age, clock, count, size, stamp
from console.screens.check import Check
from console.screens.views.looks import TONE_GLYPHS, tone
from console.screens.views.writer import Writer
from widgets.grid import Column, Row, lay, widths
from widgets.line import Line, cut, line

COLUMNS = (
    Column("incident", 14),
    Column("", 2),
    Column("class", 15, grow=1),
    Column("title", 12, grow=3, drop=2),
    Column("opened (UTC)", 16),
    Column("lasted", 6, align="right", drop=4),
    Column("seals", 5, align="right", drop=3),
    Column("size", 8, align="right", drop=5),
    Column("proof", 12),
)

ITEM_COLUMNS = (
    Column("item", 16, grow=1),
    Column("rows", 11, align="right"),
    Column("size", 8, align="right"),
    Column("seals", 5, align="right"),
    Column("captured", 9),
    Column("from", 14, grow=2, drop=2),
    Column("proof", 11),
)

PROOFS = {
    "unchecked": ("○", "unknown"),
    "checking": ("…", "key"),
    "verified": ("✓", "good"),
    "consistent": ("△", "warn"),
    "broken": ("✗", "bad"),
}
"""Glyph and tone of what a verification found."""

SEVERITIES = {"P0": "bad", "P1": "warn"}


def proof(word: str) -> Line:
    glyph, looks = PROOFS.get(word, PROOFS["unchecked"])
    return line((f"{glyph} {word}", looks))


def place(path: str) -> str:
    """A path as a person writes it: `~` for one's own folder."""
    home = os.path.expanduser("~")
    return f"~{path[len(home) :]}" if path.startswith(f"{home}/") else path


def lasted(summary: Summary) -> str:
    """From opening to closing: `27 m`. An incident that was open at its last seal says so."""
    if not summary.closed_at:
        return "open"
    return age(summary.closed_at - summary.opened_at)


# --- the list -------------------------------------------------------------------------------------------------------


def title(found: int, all_of_them: int) -> str:
    """How many there are, and how many of them are shown."""
    return f" Archive  {found} of {all_of_them} " if found != all_of_them else f" Archive  {all_of_them} "


def checking(check: Check, width: int) -> Line:
    """How far a verification is, once it takes longer than one would wait without a word."""
    told = f" verifying {check.what}"
    if not check.slow or not check.of:
        return cut(line((f"{told} …", "key")), width)
    done = f"  {check.done * 100 // check.of:>3} %  {size(check.done)} of {size(check.of)}  "
    room = max(0, min(30, width - len(told) - len(done) - 12))
    filled = room * check.done // check.of
    bar = line(("━" * filled, "key"), ("─" * (room - filled), "dim"))
    return cut(line((told, "key"), done, bar, ("  Esc", "key"), " stops"), width)


def key(summary: Summary) -> str:
    """What tells one incident from every other one, in whatever archives there are."""
    return f"{summary.archive}/{summary.id}"


def rows(summaries: Iterable[Summary], standings: Mapping[str, Standing]) -> list[Row]:
    return [_row(each, standings.get(key(each))) for each in summaries]


def _row(of: Summary, standing: Standing | None) -> Row:
    if of.trouble:
        trouble = line((of.trouble, "bad"))
        return Row(key(of), (line(of.id), (), line(("unreadable", "bad")), trouble, (), (), (), (), proof("broken")))
    return Row(
        key(of),
        (
            line(of.id),
            line((of.severity, SEVERITIES.get(of.severity, ""))),
            line((of.cls or NONE, "" if of.cls else "dim")),
            line(of.title),
            line((stamp(of.opened_at)[:16], "dim")),
            line((lasted(of), "warn" if not of.closed_at else "dim")),
            line((f"{of.seals}", "dim")),
            line((size(of.bytes), "dim")),
            proof(standing.word if standing else "unchecked"),
        ),
    )


def filter_line(typed: Sought, reading: bool, width: int) -> Line:
    """What the filter understood; without one, what can be typed."""
    if reading and typed.deep:
        return cut(line((" … looking through the evidence for ", "key"), typed.says), width)
    if typed.wrong:
        return cut(line((f" △ {typed.wrong}", "warn")), width)
    if typed.says:
        return cut(line((" shown: ", "dim"), typed.says), width)
    return cut(line((" / finds  ", "key"), (EXAMPLE, "dim")), width)


def nothing(paths: Sequence[str], reading: bool, failed: str) -> list[Line]:
    """In place of the list, where there is none."""
    if failed:
        return [line((f" ✗ {failed}", "bad"))]
    if reading:
        return [line((" … reading the archive", "dim"))]
    return [
        line((" No incident was sealed here yet.", "title")),
        line((f" {', '.join(map(place, paths))}", "dim")),
        line(" Evidence is sealed when an incident opens: by a pull, or by ", ("i", "key"), " on the desk."),
    ]


# --- one incident ---------------------------------------------------------------------------------------------------


def case_page(
    case: Case, items: Sequence[Item], standing: Standing, timeline: Sequence[TimelineEntry] | None, page: Writer
) -> None:
    """Everything about it: how far it is proven, facts, what is missing, what there is, and what happened."""
    _standing(standing, page)
    _facts(case.summary, page)
    page.heading("Missing", "" if case.missing else "nothing was said to be missing")
    for each in case.missing:
        page.text(line(("  △ ", "warn")), each)
    page.heading("Evidence", "Enter opens")
    _items(items, page)
    page.heading("Timeline", "" if timeline is not None else "… reading")
    _timeline(case.summary, timeline or (), page)


def _standing(standing: Standing, page: Writer) -> None:
    glyph, looks = PROOFS.get(standing.word, PROOFS["unchecked"])
    page.text(line((f"{glyph} {standing.word.upper()}  ", looks)), standing.says.removeprefix(f"{standing.word}, "))
    for finding in standing.findings:
        page.text(line(("  ✗ ", "bad")), finding, "bad")


def _facts(of: Summary, page: Writer) -> None:
    page.blank()
    page.text(line((f"{of.severity} ", SEVERITIES.get(of.severity, ""))), of.title or of.cls or "no title", "title")
    page.fact("class", of.cls or "nobody said yet")
    page.fact("desk", f"{of.desk} · {of.mode.upper()}")
    ended = f"closed {stamp(of.closed_at)}, after {lasted(of)}" if of.closed_at else "open at the last seal"
    page.fact("opened", f"{stamp(of.opened_at)} · {ended}")
    page.fact(
        "sealed", f"{count(of.seals, 'time')}, last {stamp(of.sealed_at)} · {count(of.rows, 'row')} · {size(of.bytes)}"
    )
    if of.symbols:
        page.fact("symbols", ", ".join(of.symbols))
    page.fact("lies in", place(of.archive), "dim")


ITEM = "item:"
FILE = "file:"


def _items(items: Sequence[Item], page: Writer) -> None:
    """A line an item: a table over all its seals, a file that is no table by itself."""
    across = widths(ITEM_COLUMNS, page.width - 3)
    page.add(line("   ", lay([((column.title, "dim"),) for column in ITEM_COLUMNS], ITEM_COLUMNS, across)))
    tables: dict[str, list[Item]] = {}
    for item in items:
        name = f"{ITEM}{item.item}" if item.rows is not None else f"{FILE}{item.file}"
        tables.setdefault(name, []).append(item)
    for name, parts in tables.items():
        with page.stop(name):
            page.add(line("   ", lay(_item(name, parts), ITEM_COLUMNS, across)))
        for part in parts:
            if part.standing not in ("unchecked", "ok"):
                page.text(line(("     ✗ ", "bad")), f"{part.file}: {part.standing}", "bad")


def _item(name: str, parts: Sequence[Item]) -> list[Line]:
    rows = [part.rows for part in parts if part.rows is not None]
    words = {part.standing for part in parts}
    standing = "unchecked" if "unchecked" in words else "verified" if words == {"ok"} else "broken"
    return [
        line((name.partition(":")[2], "key")),
        line(f"{sum(rows):,}" if rows else ("text", "dim")),
        line((size(sum(part.bytes for part in parts)), "dim")),
        line((f"{len({part.seal for part in parts})}", "dim")),
        line((f"{clock(max(part.captured_at for part in parts))}Z", "dim")),
        line((parts[-1].source, "dim")),
        proof(standing),
    ]


def _timeline(of: Summary, entries: Sequence[TimelineEntry], page: Writer) -> None:
    """With the day where it changes, and the moment of opening marked."""
    day, opened = "", False
    for entry in entries:
        if not opened and entry.ts >= of.opened_at:
            opened = True
            page.add(line((f"  ── {of.id} opens {stamp(of.opened_at)} ", "dim"), ("─" * 12, "dim")))
        if (today := stamp(entry.ts)[:10]) != day:
            day = today
            page.add(line((f"  {day}", "dim")))
        lead = line((f"  {clock(entry.ts)} ", "dim"), (f"{TONE_GLYPHS.get(entry.tone, '·')} ", tone(entry.tone)))
        page.text(lead, entry.text, tone(entry.tone))
