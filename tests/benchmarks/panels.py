"""One live panel, made twice: `python -m tests.benchmarks.panels lines|stock` runs it in a terminal until it is killed.

Twelve monitors (label, reading, threshold, curve, age) above two hundred rows (symbol, book, broker, difference,
state), changed ten times a second by the same seeded data: every monitor, and forty of the rows. `lines` is made of our
widgets, shown whole at each tick as our screens do; `stock` of Textual's own, and is told only what has changed.
The first line counts the ticks.
"""

import random
import sys

from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Sparkline, Static

from themes import shipped
from widgets.curve import curve
from widgets.grid import Column, Grid, Row
from widgets.line import line
from widgets.lines import Lines

TICK = 0.1
MONITORS, ROWS, CHANGED = 12, 200, 40
CURVE = 12
TITLES = ("symbol", "book", "broker", "difference", "state")


def symbol(row: int) -> str:
    return f"SYM-{row:03}"


class Data:
    """What the panel shows now: a curve for each monitor, book and broker for each row."""

    def __init__(self) -> None:
        self._random = random.Random(7)
        self.tick = 0
        self.levels = [[self._random.random() for _ in range(CURVE)] for _ in range(MONITORS)]
        self.rows = [(number, number) for number in range(ROWS)]

    def step(self) -> list[int]:
        """One tick further; the rows that changed."""
        self.tick += 1
        for levels in self.levels:
            levels.append(self._random.random())
            del levels[0]
        changed = self._random.sample(range(ROWS), CHANGED)
        for row in changed:
            self.rows[row] = (self._random.randrange(10_000), self._random.randrange(10_000))
        return changed

    def said(self) -> str:
        return f"tick {self.tick}."

    def reading(self, monitor: int) -> str:
        return f"{int(self.levels[monitor][-1] * 1000)} ms"

    def age(self, monitor: int) -> str:
        return f"{(self.tick + monitor) // 10 % 60} s"

    def cells(self, row: int) -> tuple[str, str, str, str, str]:
        book, broker = self.rows[row]
        state = "equal" if book == broker else "differs"
        return symbol(row), f"{book:,}", f"{broker:,}", f"{book - broker:+,}", state


class Panel(App[None]):
    """Both in the same theme, without animation."""

    def __init__(self) -> None:
        (theme, *_) = shipped()
        self._variables = dict(theme.variables)
        super().__init__()
        self.register_theme(theme)
        self.theme = theme.name
        self.animation_level = "none"
        self.shown = Data()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return self._variables

    def on_mount(self) -> None:
        self.query_one("#rows").focus()
        self.set_interval(TICK, lambda: self.present(self.shown.step()))

    def present(self, changed: list[int]) -> None:
        raise NotImplementedError


class LinesPanel(Panel):
    CSS = """
    #tick { height: 1; }
    #monitors { height: 14; border: round $primary; }
    #rows { height: 1fr; border: round $primary; }
    """

    def compose(self) -> ComposeResult:
        columns = [Column("monitor", 20), Column("reading", 10), Column("threshold", 12), Column("curve", CURVE)]
        yield Lines(id="tick")
        yield Grid([*columns, Column("age", 6, align="right")], id="monitors")
        numbers = [Column(title, 12, align="right") for title in TITLES[1:4]]
        yield Grid([Column(TITLES[0], 12), *numbers, Column(TITLES[4], 12)], id="rows", headed=True)

    def present(self, changed: list[int]) -> None:
        data = self.shown
        self.query_one("#tick", Lines).show([line(data.said())])
        self.query_one("#monitors", Grid).show([self.monitor(number) for number in range(MONITORS)])
        rows = [Row(symbol(row), tuple(line(cell) for cell in data.cells(row))) for row in range(ROWS)]
        self.query_one("#rows", Grid).show(rows)

    def monitor(self, number: int) -> Row:
        data = self.shown
        cells = (f"monitor {number}", data.reading(number), "> 900 ms", data.age(number))
        *told, age = (line(cell) for cell in cells)
        return Row(str(number), (*told, curve(data.levels[number], CURVE), age))


class StockPanel(Panel):
    CSS = """
    #tick { height: 1; }
    #monitors { height: 14; border: round $primary; }
    #monitors Horizontal { height: 1; }
    .label { width: 20; } .reading { width: 11; } .threshold { width: 13; } .age { width: 6; }
    Sparkline { width: 12; height: 1; margin-right: 1; }
    #rows { height: 1fr; border: round $primary; }
    #rows > .datatable--cursor { text-style: reverse; }
    """

    def compose(self) -> ComposeResult:
        yield Static(id="tick")
        with Vertical(id="monitors"):
            for number in range(MONITORS):
                with Horizontal():
                    yield Static(f"monitor {number}", classes="label")
                    yield Static(classes="reading")
                    yield Static("> 900 ms", classes="threshold")
                    yield Sparkline(self.shown.levels[number])
                    yield Static(classes="age")
        table: DataTable[str] = DataTable(id="rows", cursor_type="row")
        yield table

    def on_mount(self) -> None:
        super().on_mount()
        self.table = self.query_one("#rows", DataTable)
        for title in TITLES:
            self.table.add_column(title, key=title, width=12)
        for row in range(ROWS):
            self.table.add_row(*self.shown.cells(row), key=symbol(row))
        self.readings, self.ages = list(self.query(".reading")), list(self.query(".age"))
        self.curves = list(self.query(Sparkline))

    def present(self, changed: list[int]) -> None:
        data = self.shown
        self.query_one("#tick", Static).update(data.said())
        for number in range(MONITORS):
            self.readings[number].update(data.reading(number))
            self.curves[number].data = list(data.levels[number])
            if self.ages[number].content != data.age(number):
                self.ages[number].update(data.age(number))
        for row in changed:
            for title, cell in zip(TITLES[1:], data.cells(row)[1:], strict=True):
                if self.table.get_cell(symbol(row), title) != cell:
                    self.table.update_cell(symbol(row), title, cell)


if __name__ == "__main__":
    {"lines": LinesPanel, "stock": StockPanel}[sys.argv[1]]().run()
