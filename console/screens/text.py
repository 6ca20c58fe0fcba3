"""A sealed file that is no table, as text to read."""

from collections.abc import Callable, Mapping

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding

from console.desk.archive import Unreadable
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.screens.archive_room import ArchiveRoom
from console.screens.views import text as view
from widgets.line import label, line
from widgets.page import Page


class TextScreen(ArchiveRoom):
    """`open_text` reads the file; `name` tells what it is. Lines are not wrapped: a picture of a screen is wide."""

    BINDINGS = [
        Binding("left", "aside(-1)", "Left", show=False),
        Binding("right", "aside(1)", "Right", show=False),
    ]

    def __init__(self, where: str, name: str, open_text: Callable[[], str]) -> None:
        super().__init__()
        self._where = where
        self._file = name
        self._open_text = open_text
        self._told: list[str] = []
        self._left = 0

    def body(self) -> ComposeResult:
        yield Page(id="page", classes="panel")

    def on_mount(self) -> None:
        self.query_one("#page").border_title = label(f" {self._where} ")
        self.query_one("#page").focus()
        self.begin()

    def fill(self, moment: Moment, comparison: Comparison) -> None:
        """A text does not change."""

    @work(exclusive=True)
    async def begin(self) -> None:
        page = self.query_one("#page", Page)
        page.show([(("… reading", "dim"),)], ())
        try:
            told = await self.read(self._open_text)
        except Unreadable as error:
            page.show([((f"✗ {error}", "bad"),)], ())
        else:
            self._told = view.lines(self._file, told)
            self._show()

    def _show(self) -> None:
        page = self.query_one("#page", Page)
        wide = max(map(len, self._told), default=0) > page.room
        page.border_title = label(f" {self._where}{'   ← → sideways' if wide or self._left else ''} ")
        page.show([line(told[self._left :]) for told in self._told], ())

    def on_page_laid(self) -> None:
        self._show()

    def action_aside(self, by: int) -> None:
        """Half a screen to one side."""
        room = self.query_one("#page", Page).room
        widest = max(map(len, self._told), default=0)
        self._left = max(0, min(widest - room + 1, self._left + by * room // 2))
        self._show()

    def offers(self) -> Mapping[str, str]:
        return {"leave": ""}
