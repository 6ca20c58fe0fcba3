"""Runbooks on paper: plain lines of at most 78 characters, with room to tick and to write. Pure."""

import textwrap
from collections.abc import Iterable, Iterator

from console.desk.logbook import RunState, WalkState
from console.desk.procedure import Playbook, Procedure, Runnable, Section
from console.desk.runbook import Step
from console.desk.tree import Investigate, KillSwitch, Leaf, Question, Resume, Rollback, Throttle, Tree
from console.desk.words import stamp

WIDTH = 78


def procedure_page(spec: Runnable, version: str) -> Iterator[str]:
    """One procedure, checklist, playbook or rollback, its steps numbered through."""
    yield from _head(spec.title, spec.id, version)
    for name, texts in facts(spec):
        yield from _told(name, texts)
    number = 0
    for section in spec.sections:
        yield ""
        yield heading(section)
        for step in section.steps:
            number += 1
            yield from step_lines(number, step)
    if isinstance(spec, Playbook) and spec.escalate_when:
        yield ""
        yield "ESCALATE WHEN"
        for text in spec.escalate_when:
            yield from _wrapped(text, "  – ")
    yield from _see("See also", spec.refs)
    yield from _foot()


def tree_page(tree: Tree, version: str) -> Iterator[str]:
    """One tree: its questions in order, then the leaves that they lead to."""
    yield from _head(tree.title, tree.id, version)
    yield from _told("Symptom", [tree.symptom])
    for name, question in tree.questions.items():
        yield ""
        yield from question_lines(name, question, tree)
    for name, leaf in tree.leaves.items():
        yield ""
        yield from leaf_lines(name, leaf)
    yield from _see("See also", tree.see)
    yield from _foot()


def walk_page(state: WalkState) -> Iterator[str]:
    """A walk: each question with its answer, by whom and when; and the leaf, if it was reached."""
    walk = state.walk
    yield from _head(walk.tree.title, walk.tree.id, walk.version)
    yield from _told("Walk", [f"{state.id}, begun by {state.actor} {stamp(state.at)}"])
    if state.ended:
        target = f": {state.target}" if state.target else ""
        yield from _told("Ended", [f"{state.ended} by {state.ended_by} {stamp(state.ended_at)}{target}"])
        yield from _told("Note", [state.note] if state.note else [])
    for answer, question in walk.path:
        yield ""
        yield from _wrapped(question.ask, f"{answer.question.upper()}  ")
        yield f"      {'☒ YES' if answer.yes else '☒ NO'}  {answer.actor} {stamp(answer.at)}"
        yield from _wrapped(answer.note, "      note  ")
    yield ""
    if walk.question is not None:
        yield from question_lines(walk.here, walk.question, walk.tree)
    else:
        yield from leaf_lines(walk.here, walk.tree.leaves[walk.here])


_MARKS = {"done": "☑", "verified": "✓", "skipped": "–", "overridden": "!"}


def run_page(state: RunState) -> Iterator[str]:
    """A run: each step with what became of it, by whom and when."""
    run = state.run
    yield from _head(run.title, run.id, run.version)
    yield from _told("Run", [f"{state.id}, begun by {state.actor} {stamp(state.at)}"])
    if state.ended:
        yield from _told("Ended", [f"{state.ended} by {state.ended_by} {stamp(state.ended_at)}"])
        yield from _told("Reason", [run.reason] if run.reason else [])
    number = 0
    for section in run.sections:
        yield ""
        yield heading(section)
        for step in section.steps:
            mark = run.marks.get(number)
            number += 1
            yield from step_lines(number, step, _MARKS[mark.how] if mark else "☐")
            if mark is not None:
                yield from _wrapped(f"{mark.how} by {mark.actor} {stamp(mark.at)}", "        ")
                yield from _wrapped(mark.note, "        note ")


def does(leaf: Leaf) -> str:
    """What a leaf does to the desk, in a few words."""
    match leaf:
        case KillSwitch():
            return f"pulls the cord at {leaf.level}"
        case Throttle():
            rate = f", orders to {leaf.rate} % of their rate" if leaf.rate else ""
            return f"lowers the gate to {leaf.size} %{rate}"
        case Resume():
            return f"asks the resume guard for {leaf.size} %"
        case Rollback() | Investigate():
            return "changes no gate; leaves an open task"


def facts(spec: Runnable) -> Iterator[tuple[str, Iterable[str]]]:
    """What is to be known before the first step: a label, and the texts under it."""
    match spec:
        case Procedure():
            yield "Category", [spec.category]
            yield "How often", [spec.frequency]
            yield "When", spec.trigger
        case Playbook():
            if spec.purpose:
                yield "What for", [spec.purpose]
            if spec.severity:
                rises = f"; {spec.rises.to} when: {spec.rises.when}" if spec.rises else ""
                yield "Severity", [f"{spec.severity}{rises}"]
            yield "When", spec.trigger
        case _:
            if spec.when:
                yield "When", [spec.when]


def question_lines(name: str, question: Question, tree: Tree) -> Iterator[str]:
    """A question, why it is asked, and what either answer leads to."""
    yield from _wrapped(question.ask, f"{name.upper()}  ")
    yield from _wrapped(question.why, "      why  ")
    for answer, target in (("YES", question.yes), ("NO", question.no)):
        leaf = tree.leaves.get(target)
        leads = f"[{leaf.kind.upper()}] {target}" if leaf else target.upper()
        yield f"      ☐ {answer:<3} → {leads}"


def leaf_lines(name: str, leaf: Leaf) -> Iterator[str]:
    """A leaf: what was found, what it does, what is to be done, why, and how one knows that it worked."""
    yield from _wrapped(f"{name}: {leaf.says}", f"[{leaf.kind.upper()}] ", indent=4)
    yield from _wrapped(does(leaf), "      acts    ")
    for number, text in enumerate(leaf.do, 1):
        yield from _wrapped(text, f"      ☐ {number}.    ")
    if leaf.why:
        yield from _wrapped(leaf.why, "      why     ")
    for text in leaf.verify:
        yield from _wrapped(text, "      verify  ")
    yield from _see("      see     ", leaf.see)


def heading(section: Section) -> str:
    """A section's title, and its clock where it has one."""
    return f"{section.title.upper()}{f'  ({section.clock})' if section.clock else ''}"


def step_lines(number: int, step: Step, box: str = "☐") -> Iterator[str]:
    """One step, numbered from 1 on, with its command and where it is written how."""
    yield from _wrapped(step.do, f"  {box} {number:>2}  ")
    for line in (step.command or "").splitlines():
        yield f"        $ {line}"
    yield from _see("        see ", step.see)


def _head(title: str, name: str, version: str) -> Iterator[str]:
    yield from _wrapped(title, "")
    yield "═" * min(WIDTH, len(title))
    yield f"{name} · version {version}"


def _foot() -> Iterator[str]:
    yield ""
    yield "Incident ____________________   By ____________________   Begun ________ UTC"


def _told(name: str, texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        yield from _wrapped(text, f"{'' if number else name:<11}")


def _see(name: str, refs: tuple[str, ...]) -> Iterator[str]:
    if refs:
        yield from [""] if name.strip() == name else []
        yield from _wrapped(", ".join(refs), name if name.endswith(" ") else f"{name}: ")


def _wrapped(text: str, first: str, indent: int | None = None) -> Iterator[str]:
    """Lines of a text, the first behind `first`, the rest below where it began."""
    rest = " " * (len(first) if indent is None else indent)
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
