"""What a screen may ask of an archive: values and Protocols; where the bytes lie is none of its business.

Everything here may read files and take long, so it is called in a thread. What can not be read raises `Unreadable`
with a sentence; it is never an empty answer.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from console.desk.base import Plain
from console.desk.state import DeskState
from console.desk.timeline import TimelineEntry


class Unreadable(Exception):
    """Something of an archive can not be read, or is not what was sealed. The message names the file and says why."""


class Standing(Plain, frozen=True):
    """What a verification found. `word` is verified, consistent (nothing wrong, but the signer is not known) or broken;
    `says` is that in a sentence with the signer's fingerprint, `findings` what is wrong, a sentence each."""

    word: str
    says: str
    signer: str = ""
    findings: tuple[str, ...] = ()


class Summary(Plain, frozen=True):
    """An incident in the list. `archive` is the folder it lies in; times are UTC ns, `closed_at` 0 where the last seal
    found it open. `symbols` are those that were held or worked on, `text` what a search for words looks through.
    `trouble` says why it can not be read, and then little else is known."""

    archive: str
    id: str
    desk: str = ""
    mode: str = ""
    cls: str = ""
    severity: str = ""
    title: str = ""
    opened_at: int = 0
    closed_at: int = 0
    seals: int = 0
    sealed_at: int = 0
    items: int = 0
    rows: int = 0
    bytes: int = 0
    signer: str = ""
    symbols: tuple[str, ...] = ()
    text: str = ""
    trouble: str = ""


class Item(Plain, frozen=True):
    """One sealed file. `rows` is None where it is no table; `standing` is unchecked, ok, or a sentence on what is wrong
    with it."""

    file: str
    item: str
    seal: int
    rows: int | None
    bytes: int
    captured_at: int
    by: str
    source: str
    sha256: str
    standing: str = "unchecked"


class Column(Plain, frozen=True):
    """`kind` is time, number or text."""

    name: str
    kind: str


class Curve(Plain, frozen=True):
    """A number over time: one level a step, None where the step has no row. The first step begins at `first`, the last
    one ends at `last` (UTC ns); a step's level is the mean of its rows."""

    first: int
    last: int
    levels: tuple[float | None, ...]


class Rows(Protocol):
    """A table of any length. Cells are as a person reads them; times in UTC to the microsecond."""

    columns: tuple[Column, ...]
    count: int

    def window(self, first: int, count: int) -> list[tuple[str, ...]]:
        """Rows from `first` on, at most `count`. Memory is that of the window, not of the table."""
        ...

    def sorted(self, column: str, *, descending: bool = False) -> "Rows": ...

    def filtered(self, words: str) -> "Rows":
        """Those rows one of whose cells holds each of the words, whatever their case."""
        ...

    def curve(self, column: str, points: int) -> Curve:
        """A number column over the table's first time column, in so many equal steps of time. Raises Unreadable where
        the table has no time, or no row."""
        ...


class Answer(Plain, frozen=True):
    """What a query gave: at most as many rows as were asked for, `more` where there were others."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    more: bool
    took_ms: int


Progress: TypeAlias = Callable[[int, int], None]
"""Told now and then, in the thread that works: how many bytes are done, and how many there are."""


class Case(Protocol):
    """One incident of an archive, opened."""

    summary: Summary
    items: tuple[Item, ...]
    missing: tuple[str, ...]

    def timeline(self) -> Sequence[TimelineEntry]:
        """What happened from the pinned window on, the oldest first."""
        ...

    def state(self) -> DeskState:
        """The desk as it was at the last seal, folded from what was sealed."""
        ...

    def sealed_at(self) -> int:
        """The moment of that state, UTC ns."""
        ...

    def rows(self, item: str) -> Rows:
        """The table of an item, over all seals that added to it, by the name in `Item.item`."""
        ...

    def text(self, file: str) -> str:
        """A file that is no table, as text."""
        ...

    def verify(self, progress: Progress | None = None) -> tuple[Standing, tuple[Item, ...]]:
        """Check every byte; the items then say how each of them stands. What `progress` raises ends it."""
        ...


class Shelf(Protocol):
    """One archive or several."""

    paths: tuple[str, ...]

    def incidents(self, *, deep: bool = False) -> tuple[Summary, ...]:
        """The latest first. `symbols` and `text` of those that no index knows are read from their evidence with `deep`,
        which takes long where they are many; without it they are empty."""
        ...

    def open(self, summary: Summary) -> Case: ...

    def query(self, sql: str, limit: int = 1000) -> Answer:
        """One read-only statement over all incidents. Raises Unreadable with the reason."""
        ...

    def cancel(self) -> None:
        """End the query that is running, from another thread; it then raises Unreadable. Nothing where none runs."""
        ...

    def tables(self) -> Mapping[str, tuple[Column, ...]]:
        """What a query can read: the tables' names, and their columns."""
        ...

    def close(self) -> None:
        """Nobody reads any more: what was unpacked is removed."""
        ...


class Archives(Protocol):
    """Where a console finds archives."""

    paths: tuple[str, ...]

    def names(self) -> tuple[str, ...]:
        """The numbers of the incidents that lie there, as far as can be told at once."""
        ...

    def shelf(self) -> Shelf:
        """Open them. Raises Unreadable."""
        ...

    def export(self, summary: Summary, to: str) -> str:
        """Write a whole incident as one file, in the folder `to` or under that name; says where it is. Raises
        Unreadable."""
        ...
