"""`andon resume` and `andon venue retire`: asked of the guard, which alone proves and carries out."""

import argparse
import contextlib
import sys
from collections.abc import Iterator

import msgspec

from console.commands.output import print_json, print_table
from console.config import ConfigError, find, glance
from console.desk.pull import Scope
from console.desk.resume import Asked, Judgement, Outcome
from console.desk.words import share
from console.session import Session

FAILED = 1
WRONG = 2
REFUSED = 5


def resume(options: argparse.Namespace) -> int:
    """Prints every proof; returns 0 where the desk was resumed, 5 where a proof is missing. Raises ConfigError."""
    try:
        scope = str(Scope.parse(options.scope)) if options.scope else ""
    except ValueError as error:
        raise ConfigError(str(error)) from None
    asked = Asked(
        size=options.size,
        scope=scope,
        pull=options.pull,
        cause=options.cause,
        text=options.text,
        checked=options.checked,
        confirm=options.confirm,
    )
    try:
        with _guarded(options.desk) as session:
            outcome = asked_of(session, asked)
    except RuntimeError as error:
        print(f"andon resume: {error}", file=sys.stderr)
        return FAILED
    if options.json:
        print_json({"exit": code_of(outcome), **msgspec.to_builtins(outcome)})
    else:
        print_outcome(outcome)
    return code_of(outcome)


def asked_of(session: Session, asked: Asked) -> Outcome:
    """What the resume guard says to it. Raises RuntimeError where it was not asked, or did not answer."""
    answer = session.command("resume", **msgspec.structs.asdict(asked))
    return msgspec.json.decode(answer, type=Outcome)


def code_of(outcome: Outcome) -> int:
    return 0 if outcome.resumed else REFUSED if outcome.judgement else WRONG


def print_outcome(outcome: Outcome) -> None:
    """Every proof, and what came out."""
    if outcome.judgement is not None:
        _lines(outcome.judgement)
    if outcome.resumed:
        print(outcome.said)
    else:
        refused = "REFUSED: " if outcome.judgement else ""
        print(f"andon resume: {refused}{outcome.said}", file=sys.stderr)


def _lines(judgement: Judgement) -> None:
    print(f"resume {', '.join(judgement.pulls) or 'the size'} at {share(judgement.size)}")
    print_table(
        [
            ("✓" if proof.holds else "✗", proof.id, proof.said, f"→ {proof.way}" if proof.way else "")
            for proof in judgement.proofs
        ],
        "  ",
    )
    if judgement.stays:
        print(f"  {', '.join(judgement.stays)} would stand on, and keep the gate as shut as they do")


def retire(options: argparse.Namespace) -> int:
    """Prints what the guard says; returns 0 where the venue was taken out, 5 where that was refused."""
    try:
        asked = {"venue": options.venue, "reason": options.reason, "confirm": options.confirm}
        with _guarded(options.desk) as session:
            print(session.command("retire", **asked))
    except NoGuard as error:
        print(f"andon venue: {error}", file=sys.stderr)
        return FAILED
    except RuntimeError as error:
        print(f"andon venue: REFUSED: {error}", file=sys.stderr)
        return REFUSED
    return 0


class NoGuard(RuntimeError):
    """Nobody is there who could prove anything."""


@contextlib.contextmanager
def _guarded(desk: str | None) -> Iterator[Session]:
    """A session with the desk's guard. Raises NoGuard."""
    with Session(glance(find(desk)).state) as session:
        if session.down:
            raise NoGuard(f"{session.down}, and only a guard can prove the way back: andon guard")
        yield session
