"""What the command line is made of: a parser that says what is wrong in one line, commands of two words, and the forms
of values."""

import argparse
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from importlib import import_module
from typing import NoReturn, Protocol

WRONG = 2
Run = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and where the rest is written."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(WRONG)


class Adds(Protocol):
    """Adds a command to the command line."""

    def __call__(self, name: str, run: Run, says: str, *parents: Parser) -> Parser: ...


class Parts:
    """The second words of a command."""

    def __init__(self, parser: Parser, metavar: str) -> None:
        self._parts = parser.add_subparsers(dest="what", required=True, metavar=metavar, parser_class=Parser)

    def __call__(self, name: str, run: Run, says: str, *, named: str = "") -> Parser:
        part: Parser = self._parts.add_parser(name, help=says, description=says)
        part.add_argument("--desk", metavar="NAME|PATH", default=argparse.SUPPRESS, help="which desk")
        part.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")
        if named:
            part.add_argument("id", metavar=named, help="its name, as the list has it")
        part.set_defaults(run=run)
        return part


def later(module: str, function: str) -> Run:
    """A command that is imported when it is run."""

    def run(options: argparse.Namespace) -> int:
        command: Run = getattr(import_module(f"console.commands.{module}"), function)
        return command(options)

    return run


def nothing(options: argparse.Namespace) -> int:
    """Never run: it stands for a command that needs a second word."""
    return 0


def port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= 65_535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port; a number from 0 (any free one) to 65535 is expected")


def whole(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")


def positive(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if number.is_finite() and number > 0:
        return number
    raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")


def percent(most: int) -> Callable[[str], int]:
    """The form of a whole number of percent, from 1 on."""

    def form(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() else 0
        if 1 <= number <= most:
            return number
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of percent from 1 to {most}")

    return form


def steps(text: str) -> list[int]:
    """The form of step numbers, with commas between."""
    words = text.split(",")
    if all(word.strip().isascii() and word.strip().isdigit() and int(word) for word in words):
        return [int(word) for word in words]
    raise argparse.ArgumentTypeError(f"{text!r} are no numbers of steps; such as 1 or 2,3 is expected")


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; such as 2026-12-25 is expected") from None
