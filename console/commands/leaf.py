"""What a leaf does, done: by the same cord, gate and resume guard as everything else, and then written down."""

import argparse
import contextlib
import io
import json
from typing import NamedTuple, assert_never

import msgspec

from console.commands.kept import Kept
from console.commands.lower import size_now
from console.commands.resume import FAILED, REFUSED, WRONG, asked_of, code_of, print_outcome
from console.config import find
from console.cord.command import main as kill
from console.desk import entries as en
from console.desk.logbook import WalkState
from console.desk.resume import Asked
from console.desk.tree import Investigate, KillSwitch, Resume, Rollback, Throttle, Walk
from console.session import Session

SCOPES = ("venue", "strategy", "symbol")


class Acted(NamedTuple):
    """The exit code of what was done, and what is to be said of it: a sentence, or an object for machines."""

    code: int
    said: object


def command_of(walk: Walk, scope: tuple[str, ...] = ("--all",)) -> list[str]:
    """The command that does what the leaf of a walk wants; words in capitals are to be filled in."""
    reason = why(walk)
    match walk.leaf:
        case KillSwitch() as leaf:
            return ["andon", "kill", *scope, "--level", leaf.level.value, "--reason", reason]
        case Throttle() as leaf:
            rate = ["--rate", str(leaf.rate)] if leaf.rate else []
            return ["andon", "gate", "--lower", str(leaf.size), *rate, "--reason", reason]
        case Resume() as leaf:
            return ["andon", "resume", *scope, "--size", str(leaf.size), "--cause", "CAUSE", "--text", "TEXT"]
        case Rollback() | Investigate():
            return ["andon", "tree", "walk", walk.tree.id, "--act"]
        case None:
            return []
        case _ as never:
            assert_never(never)


def scope_of(options: argparse.Namespace) -> tuple[str, ...]:
    """The scope that the command line names, as `andon kill` takes it; the desk where it names none."""
    words = ((f"--{kind}", name) for kind in SCOPES for name in getattr(options, kind))
    return tuple(word for pair in words for word in pair) or ("--all",)


def why(walk: Walk) -> str:
    """The reason that a pull or a lowered size gets."""
    return f"{walk.tree.id}: {walk.here}"


def act(options: argparse.Namespace, session: Session, kept: Kept, state: WalkState) -> Acted:
    """Do what the leaf that a walk has reached wants, and end the walk where that was done."""
    walk = state.walk
    match walk.leaf:
        case KillSwitch():
            acted, target = _pull(options, walk)
        case Throttle() as leaf:
            kept.write(en.SizeLowered(leaf.size, why(walk), leaf.rate, state.id))
            acted, target = Acted(0, size_now(session)), ""
        case Resume() as leaf:
            acted, target = _resume(options, leaf.size)
        case _:
            acted, target = Acted(0, f"task {state.id} is open; andon task close {state.id} --note TEXT"), ""
    if acted.code not in (FAILED, WRONG, REFUSED):
        note = options.note if options.answers is None else ""
        kept.write(en.LeafActed(state.id, walk.here, target, note))
    return acted


def _pull(options: argparse.Namespace, walk: Walk) -> tuple[Acted, str]:
    pulls: list[str] = []
    words = [*command_of(walk, scope_of(options))[2:], "--origin", "tree", "--desk", str(find(options.desk))]
    words += ["--no-wait"] if options.no_wait else []
    if not options.json:
        code = kill(words, pulls.append)
        return Acted(code, f"pull {''.join(pulls)}"), "".join(pulls)
    with contextlib.redirect_stdout(io.StringIO()) as told:
        code = kill([*words, "--json"], pulls.append)
    return Acted(code, json.loads(told.getvalue() or "null")), "".join(pulls)


def _resume(options: argparse.Namespace, size: int) -> tuple[Acted, str]:
    named = [f"{kind}:{','.join(getattr(options, kind))}" for kind in SCOPES if getattr(options, kind)]
    asked = Asked(
        size=str(size),
        scope=named[0] if named else "desk",
        cause=options.cause,
        text=options.text,
        checked=options.checked,
        confirm=options.confirm,
    )
    try:
        outcome = asked_of(options.desk, asked)
    except RuntimeError as error:
        return Acted(FAILED, f"not resumed: {error}"), ""
    if not options.json:
        print_outcome(outcome)
    pulls = outcome.judgement.pulls if outcome.judgement else ()
    return Acted(code_of(outcome), msgspec.to_builtins(outcome) if options.json else ""), ", ".join(pulls)
