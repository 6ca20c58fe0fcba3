"""The Runbooks: everything that is written down, and a run of it, step by step."""

from collections.abc import Iterable, Iterator

import msgspec

from console.desk.logbook import RunState
from console.desk.procedure import Mark, Run
from console.desk.words import clock, count
from console.runbooks.handbook import Handbook, headline
from console.screens.views.looks import MARKS, kind_word
from console.screens.views.page import beside, numbered
from console.screens.views.writer import Writer
from widgets.grid import Column, Row
from widgets.line import Line, line

COLUMNS = (Column("kind", 11), Column("title", 24, grow=1), Column("id", 20, drop=1))

LOADING: Line = line(("  … reading the runbooks", "dim"))


def title(book: Handbook | None) -> str:
    """How many there are; and that some could not be read."""
    if book is None:
        return " Runbooks "
    wrong = f" · {count(len(book.found), 'fault')}: andon check" if book.found else ""
    return f" Runbooks  {len(book.documents)}{wrong} "


def rows(book: Handbook, runs: Iterable[RunState]) -> list[Row]:
    """Runs on their way first, the latest on top, then every document, then the runs that are over. A document is found
    by all that it says."""
    latest = list(runs)[::-1]
    documents = [
        Row(
            ref,
            (
                line((kind_word(each.kind), "dim")),
                line(headline(each.spec)),
                line((each.id, "dim"), ("  own" if each.own else "", "warn")),
            ),
            words=" ".join(_texts(msgspec.to_builtins(each.spec))),
        )
        for ref, each in book.documents.items()
    ]
    going = [_run(each) for each in latest if not each.ended]
    over = [_run(each) for each in latest if each.ended]
    return [*going, *documents, *over]


def _texts(value: object) -> Iterator[str]:
    """Every text in a document, without the names of its fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _run(of: RunState) -> Row:
    done = f"{len(of.run.marks)}/{len(of.run.steps)}"
    looks = {"": ("▶ run", "key"), "finished": ("✓ run", "good"), "aborted": ("✗ run", "bad")}[of.ended]
    told = line((f"{of.ended or done}  ", looks[1]), (of.run.title, "" if of.ended else "title"))
    return Row(f"run:{of.id}", (line(looks), told, line((of.id, "dim"))))


def run_page(of: RunState, book: Handbook, page: Writer) -> None:
    """A run: what is done and by whom, what is next. Its steps are stops by number."""
    run = of.run
    page.text((), run.title, "title")
    page.text((), f"run {of.id} · version {run.version} · begun {clock(of.at)}Z by {of.actor}", "dim")
    page.text((), *_standing(of))
    for section, steps in numbered(run.sections):
        page.heading(section.title, section.clock)
        for number, step in steps:
            mark = run.marks.get(number)
            glyph, tone, _ = MARKS[mark.how if mark else ""]
            here = number == run.here and not run.ended
            with page.stop(str(number)):
                lead = line(("▶" if here else " ", "key"), (f"{glyph} ", tone), (f"{number + 1:>2}  ", "dim"))
                page.text(lead, step.do, "title" if here else "off" if mark and mark.how == "skipped" else "")
                if mark:
                    _told(mark, page)
            beside(step, book, page)


def _standing(of: RunState) -> tuple[str, str]:
    run = of.run
    done = f"{len(run.marks)} of {len(run.steps)} steps"
    ended = f"{clock(of.ended_at)}Z by {of.ended_by}, {done} have a mark"
    if run.ended == "aborted":
        return f"✗ ABORTED {ended}: {run.reason}", "bad"
    if run.ended:
        return f"✓ FINISHED {ended}", "good"
    return f"{done} have a mark{_next(run)}", "key"


def _next(run: Run) -> str:
    return "; f finishes the run" if run.here is None else f"; next is {run.here + 1}"


def _told(mark: Mark, page: Writer) -> None:
    """What became of a step, when and by whom, and what was written beside it."""
    _, tone, word = MARKS[mark.how]
    note = f": {mark.note}" if mark.note else ""
    page.text(line("       "), f"{word} {clock(mark.at)}Z {mark.actor}{note}", tone if mark.how != "done" else "dim")
