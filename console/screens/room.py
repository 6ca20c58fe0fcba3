"""What every room has: the header, the banner, the filter, the line of keys, and a word when the terminal is small."""

from typing import ClassVar

from textual.app import ComposeResult

from console.actions import ACTIONS
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.screens.live import LiveScreen
from console.screens.views import head
from widgets.grid import Grid
from widgets.line import Line, line
from widgets.lines import Lines
from widgets.prompt import Prompt

LEAST = (80, 24)


class Room(LiveScreen):
    """A full screen under a name of the registry."""

    ROOM: ClassVar[str]
    HORIZONTAL_BREAKPOINTS = [(0, "-cramped"), (LEAST[0], "-narrow"), (110, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (LEAST[1], "-tall")]
    CSS_PATH = ["room.tcss"]

    def compose(self) -> ComposeResult:
        yield Lines(id="header")
        yield Lines(id="banner")
        yield from self.body()
        yield Prompt("/", "words that a row must hold; Enter keeps, Esc clears", id="filter", keep=True)
        yield Lines(id="footer")
        yield Lines(id="small")

    def body(self) -> ComposeResult:
        """The room's own widgets, between header and footer."""
        raise NotImplementedError

    def fill(self, moment: Moment, comparison: Comparison) -> None:
        """Show the moment in them."""
        raise NotImplementedError

    def present(self, moment: Moment, comparison: Comparison) -> None:
        width = self.size.width
        self.query_one("#header", Lines).show(head.header(moment, width))
        banner = self.query_one("#banner", Lines)
        banner.show(head.banner(moment, width))
        banner.display = bool(moment.down)
        self.query_one("#footer", Lines).show([head.footer(ACTIONS, self.console, self.ROOM, width)])
        self.query_one("#small", Lines).show(self._small())
        self.fill(moment, comparison)

    def _small(self) -> list[Line]:
        has, needs = f"{self.size.width}×{self.size.height}", f"{LEAST[0]}×{LEAST[1]}"
        return [
            line((f" This terminal is {has}.", "warn")),
            line(f" The screens need {needs}."),
            line(" ", ("K", "key"), " and ", ("F10", "key"), " still open the cord."),
        ]

    def ask_filter(self) -> None:
        self.query_one("#filter", Prompt).ask()

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        if event.prompt.id == "filter":
            for grid in self.query(Grid):
                grid.filter(event.text)
