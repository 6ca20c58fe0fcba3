"""The panel in which a gate is attested or waived."""

from collections.abc import Callable
from datetime import date
from typing import Literal, TypeAlias

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from console.desk.cadence import Gate
from console.desk.entries import AnyEntry, GateAttested
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.screens.live import LiveScreen
from console.screens.views import cadence as view
from widgets.line import BLANK
from widgets.lines import Lines
from widgets.prompt import Prompt

Result: TypeAlias = Literal["passed", "failed", "waived"]


class AttestScreen(LiveScreen, ModalScreen[None]):
    """`enter` puts an entry on record, and calls back once it is there: until then the panel keeps what was typed."""

    CSS_PATH = "attest.tcss"
    BINDINGS = [
        Binding("p", "found('passed')", "Passed", show=False),
        Binding("f", "found('failed')", "Failed", show=False),
        Binding("w", "found('waived')", "Waived", show=False),
        Binding("t", "write('note')", "Note", show=False),
        Binding("e", "write('evidence')", "Evidence", show=False),
        Binding("enter", "keep", "Keep", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]

    def __init__(
        self, gate: Gate, day: date, result: str, enter: Callable[[AnyEntry, Callable[[], None]], None]
    ) -> None:
        super().__init__()
        self._gate = gate
        self._day = day
        self._found = result
        self._enter = enter
        self._written = {"note": "", "evidence": ""}

    def compose(self) -> ComposeResult:
        with Vertical(id="attest"):
            yield Lines(id="text")
            yield Prompt("note", "what was seen, or why; Enter keeps it", id="note")
            yield Prompt("proof", "where the evidence lies: a file, an address; Enter keeps it", id="evidence")
            yield Lines(id="foot")

    def on_mount(self) -> None:
        box = self.query_one("#attest")
        box.border_title = f"{self._gate.id}  {self._gate.title}"
        box.border_subtitle = f"{self._day}"

    def present(self, moment: Moment, comparison: Comparison) -> None:
        text, foot = self.query_one("#text", Lines), self.query_one("#foot", Lines)
        told = self._found, self._written["note"], self._written["evidence"]
        text.show([BLANK, *view.attested(self._gate, *told, text.room)])
        foot.show([view.attest_foot(*told, foot.room)])

    def action_found(self, result: Result) -> None:
        self._found = result
        self.refresh_moment()

    def action_write(self, what: str) -> None:
        self.query_one(f"#{what}", Prompt).ask()

    def action_keep(self) -> None:
        if not view.lacking(self._found, **self._written):
            entry = GateAttested(self._gate.id, self._day, self._found, **self._written)  # type: ignore[arg-type]
            self._enter(entry, self.action_leave)

    def action_leave(self) -> None:
        if self.is_current:
            self.dismiss()

    def on_prompt_given(self, event: Prompt.Given) -> None:
        self._written[event.prompt.id or ""] = event.text
        self.refresh_moment()
