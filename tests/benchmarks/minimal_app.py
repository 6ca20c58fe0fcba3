"""The least that Textual can show: `python -m tests.benchmarks.minimal_app`."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class Minimal(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("Hello, operator")


if __name__ == "__main__":
    Minimal().run()
