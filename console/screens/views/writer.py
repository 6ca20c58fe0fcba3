"""Pages of text with stops, put together piece by piece: at most 90 columns wide, wrapped, never cut."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from console.runbooks.handbook import Handbook
from console.screens.views.looks import kind_word
from widgets.line import BLANK, Line, line, wrap
from widgets.page import Stop

WIDEST = 90
LEAST = 20
"""What is written before a terminal has said how wide it is."""
LABEL = 14
ALL = 1000
"""More lines than any text has: here nothing is cut."""


class Writer:
    """Collects `lines` of `width` cells, at most `widest`, and `stops`; `label` is what a fact's own label takes of
    them."""

    def __init__(self, width: int, label: int = LABEL, widest: int = WIDEST) -> None:
        self.width = max(LEAST, min(width, widest))
        self.label = label
        self.lines: list[Line] = []
        self.stops: list[Stop] = []

    def add(self, *lines: Line) -> None:
        self.lines += lines

    def blank(self) -> None:
        """One empty line, never two."""
        if self.lines and self.lines[-1] != BLANK:
            self.lines.append(BLANK)

    def heading(self, text: str, beside: str = "") -> None:
        self.blank()
        self.add(line((text, "title"), (f"  {beside}" if beside else "", "dim")))

    def text(self, lead: Line, text: str, tone: str = "") -> None:
        """Wrapped behind `lead`, paragraph by paragraph."""
        for paragraph in text.splitlines() or [""]:
            self.add(*wrap(lead, paragraph, tone, self.width, ALL))

    def fact(self, label: str, text: str, tone: str = "") -> None:
        self.text(line((f"{label:<{self.label}}", "dim")), text, tone)

    def facts(self, label: str, texts: Iterable[str], tone: str = "") -> None:
        """Several texts under one label."""
        for number, text in enumerate(texts):
            self.fact("" if number else label, text, tone)

    def items(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.text(line(("  – ", "dim")), text)

    @contextmanager
    def stop(self, key: str) -> Iterator[None]:
        """What is added inside can be chosen."""
        first = len(self.lines)
        yield
        self.stops.append(Stop(key, first, len(self.lines) - 1))

    def link(self, ref: str, book: Handbook, lead: str = "  → ") -> None:
        """A reference, told by its kind and title."""
        self.way(ref, book, f"{lead}{kind_word(ref.partition(':')[0])} ")

    def way(self, ref: str, book: Handbook, lead: str) -> None:
        """A reference, behind `lead`, told by its title alone."""
        with self.stop(ref):
            self.text(line((lead, "dim")), book.title(ref), "key")

    def links(self, refs: Iterable[str], book: Handbook, lead: str = "  → ") -> None:
        for ref in refs:
            self.link(ref, book, lead)
