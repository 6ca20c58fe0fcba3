"""What people do on record beside the cord: the entries of the desk's logbook, each one fact.

Who made an entry and when stands in its record. A walk and a run carry what is walked or run as it was when they began,
so that they can be gone on with, and read, whatever becomes of the file.
"""

from datetime import date
from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import Meta

from console.desk.base import Event
from console.desk.procedure import Run
from console.desk.tree import Tree


class Entry(Event, frozen=True):
    """Base of all entries."""


# --- walks ----------------------------------------------------------------------------------------------------------


class WalkBegun(Entry, frozen=True, tag="walk_begun"):
    """`walk` is its name from here on, see `logbook.new_id`."""

    walk: str
    tree: Tree


class WalkAnswered(Entry, frozen=True, tag="walk_answered"):
    """It counts where the walk stands at that question; of two who answer at once the first is heard."""

    walk: str
    question: str
    yes: bool
    note: str = ""


class WalkTakenBack(Entry, frozen=True, tag="walk_taken_back"):
    """The latest answer, which was to `question`, is taken back."""

    walk: str
    question: str


class LeafActed(Entry, frozen=True, tag="leaf_acted"):
    """What the leaf wants was done, and the walk is over. `target` is the pull that was made, or the pulls that were
    resumed. A leaf that changes nothing by itself (rollback, investigate) leaves a task by the walk's name."""

    walk: str
    leaf: str
    target: str = ""
    note: str = ""


class WalkAborted(Entry, frozen=True, tag="walk_aborted"):
    """The walk is over, and nothing was done."""

    walk: str
    reason: str


class TaskClosed(Entry, frozen=True, tag="task_closed"):
    """`note` says what came out."""

    task: str
    note: str


# --- runs -----------------------------------------------------------------------------------------------------------


class RunBegun(Entry, frozen=True, tag="run_begun"):
    """`of` is procedure, checklist, playbook or rollback; `plan` is the run without any mark."""

    run: str
    of: Literal["procedure", "checklist", "playbook", "rollback"]
    plan: Run


class StepMarked(Entry, frozen=True, tag="step_marked"):
    """`step` counts through all sections from 0 on; `how` and `note` as in `procedure.Mark`."""

    run: str
    step: int
    how: Literal["done", "verified", "skipped", "overridden"]
    note: str = ""


class StepUnmarked(Entry, frozen=True, tag="step_unmarked"):
    run: str
    step: int


class RunFinished(Entry, frozen=True, tag="run_finished"):
    run: str


class RunAborted(Entry, frozen=True, tag="run_aborted"):
    run: str
    reason: str


# --- gates and the size ---------------------------------------------------------------------------------------------


class GateAttested(Entry, frozen=True, tag="gate_attested"):
    """What somebody found about a gate of the cadence on a day. `evidence` is where the proof lies, `sha256` its hash
    where it was a file that could be read."""

    gate: str
    day: date
    result: Literal["passed", "failed", "waived"]
    note: str = ""
    evidence: str = ""
    sha256: str = ""


class SizeLowered(Entry, frozen=True, tag="size_lowered"):
    """The desk trades at most so many percent of its normal size and of its normal order rate (None: as of the size),
    until a resume. It never raises either. `walk` is the walk whose leaf wanted it."""

    size_pct: Annotated[int, Meta(ge=1, le=99)]
    reason: str = ""
    rate_pct: Annotated[int, Meta(ge=1, le=100)] | None = None
    walk: str = ""


# --- incidents ------------------------------------------------------------------------------------------------------


class IncidentEntry(Entry, frozen=True):
    """Base of what is done to an incident. `incident` is its number, see `incidents.next_id`."""

    incident: str


class IncidentOpened(IncidentEntry, frozen=True, tag="incident_opened"):
    """`cls` is the id of its class, empty where nobody can tell yet; `pull` the pull that opened it, if one did."""

    cls: str = ""
    severity: Literal["P0", "P1", "P2", "P3"] = "P0"
    title: str = ""
    pull: str = ""


class IncidentJoined(IncidentEntry, frozen=True, tag="incident_joined"):
    """Another pull, while the incident was open."""

    pull: str


class IncidentNoted(IncidentEntry, frozen=True, tag="incident_noted"):
    text: str


class IncidentClosed(IncidentEntry, frozen=True, tag="incident_closed"):
    """`outcome` says how it came out."""

    outcome: str


AnyEntry: TypeAlias = (
    WalkBegun
    | WalkAnswered
    | WalkTakenBack
    | LeafActed
    | WalkAborted
    | TaskClosed
    | RunBegun
    | StepMarked
    | StepUnmarked
    | RunFinished
    | RunAborted
    | GateAttested
    | SizeLowered
    | IncidentOpened
    | IncidentJoined
    | IncidentNoted
    | IncidentClosed
)
ENTRIES: tuple[type[AnyEntry], ...] = get_args(AnyEntry)
