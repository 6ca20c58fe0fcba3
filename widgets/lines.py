"""Lines of text that change one by one."""

from collections.abc import Sequence

from textual.geometry import Size
from textual.strip import Strip

from widgets.line import BLANK, Line
from widgets.painted import Painted


class Lines(Painted):
    """Shows lines and repaints those that changed. With `tail` the end stays in sight, unless one has scrolled up."""

    def __init__(self, *, id: str | None = None, classes: str | None = None, tail: bool = False) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._tail = tail

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(self._lines)

    def show(self, lines: Sequence[Line]) -> None:
        """Replace what is shown."""
        shown, before = list(lines), self._lines
        if shown == before:
            return
        at_end = self.scroll_offset.y >= self.max_scroll_y
        self._lines = shown
        if len(shown) != len(before):
            self.virtual_size = Size(0, len(shown))
            self.refresh(layout=self.styles.auto_dimensions)
            if self._tail and at_end:
                self.call_after_refresh(self.scroll_end, animate=False)
            return
        for number, (was, now) in enumerate(zip(before, shown, strict=True)):
            if was != now:
                self.refresh_line(number)

    def render_line(self, y: int) -> Strip:
        number = y + self.scroll_offset.y
        return self.strip(self._lines[number] if number < len(self._lines) else BLANK)
