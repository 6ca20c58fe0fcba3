"""Lines of text that change one by one."""

from collections.abc import Sequence

from textual.geometry import Size
from textual.strip import Strip

from widgets.line import BLANK, Line
from widgets.painted import Painted


class Lines(Painted):
    """Shows lines and repaints those that changed. With `tail` the end stays in sight, whatever grows or shrinks around
    it, unless one has scrolled up; back at the end it is followed again."""

    def __init__(self, *, id: str | None = None, classes: str | None = None, tail: bool = False) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._tail = self._follows = tail

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(self._lines)

    def show(self, lines: Sequence[Line]) -> None:
        """Replace what is shown."""
        shown, before = list(lines), self._lines
        if shown == before:
            return
        self._lines = shown
        if len(shown) != len(before):
            self.virtual_size = Size(0, len(shown))
            self.refresh(layout=self.styles.auto_dimensions)
            self._keep_end()
            return
        for number, (was, now) in enumerate(zip(before, shown, strict=True)):
            if was != now:
                self.refresh_line(number)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """What is cut to size, and what we scroll ourselves, is left at the end: only a user gets away from it."""
        super().watch_scroll_y(old_value, new_value)
        self._follows = self._tail and new_value >= self.max_scroll_y

    def on_resize(self) -> None:
        self._keep_end()

    def _keep_end(self) -> None:
        if self._follows:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
        self._follows = self._tail and self.scroll_y >= self.max_scroll_y

    def render_line(self, y: int) -> Strip:
        number = y + self.scroll_offset.y
        return self.strip(self._lines[number] if number < len(self._lines) else BLANK)
