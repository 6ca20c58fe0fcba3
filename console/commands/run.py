"""`andon procedure run`: a procedure, checklist, playbook or rollback gone through step by step, on record."""

import argparse
import sys
from collections.abc import Iterator
from typing import Literal

from console.commands.kept import Kept
from console.commands.output import print_json
from console.commands.past import run_facts
from console.commands.runbooks import named, runnable_of
from console.config import ConfigError, find, glance
from console.desk import entries as en
from console.desk.logbook import RunState, new_id
from console.desk.procedure import Run
from console.desk.words import stamp
from console.runbooks.page import heading, run_page, step_lines
from console.session import Session

FAILED = 1
KEYS = "d done   s REASON skip   o REASON done against the evidence   b back   a REASON abort   q leave"
END_KEYS = "f finish   b back   a REASON abort   q leave"


def run_procedure(options: argparse.Namespace) -> int:
    """Begin a run or go on with the latest; returns 0, or 1 where it could not be written. Raises ConfigError."""
    file = find(options.desk)
    asks = not (options.done or options.skip or options.override or options.undo or options.finish or options.abort)
    if asks and not sys.stdin.isatty():
        raise ConfigError("the steps are ticked on a terminal; without one say --done, --skip, --finish or --abort")
    with Session(glance(file).state) as session:
        kept = Kept(session)
        run = _begun(kept, options).id
        try:
            for entry in _entries(run, options):
                kept.write(entry)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        if asks:
            _ask(kept, run)
        state = kept.logbook.runs[run]
    if options.json:
        print_json({**run_facts(state), "kept": kept.whole})
    elif not asks:
        print("\n".join(run_page(state)))
    else:
        print(f"{run} is {state.ended}" if state.ended else f"go on with: andon procedure run {state.run.id}")
    return 0 if kept.whole else FAILED


def _entries(run: str, options: argparse.Namespace) -> Iterator[en.AnyEntry]:
    """What the command line wants done: marks in the order of the steps, then the end."""
    marks: list[tuple[int, Literal["done", "skipped", "overridden"]]] = [
        *((step, "done") for step in options.done),
        *((step, "skipped") for step in options.skip),
        *((step, "overridden") for step in options.override),
    ]
    yield from (en.StepUnmarked(run, step - 1) for step in options.undo)
    yield from (en.StepMarked(run, step - 1, how, options.note) for step, how in sorted(marks))
    if options.finish:
        yield en.RunFinished(run)
    if options.abort:
        yield en.RunAborted(run, options.abort)


def _begun(kept: Kept, options: argparse.Namespace) -> RunState:
    """The run to go on with: the latest that is not over, on the version it began with, or a new one."""
    going = None if options.new else kept.logbook.unfinished_run(options.id)
    if going is not None:
        began = f"{going.actor} began {stamp(going.at)} with version {going.run.version}"
        print(f"andon: going on with {going.id}, which {began}; --new begins anew", file=sys.stderr)
        return going
    found = named(options.id, "procedure", runnable_of(options.desk))
    run = new_id(found.id)
    of: Literal["procedure", "checklist", "playbook", "rollback"] = found.kind  # type: ignore[assignment]
    kept.write(en.RunBegun(run, of, Run.of(found.spec)))
    return kept.logbook.runs[run]


def _ask(kept: Kept, run: str) -> None:
    """Step by step, until the run is over or its user leaves."""
    state = kept.logbook.runs[run]
    print(f"{state.run.title}\n{run} · version {state.run.version}\n\n  {KEYS}")
    section, shown = "", -1
    while not (state := kept.logbook.runs[run]).ended:
        here = state.run.here
        if here is None:
            print(f"\nevery step was gone through\n\n  {END_KEYS}")
        elif here != shown:
            section, shown = _show(state.run, here, section), here
        try:
            told = input("> ").strip()
        except EOFError:
            return
        word, _, rest = told.partition(" ")
        if word == "q":
            return
        try:
            kept.write(_meant(state, word, rest.strip()))
        except ValueError as error:
            print(f"andon: {error}", file=sys.stderr)


def _show(run: Run, step: int, shown: str) -> str:
    """Print a step, and its section's heading where that was not `shown` just before; returns the section's title."""
    number = step
    for section in run.sections:
        if number < len(section.steps):
            if section.title != shown:
                print(f"\n{heading(section)}")
            print("\n".join(step_lines(step + 1, section.steps[number])))
            return section.title
        number -= len(section.steps)
    return shown


def _meant(state: RunState, word: str, note: str) -> en.AnyEntry:
    """The entry that a typed line stands for. Raises ValueError."""
    here = state.run.here
    match word:
        case "d" | "s" | "o" if here is not None:
            how: dict[str, Literal["done", "skipped", "overridden"]] = {"d": "done", "s": "skipped", "o": "overridden"}
            return en.StepMarked(state.id, here, how[word], note)
        case "f" if here is None:
            return en.RunFinished(state.id)
        case "b":
            last = max((step for step in state.run.marks if here is None or step < here), default=None)
            if last is None:
                raise ValueError("this is the first step; there is nothing to take back")
            return en.StepUnmarked(state.id, last)
        case "a":
            return en.RunAborted(state.id, note)
    raise ValueError(f"{word!r} is not known here: {END_KEYS if here is None else KEYS}")
