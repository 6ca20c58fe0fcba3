"""`andon kill`: from the command line to the guard's socket before anything is imported that could take a millisecond.
What stands at the top of this file, of request.py and of where.py is all that runs until then.

    andon kill (--all | --venue V … | --strategy S … | --symbol X …) [--level L1..L4] [--reason TEXT]
               [--keep-protective] [--own-only] [--wait SECONDS | --no-wait] [--json] [--desk NAME|PATH]
"""

import _thread
import os
import sys
import time

TYPE_CHECKING = False  # typing itself costs milliseconds
if TYPE_CHECKING:
    from typing import Any

    from console.cord.known import Doubt
    from console.cord.plan import Plan
    from console.cord.report import Report
    from console.cord.request import PullRequest

EXTRA_SECONDS = 30.0
LOOK_FIRST, LOOK_AGAIN = 1.0, 10.0
DISK_PATIENCE = 5.0
USAGE = (
    "usage: andon kill (--all | --venue V | --strategy S | --symbol X) [--level L1|L2|L3|L4] [--reason TEXT]\n"
    "                  [--keep-protective] [--own-only] [--wait SECONDS | --no-wait] [--json] [--desk NAME|PATH]"
)
HELP = f"""{USAGE}

Stops the desk, a venue, a strategy's orders or symbols, and waits for the venues to prove it.

  --all              the whole desk: every order at every venue, whoever sent it
  --venue V          one venue; may be repeated, as --strategy and --symbol may
  --level L          L1 pause entries, L2 disable strategies, L3 halt and cancel (unless said), L4 flatten as well
  --keep-protective  leave the stops that can do nothing but reduce a position; L1 to L3
  --own-only         leave orders that the strategies did not send (--strategy always does); L1 to L3
  --reason TEXT      why, for the timeline
  --wait SECONDS     how long to wait for the proof; else the quiet time and 30 s
  --no-wait          do not wait: exit 6 when the request has left
  --json             one JSON object at the end
  --desk D           a desk's name, its desk.yaml or its state folder; else $ANDON_DESK, else the only one

The guard is asked first; without its answer in 250 ms the cancels leave from here. The pull goes on when this command
ends. A symbol that no strategy and no venue knows is refused, and is no success where that shows only later.
Exit: 0 VERIFIED, 2 wrong usage, 3 PARTIAL, 4 UNKNOWN, 6 REQUESTED."""


class Usage(Exception):
    """The command line makes no sense; the message says where."""


class Wanted:
    """The command line, understood."""

    def __init__(self, arguments: "list[str]") -> None:
        self.level = "L3"
        self.reason = ""
        self.desk = ""
        self.wait = -1.0
        self.json = False
        self.origin = "cli"
        self.keep_protective = False
        self.own_only = False
        kinds: dict[str, list[str]] = {}
        rest = [part for word in arguments for part in _split(word)]
        while rest:
            word = rest.pop(0)
            if word == "--all":
                kinds["desk"] = []
            elif word in ("--venue", "--strategy", "--symbol"):
                kinds.setdefault(word[2:], []).append(_value(word, rest))
            elif word == "--level":
                self.level = _value(word, rest).upper()
            elif word in ("--reason", "--desk"):
                setattr(self, word[2:], _value(word, rest))
            elif word == "--wait":
                self.wait = _seconds(_value(word, rest))
            elif word == "--no-wait":
                self.wait = 0.0
            elif word in ("--json", "--keep-protective", "--own-only"):
                setattr(self, word[2:].replace("-", "_"), True)
            elif word == "--drill":  # `andon drill` pulls like anybody else, and says so
                self.origin = "drill"
            else:
                raise Usage(f"{word} is not known here")
        if self.level not in ("L1", "L2", "L3", "L4"):
            raise Usage(f"--level {self.level} is not known: L1, L2, L3 or L4")
        if len(kinds) != 1:
            raise Usage("say what to stop, in one way: --all, --venue, --strategy or --symbol")
        kind, names = next(iter(kinds.items()))
        self.scope = kind if kind == "desk" else f"{kind}:{','.join(names)}"


def _split(word: str) -> "list[str]":
    name, equals, value = word.partition("=")
    return [name, value] if equals and name.startswith("--") else [word]


def _value(word: str, rest: "list[str]") -> str:
    if not rest or not rest[0].strip():
        raise Usage(f"{word} needs a value")
    return rest.pop(0)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise Usage(f"--wait {text} is not a number of seconds")
    return seconds


def _give_up_on_a_dead_disk(answers: "list[bool]") -> None:
    """A network disk without its server keeps whoever looks for a file, for ever, and no signal wakes him."""
    time.sleep(DISK_PATIENCE)
    if not answers:
        print(
            f"andon kill: the state folder does not answer for {DISK_PATIENCE:g} s, and nothing was sent from here: "
            "press K in a console that is open, or phone the brokers",
            file=sys.stderr,
            flush=True,
        )
        os._exit(4)


def main(arguments: "list[str]") -> int:
    """Pull, wait and tell. Returns the exit code of DESIGN: 0, 2, 3, 4 or 6."""
    if "-h" in arguments or "--help" in arguments:
        print(HELP)
        return 0
    try:
        wanted = Wanted(arguments)
    except Usage as error:
        print(f"andon kill: {error}\n{USAGE}", file=sys.stderr)
        return 2
    from console.cord.request import PullRequest, put
    from console.cord.where import NoDesk, state_folder

    answers: list[bool] = []
    _thread.start_new_thread(_give_up_on_a_dead_disk, (answers,))
    try:
        folder = state_folder(wanted.desk)
    except NoDesk as error:
        print(f"andon kill: {error}", file=sys.stderr)
        return 2
    doubt = _doubt(folder, wanted.scope, LOOK_FIRST) if wanted.scope.startswith("symbol:") else None
    if doubt and doubt.certain:
        print(f"andon kill: {doubt}; nothing was stopped", file=sys.stderr)
        return 2
    if doubt:
        print(f"andon kill: {doubt}; pulled all the same", file=sys.stderr)
    request = PullRequest(
        level=wanted.level,
        scope=wanted.scope,
        reason=wanted.reason,
        origin=wanted.origin,
        keep_protective=wanted.keep_protective,
        own_only=wanted.own_only,
    )
    asked = put(folder, request.line())
    answers.append(True)
    code = _see_through(wanted, folder, request, asked)
    if code == 0 and doubt and (doubt := _doubt(folder, wanted.scope, LOOK_AGAIN)):
        print(f"andon kill: halted all the same, but {doubt}", file=sys.stderr)
        return 2
    return code


def _doubt(folder: str, scope: str, within: float) -> "Doubt | None":
    """Whether the scope names a symbol that nobody knows. Symbols that the plan knows cost no question; another one
    has no bulk cancel that would have to wait for the answer."""
    from console.cord.known import doubt_about
    from console.cord.plan import Plan, PlanError
    from console.desk.pull import Scope

    try:
        return doubt_about(Plan.load(folder), Scope.parse(scope), within)
    except (PlanError, ValueError):
        return None  # it is said where the pull fails of it


def _see_through(wanted: Wanted, folder: str, request: "PullRequest", asked: int) -> int:
    """The bytes have left, or there was no guard: from here on there is time to import."""
    import json
    import threading

    from console.cord.plan import PlanError
    from console.cord.puller import Carrier, PullRefused, see_through, user_name
    from console.cord.report import Report

    request.actor = user_name()
    plan = _plan(folder)
    report = Report(request.id, request.spares, plan.retired if plan else {})
    done = threading.Event()
    failed: list[str] = []

    def tell(event: "dict[str, Any]") -> None:
        line = report.feed(event)
        if line and not done.is_set():
            print(line, file=sys.stderr if wanted.json else sys.stdout, flush=True)
        if report.verdict.rank == 0 or (wanted.wait == 0 and _all_sent(report)):
            done.set()

    def carry() -> None:
        try:
            see_through(folder, request, asked, Carrier(tell, done.is_set), None)
        except (PullRefused, PlanError, ValueError) as error:
            failed.append(str(error))
        except OSError as error:
            failed.append(f"the pull could not be handed on: {error}")
        done.set()

    threading.Thread(target=carry, daemon=True).start()
    try:
        done.wait(_patience(wanted, plan))
    except KeyboardInterrupt:
        print("andon kill: no longer waiting; the pull goes on", file=sys.stderr)
    done.set()
    if failed:
        print(f"andon kill: {failed[0]}", file=sys.stderr)
        return 2
    if wanted.json:
        print(json.dumps(report.object(), ensure_ascii=False))
    else:
        _sum_up(report, plan)
    return report.verdict.exit_code


def _plan(folder: str) -> "Plan | None":
    """What cord.json tells of retired venues, of the quiet time and of whom to call."""
    from console.cord.plan import Plan, PlanError

    try:
        return Plan.load(folder)
    except PlanError:
        return None


def _patience(wanted: Wanted, plan: "Plan | None") -> float:
    """How long to wait. Without a wait it is still until every request has left."""
    if wanted.wait >= 0:
        return wanted.wait or 2.0
    return (plan.quiet if plan else 60) + EXTRA_SECONDS


def _all_sent(report: "Report") -> bool:
    return bool(report.proving) and all(venue["verdict"] != "UNKNOWN" for venue in report.proving.values())


def _sum_up(report: "Report", plan: "Plan | None") -> None:
    for line in report.retired_lines:
        print(line)
    if report.verdict.rank == 0:
        print(f"VERIFIED  {report.level} {report.scope}: every venue has proven it")
        for name, told in report.venues.items():
            for order in told["kept"]:
                print(f"kept at {name}: {order}")
        return
    print(f"{report.verdict}  {report.level} {report.scope}: {report.venues_text or 'nothing heard from any venue'}")
    for line in report.call(plan) if plan else []:
        print(line)
    print("the pull goes on; watch it with: andon status")
