"""What the console knows right now: the source's updates, folded, and the comparison that remembers its differences."""

import asyncio
from collections.abc import Callable

from console.desk.events import GuardBeat
from console.desk.moment import GUARD_SILENT_AFTER, Moment
from console.desk.reconcile import Comparison, compare, compare_settled
from console.desk.source import Attached, Detached, Source, Update
from console.desk.state import DeskState, fold
from console.desk.words import SECOND

AGAIN_SECONDS = 1.0
COMPARED_AT_ONCE = 1000
"""Rows, of both sides, whose comparison takes the event loop no time to speak of."""


class Feed:
    """`clock` is UTC ns."""

    def __init__(self, source: Source, clock: Callable[[], int], *, read_only: bool) -> None:
        self._source = source
        self._clock = clock
        self._read_only = read_only
        self._opened = clock()
        self._state = DeskState()
        self._cut = ""
        self._comparison = Comparison()
        self._compared = 0
        self._comparing: asyncio.Future[Comparison] | None = None
        self._looked: tuple[DeskState, str, int] | None = None

    async def follow(self) -> None:
        """Take updates for as long as the source has any. Its failure must not end a console whose K still works, nor
        leave it blind to a guard that is there: it is said, and the source is asked anew."""
        while True:
            try:
                async for update in self._source.updates():
                    self.take(update)
            except Exception as error:
                self._cut = f"the console’s own client failed: {error!r}"
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return

    def take(self, update: Update) -> None:
        """A beat proves a guard. A state alone does not: without a guard it was read from the journal's files."""
        if isinstance(update, Detached):
            self._cut = update.why
        elif isinstance(update, Attached):
            self._state, self._compared, self._comparing = update.state, 0, None
            if self._clock() - update.state.guard_beat <= GUARD_SILENT_AFTER:
                self._cut = ""
        else:
            self._state = fold(self._state, update.record)
            if isinstance(update.record.event, GuardBeat):
                self._cut = ""

    @property
    def moment(self) -> Moment:
        return Moment(
            state=self._state,
            now=self._clock(),
            opened=self._opened,
            cut=self._cut,
            live=self._source.live,
            read_only=self._read_only,
        )

    @property
    def comparison(self) -> Comparison:
        """Renewed at most once a second: it costs as much as the book is long. A long book is compared in a thread, and
        what was known before stands until it is done."""
        moment, comparing = self.moment, self._comparing
        if comparing is not None and comparing.done():
            self._comparing = None
            self._comparison = comparing.result()
        if self._comparing is None and (not self._compared or moment.now - self._compared >= SECOND):
            self._compared = moment.now
            if _rows(moment.state) <= COMPARED_AT_ONCE:
                self._comparison = compare(moment, self._comparison)
            else:
                loop = asyncio.get_running_loop()
                self._comparing = loop.run_in_executor(None, compare, moment, self._comparison)
        return self._comparison

    async def settle(self) -> None:
        """Compare a desk that stands still at one moment. It takes a thread as long as the book is long."""
        now = self._clock()
        self._comparison = await asyncio.to_thread(compare_settled, self._state, now)
        self._compared = now

    def changed(self) -> bool:
        """Whether there is anything new to show since this was last asked: an event, or half a second of age."""
        looked = (self._state, self._cut, self._clock() // (SECOND // 2))
        before, self._looked = self._looked, looked
        return before is None or before[0] is not looked[0] or before[1:] != looked[1:]


def _rows(state: DeskState) -> int:
    held = sum(len(venue.positions) + len(venue.orders) for venue in state.venues.values())
    booked = sum(len(own.book.positions) + len(own.book.order_ids) for own in state.strategies.values() if own.book)
    return held + booked
