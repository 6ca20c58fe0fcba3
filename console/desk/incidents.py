"""Incidents as the desk lives them: opened, joined by pulls, noted, closed, and what of their evidence is sealed. Pure.

What an incident *class* is stands in `console.desk.incident`. `after` is the one rule for what people do to incidents,
as it is in the logbook; the fold leaves out what the rule refuses.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from console.desk import entries as en
from console.desk.base import Plain

CLOSED_KEPT = 50
"""Closed incidents that stay in a desk's state; the journal and the archive have them all."""
OPEN_KEPT = 50
TROUBLE_KEPT = 10
NUMBER = re.compile(r"INC-(\d{4})-(\d{4,})")


class Sealed(Plain, frozen=True):
    """A seal as the journal remembers it: what verification holds a folder against. See `events.ArchiveSealed`."""

    seal: int
    at: int
    why: str
    head: str
    lines: int
    items: tuple[str, ...]
    missing: tuple[str, ...] = ()


class IncidentState(Plain, frozen=True):
    """An incident. Times are UTC ns, `closed_at` 0 while it is open. `cls` is the id of its class, empty until somebody
    said; `pulls` are those that opened or joined it, `captured` those of them after which the desk was read for a seal.
    `sealed` is the latest seal, `trouble` what of the evidence could not be kept since, a sentence each, the latest
    last."""

    id: str
    cls: str
    severity: str
    title: str
    opened_at: int
    opened_by: str
    pulls: tuple[str, ...] = ()
    notes: int = 0
    closed_at: int = 0
    closed_by: str = ""
    outcome: str = ""
    captured: tuple[str, ...] = ()
    sealed: Sealed | None = None
    trouble: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        return not self.closed_at

    @property
    def covered(self) -> bool:
        """Whether the desk was read and sealed since it was opened and since each of its pulls."""
        return self.sealed is not None and set(self.pulls) <= set(self.captured)


def next_id(known: Iterable[str], ts: int) -> str:
    """The number of an incident that is opened at `ts`: one above the highest known of that UTC year."""
    year = datetime.fromtimestamp(ts // 1_000_000_000, UTC).year
    found = (NUMBER.fullmatch(name) for name in known)
    numbers = [int(match[2]) for match in found if match and int(match[1]) == year]
    return f"INC-{year}-{max(numbers, default=0) + 1:04d}"


def after(
    incidents: dict[str, IncidentState], entry: en.IncidentEntry, actor: str, ts: int
) -> dict[str, IncidentState]:
    """The incidents after an entry. Raises ValueError with a sentence where it makes no sense as things stand. A pull
    belongs to one incident: whoever opens a second for it was overtaken."""
    if isinstance(entry, en.IncidentOpened):
        if not NUMBER.fullmatch(entry.incident):
            raise ValueError(f"{entry.incident!r} is no incident's number; INC-YYYY-NNNN is expected")
        if entry.incident in incidents:
            raise ValueError(f"{entry.incident} is there already")
        _stray(incidents, entry.pull)
        return {
            **incidents,
            entry.incident: IncidentState(
                id=entry.incident,
                cls=entry.cls,
                severity=entry.severity,
                title=entry.title,
                opened_at=ts,
                opened_by=actor,
                pulls=(entry.pull,) if entry.pull else (),
            ),
        }
    known = incidents.get(entry.incident)
    if known is None:
        raise ValueError(f"there is no incident {entry.incident}")
    match entry:
        case en.IncidentJoined():
            if not known.open:
                raise ValueError(f"{entry.incident} was closed by {known.closed_by}: a pull opens another")
            _stray(incidents, entry.pull)
            return changed(incidents, known, pulls=(*known.pulls, entry.pull))
        case en.IncidentNoted():
            if not entry.text.strip():
                raise ValueError("a note says something")
            return changed(incidents, known, notes=known.notes + 1)
        case en.IncidentClosed():
            if not known.open:
                raise ValueError(f"{entry.incident} was closed by {known.closed_by} already")
            if not entry.outcome.strip():
                raise ValueError("an incident is closed with a sentence on how it came out")
            return changed(incidents, known, closed_at=ts, closed_by=actor, outcome=entry.outcome)
    raise AssertionError(f"an entry without a rule: {entry!r}")


def of_pull(incidents: Mapping[str, IncidentState], pull: str) -> IncidentState | None:
    """The incident that a pull opened or joined."""
    return next((row for row in incidents.values() if pull in row.pulls), None)


def _stray(incidents: dict[str, IncidentState], pull: str) -> None:
    """Raises ValueError where the pull has an incident."""
    known = of_pull(incidents, pull) if pull else None
    if known is not None:
        raise ValueError(f"the pull {pull} belongs to {known.id} already")


def changed(incidents: dict[str, IncidentState], known: IncidentState, **changes: Any) -> dict[str, IncidentState]:
    """The table with one incident changed."""
    return {**incidents, known.id: msgspec.structs.replace(known, **changes)}


def trimmed(incidents: dict[str, IncidentState]) -> dict[str, IncidentState]:
    """With no more than a desk's state should hold: the latest closed ones, and those that are open."""
    over = [name for name, row in incidents.items() if not row.open][:-CLOSED_KEPT]
    going = [name for name, row in incidents.items() if row.open][:-OPEN_KEPT]
    left_out = {*over, *going}
    return {name: row for name, row in incidents.items() if name not in left_out} if left_out else incidents
