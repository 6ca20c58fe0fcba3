"""The gate: gate.json renewed every second, never more open than the latch, the pulls, or what it said before.

The gate tightens by itself, its size goes down when anybody asks, and it opens through one door, `resumed`, which takes
away the pulls that a resume names and nothing else. A guard that starts, or wakes up, begins with what the journal
left, and adds every pull that any hand made. A gate.json that somebody removed was removed by a hand that could not
write the latch: that halts the desk, too, until a stop of the whole desk that came after it was resumed.

The files are read and written beside the event loop, and what was written is compared with what is known *afterwards*:
a pull that comes in between makes the writer write again at once.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec

from console.cord import latch
from console.cord.aside import Aside
from console.desk.entries import SizeLowered
from console.desk.events import AnyEvent, GateChanged, Pulled
from console.desk.gate import UNREADABLE, Gate, latch_entries, read_gate
from console.desk.pull import GateState, Level, Scope
from console.desk.state import DeskState, Size
from console.desk.words import clock
from console.guard.hub import LATE, Hub

SETTLED_SECONDS = 2.0
"""A latch that is unreadable for longer was torn by a crash."""

OPEN = GateChanged(state=GateState.OPEN, size_factor=Decimal(1), because="nothing is pulled")


class Wanted(msgspec.Struct, frozen=True):
    """The gate as it has to be: for the desk and for narrower scopes, with the reason for the desk's."""

    state: GateState = GateState.OPEN
    size_factor: Decimal = Decimal(1)
    rate_factor: Decimal = Decimal(1)
    because: str = OPEN.because
    scopes: dict[str, GateState] = {}
    nameless: str = ""

    def tightened(self, level: Level, scope: str, because: str) -> "Wanted":
        """With one more pull."""
        state = level.gate
        if Scope.parse(scope).kind != "desk":
            before = self.scopes.get(scope, GateState.OPEN)
            return msgspec.structs.replace(self, scopes={**self.scopes, scope: max(before, state, key=_rank)})
        if state.rank <= self.state.rank:
            return self
        nothing = Decimal(0)
        return msgspec.structs.replace(self, state=state, size_factor=nothing, rate_factor=nothing, because=because)

    def bears_on(self, venue: str, strategy: str, symbol: str) -> Gate:
        """What it says about one order."""
        states = {scope: state for scope, state in self.scopes.items() if state.rank > self.state.rank}
        order = {"venue": venue, "strategy": strategy, "symbol": symbol}
        touching = {scope: state for scope, state in states.items() if Scope.parse(scope).touches(**order)}
        if not touching:
            return Gate(self.state, f"{self.size_factor:f}", f"{self.rate_factor:f}", self.because)
        scope = max(touching, key=lambda each: touching[each].rank)
        return Gate(touching[scope], "0", "0", f"gate {scope}")

    @property
    def event(self) -> GateChanged:
        return GateChanged(self.state, self.size_factor, self.because, self.scopes, self.nameless, self.rate_factor)


def _rank(state: GateState) -> int:
    return state.rank


class Pull(msgspec.Struct, frozen=True):
    """A standing pull, as far as the gate cares."""

    level: Level
    scope: str
    actor: str


def wanted(size: Size, nameless: str, pulls: Iterable[Pull]) -> Wanted:
    """The gate that follows from the size, a halt without a name, and the pulls that stand."""
    gate = Wanted()
    if size.size < 1:
        gate = Wanted(GateState.REDUCED, size.size, size.rate, size.because)
    for pull in pulls:
        gate = gate.tightened(pull.level, pull.scope, f"{pull.level} {pull.scope} by {pull.actor}")
    if nameless:
        gate = msgspec.structs.replace(gate.tightened(Level.L3, "desk", nameless), nameless=nameless)
    return gate


class Look(msgspec.Struct, frozen=True):
    """Latch and gate.json as they lay on disk at one moment, which is what every strategy sees, and what this guard
    knew: a disk that takes no more must not keep a pull from those who ask the guard."""

    latch: bytes | None
    gate: bytes | None
    boot_id: str
    now: int
    known: Wanted

    def answer(self, venue: str, strategy: str, symbol: str) -> Gate:
        known = self.known.bears_on(venue, strategy, symbol)
        told = read_gate(
            self.latch,
            self.gate,
            boot_id=self.boot_id,
            now=self.now,
            venue=venue,
            strategy=strategy,
            symbol=symbol,
        )
        return known if known.state.rank > told.state.rank else told


class GateKeeper:
    """Keeps gate.json. `renew` is called every second and at every change; `pulled` from any thread."""

    def __init__(self, hub: Hub, folder: Path, desk: str, halt: str = "") -> None:
        """`halt` says why nobody knows what the gate was: then it is HALTED."""
        self._hub = hub
        self._folder = str(folder)
        self._desk = desk
        self._lock = threading.Lock()
        self._size = hub.state.sized
        self._nameless = halt or hub.state.nameless
        self._pulls = {pull.id: Pull(pull.level, pull.scope, pull.actor) for pull in hub.state.pulls.values()}
        self._resumed = frozenset(hub.state.resumed)
        self._wanted = wanted(self._size, self._nameless, self._pulls.values())
        self._expected = hub.state.gate is not None
        """Whether gate.json has to be there: it was written once, and nobody may take it away."""
        self._aside = Aside("gate")
        self._unreadable: bytes | None = None
        self._unreadable_since = 0.0
        self._told: GateChanged | None = hub.state.gate
        self._refused = ""
        self._writing: float | None = None
        hub.early.append(self.heard)
        hub.listeners.append(lambda record: self.heard(record.event, record.actor))

    def pulled(self, pull: str, level: Level, scope: str, actor: str) -> None:
        """A pull is known, if only just: no gate written from now on is more open than it allows."""
        with self._lock:
            if pull not in self._resumed and pull not in self._pulls:
                self._pulls[pull] = Pull(level, scope, actor)
                self._work_out()

    def heard(self, event: AnyEvent, actor: str) -> None:
        """A pull of any hand, and a size that somebody lowered; what this guard is told of, before it is written."""
        if isinstance(event, Pulled):
            self.pulled(event.pull, Level(event.level), event.scope, actor)
            self.renew()
        elif isinstance(event, SizeLowered):
            with self._lock:
                self._size = self._size.lowered(event)
                self._work_out()
            self.renew()

    def clear_latch(self, pulls: Iterable[str]) -> None:
        """The first half of the door: these pulls were resumed, and leave the latch; gate.json still says what it said.
        Blocks. Raises OSError where the latch can not be written: `renew` tries again every second."""
        with self._lock:
            self._resumed |= frozenset(pulls)
            resumed = self._resumed
        latch.clear(self._folder, resumed)

    def resumed(self, state: DeskState, covered: str) -> None:
        """The other half: from now on the gate is what the state's size and the pulls that still stand allow. `covered`
        is the halt without a name that the resume covers; one that was seen since is not."""
        with self._lock:
            self._resumed |= frozenset(state.resumed)
            self._size = state.sized
            self._nameless = "" if self._nameless == covered else self._nameless
            self._pulls = {name: pull for name, pull in self._pulls.items() if name not in self._resumed}
            self._work_out()
        self.renew()

    def _halted(self, nameless: str) -> None:
        with self._lock:
            self._nameless = nameless
            self._work_out()

    def _work_out(self) -> None:
        self._wanted = wanted(self._size, self._nameless, self._pulls.values())

    @property
    def trouble(self) -> str:
        """Why gate.json is not renewed, in a sentence; empty while it is."""
        since = self._writing
        late = 0.0 if since is None else time.monotonic() - since
        return f"gate.json is not renewed: the disk does not answer for {late:.0f} s" if late > LATE else self._refused

    def renew(self) -> None:
        """Write the gate with a new lease, and journal it where it changed."""
        self._aside.ask(self._renew)
        now = self._wanted.event
        if self._told is None or _said(now) != _said(self._told):
            self._told = now
            self._hub.journal(now)

    def look(self) -> Look:
        """The files as they are now. Raises nothing: what can not be read will be HALTED. Reads the disk: for a
        thread."""
        files: list[bytes | None] = []
        for name in ("cord.latch", "gate.json"):
            try:
                files.append(latch.read_file(self._folder, name))
            except OSError:
                files.append(b"unreadable")
        return Look(files[0], files[1], latch.boot_id(), latch.boot_now(), self._wanted)

    def _renew(self) -> None:
        """In the thread of its own: look at the files, write, and look whether it still holds."""
        self._writing = time.monotonic()
        try:
            while True:
                self._look()
                gate = self._wanted
                latch.write_gate(
                    self._folder,
                    desk=self._desk,
                    state=gate.state.value,
                    size_factor=f"{gate.size_factor:f}",
                    rate_factor=f"{gate.rate_factor:f}",
                    scopes={scope: state.value for scope, state in gate.scopes.items()},
                    because=gate.because,
                )
                self._expected = True
                if gate == self._wanted:
                    break
            self._refused = ""
        except OSError as error:
            if not self._refused:
                print(f"andon guard: gate.json can not be renewed: {error}", file=sys.stderr, flush=True)
            self._refused = f"gate.json is not renewed: {error.strerror or error}"
        self._writing = None

    def _look(self) -> None:
        """Take in what other hands did to the files, and finish what a resume began."""
        told = latch.read_file(self._folder, "cord.latch")
        if told is not None and any(pull.encode() in told for pull in self._resumed):
            with contextlib.suppress(OSError):  # the latch then stays shut, and is tried again in a second
                latch.clear(self._folder, self._resumed)
            told = latch.read_file(self._folder, "cord.latch")
        if told is not None:
            self._obey(told)
        if self._expected and latch.read_file(self._folder, "gate.json") is None:
            at = clock(self._hub.clock())
            self._halted(f"gate.json was removed at {at}Z: a hand pulled that could not write the latch")

    def _obey(self, told: bytes) -> None:
        """What can not be read halts whoever reads it, us too; but a hand may be about to write its line."""
        try:
            for entry in latch_entries(told):
                self.pulled(entry["id"], Level(entry["level"]), entry["scope"], entry.get("actor", "?"))
        except UNREADABLE as error:
            if told != self._unreadable:
                self._unreadable, self._unreadable_since = told, time.monotonic()
            elif time.monotonic() - self._unreadable_since >= SETTLED_SECONDS:
                self._halted(f"the latch can not be read: {error!r}")


def _said(gate: GateChanged) -> tuple[object, ...]:
    return gate.state, gate.size_factor, gate.rate_factor, gate.scopes, gate.nameless
