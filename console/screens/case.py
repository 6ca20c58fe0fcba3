"""One archived incident: how far it is proven, what is known of it, and everything that was sealed."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual import work
from textual.app import ComposeResult

from console.desk.archive import Case, Item, Shelf, Standing, Summary, Unreadable
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.past import ArchiveSource, Past
from console.screens.archive_room import ArchiveRoom
from console.screens.check import Check
from console.screens.past import PastBook, PastDesk
from console.screens.views import archive as view
from console.screens.views.writer import Writer
from widgets.line import label
from widgets.lines import Lines
from widgets.page import Page
from widgets.prompt import Prompt

if TYPE_CHECKING:
    from console.desk.timeline import TimelineEntry

UNCHECKED = Standing("unchecked", "Nothing was verified yet: v checks every byte against the signed manifest.")


class CaseScreen(ArchiveRoom):
    """`verified` is told what a verification found; `standing` is what an earlier one did."""

    def __init__(
        self,
        shelf: Shelf,
        summary: Summary,
        verified: Callable[[Summary, Standing], None],
        standing: Standing | None = None,
    ) -> None:
        super().__init__()
        self._shelf = shelf
        self._summary = summary
        self._verified = verified
        self._standing = standing or UNCHECKED
        self._case: Case | None = None
        self._items: tuple[Item, ...] = ()
        self._timeline: Sequence[TimelineEntry] | None = None
        self._failed = ""
        self._check: Check | None = None
        self._written: object = None
        self._told = 0

    def body(self) -> ComposeResult:
        yield Page(id="page", classes="panel")
        yield Lines(id="checked")

    def prompts(self) -> ComposeResult:
        yield Prompt("to", "a folder or a file’s name; Enter alone: here. One file to take along", id="export")

    def on_mount(self) -> None:
        of = self._summary
        self.query_one("#page").border_title = label(f" {of.id}  {of.severity} {of.cls} ")
        self.query_one("#page").focus()
        self.open()

    @work(group="open", exclusive=True)
    async def open(self) -> None:
        try:
            await self._read_anew()
        except Unreadable as error:
            self._failed = str(error)
        self.refresh_moment()

    async def _read_anew(self) -> None:
        """What lies there now. What was proven of fewer seals is not proven of all. Raises Unreadable."""
        case = await self.read(partial(self._shelf.open, self._summary))
        seals = case.summary.seals
        if self._case is not None and self._case.summary.seals == seals:
            return
        if self._standing is not UNCHECKED and self._summary.seals != seals:
            self._standing = Standing("unchecked", f"Seal {seals} was added since it was verified: v checks it all.")
        proven = self._standing.word in ("verified", "consistent")
        self._items = tuple(replace(item, standing="ok") for item in case.items) if proven else case.items
        self._case, self._summary = case, replace(self._summary, seals=seals)
        self.refresh_moment()
        self._timeline = await self.read(case.timeline)

    def _catch_up(self, moment: Moment) -> None:
        """The desk's own archive grows while one looks: a seal is read as soon as the desk tells of it."""
        known = moment.state.logbook.incidents.get(self._summary.id) if moment.live else None
        told = known.sealed.seal if known is not None and known.sealed is not None else 0
        if self._case is not None and told > max(self._told, self._summary.seals):
            self._told = told
            self.open()

    def fill(self, moment: Moment, comparison: Comparison) -> None:
        self._catch_up(moment)
        page, check = self.query_one("#page", Page), self._check
        checked = self.query_one("#checked", Lines)
        checked.show([view.checking(check, self.size.width)] if check else [])
        checked.display = check is not None
        now = (page.room, self._case, self._items, self._standing, self._timeline, self._failed)
        if now == self._written:
            return
        self._written = now
        written = Writer(page.room - 1, widest=page.room)
        if self._failed:
            written.text((("✗ ", "bad"),), self._failed, "bad")
        if self._case is not None:
            view.case_page(self._case, self._items, self._standing, self._timeline, written)
        elif not self._failed:
            written.add(((" … reading", "dim"),))
        page.show(written.lines, written.stops)

    def on_page_moved(self) -> None:
        self.refresh_moment()

    def on_page_laid(self) -> None:
        self.refresh_moment()

    # --- what can be done -------------------------------------------------------------------------------------------

    def offers(self) -> Mapping[str, str]:
        if self._case is None:
            return {"leave": ""}
        stop = self.query_one("#page", Page).stop
        return {
            "open": "" if stop is not None else "↑ ↓ go to what was sealed",
            "verify": "one is running: Esc stops it" if self._check else "",
            "desk": "",
            "book": "",
            "query": "",
            "export": "",
            "leave": "",
        }

    def do_open(self) -> None:
        from console.screens.table import TableScreen
        from console.screens.text import TextScreen

        stop, case = self.query_one("#page", Page).stop, self._case
        if stop is None or case is None:
            return
        kind, _, name = stop.key.partition(":")
        where = f"{self._summary.id} ‹ {name}"
        if f"{kind}:" == view.ITEM:
            self.app.push_screen(TableScreen(where, partial(case.rows, name)))
        else:
            self.app.push_screen(TextScreen(where, name, partial(case.text, name)))

    def do_verify(self) -> None:
        self.verify()

    def do_leave(self) -> None:
        if self._check is not None:
            self.stop()
        else:
            super().do_leave()

    def stop(self) -> None:
        if self._check is not None:
            self._check.stopped = True

    def on_unmount(self) -> None:
        self.stop()

    @work(group="verify", exclusive=True)
    async def verify(self) -> None:
        if self._case is None:
            return
        check = self._check = Check(self._summary.id)
        self.refresh_moment()
        try:
            await self._read_anew()
            self._standing, self._items = await self.read(partial(self._case.verify, check))
        except Unreadable as error:
            if not check.stopped:
                self._standing = Standing("broken", str(error))
        self._check = None
        if not check.stopped:
            self._verified(self._summary, self._standing)
            self.query_one("#page", Page).go()
        self.refresh_moment()

    def do_desk(self) -> None:
        self.show_past(PastDesk)

    def do_book(self) -> None:
        self.show_past(PastBook)

    @work(group="past", exclusive=True)
    async def show_past(self, kind: type[PastDesk | PastBook]) -> None:
        """The desk as it was at the last seal."""
        if self._case is None:
            return
        try:
            past = Past(self._summary, await self.read(partial(ArchiveSource.of, self._case)))
        except Unreadable as error:
            self.refused(error)
            return
        await past.attach()
        if self.is_current:
            self.app.push_screen(kind(past))

    def do_query(self) -> None:
        from console.screens.query import QueryScreen

        self.app.push_screen(QueryScreen(self._shelf, self._summary.id))

    def do_export(self) -> None:
        self.query_one("#export", Prompt).ask()

    def on_prompt_given(self, event: Prompt.Given) -> None:
        if event.prompt.id == "export":
            self.export(event.text or ".")

    @work(group="export")
    async def export(self, to: str) -> None:
        self.notify(f"Writing {self._summary.id} …")
        try:
            where = await self.read(partial(self.archives.export, self._summary, to))
        except Unreadable as error:
            self.refused(error, "Not exported")
        else:
            self.notify(f"{self._summary.id} lies in {where}", title="Exported", timeout=20)
