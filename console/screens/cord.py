"""The overlay of the cord. It shows what a pull would reach and offers it to the switch; it never pulls itself."""

from functools import partial
from typing import Protocol, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from console.actions import Console
from console.desk.blast import blast, scopes
from console.desk.moment import Moment
from console.desk.pull import Scope
from console.desk.reconcile import Comparison
from console.screens.live import LiveScreen
from console.screens.views import cord as view
from console.switch import CordSwitch
from widgets.line import BLANK
from widgets.lines import Lines


class CordConsole(Console, Protocol):
    """What this overlay needs of the program beyond what actions do."""

    switch: CordSwitch

    def when_painted(self, offer: int) -> None:
        """Tell the switch once everything drawn so far has left for the terminal."""
        ...


NOTES = {
    "1": "pausing entries comes later: use 3",
    "2": "disabling one strategy comes later: use 3",
    "3": "too soon after this appeared: once more",
    "4": "too soon after this appeared: once more",
}


class CordScreen(LiveScreen, ModalScreen[None]):
    """Digits are the switch's. What of them arrives here came too early or means nothing yet, and is told so."""

    CSS_PATH = "cord.tcss"
    BINDINGS = [
        Binding("tab,right,down", "scope(1)", "Scope", show=False),
        Binding("shift+tab,left,up", "scope(-1)", "Scope", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._chosen = Scope("desk")
        self._note = ""

    @property
    def hand(self) -> CordConsole:
        return cast("CordConsole", self.app)

    def compose(self) -> ComposeResult:
        with Vertical(id="cord"):
            yield Lines(id="title")
            yield Lines(id="scope")
            yield Lines(id="reach")
            yield Lines(id="levels")
            yield Lines(id="foot")

    def on_screen_resume(self) -> None:
        self._offer()

    def on_screen_suspend(self) -> None:
        self.hand.switch.disarm()

    def on_unmount(self) -> None:
        self.hand.switch.disarm()

    def _offer(self) -> None:
        self.refresh_moment()
        offer = self.hand.switch.offer(self._chosen)
        self.call_after_refresh(self.call_after_refresh, partial(self.hand.when_painted, offer))

    def present(self, moment: Moment, comparison: Comparison) -> None:
        width = self.query_one("#title", Lines).room
        reach = blast(moment.state, self._chosen)
        self.query_one("#title", Lines).show([view.title(moment, width)])
        self.query_one("#scope", Lines).show([view.scope_line(scopes(moment.state), self._chosen)])
        self.query_one("#reach", Lines).show([*view.table(moment, reach, width), BLANK, *view.cautions(reach, width)])
        self.query_one("#levels", Lines).show(view.levels())
        self.query_one("#foot", Lines).show([view.foot(self._note, width)])

    def on_key(self, event: events.Key) -> None:
        """A key that the switch did not take."""
        self._note = NOTES.get(event.key, "")
        self.refresh_moment()

    def action_scope(self, by: int) -> None:
        offered = scopes(self.console.moment.state)
        at = offered.index(self._chosen) if self._chosen in offered else 0
        self._chosen = offered[(at + by) % len(offered)]
        self._offer()

    def action_leave(self) -> None:
        self.dismiss()
