"""SQL over all incidents: one line to type in, and the answer as a table."""

import asyncio
from collections.abc import Mapping
from functools import partial

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

from console.desk.archive import Column, Shelf, Unreadable
from console.desk.words import count
from console.history import History
from console.screens.table import TableRoom
from console.screens.views import table as view
from console.screens.views.answer import AnswerRows
from widgets.table import Table

LIMIT = 1000
"""Rows of an answer at most; the query can ask for others."""
HISTORY = "queries"
AGAIN = 0.1


class Statement(Input):
    """The line. Up and down are left to whoever knows what was typed before."""

    class Asked(Message):
        """Something typed before, `by` so many lines further on, is wanted."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    BINDINGS = [
        Binding("up", "ask(-1)", "Before", show=False),
        Binding("down", "ask(1)", "After", show=False),
    ]

    def action_ask(self, by: int) -> None:
        self.post_message(self.Asked(by))


class QueryScreen(TableRoom):
    """An empty line, or a question mark, lists what there is to query. `incident` is where it was opened."""

    def __init__(self, shelf: Shelf, incident: str = "") -> None:
        super().__init__("SQL")
        self._shelf = shelf
        self._incident = incident
        self._history = History.of_user(HISTORY)
        self._asking = False

    def body(self) -> ComposeResult:
        with Horizontal(id="sql"):
            yield Label("sql")
            yield Statement(id="statement", compact=True, select_on_focus=False)
        yield from super().body()

    def on_mount(self) -> None:
        self.query_one("#statement", Statement).placeholder = view.example(self._incident)
        self.query_one("#statement").focus()
        self.list_tables()

    # --- asking -----------------------------------------------------------------------------------------------------

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "statement":
            event.stop()
            self.submit(event.value.strip())

    def submit(self, sql: str) -> None:
        if self._busy:
            return
        if sql in ("", "?"):
            self.query_one("#statement", Statement).value = ""
            self.list_tables()
        else:
            self._history.add(sql)
            self.ask(sql)

    def on_statement_asked(self, event: Statement.Asked) -> None:
        line = self.query_one("#statement", Statement)
        line.value = self._history.before(line.value) if event.by < 0 else self._history.after(line.value)
        line.cursor_position = len(line.value)

    @work(group="query", exclusive=True)
    async def list_tables(self) -> None:
        try:
            tables = await self.read(self._shelf.tables)
        except Unreadable as error:
            self._said = str(error)
            self.refresh_moment()
            return
        told = tuple((name, ", ".join(column.name for column in columns)) for name, columns in tables.items())
        self._where = "SQL  what there is"
        self.take(AnswerRows((Column("table", "text"), Column("columns", "text")), told))

    @work(group="query", exclusive=True)
    async def ask(self, sql: str) -> None:
        self._asking, self._busy = True, "running … Esc ends it"
        self.refresh_moment()
        await self.read(self._history.save)
        try:
            answer = await self.read(partial(self._shelf.query, sql, LIMIT))
        except Unreadable as error:
            self._busy, self._said = "", str(error)
            self.refresh_moment()
            return
        finally:
            self._asking = False
        self._where = "SQL"
        self.take(AnswerRows.of(answer))
        if answer.more:
            self._said = f"the first {count(LIMIT, 'row')}, in {answer.took_ms:,} ms; LIMIT and OFFSET ask for others"
        if answer.rows:
            self.query_one("#table").focus()
        self.refresh_moment()

    # --- what can be done -------------------------------------------------------------------------------------------

    def offers(self) -> Mapping[str, str]:
        return {**super().offers(), "query": ""}

    def do_query(self) -> None:
        self.set_focus(self.query_one("#statement"))  # now: what is typed right behind the key belongs here

    def do_leave(self) -> None:
        """A query that runs is ended; from the table back to the line; from the line away."""
        if self._asking:
            self.end()
        elif not self._busy and self.query_one("#table", Table).has_focus and self._where == "SQL":
            self.do_query()
        else:
            super().do_leave()

    @work(group="end")
    async def end(self) -> None:
        """From another thread; the query then fails, and says so. It may only be about to begin: then once more."""
        while self._asking:
            await self.read(self._shelf.cancel)
            await asyncio.sleep(AGAIN)

    def on_unmount(self) -> None:
        if self._asking:
            self._shelf.cancel()
