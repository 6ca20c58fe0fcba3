"""The logbook: what people have walked, run, attested and left to do, folded from its entries. Pure.

`after` is the one rule: it says what the logbook is after an entry, or in a sentence why that entry makes no sense now.
Whoever is about to write asks it first. The fold leaves out what it refuses: two who write at once, each into a file of
his own, may both have been right when they asked.
"""

import secrets
from datetime import UTC, date, datetime
from typing import Any, TypeVar, assert_never

import msgspec

from console.desk import entries as en
from console.desk import incidents as inc
from console.desk.base import Plain
from console.desk.cadence import Attestation
from console.desk.events import Record
from console.desk.procedure import Mark, Run
from console.desk.tree import Investigate, KillSwitch, Leaf, Resume, Rollback, Throttle, Walk

KEPT = 20
"""Walks that are over, runs that are over and tasks that are closed: so many of each stay in a desk's state. The
journal has them all."""
OPEN_KEPT = 50

T = TypeVar("T")


class WalkState(Plain, frozen=True):
    """A walk, who began it when (UTC ns), and how it ended: `ended` is empty while it goes on, then acted or aborted.
    `target` and `note` as in `entries.LeafActed`; `note` is the reason where it was aborted."""

    id: str
    walk: Walk
    actor: str
    at: int
    ended: str = ""
    ended_by: str = ""
    ended_at: int = 0
    target: str = ""
    note: str = ""


class RunState(Plain, frozen=True):
    """A run, who began it when, and who ended it when; how it ended stands in the run itself."""

    id: str
    of: str
    run: Run
    actor: str
    at: int
    ended_by: str = ""
    ended_at: int = 0

    @property
    def ended(self) -> str:
        return self.run.ended


class TaskState(Plain, frozen=True):
    """What a leaf left to do, by the name of its walk."""

    id: str
    tree: str
    leaf: str
    says: str
    do: tuple[str, ...]
    actor: str
    at: int
    closed_by: str = ""
    closed_at: int = 0
    note: str = ""

    @property
    def ended(self) -> str:
        return "closed" if self.closed_at else ""


class Logbook(Plain, frozen=True):
    """Walks, runs, tasks and incidents by name, the oldest first; the latest attestation of each gate."""

    walks: dict[str, WalkState] = {}
    runs: dict[str, RunState] = {}
    tasks: dict[str, TaskState] = {}
    attestations: dict[str, Attestation] = {}
    incidents: dict[str, inc.IncidentState] = {}

    @property
    def open_incident(self) -> inc.IncidentState | None:
        """The incident that a pull joins: the latest that is not closed."""
        return next((row for row in reversed(self.incidents.values()) if row.open), None)

    @property
    def open_tasks(self) -> tuple[TaskState, ...]:
        return tuple(task for task in self.tasks.values() if not task.ended)

    def unfinished_walk(self, tree: str) -> WalkState | None:
        """The latest walk through a tree that is not over, whoever began it."""
        return next((w for w in reversed(self.walks.values()) if w.walk.tree.id == tree and not w.ended), None)

    def unfinished_run(self, name: str) -> RunState | None:
        """The latest run of a procedure, checklist, playbook or rollback that is not over."""
        return next((r for r in reversed(self.runs.values()) if r.run.id == name and not r.ended), None)

    def trimmed(self) -> "Logbook":
        """With no more than a desk's state should hold."""
        return Logbook(
            _latest(self.walks),
            _latest(self.runs),
            _latest(self.tasks),
            self.attestations,
            inc.trimmed(self.incidents),
        )


def _latest(table: dict[str, T]) -> dict[str, T]:
    over = [name for name, row in table.items() if row.ended][:-KEPT]  # type: ignore[attr-defined]
    going = [name for name, row in table.items() if not row.ended][:-OPEN_KEPT]  # type: ignore[attr-defined]
    left_out = {*over, *going}
    return {name: row for name, row in table.items() if name not in left_out} if left_out else table


def new_id(of: str) -> str:
    """A name for a new walk or run of that tree or procedure."""
    return f"{of}-{secrets.token_hex(3)}"


def utc_day(ts: int) -> date:
    return datetime.fromtimestamp(ts // 1_000_000_000, UTC).date()


def acts(leaf: Leaf) -> bool:
    """Whether a leaf changes the desk; one that does not leaves a task."""
    return isinstance(leaf, KillSwitch | Throttle | Resume)


def after(logbook: Logbook, entry: en.AnyEntry, actor: str, ts: int) -> Logbook:
    """The logbook after an entry. Raises ValueError with a sentence where it makes no sense as things stand."""
    match entry:
        case en.WalkBegun():
            return _walk_begun(logbook, entry, actor, ts)
        case en.WalkAnswered() | en.WalkTakenBack() | en.LeafActed() | en.WalkAborted():
            return _walked(logbook, entry, actor, ts)
        case en.TaskClosed():
            return _task_closed(logbook, entry, actor, ts)
        case en.RunBegun():
            return _run_begun(logbook, entry, actor, ts)
        case en.StepMarked() | en.StepUnmarked() | en.RunFinished() | en.RunAborted():
            return _ran(logbook, entry, actor, ts)
        case en.GateAttested():
            return _attested(logbook, entry, actor, ts)
        case en.IncidentEntry():
            changed: Logbook = _with(logbook, incidents=inc.after(logbook.incidents, entry, actor, ts))
            return changed
        case en.SizeLowered():
            return logbook


def fold(logbook: Logbook, record: Record) -> Logbook:
    """The logbook after one more record of an entry."""
    event = record.event
    try:
        return after(logbook, event, record.actor, record.ts) if isinstance(event, en.ENTRIES) else logbook
    except ValueError:  # overtaken by another hand's entry
        return logbook


def _with(struct: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(struct, **changes)


# --- walks ----------------------------------------------------------------------------------------------------------


def _walk_begun(logbook: Logbook, entry: en.WalkBegun, actor: str, ts: int) -> Logbook:
    if entry.walk in logbook.walks:
        raise ValueError(f"there is a walk {entry.walk} already")
    if fault := next(entry.tree.faults(), None):
        raise ValueError(f"the tree {entry.tree.id} can not be walked: {fault.why}")
    begun = WalkState(id=entry.walk, walk=Walk(tree=entry.tree), actor=actor, at=ts)
    changed: Logbook = _with(logbook, walks={**logbook.walks, entry.walk: begun})
    return changed


_Walked = en.WalkAnswered | en.WalkTakenBack | en.LeafActed | en.WalkAborted


def _walked(logbook: Logbook, entry: _Walked, actor: str, ts: int) -> Logbook:
    known = logbook.walks.get(entry.walk)
    if known is None:
        raise ValueError(f"there is no walk {entry.walk}")
    if known.ended:
        raise ValueError(f"the walk {entry.walk} is over ({known.ended}); begin a new one")
    walked = _step(known, entry, actor, ts)
    changed: Logbook = _with(logbook, walks={**logbook.walks, entry.walk: walked})
    leaf = walked.walk.leaf
    if walked.ended == "acted" and isinstance(leaf, Rollback | Investigate):
        task = TaskState(walked.id, walked.walk.tree.id, walked.walk.here, leaf.says, leaf.do, actor, ts)
        changed = _with(changed, tasks={**logbook.tasks, task.id: task})
    return changed


def _step(known: WalkState, entry: _Walked, actor: str, ts: int) -> WalkState:
    changed: WalkState
    match entry:
        case en.WalkAnswered():
            _stands_at(known, entry.question)
            changed = _with(known, walk=known.walk.answer(entry.yes, actor=actor, at=ts, note=entry.note))
        case en.WalkTakenBack():
            if known.walk.answers and known.walk.answers[-1].question != entry.question:
                raise ValueError(f"the latest answer of {entry.walk} was to {known.walk.answers[-1].question}")
            changed = _with(known, walk=known.walk.back())
        case en.LeafActed():
            _stands_at(known, entry.leaf)
            if known.walk.leaf is None:
                raise ValueError(f"{entry.leaf} is a question: there is nothing to do yet")
            ended = {"ended": "acted", "ended_by": actor, "ended_at": ts}
            changed = _with(known, **ended, target=entry.target, note=entry.note)
        case en.WalkAborted():
            _said(entry.reason, "a walk is aborted with a reason; say why")
            ended = {"ended": "aborted", "ended_by": actor, "ended_at": ts}
            changed = _with(known, **ended, note=entry.reason)
        case _:
            assert_never(entry)
    return changed


def _stands_at(known: WalkState, name: str) -> None:
    if known.walk.here != name:
        raise ValueError(f"the walk {known.id} stands at {known.walk.here}, not at {name}")


def _task_closed(logbook: Logbook, entry: en.TaskClosed, actor: str, ts: int) -> Logbook:
    known = logbook.tasks.get(entry.task)
    if known is None:
        raise ValueError(f"there is no task {entry.task}")
    if known.ended:
        raise ValueError(f"the task {entry.task} was closed by {known.closed_by} already")
    _said(entry.note, "a task is closed with what came out of it; say what")
    closed = _with(known, closed_by=actor, closed_at=ts, note=entry.note)
    changed: Logbook = _with(logbook, tasks={**logbook.tasks, entry.task: closed})
    return changed


def _said(text: str, else_: str) -> None:
    if not text.strip():
        raise ValueError(else_)


# --- runs -----------------------------------------------------------------------------------------------------------


def _run_begun(logbook: Logbook, entry: en.RunBegun, actor: str, ts: int) -> Logbook:
    if entry.run in logbook.runs:
        raise ValueError(f"there is a run {entry.run} already")
    if entry.plan.marks or entry.plan.ended or not entry.plan.steps:
        raise ValueError(f"{entry.run}: a run begins with its steps, and nothing done yet")
    begun = RunState(id=entry.run, of=entry.of, run=entry.plan, actor=actor, at=ts)
    changed: Logbook = _with(logbook, runs={**logbook.runs, entry.run: begun})
    return changed


_Ran = en.StepMarked | en.StepUnmarked | en.RunFinished | en.RunAborted


def _ran(logbook: Logbook, entry: _Ran, actor: str, ts: int) -> Logbook:
    known = logbook.runs.get(entry.run)
    if known is None:
        raise ValueError(f"there is no run {entry.run}")
    match entry:
        case en.StepMarked():
            run = known.run.mark(entry.step, Mark(how=entry.how, actor=actor, at=ts, note=entry.note))
        case en.StepUnmarked():
            run = known.run.unmark(entry.step)
        case en.RunFinished():
            run = known.run.finish()
        case en.RunAborted():
            run = known.run.abort(entry.reason)
        case _:
            assert_never(entry)
    over = {"ended_by": actor, "ended_at": ts} if run.ended else {}
    changed: Logbook = _with(logbook, runs={**logbook.runs, entry.run: _with(known, run=run, **over)})
    return changed


# --- gates -------------------------------------------------------------------------------------------------------


def _attested(logbook: Logbook, entry: en.GateAttested, actor: str, ts: int) -> Logbook:
    if entry.day > utc_day(ts):
        raise ValueError(f"{entry.day} has not come yet; a gate is attested for a day that is known")
    if entry.result == "passed":
        _said(entry.note + entry.evidence, "a gate is attested with a note, or with where the evidence lies")
    else:
        _said(entry.note, f"a gate is {entry.result} with a reason; say why")
    told = Attestation(
        gate=entry.gate,
        day=entry.day,
        result=entry.result,
        actor=actor,
        at=ts,
        note=entry.note,
        evidence=entry.evidence,
        sha256=entry.sha256,
    )
    last = logbook.attestations.get(entry.gate)
    if last is not None and (last.day, last.at) > (told.day, told.at):
        return logbook  # a day that was made up for: what was found since stands
    changed: Logbook = _with(logbook, attestations={**logbook.attestations, entry.gate: told})
    return changed
