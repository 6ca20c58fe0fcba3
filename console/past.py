"""A desk as it was: an archived incident as the Source of screens that otherwise show the live desk."""

from collections.abc import AsyncIterator
from typing import NoReturn

from console.desk.archive import Case, Summary
from console.desk.entries import AnyEntry
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.desk.source import Attached, Update
from console.desk.state import DeskState
from console.feed import Feed

_NO_COMMANDS = "an archive takes no commands"


class ArchiveSource:
    """The state of the last seal, and nothing after it. `at` is its moment, UTC ns."""

    live = False

    def __init__(self, state: DeskState, at: int) -> None:
        self._state = state
        self.at = at

    @classmethod
    def of(cls, case: Case) -> "ArchiveSource":
        """Folds what was sealed, which takes its time. Raises Unreadable."""
        return cls(case.state(), case.sealed_at())

    async def updates(self) -> AsyncIterator[Update]:
        yield Attached(self._state)

    async def command(self, name: str, /, **arguments: str) -> NoReturn:
        raise RuntimeError(_NO_COMMANDS)

    async def keep(self, entry: AnyEntry) -> NoReturn:
        raise RuntimeError(_NO_COMMANDS)


class Past:
    """What screens show of it. Its clock stands at the moment of the seal, so that every age is as it was then."""

    def __init__(self, summary: Summary, source: ArchiveSource) -> None:
        self.summary = summary
        self._feed = Feed(source, lambda: source.at, read_only=True)

    async def attach(self) -> None:
        """Take the state, and compare book and broker once."""
        await self._feed.follow()
        await self._feed.settle()

    @property
    def moment(self) -> Moment:
        return self._feed.moment

    @property
    def comparison(self) -> Comparison:
        return self._feed.comparison
