"""What can be made to go wrong, one table entry a fault, switched on for one account or for all.

`--fault NAME[:VENUE][:ARG]` at start, `POST /_control/faults` while running. Faults of the *wire* change how a request
is answered (`server`), faults of the *book* change what the broker does (`broker`), faults of the *stream* what
listeners hear. The control endpoint is never affected.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from adapters.simulator.market import LISTINGS

LOG = logging.getLogger("broker")

CATALOGUE = {
    # the wire; ARG is a number of seconds where one is named
    "hang": "carries the request out and never answers",
    "hang_before_accept": "reads the request, does nothing and never answers",
    "slow": "answers ARG seconds late (default 1)",
    "refuse": "closes the connection without reading or answering",
    "reset": "resets the connection in the middle of the answer",
    "close_warm": "answers, then closes the kept-alive connection unannounced, ARG seconds later (default 0)",
    "error500": "answers 500 with a JSON body and does nothing",
    "html502": "answers 502 with a web page and does nothing",
    "gateway504": "carries writes out and answers 504",
    "late_accept": "carries writes out ARG seconds late, whether or not anybody still waits (default 1)",
    "rate_limited": "answers 429 with Retry-After: ARG (default 1)",
    "unauthorized": "answers 401 as if the key had been revoked",
    "truncated_json": "cuts JSON answers in the middle",
    "wrong_types": "answers reads with JSON of another shape",
    "wrong_values": "answers reads with ids that are null and with false for every other value",
    "echoes_keys": "tells in each answer's headers, and in the body of refusals, which keys it was asked with",
    # the book
    "partial_207": "fails the first ARG cancels of one order with 500 (default 1); ARG may be forever or an order id",
    "stuck_pending_cancel": "accepts cancels and leaves orders (or the one with id ARG) pending_cancel until cleared",
    "late_fill": "fills one canceled order ARG seconds after its cancel (default 2)",
    "no_fills": "fills nothing",
    "rejects": "accepts orders and rejects them behind the answer",
    "account_blocked": "refuses new orders because trading is blocked",
    "ghost_position": "makes a position appear without a fill, once; ARG is SYMBOL or SYMBOL/QTY (default AAPL/100)",
    "runaway_strategy": "sends ARG resting orders a second into the account (default 1), named by nobody",
    "market_closed": "closes the market out of hours",
    "clock_skew": "sets the venue's clock call off by ARG minutes (default 5)",
    "stale_bars": "stops market data (of the symbol ARG) where it is",
    # the stream
    "dropped_fill": "does not send fills on the stream",
    "duplicate_fill": "sends each fill twice on the stream",
    "stream_closed": "closes the stream and refuses it",
    "stream_silent": "sends nothing on the stream",
}


class FaultError(Exception):
    """A fault that can not be switched on; the text is one sentence for the user."""


@dataclass(slots=True)
class Fault:
    """A fault that is on. `venue` None is all accounts. `methods` narrows a fault of the wire to some HTTP methods,
    `path` to paths that begin so (that are just so, where it ends in $), `times` to so many requests. `since` is wall
    ns; `memory` is the fault's own."""

    name: str
    venue: str | None = None
    arg: str | None = None
    methods: tuple[str, ...] = ()
    path: str = ""
    times: int | None = None
    since: int = 0
    memory: dict[str, str] = field(default_factory=dict)

    def number(self, default: float) -> float:
        return default if self.arg is None else float(self.arg)

    def meets(self, method: str, path: str) -> bool:
        """Whether a fault of the wire concerns such a request."""
        there = path == self.path[:-1] if self.path.endswith("$") else path.startswith(self.path)
        return there and (not self.methods or method in self.methods)

    def shown(self) -> dict[str, object]:
        return {"name": self.name, "venue": self.venue, "arg": self.arg, "methods": self.methods, "path": self.path}


NUMBER = re.compile(r"-?\d+(\.\d+)?")
ARGUMENTS = {
    "slow": (NUMBER, "a number of seconds"),
    "late_accept": (NUMBER, "a number of seconds"),
    "close_warm": (NUMBER, "a number of seconds"),
    "rate_limited": (NUMBER, "a number of seconds"),
    "late_fill": (NUMBER, "a number of seconds"),
    "runaway_strategy": (NUMBER, "a number of orders a second"),
    "clock_skew": (NUMBER, "a number of minutes"),
    "partial_207": (re.compile(r"\d+|forever|[0-9a-f-]{36}"), "a number, forever or an order id"),
    "ghost_position": (re.compile(rf"({'|'.join(LISTINGS)})(/-?\d+(\.\d+)?)?"), "SYMBOL or SYMBOL/QTY"),
    "stale_bars": (re.compile("|".join(LISTINGS)), "a symbol"),
    "stuck_pending_cancel": (re.compile(r"[0-9a-f-]{36}"), "an order id"),
}


class FaultBoard:
    """The faults that are on. `wall` is a monotonic clock in ns."""

    def __init__(self, venues: Iterable[str], wall: Callable[[], int] = time.monotonic_ns) -> None:
        self._venues = tuple(venues)
        self._wall = wall
        self.active: list[Fault] = []

    def parse(self, text: str) -> Fault:
        """`NAME[:VENUE][:ARG]`; what follows the name is a venue if there is one of that name, else the argument."""
        name, _, rest = text.partition(":")
        venue, _, arg = rest.partition(":")
        if venue and venue not in self._venues:
            venue, arg = "", rest
        return Fault(name, venue or None, arg or None)

    def switch_on(self, fault: Fault) -> None:
        """Raises FaultError. A fault of the same name and venue is replaced."""
        if fault.name not in CATALOGUE:
            raise FaultError(f"unknown fault {fault.name!r}: one of {', '.join(sorted(CATALOGUE))} is expected")
        if fault.venue is not None and fault.venue not in self._venues:
            raise FaultError(f"fault {fault.name}: unknown venue {fault.venue!r}; there are {', '.join(self._venues)}")
        if fault.arg is not None:
            pattern, wanted = ARGUMENTS.get(fault.name, (None, "no argument"))
            if pattern is None or not pattern.fullmatch(fault.arg):
                raise FaultError(f"fault {fault.name}: {fault.arg!r} is not understood; {wanted} is expected")
        fault.since = self._wall()
        self.switch_off(fault.name, fault.venue, exactly=True)
        self.active.append(fault)
        LOG.info("fault %s is on for %s", fault.name, fault.venue or "all")

    def switch_off(self, name: str | None, venue: str | None = None, *, exactly: bool = False) -> int:
        """Ends the faults of this name (None: of every name), at one venue or everywhere. Says how many there were."""
        before = len(self.active)
        self.active = [
            fault
            for fault in self.active
            if (name is not None and fault.name != name) or ((exactly or venue) and fault.venue != venue)
        ]
        return before - len(self.active)

    def find(self, name: str, venue: str) -> Fault | None:
        """The fault of this name that concerns a venue."""
        for fault in self.active:
            if fault.name == name and fault.venue in (None, venue):
                return fault
        return None

    def on_wire(self, name: str, venue: str, method: str, path: str) -> Fault | None:
        """The same for one request, which is counted against the fault's `times`."""
        fault = self.find(name, venue)
        if fault is None or not fault.meets(method, path):
            return None
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.active.remove(fault)
        return fault
