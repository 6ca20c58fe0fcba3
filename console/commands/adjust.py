"""`andon book adjust`: each class of difference with both sides, the broker's first; the guard carries out what was
confirmed."""

import argparse
import sys

import msgspec

from console.commands.ask import ask
from console.commands.output import print_json, print_table
from console.desk.adjust import Outcome, Plan, Row
from console.desk.words import NONE, amount

FAILED = 1
WRONG = 2
REFUSED = 5


def adjust(options: argparse.Namespace) -> int:
    """Prints the differences and asks for each class at a terminal, or takes `--yes`. Returns 0 where book and broker
    are equal in the end, 1 where something differs still, 2 where `--class` names none of them, 5 where the guard
    refused."""
    try:
        return _adjust(options)
    except RuntimeError as error:
        print(f"andon book: {error}", file=sys.stderr)
        return FAILED


def _adjust(options: argparse.Namespace) -> int:
    venue = options.venue or ""
    seen = msgspec.json.decode(ask(options.desk, "differences", venue=venue), type=Outcome)
    asked = tuple(kind.upper() for kind in options.kinds or seen.plan.open)
    strange = [kind for kind in asked if kind not in seen.plan.kinds]
    if not options.json:
        _print(seen.plan)
    if strange and seen.plan.rows:
        there_are = ", ".join(seen.plan.kinds)
        print(f"andon book: nothing is {', '.join(strange)}; there are: {there_are}", file=sys.stderr)
        return WRONG
    kinds = [kind for kind in asked if kind in seen.plan.open and (options.yes or _confirmed(kind, options.json))]
    if kinds:
        told = ask(options.desk, "adjust", venue=venue, kinds=",".join(kinds), shown=seen.plan.digest)
        outcome = msgspec.json.decode(told, type=Outcome)
        code = 0 if outcome.clean else FAILED if outcome.adjusted else REFUSED
    else:
        outcome = seen
        code = 0 if outcome.clean else FAILED if outcome.plan.open else REFUSED
    if options.json:
        print_json({"exit": code, "shown": msgspec.to_builtins(seen.plan), **msgspec.to_builtins(outcome)})
    elif outcome.plan.open and not kinds:
        print(f"{outcome.said}; nothing was changed: confirm with --yes, or answer at a terminal")
    else:
        print(outcome.said, file=sys.stderr if code == REFUSED else sys.stdout)
    return code


def _confirmed(kind: str, as_json: bool) -> bool:
    """Asked only where somebody can answer; otherwise nothing is confirmed."""
    if as_json or not sys.stdin.isatty():
        return False
    return input(f"adjust {kind}? type yes: ").strip().lower() == "yes"


def _print(plan: Plan) -> None:
    for kind in plan.kinds:
        print(f"{kind}")
        for row in plan.of(kind):
            _print_row(row)


def _print_row(row: Row) -> None:
    told = row.adjustment
    print_table([(row.venue, told.subject, f"broker {told.broker}", f"book {told.book}", told.because or NONE)], "  ")
    for change in told.changes:
        print(f"      {change.strategy}: {amount(change.held)} → {amount(change.leaves)}")
    for owned in told.ended:
        print(f"      {owned}: comes off the book")
    for owned in told.set_aside:
        print(f"      {owned}: set aside")
    if row.barred:
        print(f"      ✗ {row.barred}")
