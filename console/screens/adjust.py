"""The books brought to broker truth: every difference by class, with both sides and what confirming makes of it."""

from collections.abc import Callable
from typing import Protocol, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from console.actions import Console
from console.desk.adjust import Outcome
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.screens.live import LiveScreen
from console.screens.views import adjust as view
from widgets.lines import Lines


class AdjustConsole(Console, Protocol):
    """What this panel needs of the program beyond what actions do."""

    def ask_adjust(self, command: str, told: Callable[[Outcome], None], **asked: str) -> None:
        """Put `differences` or `adjust` to the guard; `told` is given its answer."""
        ...


class AdjustScreen(LiveScreen, ModalScreen[None]):
    """What was read stands still until it is read again: nobody confirms what has changed under his eyes. The guard
    reads once more before it acts, and refuses where that is not what stands here."""

    CSS_PATH = "adjust.tcss"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall")]
    BINDINGS = [
        Binding("down,tab,j", "move(1)", "Next class", show=False),
        Binding("up,shift+tab,k", "move(-1)", "Class before", show=False),
        Binding("pagedown", "page(1)", "Further", show=False),
        Binding("pageup", "page(-1)", "Back", show=False),
        Binding("space", "confirm", "Confirm the class", show=False),
        Binding("enter", "carry_out", "Carry out", show=False),
        Binding("r", "read", "Read again", show=False),
        Binding("u", "resume", "The way back", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._outcome: Outcome | None = None
        self._chosen = view.Chosen()
        self._as_of = 0

    @property
    def guard(self) -> AdjustConsole:
        return cast("AdjustConsole", self.app)

    def compose(self) -> ComposeResult:
        with Vertical(id="adjust"):
            yield Lines(id="title")
            yield Lines(id="rows")
            yield Lines(id="after")
            yield Lines(id="foot")

    def on_mount(self) -> None:
        super().on_mount()
        self.action_read()

    def present(self, moment: Moment, comparison: Comparison) -> None:
        width = self.query_one("#title", Lines).room
        self.query_one("#title", Lines).show(view.title(moment, width))
        self.query_one("#rows", Lines).show(view.rows(self._outcome, self._chosen, width))
        self.query_one("#after", Lines).show(view.after(moment, self._outcome, self._chosen, width))
        self.query_one("#foot", Lines).show([view.foot(moment, self._outcome, self._as_of, width)])

    def action_read(self) -> None:
        self._ask("differences", venue="")

    def _ask(self, command: str, **asked: str) -> None:
        self._outcome = None
        self.guard.ask_adjust(command, self._told, **asked)
        self.refresh_moment()

    def _told(self, outcome: Outcome) -> None:
        if not self.is_attached:
            return
        self._outcome, self._as_of = outcome, self.console.moment.now
        self._chosen = view.Chosen()
        self.refresh_moment()

    def action_move(self, by: int) -> None:
        if self._outcome is not None:
            self._chosen = self._chosen.moved(by, self._outcome.plan)
            self.refresh_moment()
            rows = self.query_one("#rows", Lines)
            rows.scroll_to(y=view.cursor_of(rows.lines), animate=False)

    def action_page(self, by: int) -> None:
        rows = self.query_one("#rows", Lines)
        rows.scroll_relative(y=by * max(1, rows.size.height - 1), animate=False)

    def action_confirm(self) -> None:
        if self._outcome is None:
            return
        refusal = self._chosen.bars(self._outcome.plan)
        if refusal:
            self.notify(refusal, severity="warning")
        else:
            self._chosen = self._chosen.turned(self._outcome.plan)
            self.refresh_moment()

    def action_carry_out(self) -> None:
        if self._outcome is not None and self._chosen.confirmed:
            kinds = ",".join(sorted(self._chosen.confirmed))
            self._ask("adjust", venue="", kinds=kinds, shown=self._outcome.plan.digest)

    def action_resume(self) -> None:
        self.dismiss()
        self.console.act("resume")

    def action_leave(self) -> None:
        self.dismiss()
