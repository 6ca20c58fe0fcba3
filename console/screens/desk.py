"""The Desk: the room that a console opens with."""

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import Container, Vertical

from console.actions import bindings
from console.desk.moment import Moment
from console.desk.next_steps import next_steps
from console.desk.reconcile import Comparison
from console.screens.room import Room
from console.screens.views import desk as view
from widgets.grid import Grid
from widgets.lines import Lines


class DeskScreen(Room):
    """Side by side on a wide terminal; one above the other on a narrow one."""

    ROOM = "desk"
    CSS_PATH = ["room.tcss", "desk.tcss"]
    BINDINGS = bindings(ROOM)

    def body(self) -> ComposeResult:
        with Container(id="desk"):
            with Vertical(id="watched"):
                yield Grid(view.MONITOR_COLUMNS, id="monitors", classes="panel")
                yield Grid(view.STRATEGY_COLUMNS, id="strategies", classes="panel")
            with Vertical(id="told"):
                yield Lines(id="next", classes="panel")
                with Vertical(id="happened", classes="panel"):
                    yield Lines(id="evidence")
                    yield Lines(id="timeline", tail=True)

    def fill(self, moment: Moment, comparison: Comparison) -> None:
        monitors, strategies = self.query_one("#monitors", Grid), self.query_one("#strategies", Grid)
        monitors.border_title = view.monitors_title(moment)
        monitors.show(view.monitor_rows(moment))
        strategies.border_title = view.strategies_title(moment)
        strategies.show(view.strategy_rows(moment))
        told, timeline = self.query_one("#next", Lines), self.query_one("#timeline", Lines)
        steps = next_steps(moment, comparison)
        told.border_title = view.next_title(moment, steps)
        told.show(view.step_lines(steps, told.room, roomy=self.has_class("-wide"), keys=moment.live))
        timeline.show(view.timeline_lines(moment, timeline.room))
        happened, evidence = self.query_one("#happened"), self.query_one("#evidence", Lines)
        happened.border_title = view.timeline_title(moment, happened.outer_size.width)
        evidence.show(view.evidence_lines(moment, timeline.room, roomy=self.has_class("-wide")))
        evidence.display = bool(evidence.lines)

    @property
    def _monitor(self) -> str:
        """The monitor under the cursor; the first that fires where nobody looks at one."""
        grid = self.query_one("#monitors", Grid)
        if grid.has_focus and grid.cursor is not None:
            return grid.cursor.key
        monitors = self.moment.state.monitors.values()
        return next((row.id for row in monitors if row.state == "firing"), "")

    @property
    def suspect(self) -> str:
        """What is under the cursor, or the first that fires; only while it does."""
        monitor = self.moment.state.monitors.get(self._monitor)
        return monitor.id if monitor is not None and monitor.state == "firing" else ""

    def offers(self) -> Mapping[str, str]:
        return {"lead": "" if self._monitor else "no monitor fires; Tab goes to them, ↑ ↓ to one of them"}

    def do_lead(self) -> None:
        from console.screens.lead import LeadScreen

        self.app.push_screen(LeadScreen(self._monitor))
