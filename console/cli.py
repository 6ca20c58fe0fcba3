"""The command line: what can be asked for, and nothing of how it is done. Each command is imported when it is run.

Whatever a user did wrong ends as one sentence on stderr and exit code 2, never as a traceback.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal

from console.cli_archive import archive_words
from console.cli_incident import incident_words
from console.cli_runbooks import runbook_words
from console.cli_words import WRONG, Parser, percent, port, positive, whole
from console.config import NOT_YOURS, ConfigError
from console.desk.words import printable

INTERRUPTED = 128 + signal.SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(words)
        sys.stdout.flush()
    except ConfigError as error:
        print("\n".join(map(printable, f"andon: {error}".split("\n"))), file=sys.stderr)
        return WRONG
    except PermissionError as error:
        print(f"andon: {error.filename}: {error.strerror}; {NOT_YOURS}", file=sys.stderr)
        return WRONG
    except MemoryError:
        print("andon: there is not enough memory for that, so nothing was proven", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has enough; leave nothing that Python could flush into it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return code


def _run(words: list[str]) -> int:
    at = _command_at(words)
    if at < len(words) and words[at] == "kill":  # has a parser of its own, made of the standard library alone
        return _kill([*words[at + 1 :], *words[:at]])
    options = _parser().parse_args(words, argparse.Namespace(desk=None))
    command: Callable[[argparse.Namespace], int] = options.run
    return command(options)


def _command_at(words: Sequence[str]) -> int:
    """Where the command stands behind the options that every command has."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] == "--desk" else 1
    return at


def _kill(words: list[str]) -> int:
    from console.cord.command import main as kill

    return kill(words)


# --- the commands ---------------------------------------------------------------------------------------------------


def _console(options: argparse.Namespace) -> int:
    from console.commands.open import open_console

    return open_console(options.desk, read_only=options.read_only, mouse=not options.no_mouse)


def _demo(options: argparse.Namespace) -> int:
    from console.demo import demo

    return demo(options)


def _simulate(options: argparse.Namespace) -> int:
    from console.demo import simulate

    return simulate(options)


def _guard(options: argparse.Namespace) -> int:
    from console.commands.guard import guard

    return guard(options.desk, options.http_port)


def _status(options: argparse.Namespace) -> int:
    from console.commands.status import status

    return status(options.desk, as_json=options.json)


def _gate(options: argparse.Namespace) -> int:
    if options.lower is not None:
        from console.commands.lower import lower

        return lower(options)
    from console.commands.gate import gate, print_shipped

    if options.client or options.schema:
        return print_shipped("gate_client.py" if options.client else "gate.schema.json")
    return gate(options.desk, as_json=options.json)


def _book(options: argparse.Namespace) -> int:
    from console.commands.book import book

    if options.what == "adjust":
        from console.commands.adjust import adjust

        return adjust(options)
    return book(options.desk, as_json=options.json)


def _info(options: argparse.Namespace) -> int:
    from console.commands.info import info

    return info(options.desk, as_json=options.json)


def _token(options: argparse.Namespace) -> int:
    from console.commands.token import token

    return token(options.desk, options.what, options.name, as_json=options.json)


def _drill(options: argparse.Namespace) -> int:
    from console.commands.drill import list_drills, run

    if options.what == "list":
        return list_drills(options.desk, as_json=options.json)
    return run(options.desk, options.id, options.level, as_json=options.json)


def _journal(options: argparse.Namespace) -> int:
    from console.commands.journal import verify_journal

    return verify_journal(options.desk, as_json=options.json)


def _resume(options: argparse.Namespace) -> int:
    from console.commands.resume import resume

    return resume(options)


def _venue(options: argparse.Namespace) -> int:
    from console.commands.resume import retire

    return retire(options)


def _check(options: argparse.Namespace) -> int:
    from console.commands.check import check, print_schema

    if options.schema is not None:
        return print_schema(options.schema, as_json=options.json)
    return check(options.path, options.desk, as_json=options.json)


def _init(options: argparse.Namespace) -> int:
    from console.commands.init import init

    return init(options.folder)


# --- the words ------------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    from console import __version__

    anywhere = Parser(add_help=False)
    anywhere.add_argument(
        "--desk",
        metavar="NAME|PATH",
        default=argparse.SUPPRESS,
        help="which desk: its name, or a desk.yaml or its folder (default: $ANDON_DESK, else the only one there is)",
    )
    asked = Parser(add_help=False, parents=[anywhere])
    asked.add_argument("--json", action="store_true", help="print one JSON object for machines")

    parser = Parser(prog="andon", description="The stop cord for automated trading desks.", parents=[anywhere])
    parser.add_argument("--version", action="version", version=f"andon {__version__}")
    parser.add_argument("--read-only", action="store_true", help="look only: the cord and every action are off")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    parser.set_defaults(run=_console)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)

    def command(name: str, run: Callable[[argparse.Namespace], int], says: str, *parents: Parser) -> Parser:
        made = commands.add_parser(name, help=says, description=says, parents=list(parents))
        made.set_defaults(run=run)
        return made

    demo = command("demo", _demo, "a simulated desk with broker, strategies and guard, on your screen")
    _simulation(demo)
    demo.add_argument("--fresh", action="store_true", help="move the former state aside and begin anew")
    demo.add_argument("--http-port", type=port, default=0, metavar="P", help="the guard's HTTP port (default: any)")
    demo.add_argument("--quiet", type=whole, default=60, metavar="S", help="seconds of the cord's quiet clock")
    demo.add_argument("--headless", action="store_true", help="no screen: run, then report what went on")
    demo.add_argument(
        "--seconds", type=positive, metavar="S", help="with --headless: for so long (default: until Ctrl-C)"
    )
    demo.add_argument("--json", action="store_true", help="with --headless: report as one JSON object")

    _simulation(command("simulate", _simulate, "the simulated broker and strategies alone, for a guard of your own"))

    guard = command("guard", _guard, "watch a desk in the foreground", anywhere)
    guard.add_argument("--http-port", type=port, metavar="P", help="serve HTTP on 127.0.0.1:P (0: any free port)")

    command("status", _status, "the desk in a few lines; the exit code tells the cord's verdict", asked)
    gate = command("gate", _gate, "what the gate says now, read as strategies read it", asked)
    gate.add_argument("--client", action="store_true", help="print the one-file client that a strategy copies")
    gate.add_argument("--lower", type=percent(99), metavar="PCT", help="lower the size to so many percent; never asks")
    gate.add_argument("--rate", type=percent(100), metavar="PCT", help="with --lower: the order rate (else the same)")
    gate.add_argument("--reason", metavar="TEXT", default="", help="with --lower: why")
    gate.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of gate.json and of the latch's lines"
    )
    book = command("book", _book, "book and broker side by side; `adjust` brings the books to broker truth", asked)
    book.add_argument("what", nargs="?", choices=["adjust"], help="show what would be made of each difference, and ask")
    book.add_argument("--venue", metavar="V", help="with adjust: this venue alone")
    book.add_argument(
        "--class", action="append", dest="kinds", metavar="C", help="with adjust: this class, UNREPORTED_FILL say"
    )
    book.add_argument("--yes", action="store_true", help="with adjust: confirm them, nobody is asked")
    command("info", _info, "where everything lies", asked)
    command("kill", _console, "pull the cord: see andon kill --help")

    tokens = command("token", _token, "who may use the guard's HTTP", asked)
    tokens.add_argument("what", choices=["list", "add", "revoke"], help="name them, make a new one, take one away")
    tokens.add_argument("name", nargs="?", metavar="NAME", help="whose token; it stands in the journal")

    resume = command("resume", _resume, "take the way back: passes the resume guard", asked)
    resume.add_argument("--size", required=True, choices=["25", "100", "former"], help="percent of the normal size")
    which = resume.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_const", const="desk", dest="scope", help="every pull that stands")
    for kind, letter in (("venue", "V"), ("strategy", "S"), ("symbol", "X")):
        which.add_argument(
            f"--{kind}", type=f"{kind}:{{}}".format, dest="scope", metavar=letter, help=f"pulls of this {kind} alone"
        )
    which.add_argument("--pull", metavar="ID", default="", help="this pull alone")
    resume.add_argument("--cause", required=True, choices=["own-fix", "external", "mistaken"], help="why it stopped")
    resume.add_argument("--text", required=True, metavar="TEXT", help="what the cause was")
    resume.add_argument("--checked", metavar="TEXT", default="", help="how an own fix was verified outside production")
    resume.add_argument("--confirm", metavar="DESKNAME", default="", help="the desk's name, typed")

    venue = command("venue", _venue, "take a venue out that is gone for good", anywhere)
    venue.add_argument("what", choices=["retire"], help="from now on it proves nothing and is asked for no proof")
    venue.add_argument("venue", metavar="V", help="its name in desk.yaml")
    venue.add_argument("--reason", required=True, metavar="TEXT", help="why it is gone for good")
    venue.add_argument("--confirm", metavar="DESKNAME", default="", help="the desk's name, typed")

    journal = command("journal", _journal, "prove the journal unchanged", asked)
    journal.add_argument(
        "what", choices=["verify"], metavar="verify", help="check every writer's chain from its first line to its last"
    )

    drill = command("drill", _drill, "pull the cord on a simulated desk, measure it and file a report", asked)
    drill.add_argument("what", choices=["list", "run"], help="list: what there is, and what was done; run: do one")
    drill.add_argument("id", nargs="?", metavar="ID", help="with run: which drill (kill-switch)")
    drill.add_argument("--level", choices=["L3", "L4"], default="L4", help="how hard to pull (default L4: flatten too)")

    check = command("check", _check, "lint a desk.yaml, its contacts.yaml and its runbooks", asked)
    check.add_argument(
        "path", nargs="?", metavar="PATH", help="a desk.yaml, its folder, or runbooks (default: the desk's and ours)"
    )
    check.add_argument(
        "--schema",
        nargs="?",
        const="",
        metavar="KIND",
        help="print a kind's JSON Schema; without KIND: the kinds",
    )

    runbook_words(command, asked)
    incident_words(command, asked)
    archive_words(command, asked)

    init = command(
        "init", _init, "write a commented desk.yaml and contacts.yaml, a key file to fill in, and a systemd unit"
    )
    init.add_argument("folder", nargs="?", default=".", metavar="DIR", help="where to (default: here)")
    return parser


def _simulation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=port, default=0, metavar="P", help="the broker's port (default: any free one)")
    parser.add_argument("--seed", type=whole, default=7, metavar="N", help="the market's seed (default 7)")
    parser.add_argument("--speed", type=positive, default=Decimal(30), metavar="X", help="market seconds a second (30)")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME[:ARG]", help="switch a fault on; repeatable"
    )
