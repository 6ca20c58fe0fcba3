"""What a guard knows before it looks: everything the journals of all hands hold."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from console.desk.events import GateChanged
from console.desk.state import DeskState, fold
from console.evidence.journal import Tail
from console.guard.adoption import Closes
from console.guard.fills import KnownFills


@dataclass(slots=True)
class Recovered:
    """`tail` stands behind the last record that was read, so that nothing is read twice or left out. `halts` are the
    reasons without a name for which the gate was ever shut."""

    tail: Tail
    state: DeskState = field(default_factory=DeskState)
    fills: KnownFills = field(default_factory=KnownFills)
    closes: Closes = field(default_factory=Closes)
    halts: set[str] = field(default_factory=set)
    records: int = 0

    @property
    def unread(self) -> dict[str, str]:
        """By writer: from where on, and why, its journal could not be read."""
        return {writer: str(error) for writer, error in (*self.tail.problems.items(), *self.tail.unread.items())}

    def halt(self, writer: str) -> str:
        """Why the gate has to be HALTED until somebody resumes, where a guard's own journal leaves it open what the
        gate was; empty where it does not, or where an earlier guard was halted for that already."""
        why = self.unread.get(writer, "")
        told = f"the journal can not be read: {why}" if why else ""
        return "" if told in self.halts else told


def recover(folder: Path) -> Recovered:
    """Fold the journals in `folder`. A file that is broken in the middle is said on stderr."""
    found = Recovered(Tail(folder))
    for record in found.tail.poll():
        found.records += 1
        found.state = fold(found.state, record)
        found.fills.observe(record)
        found.closes.observe(record)
        if isinstance(record.event, GateChanged):
            found.halts.add(record.event.nameless)
    for problem in found.unread.values():
        print(f"andon guard: {problem}; what stood there is not known", file=sys.stderr, flush=True)
    return found
