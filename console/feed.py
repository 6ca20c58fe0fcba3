"""What the console knows right now: the source's updates, folded, and the comparison that remembers its differences."""

from collections.abc import Callable

from console.desk.events import GuardBeat
from console.desk.moment import GUARD_SILENT_AFTER, Moment
from console.desk.reconcile import Comparison, compare
from console.desk.source import Attached, Detached, Source, Update
from console.desk.state import DeskState, fold
from console.desk.words import SECOND


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
        self._looked: tuple[DeskState, str, int] | None = None

    async def follow(self) -> None:
        """Take updates for as long as the source has any. Its failure must not end a console whose K still works."""
        try:
            async for update in self._source.updates():
                self.take(update)
        except Exception as error:
            self._cut = f"the console’s own client failed: {error!r}"

    def take(self, update: Update) -> None:
        """A beat proves a guard. A state alone does not: without a guard it was read from the journal's files."""
        if isinstance(update, Detached):
            self._cut = update.why
        elif isinstance(update, Attached):
            self._state, self._compared = update.state, 0
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
        """At most once a second: it costs as much as the book is long."""
        moment = self.moment
        if not self._compared or moment.now - self._compared >= SECOND:
            self._compared = moment.now
            self._comparison = compare(moment, self._comparison)
        return self._comparison

    def changed(self) -> bool:
        """Whether there is anything new to show since this was last asked: an event, or half a second of age."""
        looked = (self._state, self._cut, self._clock() // (SECOND // 2))
        before, self._looked = self._looked, looked
        return before is None or before[0] is not looked[0] or before[1:] != looked[1:]
