"""`andon incident`: incidents opened, looked at, noted and closed, with or without a guard."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from console.commands.kept import FAILED, write_down
from console.commands.output import print_json, print_table
from console.config import ConfigError, find, glance
from console.desk import entries as en
from console.desk import events as ev
from console.desk import incidents as inc
from console.desk.events import Record
from console.desk.logbook import Logbook, fold
from console.desk.timeline import tell
from console.desk.words import count, stamp
from console.evidence.journal import Tail
from console.library import library_of
from console.runbooks.kinds import INCIDENT
from console.session import Session
from console.strict_yaml import meant

About = en.IncidentEntry | ev.ArchiveSealed | ev.EvidenceFailed | ev.ArchiveRemoved | ev.RestoreDrilled


class History(NamedTuple):
    """Every incident that the journal holds, and what was recorded of each, the oldest first."""

    incidents: dict[str, inc.IncidentState]
    records: dict[str, list[Record]]

    def seals(self, incident: str) -> list[ev.ArchiveSealed]:
        return [each.event for each in self.records[incident] if isinstance(each.event, ev.ArchiveSealed)]


def open_incident(options: argparse.Namespace) -> int:
    """Opens one and prints its number. Raises ConfigError where there is no such class."""
    file = find(options.desk)
    severity = options.severity or _severity(file, options.cls)
    folder = glance(file).state
    with Session(folder) as session:
        number, why = _opened(
            session, folder, lambda free: en.IncidentOpened(free, options.cls, severity, options.title)
        )
    if options.json:
        print_json({"kept": bool(number), "incident": number or None, "severity": severity, "warning": why})
    else:
        if why:
            print(f"andon: {why}", file=sys.stderr)
        if number:
            print(f"{number} is open")
    return 0 if number else FAILED


def _opened(session: Session, folder: Path, entry: Callable[[str], en.IncidentOpened]) -> tuple[str, str]:
    """The number that it got, empty where it was not written, and what is not as it should be."""
    while True:
        number = inc.next_id((*session.state.logbook.incidents, *archived(folder)), session.now)
        try:
            return number, session.keep(entry(number))
        except RuntimeError as error:
            if number not in session.state.logbook.incidents:  # nobody was faster: it is something else
                return "", f"NOT KEPT: {error}"


def _severity(file: Path, cls: str) -> Any:
    if not cls:
        return "P0"
    classes = library_of(file).shelf(INCIDENT).documents
    if cls not in classes:
        raise ConfigError(f"there is no class of incidents {cls!r}; {meant(cls, classes)}")
    return classes[cls].spec.severity


def archived(folder: Path) -> list[str]:
    """The names of what lies in the archive of the desk whose state is in `folder`."""
    try:
        return [path.name for path in (folder / "archive").iterdir()]
    except OSError:
        return []


def note_incident(options: argparse.Namespace) -> int:
    """Writes something down about an incident."""
    entry = en.IncidentNoted(options.id, " ".join(options.text))
    return write_down(options, entry, lambda session: f"noted in {options.id}")


def close_incident(options: argparse.Namespace) -> int:
    """Writes that an incident is over, and how it came out. The latch and the gate are none of its business."""
    entry = en.IncidentClosed(options.id, options.outcome)
    return write_down(options, entry, lambda session: f"{options.id} is closed{_stopped(session)}")


def _stopped(session: Session) -> str:
    standing = len(session.state.pulls)
    return f"; {count(standing, 'pull')} still stand{'s' if standing == 1 else ''}" if standing else ""


def list_incidents(options: argparse.Namespace) -> int:
    """Prints every incident that the journal holds."""
    history = _history(glance(find(options.desk)).state)
    rows = history.incidents.values()
    if options.json:
        print_json({"incidents": [_facts(row, history) for row in rows]})
    elif not rows:
        print("no incident is on record")
    else:
        print_table([(*_row(row), count(len(history.seals(row.id)), "seal")) for row in rows])
    return 0


def _row(row: inc.IncidentState) -> tuple[str, ...]:
    ended = f"closed {stamp(row.closed_at)}" if row.closed_at else "OPEN"
    return (row.id, row.severity, row.cls or "–", f"{stamp(row.opened_at)} {row.opened_by}", ended, row.title)


def show_incident(options: argparse.Namespace) -> int:
    """Prints one incident with everything that was recorded of it. Raises ConfigError where there is none."""
    folder = glance(find(options.desk)).state
    history = _history(folder)
    row = history.incidents.get(options.id)
    if row is None:
        known = "andon incident list has those there are" if history.incidents else "there is none on record yet"
        raise ConfigError(f"there is no incident {options.id!r}; {known}")
    lies = folder / "archive" / row.id
    lines = [line for record in history.records[row.id] if (line := tell(record)) is not None]
    if options.json:
        told = [{"ts": line.ts, "actor": line.actor, "text": line.text} for line in lines]
        print_json({**_facts(row, history), "folder": lies, "timeline": told})
        return 0
    print("  ".join(filter(None, _row(row))))
    for what, text in (("pulls", ", ".join(row.pulls)), ("outcome", row.outcome)):
        if text:
            print(f"{what}: {text}")
    print(f"evidence: {lies}" if lies.is_dir() else "evidence: none lies in this desk's archive")
    print_table([(stamp(line.ts), line.text) for line in lines], "  ")
    return 0


def _facts(row: inc.IncidentState, history: History) -> dict[str, object]:
    seals = [msgspec.structs.asdict(seal) for seal in history.seals(row.id)]
    return {**msgspec.structs.asdict(row), "open": row.open, "sealed": seals, "trouble": _trouble(row, history)}


def _trouble(row: inc.IncidentState, history: History) -> list[str]:
    """What could not be kept since the latest seal."""
    found: list[str] = []
    for record in history.records[row.id]:
        if isinstance(record.event, ev.ArchiveSealed):
            found = []
        elif isinstance(record.event, ev.EvidenceFailed):
            found.append(f"{record.event.what}: {record.event.why}")
    return found


def _history(folder: Path) -> History:
    """From the journal's files alone; what of them can not be read is said on stderr."""
    tail = Tail(folder / "journal")
    book = Logbook()
    records: dict[str, list[Record]] = {}
    for record in tail.poll():
        event = record.event
        if isinstance(event, en.IncidentEntry):
            book = fold(book, record)
        if isinstance(event, About):
            records.setdefault(event.incident, []).append(record)
    for missing in tail.missing:
        print(f"andon: {missing}", file=sys.stderr)
    return History(book.incidents, records)
