"""Recovery: pick the symptom, answer yes or no, and see what to do. It never pulls anything itself."""

from collections.abc import Callable, Mapping
from functools import partial

from textual.app import ComposeResult
from textual.containers import Vertical

from console.actions import bindings
from console.desk import entries as en
from console.desk.logbook import WalkState, acts, new_id
from console.desk.moment import Moment
from console.desk.pull import Level
from console.desk.reconcile import Comparison
from console.desk.tree import KillSwitch, Leaf, Resume, Throttle
from console.runbooks.handbook import Handbook
from console.runbooks.kinds import TREE
from console.screens.runbook_room import RunbookRoom
from console.screens.views import recovery as view
from console.screens.views.writer import Writer
from widgets.grid import Grid
from widgets.lines import Lines
from widgets.page import Page
from widgets.prompt import Prompt


class RecoveryScreen(RunbookRoom):
    """The list of symptoms and open tasks, or one walk. A walk is what the logbook says: it goes on where it was, on
    whatever console."""

    ROOM = "recovery"
    CSS_PATH = ["room.tcss", "recovery.tcss"]
    BINDINGS = bindings(ROOM)

    def __init__(self) -> None:
        super().__init__()
        self._walk = ""
        self._later = ""
        self._note = ""
        self._asked = False

    def body(self) -> ComposeResult:
        with Vertical(id="symptoms"):
            yield Grid(view.TREE_COLUMNS, id="trees", classes="panel")
            yield Lines(id="symptom")
            yield Grid(view.TASK_COLUMNS, id="tasks", classes="panel")
        with Vertical(id="walk"):
            yield Lines(id="which")
            yield Page(id="page")

    def prompts(self) -> ComposeResult:
        yield Prompt("note", "what was seen; it is kept with your answer", id="note")
        yield Prompt("reason", "why is the walk given up? Enter keeps it", id="abort")
        yield Prompt("result", "what came out of the task? Enter closes it", id="close")

    def on_mount(self) -> None:
        self.query_one("#trees").border_title = " What do you see? "
        self.query_one("#trees").focus()

    # --- what is shown ----------------------------------------------------------------------------------------------

    @property
    def _known(self) -> WalkState | None:
        return self.logbook.walks.get(self._walk)

    @property
    def leaf(self) -> Leaf | None:
        """The leaf in sight that wants to be acted upon."""
        known = self._known
        return known.walk.leaf if known is not None and not known.ended else None

    def fill(self, moment: Moment, comparison: Comparison) -> None:
        if self._later and self.book is not None:
            self.walk(self._later)
        book, known = self.book, self._known
        trees, tasks = self.query_one("#trees", Grid), self.query_one("#tasks", Grid)
        if book is not None:
            trees.show(view.tree_rows(book.of(TREE), self.logbook))
            self._tell_symptom(book)
            tasks.show(view.task_rows(moment, self.logbook.open_tasks))
            tasks.border_title = view.tasks_title(self.logbook.open_tasks)
            tasks.display = bool(self.logbook.open_tasks)
        page, which = self.query_one("#page", Page), self.query_one("#which", Lines)
        written = Writer(page.room - 1, view.LABEL)
        if known is not None and book is not None:
            view.walk_page(moment, known, self._note, book, self._asked, written)
        which.show([view.heading(known, self.size.width)] if known is not None else [])
        page.show(written.lines, written.stops)

    def _tell_symptom(self, book: Handbook) -> None:
        told, row = self.query_one("#symptom", Lines), self.query_one("#trees", Grid).cursor
        tree = book.get(TREE, row.key) if row is not None else None
        walk = self.logbook.unfinished_walk(tree.id) if tree is not None else None
        told.show(view.symptom_lines(tree, walk, told.room))

    # --- what can be done -------------------------------------------------------------------------------------------

    def offers(self) -> Mapping[str, str]:
        known = self._known
        if known is None:
            return self._offered_in_the_list()
        here = {"list": ""}
        if self.query_one("#page", Page).stop is not None:
            here["open"] = ""
        if known.ended:
            return here
        if self._asked:
            return {"yes": self.mute, **here}
        here |= {"note": self.mute, "abort": self.mute}
        if known.walk.answers:
            here["back"] = self.mute
        if known.walk.question is not None:
            return {"yes": self.mute, "no": self.mute, **here}
        if isinstance(known.walk.leaf, Throttle):
            here["lower"] = self.mute
        elif known.walk.leaf is not None and not acts(known.walk.leaf):
            here["task"] = self.mute
        return here

    def _offered_in_the_list(self) -> Mapping[str, str]:
        if self.query_one("#tasks", Grid).has_focus:
            return {"open": self.mute if self.query_one("#tasks", Grid).cursor else "there is no task"}
        row = self.query_one("#trees", Grid).cursor
        if row is None:
            why = "the runbooks are being read" if self.book is None else "there is no tree in the list"
            return {"open": why}
        return {"open": "" if self.logbook.unfinished_walk(row.key) else self.mute}

    def do_open(self) -> None:
        stop, row = self.query_one("#page", Page).stop, self.query_one("#trees", Grid).cursor
        if self._walk and stop is not None:
            self.program.open_ref(stop.key)
        elif self.query_one("#tasks", Grid).has_focus:
            self.query_one("#close", Prompt).ask()
        elif row is not None:
            self.walk(row.key)

    def walk(self, name: str) -> None:
        """Where a walk of this tree is on its way already, it goes on there."""
        known, book = self.logbook.unfinished_walk(name), self.book
        tree = book.get(TREE, name) if book is not None else None
        self._later = name if book is None else ""
        if known is not None:
            self._show(known.id)
        elif tree is not None:
            walk = new_id(name)
            self.enter(en.WalkBegun(walk, tree), partial(self._show, walk))

    def _show(self, walk: str) -> None:
        """One walk; the list where it is empty."""
        self._walk, self._note, self._asked = walk, "", False
        self.refresh_moment()  # nothing of another walk comes into sight
        self.set_class(bool(walk), "-walking")
        self.call_after_refresh(self._shown)

    def _shown(self) -> None:
        page = self.query_one("#page", Page)
        (page if self._walk else self.query_one("#trees")).focus()
        self.refresh_moment()
        page.go()

    def do(self, what: str) -> None:
        """Whatever else is done, a gate that was to be lowered is not."""
        asked, self._asked = self._asked, False
        if asked and what == "yes":
            self._lower()
        elif not (asked and what == "list"):
            super().do(what)
        self.refresh_moment()

    def do_list(self) -> None:
        self._show("")

    def do_yes(self) -> None:
        self._answer(yes=True)

    def do_no(self) -> None:
        self._answer(yes=False)

    def _answer(self, *, yes: bool) -> None:
        known = self._known
        if known is not None:
            self.enter(en.WalkAnswered(known.id, known.walk.here, yes, self._note))
            self._note = ""

    def do_back(self) -> None:
        known = self._known
        if known is not None:
            self.enter(en.WalkTakenBack(known.id, known.walk.answers[-1].question))

    def do_note(self) -> None:
        self.query_one("#note", Prompt).ask()

    def do_abort(self) -> None:
        self.query_one("#abort", Prompt).ask()

    def do_task(self) -> None:
        self._act()

    def do_lower(self) -> None:
        """Asks; `yes` is what lowers it."""
        self._asked = True

    def _lower(self) -> None:
        known = self._known
        if known is not None and isinstance(leaf := known.walk.leaf, Throttle):
            tree = known.walk.tree.id
            self.enter(en.SizeLowered(leaf.size, f"{tree}: {known.walk.here}", leaf.rate, known.id), self._act)

    def _act(self, target: str = "", then: Callable[[], None] | None = None) -> None:
        """What the leaf wants is done."""
        known = self._known
        if known is not None:
            self.enter(en.LeafActed(known.id, known.walk.here, target, self._note), then)
            self._note = ""

    def pulled(self, pull: str, level: Level) -> None:
        known, leaf = self._known, self.leaf
        if known is None or not isinstance(leaf, KillSwitch) or level.rank < leaf.level.rank:
            return
        why = partial(self.program.tell_reason, pull, f"{known.walk.tree.id}: {known.walk.here}")
        self._act(pull, None if self.console.moment.down else why)

    def resumed(self, pulls: tuple[str, ...]) -> None:
        if isinstance(self.leaf, Resume):
            self._act(", ".join(pulls))

    def on_prompt_given(self, event: Prompt.Given) -> None:
        known, task = self._known, self.query_one("#tasks", Grid).cursor
        if event.prompt.id == "note":
            self._note = event.text
        elif event.text and event.prompt.id == "abort" and known is not None:
            self.enter(en.WalkAborted(known.id, event.text))
        elif event.text and event.prompt.id == "close" and task is not None:
            self.enter(en.TaskClosed(task.key, event.text))
        self.refresh_moment()
