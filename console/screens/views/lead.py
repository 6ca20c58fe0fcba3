"""From a monitor to what is written about it: its class of incident, its tree, and the first step."""

from typing import NamedTuple

from console.desk.incident import IncidentClass
from console.desk.monitor import MonitorSpec
from console.desk.runbook import Step
from console.desk.state import MonitorState
from console.desk.tree import Tree
from console.runbooks.handbook import Handbook
from console.runbooks.kinds import INCIDENT, MONITOR, TREE
from console.screens.views.looks import MONITORS
from console.screens.views.writer import ALL
from widgets.line import BLANK, Line, line, wrap

LABEL = 12


class Lead(NamedTuple):
    """What a monitor leads to; None where nothing is written. `ref` is where its first step is explained."""

    spec: MonitorSpec | None = None
    incident: IncidentClass | None = None
    tree: Tree | None = None
    step: Step | None = None
    ref: str = ""


def lead(book: Handbook, monitor: str) -> Lead:
    spec = book.get(MONITOR, monitor)
    if spec is None:
        return Lead()
    incident = book.get(INCIDENT, spec.incident) if spec.incident else None
    if incident is None:
        return Lead(spec, ref=spec.see[0] if spec.see else "")
    tree = book.get(TREE, incident.tree) if incident.tree else None
    step = incident.immediate[0]
    return Lead(spec, incident, tree, step, step.see[0] if step.see else f"{INCIDENT.name}:{incident.id}")


def lines(row: MonitorState, found: Lead, book: Handbook, width: int) -> list[Line]:
    glyph, looks = MONITORS.get(row.state, MONITORS["unknown"])
    threshold = row.info.threshold if row.info else ""
    told = [
        BLANK,
        line((f" {glyph} {row.state.upper()}  ", looks), (f"{row.text}  ", "title"), (f"threshold {threshold}", "dim")),
        BLANK,
    ]
    if found.spec is not None:
        told += [*wrap(line(" "), found.spec.meaning, "", width, ALL), BLANK]
    incident, tree = found.incident, found.tree
    told += _way("i", "class", f"{incident.severity}  {incident.title}" if incident else "", width)
    told += _below(incident.says if incident else "no class of incident is opened by this alone", width)
    told += _way("t", "tree", tree.title if tree else "", width)
    told += _below(f"begins with: {tree.questions[tree.start].ask}" if tree else "no tree begins here", width)
    told += _way("s", "first step", _first(found, book), width)
    return told


def _first(found: Lead, book: Handbook) -> str:
    if found.step is not None:
        return found.step.do
    return f"read {book.title(found.ref)}" if found.ref else ""


def _way(key: str, label: str, says: str, width: int) -> list[Line]:
    looks = ("band-calm", "title") if says else ("off", "off")
    return wrap(line(" ", (f" {key} ", looks[0]), (f" {label:<{LABEL}}", "dim")), says or "–", looks[1], width, 3)


def _below(text: str, width: int) -> list[Line]:
    return [*wrap(line(" " * (LABEL + 5)), text, "dim", width, 3), BLANK]
