"""The Archive: every incident whose evidence was sealed, the latest first."""

from collections.abc import Mapping
from functools import partial

from textual import work
from textual.app import ComposeResult

from console.desk.archive import Shelf, Standing, Summary, Unreadable
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.desk.sought import Sought, sought
from console.screens.archive_room import ArchiveRoom
from console.screens.check import Check
from console.screens.views import archive as view
from widgets.grid import Grid
from widgets.lines import Lines


class ArchiveScreen(ArchiveRoom):
    """The list. What was verified is remembered as long as the console runs; a new seal asks for it anew."""

    def __init__(self) -> None:
        super().__init__()
        self._shelf: Shelf | None = None
        self._found: tuple[Summary, ...] = ()
        self._failed = ""
        self._reading = True
        self._deep = False
        self._check: Check | None = None
        self._sought = Sought()
        self._standings: dict[str, tuple[Summary, Standing]] = {}

    def body(self) -> ComposeResult:
        yield Grid(view.COLUMNS, id="list", classes="panel", headed=True)
        yield Lines(id="nothing")
        yield Lines(id="sought")

    def on_mount(self) -> None:
        self.query_one("#list").focus()

    def on_screen_resume(self) -> None:
        self.look()

    @work(group="list", exclusive=True)
    async def look(self) -> None:
        """Read the list anew: an incident may have been sealed meanwhile."""
        try:
            if self._shelf is None:
                self._shelf = await self.read(self.archives.shelf)
            self._found = await self.read(partial(self._shelf.incidents, deep=self._deep))
            self._failed = ""
        except Unreadable as error:
            self._failed = str(error)
        self._reading = False
        self.refresh_moment()

    @property
    def standings(self) -> dict[str, Standing]:
        """What the last verification of each incident found, unless it was sealed since."""
        known = {view.key(each): each for each in self._found}
        return {
            name: standing
            for name, (then, standing) in self._standings.items()
            if name in known and known[name].seals == then.seals
        }

    def verified(self, summary: Summary, standing: Standing) -> None:
        """Take note of what a verification found."""
        self._standings[view.key(summary)] = (summary, standing)

    @property
    def _shown(self) -> list[Summary]:
        standings = self.standings
        return [
            each
            for each in self._found
            if self._sought.finds(each, standings[view.key(each)].word if view.key(each) in standings else "unchecked")
        ]

    @property
    def _chosen(self) -> Summary | None:
        row = self.query_one("#list", Grid).cursor
        return next((each for each in self._found if row is not None and view.key(each) == row.key), None)

    def fill(self, moment: Moment, comparison: Comparison) -> None:
        listed, nothing = self.query_one("#list", Grid), self.query_one("#nothing", Lines)
        shown = self._shown
        listed.border_title = view.title(len(shown), len(self._found))
        listed.show(view.rows(shown, self.standings))
        empty = not self._found or bool(self._failed)
        nothing.display = empty
        nothing.show(view.nothing(self.archives.paths, self._reading, self._failed) if empty else [])
        listed.display = not empty
        below = view.filter_line(self._sought, self._reading, self.size.width)
        self.query_one("#sought", Lines).show([view.checking(self._check, self.size.width) if self._check else below])

    def on_grid_moved(self) -> None:
        self.refresh_moment()

    def sift(self, words: str) -> None:
        self._sought = sought(words, self.console.moment.now)
        if self._sought.deep and not self._deep:  # from now on the list knows what lies in the evidence
            self._deep = self._reading = True
            self.look()
        self.refresh_moment()

    # --- what can be done -------------------------------------------------------------------------------------------

    def offers(self) -> Mapping[str, str]:
        if not self._found:
            wait = "the archive is being read" if self._reading else "there is no incident here"
            return {"open": wait, "verify": wait, "query": "" if self._shelf is not None else wait}
        row = "" if self._chosen else "no incident is shown"
        if self._check:
            return {"open": row, "verify": "one is running: Esc stops it", "query": "", "leave": ""}
        return {"open": row, "verify": row, "query": ""}

    def do_open(self) -> None:
        from console.screens.case import CaseScreen

        if self._shelf is not None and self._chosen is not None:
            if self._chosen.trouble:
                self.refused(Unreadable(self._chosen.trouble))
            else:
                standing = self.standings.get(view.key(self._chosen))
                self.app.push_screen(CaseScreen(self._shelf, self._chosen, self.verified, standing))

    def do_query(self) -> None:
        from console.screens.query import QueryScreen

        if self._shelf is not None:
            self.app.push_screen(QueryScreen(self._shelf))

    def do_verify(self) -> None:
        self.verify(self._shown)

    def do_leave(self) -> None:
        """There is nothing to leave but a verification: below this room lies no other."""
        self.stop()

    def stop(self) -> None:
        if self._check is not None:
            self._check.stopped = True

    def on_unmount(self) -> None:
        self.stop()
        if self._shelf is not None:
            self._shelf.close()

    @work(group="verify", exclusive=True)
    async def verify(self, summaries: list[Summary]) -> None:
        """All that is listed, one after the other."""
        shelf = self._shelf
        for number, each in enumerate(summaries, 1):
            check = self._check = Check(f"{each.id}, {number} of {len(summaries)}")
            self.refresh_moment()
            try:
                standing = await self.read(partial(_verify, shelf, each, check))
            except Unreadable as error:
                standing = Standing("broken", str(error))
            if check.stopped:
                break
            self.verified(each, standing)
        self._check = None
        self.refresh_moment()


def _verify(shelf: Shelf | None, summary: Summary, check: Check) -> Standing:
    if shelf is None:
        raise Unreadable("no archive was opened")
    return shelf.open(summary).verify(check)[0]
