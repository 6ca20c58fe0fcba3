"""All venues under the cord in one process: a pull goes in, records come out.

The guard's cord thread and the detached hand both run this; they differ in who listens and where records go.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from console.cord.forms import FormHand, Tap
from console.cord.http import Wire
from console.cord.latch import set_latch, write_latch
from console.cord.lock import BEAT_EVERY, CordLock
from console.cord.plan import Plan, in_bulk
from console.cord.request import SPARES, PullRequest
from console.cord.task import Task
from console.cord.worker import Acknowledged, VenueWorker
from console.desk.pull import Scope

LATCH_LATE = 2.0
LATCH_AGAIN = 2.0


class Record(Protocol):
    """Takes what happened: the event's kind and data, and who did it. Returns at once and never raises; the answer, if
    there is one, is done when the record is on disk."""

    def __call__(self, kind: str, data: dict[str, Any], actor: str) -> Acknowledged | None: ...


class Inherited:
    """What the journal knows of a pull that another hand, or this one before it was killed, had begun.

    `sent` holds closes by venue and symbol (signed quantity), `own` the ids of closing orders by venue, `lifted` the
    venues whose suspension was lifted for closes, `proven` the three times of each venue that was verified, `quiet` the
    seconds of quiet that it promised, `age` seconds since the pull."""

    __slots__ = ("age", "lifted", "own", "proven", "quiet", "request", "sent")

    def __init__(
        self,
        request: PullRequest,
        sent: dict[str, dict[str, str]],
        own: dict[str, set[str]],
        lifted: frozenset[str],
        proven: dict[str, tuple[int, int, int]],
        *,
        quiet: float,
        age: float,
    ) -> None:
        self.request = request
        self.sent = sent
        self.own = own
        self.lifted = lifted
        self.proven = proven
        self.quiet = quiet
        self.age = age


def nobody(task: Task) -> tuple[str, ...]:
    """Where no guard knows the strategies, an L1 or L2 can not be shown to have reached them."""
    return () if task.level.cancels else ("the strategies (no guard to ask)",)


class Executor:
    """`pull` and `adopt` may be called from any thread. `hand` is guard or direct: who acts, in records."""

    def __init__(
        self,
        plan: Plan,
        record: Record,
        *,
        hand: str,
        waiting_for: Callable[[Task], tuple[str, ...]] = nobody,
        tap: Tap | None = None,
    ) -> None:
        self.plan = plan
        self._tap = tap
        self._record = record
        self._hand = hand
        self._waiting_for = waiting_for
        self._lock = CordLock(plan.folder)
        self._mutex = threading.Lock()
        self._workers: dict[str, VenueWorker] = {}
        self._pulls: set[str] = set()
        self._latching: dict[str, float] = {}
        self._latch_word = threading.Lock()  # so that "late" is never said after "done"
        self._latch_threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._quiet = plan.quiet
        self._strategies = frozenset(plan.strategies)

    def start(self) -> None:
        """Open the venues, so that warm connections stand before they are needed, and make the lock's file."""
        self._lock.prepare()
        for name in self.plan.venues:
            self._worker(name)

    def stop(self) -> None:
        self._stopping.set()
        for worker in list(self._workers.values()):
            worker.stop()
        self._lock.release()

    def join(self) -> None:
        """Wait until every venue is verified (a direct hand's workers end then), but for retired ones among others."""
        workers = self._workers
        proving = [worker for name, worker in workers.items() if name not in self.plan.retired] or [*workers.values()]
        while any(worker.is_alive() for worker in proving):
            time.sleep(BEAT_EVERY / 5)

    def join_latch(self, timeout: float) -> None:
        """Wait until the disk has taken the latch, at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        for thread in self._latch_threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def knows(self, pull: str) -> bool:
        return pull in self._pulls

    def fire(self, request: PullRequest) -> dict[str, tuple[Wire, int]]:
        """Step one: the cancel bytes, on warm connections, in this thread, before anything else. Returns the
        connections that await an answer, with the UTC ns at which the bytes left."""
        if not in_bulk(request):
            return {}
        fired = {}
        for name in self.plan.venues_in(Scope.parse(request.scope)):
            worker = self._workers.get(name)
            wire = worker.fire() if worker is not None else None
            if wire is not None:
                fired[name] = (wire, time.time_ns())
        return fired

    def pull(self, request: PullRequest, fired: dict[str, tuple[Wire, int]]) -> None:
        """Everything after the bytes: the records, the latch and the work of each venue, none waiting for another."""
        self.announce(request)
        self.work(request, fired)

    def work(self, request: PullRequest, fired: dict[str, tuple[Wire, int]]) -> None:
        """Set every venue in scope to work on a pull that was announced."""
        for name in self.plan.venues_in(Scope.parse(request.scope)):
            task = Task(request, name, self._quiet, time.monotonic(), self._strategies)
            self._give(name, task, fired.get(name))

    def announce(self, request: PullRequest) -> None:
        """Record the pull and set the latch."""
        scope = Scope.parse(request.scope)
        data = {
            "pull": request.id,
            "level": request.level,
            "scope": request.scope,
            "reason": request.reason,
            "origin": request.origin,
            "hand": self._hand,
            "venues": list(self.plan.venues_in(scope)),
            "quiet_seconds": max(int(self._quiet), 1),
            "made": request.made,
            **{name: getattr(request, name) for name in SPARES},
        }
        self._record("pulled", data, request.actor)
        self._begin_latch(request)

    def adopt(self, inherited: Inherited) -> None:
        """Go on with a pull that stands: it begins with a look, sends nothing that the look does not ask for, and is
        not announced again."""
        request = inherited.request
        self._begin_latch(request)
        for name in self.plan.venues_in(Scope.parse(request.scope)):
            began = time.monotonic() - inherited.age
            task = Task.adopt(request, name, inherited.quiet, began, self._strategies, inherited.proven.get(name))
            self._give(name, task, None, inherited)

    def drop(self, pulls: frozenset[str], seconds: float) -> None:
        """Stop working at pulls that were resumed; waits at most `seconds` for the venues' threads to let go."""
        self._pulls -= pulls
        deadline = time.monotonic() + seconds
        for done in [worker.drop(pulls) for worker in list(self._workers.values())]:
            done.wait(max(0.0, deadline - time.monotonic()))

    def beat(self) -> None:
        """To be called every `BEAT_EVERY` seconds: shows that this hand lives, lets go of the lock when nothing is
        left to close, and says where the latch does not get written."""
        if self._lock.held and not any(worker.closing for worker in list(self._workers.values())):
            self._lock.release()
        self._lock.beat()
        late = [pull for pull, since in list(self._latching.items()) if time.monotonic() - since > LATCH_LATE]
        for pull in late:
            with self._latch_word:
                if self._latching.pop(pull, None) is not None:
                    error = f"cord.latch: the disk does not answer for {LATCH_LATE:g} s"
                    self._latch_told(pull, error, "gate.json lapses within 5 s, unless the guard can renew it")

    def _begin_latch(self, request: PullRequest) -> None:
        self._pulls.add(request.id)
        self._latching[request.id] = time.monotonic()
        thread = threading.Thread(target=self._latch, args=(request,), name="cord-latch", daemon=True)
        thread.start()
        self._latch_threads = [*(each for each in self._latch_threads if each.is_alive()), thread]

    def _latch(self, request: PullRequest) -> None:
        """Set the latch; where the disk does not take it, again and again for as long as the pull stands."""
        entry: dict[str, Any] = {
            "pull": request.id,
            "level": request.level,
            "scope": request.scope,
            "actor": request.actor,
            "ts": request.made,
            "spares": request.spares,
        }
        error, fallback = set_latch(self.plan.folder, **entry)
        with self._latch_word:
            self._latching.pop(request.id, None)
            self._latch_told(request.id, error, fallback)
        while error and not self._stopping.wait(LATCH_AGAIN) and request.id in self._pulls:
            with contextlib.suppress(OSError):
                write_latch(self.plan.folder, **entry)
                error = ""
                self._latch_told(request.id, "", "")

    def _latch_told(self, pull: str, error: str, fallback: str) -> None:
        self._from_worker("latch_set", {"error": error, "fallback": fallback}, pull)

    def _give(self, name: str, task: Task, fired: tuple[Wire, int] | None, inherited: Inherited | None = None) -> None:
        """Set a venue to work."""
        worker = self._worker(name)
        if inherited is not None:
            sent, own = inherited.sent.get(name, {}), inherited.own.get(name, set())
            worker.inherit(sent, own, lifted=name in inherited.lifted)
        worker.add(task, fired)

    def _worker(self, name: str) -> VenueWorker:
        """The venue's thread, started when first needed."""
        with self._mutex:
            if name in self._workers:
                return self._workers[name]
            worker = VenueWorker(
                FormHand(self.plan.venues[name], self._tap),
                self._lock,
                self._from_worker,
                strategies=self._strategies,
                waiting_for=self._waiting_for,
                warm=self._hand == "guard",
            )
            self._workers[name] = worker
            worker.start()
            return worker

    def _from_worker(self, kind: str, data: dict[str, Any], pull: str) -> Acknowledged | None:
        return self._record(kind, {"pull": pull, **data}, self._hand)


def beat_forever(executor: Executor, ended: threading.Event) -> None:
    """Beats for a process that has no loop of its own."""
    while not ended.wait(BEAT_EVERY):
        executor.beat()
