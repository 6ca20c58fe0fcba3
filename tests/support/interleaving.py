"""The cord's threads under a scheduler with a clock of its own: any interleaving, any crash, and no waiting.

Every thread of the cord runs for real, but only one at a time, and hands the baton on wherever it would wait or talk:
at a request, a record, a lock, a sleep. The scheduler picks who goes on, moves the clock when all of them wait, and can
end (SIGKILL) or stop (SIGSTOP) all threads of a process at such a point. One seed makes one history.
"""

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from console.cord import executor, forms, latch, lock, look, request, task, worker

TIMED = (executor, forms, latch, lock, look, request, task, worker)
EPOCH = 1_790_000_000


class Killed(BaseException):
    """Raised in a thread whose process is gone: it unwinds and does nothing more."""


class Process:
    """What lives and dies together. `on_kill` is what the kernel takes back: open files and their locks."""

    def __init__(self, pid: int, name: str) -> None:
        self.pid = pid
        self.name = name
        self.killed = False
        self.frozen = False
        self.on_kill: list[Callable[[], None]] = []


class Actor:
    """A thread and the moment at which it wants to go on; `until` may call it earlier."""

    def __init__(self, process: Process, wake: float) -> None:
        self.process = process
        self.wake = wake
        self.until: Callable[[], bool] | None = None
        self.go = threading.Semaphore(0)
        self.done = False
        self.defect: BaseException | None = None


class World:
    """`now` is monotonic seconds. `with world:` puts its clock, threads and processes in the place of real ones."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 1000.0
        self.processes: dict[int, Process] = {}
        self._actors: list[Actor] = []
        self._back = threading.Semaphore(0)
        self._here = threading.local()
        self._of: dict[int, Actor] = {}
        self._patches = pytest.MonkeyPatch()

    # --- for tests -------------------------------------------------------------------------------------------------

    def __enter__(self) -> "World":
        patch = self._patches.setattr
        for module in TIMED:
            patch(module, "time", _Clock(self))
        for module in (executor, worker, lock):
            patch(module, "threading", _Threading(self))
        patch(lock, "os", _System(self))
        patch(lock, "Aside", _Aside)
        patch(lock, "_started", lambda pid: f"started-{pid}" if self._lives(pid) else "")
        patch(worker.VenueWorker, "start", lambda thread: self._start_worker(thread))
        patch(worker.VenueWorker, "is_alive", lambda thread: not self._of[id(thread)].done)
        return self

    def __exit__(self, *raised: object) -> None:
        for process in list(self.processes.values()):
            self.kill(process)
        self.steps(len(self._actors))
        self._patches.undo()

    def process(self, name: str) -> Process:
        process = Process(len(self.processes) + 1, name)
        self.processes[process.pid] = process
        return process

    def spawn(self, process: Process, run: Callable[[], object]) -> Actor:
        """A thread of a process, which begins when it is its turn."""
        actor = Actor(process, self.now)

        def body() -> None:
            self._here.actor = actor
            actor.go.acquire()
            try:
                if not process.killed:
                    run()
            except Killed:
                pass
            except BaseException as defect:  # told by the scheduler, in the test's own thread
                actor.defect = defect
            actor.done = True
            self._back.release()

        self._actors.append(actor)
        threading.Thread(target=body, daemon=True).start()
        return actor

    def kill(self, process: Process) -> None:
        """SIGKILL. Its threads do nothing more, and what it held is free."""
        if not process.killed:
            process.killed, process.frozen = True, False
            for take_back in process.on_kill:
                take_back()

    def steps(self, count: int) -> None:
        """So many turns, and time as it has to pass for them."""
        for _ in range(count):
            if not self._turn(float("inf")):
                return

    def run(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, until something is `enough`."""
        end = self.now + seconds
        while not enough() and self._turn(end):
            pass
        if not enough():
            self.now = max(self.now, end)

    # --- for what runs in it ---------------------------------------------------------------------------------------

    @property
    def current(self) -> Process:
        process: Process = self._here.actor.process
        return process

    def wait(self, seconds: float = 0.0, until: Callable[[], bool] | None = None) -> None:
        """Hand the baton on, and go on later. Raises Killed where there is no later."""
        actor: Actor = self._here.actor
        actor.wake, actor.until = self.now + seconds, until
        self._back.release()
        actor.go.acquire()
        if actor.process.killed:
            raise Killed

    @property
    def time_ns(self) -> int:
        return int((EPOCH + self.now) * 1e9)

    def _turn(self, end: float) -> bool:
        """Let one thread go on. False where none does before `end`."""
        able = [actor for actor in self._actors if not actor.process.frozen]
        due = [actor for actor in able if self._is_due(actor)]
        if not due:
            earliest = min((actor.wake for actor in able), default=float("inf"))
            if earliest > end or earliest == float("inf"):
                return False
            self.now = max(self.now, earliest)
            due = [actor for actor in able if self._is_due(actor)]
        actor = self.chance.choice(due)
        actor.go.release()
        self._back.acquire()
        if actor.done:
            self._actors.remove(actor)
        if actor.defect is not None:
            raise actor.defect
        return True

    def _is_due(self, actor: Actor) -> bool:
        return actor.process.killed or actor.wake <= self.now or (actor.until is not None and actor.until())

    def _lives(self, pid: int) -> bool:
        return pid in self.processes and not self.processes[pid].killed

    def _start_worker(self, thread: worker.VenueWorker) -> None:
        self._of[id(thread)] = self.spawn(self.current, thread.run)


class _Clock:
    """The module `time`."""

    CLOCK_BOOTTIME = time.CLOCK_BOOTTIME
    strftime, gmtime = staticmethod(time.strftime), staticmethod(time.gmtime)

    def __init__(self, world: World) -> None:
        self._world = world

    def monotonic(self) -> float:
        return self._world.now

    def time_ns(self) -> int:
        return self._world.time_ns

    def clock_gettime(self, clock: int) -> float:
        return self._world.now

    def clock_gettime_ns(self, clock: int) -> int:
        return int(self._world.now * 1e9)

    def sleep(self, seconds: float) -> None:
        self._world.wait(seconds)


class _System:
    """The module `os`, with the processes of the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def getpid(self) -> int:
        return self._world.current.pid

    def kill(self, pid: int, number: int) -> None:
        if not self._world._lives(pid):
            raise ProcessLookupError
        self._world.kill(self._world.processes[pid])


class _Threading:
    """The module `threading`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.get_ident = threading.get_ident

    def Event(self) -> "_Event":  # noqa: N802 - it stands in the place of threading.Event
        return _Event(self._world)

    def Lock(self) -> "_Lock":  # noqa: N802
        return _Lock(self._world)

    def Condition(self) -> "_Condition":  # noqa: N802
        return _Condition(self._world)

    def Thread(self, *, target: Callable[..., object], args: tuple[Any, ...] = (), **_: object) -> "_Thread":  # noqa: N802
        return _Thread(self._world, lambda: target(*args))


class _Thread:
    def __init__(self, world: World, run: Callable[[], object]) -> None:
        self._world = world
        self._run = run
        self._actor: Actor | None = None

    def start(self) -> None:
        self._actor = self._world.spawn(self._world.current, self._run)

    def is_alive(self) -> bool:
        return self._actor is not None and not self._actor.done

    def join(self, timeout: float) -> None:
        self._world.wait(timeout, until=lambda: not self.is_alive())


class _Event:
    def __init__(self, world: World) -> None:
        self._world = world
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float) -> bool:
        if not self._set:
            self._world.wait(timeout, until=self.is_set)
        return self._set


class _Aside:
    """A disk that never hangs."""

    def __init__(self, name: str) -> None:
        pass

    def ask(self, job: Callable[[], None]) -> None:
        job()


class _Lock:
    def __init__(self, world: World) -> None:
        self._world = world
        self._held = False

    def __enter__(self) -> None:
        while self._held:
            self._world.wait(float("inf"), until=lambda: not self._held)
        self._held = True

    def __exit__(self, *raised: object) -> None:
        self._held = False


class _Condition:
    """Nothing is done between entering and waiting that another thread could come between."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._notified = False

    def __enter__(self) -> None:
        pass

    def __exit__(self, *raised: object) -> None:
        pass

    def wait(self, seconds: float) -> None:
        self._notified = False
        self._world.wait(seconds, until=lambda: self._notified)

    def notify(self) -> None:
        self._notified = True


@contextlib.contextmanager
def wires(connect: Callable[..., object]) -> Iterator[None]:
    """`connect(host, port, tls=, deadline=)` in the place of a real connection."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "Wire", connect)
        yield
