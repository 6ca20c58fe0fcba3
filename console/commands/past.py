"""What was walked and run, read afterwards: from the journal's files alone, whatever became of guard and runbooks."""

import argparse
import shlex
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from console.commands.kept import whole_logbook
from console.commands.leaf import command_of
from console.commands.output import print_json, print_table
from console.config import ConfigError, find, glance
from console.desk.logbook import Logbook, RunState, WalkState
from console.desk.procedure import Mark
from console.desk.words import count, stamp
from console.runbooks.page import run_page, walk_page
from console.strict_yaml import meant

T = TypeVar("T")


def list_walks(options: argparse.Namespace) -> int:
    """Prints every walk through a tree that the journal holds."""
    walks = _logbook(options.desk).walks.values()
    if options.json:
        print_json({"walks": [walk_facts(state) for state in walks]})
    else:
        print_table([(state.id, f"{stamp(state.at)} {state.actor}", _reached(state)) for state in walks])
    return 0


def _reached(state: WalkState) -> str:
    here = f"{state.walk.leaf.kind.upper()} {state.walk.here}" if state.walk.leaf else f"waits at {state.walk.here}"
    return f"{here}, {state.ended}" if state.ended else here


def read_walk(options: argparse.Namespace) -> int:
    """Prints one walk. Raises ConfigError where there is none of that name."""
    state = _one(options.id, "walk", _logbook(options.desk).walks)
    print_json(walk_facts(state)) if options.json else print("\n".join(walk_page(state)))
    return 0


def list_runs(options: argparse.Namespace) -> int:
    """Prints every run of a procedure, checklist, playbook or rollback that the journal holds."""
    runs = _logbook(options.desk).runs.values()
    if options.json:
        print_json({"runs": [run_facts(state) for state in runs]})
    else:
        print_table([(state.id, f"{stamp(state.at)} {state.actor}", _gone(state), state.run.title) for state in runs])
    return 0


def _gone(state: RunState) -> str:
    return state.ended or f"{len(state.run.marks)} of {count(len(state.run.steps), 'step')}"


def read_run(options: argparse.Namespace) -> int:
    """Prints one run. Raises ConfigError where there is none of that name."""
    state = _one(options.id, "run", _logbook(options.desk).runs)
    print_json(run_facts(state)) if options.json else print("\n".join(run_page(state)))
    return 0


def _logbook(desk: str | None) -> Logbook:
    return whole_logbook(glance(find(desk)).state)


def _one(name: str, what: str, among: Mapping[str, T]) -> T:
    """The one of that name, or the only one whose name begins so."""
    found = [name] if name in among else [each for each in among if each.startswith(name)]
    if len(found) == 1:
        return among[found[0]]
    if found:
        raise ConfigError(f"{name!r} may be {' or '.join(found)}; a few letters more are expected")
    raise ConfigError(f"there is no {what} {name!r}; {meant(name, among)}")


def walk_facts(state: WalkState, scope: tuple[str, ...] = ("--all",)) -> dict[str, object]:
    """A walk for machines; `scope` is what its leaf's command would be told."""
    walk = state.walk
    return {
        "walk": state.id,
        "tree": walk.tree.id,
        "version": walk.version,
        "actor": state.actor,
        "at": state.at,
        "path": [{**msgspec.structs.asdict(answer), "ask": question.ask} for answer, question in walk.path],
        "here": walk.here,
        "leaf": walk.leaf and {"kind": walk.leaf.kind, **msgspec.structs.asdict(walk.leaf)},
        "command": shlex.join(command_of(walk, scope)),
        "ended": state.ended,
        "ended_by": state.ended_by,
        "ended_at": state.ended_at,
        "target": state.target,
        "note": state.note,
    }


def _mark(mark: Mark | None) -> dict[str, object] | None:
    return None if mark is None else msgspec.structs.asdict(mark)


def run_facts(state: RunState) -> dict[str, object]:
    """A run for machines. Steps are numbered from 1 on."""
    run = state.run
    steps = [
        {"step": number + 1, "do": step.do, "mark": _mark(run.marks.get(number))}
        for number, step in enumerate(run.steps)
    ]
    return {
        "run": state.id,
        "of": state.of,
        "id": run.id,
        "title": run.title,
        "version": run.version,
        "actor": state.actor,
        "at": state.at,
        "steps": steps,
        "ended": state.ended,
        "ended_by": state.ended_by,
        "ended_at": state.ended_at,
        "reason": run.reason,
    }
