"""The Cadence: twenty gates, when each is due, and the panel in which they are attested."""

from collections.abc import Mapping
from datetime import date

from textual.app import ComposeResult

from console.actions import bindings
from console.desk.attested import DeskCalendar
from console.desk.attested import standings as standings_of
from console.desk.cadence import Gate
from console.desk.logbook import utc_day
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.runbooks.kinds import CADENCE, CALENDAR, FALLBACK_CALENDAR, GATE
from console.screens.attest import AttestScreen
from console.screens.runbook_room import RunbookRoom
from console.screens.views import cadence as view
from console.screens.views.runbooks import LOADING
from console.screens.views.writer import Writer
from widgets.grid import Grid
from widgets.lines import Lines
from widgets.page import Page


class CadenceScreen(RunbookRoom):
    ROOM = "cadence"
    CSS_PATH = ["room.tcss", "cadence.tcss"]
    BINDINGS = bindings(ROOM)

    def body(self) -> ComposeResult:
        yield Lines(id="calendar")
        yield Grid(view.COLUMNS, id="gates", classes="panel")
        yield Page(id="about", classes="panel")

    def on_mount(self) -> None:
        self.query_one("#gates").focus()

    @property
    def _gate(self) -> Gate | None:
        """The gate under the cursor; a cadence's own line stands for none."""
        row = self.query_one("#gates", Grid).cursor
        return self.book.get(GATE, row.key) if self.book is not None and row is not None else None

    @property
    def _today(self) -> date:
        return utc_day(self.console.moment.now)

    def fill(self, moment: Moment, comparison: Comparison) -> None:
        book, said = self.book, self.query_one("#calendar", Lines)
        if book is None:
            said.show([LOADING])
            return
        fallback = book.get(CALENDAR, FALLBACK_CALENDAR)
        calendar = DeskCalendar.of(moment.state, fallback) if fallback is not None else None
        said.show(view.calendar_lines(calendar, self._today, self.size.width))
        said.display = bool(said.lines)
        if calendar is None:
            return
        gates, about = self.query_one("#gates", Grid), self.query_one("#about", Page)
        standings = standings_of(moment.state, book.of(GATE), self._today, calendar)
        gates.border_title = view.title(standings, self._today, calendar)
        gates.show(view.rows(book.of(CADENCE), book.of(GATE), standings, self._today))
        written = Writer(about.room - 1)
        if (gate := self._gate) is not None:
            about.border_title = f" {gate.id} "
            view.about(gate, standings[gate.id], book, written)
        about.show(written.lines, written.stops)

    def offers(self) -> Mapping[str, str]:
        gate = self._gate
        if gate is None:
            return {"attest": "move to a gate first: ↑ ↓"}
        return {"attest": self.mute, "waive": self.mute, **({"read": ""} if gate.see else {})}

    def do_attest(self) -> None:
        self._ask("")

    def do_waive(self) -> None:
        self._ask("waived")

    def _ask(self, result: str) -> None:
        gate = self._gate
        if gate is not None:
            self.app.push_screen(AttestScreen(gate, self._today, result, self.enter))

    def do_read(self) -> None:
        gate = self._gate
        if gate is not None and gate.see:
            self.program.open_ref(gate.see[0])
