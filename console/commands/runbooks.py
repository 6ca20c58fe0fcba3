"""`andon tree`, `andon procedure`, `andon cadence`: what the runbooks say, on a page or for machines."""

import argparse
import sys
from datetime import UTC, date, datetime
from typing import TypeVar

import msgspec

from console.commands.output import print_json, print_table
from console.config import ConfigError, Limits, NoDesk, find
from console.desk.cadence import standing
from console.desk.procedure import Runnable
from console.desk.runbook import Spec
from console.runbooks.kinds import CADENCE, CALENDAR, GATE, RUNNABLE, TREE, Kind
from console.runbooks.library import OWN_FOLDER, Document, Library
from console.runbooks.page import procedure_page, tree_page
from console.strict_yaml import meant

S = TypeVar("S", bound=Spec)
FALLBACK = "xnys"
"""The calendar of a desk whose venues are not asked for theirs."""


def list_trees(options: argparse.Namespace) -> int:
    """Prints every tree with its symptom."""
    trees = _all(_library(options.desk), TREE)
    if options.json:
        print_json({"trees": [_facts(each) for each in trees.values()]})
    else:
        print_table([(each.id, each.spec.symptom) for each in trees.values()])
    return 0


def show_tree(options: argparse.Namespace) -> int:
    """Prints one tree. Raises ConfigError where there is none of that id."""
    found = _named(options.id, "tree", _all(_library(options.desk), TREE))
    print_json(_facts(found)) if options.json else print("\n".join(tree_page(found.spec, found.version)))
    return 0


def list_procedures(options: argparse.Namespace) -> int:
    """Prints everything that is done step by step."""
    found = _runnable(options.desk)
    if options.json:
        print_json({"procedures": [_facts(each) for each in found.values()]})
    else:
        print_table([(each.kind, each.id, each.spec.title) for each in found.values()])
    return 0


def show_procedure(options: argparse.Namespace) -> int:
    """Prints one procedure, checklist, playbook or rollback. Raises ConfigError where there is none of that id."""
    found = _named(options.id, "procedure", _runnable(options.desk))
    print_json(_facts(found)) if options.json else print("\n".join(procedure_page(found.spec, found.version)))
    return 0


def list_gates(options: argparse.Namespace, today: date | None = None) -> int:
    """Prints every gate by cadence, with the day on which it is due."""
    library = _library(options.desk)
    gates = _all(library, GATE)
    cadences = _all(library, CADENCE)
    calendar = _all(library, CALENDAR)[FALLBACK].spec
    day = today or datetime.now(UTC).date()
    in_order = [each.spec for cadence in cadences for each in gates.values() if each.spec.cadence == cadence]
    rows = [(gate, standing(gate, None, since=day, today=day, calendar=calendar)) for gate in in_order]
    if options.json:
        print_json(
            {
                "day": day,
                "calendar": calendar.id,
                "calendar_knows": calendar.knows(day),
                "gates": [{**msgspec.to_builtins(gate), "state": at.state, "due": at.due} for gate, at in rows],
            }
        )
        return 0
    print_table([(gate.id, f"{at.state} {at.due}", "blocks" if gate.blocks else "", gate.title) for gate, at in rows])
    if not calendar.knows(day):
        print(
            f"andon: the calendar {calendar.id} has no holidays of {day.year}; weekends alone are left out",
            file=sys.stderr,
        )
    return 0


def _library(desk: str | None) -> Library:
    """The runbooks of a desk; ours alone where there is no desk. Raises ConfigError."""
    try:
        own = find(desk).parent / OWN_FOLDER
    except NoDesk:
        own = None
    return Library(own, Limits().by_name)


def _all(library: Library, kind: Kind[S]) -> dict[str, Document[S]]:
    """What is right of a kind, and a line on stderr for each thing that is not."""
    shelf = library.shelf(kind)
    for error in shelf.found:
        print(f"andon: {error}", file=sys.stderr)
    return shelf.documents


def _runnable(desk: str | None) -> dict[str, Document[Runnable]]:
    library = _library(desk)
    return {name: each for kind in RUNNABLE for name, each in _all(library, kind).items()}


def _named(name: str, what: str, among: dict[str, Document[S]]) -> Document[S]:
    if name not in among:
        raise ConfigError(f"there is no {what} {name!r}; {meant(name, among)}")
    return among[name]


def _facts(document: Document[Spec]) -> dict[str, object]:
    """A document as one JSON object, with what it is and where it lies."""
    facts = {"kind": document.kind, "version": document.version, "file": document.path}
    return {**facts, **msgspec.to_builtins(document.spec)}
