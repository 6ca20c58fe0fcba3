"""SQL over incidents: one statement that reads, run by DuckDB in memory, and nothing that could do more than read them.

What a statement sees are Arrow tables and datasets that are handed to it. It can open no file, load no extension and
set no option, and the database, which never was on a disk, is gone afterwards. Imports DuckDB and PyArrow.
"""

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import duckdb
import pyarrow as pa

from console.desk.archive import Answer, Column, Unreadable
from console.desk.words import printable
from console.evidence.catalogue import Catalogue, Entries
from console.evidence.cells import kind_of, texts

SECONDS = 300.0
"""After which a statement is ended that nobody ended before."""
_BATCH = 1024
_ALONE: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "temp_directory": "",
    "memory_limit": "1GB",
    "threads": "2",
    "errors_as_json": "true",
}
_SKIPPED = r"(?:\s|--[^\r\n]*\n|/\*(?:(?!/\*|\*/).)*\*/)*"  # of comments those that can be read in one way only
_EXPLAIN = re.compile(_SKIPPED + r"explain(?:\s+analyze|\s*\([\w\s,]*\))?\s+(.*)", re.DOTALL | re.IGNORECASE)
MOST_BYTES = 512 << 20
"""What an answer may weigh in memory."""
_COMPOSED = "query"
"""`query('…')` and `query_table('…')` can name a table in pieces: then any may be meant."""


class BadQuery(Unreadable):
    """A statement that is wrong, or not let in. The message says what, and where in it."""


class Result(NamedTuple):
    """The rows that were asked for; `more` where there were others."""

    table: pa.Table
    more: bool
    took_ms: int


class Sandbox:
    """Answers queries about incidents, one at a time; `cancel` from another thread."""

    def __init__(self, entries: Entries) -> None:
        self._catalogue = Catalogue(entries)
        self._running: duckdb.DuckDBPyConnection | None = None
        self._ended = ""
        self._lock = threading.Lock()

    def answer(self, sql: str, limit: int) -> Answer:
        """As a screen shows it. Raises BadQuery and Unreadable."""
        table, more, took_ms = self.ask(sql, limit)
        cells = [[printable(cell) for cell in cells_of(column)] for column in table.columns]
        return Answer(_columns(table.schema), tuple(zip(*cells, strict=True)), more, took_ms)

    def ask(self, sql: str, limit: int, seconds: float = SECONDS) -> Result:
        """The first `limit` rows of what a statement gives. Raises BadQuery, and Unreadable where evidence is not what
        was sealed or the statement was ended."""
        began = time.monotonic()
        with duckdb.connect(":memory:", config=_ALONE) as base, self._ending(base, seconds):
            _only_reading(base, sql)
            for name, source in self._catalogue.sources(_mentions(sql), self._go_on).items():
                base.register(name, source)
            base.execute("SET TimeZone = 'UTC'")
            base.execute("SET lock_configuration = true")
            table = self._run(base, sql, limit + 1)
        took_ms = int((time.monotonic() - began) * 1000)
        return Result(table.slice(0, limit), table.num_rows > limit, took_ms)

    def cancel(self) -> None:
        """End what is running; nothing where nothing is."""
        self._end("it was ended")

    def tables(self) -> Mapping[str, tuple[Column, ...]]:
        """What there is to be read, with its columns. Raises Unreadable."""
        sources = self._catalogue.sources(lambda name: False, lambda: None)
        return {name: _columns(source.schema) for name, source in sources.items()}

    def _run(self, base: duckdb.DuckDBPyConnection, sql: str, rows: int) -> pa.Table:
        self._go_on()
        try:
            table = _first(base.sql(sql), rows)
            table.validate(full=True)
            return _lines(table) if table.column_names == _PLAN else table
        except MemoryError:
            raise BadQuery(_TOO_MUCH) from None
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            self._go_on()
            self._catalogue.find_damage(_mentions(sql))
            raise BadQuery(_placed(base, sql) or _said(error, sql)) from None

    @contextlib.contextmanager
    def _ending(self, base: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
        """From here on it can be ended, and is when it takes too long."""
        with self._lock:
            self._running, self._ended = base, ""
        timer = threading.Timer(seconds, self._end, [f"it took more than {seconds:g} s"])
        timer.daemon = True
        timer.start()
        try:
            yield
        except duckdb.InterruptException:  # between the statement and what makes it ready
            raise Unreadable(f"no answer: {self._ended}") from None
        finally:
            timer.cancel()
            with self._lock:
                self._running = None

    def _go_on(self) -> None:
        """Raises Unreadable where it was ended meanwhile."""
        if self._ended:
            raise Unreadable(f"no answer: {self._ended}")

    def _end(self, why: str) -> None:
        with self._lock:
            if self._running is not None:
                self._ended = why
                self._running.interrupt()


def cells_of(column: pa.ChunkedArray) -> list[str]:
    """A column as a person reads it."""
    return [cell for chunk in column.chunks for cell in texts(chunk).to_pylist()]


def _columns(schema: pa.Schema) -> tuple[Column, ...]:
    return tuple(Column(field.name, kind_of(field.type)) for field in schema)


def _mentions(sql: str) -> Callable[[str], bool]:
    """Whether a statement may be about a table: a name that it does not hold, it can not read."""
    told = sql.casefold()
    return lambda name: name.casefold() in told or _COMPOSED in told


def _first(asked: duckdb.DuckDBPyRelation, rows: int) -> pa.Table:
    reader = asked.to_arrow_reader(_BATCH)
    batches: list[pa.RecordBatch] = []
    while sum(batch.num_rows for batch in batches) < rows:
        if sum(batch.nbytes for batch in batches) > MOST_BYTES:
            raise BadQuery(_TOO_MUCH)
        try:
            batches.append(reader.read_next_batch())
        except StopIteration:
            break
    table = pa.Table.from_batches(batches, reader.schema).slice(0, rows)
    reader.close()
    return table


_TOO_MUCH = f"the answer is larger than {MOST_BYTES >> 20} MB: ask for fewer rows or columns"
_PLAN = ["explain_key", "explain_value"]


def _lines(plan: pa.Table) -> pa.Table:
    """What EXPLAIN drew, a row a line."""
    lines = [line for text in plan.column(1).to_pylist() for line in text.splitlines()]
    return pa.table({"plan": pa.array(lines, pa.string())})


# --- what may be asked ----------------------------------------------------------------------------------------------


def _only_reading(base: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raises Unreadable where this is not one statement that reads, by DuckDB's own parser."""
    kind = _kind(base, sql)
    if kind == "EXPLAIN":
        explained = _EXPLAIN.fullmatch(sql)
        kind = _kind(base, explained[1]) if explained else kind
    if kind == "MULTI":
        raise BadQuery("PIVOT needs to be told its values: PIVOT … ON column IN ('a', 'b') USING …")
    if kind != "SELECT":
        raise BadQuery(f"{kind} is refused: an archive is only read, by SELECT, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN")


def _kind(base: duckdb.DuckDBPyConnection, sql: str) -> str:
    try:
        sql.encode()
        statements = base.extract_statements(sql)
    except UnicodeEncodeError:
        raise BadQuery("the statement is not UTF-8") from None
    except duckdb.Error as error:
        raise BadQuery(_said(error, sql)) from None
    if len(statements) != 1:
        raise BadQuery(f"one statement is expected, and there are {len(statements)}")
    return str(statements[0].type.name)


_PROBE = "EXPLAIN "


def _placed(base: duckdb.DuckDBPyConnection, sql: str) -> str:
    """What DuckDB says of the statement without running it, because then it says where; empty where that is nothing."""
    try:
        base.execute(_PROBE + sql)
    except duckdb.Error as error:
        return _said(error, sql, len(_PROBE))
    return ""


def _said(error: Exception, sql: str, before: int = 0) -> str:
    """What went wrong in one sentence, with the place in the statement."""
    text = str(error)
    try:
        told = json.loads(text[text.index("{") :])
        message, position = str(told["exception_message"]), told.get("position")
    except (ValueError, KeyError):
        message, position = text, None
    first = message.strip().split("\n")[0].rstrip(".:!")
    if position is None:
        return first
    read = sql.encode()[: int(position) - before].decode("utf-8", "replace")
    line, column = read.count("\n") + 1, len(read) - read.rfind("\n")
    return f"line {line}, column {column}: {first}"
