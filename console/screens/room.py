"""What every room has: the header, the banner, the filter, its own keys, the line of rooms and keys at the foot, and a
word when the terminal is small."""

from collections.abc import Mapping
from typing import ClassVar, Protocol, cast

from textual.app import ComposeResult
from textual.containers import Vertical

from console.actions import ACTIONS, Console
from console.desk.moment import Moment
from console.desk.pull import Level
from console.desk.reconcile import Comparison
from console.desk.tree import Leaf
from console.screens.live import LiveScreen
from console.screens.views import head
from console.screens.views.looks import VERDICTS
from widgets.grid import Grid
from widgets.line import Line, line
from widgets.lines import Lines
from widgets.prompt import Prompt

LEAST = (80, 24)


class PullingConsole(Console, Protocol):
    pulled: str


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
        with Vertical(id="foot"):
            yield Lines(id="keys")
            yield from self.prompts()
            yield Prompt("/", "words that a row must hold; Enter keeps, Esc clears", id="filter", keep="only")
            yield Lines(id="footer")
        yield Lines(id="small")

    def body(self) -> ComposeResult:
        """The room's own widgets, between header and footer."""
        raise NotImplementedError

    def prompts(self) -> ComposeResult:
        """What the room asks for in a line above the footer."""
        yield from ()

    def fill(self, moment: Moment, comparison: Comparison) -> None:
        """Show the moment in them."""
        raise NotImplementedError

    def offers(self) -> Mapping[str, str]:
        """What the room's own actions do in what it shows now, by name, each with the reason why it is refused at this
        moment, or nothing. What is not in here has no meaning now."""
        return {}

    def do(self, what: str) -> None:
        """Carry out what is offered under this name."""
        getattr(self, f"do_{what}")()

    @property
    def leaf(self) -> Leaf | None:
        """The leaf of a tree that is in sight and wants to be acted upon."""
        return None

    def pulled(self, pull: str, level: Level) -> None:
        """The cord was pulled from above this room."""

    def resumed(self, pulls: tuple[str, ...]) -> None:
        """These pulls were resumed from above this room."""

    def present(self, moment: Moment, comparison: Comparison) -> None:
        width = self.size.width
        self.query_one("#header", Lines).show(head.header(moment, width))
        banner = self.query_one("#banner", Lines)
        banner.show(head.banner(moment, width))
        banner.display = bool(banner.lines)
        self.fill(moment, comparison)
        keys = self.query_one("#keys", Lines)
        keys.show(head.keys(ACTIONS, self.ROOM, self.offers(), width))
        keys.display = bool(keys.lines)
        self.query_one("#footer", Lines).show([head.footer(ACTIONS, self.console, self.ROOM, width)])
        self.query_one("#small", Lines).show(self._small(moment))

    def _small(self, moment: Moment) -> list[Line]:
        """How the desk stands, in a line each, comes before what is wrong with the terminal."""
        width = self.size.width - 2
        has, needs = f"{self.size.width}×{self.size.height}", f"{LEAST[0]}×{LEAST[1]}"
        return [
            line(" ", head.gate(moment, width - 1)),
            *self._verdict(moment),
            *head.banner(moment, width),
            line((f" This terminal is {has}.", "warn")),
            line(f" The screens need {needs}."),
            line(" ", ("K", "key"), " and ", ("F10", "key"), " still open the cord."),
        ]

    def _verdict(self, moment: Moment) -> list[Line]:
        """The pull made here as long as nobody has reported it; else the worst."""
        made, pull = cast("PullingConsole", self.app).pulled, moment.state.pull
        if made and made not in moment.state.pulls:
            return [line(" ", (" … SENT ", "band-calm"), "  no hand has reported yet")]
        if pull is None:
            return []
        glyph, _, looks = VERDICTS[pull.verdict]
        return [line(" ", (f" {glyph} {pull.verdict} ", looks), f"  {pull.level} {pull.scope}")]

    def ask_filter(self) -> None:
        self.query_one("#filter", Prompt).ask()

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        if event.prompt.id == "filter":
            for grid in self.query(Grid):
                grid.filter(event.text)
