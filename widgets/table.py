"""A table of any length: what is in sight is asked for, and nothing else is kept."""

from collections.abc import Sequence
from typing import NamedTuple

from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from widgets.line import BLANK, Line, fit, line, width_of
from widgets.painted import Painted

WIDEST = 44
"""Cells of a column at most; a row is shown whole elsewhere."""
AROUND = 3
"""Windows that are asked for at once, the one in sight in the middle."""
GAP = 2


class Heading(NamedTuple):
    """A column: `align` is left or right; `pinned` ones stay when the others move sideways."""

    title: str
    align: str = "left"
    pinned: bool = False


class Table(Painted, can_focus=True):
    """Rows that others read: it says which it `Wants`, and paints dots until it was given them. The arrows go from row
    to row and from column to column."""

    class Wants(Message):
        """Rows `first` to `first + count` are in sight, or near it, and not known."""

        def __init__(self, first: int, count: int) -> None:
            super().__init__()
            self.first = first
            self.count = count

    class Moved(Message):
        """The cursor stands elsewhere."""

    BINDINGS = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("left", "aside(-1)", "Column before", show=False),
        Binding("right", "aside(1)", "Next column", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,ctrl+home", "move(-1000000000000)", "First", show=False),
        Binding("end,ctrl+end", "move(1000000000000)", "Last", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.columns: tuple[Heading, ...] = ()
        self.count = 0
        self.cursor = 0
        self.column = 0
        self._left = 0
        self._widths: list[int] = []
        self._marks: dict[int, str] = {}
        self._first = 0
        self._rows: list[tuple[str, ...]] = []
        self._wanted = (0, 0)

    def show(self, columns: Sequence[Heading], count: int, marks: dict[int, str] | None = None) -> None:
        """Another table of `count` rows. `marks` stand behind the titles of some columns, by number. The cursor goes to
        the first row; its column is kept where the columns are the same."""
        if tuple(columns) != self.columns:
            self.columns = tuple(columns)
            self.column = self._left = 0
            self._widths = []
        self._marks = marks or {}
        self.count, self.cursor = count, 0
        self._first, self._rows, self._wanted = 0, [], (0, 0)
        titles = [width_of(((self._title(number), ""),)) for number in range(len(self.columns))]
        self._widths = [max(pair) for pair in zip(self._widths or titles, titles, strict=True)]
        self.virtual_size = Size(0, count + 1)
        self.scroll_to(y=0, animate=False, force=True)
        self.refresh()
        self._want()

    def give(self, first: int, rows: Sequence[tuple[str, ...]]) -> None:
        """The rows from `first` on, in answer to `Wants`; those before are let go."""
        self._first, self._rows, self._wanted = first, list(rows), (0, 0)
        for row in self._rows:
            for number, cell in enumerate(row):
                self._widths[number] = max(self._widths[number], min(WIDEST, width_of(((cell, ""),))))
        self.refresh()
        self._want()

    def row(self, number: int) -> tuple[str, ...] | None:
        """A row that is known."""
        at = number - self._first
        return self._rows[at] if 0 <= at < len(self._rows) else None

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last row in sight, counted from 1 on; zeros where there is none."""
        top = self.scroll_offset.y
        return (top + 1, min(self.count, top + self._room)) if self.count else (0, 0)

    @property
    def _room(self) -> int:
        """Rows that are in sight at once."""
        return max(1, self.size.height - 1)

    def _want(self) -> None:
        """Ask for what is in sight and not known, with a window before it and one behind."""
        top, room = self.scroll_offset.y, self._room
        last = min(self.count, top + room)
        asked, until = self._wanted
        known = self._first <= top and last <= self._first + len(self._rows)
        if known or last <= top or (asked <= top and last <= until):
            return
        first = max(0, top - room)
        until = min(self.count, first + AROUND * room)
        self._wanted = (first, until)
        self.post_message(self.Wants(first, until - first))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._want()

    def on_resize(self) -> None:
        self._want()

    # --- painting ---------------------------------------------------------------------------------------------------

    def _title(self, number: int) -> str:
        return self.columns[number].title + self._marks.get(number, "")

    @property
    def _shown(self) -> list[int]:
        """The columns from left to right, as many as there is room for; the last one may be cut."""
        pinned = [number for number, column in enumerate(self.columns) if column.pinned]
        moving = [number for number in range(len(self.columns)) if number not in pinned]
        room, found = self.room, []
        for number in (*pinned, *moving[self._left :]):
            if room <= 0:
                break
            found.append(number)
            room -= self._widths[number] + GAP
        return found

    def render_line(self, y: int) -> Strip:
        if y == 0:
            return self.strip(self._heading())
        number = y - 1 + self.scroll_offset.y
        if number >= self.count:
            return self.strip(BLANK)
        row = self.row(number)
        laid = self._laid([((cell, ""),) for cell in row]) if row is not None else line((" …", "dim"))
        return self.strip(laid, cursor=self.has_focus and number == self.cursor)

    def _heading(self) -> Line:
        return self._laid(
            [
                ((self._title(number), "band-calm" if number == self.column and self.has_focus else "dim"),)
                for number in range(len(self.columns))
            ]
        )

    def _laid(self, cells: Sequence[Line]) -> Line:
        parts: list[Line] = []
        for number in self._shown:
            parts += [fit(cells[number], self._widths[number], self.columns[number].align), ((" " * GAP, ""),)]
        return line(*parts)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    # --- moving -----------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Move the cursor; it stays in sight."""
        before = self.cursor
        self.cursor = max(0, min(self.count - 1, before + by))
        if self.cursor == before:
            return
        self.refresh_line(before + 1)
        self.refresh_line(self.cursor + 1)
        top, room = self.scroll_offset.y, self._room
        if not top <= self.cursor < top + room:
            y = self.cursor if self.cursor < top else self.cursor - room + 1
            self.scroll_to(y=y, animate=False, force=True)
        self.post_message(self.Moved())

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self._room - 1))

    def action_aside(self, by: int) -> None:
        """To another column, which comes into sight."""
        self.column = max(0, min(len(self.columns) - 1, self.column + by))
        pinned = sum(column.pinned for column in self.columns)
        at = self.column - pinned
        if at >= 0:
            self._left = min(self._left, at)
            while self._left < at and not self._whole(self.column):
                self._left += 1
        self.refresh()
        self.post_message(self.Moved())

    def _whole(self, column: int) -> bool:
        """Whether a column is in sight to its end."""
        shown = self._shown
        across = sum(self._widths[number] + GAP for number in shown[: shown.index(column)]) if column in shown else 0
        return column in shown and across + self._widths[column] <= self.room
