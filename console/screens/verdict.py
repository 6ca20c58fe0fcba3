"""The verdict: opens by itself after a pull, and stays until somebody leaves it."""

from typing import Protocol, cast

from textual.app import ComposeResult
from textual.binding import Binding

from console.actions import Console
from console.desk.moment import Moment
from console.desk.pull import Verdict
from console.desk.reconcile import Comparison
from console.desk.state import DeskState
from console.screens.room import Room
from console.screens.views import verdict as view
from widgets.line import line
from widgets.lines import Lines
from widgets.prompt import Prompt


class VerdictConsole(Console, Protocol):
    pulled: str

    def tell_reason(self, pull: str, text: str) -> None:
        """Hand the reason to the guard; the answer is shown when it comes."""
        ...


class VerdictScreen(Room):
    """Shows the pull made here, or the one that needs a person most; the arrows go through them all."""

    ROOM = "verdict"
    CSS_PATH = ["room.tcss", "verdict.tcss"]
    BINDINGS = [
        Binding("left", "pull(-1)", "Earlier pull", show=False),
        Binding("right", "pull(1)", "Later pull", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("home", "scroll(-1000000)", "Top", show=False),
        Binding("end", "scroll(1000000)", "End", show=False),
        Binding("escape", "leave", "Desk", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._chosen = ""

    def body(self) -> ComposeResult:
        yield Lines(id="headline")
        yield Lines(id="about")
        yield Lines(id="calls")
        yield Lines(id="venues")

    def prompts(self) -> ComposeResult:
        yield Prompt("reason", "why was the cord pulled? Enter keeps it in the journal", id="reason")

    @property
    def verdicts(self) -> VerdictConsole:
        return cast("VerdictConsole", self.app)

    def _shown(self, state: DeskState) -> str:
        """The pull chosen here; else the one just made, from before anybody has reported it until it is proven; else
        the worst."""
        worst = state.pull.id if state.pull else ""
        made = self.verdicts.pulled
        if made in state.pulls and state.pulls[made].verdict is Verdict.VERIFIED:
            made = ""
        return self._chosen or made or worst

    def fill(self, moment: Moment, comparison: Comparison) -> None:
        width, pulls = self.size.width, moment.state.pulls
        shown = self._shown(moment.state)
        pull = pulls.get(shown)
        self.query_one("#headline", Lines).show(view.headline(pull, width))
        about = (
            view.about(moment, pull, width) if pull else [line((f" pull {shown}: waiting for its first record", "dim"))]
        )
        calls, venues = self.query_one("#calls", Lines), self.query_one("#venues", Lines)
        self.query_one("#about", Lines).show(about)
        calls.show(view.calls(moment, pull, width) if pull else [])
        calls.display = bool(calls.lines)
        venues.show([*view.venues(moment, pull, venues.room), *view.people(moment, pull)] if pull else [])

    def script(self) -> list[str]:
        """What to say to the brokers' desks about the pull that is shown; nothing where all is proven."""
        moment = self.console.moment
        pull = moment.state.pulls.get(self._shown(moment.state))
        return view.script(moment, pull) if pull else []

    def action_scroll(self, lines: int) -> None:
        self.query_one("#venues", Lines).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        venues = self.query_one("#venues", Lines)
        venues.scroll_relative(y=pages * max(1, venues.size.height - 1), animate=False)

    def action_pull(self, by: int) -> None:
        pulls = list(self.console.moment.state.pulls)
        shown = self._shown(self.console.moment.state)
        if shown in pulls:
            self._chosen = pulls[(pulls.index(shown) + by) % len(pulls)]
            self.refresh_moment()

    def action_leave(self) -> None:
        self.console.show_room("desk")

    def show_pull(self, pull: str) -> None:
        """Look at this pull from now on."""
        self._chosen = pull
        self.refresh_moment()

    def ask_reason(self) -> None:
        self.query_one("#reason", Prompt).ask()

    def on_prompt_given(self, event: Prompt.Given) -> None:
        if event.prompt.id == "reason" and event.text:
            self.verdicts.tell_reason(self._shown(self.console.moment.state), event.text)
