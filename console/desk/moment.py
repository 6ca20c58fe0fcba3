"""One look at the desk: what is known, when it is looked at, and whether the source still speaks."""

from decimal import Decimal
from enum import Enum

from console.desk.events import Plain
from console.desk.pull import GateState, Scope
from console.desk.state import DeskState
from console.desk.words import SECOND, age

STALE_AFTER = 10 * SECOND
GUARD_SILENT_AFTER = 3 * SECOND
FOLLOWS_WITHIN = 2 * SECOND
"""A strategy reads the gate before every order, but its host is asked only every second or so."""


class Look(Enum):
    """How far a number can be trusted. Each is a word, a glyph and a colour of its own on every screen."""

    OK = "ok"
    STALE = "stale"
    UNKNOWN = "unknown"
    CUT = "cut off"


class Moment(Plain, frozen=True):
    """`now` is UTC ns of the injected clock. `cut` says why the source fell silent and is empty while it speaks;
    `live` is false for an archive, which has no guard to miss. `opened` is when we began to listen: a guard that was
    never heard is missed only after a while."""

    state: DeskState
    now: int
    opened: int = 0
    cut: str = ""
    live: bool = True
    read_only: bool = False

    @property
    def guard_age(self) -> int | None:
        """Nanoseconds since the guard's last beat, None when none was ever heard."""
        return self.now - self.state.guard_beat if self.state.guard_beat else None

    @property
    def down(self) -> str:
        """Why there is no guard to rely on; empty while there is one. Silence counts, whatever the socket says."""
        if not self.live:
            return ""
        if self.cut:
            return self.cut
        silent = self.guard_age
        if silent is None:
            return "no word from it yet" if self.now - self.opened > GUARD_SILENT_AFTER else ""
        return f"silent for {age(silent)}" if silent > GUARD_SILENT_AFTER else ""

    def look(self, as_of: int, unknown: str = "") -> Look:
        """How a reading of `as_of` (0: never) looks, whose latest attempt failed with `unknown` (empty: it did not)."""
        if as_of and self.down:
            return Look.CUT
        if unknown or not as_of:
            return Look.UNKNOWN
        return Look.STALE if self.now - as_of > STALE_AFTER else Look.OK

    @property
    def tighter(self) -> dict[str, GateState]:
        """What venues, strategies and symbols are held to, by name, where that is tighter than the desk's gate."""
        told = self.state.gate.scopes if self.state.gate is not None else {}
        states = [*told.items(), *((pull.scope, pull.level.gate) for pull in self.state.pulls.values())]
        desk = self.state.gate_state or GateState.OPEN
        found: dict[str, GateState] = {}
        for scope, state in states:
            for name in Scope.parse(scope).names:
                if state.rank > found.get(name, desk).rank:
                    found[name] = state
        return dict(sorted(found.items(), key=lambda item: -item[1].rank))

    def defies(self, strategy: str) -> bool:
        """Whether a strategy was seen acting on a gate more open than its own, when it had had the time to follow. What
        was seen before the pull, or just after it, says nothing."""
        row, gate = self.state.strategies[strategy], self.state.gate_for(strategy)
        sample = row.sample
        if sample is None or gate is None or sample.gate.rank >= gate.rank:
            return False
        pulled = [
            pull.at
            for pull in self.state.pulls.values()
            if pull.level.gate.rank > sample.gate.rank
            and Scope.parse(pull.scope).touches(venue=row.info.venue, strategy=strategy)
        ]
        if not pulled:
            return self.look(sample.as_of) is Look.OK
        return sample.as_of - min(pulled) >= FOLLOWS_WITHIN

    @property
    def day_pct(self) -> Decimal | None:
        """The day's change of all venues' equity together, in percent; None where one venue's is not known."""
        before = total = Decimal(0)
        for venue in self.state.venues.values():
            if venue.equity is None or venue.day_pct is None or venue.day_pct <= -100:
                return None
            total += venue.equity
            before += venue.equity / (1 + venue.day_pct / 100)
        return (total - before) / before * 100 if before else None

    @property
    def drawdown_pct(self) -> Decimal | None:
        """The deepest drawdown of any venue, in percent; None where one venue's is not known."""
        known = [venue.drawdown_pct for venue in self.state.venues.values() if venue.drawdown_pct is not None]
        return max(known) if known and len(known) == len(self.state.venues) else None

    @property
    def money_as_of(self) -> int:
        """When the oldest of the accounts was read, 0 where one never was."""
        return min((venue.account_as_of for venue in self.state.venues.values()), default=0)
