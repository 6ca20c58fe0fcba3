"""What the rooms share that rest on the runbooks: the handbook, the logbook, and a word to the guard."""

from collections.abc import Callable
from typing import Protocol, cast

from console.desk.entries import AnyEntry
from console.desk.logbook import Logbook
from console.runbooks.handbook import Handbook
from console.screens.live import LiveScreen
from console.screens.room import Room, RoomConsole


class RunbookConsole(RoomConsole, Protocol):
    """What these rooms need of the program beyond what actions do."""

    @property
    def handbook(self) -> Handbook | None:
        """Everything written down; None until it was read."""
        ...

    def read_runbooks(self) -> None:
        """Read the files anew, off the event loop."""
        ...

    def enter(self, entry: AnyEntry, then: Callable[[], None]) -> None:
        """Write into the logbook, and call `then` once it is there; a refusal is shown."""
        ...

    def tell_reason(self, pull: str, text: str) -> None:
        """Hand the reason of a pull to the guard."""
        ...

    def open_ref(self, ref: str) -> None:
        """Read this in the Runbooks."""
        ...

    def walk_tree(self, tree: str) -> None:
        """Walk it in Recovery."""
        ...


def program_of(screen: LiveScreen) -> RunbookConsole:
    return cast("RunbookConsole", screen.app)


class RunbookRoom(Room):
    @property
    def program(self) -> RunbookConsole:
        return program_of(self)

    @property
    def book(self) -> Handbook | None:
        return self.program.handbook

    @property
    def logbook(self) -> Logbook:
        return self.console.moment.state.logbook

    @property
    def mute(self) -> str:
        """Why nothing can be put on record here; empty where it can, which needs no guard."""
        if not self.console.moment.live:
            return "no desk is attached: nothing is put on record"
        return "read-only: nothing is written" if self.console.moment.read_only else ""

    def enter(self, entry: AnyEntry, then: Callable[[], None] | None = None) -> None:
        """Put it on record; what comes of it comes back as an event."""
        self.program.enter(entry, then or (lambda: None))

    def on_screen_resume(self) -> None:
        self.program.read_runbooks()

    def on_grid_moved(self) -> None:
        self.refresh_moment()

    def on_page_moved(self) -> None:
        self.refresh_moment()

    def on_page_laid(self) -> None:
        self.refresh_moment()
