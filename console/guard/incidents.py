"""Incidents at work: a pull opens one or joins it, the desk is read for it, and the recorder is asked to seal it.

Everything that is done for an incident follows from its entries as the hub tells them, by whatever hand they were
written. Nothing here touches latch, gate or cord: evidence follows a pull, and never holds one up.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from console.config import DeskConfig
from console.desk import entries as en
from console.desk import events as ev
from console.desk import incidents as inc
from console.desk.events import AnyEvent, Record
from console.desk.logbook import Logbook
from console.desk.pull import Verdict
from console.desk.state import DeskState, PullState
from console.desk.tree import KillSwitch
from console.guard.aside import beside
from console.guard.at_pull import AtPull
from console.guard.exhibition import Exhibition, Pictures, Shown
from console.guard.frames import File
from console.guard.hub import Hub
from console.guard.logbook import LogKeeper
from console.guard.seal_requests import SealRequests
from console.runbooks.kinds import INCIDENT
from console.runbooks.library import OWN_FOLDER, Library

DISK_SECONDS = 2.0
TITLE_LIMIT = 200
DRAWN = ("pull", "snapshot")
"""The seals for which the screen is drawn: for any other it can be drawn later, of the state that they hold."""


class Classes(NamedTuple):
    """Which class of incident a cause tells: ids by the id of a trigger, and of the tree whose leaf pulled."""

    by_trigger: Mapping[str, str]
    by_tree: Mapping[str, str]


def load_classes(config: DeskConfig) -> Classes:
    """By the desk's triggers and by the classes that there are, ours and the desk's own."""
    shelf = Library(config.path.parent / OWN_FOLDER, config.limits.by_name).shelf(INCIDENT)
    return Classes(
        {trigger.id: trigger.incident for trigger in config.triggers if trigger.incident},
        {each.spec.tree: each.id for each in shelf.documents.values() if each.spec.tree},
    )


class Incidents:
    """Belongs to the event loop. `archive` is the folder of the sealed incidents."""

    def __init__(
        self,
        hub: Hub,
        keeper: LogKeeper,
        seals: SealRequests,
        exhibition: Exhibition,
        at_pull: AtPull,
        classes: Classes,
        archive: Path,
    ) -> None:
        self._hub = hub
        self._keeper = keeper
        self._seals = seals
        self._exhibition = exhibition
        self._at_pull = at_pull
        self._classes = classes
        self._archive = archive
        self._archived: frozenset[str] = frozenset()
        self._fired: dict[str, str] = {}
        self._proven: set[tuple[str, ...]] = set()
        self._turns: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        keeper.judges.append(self._judge)
        hub.early.append(self._early)
        hub.listeners.append(self._told)

    @property
    def trouble(self) -> tuple[str, ...]:
        """What of the open incidents' evidence is not kept, a sentence each."""
        going = [row for row in self._known.values() if row.open and row.trouble]
        return tuple(f"{row.id}: {row.trouble[-1]}" for row in going)

    @property
    def _known(self) -> Mapping[str, inc.IncidentState]:
        return self._hub.state.logbook.incidents

    # --- beginning and going on --------------------------------------------------------------------------------------

    async def recover(self) -> None:
        """Take up what an earlier guard left: pulls that stand without an incident, incidents that nobody has sealed
        since their latest pull, proof that came while nobody sealed it."""
        try:
            names = await beside(lambda: [path.name for path in self._archive.iterdir()], DISK_SECONDS)
            self._archived = frozenset(names)
        except (OSError, TimeoutError):
            pass  # there is none yet, or the disk does not say: then the journal's numbers have to do
        state = self._hub.state
        for pull in state.pulls.values():
            self._assign(pull.id)
        for row in [row for row in state.logbook.incidents.values() if row.open]:
            self._seals.pin(row)
            proven = self._proof(row)
            if not row.covered:
                self._spawn(self._capture_and_seal(row.id, "pull" if row.pulls else "snapshot"))
            elif proven and row.sealed is not None and row.sealed.at < _proven_at(state, row):
                self._spawn(self._capture_and_seal(row.id, "verified"))
            if proven:
                self._proven.add(row.pulls)
        for row in state.logbook.incidents.values():
            if not row.open and (row.sealed is None or row.sealed.at < row.closed_at):
                self._seals.pin(row)
                self._spawn(self._capture_and_seal(row.id, "closed"))

    # --- what is asked for -------------------------------------------------------------------------------------------

    async def snapshot(self, incident: str, actor: str, screen: tuple[File, ...] = ()) -> str:
        """Read the desk and seal it now, with the picture of a screen where there is one already; `incident` is empty
        for the one that is open. Raises RuntimeError with the reason."""
        row = self._one(incident)
        self._seals.again()
        return await self._capture_and_seal(row.id, "snapshot", actor, screen)

    async def attach(self, incident: str, files: tuple[File, ...], actor: str) -> str:
        """Seal files with an incident. Raises RuntimeError with the reason."""
        return await self._seals.ask(self._one(incident), "attached", actor, Shown(files=files))

    def _one(self, incident: str) -> inc.IncidentState:
        row = self._known.get(incident) if incident else self._hub.state.logbook.open_incident
        if row is None:
            raise RuntimeError(f"there is no incident {incident}" if incident else "no incident is open")
        return row

    # --- what happens ------------------------------------------------------------------------------------------------

    def _judge(self, entry: en.AnyEntry) -> None:
        if isinstance(entry, en.IncidentOpened) and entry.incident in self._archived:
            free = inc.next_id(self._numbers(self._hub.state.logbook), self._hub.clock())
            raise ValueError(f"{entry.incident} lies in the archive already; the next number is {free}")

    def _numbers(self, book: Logbook) -> tuple[str, ...]:
        return (*book.incidents, *self._archived)

    def _early(self, event: AnyEvent, actor: str) -> None:
        """A trigger says that it pulled right behind its pull: before either is on disk, in time for a class."""
        if isinstance(event, ev.TriggerFired):
            self._fired[event.pull] = event.trigger

    def _told(self, record: Record) -> None:
        event = record.event
        match event:
            case ev.Pulled():
                self._assign(event.pull)
            case ev.VenueVerdict():
                self._prove(event.pull)
            case en.IncidentOpened():
                self._opened(event)
            case en.IncidentJoined():
                self._spawn(self._capture_and_seal(event.incident, "pull"))
            case en.IncidentClosed():
                self._spawn(self._capture_and_seal(event.incident, "closed"))

    def _opened(self, event: en.IncidentOpened) -> None:
        row = self._known.get(event.incident)
        if row is not None and (not event.pull or event.pull in row.pulls):  # and was not overtaken
            self._seals.pin(row)
            self._spawn(self._capture_and_seal(row.id, "pull" if event.pull else "snapshot"))

    def _assign(self, pull: str) -> None:
        """A pull belongs to an incident. In a task: by then the trigger that pulled has said so."""
        if inc.of_pull(self._known, pull) is None:
            self._spawn(self._keeper.write(lambda book: self._entry_for(pull, book), "guard"))

    def _entry_for(self, pull: str, book: Logbook) -> en.AnyEntry | None:
        known = self._hub.state.pulls.get(pull)
        if known is None or inc.of_pull(book.incidents, pull) is not None:
            return None
        if (going := book.open_incident) is not None:
            return en.IncidentJoined(going.id, pull)
        if not known.level.cancels:
            return None
        number = inc.next_id(self._numbers(book), self._hub.clock())
        return en.IncidentOpened(number, self._class_of(known, book), "P0", _title(known), pull)

    def _class_of(self, pull: PullState, book: Logbook) -> str:
        fired = self._hub.state.fired.get(pull.id)
        trigger = self._fired.get(pull.id, fired.trigger if fired else "")
        if trigger:
            return self._classes.by_trigger.get(trigger, "")
        if pull.origin != "tree":
            return ""
        standing = (walk.walk for walk in reversed(book.walks.values()) if not walk.ended and walk.actor == pull.actor)
        tree = next((walk.tree.id for walk in standing if isinstance(walk.leaf, KillSwitch)), "")
        return self._classes.by_tree.get(tree, "")

    # --- proof -------------------------------------------------------------------------------------------------------

    def _prove(self, pull: str) -> None:
        row = inc.of_pull(self._known, pull)
        if row is not None and row.open and row.pulls not in self._proven and self._proof(row):
            self._proven.add(row.pulls)
            self._spawn(self._capture_and_seal(row.id, "verified"))

    def _proof(self, row: inc.IncidentState) -> bool:
        """Whether all of its pulls that stand are verified."""
        pulls = [self._hub.state.pulls[name] for name in row.pulls if name in self._hub.state.pulls]
        return bool(pulls) and all(pull.verdict is Verdict.VERIFIED for pull in pulls)

    # --- sealing -----------------------------------------------------------------------------------------------------

    async def _capture_and_seal(
        self, incident: str, why: str, actor: str = "guard", screen: tuple[File, ...] = ()
    ) -> str:
        async with self._turns.setdefault(incident, asyncio.Lock()):  # proof may come while a pull's picture is drawn
            row = self._known[incident]
            taken = self._at_pull.taken(row.pulls[-1]) if why == "pull" else None
            shown = await self._exhibition.show(actor, taken, drawn=why in DRAWN, screen=screen)
            sealed = self._seals.ask(self._known[incident], why, actor, shown, row.pulls)
        if shown.later is not None:
            self._spawn(self._seal_later(incident, shown.later))
        return await sealed

    async def _seal_later(self, incident: str, drawing: "asyncio.Future[Pictures]") -> None:
        files, undrawn = await drawing
        if files:
            await self._seals.ask(self._known[incident], "attached", "guard", Shown(files=files))
        for sentence in undrawn:
            what, _, why = sentence.partition(": ")
            self._hub.journal(ev.EvidenceFailed(incident, what, why))

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """A RuntimeError says that another hand was first, or that a seal failed, which is asked for again."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, RuntimeError):
            task.get_loop().call_exception_handler({"message": "the incidents", "exception": error, "task": task})


def _proven_at(state: DeskState, row: inc.IncidentState) -> int:
    return max((state.pulls[name].verified_at for name in row.pulls if name in state.pulls), default=0)


def _title(pull: PullState) -> str:
    drill = "drill: " if pull.origin == "drill" else ""
    reason = f": {pull.reason}" if pull.reason else ""
    return f"{drill}{pull.level} {pull.scope}{reason}"[:TITLE_LIMIT]
