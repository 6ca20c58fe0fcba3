"""The gate: gate.json renewed every second, never more open than the latch, the pulls, or what it said before.

The gate only ever tightens here; opening it again is the resume guard's. So a guard that starts, or wakes up, begins
with the gate the journal left, and adds every pull that any hand made. A gate.json that somebody removed was removed
by a hand that could not write the latch: that is a pull, too.

The files are read and written beside the event loop, and what was written is compared with what is known *afterwards*:
a pull that comes in between makes the writer write again at once.
"""

import sys
import threading
from decimal import Decimal
from pathlib import Path

import msgspec

from console.cord import latch
from console.desk.events import AnyEvent, GateChanged, Pulled
from console.desk.gate import UNREADABLE, Gate, latch_entries, read_gate
from console.desk.pull import GateState, Level, Scope
from console.desk.state import DeskState
from console.guard.aside import Aside
from console.guard.hub import Hub

OPEN = GateChanged(state=GateState.OPEN, size_factor=Decimal(1), because="nothing is pulled")


class Wanted(msgspec.Struct, frozen=True):
    """The gate as it has to be: for the desk and for narrower scopes, with the reason for the desk's."""

    state: GateState = GateState.OPEN
    size_factor: Decimal = Decimal(1)
    because: str = OPEN.because
    scopes: dict[str, GateState] = {}

    def tightened(self, level: Level, scope: str, because: str) -> "Wanted":
        """With one more pull."""
        state = level.gate
        if Scope.parse(scope).kind != "desk":
            before = self.scopes.get(scope, GateState.OPEN)
            return msgspec.structs.replace(self, scopes={**self.scopes, scope: max(before, state, key=_rank)})
        if state.rank <= self.state.rank:
            return self
        return msgspec.structs.replace(self, state=state, size_factor=Decimal(0), because=because)

    @property
    def event(self) -> GateChanged:
        return GateChanged(self.state, self.size_factor, self.because, self.scopes)


def _rank(state: GateState) -> int:
    return state.rank


def recovered(state: DeskState) -> Wanted:
    """The gate that the journal left."""
    wanted = Wanted()
    if state.gate is not None:
        wanted = Wanted(state.gate.state, state.gate.size_factor, state.gate.because, state.gate.scopes)
    for pull in state.pulls.values():
        wanted = wanted.tightened(pull.level, pull.scope, _because(pull.level, pull.scope, pull.actor))
    return wanted


def _because(level: Level, scope: str, actor: str) -> str:
    return f"{level} {scope} by {actor}"


class Look(msgspec.Struct, frozen=True):
    """Latch and gate.json as they lay on disk at one moment: what every strategy sees."""

    latch: bytes | None
    gate: bytes | None
    boot_id: str
    now: int

    def answer(self, venue: str, strategy: str, symbol: str) -> Gate:
        return read_gate(
            self.latch,
            self.gate,
            boot_id=self.boot_id,
            now=self.now,
            venue=venue,
            strategy=strategy,
            symbol=symbol,
        )


class GateKeeper:
    """Keeps gate.json. `renew` is called every second and at every change; `pulled` from any thread."""

    def __init__(self, hub: Hub, folder: Path, desk: str, unread: str = "") -> None:
        """`unread` says what of this guard's own journal could not be read: then nobody knows what the gate was, and it
        is HALTED."""
        self._hub = hub
        self._folder = str(folder)
        self._desk = desk
        self._lock = threading.Lock()
        self._wanted = recovered(hub.state)
        if unread:
            self._wanted = self._wanted.tightened(Level.L3, "desk", f"the journal can not be read: {unread}")
        self._expected = hub.state.gate is not None
        """Whether gate.json has to be there: it was written once, and nobody may take it away."""
        self._aside = Aside("gate")
        self._told: GateChanged | None = hub.state.gate
        self.trouble = ""
        hub.early.append(self.heard)
        hub.listeners.append(lambda record: self.heard(record.event, record.actor))

    def pulled(self, level: Level, scope: str, because: str) -> None:
        """A pull is known, if only just: no gate written from now on is more open than it allows."""
        with self._lock:
            self._wanted = self._wanted.tightened(level, scope, because)

    def heard(self, event: AnyEvent, actor: str) -> None:
        """A pull of any hand; of this guard's, before it is written."""
        if isinstance(event, Pulled):
            level = Level(event.level)
            self.pulled(level, event.scope, _because(level, event.scope, actor))
            self.renew()

    def renew(self) -> None:
        """Write the gate with a new lease, and journal it where it changed."""
        self._aside.ask(self._renew)
        wanted = self._wanted.event
        if self._told is None or (wanted.state, wanted.scopes) != (self._told.state, self._told.scopes):
            self._told = wanted
            self._hub.journal(wanted)

    def look(self) -> Look:
        """The files as they are now. Raises nothing: what can not be read will be HALTED. Reads the disk: for a
        thread."""
        files: list[bytes | None] = []
        for name in ("cord.latch", "gate.json"):
            try:
                files.append(latch.read_file(self._folder, name))
            except OSError:
                files.append(b"unreadable")
        return Look(files[0], files[1], latch.boot_id(), latch.boot_now())

    def _renew(self) -> None:
        """In the thread of its own: look at the files, write, and look whether it still holds."""
        try:
            while True:
                self._look()
                wanted = self._wanted
                latch.write_gate(
                    self._folder,
                    desk=self._desk,
                    state=wanted.state.value,
                    size_factor=f"{wanted.size_factor:f}",
                    rate_factor=f"{wanted.size_factor:f}",
                    scopes={scope: state.value for scope, state in wanted.scopes.items()},
                    because=wanted.because,
                )
                self._expected = True
                if wanted == self._wanted:
                    break
            self.trouble = ""
        except OSError as error:
            if not self.trouble:
                print(f"andon guard: gate.json can not be renewed: {error}", file=sys.stderr, flush=True)
            self.trouble = f"gate.json can not be renewed: {error}"

    def _look(self) -> None:
        """Take in what other hands did to the files."""
        told = latch.read_file(self._folder, "cord.latch")
        if told is not None:
            try:
                for entry in latch_entries(told):
                    level = Level(entry["level"])
                    self.pulled(level, entry["scope"], _because(level, entry["scope"], entry.get("actor", "?")))
            except UNREADABLE as error:
                self.pulled(Level.L3, "desk", f"the latch can not be read: {error}")
        if self._expected and latch.read_file(self._folder, "gate.json") is None:
            self.pulled(Level.L3, "desk", "gate.json was removed: a hand pulled that could not write the latch")
