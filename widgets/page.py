"""A page to read, along whose stops one moves: references to follow, steps to tick."""

from collections.abc import Sequence
from typing import NamedTuple

from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from widgets.line import BLANK, Line
from widgets.painted import Painted


class Stop(NamedTuple):
    """Lines `first` to `last` of a page, both included, that can be chosen; `key` says what they are about."""

    key: str
    first: int
    last: int


class Page(Painted, can_focus=True):
    """Lines and their stops. The arrows scroll, and stand on every stop that comes into sight; Tab goes from stop to
    stop. Whoever shows the page takes Enter, and asks for the `stop`."""

    class Moved(Message):
        """The cursor stands on another stop, or on none."""

    class Laid(Message):
        """It has another size: lines that were wrapped for the former one do not fit."""

    BINDINGS = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "page(-1000000)", "Top", show=False),
        Binding("end", "page(1000000)", "End", show=False),
        Binding("tab", "stop(1)", "Next stop", show=False),
        Binding("shift+tab", "stop(-1)", "Stop before", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()
        self._stops: tuple[Stop, ...] = ()
        self._at = -1

    @property
    def lines(self) -> tuple[Line, ...]:
        return self._lines

    @property
    def stop(self) -> Stop | None:
        """The stop that the cursor stands on."""
        return self._stops[self._at] if 0 <= self._at < len(self._stops) else None

    def show(self, lines: Sequence[Line], stops: Sequence[Stop]) -> None:
        """Replace the page; the cursor stays on the stop with its key, in its place where several have it."""
        shown, kept = tuple(lines), tuple(stops)
        if (shown, kept) == (self._lines, self._stops):
            return
        key, at = self.stop.key if self.stop else None, self._at
        longer = len(shown) != len(self._lines)
        self._lines, self._stops = shown, kept
        same = [number for number, stop in enumerate(kept) if stop.key == key]
        self._at = at if at in same else same[0] if same else -1
        if longer:
            self.virtual_size = Size(0, len(shown))
        self.refresh(layout=longer)

    def go(self, key: str = "") -> None:
        """To the stop with this key; to the top, on none, where there is none such."""
        at = next((number for number, stop in enumerate(self._stops) if stop.key == key), -1)
        if at < 0:
            self.scroll_to(y=0, animate=False, force=True)
        self._stand(at)

    def render_line(self, y: int) -> Strip:
        number, stop = y + self.scroll_offset.y, self.stop
        chosen = self.has_focus and stop is not None and stop.first <= number <= stop.last
        return self.strip(self._lines[number] if number < len(self._lines) else BLANK, cursor=chosen)

    def on_resize(self) -> None:
        self.post_message(self.Laid())

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_move(self, by: int) -> None:
        top = self.scroll_offset.y
        if self._at < 0 and by > 0:
            following = next((number for number, stop in enumerate(self._stops) if stop.first >= top), -1)
        else:
            following = self._at + by
        if 0 <= following < len(self._stops) and self._near(self._stops[following]):
            self._stand(following)
        else:
            self.scroll_relative(y=by, animate=False, force=True)

    def action_page(self, pages: int) -> None:
        self.scroll_relative(y=pages * max(1, self.size.height - 1), animate=False, force=True)
        self.call_after_refresh(self._stay_in_sight)

    def action_stop(self, by: int) -> None:
        if self._stops:
            self._stand((max(self._at, -1 if by > 0 else 0) + by) % len(self._stops))

    def _near(self, stop: Stop) -> bool:
        """In sight, or so near that one step brings it there."""
        top, room = self.scroll_offset.y, self.size.height
        return top - 3 <= stop.first and stop.last < top + room + 3

    def _stay_in_sight(self) -> None:
        """After a leap: onto the first stop that can be seen, if the former can not."""
        top, room = self.scroll_offset.y, self.size.height
        seen = [number for number, stop in enumerate(self._stops) if top <= stop.first < top + room]
        if self._at not in seen:
            self._stand(seen[0] if seen else -1)

    def _stand(self, at: int) -> None:
        """On this stop, which comes into sight."""
        self._at = at
        self.post_message(self.Moved())
        self.refresh()
        stop = self.stop
        if stop is None:
            return
        top, room = self.scroll_offset.y, self.size.height
        if stop.first < top or stop.last - stop.first >= room:
            self.scroll_to(y=max(0, stop.first - 1), animate=False, force=True)
        elif stop.last >= top + room:
            self.scroll_to(y=stop.last - room + 2, animate=False, force=True)
