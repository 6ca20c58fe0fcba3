"""One document of the runbooks as a page to read, whatever its kind."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from console.desk.procedure import Checklist, Playbook, Procedure, RollbackPlan, Runnable, Section
from console.desk.runbook import Spec, Step
from console.desk.tree import Leaf, Question, Tree
from console.runbooks.handbook import Handbook, headline, refers
from console.runbooks.library import Document
from console.runbooks.page import does, facts
from console.screens.views.looks import LEAVES, kind_word
from console.screens.views.writer import Writer
from widgets.line import Line, line

_HEAD = ("id", "title", "see")
"""Fields with a place of their own on every page."""


def document(of: Document[Spec], book: Handbook, page: Writer) -> None:
    """The whole page: title, what kind of thing it is, everything it says, and what it refers to."""
    own = "  of this desk" + (", in place of ours" if of.replaced else "") if of.own else ""
    page.text((), headline(of.spec), "title")
    page.add(line((f"{kind_word(of.kind)} · {of.id} · version {of.version}", "dim"), (own, "warn")))
    page.blank()
    match of.spec:
        case Procedure() | Checklist() | Playbook() | RollbackPlan():
            runnable(of.spec, book, page)
        case Tree():
            tree(of.spec, book, page)
        case _:
            everything(of.spec, book, page)
            see(getattr(of.spec, "see", ()), book, page)


def runnable(spec: Runnable, book: Handbook, page: Writer) -> None:
    for label, texts in facts(spec):
        page.facts(label, texts)
    for section, steps in numbered(spec.sections):
        page.heading(section.title, section.clock)
        for number, step in steps:
            step_lines(number, step, book, page)
    if isinstance(spec, Playbook) and spec.escalate_when:
        page.heading("Escalate when")
        page.items(spec.escalate_when)
    see(spec.refs, book, page)


def numbered(sections: tuple[Section, ...]) -> Iterator[tuple[Section, list[tuple[int, Step]]]]:
    """Each section with its steps, counted through from 0 on."""
    number = 0
    for section in sections:
        yield section, list(enumerate(section.steps, number))
        number += len(section.steps)


def step_lines(number: int, step: Step, book: Handbook, page: Writer) -> None:
    page.text(line((f" {number + 1:>2}  ", "dim")), step.do)
    beside(step, book, page)


def beside(step: Step, book: Handbook, page: Writer) -> None:
    """What is to be typed for a step, and where it is written how."""
    for command in (step.command or "").splitlines():
        page.text(line(("     $ ", "dim")), command, "good")
    page.links(step.see, book, "     → ")


def see(refs: tuple[str, ...], book: Handbook, page: Writer) -> None:
    if refs:
        page.heading("See also")
        page.links(refs, book)


def tree(spec: Tree, book: Handbook, page: Writer) -> None:
    page.fact("Symptom", spec.symptom)
    for name, question in spec.questions.items():
        page.blank()
        _question(name, question, spec, page)
    for name, leaf in spec.leaves.items():
        page.blank()
        page.text(line(chip(leaf), "  "), leaf.says, "title")
        page.add(line((f"  {name}", "dim")))
        leaf_lines(leaf, book, page)
    see(spec.see, book, page)


def _question(name: str, question: Question, of: Tree, page: Writer) -> None:
    page.text(line((f"{name.upper():<4}", "dim")), question.ask, "title")
    page.text(line("    "), question.why, "dim")
    for answer, target in (("yes", question.yes), ("no", question.no)):
        leaf = of.leaves.get(target)
        lead = line("    ", (f"{answer.upper():<3}", "key"), (" → ", "dim"))
        page.text(line(lead, chip(leaf), " ") if leaf else lead, leaf.says if leaf else target.upper())


def chip(leaf: Leaf) -> Line:
    """What sort of leaf it is, never to be overlooked."""
    return line((f" {leaf.kind.upper()} ", LEAVES[leaf.kind]))


def leaf_lines(leaf: Leaf, book: Handbook, page: Writer) -> None:
    page.fact("  acts", does(leaf))
    page.facts("  do", leaf.do)
    if leaf.why:
        page.fact("  why", leaf.why)
    page.facts("  verify", leaf.verify)
    page.links(leaf.see, book)


# --- everything else: by its fields ----------------------------------------------------------------------------------


def everything(spec: Spec, book: Handbook, page: Writer) -> None:
    """All fields of a struct, one after the other, under their own names."""
    kinds = refers(type(spec))
    for name in spec.__struct_fields__:
        value = getattr(spec, name)
        if name in _HEAD or value is None or value is False or value in ((), "", headline(spec)):
            continue
        _field(name.replace("_", " ").capitalize(), value, kinds.get(name, ""), book, page)


def _field(label: str, value: Any, kind: str, book: Handbook, page: Writer) -> None:
    match value:
        case str() if kind:
            page.way(f"{kind}:{value}", book, f"{label:<12}→ ")
        case tuple() if kind:
            page.heading(label)
            page.links((f"{kind}:{each}" for each in value), book)
        case (Step(), *_):
            page.heading(label)
            for number, step in enumerate(value):
                step_lines(number, step, book, page)
        case (msgspec.Struct(), *_):
            page.heading(label)
            page.items(headline(each) for each in value)
        case (str() as only,):
            page.fact(label, only)
        case tuple():
            page.heading(label)
            page.items(str(each) for each in value)
        case Mapping():
            page.facts(label, (f"{key}: {each}" for key, each in value.items()))
        case True:
            page.fact(label, "yes")
        case str() if "\n" in value:
            page.heading(label)
            page.text(line("  "), value)
        case _:
            page.fact(label, str(value))
