"""Ask Andon's gate before every order. One file, standard library only: copy it into your strategy.

    gate = Gate("/var/lib/andon/main", venue="alpaca", strategy="momentum")
    answer = gate.ask("AAPL")
    if answer.state == "HALTED":        # send nothing at all
    if answer.state == "CLOSE_ONLY":    # send only what reduces a position
    if answer.state == "REDUCED":       # multiply size by answer.size_factor, order rate by answer.rate_factor
    if answer.state == "OPEN":          # trade

Ask right before each send, not once a bar: the answer costs two small reads. It never raises and is never late: what
can not be read within a second, is absent, stale, of an earlier boot or makes no sense is HALTED.
"""

import json
import os
import threading
import time
from decimal import Decimal

PATIENCE_S = 1.0
LEASE_NS = 5_000_000_000

_RANK = {"OPEN": 0, "REDUCED": 1, "CLOSE_ONLY": 2, "HALTED": 3}
_LEVELS = {"L1": "CLOSE_ONLY", "L2": "CLOSE_ONLY", "L3": "HALTED", "L4": "HALTED"}
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class Answer:
    """`state` is OPEN, REDUCED, CLOSE_ONLY or HALTED; the factors are Decimals from 0 to 1; `because` is a sentence."""

    __slots__ = ("because", "rate_factor", "size_factor", "state")

    def __init__(self, state: str, size_factor: str, rate_factor: str, because: str) -> None:
        self.state = state
        self.size_factor = Decimal(size_factor)
        self.rate_factor = Decimal(rate_factor)
        self.because = because

    def __repr__(self) -> str:
        return f"Answer({self.state}, size={self.size_factor}, because={self.because!r})"


def _halted(because: str) -> Answer:
    return Answer("HALTED", "0", "0", because)


class Gate:
    """The gate of one strategy at one venue, read from the desk's state folder. May be asked from any thread."""

    def __init__(self, folder: "str | os.PathLike[str]", *, venue: str, strategy: str) -> None:
        self._venue = venue
        self._strategy = strategy
        self._files = _Files(os.fspath(folder))

    def ask(self, symbol: str) -> Answer:
        """The gate for one order in `symbol`, as it is at this moment. Comes back within about a second."""
        read = self._files.read(PATIENCE_S)
        if isinstance(read, str):
            return _halted(read)
        latch, gate, boot_id = read
        try:
            now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        except (AttributeError, OSError):
            return _halted("this system has no CLOCK_BOOTTIME, by which the gate's lease is kept")
        return decide(latch, gate, boot_id, now, self._venue, self._strategy, symbol)


class _Files:
    """Reads the files in a thread of its own, because a read from a dead disk may never come back. While one read is
    stuck every asker waits its second and is told so; no further thread is started."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._change = threading.Condition()
        self._asked = 0
        self._answered = 0
        self._found: tuple[bytes | None, bytes | None, str] | str = "nothing was read yet"
        self._reader: threading.Thread | None = None

    def read(self, patience: float) -> "tuple[bytes | None, bytes | None, str] | str":
        """(latch, gate.json, boot id), None for an absent file, all read after this call began; or why not."""
        if self._pid != os.getpid():  # a fork takes no thread along, but the lock, which one of them may have held
            self._begin()
        with self._change:
            self._asked += 1
            mine = self._asked
            if self._reader is None or not self._reader.is_alive():
                reader = threading.Thread(target=self._serve, name="andon-gate", daemon=True)
                try:
                    reader.start()
                except RuntimeError as error:  # the process has no thread left, or is at its end
                    return f"the gate can not be read: {error}"
                self._reader = reader
            self._change.notify_all()
            if not self._change.wait_for(lambda: self._answered >= mine, patience):
                return f"the gate could not be read within {patience:g} s"
            return self._found

    def _serve(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._asked > self._answered)
                serving = self._asked
            found = self._look()
            with self._change:
                self._found = found
                self._answered = serving
                self._change.notify_all()

    def _look(self) -> "tuple[bytes | None, bytes | None, str] | str":
        try:
            # The latch first: it is the file that no writer of gate.json can clear.
            latch = _bytes(os.path.join(self._folder, "cord.latch"))
            gate = _bytes(os.path.join(self._folder, "gate.json"))
            boot_id = _bytes("/proc/sys/kernel/random/boot_id")
        except OSError as error:
            return f"the gate can not be read: {error}"
        if boot_id is None:
            return "this system has no boot id, by which the gate's lease is kept"
        return latch, gate, boot_id.decode("ascii", "replace").strip()


def _bytes(path: str) -> "bytes | None":
    """Only a file that is not there is absent. One that can not be opened is an OSError."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def decide(
    latch: "bytes | None", gate: "bytes | None", boot_id: str, now: int, venue: str, strategy: str, symbol: str
) -> Answer:
    """The rules, on the files' bytes (None: absent) and CLOCK_BOOTTIME in ns. The most restrictive word wins."""
    answer = _leased(gate, boot_id, now, venue, strategy, symbol)
    if latch is None:
        return answer
    try:
        pulls = [json.loads(line) for line in latch.splitlines()]
        if not pulls:
            raise ValueError("the latch is there, but empty")
        states = [(_LEVELS[pull["level"]], _touches(pull["scope"], venue, strategy, symbol), pull) for pull in pulls]
        for state, touches, pull in states:
            if touches and _RANK[state] > _RANK[answer.state]:
                answer = Answer(state, "0", "0", f"{pull['level']} {pull['scope']} by {pull.get('actor', '?')}")
    except _UNREADABLE as error:
        return _halted(f"the latch can not be read: {error}")
    return answer


def _leased(gate: "bytes | None", boot_id: str, now: int, venue: str, strategy: str, symbol: str) -> Answer:
    if gate is None:
        return _halted("there is no gate.json")
    try:
        told = json.loads(gate)
        lease = told["lease"]
        if lease["boot_id"] != boot_id:
            return _halted("gate.json is of an earlier boot")
        if not now <= lease["expires"] <= now + 2 * LEASE_NS:
            return _halted("gate.json is stale: the guard no longer renews it")
        for factor in (told["size_factor"], told["rate_factor"]):
            if not set(factor) <= set("0123456789.") or not 0 <= float(factor) <= 1:
                raise ValueError(f"{factor!r} is not a share from 0 to 1")
        _RANK[told["state"]]
        answer = Answer(told["state"], told["size_factor"], told["rate_factor"], told.get("because", ""))
        for scope, state in told["scopes"].items():
            if _touches(scope, venue, strategy, symbol) and _RANK[state] > _RANK[answer.state]:
                answer = Answer(state, "0", "0", f"gate {scope}")
            _RANK[state]
    except _UNREADABLE as error:
        return _halted(f"gate.json can not be read: {error!r}")
    return answer


def _touches(scope: str, venue: str, strategy: str, symbol: str) -> bool:
    """Scopes are `desk`, `venue:a,b`, `strategy:a` and `symbol:A,B`. Anything else is a ValueError."""
    if scope in ("all", "desk"):
        return True
    kind, _, listed = scope.partition(":")
    names = [name.strip() for name in listed.split(",") if name.strip()]
    if kind not in ("venue", "strategy", "symbol") or not names:
        raise ValueError(f"unknown scope {scope!r}")
    if kind == "symbol":
        return _normal(symbol) in map(_normal, names)
    return (venue if kind == "venue" else strategy) in names


def _normal(symbol: str) -> str:
    """`BTC/USD` and `BTCUSD` name one thing."""
    return symbol.replace("/", "").strip().upper()
