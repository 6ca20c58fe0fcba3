"""Triggers: what makes the guard pull the cord by itself, and when a cause counts as a new one. Pure.

A cause is looked at again and again; a *finding* says how large it is now, or that nobody knows. What is not known
neither fires a trigger nor re-arms one that has fired: only a finding at or under the threshold does.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from console.desk import events as ev
from console.desk.events import Plain
from console.desk.metrics import FRESH, MINUTE, SECOND, SLOW_FRESH, closed, new_errors
from console.desk.pull import Level
from console.desk.runbook import Id, IncidentId, Spec, Text
from console.desk.state import DeskState, VenueState


class TriggerSpec(Spec, frozen=True):
    """One entry of runbooks/triggers.yaml, where its fields are explained."""

    id: Id
    metric: Text
    unit: Text
    level: Level
    scope: Literal["desk", "venue"]
    meaning: Text
    readings: Annotated[int, Meta(ge=1, description="a whole number from 1 on")] = 1
    threshold: Annotated[Decimal, Meta(description="a number above 0")] | None = None
    limit: Text | None = None
    incident: IncidentId | None = None
    unwatched: Text | None = None

    def __post_init__(self) -> None:
        if (self.threshold is None) == (self.limit is None):
            raise ValueError("either 'threshold' or 'limit' is expected, and not both")
        if self.threshold is not None and self.threshold <= 0:
            raise ValueError(f"'threshold' is {self.threshold}; a number above 0 is expected")
        if not self.unwatched and self.metric not in _METRICS:
            raise ValueError(f"there is no metric {self.metric!r}; one of {', '.join(_METRICS)} is expected")

    def under(self, limits: Mapping[str, Decimal]) -> "TriggerSpec":
        """With the desk's own limits in place. Raises ValueError where it names a limit that there is not."""
        if self.limit is None:
            return self
        if self.limit not in limits:
            raise ValueError(f"there is no limit {self.limit!r}; one of {', '.join(limits)} is expected")
        return self.at(limits[self.limit])

    def at(self, threshold: Decimal) -> "TriggerSpec":
        return msgspec.structs.replace(self, threshold=threshold, limit=None)

    @property
    def says(self) -> str:
        assert self.threshold is not None  # noqa: S101 - a spec that is told went through `under`
        return f"> {self.threshold.normalize():f} {self.unit}"


class Finding(Plain, frozen=True):
    """How large a cause is right now. `subject` is the venue it was found at, empty for the desk; `value` is in the
    threshold's unit, None where nothing is known; `as_of` tells one reading from the next."""

    subject: str
    value: Decimal | None
    text: str
    as_of: int


class Standing(Plain, frozen=True):
    """Where one trigger stands with one subject: so many different findings in a row were over; whether it fired."""

    over: int = 0
    as_of: int = 0
    fired: bool = False


def judge(spec: TriggerSpec, before: Standing, found: Finding) -> tuple[Standing, bool]:
    """The standing after one more finding, and whether the cord has to be pulled for it now."""
    assert spec.threshold is not None  # noqa: S101 - a spec that is judged went through `under`
    if found.value is None:
        return before, False
    if found.value <= spec.threshold:
        return Standing(0, found.as_of, False), False
    over = before.over if before.over and found.as_of == before.as_of else before.over + 1
    fire = not before.fired and over >= spec.readings
    return Standing(over, found.as_of, before.fired or fire), fire


class Action(Plain, frozen=True):
    """A pull that a trigger demands, for what it saw at a venue, or on the desk (empty)."""

    level: Level
    scope: str
    reason: str
    trigger: str
    subject: str


class Watch:
    """All triggers of a desk over time. `observe` every record; `step` says what has to be pulled now, and `turned`
    what has become of the causes of former pulls.

    A cause is not pulled for where somebody (this watch, the guard before it, an operator) has stopped already what
    the trigger would stop."""

    def __init__(self, specs: tuple[TriggerSpec, ...]) -> None:
        self._specs = specs
        self._readings = _Readings()
        self._standing: dict[tuple[str, str], Standing] = {}
        self._seen: dict[tuple[str, str], Finding] = {}
        self._clear: dict[tuple[str, str], bool] = {}

    def observe(self, record: ev.Record) -> None:
        self._readings.observe(record)

    def step(self, state: DeskState, *, now: int, passed: int, venue_now: Callable[[str], int]) -> Iterator[Action]:
        """What to pull at `now` (UTC ns). `passed` is for how many ns since the last step the guard was looking;
        `venue_now` a venue's own time (UTC ns)."""
        self._readings.passed(state, passed, venue_now)
        self._seen = {}
        made = [(pull.level, pull.scope) for pull in state.pulls.values()]
        for spec in self._specs:
            for found in _METRICS[spec.metric](self._readings, state, now):
                key = (spec.id, found.subject)
                self._seen[key] = found
                self._standing[key], fire = judge(spec, self._standing.get(key, Standing()), found)
                scope = f"venue:{found.subject}" if spec.scope == "venue" else "desk"
                covered = any(at in ("desk", scope) and level.rank >= spec.level.rank for level, at in made)
                if fire and not covered:
                    made.append((spec.level, scope))
                    where = f"{found.subject}: " if found.subject else ""
                    reason = f"{spec.id}: {where}{found.text} ({spec.says})"
                    yield Action(spec.level, scope, reason, spec.id, found.subject)

    def turned(self, state: DeskState) -> Iterator[ev.TriggerTurned]:
        """Which of the causes that pulls stand for became clear by the last step, or ceased to be so; each is told
        once. A cause of which nothing is known, or that nobody looks for any more, is not clear."""
        specs = {spec.id: spec for spec in self._specs}
        causes = dict.fromkeys((row.trigger, row.subject) for name, row in state.fired.items() if name in state.pulls)
        self._clear = {key: clear for key, clear in self._clear.items() if key in causes}
        for key in causes:
            clear, text = _is_clear(specs.get(key[0]), self._seen.get(key))
            if clear != self._clear.get(key, False):
                self._clear[key] = clear
                yield ev.TriggerTurned(*key, clear, text)


def _is_clear(spec: TriggerSpec | None, found: Finding | None) -> tuple[bool, str]:
    """Whether a cause is proven to be under its threshold, and what was seen."""
    if spec is None or spec.threshold is None:
        return False, "no such trigger is armed"
    if found is None or found.value is None:
        return False, "nothing is known about it"
    return found.value <= spec.threshold, found.text


def in_session(row: VenueState, venue_now: int) -> bool:
    """Whether a venue should be answering by its calendar, as far as it told; a venue that never answered has told
    nothing. A change that is due is taken as done: who closes as announced is not lost."""
    if row.open is None:
        return False
    return row.open is not (bool(row.next_change) and venue_now >= row.next_change)


class _Readings:
    """What the metrics need beyond the folded state: how long each venue has been silent, and recent errors."""

    def __init__(self) -> None:
        self.silent: dict[str, int] = {}
        self._proofs: dict[str, tuple[int, ...]] = {}
        self._errors: deque[tuple[int, int]] = deque()
        self._counted: dict[str, int] = {}
        self._heard = 0

    def observe(self, record: ev.Record) -> None:
        if isinstance(record.event, ev.StrategySampled):
            self._heard = record.ts
            new = new_errors(self._counted, record.event)
            if new:
                self._errors.append((record.ts, new))

    def passed(self, state: DeskState, ns: int, venue_now: Callable[[str], int]) -> None:
        """Silence is added up while somebody asks: a guard that was frozen, or has just started, heard nothing for a
        long time and knows nothing by it. Only ever grows between two answers, and within the session."""
        for name, row in state.venues.items():
            at = venue_now(name)
            proofs = (row.latency_as_of, row.positions_as_of, row.orders_as_of, row.account_as_of)
            if not in_session(row, at):
                self.silent.pop(name, None)
            elif proofs != self._proofs.get(name):
                self.silent[name] = 0
            else:
                self.silent[name] = self.silent.get(name, 0) + ns
            self._proofs[name] = proofs

    def silences(self, state: DeskState, now: int) -> Iterator[Finding]:
        for name in state.venues:
            if name in self.silent:
                seconds = self.silent[name] // SECOND
                yield Finding(name, Decimal(seconds), f"no answer for {seconds} s", now)

    def day_losses(self, state: DeskState, now: int) -> Iterator[Finding]:
        for name, row in _accounts(state, now):
            if row.day_pct is not None:
                yield Finding(name, -row.day_pct, f"day {row.day_pct:+.2f} %".replace("-", "−"), row.account_as_of)

    def drawdowns(self, state: DeskState, now: int) -> Iterator[Finding]:
        for name, row in _accounts(state, now):
            if row.drawdown_pct is not None:
                yield Finding(name, row.drawdown_pct, f"drawdown {row.drawdown_pct:.2f} %", row.account_as_of)

    def errors(self, state: DeskState, now: int) -> Iterator[Finding]:
        while self._errors and self._errors[0][0] <= now - MINUTE:
            self._errors.popleft()
        count = sum(errors for _, errors in self._errors)
        known = now - self._heard <= FRESH and not closed(state)
        yield Finding("", Decimal(count) if known else None, f"{count} errors within a minute", now)


def _accounts(state: DeskState, now: int) -> Iterator[tuple[str, VenueState]]:
    """The venues in session whose account was read lately."""
    for name, row in state.venues.items():
        if row.open is not False and row.account_as_of and now - row.account_as_of <= SLOW_FRESH:
            yield name, row


_METRICS: dict[str, Callable[[_Readings, DeskState, int], Iterator[Finding]]] = {
    "silent_seconds": _Readings.silences,
    "day_loss_pct": _Readings.day_losses,
    "drawdown_pct": _Readings.drawdowns,
    "strategy_errors_per_minute": _Readings.errors,
}
