"""`andon resume` and `andon venue retire`: asked of the guard, which alone proves and carries out."""

import argparse
import sys

import msgspec

from console.commands.ask import NoGuard, ask
from console.commands.output import print_json, print_table
from console.config import ConfigError
from console.desk.pull import Scope
from console.desk.resume import Asked, Judgement, Outcome
from console.desk.words import share

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
        outcome = asked_of(options.desk, asked)
    except RuntimeError as error:
        print(f"andon resume: {error}", file=sys.stderr)
        return FAILED
    if options.json:
        print_json({"exit": code_of(outcome), **msgspec.to_builtins(outcome)})
    else:
        print_outcome(outcome)
    return code_of(outcome)


def asked_of(desk: str | None, asked: Asked) -> Outcome:
    """What the resume guard says. Raises RuntimeError where it was not asked, or did not answer, and ConfigError."""
    return msgspec.json.decode(ask(desk, "resume", **msgspec.structs.asdict(asked)), type=Outcome)


def code_of(outcome: Outcome) -> int:
    return 0 if outcome.resumed else REFUSED if outcome.judgement else WRONG


def print_outcome(outcome: Outcome) -> None:
    """Every proof, and what came of it."""
    if outcome.judgement is not None:
        _lines(outcome.judgement)
    if outcome.resumed:
        print(outcome.said)
    elif outcome.judgement is None:
        print(f"andon resume: {outcome.said}", file=sys.stderr)
    else:
        ways = "; ".join(f"{proof.id} → {proof.way}" for proof in outcome.judgement.missing)
        print(f"andon resume: REFUSED, missing: {ways}", file=sys.stderr)


def _lines(judgement: Judgement) -> None:
    print(f"resume {', '.join(judgement.pulls) or 'the size'} at {share(judgement.size)}")
    print_table(
        [("✓" if proof.holds else "✗", proof.id, proof.said) for proof in judgement.proofs],
        "  ",
    )
    if judgement.stays:
        print(f"  {', '.join(judgement.stays)} would stand on, and keep the gate as shut as they do")


def retire(options: argparse.Namespace) -> int:
    """Prints what the guard says; returns 0 where the venue was taken out, 5 where that was refused."""
    try:
        asked = {"venue": options.venue, "reason": options.reason, "confirm": options.confirm}
        print(ask(options.desk, "retire", **asked))
    except NoGuard as error:
        print(f"andon venue: {error}", file=sys.stderr)
        return FAILED
    except RuntimeError as error:
        print(f"andon venue: REFUSED: {error}", file=sys.stderr)
        return REFUSED
    return 0
