"""The kinds of runbook files: what each is called, where it lies, and the struct that is its form."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Generic, TypeVar

from console.desk.cadence import Cadence, Gate, Holidays
from console.desk.incident import IncidentClass
from console.desk.monitor import MonitorSpec
from console.desk.policy import (
    Kpi,
    LogField,
    ManualTrigger,
    Message,
    Placeholder,
    PostmortemSection,
    Principle,
    Role,
    Severity,
    Tier,
    Triage,
)
from console.desk.procedure import Checklist, Playbook, Procedure, RollbackPlan, Runnable
from console.desk.runbook import Spec
from console.desk.tree import Tree
from console.desk.trigger import TriggerSpec

S_co = TypeVar("S_co", bound=Spec, covariant=True)


@dataclass(frozen=True, slots=True)
class Kind(Generic[S_co]):
    """`place` is a folder with one document a file, or (it ends in `.yaml`) one file with a list of documents.
    `overlaid` is False where a desk's own folder may not replace ours; `instead` says what to do then."""

    name: str
    place: str
    spec: type[S_co]
    overlaid: bool = True
    instead: str = ""

    @property
    def listed(self) -> bool:
        return self.place.endswith(".yaml")


SEVERITY = Kind("severity", "severity.yaml", Severity)
MONITOR = Kind("monitor", "monitors.yaml", MonitorSpec)
TRIGGER = Kind(
    "trigger",
    "triggers.yaml",
    TriggerSpec,
    overlaid=False,
    instead="a trigger is disarmed, or made to fire earlier, under `triggers` in desk.yaml",
)
MANUAL_TRIGGER = Kind("manual-trigger", "manual-triggers.yaml", ManualTrigger)
PROCEDURE = Kind("procedure", "procedures", Procedure)
INCIDENT = Kind("incident", "incidents", IncidentClass)
TREE = Kind("tree", "trees", Tree)
CHECKLIST = Kind("checklist", "checklists", Checklist)
PLAYBOOK = Kind("playbook", "playbooks", Playbook)
ROLLBACK = Kind("rollback", "rollbacks", RollbackPlan)
CADENCE = Kind("cadence", "cadences.yaml", Cadence)
GATE = Kind("gate", "gates.yaml", Gate)
CALENDAR = Kind("calendar", "calendars.yaml", Holidays)
MESSAGE = Kind("message", "messages", Message)
PLACEHOLDER = Kind("placeholder", "placeholders.yaml", Placeholder)
TRIAGE = Kind("triage", "triage.yaml", Triage)
TIER = Kind("tier", "tiers.yaml", Tier)
ROLE = Kind("role", "roles.yaml", Role)
POSTMORTEM = Kind("postmortem", "postmortem.yaml", PostmortemSection)
LOG = Kind("log", "log.yaml", LogField)
KPI = Kind("kpi", "kpis.yaml", Kpi)
PRINCIPLE = Kind("principle", "principles.yaml", Principle)

FALLBACK_CALENDAR = "xnys"
"""The calendar of a desk whose venues are not asked for theirs."""

RUNNABLE: tuple[Kind[Runnable], ...] = (PROCEDURE, CHECKLIST, PLAYBOOK, ROLLBACK)
"""What is done step by step. Their ids are one family: `andon procedure` takes any of them."""

KINDS: dict[str, Kind[Spec]] = {  # what is needed first comes first
    kind.name: kind
    for kind in (
        *(TREE, INCIDENT, PROCEDURE, CHECKLIST, PLAYBOOK, ROLLBACK),
        *(TRIAGE, SEVERITY, MESSAGE, TIER, ROLE, MANUAL_TRIGGER, TRIGGER, MONITOR, CADENCE, GATE),
        *(PRINCIPLE, POSTMORTEM, LOG, KPI, PLACEHOLDER, CALENDAR),
    )
}


def kind_at(path: PurePath) -> Kind[Spec] | None:
    """The kind of a file by where it lies in a runbooks folder; `path` is relative to that folder."""
    place = path if len(path.parts) == 1 else path.parent if path.suffix == ".yaml" else None
    return next((kind for kind in KINDS.values() if PurePath(kind.place) == place), None)
