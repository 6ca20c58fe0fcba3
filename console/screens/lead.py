"""A small panel over the Desk: where a monitor leads to, with one key each."""

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.runbooks.kinds import INCIDENT
from console.screens.live import LiveScreen
from console.screens.runbook_room import program_of
from console.screens.views import lead as view
from console.screens.views.desk import label_of
from widgets.line import line
from widgets.lines import Lines


class LeadScreen(LiveScreen, ModalScreen[None]):
    CSS_PATH = "lead.tcss"
    BINDINGS = [
        Binding("i", "open_class", "Class", show=False),
        Binding("t", "walk", "Tree", show=False),
        Binding("s", "step", "First step", show=False),
        Binding("escape,enter", "leave", "Leave", show=False),
    ]

    def __init__(self, monitor: str) -> None:
        super().__init__()
        self._monitor = monitor

    def compose(self) -> ComposeResult:
        with Vertical(id="lead"):
            yield Lines(id="text")

    def on_mount(self) -> None:
        self.query_one("#lead").border_subtitle = "Esc leaves"
        program_of(self).read_runbooks()

    @property
    def _found(self) -> view.Lead:
        book = program_of(self).handbook
        return view.lead(book, self._monitor) if book is not None else view.Lead()

    def present(self, moment: Moment, comparison: Comparison) -> None:
        text, row, book = (
            self.query_one("#text", Lines),
            moment.state.monitors[self._monitor],
            program_of(self).handbook,
        )
        self.query_one("#lead").border_title = label_of(row)
        waits = [line(("  … reading the runbooks", "dim"))]
        text.show(view.lines(row, self._found, book, text.room) if book is not None else waits)

    def action_open_class(self) -> None:
        incident = self._found.incident
        if incident is not None:
            program_of(self).open_ref(f"{INCIDENT.name}:{incident.id}")

    def action_walk(self) -> None:
        tree = self._found.tree
        if tree is not None:
            program_of(self).walk_tree(tree.id)

    def action_step(self) -> None:
        if ref := self._found.ref:
            program_of(self).open_ref(ref)

    def action_leave(self) -> None:
        self.dismiss()
