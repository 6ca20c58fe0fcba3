"""`andon archive query`: one SQL statement over all incidents of an archive, read-only."""

import argparse
import csv
import sys
from concurrent.futures import ThreadPoolExecutor

from console.commands.archive_shelf import FAILED, shelf_of
from console.commands.output import print_json, print_table, say
from console.config import ConfigError
from console.desk.archive import Unreadable
from console.desk.words import count, printable
from console.evidence.cells import kind_of, plain
from console.evidence.query import BadQuery, Result, Sandbox, cells_of


def query_archive(options: argparse.Namespace) -> int:
    """Prints the answer; returns 1 where evidence is not what was sealed. Raises ConfigError where the statement is
    wrong."""
    with shelf_of(options.path, options.desk, without=options.without) as shelf:
        try:
            result = _asked(shelf.sandbox, options.sql, options.limit)
        except BadQuery as error:
            raise ConfigError(str(error)) from None
        except Unreadable as error:
            say(f"andon: {error}", to=sys.stderr)
            return FAILED
    if options.json:
        _print_json(result)
    elif options.csv:
        _print_csv(result)
    else:
        cells = [cells_of(column) for column in result.table.columns]
        print_table([tuple(result.table.column_names), *zip(*cells, strict=True)])
    if result.more and not options.json:
        print(f"… there are more than {count(options.limit, 'row')}: --limit N", file=sys.stderr)
    return 0


def _asked(sandbox: Sandbox, sql: str, limit: int) -> Result:
    """In a thread, so that Ctrl-C ends it at once."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(sandbox.ask, sql, limit)
        try:
            return asked.result()
        except KeyboardInterrupt:
            sandbox.cancel()
            raise


def _values(result: Result) -> list[tuple[object, ...]]:
    columns = ([value for chunk in column.chunks for value in plain(chunk)] for column in result.table.columns)
    return list(zip(*columns, strict=True))


def _print_json(result: Result) -> None:
    columns = [{"name": field.name, "kind": kind_of(field.type)} for field in result.table.schema]
    print_json({"columns": columns, "rows": _values(result), "more": result.more, "took_ms": result.took_ms})


def _print_csv(result: Result) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    rows = [tuple(result.table.column_names), *_values(result)]
    if sys.stdout.isatty():  # for a machine, as it is
        rows = [tuple(printable(str("" if cell is None else cell)) for cell in row) for row in rows]
    writer.writerows(rows)
