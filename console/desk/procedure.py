"""What is done step by step: procedures, checklists, playbooks, rollbacks, and a run of one of them. Pure.

They differ in what a source says of them; what can be run is the same: sections of steps. A `Run` holds the sections
themselves, so that editing a file changes nothing for who is on the way.
"""

from typing import Annotated, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import Meta

from console.desk.events import Plain
from console.desk.runbook import (
    CadenceId,
    Id,
    MessageId,
    Refs,
    SeverityId,
    Span,
    Spec,
    Step,
    Steps,
    Text,
    Texts,
    TierId,
    version,
)


class Section(Plain, frozen=True):
    """Steps under one heading; `clock` is when they are due, counted from the detection, in words."""

    title: str
    steps: tuple[Step, ...]
    clock: str = ""


def _as_steps(texts: tuple[str, ...]) -> tuple[Step, ...]:
    return tuple(Step(do=text) for text in texts)


class _Runnable(Spec, frozen=True):
    """What can be run. `ordered` says whether its steps have to be done one after the other."""

    ordered: ClassVar[bool]

    id: Id
    title: Text
    see: Refs = ()

    @property
    def sections(self) -> tuple[Section, ...]:
        raise NotImplementedError

    @property
    def refs(self) -> Refs:
        """Everything that it refers to as a whole."""
        return self.see


class Procedure(_Runnable, frozen=True, kw_only=True):
    """`frequency` is how often it comes up, in words; `at_least` how often it has to be done or practised."""

    ordered: ClassVar[bool] = True

    category: Literal["DEPLOY", "ROLLBACK", "INCIDENT", "DRIFT", "BROKER"]
    frequency: Text
    trigger: Texts
    steps: Steps
    verify: Texts
    at_least: CadenceId | None = None

    @property
    def sections(self) -> tuple[Section, ...]:
        return Section("Steps", self.steps), Section("Verify", _as_steps(self.verify))


class Phase(Spec, frozen=True):
    """Part of a checklist. It begins `after` the detection, at once where that is absent, and is over by `until`."""

    title: Text
    steps: Steps
    after: Span | None = None
    until: Span | None = None

    @property
    def clock(self) -> str:
        if self.after and self.until:
            return f"{self.after} to {self.until}"
        return f"from {self.after}" if self.after else f"within {self.until}" if self.until else ""

    @property
    def section(self) -> Section:
        return Section(self.title, self.steps, self.clock)


Phases = Annotated[tuple[Phase, ...], Meta(min_length=1, description="a list of at least one phase")]


class Checklist(_Runnable, frozen=True, kw_only=True):
    """Things that are ticked off, in phases."""

    ordered: ClassVar[bool] = False

    when: Text
    phases: Phases
    severity: SeverityId | None = None

    @property
    def sections(self) -> tuple[Section, ...]:
        return tuple(phase.section for phase in self.phases)


class Rise(Spec, frozen=True):
    """The severity that a playbook's case rises to, and when."""

    to: SeverityId
    when: Text


class Case(Spec, frozen=True):
    """What is done where one certain thing is found."""

    when: Text
    steps: Steps


class Playbook(_Runnable, frozen=True, kw_only=True):
    """What to do about one kind of trouble. Only what its source knows is there."""

    ordered: ClassVar[bool] = False

    trigger: Texts
    purpose: Text | None = None
    severity: SeverityId | None = None
    rises: Rise | None = None
    triage: tuple[Phase, ...] = ()
    immediate: tuple[Step, ...] = ()
    cases: tuple[Case, ...] = ()
    recovery: tuple[Step, ...] = ()
    escalate_when: tuple[Text, ...] = ()
    tiers: tuple[TierId, ...] = ()
    messages: tuple[MessageId, ...] = ()
    post_incident: tuple[Step, ...] = ()

    @property
    def sections(self) -> tuple[Section, ...]:
        parts = (
            *(phase.section for phase in self.triage),
            Section("At once", self.immediate),
            *(Section(case.when, case.steps) for case in self.cases),
            Section("Recovery", self.recovery),
            Section("Afterwards", self.post_incident),
        )
        return tuple(part for part in parts if part.steps)

    @property
    def refs(self) -> Refs:
        return (*self.see, *(f"tier:{each}" for each in self.tiers), *(f"message:{each}" for each in self.messages))


class RollbackPlan(_Runnable, frozen=True, kw_only=True):
    """The way back to a former state, with commands to fill in."""

    ordered: ClassVar[bool] = True

    steps: Steps
    when: Text | None = None

    @property
    def sections(self) -> tuple[Section, ...]:
        return (Section("Steps", self.steps),)


Runnable: TypeAlias = Procedure | Checklist | Playbook | RollbackPlan


# --- a run ----------------------------------------------------------------------------------------------------------


class Mark(Plain, frozen=True):
    """What became of a step. `done` is ticked by a person, `verified` by the console from evidence, `skipped` was left
    out, `overridden` was taken for done against the evidence; the last two have a reason in `note`."""

    how: Literal["done", "verified", "skipped", "overridden"]
    actor: str = ""
    at: int = 0
    note: str = ""


class Run(Plain, frozen=True):
    """One run of one version, so far. Steps are numbered through all sections from 0 on. Every change is a new run."""

    id: str
    title: str
    version: str
    ordered: bool
    sections: tuple[Section, ...]
    marks: dict[int, Mark] = {}
    ended: str = ""
    """Empty while it goes on, then `finished` or `aborted`."""
    reason: str = ""

    @classmethod
    def of(cls, spec: Runnable) -> "Run":
        return cls(spec.id, spec.title, version(spec), spec.ordered, spec.sections)

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for section in self.sections for step in section.steps)

    @property
    def here(self) -> int | None:
        """The first step that nothing was said of yet, None where there is none."""
        return next((number for number in range(len(self.steps)) if number not in self.marks), None)

    def mark(self, step: int, mark: Mark) -> "Run":
        """With a mark on a step, in place of an older one. Raises ValueError where the run has ended, there is no such
        step, its turn has not come, or a reason is missing."""
        self._going()
        if not 0 <= step < len(self.steps):
            raise ValueError(f"{self.id} has no step {step + 1}; its last is {len(self.steps)}")
        if self.ordered and self.here is not None and step > self.here:
            raise ValueError(f"step {self.here + 1} comes before step {step + 1}; tick it, or skip it with a reason")
        if mark.how in ("skipped", "overridden") and not mark.note.strip():
            raise ValueError(f"a step is {mark.how} with a reason; say why")
        return self._with(marks={**self.marks, step: mark})

    def unmark(self, step: int) -> "Run":
        """Without the mark on a step. Raises ValueError where there is none, or the run has ended."""
        self._going()
        if step not in self.marks:
            raise ValueError(f"nothing was said of step {step + 1} yet")
        return self._with(marks={number: mark for number, mark in self.marks.items() if number != step})

    def finish(self) -> "Run":
        """Raises ValueError while a step is open."""
        self._going()
        if self.here is not None:
            raise ValueError(f"step {self.here + 1} is open; tick it, or skip it with a reason")
        return self._with(ended="finished")

    def abort(self, reason: str) -> "Run":
        """Raises ValueError without a reason."""
        self._going()
        if not reason.strip():
            raise ValueError("a run is aborted with a reason; say why")
        return self._with(ended="aborted", reason=reason)

    def _going(self) -> None:
        if self.ended:
            raise ValueError(f"this run of {self.id} was {self.ended}; begin a new one")

    def _with(self, **changes: object) -> "Run":
        return msgspec.structs.replace(self, **changes)
