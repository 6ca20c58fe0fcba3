"""Recovery trees: from a symptom, by answers yes or no, to one thing to do. Pure.

A tree may be unfit to be walked although each of its keys is right; `faults` finds that. A `Walk` is one way through a
tree that does not change any more: it holds the tree itself, so that editing a file moves nobody who is on the way.
"""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from console.desk.events import Plain
from console.desk.pull import Level
from console.desk.runbook import ID, Fault, Id, Percent, Refs, Spec, Text, Texts, version

Proof = Literal["root-cause", "reconciliation", "original-limits"]
PROOFS: tuple[Proof, ...] = ("root-cause", "reconciliation", "original-limits")
"""What has to be answered with yes before anything is resumed."""
PROBES: frozenset[str] = frozenset()
"""The live evidence that may propose an answer. The guard can not give any yet."""


TargetId = Annotated[str, Meta(pattern=ID, description="the name of a question or a leaf")]


class Question(Spec, frozen=True):
    """Asked with its reason; either answer names the question or the leaf it leads to. `proves` is what a yes shows."""

    ask: Text
    why: Text
    yes: TargetId
    no: TargetId
    probe: Id | None = None
    proves: Proof | None = None


class _Leaf(Spec, frozen=True, kw_only=True, tag_field="kind"):
    """Where a walk ends: what was found, what is done, why that, and how one knows that it worked."""

    says: Text
    do: Texts
    verify: Texts
    why: Text | None = None
    see: Refs = ()

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)


class KillSwitch(_Leaf, frozen=True, tag="kill-switch", kw_only=True):
    """Opens the cord's overlay at `level`."""

    level: Level = Level.L3


class Throttle(_Leaf, frozen=True, tag="throttle", kw_only=True):
    """Lowers the gate: to at most `size` percent of the normal size, and `rate` percent of the normal order rate."""

    size: Annotated[int, Meta(ge=1, le=99, description="a whole number from 1 to 99")]
    rate: Percent | None = None


class Rollback(_Leaf, frozen=True, tag="rollback", kw_only=True):
    """Something goes back to what it was before."""


class Investigate(_Leaf, frozen=True, tag="investigate", kw_only=True):
    """Nothing is changed yet; a task stays open."""


class Resume(_Leaf, frozen=True, tag="resume", kw_only=True):
    """Goes to the resume guard, which proves everything anew; `size` in percent of the normal size is asked of it."""

    size: Literal[25, 100]


Leaf: TypeAlias = KillSwitch | Throttle | Rollback | Investigate | Resume
Target: TypeAlias = Question | Leaf


class Tree(Spec, frozen=True):
    """`start` is the first question; questions and leaves share their names."""

    id: Id
    title: Text
    symptom: Text
    start: Id
    questions: Annotated[dict[Id, Question], Meta(min_length=1)]
    leaves: Annotated[dict[Id, Leaf], Meta(min_length=1)]
    see: Refs = ()

    def at(self, name: str) -> Target:
        return self.questions[name] if name in self.questions else self.leaves[name]

    def faults(self) -> Iterator[Fault]:
        """What makes the tree unfit to be walked. Each fault is named once; what follows from one is not."""
        named = list(self._names())
        yield from named
        if not named:
            loop = self._loop()
            yield from self._orphans()
            yield from [loop] if loop else self._hopes()

    def _names(self) -> Iterator[Fault]:
        known = [*self.questions, *self.leaves]
        if self.start not in self.questions:
            yield Fault(
                ("start",), f"there is no question {self.start!r}; one of {', '.join(self.questions)} is expected"
            )
        for name in self.leaves:
            if name in self.questions:
                yield Fault(("leaves", name), f"a question is named {name!r}, too; each name is expected once")
        for name, question in self.questions.items():
            for answer, target in (("yes", question.yes), ("no", question.no)):
                if target not in known:
                    why = f"{answer!r} leads to {target!r}, which is neither a question nor a leaf; there are: "
                    yield Fault(("questions", name, answer), why + ", ".join(known))

    def _loop(self) -> Fault | None:
        """The answer that leads back to the earliest question of a circle."""
        try:
            self._graph().prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            first = min(circle, key=list(self.questions).index)
            name = circle[circle.index(first, 1) - 1]
            answer = "yes" if self.questions[name].yes == first else "no"
            why = f"{answer!r} leads back to {first!r}, so a walk may never end; a later question or a leaf is expected"
            return Fault(("questions", name, answer), why)
        return None

    def _graph(self) -> TopologicalSorter[str]:
        graph: TopologicalSorter[str] = TopologicalSorter()
        for name in self.questions:
            for _, target in self._ways(name):
                graph.add(target, name)
        return graph

    def _orphans(self) -> Iterator[Fault]:
        reached, waiting = set(), [self.start]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += [target for _, target in self._ways(name)]
        for group, names in (("questions", self.questions), ("leaves", self.leaves)):
            for name in names:
                if name not in reached:
                    yield Fault((group, name), f"no answer leads to {name!r}; let one lead there, or take it out")

    def _hopes(self) -> Iterator[Fault]:
        """Resume leaves to which some way leads without every proof."""
        proven: dict[str, set[str]] = {self.start: set()}
        for name in self._graph().static_order():
            for answer, target in self._ways(name) if name in proven else ():  # an orphan proves nothing
                proves = self.questions[name].proves
                after = proven[name] | {proves} if answer == "yes" and proves else proven[name]
                proven[target] = proven[target] & after if target in proven else after
        for name, leaf in self.leaves.items():
            lacking = [proof for proof in PROOFS if proof not in proven.get(name, PROOFS)]
            if isinstance(leaf, Resume) and lacking:
                why = (
                    f"{name!r} resumes, and a way leads there without a yes to {' and '.join(lacking)}; every way to a "
                    f"resume leaf is expected to pass a question that `proves` each of {', '.join(PROOFS)}"
                )
                yield Fault(("leaves", name), why)

    def _ways(self, name: str) -> tuple[tuple[str, str], ...]:
        question = self.questions.get(name)
        return (("yes", question.yes), ("no", question.no)) if question else ()


class Answer(Plain, frozen=True):
    """An answer that was given: to which question, by whom, at which UTC ns."""

    question: str
    yes: bool
    actor: str = ""
    at: int = 0
    note: str = ""


class Walk(Plain, frozen=True):
    """A way through one version of a tree, so far. Every step makes a new walk."""

    tree: Tree
    answers: tuple[Answer, ...] = ()

    @property
    def version(self) -> str:
        return version(self.tree)

    @property
    def here(self) -> str:
        """The name of the question that is to be answered, or of the leaf that was reached."""
        if not self.answers:
            return self.tree.start
        last = self.answers[-1]
        question = self.tree.questions[last.question]
        return question.yes if last.yes else question.no

    @property
    def question(self) -> Question | None:
        return self.tree.questions.get(self.here)

    @property
    def leaf(self) -> Leaf | None:
        return self.tree.leaves.get(self.here)

    @property
    def path(self) -> tuple[tuple[Answer, Question], ...]:
        return tuple((answer, self.tree.questions[answer.question]) for answer in self.answers)

    def answer(self, yes: bool, *, actor: str = "", at: int = 0, note: str = "") -> "Walk":
        """One question further. Raises ValueError at a leaf, where nothing is asked."""
        if self.question is None:
            raise ValueError(f"{self.tree.id} has ended at {self.here}; nothing is asked there")
        given = Answer(question=self.here, yes=yes, actor=actor, at=at, note=note)
        return Walk(tree=self.tree, answers=(*self.answers, given))

    def back(self) -> "Walk":
        """Without the last answer. Raises ValueError at the first question."""
        if not self.answers:
            raise ValueError(f"{self.tree.id} is at its first question; there is nothing to take back")
        return Walk(tree=self.tree, answers=self.answers[:-1])
