"""Monitors: what is watched, when it counts as broken, and how sure one has to be. Pure; time is an argument.

A monitor is `ok`, `pending` (over its threshold, but not yet for long enough), `firing`, `unknown` (there is no data;
which is never green) or `closed` (outside the session, where nobody is paged). It is judged every `every` seconds;
`breaches` judgements in a row over the threshold make it fire, a single one below clears it, and one without data
leaves the count as it was: silence neither proves a fault nor ends one.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from console.desk.events import MonitorInfo, Plain
from console.desk.runbook import Id, IncidentId, Refs, Spec, Text, filled, placeholders

OK, PENDING, FIRING, UNKNOWN, CLOSED = "ok", "pending", "firing", "unknown", "closed"
_MILD_TO_GRAVE = (OK, PENDING, FIRING)


class MonitorSpec(Spec, frozen=True):
    """One entry of runbooks/monitors.yaml, where its fields are explained."""

    id: Id
    layer: Literal["INFRA", "DATA", "MODEL", "PNL"]
    title: Text
    name: Text
    metric: Text
    says: Text
    channel: Literal["PAGE", "SLACK"]
    every: Annotated[float, Meta(gt=0, description="a number of seconds above 0")]
    meaning: Text
    breaches: Annotated[int, Meta(ge=1, description="a whole number from 1 on")] = 1
    threshold: Annotated[float, Meta(ge=0, description="a number from 0 on")] | None = None
    limit: Text | None = None
    session: bool = True
    unwatched: Text | None = None
    incident: IncidentId | None = None
    see: Refs = ()

    def __post_init__(self) -> None:
        if (self.threshold is None) == (self.limit is None):
            raise ValueError("either 'threshold' or 'limit' is expected, and not both")

    def under(self, limits: Mapping[str, Decimal]) -> "MonitorSpec":
        """With the desk's own limits in place. Raises ValueError where it names a limit that there is not."""
        words = {name: f"{value.normalize():f}" for name, value in limits.items()}
        if self.limit is not None:
            if self.limit not in limits:
                raise ValueError(f"there is no limit {self.limit!r}; one of {', '.join(limits)} is expected")
            words["limit"] = words[self.limit]
        unknown = [name for name in placeholders(self.says) if name not in words]
        if unknown:
            raise ValueError(f"'says' has {{{unknown[0]}}} in it; one of {', '.join(words)} is expected in braces")
        says = filled(self.says, words)
        threshold = self.threshold if self.limit is None else float(limits[self.limit])
        return msgspec.structs.replace(self, threshold=threshold, says=says, limit=None)

    @property
    def info(self) -> MonitorInfo:
        return MonitorInfo(id=self.id, label=self.name, group=self.layer, threshold=self.says, channel=self.channel)


class Reading(Plain, frozen=True):
    """What a metric says right now. `value` is in the threshold's unit, None where nothing is known. `as_of` is the
    UTC ns of the oldest input that it rests on, 0 where there is none. `streak`, where a metric counts by itself (whole
    minutes), is how many judgements in a row were over the threshold. `least` is the mildest state it allows, however
    short the streak: ok, pending or firing."""

    value: float | None
    text: str
    as_of: int = 0
    streak: int | None = None
    least: str = OK


class Condition(Plain, frozen=True):
    """Where a monitor stands: `streak` judgements in a row were over its threshold; `judged` is when it last was."""

    state: str = UNKNOWN
    streak: int = 0
    judged: int = 0


def judge(spec: MonitorSpec, before: Condition, reading: Reading, *, now: int, closed: bool) -> Condition:
    """The condition after one more judgement at `now` (UTC ns)."""
    if closed and spec.session:
        return Condition(CLOSED, 0, now)
    if reading.value is None:
        return Condition(UNKNOWN, before.streak, now)
    assert spec.threshold is not None  # noqa: S101 - a spec that is judged went through `under`
    if reading.streak is not None:
        streak = reading.streak
    else:
        streak = before.streak + 1 if reading.value > spec.threshold else 0
    counted = FIRING if streak >= spec.breaches else PENDING if streak else OK
    return Condition(max(counted, reading.least, key=_MILD_TO_GRAVE.index), streak, now)


def due(spec: MonitorSpec, before: Condition, reading: Reading, *, now: int, closed: bool) -> bool:
    """Whether it is time to judge. Only what may add to the count waits for its turn: what begins, ends, clears or is
    lost from sight is said at once, and so is everything that a metric says which counts by itself."""
    if now - before.judged >= int(spec.every * 1e9) or reading.value is None or (closed and spec.session):
        return True
    if reading.streak is not None:
        return True
    if before.state in (UNKNOWN, CLOSED):
        return not before.streak
    return reading.value <= (spec.threshold or 0.0) and before.state != OK


def level(spec: MonitorSpec, reading: Reading) -> float | None:
    """The reading as a share of its threshold, for the curve: 1 is at the threshold."""
    if reading.value is None or spec.threshold is None:
        return None
    if math.isinf(reading.value):
        return 2.0
    return reading.value / (spec.threshold or 1.0)


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank: the smallest value that at least `share` (0 to 1) of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
