"""What the screens of room 7 share: the shelf, reads that keep nobody waiting, and the way back."""

from collections.abc import Callable
from typing import TypeVar

from console.actions import bindings
from console.desk.archive import Archives, Unreadable
from console.guard.aside import beside
from console.screens.room import Room
from widgets.line import plain

T = TypeVar("T")


class ArchiveRoom(Room):
    """One of the screens of room 7, which lie on top of each other: the list, an incident, what lies in it."""

    ROOM = "archive"
    CSS_PATH = ["room.tcss", "archive.tcss"]
    BINDINGS = bindings(ROOM)

    pending = 0
    """How many reads are on their way."""

    @property
    def archives(self) -> Archives:
        return self.program.archives

    async def read(self, job: Callable[[], T]) -> T:
        """What `job` returns, read in a thread that nobody has to wait for. Raises Unreadable, with a sentence whatever
        went wrong."""
        self.pending += 1
        try:
            return await beside(job, None)
        except Unreadable:
            raise
        except OSError as error:
            raise Unreadable(f"{error.filename or 'the archive'}: {error.strerror or error}") from None
        except Exception as error:
            raise Unreadable(f"what was read can not be understood: {error!r}") from error
        finally:
            self.pending -= 1

    def refused(self, error: Unreadable, title: str = "Not read") -> None:
        """Say that something could not be read."""
        self.notify(plain(str(error)), title=title, severity="error", timeout=30, markup=False)

    def do_leave(self) -> None:
        self.app.pop_screen()
