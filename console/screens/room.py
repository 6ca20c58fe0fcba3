"""What every room has: the header, the banner, the filter, its own keys, the line of rooms and keys at the foot, and a
word when the terminal is small."""

from collections.abc import Mapping
from typing import ClassVar, Protocol, cast

from textual.app import ComposeResult
from textual.containers import Vertical

from console.actions import ACTIONS, Console
from console.desk.archive import Archives
from console.desk.moment import Moment
from console.desk.pull import Level
from console.desk.reconcile import Comparison
from console.desk.tree import Leaf
from console.screens.live import LiveScreen
from console.screens.views import head, past
from console.screens.views.looks import VERDICTS
from widgets.grid import Grid
from widgets.line import Line, line
from widgets.lines import Lines
from widgets.prompt import Prompt

LEAST = (80, 24)


class RoomConsole(Console, Protocol):
    """What every room needs of the program beyond what actions do."""

    pulled: str
    archives: Archives

    def open_incident(self, title: str, monitor: str) -> None:
        """Ask the guard for one; of the class that the monitor tells, where it tells one."""
        ...

    def note_incident(self, text: str) -> None:
        """Put it on record with the incident that is open."""
        ...


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
            yield Prompt("incident", "what is going on, in a few words; Enter opens it", id="incident")
            yield Prompt("note", "what was seen, done or said; Enter keeps it", id="incident-note")
            yield Prompt("/", "words that a row must hold; Enter keeps, Esc clears", id="filter", keep="only")
            yield Lines(id="footer")
        yield Lines(id="small")

    @property
    def program(self) -> RoomConsole:
        return cast("RoomConsole", self.app)

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

    def above(self, moment: Moment) -> tuple[list[Line], list[Line]]:
        """The two lines of the header, and the banner below them."""
        if not moment.live:
            return past.offline(self.program.archives.paths, moment.now, self.size.width), []
        return head.header(moment, self.size.width), head.banner(moment, self.size.width)

    def present(self, moment: Moment, comparison: Comparison) -> None:
        width = self.size.width
        top, below = self.above(moment)
        self.query_one("#header", Lines).show(top)
        banner = self.query_one("#banner", Lines)
        banner.show(below)
        banner.display = bool(banner.lines)
        self.fill(moment, comparison)
        keys = self.query_one("#keys", Lines)
        keys.show(head.keys(ACTIONS, self.ROOM, self.offers(), width))
        keys.display = bool(keys.lines)
        self.query_one("#footer", Lines).show([head.footer(ACTIONS, self.console, self.ROOM, width)])
        self.query_one("#small", Lines).show(self._small(moment))

    def _small(self, moment: Moment) -> list[Line]:
        """How the desk stands, in a line each, comes before what is wrong with the terminal."""
        has, needs = f"{self.size.width}×{self.size.height}", f"{LEAST[0]}×{LEAST[1]}"
        cord = line(" ", ("K", "key"), " and ", ("F10", "key"), " still open the cord.")
        return [
            *self.standing(moment, self.size.width - 2),
            line((f" This terminal is {has}.", "warn")),
            line(f" The screens need {needs}."),
            *([cord] if self.console.moment.live else []),
        ]

    def standing(self, moment: Moment, width: int) -> list[Line]:
        """What has to be said even where there is no room for a screen."""
        if not moment.live:
            return [line((" ARCHIVE ", "band-stale"), " no desk is attached")]
        return [line(" ", head.gate(moment, width - 1)), *self._verdict(moment), *head.banner(moment, width)]

    def _verdict(self, moment: Moment) -> list[Line]:
        """The pull made here as long as nobody has reported it; else the worst."""
        made, pull = self.program.pulled, moment.state.pull
        if made and made not in moment.state.pulls:
            return [line(" ", (" … SENT ", "band-calm"), "  no hand has reported yet")]
        if pull is None:
            return []
        glyph, _, looks = VERDICTS[pull.verdict]
        return [line(" ", (f" {glyph} {pull.verdict} ", looks), f"  {pull.level} {pull.scope}")]

    @property
    def suspect(self) -> str:
        """The monitor in sight that would say of which class an incident is, if there is one."""
        return ""

    def ask_incident(self) -> None:
        self.query_one("#incident", Prompt).ask(f"incident: {self.suspect}" if self.suspect else "")

    def ask_note(self, label: str) -> None:
        self.query_one("#incident-note", Prompt).ask(label)

    @property
    def sifts(self) -> bool:
        """Whether there are rows that a filter would keep or leave out."""
        return any(grid.display for grid in self.query(Grid))

    def ask_filter(self) -> None:
        self.query_one("#filter", Prompt).ask()

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        if event.prompt.id == "filter":
            self.sift(event.text)

    def on_prompt_given(self, event: Prompt.Given) -> None:
        if event.prompt.id == "filter":
            self.keep_filter(event.text)
        elif event.prompt.id == "incident" and event.text:
            self.program.open_incident(event.text, self.suspect)
        elif event.prompt.id == "incident-note" and event.text:
            self.program.note_incident(event.text)

    def keep_filter(self, words: str) -> None:
        """The filter was kept as it is."""

    def sift(self, words: str) -> None:
        """Show what the filter says, which is being typed."""
        for grid in self.query(Grid):
            grid.filter(words)
