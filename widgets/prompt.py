"""One line to type in, hidden until it is asked for."""

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

if TYPE_CHECKING:
    from textual.widget import Widget


class Prompt(Horizontal):
    """Enter hands the text over, Escape leaves, and the focus goes back to where it was; what is typed goes out letter
    by letter as `Typed`."""

    BINDINGS = [Binding("escape", "leave", "Leave", show=False)]

    DEFAULT_CSS = """
    Prompt {
        height: 1;
        display: none;
        &.-asking { display: block; }
        Label { padding: 0 1; text-style: bold; color: $accent; }
        Input { border: none; height: 1; width: 1fr; padding: 0; background: transparent; }
        Input:focus { border: none; }
    }
    """

    class Typed(Message):
        """What stands in the line now; empty once it was left."""

        def __init__(self, prompt: "Prompt", text: str) -> None:
            super().__init__()
            self.prompt = prompt
            self.text = text

    class Given(Message):
        """Enter was pressed."""

        def __init__(self, prompt: "Prompt", text: str) -> None:
            super().__init__()
            self.prompt = prompt
            self.text = text

    def __init__(self, label: str, placeholder: str, *, id: str, keep: str = "") -> None:  # noqa: A002
        """With `keep` the text stays where it is after Enter, behind that label."""
        super().__init__(id=id)
        self._label = label
        self._placeholder = placeholder
        self._keep = keep
        self._before: Widget | None = None

    def compose(self) -> ComposeResult:
        yield Label(self._label)
        yield Input(placeholder=self._placeholder, compact=True, select_on_focus=False)

    def ask(self, label: str = "") -> None:
        """Open it, with another label than usual."""
        if not self.has_focus_within:
            self._before = self.screen.focused
        self.query_one(Label).update(label or self._label)
        self.add_class("-asking")
        self.screen.set_focus(self.query_one(Input))  # now: what is typed right behind the key belongs here

    def action_leave(self) -> None:
        self._close(clear=True)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Typed(self, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Given(self, event.value.strip()))
        self._close(clear=not self._keep)

    def _close(self, *, clear: bool) -> None:
        entry = self.query_one(Input)
        if clear:
            entry.value = ""
        if entry.value:
            self.query_one(Label).update(self._keep)
        self.set_class(bool(entry.value), "-asking")
        self.screen.set_focus(self._before)
