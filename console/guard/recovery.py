"""What a guard knows before it looks: everything the journals of all hands hold."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from console.desk.state import DeskState, fold
from console.evidence.journal import Tail
from console.guard.adoption import Closes
from console.guard.fills import KnownFills


@dataclass(slots=True)
class Recovered:
    """`tail` stands behind the last record that was read, so that nothing is read twice or left out."""

    tail: Tail
    state: DeskState = field(default_factory=DeskState)
    fills: KnownFills = field(default_factory=KnownFills)
    closes: Closes = field(default_factory=Closes)
    records: int = 0

    @property
    def unread(self) -> dict[str, str]:
        """By writer: from where on, and why, its journal could not be read."""
        return {writer: str(error) for writer, error in (*self.tail.problems.items(), *self.tail.unread.items())}


def recover(folder: Path) -> Recovered:
    """Fold the journals in `folder`. A file that is broken in the middle is said on stderr, and read up to there."""
    found = Recovered(Tail(folder))
    for record in found.tail.poll():
        found.records += 1
        found.state = fold(found.state, record)
        found.fills.observe(record)
        found.closes.observe(record)
    for problem in found.unread.values():
        print(f"andon guard: {problem}; what follows there is not read", file=sys.stderr, flush=True)
    return found
