"""`andon tree` and `andon procedure`: what the runbooks say, on a page or for machines."""

import argparse
import sys
from typing import TypeVar

import msgspec

from console.commands.output import print_json, print_table
from console.config import ConfigError, Limits, NoDesk, find
from console.desk.procedure import Runnable
from console.desk.runbook import Spec
from console.runbooks.kinds import RUNNABLE, TREE, Kind
from console.runbooks.library import OWN_FOLDER, Document, Library
from console.runbooks.page import procedure_page, tree_page
from console.strict_yaml import meant

S = TypeVar("S", bound=Spec)


def list_trees(options: argparse.Namespace) -> int:
    """Prints every tree with its symptom."""
    trees = all_of(library_of(options.desk), TREE)
    if options.json:
        print_json({"trees": [_facts(each) for each in trees.values()]})
    else:
        print_table([(each.id, each.spec.symptom) for each in trees.values()])
    return 0


def show_tree(options: argparse.Namespace) -> int:
    """Prints one tree. Raises ConfigError where there is none of that id."""
    found = named(options.id, "tree", all_of(library_of(options.desk), TREE))
    print_json(_facts(found)) if options.json else print("\n".join(tree_page(found.spec, found.version)))
    return 0


def list_procedures(options: argparse.Namespace) -> int:
    """Prints everything that is done step by step."""
    found = runnable_of(options.desk)
    if options.json:
        print_json({"procedures": [_facts(each) for each in found.values()]})
    else:
        print_table([(each.kind, each.id, each.spec.title) for each in found.values()])
    return 0


def show_procedure(options: argparse.Namespace) -> int:
    """Prints one procedure, checklist, playbook or rollback. Raises ConfigError where there is none of that id."""
    found = named(options.id, "procedure", runnable_of(options.desk))
    print_json(_facts(found)) if options.json else print("\n".join(procedure_page(found.spec, found.version)))
    return 0


def library_of(desk: str | None) -> Library:
    """The runbooks of a desk; ours alone where there is no desk. Raises ConfigError."""
    try:
        own = find(desk).parent / OWN_FOLDER
    except NoDesk:
        own = None
    return Library(own, Limits().by_name)


def all_of(library: Library, kind: Kind[S]) -> dict[str, Document[S]]:
    """What is right of a kind, and a line on stderr for each thing that is not."""
    shelf = library.shelf(kind)
    for error in shelf.found:
        print(f"andon: {error}", file=sys.stderr)
    return shelf.documents


def runnable_of(desk: str | None) -> dict[str, Document[Runnable]]:
    library = library_of(desk)
    return {name: each for kind in RUNNABLE for name, each in all_of(library, kind).items()}


def named(name: str, what: str, among: dict[str, Document[S]]) -> Document[S]:
    if name not in among:
        raise ConfigError(f"there is no {what} {name!r}; {meant(name, among)}")
    return among[name]


def _facts(document: Document[Spec]) -> dict[str, object]:
    """A document as one JSON object, with what it is and where it lies."""
    facts = {"kind": document.kind, "version": document.version, "file": document.path}
    return {**facts, **msgspec.to_builtins(document.spec)}
