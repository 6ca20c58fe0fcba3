"""The triggers of a desk: those of runbooks/triggers.yaml, under the desk's limits and its own `triggers:` section."""

from collections.abc import Mapping
from decimal import Decimal

from console.desk.trigger import TriggerSpec
from console.strict_yaml import Table

LEAST_SILENCE = Decimal(30)
"""Three heartbeats of a real desk: less would take one slow answer for a lost connection."""


def catalogue(limits: Mapping[str, Decimal]) -> tuple[TriggerSpec, ...]:
    """All triggers, those included that the guard can not watch yet. Raises YamlError."""
    from console.runbooks.kinds import TRIGGER  # here: a console that only looks for its desk needs none
    from console.runbooks.library import Library

    return tuple(spec.under(limits) for spec in Library(None, limits).sound(TRIGGER))


def armed(told: Table, limits: Mapping[str, Decimal], mode: str) -> tuple[TriggerSpec, ...]:
    """The triggers that a guard of this desk watches. The section may disarm a trigger (`{armed: false}`) or make it
    fire earlier (`{threshold: N}`), never later: what may be lost is said under `limits`. Raises YamlError."""
    specs = [spec for spec in catalogue(limits) if not spec.unwatched]
    told.only(*(spec.id for spec in specs))
    found = []
    for spec in specs:
        assert spec.threshold is not None  # noqa: S101 - the catalogue's went through `under`
        row = told.table(spec.id)
        row.only("armed", "threshold")
        threshold = row.number("threshold", Decimal(0), spec.threshold, spec.threshold)
        if spec.metric == "silent_seconds" and threshold < LEAST_SILENCE and mode != "simulated":
            why = f"'threshold' of {spec.id!r} is {threshold}; in {mode} mode at least {LEAST_SILENCE} is expected"
            row.refuse("threshold", why)
        if row.truth("armed", True):
            found.append(spec.at(threshold))
    return tuple(found)
