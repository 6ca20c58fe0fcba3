"""A sealed file that is no table, as text to read."""

from collections.abc import Callable, Mapping

from textual import work
from textual.app import ComposeResult

from console.desk.archive import Unreadable
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.screens.archive_room import ArchiveRoom
from console.screens.views import text as view
from widgets.page import Page


class TextScreen(ArchiveRoom):
    """`open_text` reads the file; `name` tells what it is."""

    def __init__(self, where: str, name: str, open_text: Callable[[], str]) -> None:
        super().__init__()
        self._where = where
        self._file = name
        self._open_text = open_text

    def body(self) -> ComposeResult:
        yield Page(id="page", classes="panel")

    def on_mount(self) -> None:
        self.query_one("#page").border_title = f" {self._where} "
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
            page.show(view.lines(self._file, told), ())

    def offers(self) -> Mapping[str, str]:
        return {"leave": ""}
