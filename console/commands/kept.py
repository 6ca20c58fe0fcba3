"""The logbook at a terminal: every step is written, and none is lost where that can not be done."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from console.commands.output import print_json
from console.config import ConfigError, find, glance
from console.cord.puller import user_name
from console.desk.entries import AnyEntry, Entry
from console.desk.logbook import Logbook, after, fold
from console.evidence.journal import Tail
from console.session import Session

FAILED = 1


class Kept:
    """The logbook as it stands at the other end of a session. What the disk does not take goes on here alone (`whole`
    is False from then on), and that is said: a runbook has to work when nothing else does."""

    def __init__(self, session: Session) -> None:
        self.whole = True
        self._session = session
        self._actor = user_name()
        self._alone = Logbook()

    @property
    def logbook(self) -> Logbook:
        return self._session.state.logbook if self.whole else self._alone

    def write(self, entry: AnyEntry) -> None:
        """Raises ValueError where the entry makes no sense as things stand, because somebody else went on, say; nothing
        is written then."""
        here = self._after(entry)
        if self.whole:
            try:
                warning = self._session.keep(entry)
            except RuntimeError as error:
                here = self._after(entry)
                self.whole = False
                warning = f"NOT KEPT: {error}; it goes on here, where nobody else will see it"
            if warning:
                print(f"andon: {warning}", file=sys.stderr)
        self._alone = here

    def _after(self, entry: AnyEntry) -> Logbook:
        return after(self.logbook, entry, self._actor, self._session.now)


def write_down(options: argparse.Namespace, entry: AnyEntry, said: Callable[[Session], str]) -> int:
    """Write one entry and print what is `said` of it; returns 1 where it could not be written. Raises ConfigError where
    it makes no sense."""
    with Session(glance(find(options.desk)).state) as session:
        try:
            after(session.state.logbook, entry, user_name(), session.now)
            warning, kept = session.keep(entry), True
        except ValueError as error:
            raise ConfigError(str(error)) from None
        except RuntimeError as error:
            warning, kept = f"NOT KEPT: {error}", False
        if options.json:
            print_json({"kept": kept, "said": said(session) if kept else "", "warning": warning})
        else:
            if warning:
                print(f"andon: {warning}", file=sys.stderr)
            if kept:
                print(said(session))
    return 0 if kept else FAILED


def whole_logbook(folder: Path) -> Logbook:
    """Everything that was ever walked, run and attested, from the journal's files alone; what of them can not be read
    is said on stderr."""
    tail = Tail(folder / "journal")
    logbook = Logbook()
    for record in tail.poll():
        if isinstance(record.event, Entry):
            logbook = fold(logbook, record)
    for missing in tail.missing:
        print(f"andon: {missing}", file=sys.stderr)
    return logbook
