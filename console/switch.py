"""The console's hand on the cord: which key pulls, and when. Thread-safe, knows no screen and no terminal.

The overlay *offers* a scope and the levels that it may be pulled at, and the offer counts from the moment its picture
has left for the terminal. From then on the thread that reads keys may pull, whether the event loop runs or not. One
offer makes one pull at most.
"""

import threading
import time
from collections.abc import Callable, Collection
from typing import NamedTuple

from console.desk.pull import Level, Scope
from console.desk.source import Cord

SETTLE = 0.3
BLOCKED_AFTER = 1.0
APART = 0.15

LEVELS = {"1": Level.L1, "2": Level.L2, "3": Level.L3, "4": Level.L4}
CHANGES_OFFER = frozenset({"tab", "shift+tab", "escape", "left", "right", "up", "down", "space", "s"})
"""Keys with which a person changes what is offered: a digit typed after one of them was not meant for what still stands
on the screen. The overlay offers anew after each of them."""


class PullMade(NamedTuple):
    """What the switch did: the pull's id, and whether the event loop was blocked when it happened."""

    pull: str
    level: Level
    scope: Scope
    blocked: bool


class CordSwitch:
    """`cord` is None on a read-only console: then nothing ever pulls. `clock` is monotonic seconds. `told` is called
    in the thread that pulled, once for each pull."""

    def __init__(
        self, cord: Cord | None, told: Callable[[PullMade], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cord = cord
        self._told = told
        self._clock = clock
        self._lock = threading.Lock()
        self._offer = 0
        self._scope: Scope | None = None
        self._levels: frozenset[Level] = frozenset()
        self._settled: float | None = None
        self._beat = clock()
        self._f10: float | None = None

    def beat(self) -> None:
        """The event loop runs."""
        with self._lock:
            self._beat = self._clock()
            self._f10 = None

    def offer(self, scope: Scope, levels: Collection[Level] = tuple(Level)) -> int:
        """The overlay is about to show this scope with these levels. Nothing counts before `painted` is told the number
        returned."""
        with self._lock:
            self._offer += 1
            self._scope, self._levels, self._settled = scope, frozenset(levels), None
            return self._offer

    def painted(self, offer: int) -> None:
        """The picture of this offer has left; 300 ms from now a digit counts. A withdrawn offer stays withdrawn."""
        with self._lock:
            if offer == self._offer and self._scope is not None:
                self._settled = self._clock() + SETTLE

    def disarm(self) -> None:
        with self._lock:
            self._scope = self._settled = None

    def key(self, key: str, at: float) -> bool:
        """A key was read `at` this monotonic time. True when it pulled, and then nobody else may act on it."""
        with self._lock:
            ready = self._on_f10(at) if key == "f10" else self._on_key(key, at)
            if ready is None or self._cord is None:
                return False
            level, scope = ready
            blocked = at - self._beat > BLOCKED_AFTER
            self._scope = self._settled = None
        pull = self._cord.pull(level, scope, origin="console")
        self._told(PullMade(pull, level, scope, blocked))
        return True

    def _on_key(self, key: str, at: float) -> tuple[Level, Scope] | None:
        if self._scope is None or self._settled is None:
            return None
        level = LEVELS.get(key)
        if level is not None:
            return (level, self._scope) if at >= self._settled and level in self._levels else None
        if key in CHANGES_OFFER:
            self._scope = self._settled = None
        else:  # somebody types: what looks like a digit of ours may be the next letter
            self._settled = max(self._settled, at + SETTLE)
        return None

    def _on_f10(self, at: float) -> tuple[Level, Scope] | None:
        """While the loop is blocked no overlay can open: the second of two presses pulls the desk."""
        if at - self._beat <= BLOCKED_AFTER:
            return None
        before, self._f10 = self._f10, at
        if before is None or at - before < APART:
            return None
        self._f10 = None
        return Level.L3, Scope("desk")
