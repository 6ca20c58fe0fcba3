"""`andon archive list` and `show`: what lies in an archive, and one incident of it. Files alone are needed."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec

from console.commands.archive_shelf import FAILED, one_of, shelf_of
from console.commands.output import print_json, print_table, say
from console.config import ConfigError
from console.desk.archive import Item, Rows, Summary, Unreadable
from console.desk.words import SECOND, age, count, printable, size, stamp
from console.evidence.shelf import FolderCase

DAY = 86_400 * SECOND


def list_archive(options: argparse.Namespace) -> int:
    """Prints the incidents that are asked for, the latest first; returns 1 where one can not be read. Raises
    ConfigError."""
    with shelf_of(options.path, options.desk) as shelf:
        deep = options.json or bool(options.symbol or options.text)  # JSON never calls empty what was not looked at
        found = [each for each in shelf.incidents(deep=deep) if _asked(each, options)]
        several = len({each.archive for each in found}) > 1
    troubles = [each for each in found if each.trouble]
    if options.json:
        print_json({"incidents": [msgspec.structs.asdict(each) for each in found]})
    else:
        print_table([_row(each, several=several) for each in found if not each.trouble])
        for each in troubles:
            say(f"andon: {each.id}: {each.trouble}", to=sys.stderr)
        if not found:
            print("no incident is sealed here" if not _filters(options) else "no incident is like that")
    return FAILED if troubles else 0


def _filters(options: argparse.Namespace) -> bool:
    given = (options.cls, options.severity, options.since, options.until, options.symbol, options.text)
    return any(each is not None for each in given)


def _asked(summary: Summary, options: argparse.Namespace) -> bool:
    """What can not be read may be what is asked for: it is always shown."""
    if summary.trouble:
        return True
    return (
        options.cls in (None, summary.cls)
        and options.severity in (None, summary.severity)
        and (options.since is None or summary.opened_at >= _begin(options.since))
        and (options.until is None or summary.opened_at < _begin(options.until) + DAY)
        and (options.symbol is None or options.symbol.upper() in summary.symbols)
        and all(word in summary.text.casefold() for word in (options.text or "").casefold().split())
    )


def _begin(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND


def _row(summary: Summary, *, several: bool) -> tuple[str, ...]:
    lasted = age(summary.closed_at - summary.opened_at) if summary.closed_at else "open"
    told = (
        summary.id,
        summary.severity,
        summary.cls or "–",
        stamp(summary.opened_at),
        lasted,
        count(summary.seals, "seal"),
        size(summary.bytes),
        summary.title,
    )
    return (summary.archive, *told) if several else told


# --- one incident ---------------------------------------------------------------------------------------------------


def show_archive(options: argparse.Namespace) -> int:
    """Prints an incident, or the rows of one of its items; returns 1 where they can not be read. Raises ConfigError."""
    if not options.item and (options.filter or options.sort):
        raise ConfigError("--filter and --sort are of rows: --item NAME names whose")
    shelf, summary = one_of(options.id, options.desk)
    with shelf:
        try:
            case = shelf.open(summary)
            if options.item:
                return _show_item(case, options)
            timeline = case.timeline() if options.timeline else ()
        except Unreadable as error:
            say(f"andon: {error}", to=sys.stderr)
            return FAILED
        if options.json:
            told = {"sealed": case.items, "missing": case.missing, "timeline": timeline}
            deep = next((each for each in shelf.incidents(deep=True) if each.id == summary.id), case.summary)
            print_json(msgspec.to_builtins({**msgspec.structs.asdict(deep), **told}))
            return 0
        _print_case(case)
        for entry in timeline:
            say(f"{stamp(entry.ts)}  {entry.text}")
    return 0


def _print_case(case: FolderCase) -> None:
    of = case.summary
    closed = stamp(of.closed_at) if of.closed_at else "open at the last seal"
    say(f"{of.id}  {of.severity} {of.cls or '–'}  {of.title}".rstrip())
    say(f"  desk     {of.desk} ({of.mode})")
    say(f"  opened   {stamp(of.opened_at)}   closed  {closed}")
    say(f"  sealed   {count(of.seals, 'time')}, the last time {stamp(of.sealed_at)}")
    say(f"  signer   {of.signer}, as the seals say: andon archive verify proves it")
    for missing in case.missing:
        say(f"  MISSING  {missing}")
    print_table([_item(each) for each in case.items], indent="  ")


def _item(item: Item) -> tuple[str, ...]:
    rows = "" if item.rows is None else count(item.rows, "row")
    return item.file, rows, size(item.bytes), stamp(item.captured_at), f"{item.source} by {item.by}"


def _show_item(case: FolderCase, options: argparse.Namespace) -> int:
    texts = [each.file for each in case.items if options.item in (each.item, each.file) and each.rows is None]
    tables = {each.item for each in case.items if each.rows is not None}
    if texts and options.item not in tables:
        for file in texts:
            _print_text(case.text(file))
        return 0
    if options.item not in tables:
        raise ConfigError(
            f"there is no item {options.item!r} in {case.summary.id}; there are {', '.join(_names(case))}"
        )
    rows = _rows(case, options)
    shown = rows.window(0, options.limit)
    names = tuple(column.name for column in rows.columns)
    if options.json:
        columns = msgspec.to_builtins(rows.columns)
        print_json({"item": options.item, "columns": columns, "rows": shown, "count": rows.count})
        return 0
    print_table([names, *shown])
    if rows.count > len(shown):
        say(f"… {count(rows.count - len(shown), 'row')} more: --limit {rows.count}", to=sys.stderr)
    return 0


def _print_text(text: str) -> None:
    """As it is into a file or pipe; a terminal gets nothing that it would obey."""
    sys.stdout.write("\n".join(map(printable, text.split("\n"))) if sys.stdout.isatty() else text)


def _rows(case: FolderCase, options: argparse.Namespace) -> Rows:
    rows: Rows = case.rows(options.item)
    if options.filter:
        rows = rows.filtered(options.filter)
    if options.sort:
        column = options.sort.removeprefix("-")
        if column not in [each.name for each in rows.columns]:
            raise ConfigError(
                f"there is no column {column!r}; there are {', '.join(each.name for each in rows.columns)}"
            )
        rows = rows.sorted(column, descending=options.sort.startswith("-"))
    return rows


def _names(case: FolderCase) -> Sequence[str]:
    return list(dict.fromkeys(each.item for each in case.items))
