"""The Runbooks: a list to find things in, a page to read, and runs that are ticked off."""

from collections.abc import Mapping
from functools import partial
from typing import Literal, TypeAlias

from textual.app import ComposeResult
from textual.containers import Container

from console.actions import bindings
from console.desk import entries as en
from console.desk.logbook import RunState, new_id
from console.desk.moment import Moment
from console.desk.procedure import Run
from console.desk.reconcile import Comparison
from console.runbooks.kinds import RUNNABLE, TREE
from console.screens.runbook_room import RunbookRoom
from console.screens.views import page as page_view
from console.screens.views import runbooks as view
from console.screens.views.writer import Writer
from widgets.grid import Grid
from widgets.page import Page
from widgets.prompt import Prompt

RUN = "run:"
RUNNABLE_KINDS = frozenset(kind.name for kind in RUNNABLE)
How: TypeAlias = Literal["done", "skipped", "overridden"]
PROMPTED: Mapping[str, How] = {"done": "done", "skipped": "skipped", "overridden": "overridden"}
"""What a step is marked with, by the prompt that asks for the note."""


class RunbooksScreen(RunbookRoom):
    """The list and the page side by side on a wide terminal, in turns on a narrow one. What is read is a trail of
    references, so that one finds back; a run is one of them."""

    ROOM = "runbooks"
    CSS_PATH = ["room.tcss", "runbooks.tcss"]
    BINDINGS = bindings(ROOM)

    def __init__(self) -> None:
        super().__init__()
        self._trail: list[str] = []
        self._listed: object = None
        self._here: tuple[str, int | None] | None = None

    def body(self) -> ComposeResult:
        with Container(id="runbooks"):
            yield Grid(view.COLUMNS, id="list", classes="panel")
            yield Page(id="page", classes="panel")

    def prompts(self) -> ComposeResult:
        yield Prompt("reason", "why is this step left out? Enter keeps it", id="skipped")
        yield Prompt("reason", "why does it count as done all the same? Enter keeps it", id="overridden")
        yield Prompt("note", "what was seen or done; Enter ticks the step with it", id="done")
        yield Prompt("reason", "why is the run given up? Enter keeps it", id="abort")

    def on_mount(self) -> None:
        self.query_one("#list").focus()

    # --- what is shown ----------------------------------------------------------------------------------------------

    @property
    def _reading(self) -> str:
        """The reference on the page: where the trail ends, else, beside the list, what its cursor stands on."""
        if self._trail:
            return self._trail[-1]
        row = self.query_one("#list", Grid).cursor
        return row.key if row is not None else ""

    @property
    def _run(self) -> RunState | None:
        """The run that is on the page."""
        ref = self._reading
        return self.logbook.runs.get(ref.removeprefix(RUN)) if ref.startswith(RUN) else None

    @property
    def _step(self) -> int | None:
        """The step of the run that the cursor stands on."""
        stop = self.query_one("#page", Page).stop
        return int(stop.key) if stop is not None and stop.key.isdigit() else None

    def fill(self, moment: Moment, comparison: Comparison) -> None:
        listed, page, book = self.query_one("#list", Grid), self.query_one("#page", Page), self.book
        listed.border_title = view.title(book)
        self.set_class(bool(self._trail), "-reading")
        if book is None:
            return
        if self._listed != (now := (id(book), self.logbook.runs)):
            self._listed = now
            listed.show(view.rows(book, self.logbook.runs.values()))
        written = Writer(page.room - 1)
        ref, run = self._reading, self._run
        if run is not None:
            view.run_page(run, book, written)
        elif ref in book.documents:
            page_view.document(book.documents[ref], book, written)
        else:
            written.text((), f"{ref}: nothing is written there", "warn")
        page.border_title = f" {' ‹ '.join(reversed(self._trail[-3:]))} " if self._trail else ""
        page.show(written.lines, written.stops)
        self._follow(page, run)

    def _follow(self, page: Page, run: RunState | None) -> None:
        """Onto the step that is next: of a run that was turned to, and once the one before it has its mark."""
        here = (run.id, run.run.here) if run is not None and self._trail else None
        before, self._here = self._here, here
        if here is None or here == before or here[1] is None:
            return
        if before is None or before[0] != here[0] or before[1] == self._step:
            page.go(str(here[1]))

    # --- what can be done -------------------------------------------------------------------------------------------

    def offers(self) -> Mapping[str, str]:
        if not self._trail:
            return {"open": "", **self._begins()}
        stop, run = self.query_one("#page", Page).stop, self._run
        read = {"list": "", **({"back": ""} if len(self._trail) > 1 else {})}
        if stop is not None and not stop.key.isdigit():
            read["open"] = ""
        if run is None:
            return {**self._begins(), **read}
        if run.ended:
            return read
        step = "" if self._step is not None else "move to a step first: ↑ ↓"
        finish = "" if run.run.here is None else f"step {run.run.here + 1} has no mark yet"
        marks = dict.fromkeys(("tick", "skip", "override", "note"), self.mute or step)
        return {**marks, "finish": self.mute or finish, "abort": self.mute, **read}

    def _begins(self) -> dict[str, str]:
        """Whether what is read can be run or walked."""
        kind, _, name = self._reading.partition(":")
        if kind == TREE.name:
            return {"start": ""}
        if kind not in RUNNABLE_KINDS:
            return {}
        return {"start": "" if self.logbook.unfinished_run(name) else self.mute}

    def read(self, ref: str) -> None:
        """Turn to this, from wherever one is."""
        if not self._trail or self._trail[-1] != ref:
            self._trail.append(ref)
        self._turn()

    def _turn(self) -> None:
        """Show the page that the trail has come to."""
        self._here = None
        self.set_class(bool(self._trail), "-reading")
        (self.query_one("#page") if self._trail else self.query_one("#list")).focus()
        self.query_one("#page", Page).go()
        self.call_after_refresh(self.refresh_moment)

    def do_open(self) -> None:
        stop = self.query_one("#page", Page).stop
        row = self.query_one("#list", Grid).cursor
        if self._trail and stop is not None:
            self.read(stop.key)
        elif not self._trail and row is not None:
            self.read(row.key)

    def do_back(self) -> None:
        self._trail.pop()
        self._turn()

    def do_list(self) -> None:
        self._trail.clear()
        self._turn()

    def do_start(self) -> None:
        """Where something is on its way already, it goes on there."""
        kind, _, name = self._reading.partition(":")
        if kind == TREE.name:
            self.program.walk_tree(name)
        elif known := self.logbook.unfinished_run(name):
            self.read(f"{RUN}{known.id}")
        else:
            self._begin(self._reading)

    def _begin(self, ref: str) -> None:
        document = self.book.documents.get(ref) if self.book is not None else None
        if document is not None:
            run = new_id(document.id)
            begun = en.RunBegun(run, document.kind, Run.of(document.spec))  # type: ignore[arg-type]  # RUNNABLE_KINDS
            self.enter(begun, partial(self.read, f"{RUN}{run}"))

    def do_tick(self) -> None:
        step, run = self._step, self._run
        if run is not None and step is not None:
            if step in run.run.marks:
                self.enter(en.StepUnmarked(run.id, step))
            else:
                self._mark("done", "")

    def _mark(self, how: How, note: str) -> None:
        step, run = self._step, self._run
        if run is not None and step is not None:
            self.enter(en.StepMarked(run.id, step, how, note))

    def do_skip(self) -> None:
        self.query_one("#skipped", Prompt).ask()

    def do_override(self) -> None:
        self.query_one("#overridden", Prompt).ask()

    def do_note(self) -> None:
        self.query_one("#done", Prompt).ask()

    def do_finish(self) -> None:
        if self._run is not None:
            self.enter(en.RunFinished(self._run.id))

    def do_abort(self) -> None:
        self.query_one("#abort", Prompt).ask()

    def on_prompt_given(self, event: Prompt.Given) -> None:
        name, run = event.prompt.id or "", self._run
        if run is None or not event.text:
            return
        if name in PROMPTED:
            self._mark(PROMPTED[name], event.text)
        elif name == "abort":
            self.enter(en.RunAborted(run.id, event.text))
