"""Where a screen's events come from. A live guard, an archive and a replay differ only here."""

from collections.abc import AsyncIterator
from typing import Protocol, TypeAlias

from console.desk.events import Plain, Record
from console.desk.pull import Level, Scope
from console.desk.state import DeskState


class Attached(Plain, frozen=True):
    """The source (again) delivers: `state` replaces everything folded before."""

    state: DeskState


class Received(Plain, frozen=True):
    record: Record


class Detached(Plain, frozen=True):
    """The source fell silent. For a live desk: GUARD DOWN. What was folded stays on screen, and ages."""

    why: str


Update: TypeAlias = Attached | Received | Detached


class Source(Protocol):
    """A screen is handed one of these, never an adapter. `live` is false for an archive, which takes no commands."""

    live: bool

    def updates(self) -> AsyncIterator[Update]:
        """Endless for a live desk: it reconnects by itself and says so."""
        ...

    async def command(self, name: str, /, **arguments: str) -> str:
        """Ask the guard for something; answers with a sentence. Raises RuntimeError with the reason it was refused."""
        ...


class Cord(Protocol):
    """What a screen may do to the desk: pull. Thread-safe; its calls return at once and never raise. What became of a
    pull comes back as events of the Source, and as sentences for a terminal with no running screen."""

    def ready(self) -> None:
        """A pull may follow: whatever of it can be prepared is."""
        ...

    def pull(
        self, level: Level, scope: Scope, *, origin: str, keep_protective: bool = False, own_only: bool = False
    ) -> str:
        """Pull now and return the pull's id. Below L4 `keep_protective` leaves the orders that can only reduce a
        position, and `own_only` those that the strategies did not send. The guard is asked first; without an answer in
        250 ms the cancels leave from here."""
        ...
