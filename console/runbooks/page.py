"""Runbooks on paper: plain lines of at most 78 characters, with room to tick and to write. Pure."""

import textwrap
from collections.abc import Iterable, Iterator

from console.desk.procedure import Playbook, Procedure, Runnable
from console.desk.runbook import Step
from console.desk.tree import Investigate, KillSwitch, Leaf, Question, Resume, Rollback, Throttle, Tree

WIDTH = 78


def procedure_page(spec: Runnable, version: str) -> Iterator[str]:
    """One procedure, checklist, playbook or rollback, its steps numbered through."""
    yield from _head(spec.title, spec.id, version)
    for name, texts in _facts(spec):
        yield from _told(name, texts)
    number = 0
    for section in spec.sections:
        yield ""
        yield f"{section.title.upper()}{f'  ({section.clock})' if section.clock else ''}"
        for step in section.steps:
            number += 1
            yield from _step(number, step)
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
        yield from _question(name, question, tree)
    for name, leaf in tree.leaves.items():
        yield ""
        yield from _leaf(name, leaf)
    yield from _see("See also", tree.see)
    yield from _foot()


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


def _facts(spec: Runnable) -> Iterator[tuple[str, Iterable[str]]]:
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


def _question(name: str, question: Question, tree: Tree) -> Iterator[str]:
    yield from _wrapped(question.ask, f"{name.upper()}  ")
    yield from _wrapped(question.why, "      why  ")
    for answer, target in (("YES", question.yes), ("NO", question.no)):
        leaf = tree.leaves.get(target)
        leads = f"[{leaf.kind.upper()}] {target}" if leaf else target.upper()
        yield f"      ☐ {answer:<3} → {leads}"


def _leaf(name: str, leaf: Leaf) -> Iterator[str]:
    yield from _wrapped(f"{name}: {leaf.says}", f"[{leaf.kind.upper()}] ", indent=4)
    yield from _wrapped(does(leaf), "      acts    ")
    for number, text in enumerate(leaf.do, 1):
        yield from _wrapped(text, f"      ☐ {number}.    ")
    if leaf.why:
        yield from _wrapped(leaf.why, "      why     ")
    for text in leaf.verify:
        yield from _wrapped(text, "      verify  ")
    yield from _see("      see     ", leaf.see)


def _step(number: int, step: Step) -> Iterator[str]:
    yield from _wrapped(step.do, f"  ☐ {number:>2}  ")
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
