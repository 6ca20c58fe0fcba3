"""A desk of two harsh venues, a guard's cord and direct hands, all inside one `World`.

What the guard does around the cord (take over what others left, look into the latch) is done here as `console.guard`
does it, with its own functions, on records that are kept as a journal keeps them: what was not written yet is lost with
its process.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from adapters.alpaca.cord_form import cord_form
from console.cord import latch
from console.cord.executor import Executor
from console.cord.lock import BEAT_EVERY
from console.cord.plan import Plan
from console.cord.request import PullRequest
from console.desk.events import AnyEvent, Record, event_from
from console.desk.pull import Verdict
from console.desk.state import DeskState, fold, fold_all
from console.guard.adoption import Closes, unheard
from tests.support.harsh_venue import HarshVenue, VenueWire
from tests.support.interleaving import Process, World, wires

QUIET = 5.0
TIMEOUT = 2.0
STRATEGIES = {"momentum": "v1", "maker": "v2"}
SYMBOLS = ("AAPL", "MSFT")


class Hand:
    """A process that holds the cord. Its records wait for the disk until somebody waits for them, or for a moment."""

    def __init__(self, desk: "InterleavedDesk", name: str, kind: str, **more: Any) -> None:
        self.desk = desk
        self.name = name
        self.process = desk.world.process(name)
        self.executor = Executor(desk.plan, self.record, hand=kind, **more)
        self.process.on_kill.append(self._let_go)
        self.pending: list[Record] = []

    @property
    def alive(self) -> bool:
        return not self.process.killed

    def spawn(self, run: Callable[[], object]) -> None:
        self.desk.world.spawn(self.process, run)

    def record(self, kind: str, data: dict[str, Any], actor: str) -> "Ack":
        self.desk.world.wait(0.0005)
        self.journal(event_from(kind, data), actor)
        return Ack(self)

    def journal(self, event: AnyEvent, actor: str) -> None:
        if not self.pending:
            self.spawn(lambda: (self.desk.world.wait(0.01), self.write()))
        self.pending.append(Record(ts=self.desk.world.time_ns, writer=self.name, actor=actor, event=event))

    def write(self) -> None:
        pending, self.pending = self.pending, []
        for record in pending:
            self.desk.keep(record)

    def beat_on(self, also: Callable[[], object] = lambda: None) -> None:
        while True:
            self.executor.beat()
            also()
            self.desk.world.wait(BEAT_EVERY)

    def _let_go(self) -> None:
        self.pending.clear()
        lock = self.executor._lock
        lock.held = False
        if lock._descriptor >= 0:
            os.close(lock._descriptor)
            lock._descriptor = -1


class Ack:
    def __init__(self, hand: Hand) -> None:
        self._hand = hand

    def result(self, timeout: float | None = None) -> None:
        self._hand.desk.world.wait(0.003)
        self._hand.write()


class Guard(Hand):
    """The guard, as far as the cord goes."""

    def __init__(self, desk: "InterleavedDesk") -> None:
        super().__init__(desk, "guard", "guard", waiting_for=lambda task: ())  # its strategies obey at once
        self.state = DeskState()
        self.closes = Closes()
        self.read = 0
        self.adopted: set[str] = set()
        self.from_latch: set[str] = set()
        self.spawn(self._run)

    def pull(self, request: PullRequest) -> None:
        self.spawn(lambda: self.executor.pull(request, self.executor.fire(request)))

    def _run(self) -> None:
        self._catch_up()
        self.executor.start()
        self._take_over()
        self.beat_on(self._look_around)

    def _look_around(self) -> None:
        self._catch_up()
        state = self.state
        for event, actor in unheard({**state.pulls, **state.resumed}, self.desk.plan, self.desk.world.time_ns):
            if event.pull not in self.from_latch:
                self.from_latch.add(event.pull)
                self.journal(event, actor)
        self._take_over()

    def _catch_up(self) -> None:
        for record in self.desk.kept[self.read :]:
            self.state = fold(self.state, record)
            self.closes.observe(record)
        self.read = len(self.desk.kept)

    def _take_over(self) -> None:
        for pull in self.state.pulls.values():
            worked_at = pull.hand == "direct" and self.desk.works(pull.id)
            if pull.id not in self.adopted and not worked_at:
                self.adopted.add(pull.id)
                if not self.executor.knows(pull.id):
                    self.executor.adopt(self.closes.inherited(pull, self.desk.world.time_ns))


class InterleavedDesk:
    """`kept` is what the journals hold, in the order in which the disk took it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.world = World(seed).__enter__()
        self.market = self.world.process("the market")
        self.venues = {name: HarshVenue(name, self.world, self.market, TIMEOUT) for name in ("v1", "v2")}
        self.kept: list[Record] = []
        self.state = DeskState()
        self.pulls: dict[str, PullRequest] = {}
        self.guard: Guard | None = None
        self.direct: dict[str, Hand] = {}
        folder.mkdir()
        keys = folder / "keys.json"
        keys.touch(0o600)
        keys.write_text('{"key_id": "k", "secret_key": "s"}')
        self.plan = Plan(str(folder), self._describe(str(keys)))
        self._wires = wires(self._connect)
        self._wires.__enter__()
        self.world.spawn(self.market, self._trade)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.world.__exit__()
        self._wires.__exit__(None, None, None)

    def _describe(self, keys: str) -> dict[str, Any]:
        about = {"keys": keys, "timeout": TIMEOUT, "form": json.loads(json.dumps(cord_form()))}
        return {
            "v": 1,
            "desk": "test",
            "mode": "simulated",
            "quiet_seconds": QUIET,
            "netted": True,
            "venues": [{"name": name, "url": f"http://{name}", **about} for name in self.venues],
            "strategies": [
                {"name": name, "venue": venue, "symbols": list(SYMBOLS)} for name, venue in STRATEGIES.items()
            ],
        }

    def _connect(self, host: str, port: int, *, tls: bool, deadline: float) -> VenueWire:
        return VenueWire(self.venues[host], self.world, deadline)

    def _trade(self) -> None:
        while True:
            self.world.wait(self.world.chance.uniform(0.1, 4.0))
            for venue in self.venues.values():
                venue.tick()

    # --- what happens ----------------------------------------------------------------------------------------------

    def keep(self, record: Record) -> None:
        seq = self.state.heads.get(record.writer, 0) + 1
        sealed = Record(ts=record.ts, writer=record.writer, actor=record.actor, event=record.event, seq=seq)
        self.kept.append(sealed)
        self.state = fold(self.state, sealed)

    def start_guard(self) -> None:
        self.guard = Guard(self)

    def pull(self, level: str, scope: str, *, directly: bool) -> PullRequest:
        request = PullRequest(level=level, scope=scope, actor="ana", id=f"pull{len(self.pulls)}")
        self.pulls[request.id] = request
        if directly or self.guard is None or not self.guard.alive or self.guard.process.frozen:
            self.pull_directly(request)
        else:
            self.guard.pull(request)
        return request

    def pull_directly(self, request: PullRequest) -> None:
        """As `follow.py` does."""
        hand = Hand(self, f"direct-{request.id}", "direct")
        self.direct[request.id] = hand

        def carry() -> None:
            hand.spawn(hand.beat_on)
            hand.executor.announce(request)
            hand.executor.work(request, {})
            hand.executor.join()
            hand.executor.join_latch(60)
            hand.executor.stop()
            hand.write()
            self.world.kill(hand.process)

        hand.spawn(carry)

    def works(self, pull: str) -> bool:
        """Whether a direct hand holds its journal, frozen or not."""
        return pull in self.direct and self.direct[pull].alive

    def folded(self) -> DeskState:
        return fold_all(sorted(self.kept, key=lambda record: record.order))

    @property
    def processes(self) -> list[Process]:
        hands = [*self.direct.values(), *([self.guard] if self.guard else [])]
        return [hand.process for hand in hands if hand.alive]

    @property
    def latched(self) -> set[str]:
        return {entry["id"] for entry in latch.standing(self.plan.folder) or []}

    def a_close_was_sent(self) -> bool:
        return any(row.closes for pull in self.state.pulls.values() for row in pull.venues.values())

    def all_verified(self) -> bool:
        return all(pull.verdict is Verdict.VERIFIED for pull in self.state.pulls.values())
