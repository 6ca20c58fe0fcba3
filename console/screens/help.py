"""Help: what can be done here and everywhere, and the looks with their meaning."""

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from console.actions import ACTIONS
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.screens.live import LiveScreen
from console.screens.room import Room
from console.screens.views import help as view
from widgets.lines import Lines


class HelpScreen(LiveScreen, ModalScreen[None]):
    """`room` is the one that it was asked in."""

    CSS_PATH = "help.tcss"
    BINDINGS = [Binding("escape,question_mark,q,enter", "app.pop_screen", "Leave", show=False)]

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room

    def compose(self) -> ComposeResult:
        with Vertical(id="help"):
            yield Lines(id="text")

    def on_mount(self) -> None:
        self.query_one("#help").border_title = "Help"
        self.query_one("#help").border_subtitle = "Esc leaves"

    def present(self, moment: Moment, comparison: Comparison) -> None:
        text = self.query_one("#text", Lines)
        text.show(view.lines(ACTIONS, self.console, self._room.ROOM, self._room.offers(), text.room))
