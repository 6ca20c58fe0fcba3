"""The triggers at work: looked at twice a second while the guard runs, and pulled like any other pull."""

import asyncio
import time
from collections.abc import Callable

from console.cord.request import PullRequest
from console.desk.events import Refused, TriggerFired
from console.desk.trigger import Action, TriggerSpec, Watch
from console.guard.hub import Hub

LOOK_EVERY = 0.5
LONGEST_STEP_NS = 2_000_000_000
"""What a longer pause counts for: a guard that was frozen heard nothing, which proves nothing of the venues."""


class Triggers:
    """`pull` puts a request to the cord and returns why it is refused, if it is; `venue_now` is a venue's own time."""

    def __init__(
        self,
        hub: Hub,
        specs: tuple[TriggerSpec, ...],
        pull: Callable[[PullRequest], str],
        venue_now: Callable[[str], int | None],
    ) -> None:
        self._hub = hub
        self._pull = pull
        self._venue_now = venue_now
        self._watch = Watch(specs)
        self._looked = time.monotonic_ns()
        hub.listeners.append(self._watch.observe)

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.look()

    def look(self) -> None:
        before, self._looked = self._looked, time.monotonic_ns()
        now, passed = self._hub.clock(), min(self._looked - before, LONGEST_STEP_NS)
        for action in self._watch.step(self._hub.state, now=now, passed=passed, venue_now=self._now_at):
            self._act(action)
        for event in self._watch.turned(self._hub.state):
            self._hub.journal(event)

    def _now_at(self, venue: str) -> int:
        """Before its first heartbeat the venue's clock is taken to be ours."""
        told = self._venue_now(venue)
        return self._hub.clock() if told is None else told

    def _act(self, action: Action) -> None:
        request = PullRequest(
            level=action.level.value, scope=action.scope, reason=action.reason, actor="guard", origin="trigger"
        )
        refusal = self._pull(request)
        if refusal:
            what = f"{action.level} {action.scope} by trigger {action.reason}"
            self._hub.journal(Refused(what=what, why=refusal))
        else:
            self._hub.journal(TriggerFired(request.id, action.trigger, action.subject, action.reason))
