"""Where everything that happens on the desk passes, once: onto disk, into the state, out to whoever listens.

A durable event is queued for the journal, and only what the disk acknowledged is folded and told. Two exceptions, both
about a disk that fails. What became of a *pull*, and what a person writes into the logbook, is told after `PATIENCE`
seconds even without an acknowledgement, under a writer's name of its own (`guard~unwritten`), because a screen that
waits for a hung disk would claim that the cord does nothing, and nobody could walk a tree. And a record that the disk
refused is tried again until the disk takes it, unless a later record has overtaken what it says.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

import msgspec

from console.desk import events as ev
from console.desk.entries import Entry
from console.desk.events import AnyEvent, Record
from console.desk.state import DeskState, fold
from console.evidence.journal import JournalWriter

PATIENCE = 0.25
RETRY_SECONDS = 1.0
LATE = 2.0
"""Seconds after which a record that waits for the disk is trouble."""
UNWRITTEN = "guard~unwritten"

TOLD_ANYWAY = (
    ev.Pulled,
    ev.PullReason,
    ev.PullDropped,
    ev.LatchSet,
    ev.CordSent,
    ev.CordAnswered,
    ev.QuietRestarted,
    ev.VenueVerdict,
    ev.EvidenceTaken,
    Entry,
)


class _Pending(msgspec.Struct, eq=False):
    """A durable event on its way to the disk. `told` once it was shown without waiting any longer; one that does not
    insist is given up where the disk refuses it."""

    event: AnyEvent
    actor: str
    ts: int
    since: float
    told: bool = False
    insists: bool = True


class Hub:
    """`journal` may be called from any thread; everything else belongs to the event loop.

    `listeners` hear every record after it was folded. `early` hears a durable event before it is written, on the
    loop, for what must not wait for the disk. `silent` is called whenever the state changed in a way no record told,
    `jumped` once it has settled."""

    def __init__(self, writer: JournalWriter, state: DeskState, clock: Callable[[], int] = time.time_ns) -> None:
        self.writer = writer
        self.state = state
        self.clock = clock
        self.listeners: list[Callable[[Record], None]] = []
        self.early: list[Callable[[AnyEvent, str], None]] = []
        self.silent: list[Callable[[], None]] = []
        self.jumped: Callable[[], None] = lambda: None
        self.refusal = ""
        self.journaled = 0
        self._loop = asyncio.get_running_loop()
        self._next = writer.seq + 1
        self._acknowledged: dict[int, tuple[Record, _Pending]] = {}
        self._inflight: dict[int, _Pending] = {}
        self._refused: deque[_Pending] = deque(maxlen=10_000)
        self._latest: dict[tuple[str, ...], int] = {}
        self._shown = 0

    def journal(self, event: AnyEvent, actor: str = "guard", *, insists: bool = True) -> Future[Record]:
        """Keep an event for ever. The future is done once the disk has it, and fails where the disk refused it; that
        is tried again later, unless the event does not insist (because it would come too late to be true)."""
        pending = _Pending(event, actor, self.clock(), time.monotonic(), insists=insists)
        self._loop.call_soon_threadsafe(self._begin, pending)
        return self._append(pending)

    def sample(self, event: AnyEvent) -> None:
        """Show a reading and forget it."""
        self._tell(Record(ts=self.clock(), writer="guard", actor="guard", event=event))

    def adopt(self, record: Record) -> None:
        """Take in what another writer journaled."""
        self._tell(record)

    @property
    def stalled(self) -> float:
        """For how many seconds the oldest record has been waiting for the disk; 0 when none does."""
        oldest = min((pending.since for pending in (*self._inflight.values(), *self._refused)), default=None)
        return 0.0 if oldest is None else time.monotonic() - oldest

    @property
    def trouble(self) -> str:
        """What is wrong with the journal, in a sentence; empty while the disk takes it."""
        if self.refusal:
            return f"the journal is not written: {self.refusal}; what happens is kept in memory until it can be"
        stalled = self.stalled
        return f"the journal is not written: the disk does not answer for {stalled:.0f} s" if stalled > LATE else ""

    async def run(self) -> None:
        """Look after what the disk does not take. For ever."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            if not self._refused and not self._inflight:
                self.refusal = ""
            again, self._refused = self._refused, deque(maxlen=self._refused.maxlen)
            for pending in again:
                subject = _subject(pending.event)
                if not subject or self._latest.get(subject, 0) <= pending.ts:
                    self._inflight[id(pending)] = pending
                    self._append(pending)

    def _append(self, pending: _Pending) -> Future[Record]:
        future = self.writer.append(pending.event, pending.actor, ts=pending.ts)
        future.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._written, done, pending)  # runs on the writer's thread
        )
        return future

    def _begin(self, pending: _Pending) -> None:
        self._inflight[id(pending)] = pending
        for hear in self.early:
            hear(pending.event, pending.actor)
        if isinstance(pending.event, TOLD_ANYWAY):
            self._loop.call_later(PATIENCE, self._impatient, pending)

    def _impatient(self, pending: _Pending) -> None:
        if id(pending) in self._inflight:
            self._show(pending)

    def _written(self, done: Future[Record], pending: _Pending) -> None:
        self._inflight.pop(id(pending), None)
        error = done.exception()
        if error is not None:
            if not self.refusal:
                print(f"andon guard: the journal refuses records: {error}", file=sys.stderr, flush=True)
            self.refusal = (error.strerror if isinstance(error, OSError) else None) or str(error)
            if not pending.insists:
                return
            self._refused.append(pending)
            if isinstance(pending.event, TOLD_ANYWAY):
                self._show(pending)
            return
        self.journaled += 1
        record = done.result()
        self._acknowledged[record.seq] = (record, pending)
        while self._next in self._acknowledged:  # two threads may hear of their acknowledgements in the wrong order
            self._take(*self._acknowledged.pop(self._next))
            self._next += 1

    def _take(self, record: Record, pending: _Pending) -> None:
        self._latest[_subject(record.event)] = pending.ts
        if not pending.told:
            self._tell(record)
            return
        heads = {**self.state.heads, record.writer: record.seq}
        self.state = msgspec.structs.replace(self.state, heads=heads)
        for hear in self.silent:
            hear()
        if not any(other.told for other in (*self._inflight.values(), *self._refused)):
            self.jumped()

    def _show(self, pending: _Pending) -> None:
        """Tell a record that is not on disk yet."""
        if not pending.told:
            pending.told = True
            self._shown += 1
            self._tell(
                Record(ts=pending.ts, writer=UNWRITTEN, actor=pending.actor, event=pending.event, seq=self._shown)
            )

    def _tell(self, record: Record) -> None:
        self.state = fold(self.state, record)
        for hear in self.listeners:
            hear(record)


def _subject(event: AnyEvent) -> tuple[str, ...]:
    """What an event says the latest of; the same subject told later makes an earlier word on it obsolete."""
    match event:
        case ev.VenueVerdict() | ev.QuietRestarted():
            return (ev.kind_of(event), event.pull, event.venue)
        case ev.VenueChanged() | ev.SessionChanged() | ev.CalendarRead():
            return (ev.kind_of(event), event.venue)
        case ev.MonitorChanged():
            return (ev.kind_of(event), event.monitor)
        case ev.GateChanged():
            return (ev.kind_of(event),)
    return ()
