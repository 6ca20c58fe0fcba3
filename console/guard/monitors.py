"""The monitors at work: fed with every record, shown once a second, judged at their own pace."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from console.desk import events as ev
from console.desk.metrics import Metric, closed, metric_for, session_as_of
from console.desk.monitor import CLOSED, Condition, MonitorSpec, due, judge, level
from console.guard.hub import Hub
from console.runbooks.kinds import MONITOR
from console.runbooks.library import Library
from console.strict_yaml import YamlError

SHOWN_EVERY = 1.0


def load_monitors(
    own: Path | None, limits: Mapping[str, Decimal]
) -> tuple[tuple[MonitorSpec, ...], tuple[YamlError, ...]]:
    """The monitors that can be measured, ours and those of the desk's own runbooks, under its limits; and what is wrong
    in these files. A mistake in one of the desk's own must not cost it its guard: ours stands in its place."""
    shelf = Library(own, limits).shelf(MONITOR)
    specs = (document.spec for document in shelf.documents.values())
    return tuple(spec.under(limits) for spec in specs if not spec.unwatched), tuple(shelf.found)


class Monitors:
    """All monitors of the desk. A condition is carried over a restart only as the state it was in: what counts towards
    firing is counted anew, from data."""

    def __init__(self, hub: Hub, specs: tuple[MonitorSpec, ...], limits: Mapping[str, Decimal]) -> None:
        self._hub = hub
        self._specs = specs
        self._metrics: dict[str, Metric] = {
            spec.id: metric_for(spec.metric, spec.threshold or 0.0, limits) for spec in specs
        }
        self._conditions = {spec.id: Condition() for spec in specs}
        self._told = {spec.id: row.state for spec in specs if (row := hub.state.monitors.get(spec.id)) is not None}
        hub.listeners.append(self._observe)

    def _observe(self, record: ev.Record) -> None:
        for metric in self._metrics.values():
            metric.observe(record)

    async def run(self) -> None:
        """Show and judge, for ever."""
        while True:
            await asyncio.sleep(SHOWN_EVERY)
            self.step()

    def step(self) -> None:
        now = self._hub.clock()
        outside = closed(self._hub.state)
        for spec in self._specs:
            before = self._conditions[spec.id]
            reading = self._metrics[spec.id].read(self._hub.state, now)
            if due(spec, before, reading, now=now, closed=outside):
                self._conditions[spec.id] = judge(spec, before, reading, now=now, closed=outside)
            state = self._conditions[spec.id].state
            text, as_of = reading.text, reading.as_of
            if state == CLOSED:
                text, as_of = "outside the session", session_as_of(self._hub.state)
            self._hub.sample(
                ev.MonitorSampled(monitor=spec.id, state=state, text=text, level=level(spec, reading), as_of=as_of)
            )
            was = self._told.get(spec.id, "unknown")
            if state != was:
                self._told[spec.id] = state
                said = f"{reading.text} ({spec.says})" if state in ("firing", "pending") else text
                self._hub.journal(
                    ev.MonitorChanged(monitor=spec.id, was=was, now=state, text=said, channel=spec.channel)
                )
