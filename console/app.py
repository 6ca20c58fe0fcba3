"""The console: composition only. What it shows is in console.screens, what it may do in console.actions."""

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from textual import events, work
from textual.app import App
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.theme import Theme

import themes
from console.actions import BY_ID, bindings
from console.archives import NoArchives
from console.desk import adjust
from console.desk.archive import Archives
from console.desk.entries import AnyEntry, IncidentNoted, IncidentOpened
from console.desk.incidents import next_id
from console.desk.moment import Moment
from console.desk.reconcile import Comparison
from console.desk.resume import Asked, Outcome
from console.desk.source import Cord, Source
from console.driver import CordDriver
from console.feed import Feed
from console.guard.aside import beside
from console.palette import Registry
from console.screens.live import LiveScreen
from console.screens.room import Room
from console.switch import CordSwitch, PullMade

if TYPE_CHECKING:
    from console.desk.runbook import SeverityId
    from console.runbooks.handbook import Handbook
    from console.runbooks.library import Library

Answer = TypeVar("Answer", Outcome, adjust.Outcome)

TICK = 0.1


def _desk() -> Screen[None]:
    from console.screens.desk import DeskScreen

    return DeskScreen()


def _book() -> Screen[None]:
    from console.screens.book import BookScreen

    return BookScreen()


def _verdict() -> Screen[None]:
    from console.screens.verdict import VerdictScreen

    return VerdictScreen()


def _recovery() -> Screen[None]:
    from console.screens.recovery import RecoveryScreen

    return RecoveryScreen()


def _runbooks() -> Screen[None]:
    from console.screens.runbooks import RunbooksScreen

    return RunbooksScreen()


def _archive() -> Screen[None]:
    from console.screens.archive import ArchiveScreen

    return ArchiveScreen()


def _cadence() -> Screen[None]:
    from console.screens.cadence import CadenceScreen

    return CadenceScreen()


class CordPulled(Message):
    """The switch pulled, in whatever thread."""

    def __init__(self, made: PullMade) -> None:
        super().__init__()
        self.made = made


class CordFailed(Message):
    """A pull reached neither the guard nor any venue; `why` is a sentence."""

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = why


class AndonApp(App[None]):
    """`clock` is UTC ns and `monotonic` seconds; both are injected, so that a screen can be drawn at a known moment.
    Read-only disarms everything, the cord included; without a cord there is no desk to pull. `start_guard` starts one,
    blocking; it returns a sentence or raises RuntimeError with one. `library` finds the desk's runbooks; it may read
    files, and is called in a thread. Without it there are ours alone. `archives` are what room 7 shows."""

    TITLE = "Andon"
    BINDINGS = bindings()
    COMMANDS = {Registry}
    MODES = {
        "desk": _desk,
        "book": _book,
        "verdict": _verdict,
        "recovery": _recovery,
        "runbooks": _runbooks,
        "cadence": _cadence,
        "archive": _archive,
    }
    DEFAULT_MODE = "desk"

    def __init__(
        self,
        source: Source,
        cord: Cord | None,
        *,
        start_guard: Callable[[], str] | None = None,
        library: Callable[[], "Library"] | None = None,
        archives: Archives | None = None,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
        read_only: bool = False,
        theme: str = themes.DEFAULT,
    ) -> None:
        self._shipped = themes.shipped()
        super().__init__(driver_class=CordDriver, ansi_color=True if "NO_COLOR" in os.environ else None)
        self.switch = CordSwitch(None if read_only else cord, self._told, monotonic)
        self.pulled = ""
        self.animation_level = "none"
        self._source = source
        self._start_guard = start_guard
        self._library = library
        self.archives: Archives = archives or NoArchives()
        self._handbook: Handbook | None = None
        self._monotonic = monotonic
        self._feed = Feed(source, clock, read_only=read_only)
        self._complaints = list(self._take_themes(theme))
        self._end_asked = 0

    def _take_themes(self, wanted: str) -> Iterator[str]:
        """Ours and the user's instead of the framework's; yields what is wrong with any of them."""
        for name in list(self.available_themes):
            self.unregister_theme(name)
        for theme in self._shipped:
            self.register_theme(theme)
        for found in themes.of_user():
            if isinstance(found, Theme):
                self.register_theme(found)
            else:
                yield str(found)
        if wanted not in self.available_themes:
            yield f"there is no theme {wanted}; one of {', '.join(self.available_themes)} is expected"
            wanted = themes.DEFAULT
        self.theme = wanted

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(self._shipped[0].variables)

    def on_mount(self) -> None:
        self.run_worker(self._feed.follow())
        self.set_interval(TICK, self._tick)
        if isinstance(self._driver, CordDriver):
            self.call_after_refresh(gc.freeze)  # a collector in all that was imported keeps the keys waiting for 100 ms
        for complaint in self._complaints:
            self.notify(complaint, title="Theme", severity="warning")
        if self._end_asked:
            self.end(self._end_asked)

    def end(self, number: int, frame: object = None) -> None:
        """A signal asks to leave. One that comes while the terminal is still being taken over is obeyed right after: an
        exception in the middle of that would leave threads that nothing ends."""
        self._end_asked = number
        if self.is_running:
            self.exit(return_code=128 + number)

    def _tick(self) -> None:
        self.switch.beat()
        if self._feed.changed():
            for screen in self.screen_stack:
                if isinstance(screen, LiveScreen):
                    screen.refresh_moment()

    # --- what actions and screens ask for ---------------------------------------------------------------------------

    @property
    def moment(self) -> Moment:
        return self._feed.moment

    @property
    def comparison(self) -> Comparison:
        return self._feed.comparison

    async def settle(self) -> None:
        """Show a desk that stands still: see Feed.settle."""
        await self._feed.settle()
        if self.room is not None:
            self.room.refresh_moment()

    @property
    def theme_names(self) -> tuple[str, ...]:
        return tuple(self.available_themes)

    def use_theme(self, name: str) -> None:
        self.theme = name

    def act(self, name: str) -> None:
        """Run an action of the registry, or say why it is refused."""
        action = BY_ID[name]
        refusal = action.refuses(self)
        if refusal:
            self.notify(refusal, title=action.label, severity="warning")
        else:
            action.run(self)

    def action_act(self, name: str) -> None:
        self.act(name)

    def show_room(self, name: str) -> None:
        while isinstance(self.screen, ModalScreen):
            self.pop_screen()
        self.switch_mode(name)

    def open_cord(self) -> None:
        from console.screens.cord import CordScreen

        if not isinstance(self.screen, CordScreen):
            leaf = self.room.leaf if self.room is not None else None
            self.push_screen(CordScreen(leaf, looked_back=self.looks_back))

    def open_resume(self) -> None:
        from console.screens.resume import ResumeScreen

        self.push_screen(ResumeScreen())

    def open_adjust(self) -> None:
        from console.screens.adjust import AdjustScreen

        self.show_room("book")
        self.push_screen(AdjustScreen())

    def ask_resume(self, command: str, asked: Asked, told: Callable[[Outcome], None]) -> None:
        self._ask(command, msgspec.structs.asdict(asked), Outcome, told)

    def ask_adjust(self, command: str, told: Callable[[adjust.Outcome], None], **asked: str) -> None:
        self._ask(command, asked, adjust.Outcome, told)

    @work(group="asked", exclusive=True)
    async def _ask(
        self, command: str, asked: dict[str, str], kind: type[Answer], told: Callable[[Answer], None]
    ) -> None:
        try:
            outcome = msgspec.json.decode(await self._source.command(command, **asked), type=kind)
        except RuntimeError as refused:
            outcome = kind(False, str(refused))
        except msgspec.MsgspecError:
            outcome = kind(False, "the guard answers in another way: is it of this version?")
        told(outcome)

    def resumed(self, said: str, pulls: tuple[str, ...]) -> None:
        if self.room is not None:
            self.room.resumed(pulls)
        self.show_room("desk")
        self.notify(said, title="Resumed", timeout=20)

    @property
    def room(self) -> Room | None:
        """The room in sight, below whatever lies over it."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Room)), None)

    @property
    def room_name(self) -> str:
        return self.room.ROOM if self.room is not None else ""

    def in_room(self, what: str) -> None:
        if self.room is not None:
            self.room.do(what)

    def not_in_room(self, what: str) -> str:
        offers = self.room.offers() if self.room is not None else {}
        return offers.get(what, "there is nothing here to do that with")

    @property
    def handbook(self) -> "Handbook | None":
        return self._handbook

    @work(thread=True, group="runbooks", exclusive=True)
    def read_runbooks(self) -> None:
        """Off the event loop; files that did not change cost next to nothing."""
        from console.config import Limits
        from console.runbooks.handbook import read
        from console.runbooks.library import Library

        library = self._library() if self._library is not None else Library(None, Limits().by_name)
        self.call_from_thread(self._handbook_read, read(library))

    def _handbook_read(self, book: "Handbook") -> None:
        if self._handbook is None or self._handbook.versions != book.versions:
            self._handbook = book
        if self.room is not None:
            self.room.refresh_moment()

    @work
    async def enter(self, entry: AnyEntry, then: Callable[[], None]) -> None:
        try:
            warning = await self._source.keep(entry)
        except RuntimeError as refused:
            self.notify(str(refused), title="Not on record", severity="error", timeout=30)
            return
        if warning:
            self.notify(warning, title="On record, but", severity="warning", timeout=30)
        then()

    # --- evidence ---------------------------------------------------------------------------------------------------

    @property
    def looks_back(self) -> bool:
        from console.screens.past import PastRoom

        return isinstance(self.room, PastRoom)

    def ask_incident(self) -> None:
        if self.room is not None:
            self.read_runbooks()  # they say of which class it is
            self.room.ask_incident()

    def open_incident(self, title: str, monitor: str) -> None:
        from console.screens.views.lead import lead

        of = lead(self._handbook, monitor).incident if self._handbook is not None else None
        self._open_incident(title, of.id if of else "", of.severity if of else "P0")

    @work
    async def _open_incident(self, title: str, cls: str, severity: "SeverityId") -> None:
        """Under the next number that neither the desk nor its archive knows. Somebody may be faster: then again."""
        while True:
            known = self.moment.state.logbook.incidents
            number = next_id((*known, *await beside(self.archives.names, None)), self.moment.now)
            try:
                warning = await self._source.keep(IncidentOpened(number, cls, severity, title))
            except RuntimeError as refused:
                if number in self.moment.state.logbook.incidents:
                    continue
                said = f"{refused}\nYou wrote: {title}"
                self.notify(said, title="No incident was opened", severity="error", timeout=60)
                return
            self.notify(warning or f"{number} is open", severity="warning" if warning else "information")
            return

    def ask_note(self) -> None:
        known = self.moment.state.logbook.open_incident
        if self.room is not None and known is not None:
            self.room.ask_note(known.id)

    def note_incident(self, text: str) -> None:
        known = self.moment.state.logbook.open_incident
        if known is not None:
            self.enter(IncidentNoted(known.id, text), lambda: self.notify(f"written into {known.id}"))

    def take_snapshot(self) -> None:
        known = self.moment.state.logbook.open_incident
        if known is not None:
            self.notify(f"Capturing the desk for {known.id} …")
            self._snapshot(known.id)

    @work
    async def _snapshot(self, incident: str) -> None:
        try:
            answer = await self._source.command("snapshot", incident=incident)
        except RuntimeError as refused:
            self.notify(str(refused), title="Nothing was captured", severity="error", timeout=60)
        else:
            self.notify(answer, timeout=20)

    # --- runbooks ---------------------------------------------------------------------------------------------------

    def open_ref(self, ref: str) -> None:
        from console.screens.runbooks import RunbooksScreen

        self.show_room("runbooks")
        if isinstance(self.screen, RunbooksScreen):
            self.call_after_refresh(self.screen.read, ref)

    def walk_tree(self, tree: str) -> None:
        from console.screens.recovery import RecoveryScreen

        self.show_room("recovery")
        if isinstance(self.screen, RecoveryScreen):
            self.call_after_refresh(self.screen.walk, tree)

    def open_help(self) -> None:
        from console.screens.help import HelpScreen

        if self.room is not None:
            self.push_screen(HelpScreen(self.room))

    def open_filter(self) -> None:
        if isinstance(self.screen, Room):
            if self.screen.sifts:
                self.screen.ask_filter()
            else:
                self.notify("there are no rows here to look through", title="Filter")

    def open_palette(self) -> None:
        self.action_command_palette()

    def ask_reason(self) -> None:
        from console.screens.verdict import VerdictScreen

        self.show_room("verdict")
        if isinstance(self.screen, VerdictScreen):
            self.call_after_refresh(self.screen.ask_reason)

    def copy_script(self) -> None:
        """Whether a terminal takes it is not known to anybody but its user: that it was copied is never claimed."""
        from console.screens.verdict import VerdictScreen

        self.show_room("verdict")
        lines = self.screen.script() if isinstance(self.screen, VerdictScreen) else []
        if lines:
            self.copy_to_clipboard("\n".join(lines))
            self.notify("sent to your terminal’s clipboard, if it allows that")
        else:
            self.notify("this pull has nothing left to say to a broker", severity="warning")

    def start_guard(self) -> None:
        if self._start_guard is not None:
            self.notify("Starting the guard ...")
            self._guard_started(self._start_guard)

    @work(thread=True, group="guard", exclusive=True)
    def _guard_started(self, start: Callable[[], str]) -> None:
        try:
            said, severity = start(), "information"
        except RuntimeError as error:
            said, severity = str(error), "error"
        self.call_from_thread(self.notify, said, title="Guard", severity=severity, timeout=20)

    def leave(self) -> None:
        self.exit()

    @work
    async def tell_reason(self, pull: str, text: str) -> None:
        try:
            answer = await self._source.command("reason", pull=pull, text=text)
        except RuntimeError as refused:
            self.notify(f"{refused}\nYou wrote: {text}", title="The reason was not kept", severity="error", timeout=60)
        else:
            self.notify(answer)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing opens above the cord's overlay: its digits must mean what it shows."""
        from console.screens.cord import CordScreen

        return action != "command_palette" or not isinstance(self.screen, CordScreen)

    # --- the cord ---------------------------------------------------------------------------------------------------

    def when_painted(self, offer: int) -> None:
        if isinstance(self._driver, CordDriver):
            self._driver.when_painted(partial(self.switch.painted, offer))
        else:
            self.switch.painted(offer)

    def _told(self, made: PullMade) -> None:
        """In the thread that pulled. The message takes the keys' own way, so that it does not overtake them."""
        if isinstance(self._driver, CordDriver):
            self._driver.send_message(CordPulled(made))
            if made.blocked:
                self._driver.announce(made)
        else:
            self.post_message(CordPulled(made))

    def on_cord_pulled(self, message: CordPulled) -> None:
        made = message.made
        self.pulled = made.pull
        if self.room is not None:
            self.room.pulled(made.pull, made.level)
        self.show_room("verdict")

    def on_cord_failed(self, message: CordFailed) -> None:
        self.notify(message.why, title="THE PULL DID NOT LEAVE", severity="error", timeout=600)

    async def on_event(self, event: events.Event) -> None:
        """Without a terminal of our own (a test's pilot) there is no input thread: the switch is asked here."""
        if (
            isinstance(event, events.Key)
            and not event.is_forwarded
            and not isinstance(self._driver, CordDriver)
            and self.switch.key(event.key, self._monotonic())
        ):
            return
        await super().on_event(event)


def run(
    state_dir: Path,
    *,
    start_guard: Callable[[], str],
    library: Callable[[], "Library"] | None = None,
    archives: Archives | None = None,
    read_only: bool = False,
    mouse: bool = True,
) -> int:
    """The console on the desk whose state lies in `state_dir`, until its user leaves. Returns the exit code.
    `start_guard`, `library` and `archives` see AndonApp."""
    from console.cord.prompt import be_prompt
    from console.cord.puller import Puller
    from console.guard.client import GuardClient

    be_prompt()
    client = GuardClient(state_dir)
    puller = Puller(state_dir, lambda pull, why: app.post_message(CordFailed(why)), client.hear)
    app = AndonApp(
        client,
        puller,
        start_guard=start_guard,
        library=library,
        archives=archives,
        read_only=read_only,
        theme=os.environ.get("ANDON_THEME", themes.DEFAULT),
    )
    puller.start()
    try:
        return screened(app, mouse=mouse)
    finally:
        puller.stop()


def screened(app: AndonApp, *, mouse: bool) -> int:
    """Run until its user leaves, or a signal asks it to. Returns the exit code."""
    before = {number: signal.signal(number, app.end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        app.run(mouse=mouse)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return app.return_code or 0
