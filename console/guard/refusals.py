"""What was asked of the guard and refused: journaled without filling the journal, and slowed down where it is many."""

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable

import msgspec

from console.desk.events import Refused
from console.guard.hub import Hub

WINDOW_SECONDS = 60.0
IN_FULL = 10
"""So many refusals a window are journaled one by one; the rest of them together, in one record."""
FAILURES = 30
"""So many wrong tokens a window from one address are answered as such; more are asked to wait."""
REMOTES_KEPT = 1024


class Refusals:
    """`clock` is monotonic seconds. Nothing is lost: every refusal is a record, or is counted by one. Who has a token
    has a window of his own, so that no flood of strangers buries what he was refused."""

    def __init__(self, hub: Hub, clock: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        self._clock = clock
        self._began = clock()
        self._told: Counter[str] = Counter()
        self._held: dict[str, Refused] = {}
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def note(self, refused: Refused, actor: str = "guard") -> None:
        """Journal one refusal, or hold it where there were many. `actor` is whose token it was, else `guard`."""
        self.flush()
        self._told[actor] += 1
        if self._told[actor] <= IN_FULL:
            self._hub.journal(refused, actor)
        else:
            self._held[actor] = msgspec.structs.replace(refused, count=self._told[actor] - IN_FULL)

    def flush(self) -> None:
        """Tell what was held when its window is over. To be called every now and then."""
        if self._clock() - self._began >= WINDOW_SECONDS:
            self._began = self._clock()
            self.end()

    def end(self) -> None:
        """Tell what is held now."""
        held, self._held = self._held, {}
        self._told.clear()
        for actor, refused in held.items():
            self._hub.journal(refused, actor)

    def failed(self, remote: str) -> float:
        """Count a wrong token from an address. Returns after how many seconds it may try again, 0 for at once. A good
        token never comes here, however many wrong ones its neighbour sent."""
        now = self._clock()
        times = self._failures.setdefault(remote, deque(maxlen=FAILURES))
        self._failures.move_to_end(remote)
        if len(self._failures) > REMOTES_KEPT:
            self._failures.popitem(last=False)
        if len(times) == FAILURES and now - times[0] < WINDOW_SECONDS:
            return WINDOW_SECONDS - (now - times[0])
        times.append(now)
        return 0.0
