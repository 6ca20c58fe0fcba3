"""The console's hand on the cord: which key pulls, and when. Thread-safe, knows no screen and no terminal.

The overlay *offers* a scope and the levels that it may be pulled at, and the offer counts from the moment its picture
has left for the terminal. From then on the thread that reads keys may pull, whether the event loop runs or not. One
offer makes one pull at most.
"""

import threading
import time
from collections.abc import Callable, Collection
from typing import NamedTuple, TypeAlias

from console.desk.pull import Level, Scope
from console.desk.source import Cord

SETTLE = 0.3
BLOCKED_AFTER = 1.0
APART = 0.15
REPEATS_WITHIN = 1.0

LEVELS = {"1": Level.L1, "2": Level.L2, "3": Level.L3, "4": Level.L4}
CHANGES_OFFER = frozenset({"tab", "shift+tab", "escape", "left", "right", "up", "down", "space", "s", "p", "o"})
"""Keys with which a person changes what is offered: a digit typed after one of them was not meant for what still stands
on the screen. The overlay offers anew after each of them."""


Ready: TypeAlias = tuple[Level, Scope, bool, bool]
"""What a key pulls: level, scope, whether what protects is kept, whether only the strategies' orders are touched."""


class PullMade(NamedTuple):
    """What the switch did: the pull's id, and whether the event loop was blocked when it happened."""

    pull: str
    level: Level
    scope: Scope
    blocked: bool


Later = Callable[[float, Callable[[], None]], object]


def _later(seconds: float, then: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, then)
    timer.name, timer.daemon = "cord-f10", True
    timer.start()


class CordSwitch:
    """`cord` is None on a read-only console: then nothing ever pulls. `clock` is monotonic seconds, `later` calls a
    function after so many of them. `told` is called in the thread that pulled, once for each pull."""

    def __init__(
        self,
        cord: Cord | None,
        told: Callable[[PullMade], None],
        clock: Callable[[], float] = time.monotonic,
        later: Later = _later,
    ) -> None:
        self._cord = cord
        self._told = told
        self._clock = clock
        self._later = later
        self._lock = threading.Lock()
        self._offer = 0
        self._scope: Scope | None = None
        self._levels: frozenset[Level] = frozenset()
        self._keep_protective = self._own_only = False
        self._settled: float | None = None
        self._beat = clock()
        self._f10: float | None = None
        self._f10_run = 0
        self._f10_follows = False
        self._f10_presses = 0

    def beat(self) -> None:
        """The event loop runs."""
        with self._lock:
            self._beat = self._clock()
            self._f10 = None
            self._f10_presses = 0

    def offer(
        self,
        scope: Scope,
        levels: Collection[Level] = tuple(Level),
        *,
        keep_protective: bool = False,
        own_only: bool = False,
    ) -> int:
        """The overlay is about to show this scope with these levels, and what a pull is to leave (see `Cord.pull`).
        Nothing counts before `painted` is told the number returned."""
        with self._lock:
            self._offer += 1
            self._scope, self._levels, self._settled = scope, frozenset(levels), None
            self._keep_protective, self._own_only = keep_protective, own_only
            offer = self._offer
        if self._cord is not None:
            self._cord.ready()
        return offer

    def painted(self, offer: int, at: float | None = None) -> None:
        """The picture of this offer has left `at` this monotonic time, now unless given: 300 ms later a digit counts. A
        withdrawn offer stays withdrawn."""
        with self._lock:
            if offer == self._offer and self._scope is not None:
                self._settled = (self._clock() if at is None else at) + SETTLE

    def disarm(self) -> None:
        with self._lock:
            self._scope = self._settled = None

    def key(self, key: str, at: float) -> bool:
        """A key was read `at` this monotonic time. True when it pulled, and then nobody else may act on it."""
        with self._lock:
            if self._cord is None:
                return False
            if key == "f10":
                self._on_f10(at)
                return False
            ready = self._on_key(key, at)
            if ready is None:
                return False
            blocked = at - self._beat > BLOCKED_AFTER
            self._scope = self._settled = None
        self._pull(self._cord, ready, blocked)
        return True

    def _pull(self, cord: Cord, ready: Ready, blocked: bool) -> None:
        level, scope, keep, own = ready
        pull = cord.pull(level, scope, origin="console", keep_protective=keep, own_only=own)
        self._told(PullMade(pull, level, scope, blocked))

    def _on_key(self, key: str, at: float) -> Ready | None:
        if self._scope is None or self._settled is None:
            return None
        level = LEVELS.get(key)
        if level is not None:
            if at < self._settled or level not in self._levels:
                return None
            return level, self._scope, self._keep_protective and not level.flattens, self._own_only
        if key in CHANGES_OFFER:
            self._scope = self._settled = None
        else:  # somebody types: what looks like a digit of ours may be the next letter
            self._settled = max(self._settled, at + SETTLE)
        return None

    def _on_f10(self, at: float) -> None:
        """While the loop is blocked no overlay can open: two presses pull the desk. A held key comes once and, within a
        second, many times in quick succession: all of that is one press."""
        if at - self._beat <= BLOCKED_AFTER:
            return
        gap = at - self._f10 if self._f10 is not None else None
        self._f10 = at
        if gap is not None and gap < APART:
            self._f10_run += 1
            return
        if gap is not None and (self._f10_run == 1 or not self._f10_follows):
            self._f10_presses += 1
        self._f10_follows = gap is not None and self._f10_run == 1 and gap <= REPEATS_WITHIN
        self._f10_run = 1
        if self._f10_presses:
            self._later(APART, lambda: self._f10_settled(at))

    def _f10_settled(self, at: float) -> None:
        """Nothing has followed the press of `at`, and the loop is blocked still: that was the second one."""
        with self._lock:
            if self._f10 != at or self._cord is None:
                return
            self._f10, self._f10_presses = None, 0
            self._scope = self._settled = None
        self._pull(self._cord, (Level.L3, Scope("desk"), False, False), blocked=True)
