"""The way back: each proof, what is missing and where it is found; carried out by typing the desk's name."""

from collections.abc import Callable
from typing import Protocol, cast

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from console.actions import Console
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.desk.resume import SIZES, Asked, Cause, Outcome
from console.screens.live import LiveScreen
from console.screens.views import resume as view
from widgets.line import BLANK
from widgets.lines import Lines
from widgets.prompt import Prompt

AGAIN_SECONDS = 3.0


class ResumeConsole(Console, Protocol):
    """What this panel needs of the program beyond what actions do."""

    def ask_resume(self, command: str, asked: Asked, told: Callable[[Outcome], None]) -> None:
        """Put `prove` or `resume` to the guard; `told` is given its answer."""
        ...

    def resumed(self, said: str, pulls: tuple[str, ...]) -> None:
        """It was carried out, and cleared these pulls."""
        ...


class ResumeScreen(LiveScreen, ModalScreen[None]):
    """The guard judges; this shows what it says, anew every few seconds, and never more."""

    CSS_PATH = "resume.tcss"
    BINDINGS = [
        Binding("tab", "which(1)", "What", show=False),
        Binding("shift+tab", "which(-1)", "What", show=False),
        Binding("s", "size", "Size", show=False),
        Binding("c", "cause", "Cause", show=False),
        Binding("t", "write('text')", "What it was", show=False),
        Binding("h", "write('checked')", "Verified how", show=False),
        Binding("enter", "confirm", "Carry out", show=False),
        Binding("v", "go('verdict')", "Verdict", show=False),
        Binding("1", "go('desk')", "Desk", show=False),
        Binding("2", "go('book')", "Book", show=False),
        Binding("a", "adjust", "Adjust", show=False),
        Binding("escape", "leave", "Leave", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._asked = Asked(scope="desk", cause=Cause.OWN_FIX.value)
        self._outcome: Outcome | None = None
        self._as_of = 0
        self._busy = self._asking = False

    @property
    def guard(self) -> ResumeConsole:
        return cast("ResumeConsole", self.app)

    def compose(self) -> ComposeResult:
        with Vertical(id="resume"):
            yield Lines(id="title")
            yield Lines(id="wish")
            yield Lines(id="proofs")
            yield Lines(id="after")
            yield Prompt("what it was", "what went wrong; Enter keeps it", id="text")
            yield Prompt("verified how", "how the fix was verified outside production; Enter keeps it", id="checked")
            yield Prompt("desk’s name", "type it; Enter carries the resume out", id="name")
            yield Lines(id="foot")

    def on_mount(self) -> None:
        super().on_mount()
        self._prove()
        self.set_interval(AGAIN_SECONDS, self._prove)

    def present(self, moment: Moment, comparison: Comparison) -> None:
        width = self.query_one("#title", Lines).room
        self.query_one("#title", Lines).show([view.title(moment, width)])
        self.query_one("#wish", Lines).show([BLANK, *view.wish(moment, self._asked, width), BLANK])
        self.query_one("#proofs", Lines).show(view.proofs(self._outcome, width))
        self.query_one("#after", Lines).show(view.after(moment, self._outcome, width))
        self.query_one("#foot", Lines).show([view.foot(self._as_of, moment, self._busy, width)])

    def _prove(self) -> None:
        if not (self._busy or self._asking):
            self._asking = True
            self.guard.ask_resume("prove", self._asked, self._told)

    def _told(self, outcome: Outcome) -> None:
        self._asking = False
        self._outcome, self._as_of = outcome, self.console.moment.now
        self.refresh_moment()

    def _ask(self, **changes: str) -> None:
        """Something else is wanted: what was proven for the former wish proves nothing."""
        self._asked = msgspec.structs.replace(self._asked, **changes)
        self._outcome, self._asking = None, False
        self.refresh_moment()
        self._prove()

    def action_which(self, by: int) -> None:
        offered = [(choice.scope, choice.pull) for choice in view.choices(self.console.moment)]
        now = (self._asked.scope, self._asked.pull)
        scope, pull = offered[(offered.index(now) + by) % len(offered)] if now in offered else offered[0]
        self._ask(scope=scope, pull=pull)

    def action_size(self) -> None:
        self._ask(size=SIZES[(SIZES.index(self._asked.size) + 1) % len(SIZES)])

    def action_cause(self) -> None:
        causes = [cause.value for cause in Cause]
        self._ask(cause=causes[(causes.index(self._asked.cause) + 1) % len(causes)])

    def action_write(self, what: str) -> None:
        self.query_one(f"#{what}", Prompt).ask()

    def action_confirm(self) -> None:
        if view.ready(self._outcome) and not self._busy:
            self.query_one("#name", Prompt).ask()

    def action_go(self, room: str) -> None:
        self.console.show_room(room)

    def action_adjust(self) -> None:
        self.console.act("adjust")

    def action_leave(self) -> None:
        self.dismiss()

    def on_prompt_given(self, event: Prompt.Given) -> None:
        if event.prompt.id in ("text", "checked"):
            self._ask(**{event.prompt.id: event.text})
        elif event.text and not self._busy:
            self._busy, self._asking = True, False
            self.guard.ask_resume("resume", msgspec.structs.replace(self._asked, confirm=event.text), self._carried)
            self.refresh_moment()

    def _carried(self, outcome: Outcome) -> None:
        self._busy = False
        if outcome.resumed:
            self.guard.resumed(outcome.said, outcome.judgement.pulls if outcome.judgement is not None else ())
            return
        self.notify(outcome.said, title="Not resumed", severity="error", timeout=20)
        self._told(outcome)
