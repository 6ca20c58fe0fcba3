"""`andon kill`: from the command line to the guard's socket before anything is imported that could take a millisecond.
What stands at the top of this file, of request.py and of where.py is all that runs until then.

    andon kill (--all | --venue V … | --strategy S … | --symbol X …) [--level L1..L4] [--reason TEXT]
               [--keep-protective] [--own-only] [--wait SECONDS | --no-wait] [--json] [--desk NAME|PATH]
"""

import sys

TYPE_CHECKING = False  # typing itself costs milliseconds
if TYPE_CHECKING:
    from typing import Any

    from console.cord.report import Report
    from console.cord.request import PullRequest

EXTRA_SECONDS = 30.0
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
ends. Exit: 0 VERIFIED, 2 wrong usage, 3 PARTIAL, 4 UNKNOWN, 6 REQUESTED."""


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

    try:
        folder = state_folder(wanted.desk)
    except NoDesk as error:
        print(f"andon kill: {error}", file=sys.stderr)
        return 2
    request = PullRequest(
        level=wanted.level,
        scope=wanted.scope,
        reason=wanted.reason,
        origin=wanted.origin,
        keep_protective=wanted.keep_protective,
        own_only=wanted.own_only,
    )
    return _see_through(wanted, folder, request, put(folder, request.line()))


def _see_through(wanted: Wanted, folder: str, request: "PullRequest", asked: int) -> int:
    """The bytes have left, or there was no guard: from here on there is time to import."""
    import json
    import threading

    from console.cord.plan import PlanError
    from console.cord.puller import Carrier, PullRefused, see_through, user_name
    from console.cord.report import Report

    request.actor = user_name()
    report = Report(request.id, request.spares)
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
        done.wait(_patience(wanted, folder))
    except KeyboardInterrupt:
        print("andon kill: no longer waiting; the pull goes on", file=sys.stderr)
    done.set()
    if failed:
        print(f"andon kill: {failed[0]}", file=sys.stderr)
        return 2
    if wanted.json:
        print(json.dumps(report.object(), ensure_ascii=False))
    else:
        _sum_up(report, folder)
    return report.verdict.exit_code


def _patience(wanted: Wanted, folder: str) -> float:
    """How long to wait. Without a wait it is still until every request has left."""
    from console.cord.plan import Plan, PlanError

    if wanted.wait > 0:
        return wanted.wait
    if wanted.wait == 0:
        return 2.0
    try:
        return Plan.load(folder).quiet + EXTRA_SECONDS
    except PlanError:
        return 60 + EXTRA_SECONDS


def _all_sent(report: "Report") -> bool:
    return bool(report.venues) and all(venue["verdict"] != "UNKNOWN" for venue in report.venues.values())


def _sum_up(report: "Report", folder: str) -> None:
    if report.verdict.rank == 0:
        print(f"VERIFIED  {report.level} {report.scope}: every venue has proven it")
        for name, told in report.venues.items():
            for order in told["kept"]:
                print(f"kept at {name}: {order}")
    else:
        print(
            f"{report.verdict}  {report.level} {report.scope}: {report.venues_text or 'nothing heard from any venue'}"
        )
        for line in _call(report, folder):
            print(line)
        print("the pull goes on; watch it with: andon status")


def _call(report: "Report", folder: str) -> "list[str]":
    """Whom to call, as cord.json knows them."""
    from console.cord.plan import Plan, PlanError

    try:
        return report.call(Plan.load(folder))
    except PlanError:
        return []
