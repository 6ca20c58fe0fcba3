"""Tables of an archive: millions of rows, of which those in sight are read."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from console.desk.archive import Column, Curve, Rows, Unreadable
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.screens.archive_room import ArchiveRoom
from console.screens.live import LiveScreen
from console.screens.views import table as view
from console.screens.views.writer import Writer
from widgets.line import label, line
from widgets.lines import Lines
from widgets.page import Page
from widgets.plot import steps
from widgets.table import Table


class TableRoom(ArchiveRoom):
    """A table, sorted by a column and sifted by words. `_base` are its rows as they lie there, `_rows` those shown."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where
        self._base: Rows | None = None
        self._rows: Rows | None = None
        self._words = ""
        self._sorted: tuple[str, bool] | None = None
        self._wanted: Table.Wants | None = None
        self._busy = ""
        self._said = ""

    def body(self) -> ComposeResult:
        yield Table(id="table", classes="panel")
        yield Lines(id="below")

    def fill(self, moment: Moment, comparison: Comparison) -> None:
        table = self.query_one("#table", Table)
        total = self._base.count if self._base is not None else None
        shown = self._rows.count if self._rows is not None else total
        table.border_title = label(view.title(self._where, total, shown, self._busy))
        told = view.told(table.span, shown, self._column, self._said, self.size.width)
        self.query_one("#below", Lines).show([told])

    @property
    def _column(self) -> Column | None:
        """The column that the cursor stands on."""
        at = self.query_one("#table", Table).column
        return self._rows.columns[at] if self._rows is not None and at < len(self._rows.columns) else None

    def take(self, rows: Rows) -> None:
        """Show another table, as it lies there."""
        self._base, self._words, self._sorted = rows, "", None
        self._show(rows)

    def _show(self, rows: Rows) -> None:
        marks = {}
        if self._sorted is not None:
            names = [column.name for column in rows.columns]
            marks = {names.index(self._sorted[0]): view.SORTED[self._sorted[1]]}
        self._rows, self._busy, self._said = rows, "", ""
        self.query_one("#table", Table).show(view.headings(rows.columns), rows.count, marks)
        self.refresh_moment()

    def on_table_moved(self) -> None:
        self.refresh_moment()

    def on_table_wants(self, event: Table.Wants) -> None:
        idle, self._wanted = self._wanted is None, event
        if idle:
            self.load()

    @work(group="window")
    async def load(self) -> None:
        """One read at a time; of several that are asked for meanwhile the last one counts."""
        while (wanted := self._wanted) is not None and (rows := self._rows) is not None:
            try:
                window = await self.read(partial(rows.window, wanted.first, wanted.count))
            except Unreadable as error:
                self._said = str(error)
                window = []
            if rows is self._rows and window:
                self.query_one("#table", Table).give(wanted.first, window)
            if self._wanted is wanted:
                self._wanted = None
        self.refresh_moment()

    @work(group="arrange", exclusive=True)
    async def rearrange(self, words: str, by: tuple[str, bool] | None, busy: str) -> None:
        """Sift and sort anew, which may go through all rows. Until then the table is as it was."""
        if self._base is None:
            return
        self._busy = f"{busy} … Esc leaves it"
        self.refresh_moment()
        try:
            rows = await self.read(partial(_arranged, self._base, words, by))
        except Unreadable as error:
            self._busy, self._said = "", str(error)
            self.refresh_moment()
        else:
            self._words, self._sorted = words, by
            self._show(rows)

    # --- what can be done -------------------------------------------------------------------------------------------

    def offers(self) -> Mapping[str, str]:
        column = self._column
        none = "" if column is not None and self._rows is not None and self._rows.count else "there is no row"
        number = "" if column is not None and column.kind == "number" else "← → to a column of numbers"
        return {"open": none, "sort": none, "plot": none or number, "leave": ""}

    @property
    def sifts(self) -> bool:
        return self._base is not None

    def sift(self, words: str) -> None:
        """Not while it is typed: it may go through millions of rows."""

    def keep_filter(self, words: str) -> None:
        if words != self._words:
            self.rearrange(words, self._sorted, "filtering")

    def do_sort(self) -> None:
        """Up, down, and as it was."""
        column = self._column
        if column is None:
            return
        name, downward = self._sorted or ("", False)
        again = name == column.name
        self.rearrange(self._words, None if again and downward else (column.name, again), "sorting")

    def do_leave(self) -> None:
        if not self._busy:
            super().do_leave()
            return
        self.workers.cancel_group(self, "arrange")  # its thread goes on, and nobody waits for it
        self._busy, self._said = "", "left: the table is as it was"
        self.refresh_moment()

    def do_open(self) -> None:
        table = self.query_one("#table", Table)
        cells = table.row(table.cursor)
        if self._rows is not None and cells is not None:
            self.app.push_screen(RowScreen(self._rows.columns, cells, table.cursor))

    @work(group="plot", exclusive=True)
    async def do_plot(self) -> None:
        column, rows = self._column, self._rows
        if column is None or rows is None:
            return
        self._said = f"reading {column.name} …"
        self.refresh_moment()
        try:
            curve = await self.read(partial(rows.curve, column.name, steps(self.size.width - 6)))
        except Unreadable as error:
            self._said = str(error)
        else:
            self._said = ""
            self.app.push_screen(PlotScreen(f"{self._where}  {column.name}", curve))
        self.refresh_moment()


def _arranged(rows: Rows, words: str, by: tuple[str, bool] | None) -> Rows:
    if words:
        rows = rows.filtered(words)
    return rows.sorted(by[0], descending=by[1]) if by is not None else rows


class TableScreen(TableRoom):
    """One item of an incident, over all its seals. `open_rows` reads its beginning."""

    def __init__(self, where: str, open_rows: Callable[[], Rows]) -> None:
        super().__init__(where)
        self._open_rows = open_rows

    def on_mount(self) -> None:
        self.query_one("#table").focus()
        self.begin()

    @work(group="open", exclusive=True)
    async def begin(self) -> None:
        self._busy = "reading …"
        self.refresh_moment()
        try:
            self.take(await self.read(self._open_rows))
        except Unreadable as error:
            self._busy, self._said = "", str(error)
            self.refresh_moment()


class RowScreen(LiveScreen, ModalScreen[None]):
    """One row whole, whatever length its cells have."""

    CSS_PATH = "archive_panel.tcss"
    BINDINGS = [Binding("escape,enter,q", "app.pop_screen", "Leave", show=False)]

    def __init__(self, columns: Sequence[Column], cells: Sequence[str], number: int) -> None:
        super().__init__()
        self._told = columns, cells, number

    def compose(self) -> ComposeResult:
        with Vertical(id="panel"):
            yield Page(id="row")

    def on_mount(self) -> None:
        self.query_one("#panel").border_subtitle = "↑ ↓ scroll   Esc leaves"
        self.query_one("#row").focus()

    def on_page_laid(self) -> None:
        self.refresh_moment()

    def present(self, moment: Moment, comparison: Comparison) -> None:
        page = self.query_one("#row", Page)
        written = Writer(page.room, widest=page.room)
        view.whole(*self._told, written)
        page.show(written.lines, ())


class PlotScreen(LiveScreen, ModalScreen[None]):
    """A number over time."""

    CSS_PATH = "archive_panel.tcss"
    BINDINGS = [Binding("escape,enter,p,q", "app.pop_screen", "Leave", show=False)]

    def __init__(self, title: str, curve: Curve) -> None:
        super().__init__()
        self._title = title
        self._curve = curve

    def compose(self) -> ComposeResult:
        with Vertical(id="panel"):
            yield Lines(id="plot")

    def on_mount(self) -> None:
        self.query_one("#panel").border_title = label(self._title)
        self.query_one("#panel").border_subtitle = "Esc leaves"

    def present(self, moment: Moment, comparison: Comparison) -> None:
        drawn = self.query_one("#plot", Lines)
        drawn.show(view.curve(self._curve, drawn.room, self.size.height * 2 // 3) or [line("")])
