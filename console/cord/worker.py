"""One venue under the cord: a thread that looks, repeats what reduces, sends each close once, and says what is proven.

A worker serves every pull that reaches its venue, so that two pulls never fight: one look is judged by each of them,
and the closes of one are not taken for intruders by another. It is level-triggered: each turn starts from a complete
look and never from what an earlier turn hoped for, which is why it may be killed and started again at any point.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

from console.cord.closes import Closes
from console.cord.forms import FormHand, Outcome, Row, Unread
from console.cord.http import HttpError, Wire
from console.cord.keys import KeyFileError
from console.cord.lock import CordLock
from console.cord.look import Look, Watch
from console.cord.task import Task, enters
from console.desk.pull import strategy_of

WARM_SECONDS = 20.0
WARM_ANSWER_WITHIN = 1.0
QUICKEST, SLOWEST = 0.05, 2.0
WATCH_EVERY = 5.0
SINGLE_CANCELS = 20
CLOSES_AT_ONCE = 20
DISK_MAY_TAKE = 2.0
SESSION_EVERY = 30.0


class Acknowledged(Protocol):
    """Something that becomes true when a record is on disk: a concurrent Future."""

    def result(self, timeout: float | None = None) -> Any: ...


class Recorder(Protocol):
    """Where the cord tells what it does. Returns at once; the answer, if any, is done when the record is on disk."""

    def __call__(self, kind: str, data: dict[str, Any], pull: str) -> Acknowledged | None: ...


class VenueWorker(threading.Thread):
    """`waiting_for` names the strategies in a task's scope that have not acknowledged their gate. A worker without a
    guard (`warm` false) keeps no connection and ends when everything is verified that can be without one."""

    def __init__(
        self,
        hand: FormHand,
        lock: CordLock,
        record: Recorder,
        *,
        strategies: frozenset[str],
        waiting_for: Callable[[Task], tuple[str, ...]],
        warm: bool,
    ) -> None:
        super().__init__(name=f"cord-{hand.name}", daemon=True)
        self.hand = hand
        self._lock = lock
        self._record = record
        self._waiting_for = waiting_for
        self._keep_warm = warm
        self._tasks: dict[str, Task] = {}
        self._inbox: list[tuple[Task, tuple[Wire, int] | None]] = []
        self._dropped: list[tuple[frozenset[str], threading.Event]] = []
        self._awake = threading.Condition()
        self._stopping = False
        self._warm: Wire | None = None
        self._warm_mutex = threading.Lock()
        self._watch = Watch(hand)
        self._strategies = strategies
        self._closes = Closes(strategies)
        self._bulk_attempts = 0
        self._bulk_told: tuple[object, ...] = ()
        self._bulk_doubted = False
        self._attempts: dict[str, int] = {}
        self._pause = QUICKEST
        self._hold_until = 0.0
        self._session_read = 0.0
        self._session_note = ""
        self._note = ""
        self._lifted = False
        self._suspends = 0

    # --- for other threads -------------------------------------------------------------------------------------------

    def fire(self) -> Wire | None:
        """Send the bulk cancel on the warm connection, now, in the caller's thread. Returns the connection to be given
        to `add`, None where there was none that stood or the bytes would do harm."""
        wire = self._swap_warm(None) if self.hand.cancel_all_bytes and not self._bulk_takes_closes else None
        return wire if wire is not None and wire.send_now(self.hand.cancel_all_bytes) else None

    def add(self, task: Task, fired: tuple[Wire, int] | None = None) -> None:
        """Take on a pull; `fired` is the connection on which its bulk cancel has left already, and when (UTC ns)."""
        with self._awake:
            self._inbox.append((task, fired))
            self._awake.notify()

    def inherit(self, sent: dict[str, str], own: set[str], *, lifted: bool) -> None:
        """Before the task is added: closes of a hand that ended (see `Closes.inherit`), and whether it had lifted a
        suspension for them."""
        self._closes.inherit(sent, own, time.monotonic() + self.hand.venue.timeout)
        self._lifted = self._lifted or lifted

    def drop(self, pulls: frozenset[str]) -> threading.Event:
        """Watch these pulls no longer: they were resumed. The answer is set once that is so."""
        done = threading.Event()
        with self._awake:
            self._dropped.append((pulls, done))
            self._awake.notify()
        return done

    def stop(self) -> None:
        with self._awake:
            self._stopping = True
            self._awake.notify()

    @property
    def closing(self) -> bool:
        """Whether some pull here still has positions to close."""
        return any(task.level.flattens and not task.t_flat for task in list(self._tasks.values()))

    # --- the thread --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        wait = 0.0  # the warm connection is wanted from the beginning
        while not self._stopping:
            with self._awake:
                if not (self._inbox or self._dropped):
                    self._awake.wait(wait)
                inbox, self._inbox = self._inbox, []
                dropped, self._dropped = self._dropped, []
            for pulls, done in dropped:
                inbox = [(task, fired) for task, fired in inbox if task.request.id not in pulls]
                self._forget(pulls)
                done.set()
            try:
                self._step(inbox)
            except Exception as defect:  # a defect of ours must not end the watch: it is one more thing not known
                with contextlib.suppress(Exception):
                    self._blind(Unread(f"the cord itself failed here: {defect!r}"))
            tasks = list(self._tasks.values())
            over = bool(tasks) and all(task.verified or task.left_to_guard for task in tasks) and not self._lifted
            if over and not self._keep_warm:
                break
            wait = self._wait()
        self.hand.close()

    def _step(self, inbox: list[tuple[Task, tuple[Wire, int] | None]]) -> None:
        """Take on what came in, with one bulk cancel for all of it that has none yet, and look. A venue that asked to
        wait is left alone until then: the next look finds what stands. Without keys nothing can be asked at all."""
        if not self.hand.has_keys and (why := self._keyless()):
            self._tasks.update((task.request.id, task) for task, _ in inbox)
            self._lose_sight(why)
            self._pause = SLOWEST
            return
        bulk_due = [self._begin(task, fired) for task, fired in inbox]
        if any(bulk_due) and not self._held:
            self._cancel_all()
        if self._keep_warm:
            self._warm_up()
        if self._tasks and not self._held:
            self._turn()

    def _keyless(self) -> str:
        """Read the keys, here and not where the worker is made: a key file on a hung disk holds up this venue alone.
        Returns why there are none."""
        try:
            self.hand.read_keys()
        except KeyFileError as error:
            return str(error)
        return ""

    @property
    def _held(self) -> bool:
        return time.monotonic() < self._hold_until

    def _forget(self, pulls: frozenset[str]) -> None:
        """With the last pull goes what the looks remember: the orders of the time between are not news to the next."""
        self._tasks = {name: task for name, task in self._tasks.items() if name not in pulls}
        if not self._tasks:
            self._watch = Watch(self.hand)
            self._closes = Closes(self._strategies)
            self._attempts.clear()

    def _wait(self) -> float:
        """Quickly while something stands, about twelve times over a quiet interval and exactly at its end, then now and
        again for as long as the pull stands. A venue that does not answer is asked more and more slowly."""
        if not self._tasks:
            return 1.0
        unproven = [task for task in self._tasks.values() if not task.verified]
        if not unproven:
            wait = WATCH_EVERY
        elif all(task.quiet_runs for task in unproven):
            wait = min(task.next_look() for task in unproven)
        else:
            wait = self._pause
        return max(wait, self._hold_until - time.monotonic(), 0.0)

    def _swap_warm(self, wire: Wire | None) -> Wire | None:
        with self._warm_mutex:
            old, self._warm = self._warm, wire
        return old

    def _warm_up(self) -> None:
        """Keep one fresh, never used connection: one that was used may have been closed by the server unseen."""
        wire = self._warm
        if wire is not None and wire.alive() and time.monotonic() - wire.opened < WARM_SECONDS:
            return
        try:
            fresh: Wire | None = self.hand.connect()
        except HttpError:
            fresh = None
        old = self._swap_warm(fresh)
        if old is not None:
            old.close()

    def _begin(self, task: Task, fired: tuple[Wire, int] | None) -> bool:
        """Take on a pull and hear what became of its bulk cancel. Returns whether that has (still, or again) to be
        sent."""
        harmful = fired is None and self._bulk_takes_closes
        self._tasks[task.request.id] = task
        self._pause = QUICKEST
        self._bulk_attempts, self._bulk_told = 0, ()
        if task.adopted or harmful or not (task.in_bulk and self.hand.can("cancel_all")):
            return False
        if self._held:
            self._lose_sight("does not answer: it asked to wait")
        if fired is not None:
            self._bulk_attempts += 1
            wire, at = fired
            self._sent(task, "cancel_all", self._bulk_attempts, at=at)
            outcome = self.hand.receive_bulk(wire, time.monotonic() + WARM_ANSWER_WITHIN)
            self._bulk_answered(outcome)
            if outcome.kind == "acked":
                return False
        return True

    def _turn(self) -> None:
        tasks = list(self._tasks.values())
        positions = any(task.needs_positions for task in tasks)
        try:
            look = self._watch.look(positions=positions)
        except Unread as unread:
            self._blind(unread)
            return
        now = time.monotonic()
        if positions:
            self._closes.settle(look, now)
        look.spared = self._spared(look)
        standing = self._standing(look)
        self._note = ""
        if standing:
            self._cancel(standing)
        self._flatten(look, now)
        note = self._closes.notes or self._note or (self._session_note if standing or self._closes.under_way else "")
        for task in tasks:
            before, quiet_before = task.shown, task.quiet_from
            task.judge(look, self._closes.own, now, self._waiting_for(task), note)
            self._tell(task, before, quiet_before)
        self._suspend_where_due()
        self._pace(look)

    def _pace(self, look: Look) -> None:
        if any(row.id not in self._closes.own for row in look.new):
            self._pause = QUICKEST
            return
        self._pause = min(self._pause * 2, SLOWEST)
        if any(task.standing or task.positions for task in self._tasks.values()):
            self._explain()

    def _blind(self, unread: Unread) -> None:
        """A read failed. Reducing is repeated all the same: the venue may hear what it does not answer."""
        self._lose_sight(f"does not answer: {unread.why}")
        self._pause = min(self._pause * 2, SLOWEST)
        if unread.unauthorized:
            with contextlib.suppress(KeyFileError):
                self.hand.read_keys()
        if unread.retry_after is not None:
            self._hold_until = time.monotonic() + unread.retry_after
        elif self._may_bulk and any(not task.t_blocked for task in self._tasks.values()):
            self._cancel_all()
        elif (listed := self._watch.listed) is not None and (standing := self._standing(listed)):
            self._cancel(standing)

    def _lose_sight(self, why: str) -> None:
        for task in self._tasks.values():
            before, quiet_before = task.shown, task.quiet_from
            task.blind(why)
            self._tell(task, before, quiet_before)

    @property
    def _bulk_takes_closes(self) -> bool:
        """Whether everything here is being cancelled already, and one more bulk cancel would take nothing along but our
        own closes, which would then have to be sent again."""
        return self._closes.under_way and any(task.in_bulk for task in list(self._tasks.values()))

    @property
    def _may_bulk(self) -> bool:
        """Whether the bulk cancel takes nothing but what some pull wants gone; a close of ours would go with it."""
        covering = any(task.in_bulk for task in self._tasks.values())
        return covering and self.hand.can("cancel_all") and not self._closes.under_way

    def _standing(self, look: Look) -> dict[str, Row]:
        """Open orders that some pull wants gone."""
        own = self._closes.own
        rows = (row for task in self._tasks.values() for row in task.orders_to_cancel(look, own))
        return {row.id: row for row in rows if row.id not in look.spared}

    def _spared(self, look: Look) -> frozenset[str]:
        """Orders left to the hand that is closing: two hands that cancel each other's closes never get flat."""
        rows = [row for row in look.open if row.id not in self._closes.own and not self._from_strategy(row)]
        if not rows or not self._lock.elsewhere:
            return frozenset()
        try:
            held = look.positions or self.hand.positions()
        except Unread:
            return frozenset()
        return frozenset(row.id for row in rows if not enters(row, held))

    def _from_strategy(self, row: Row) -> bool:
        return strategy_of(row.client or "") in self._strategies

    def _cancel(self, standing: dict[str, Row]) -> None:
        """Ask again for whatever still stands, in bulk where there is much, and one by one for a turn where the bulk
        call did not do it. A cancel that is not answered ends the turn: what it did is looked at first."""
        if len(standing) > SINGLE_CANCELS and self._may_bulk and not self._bulk_doubted:
            self._cancel_all()
            return
        self._bulk_doubted = False
        wanting = [task for task in self._tasks.values() if task.level.cancels]
        in_turn = sorted(standing, key=lambda order_id: self._attempts.get(order_id, 0))  # stuck ones starve no other
        for order_id in in_turn[:SINGLE_CANCELS]:
            attempt = self._attempts[order_id] = self._attempts.get(order_id, 0) + 1
            outcome = self.hand.cancel(order_id)
            if _seldom(attempt):
                self._sent(wanting[-1], "cancel", attempt, target=order_id)
                self._answered(wanting[-1], "cancel", outcome, target=order_id)
            if outcome.kind != "acked":
                for task in wanting:
                    task.refused[order_id] = f"cancel {outcome.kind}: {outcome.detail}"
            if outcome.retry_after:
                self._hold_until = time.monotonic() + outcome.retry_after
            if outcome.retry_after or not outcome.status:
                return
        if len(standing) > SINGLE_CANCELS:
            self._pause = QUICKEST  # there is more to do at once

    def _cancel_all(self) -> None:
        """The bulk cancel, told seldom and whenever its outcome is another than before."""
        self._bulk_attempts += 1
        at, told = time.time_ns(), _seldom(self._bulk_attempts)
        if told:
            self._sent(self._canceller, "cancel_all", self._bulk_attempts, at=at)
        outcome = self.hand.cancel_all()
        if not told and outcome.told != self._bulk_told:
            self._sent(self._canceller, "cancel_all", self._bulk_attempts, at=at)
            told = True
        self._bulk_answered(outcome, told=told)

    def _bulk_answered(self, outcome: Outcome, *, told: bool = True) -> None:
        if told:
            self._answered(self._canceller, "cancel_all", outcome)
        self._bulk_told = outcome.told
        self._bulk_doubted = outcome.kind != "acked" or bool(outcome.failed)
        if outcome.kind != "acked" and (not outcome.status or outcome.retry_after):
            self._lose_sight(f"does not answer: {outcome.detail}")
        for order_id in outcome.failed:
            for task in self._tasks.values():
                task.refused[order_id] = "the venue refused to cancel it"
        if outcome.retry_after:
            self._hold_until = time.monotonic() + outcome.retry_after

    def _flatten(self, look: Look, now: float) -> None:
        """Send the closes that are due. The lock is needed for that alone, and what was read before it was had may have
        been changed by whoever had it."""
        due = self._due(look, now)
        if not due:
            return
        for task, _ in due.values():
            task.t_flat = 0  # from here on `closing`, so that nobody lets go of the lock
        if why := self._lock.acquire():
            self._note = why
            return
        self._pause = QUICKEST
        if look.begun >= self._lock.since:
            self._close(due)

    def _due(self, look: Look, now: float) -> dict[str, tuple[Task, Decimal]]:
        """Positions that some pull wants closed and whose close may be sent now, not more than a turn's share."""
        due: dict[str, tuple[Task, Decimal]] = {}
        for task in self._tasks.values():
            positions = task.positions_to_close(look)
            wanted = [symbol for symbol in positions if self._closes.may_close(symbol, look, now)]
            if wanted and task.closes_expired(now):
                self._note = "closes expired after 10 minutes: pull 4 again to send them"
                continue
            due.update((symbol, (task, positions[symbol])) for symbol in wanted if symbol not in due)
        return {} if self._held else dict(list(due.items())[:CLOSES_AT_ONCE])

    def _close(self, due: dict[str, tuple[Task, Decimal]]) -> None:
        """Each on a connection of its own and all at once, so that none waits for another one's answer. The intents are
        on disk before the bytes leave, unless the disk hangs: the closes of a turn wait 2 s for it."""
        someone = next(iter(due.values()))[0]
        if any(self._closes.was_lost(symbol) for symbol in due):
            self._lift(someone)
        written = []
        for symbol, (task, qty) in due.items():
            self._closes.sending(symbol, qty, time.monotonic())
            written.append(self._sent(task, "close", 1, target=symbol, qty=str(qty)))
        patience = time.monotonic() + DISK_MAY_TAKE
        for record in written:
            if record is not None:
                with contextlib.suppress(Exception):  # a full or hung disk stops no close: the latch's record tells
                    record.result(timeout=max(0.0, patience - time.monotonic()))
        refused = False
        for symbol, outcome in self.hand.close_positions(list(due)):
            self._closes.sent(symbol, outcome, time.monotonic())
            self._answered(due[symbol][0], "close", outcome, target=symbol)
            if outcome.retry_after:
                self._hold_until = time.monotonic() + outcome.retry_after
            refused = refused or (outcome.kind == "refused" and not outcome.retry_after)
        if refused:
            self._lift(someone)

    def _suspend_where_due(self) -> None:
        """Afterwards, never before: a suspended venue takes no closes either. A new order makes it due again: then the
        suspension is not there, whoever took it away."""
        tasks = [task for task in self._tasks.values() if task.may_suspend]
        due = self._lifted or any(task.suspend_due for task in tasks)
        if not due or not tasks or self.closing or self._held or not self.hand.can("suspend") or self._lock.elsewhere:
            return
        self._suspends += 1
        if _seldom(self._suspends):
            self._sent(tasks[-1], "suspend", self._suspends)
        outcome = self.hand.suspend()
        if _seldom(self._suspends):
            self._answered(tasks[-1], "suspend", outcome)
        if outcome.kind == "acked" or self._is_suspended():
            self._lifted, self._suspends = False, 0
            for task in tasks:
                task.suspend_due = False

    def _is_suspended(self) -> bool:
        """As far as a read tells; where it does not, no."""
        try:
            return self.hand.can("settings") and self.hand.suspended()
        except Unread:
            return False

    def _lift(self, task: Task) -> None:
        """A close was refused, or left no trace: if that is because the venue is suspended, lift it for as long as the
        closes take."""
        if self.hand.can("unsuspend") and self._is_suspended():
            self._sent(task, "unsuspend", 1)
            outcome = self.hand.unsuspend()
            self._answered(task, "unsuspend", outcome)
            self._lifted = outcome.kind != "refused"
            if outcome.kind == "acked":
                self._closes.clear_refusals()

    def _explain(self) -> None:
        """Something stands: is the venue closed? Asked seldom, because it only explains."""
        now = time.monotonic()
        if not self.hand.can("clock") or now - self._session_read < SESSION_EVERY:
            return
        self._session_read = now
        with contextlib.suppress(Unread):
            is_open, next_open = self.hand.session()
            self._session_note = "" if is_open else f"waits for the open {next_open}"

    # --- telling -----------------------------------------------------------------------------------------------------

    @property
    def _canceller(self) -> Task:
        """The pull in whose name orders are cancelled: the latest that cancels."""
        return [task for task in self._tasks.values() if task.level.cancels][-1]

    def _sent(
        self, task: Task, what: str, attempt: int, *, target: str = "", qty: str = "", at: int = 0
    ) -> Acknowledged | None:
        data = {
            "venue": self.hand.name,
            "what": what,
            "attempt": attempt,
            "target": target,
            "qty": qty,
            "at": at or time.time_ns(),
        }
        return self._record("cord_sent", data, task.request.id)

    def _answered(self, task: Task, what: str, outcome: Outcome, *, target: str = "") -> None:
        data = {
            "venue": self.hand.name,
            "what": what,
            "outcome": outcome.kind,
            "target": target,
            "status": outcome.status,
            "detail": outcome.detail,
            "items": outcome.items,
            "failed": list(outcome.failed),
            "took_ms": outcome.took_ms,
            "order_id": outcome.order_id,
        }
        self._record("cord_answered", data, task.request.id)

    def _tell(self, task: Task, before: tuple[object, ...], quiet_before: float | None) -> None:
        if task.quiet_from is not None and task.quiet_from != quiet_before:
            self._record("quiet_restarted", {"venue": self.hand.name, "why": task.quiet_why}, task.request.id)
        if task.shown != before:
            self._record(
                "venue_verdict",
                {
                    "venue": self.hand.name,
                    "verdict": str(task.verdict),
                    "why": task.why,
                    "standing": list(task.standing),
                    "positions": list(task.positions),
                    "kept": list(task.kept),
                    "t_blocked": task.t_blocked,
                    "t_flat": task.t_flat,
                    "t_verified": task.t_verified,
                },
                task.request.id,
            )


def _seldom(attempt: int) -> bool:
    """The 1st, 2nd, 4th, 8th…: what is tried again and again must not fill the journal."""
    return attempt & (attempt - 1) == 0
