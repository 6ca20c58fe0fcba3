"""The guard's hand on the cord: the cord thread, tied to the hub, the gate and the journals of other hands."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from console.cord.forms import Tap
from console.cord.plan import Plan
from console.cord.request import PullRequest
from console.cord.task import Task
from console.cord.thread import CordThread
from console.desk.blast import strategies_in
from console.desk.events import Pulled, Record, StrategySampled, event_from
from console.desk.pull import Level
from console.desk.state import PullState
from console.guard.adoption import Closes, orphans, unheard
from console.guard.gatekeeper import GateKeeper
from console.guard.hub import Hub
from console.guard.stream import user_name


class Hand:
    """`journals` is the folder of all hands' journals, `closes` what they say of closes so far; `tap` is told every
    exchange of the cord with a venue."""

    def __init__(
        self, hub: Hub, gate: GateKeeper, plan: Plan, journals: Path, closes: Closes, clock: Callable[[], int], tap: Tap
    ) -> None:
        self.cord = CordThread(plan, self._record, waiting_for=self._waiting_for, tap=tap)
        self._hub = hub
        self._gate = gate
        self._journals = journals
        self._closes = closes
        self._clock = clock
        self._adopted: set[str] = set()
        self._from_latch: set[str] = set()
        hub.listeners.append(closes.observe)

    def start(self) -> None:
        """Open the venues, hear pulls and signals, and go on with what stands unfinished. Raises OSError."""
        self.cord.start()
        threading.Thread(target=self._pull_on_signal, name="signal", daemon=True).start()
        self.take_over(orphans(self._hub.state, self._journals, frozenset()))

    def stop(self) -> None:
        self.cord.stop()

    def orphans(self) -> list[PullState]:
        """Pulls nobody works at; those that only the latch knows are journaled first. Reads the disk: for a thread."""
        state = self._hub.state
        for event, actor in unheard({**state.pulls, **state.resumed}, self.cord.plan, self._clock()):
            if event.pull not in self._from_latch:
                self._from_latch.add(event.pull)
                self._hub.journal(event, actor)
        return orphans(self._hub.state, self._journals, frozenset(self._adopted))

    def take_over(self, pulls: list[PullState]) -> None:
        """Go on with pulls that nobody works at."""
        for pull in pulls:
            if pull.id not in self._adopted and pull.id in self._hub.state.pulls:
                self._adopted.add(pull.id)
                self.cord.adopt(self._closes.inherited(pull, self._clock()))

    def _record(self, kind: str, data: dict[str, Any], actor: str) -> Future[Record]:
        """The cord's recorder, on any thread. The gate knows of a pull before its latch is written."""
        event = event_from(kind, data)
        if isinstance(event, Pulled):
            self._gate.pulled(event.pull, Level(event.level), event.scope, actor)
        return self._hub.journal(event, actor)

    def _waiting_for(self, task: Task) -> tuple[str, ...]:
        """The strategies in a task's scope that do not say yet that they act on its gate or, at L2, that they are
        disabled. One gate a strategy is what they report: of a scope of symbols they can not."""
        rows = [row for row in self._hub.state.strategies.values() if row.info.venue == task.venue]
        return tuple(
            info.name
            for info in strategies_in((row.info for row in rows), task.scope)
            if not _obeys(self._hub.state.strategies[info.name].sample, task)
        )

    def _pull_on_signal(self) -> None:
        """SIGUSR1 pulls L3 on the desk. A thread waits for it, because the loop may be the thing that hangs."""
        while True:
            told = signal.sigwaitinfo({signal.SIGUSR1})
            actor = user_name(told.si_uid)
            self.cord.pull(PullRequest(level="L3", scope="desk", reason="SIGUSR1", actor=actor, origin="signal"))


def _obeys(sample: StrategySampled | None, task: Task) -> bool:
    if sample is None or not sample.healthy:
        return False
    if task.level is Level.L2 and sample.enabled:
        return False
    return task.scope.kind == "symbol" or sample.gate.rank >= task.level.gate.rank
