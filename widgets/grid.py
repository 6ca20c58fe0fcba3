"""Rows of cells in columns that give way when space is short. Thousands of rows cost what is in sight."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from widgets.line import BLANK, Line, fit, line, text_of
from widgets.painted import Painted


@dataclass(frozen=True, slots=True)
class Column:
    """`width` in cells; `grow` is its share of space left over; the highest `drop` is left out first when there is too
    little space, and 0 never."""

    title: str
    width: int
    align: str = "left"
    grow: int = 0
    drop: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """`key` names what the row is about, for the cursor; `cells` are as many as columns. A single cell is a heading
    across all of them. `words` are not shown, and the filter finds the row by them, too."""

    key: str
    cells: tuple[Line, ...]
    words: str = ""


GAP = 1


def widths(columns: Sequence[Column], room: int) -> tuple[int, ...]:
    """Each column's width within `room` cells, 0 where it was left out."""
    kept = list(range(len(columns)))
    while len(kept) > 1 and sum(columns[index].width for index in kept) + GAP * (len(kept) - 1) > room:
        loosest = max(kept, key=lambda index: columns[index].drop)
        if not columns[loosest].drop:
            break
        kept.remove(loosest)
    spare = max(0, room - sum(columns[index].width for index in kept) - GAP * (len(kept) - 1))
    shares = sum(columns[index].grow for index in kept)
    found = [0] * len(columns)
    for index in kept:
        grown = spare * columns[index].grow // shares if shares else 0
        found[index] = columns[index].width + grown
    return tuple(found)


def lay(cells: Sequence[Line], columns: Sequence[Column], across: Sequence[int]) -> Line:
    """One row's cells as a line."""
    parts: list[Line] = []
    for cell, column, width in zip(cells, columns, across, strict=True):
        if width:
            if parts:
                parts.append(((" " * GAP, ""),))
            parts.append(fit(cell, width, column.align))
    return line(*parts)


class Grid(Painted, can_focus=True):
    """A table without a border. `headed` keeps the columns' titles in the first line while the rest scrolls."""

    class Moved(Message):
        """The cursor stands on another row, or on none."""

    BINDINGS = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "move(-1000000000)", "First", show=False),
        Binding("end", "move(1000000000)", "Last", show=False),
    ]

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
        headed: bool = False,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self._head = 1 if headed else 0
        self._all: tuple[Row, ...] = ()
        self._rows: list[Row] = []
        self._filter = ""
        self._cursor = 0

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows that pass the filter."""
        return tuple(self._rows)

    @property
    def cursor(self) -> Row | None:
        return self._rows[self._cursor] if self._cursor < len(self._rows) else None

    def show(self, rows: Sequence[Row]) -> None:
        """Replace the rows; the cursor stays on the row with its key."""
        self._all = tuple(rows)
        self._sift()

    def filter(self, words: str) -> None:
        """Keep rows that hold every word in any of their cells, or are to be found by it, in any case."""
        self._filter = words.casefold()
        self._sift()

    def _sought(self) -> list[Row]:
        """The rows that hold every word: those where one sees it come first."""
        words = self._filter.split()
        seen: list[Row] = []
        only_said: list[Row] = []
        for row in self._all:
            shown = " ".join(map(text_of, row.cells)).casefold()
            if all(word in shown for word in words):
                seen.append(row)
            elif row.words and all(word in f"{shown} {row.words}".casefold() for word in words):
                only_said.append(row)
        return [*seen, *only_said]

    def _sift(self) -> None:
        before, key = self._rows, self.cursor.key if self.cursor else ""
        self._rows = self._sought() if self._filter else list(self._all)
        if self._rows == before:
            return
        first = next((number for number in range(len(self._rows)) if self._stands(number)), 0)
        cursor = next((number for number, row in enumerate(self._rows) if row.key == key), first)
        moved, self._cursor = cursor != self._cursor, cursor
        if key != (self.cursor.key if self.cursor else ""):
            self.post_message(self.Moved())
        if len(self._rows) != len(before):
            self.virtual_size = Size(0, len(self._rows) + self._head)
            self.refresh(layout=self.styles.auto_dimensions)
        elif moved:
            self.refresh()
        else:
            for number, (was, now) in enumerate(zip(before, self._rows, strict=True)):
                if was is not now and was != now:
                    self.refresh_line(number + self._head)

    def render_line(self, y: int) -> Strip:
        across = widths(self.columns, self.room)
        if y < self._head:
            return self.strip(lay([((column.title, "dim"),) for column in self.columns], self.columns, across))
        number = y - self._head + self.scroll_offset.y
        if number >= len(self._rows):
            return self.strip(BLANK)
        cells = self._rows[number].cells
        laid = cells[0] if len(cells) == 1 else lay(cells, self.columns, across)
        return self.strip(laid, cursor=self.has_focus and number == self._cursor)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_move(self, by: int) -> None:
        """Move the cursor; it stays in sight."""
        if not self._rows:
            return
        before = self._cursor
        wanted = max(0, min(len(self._rows) - 1, before + by))
        along = range(wanted, len(self._rows)) if by > 0 else range(wanted, -1, -1)
        self._cursor = next((number for number in along if self._stands(number)), before)
        if self._cursor == before:
            self.scroll_relative(y=by, animate=False)  # a heading above the first row
            return
        self.post_message(self.Moved())
        self.refresh_line(before + self._head)
        self.refresh_line(self._cursor + self._head)
        top, room = self.scroll_offset.y, self.size.height - self._head
        if not top <= self._cursor < top + room:
            self.scroll_to(y=self._cursor if self._cursor < top else self._cursor - room + 1, animate=False)

    def _stands(self, number: int) -> bool:
        """The cursor stands on no heading."""
        return len(self._rows[number].cells) > 1

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.size.height - self._head - 1))
