"""Incidents at work: a pull opens one or joins it, the desk is read for it, and the recorder is asked to seal it.

Everything that is done for an incident follows from its entries as the hub tells them, by whatever hand they were
written. Nothing here touches latch, gate or cord: evidence follows a pull, and never holds one up.
"""

import asyncio
import secrets
from collections import deque
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
from console.guard.exhibition import Exhibition, Shown
from console.guard.frames import AnySaid, Facts, Failed, File, Seal, Sealed
from console.guard.hub import Hub
from console.guard.logbook import LogKeeper
from console.guard.recorder import Recorder
from console.guard.recording import Recording
from console.runbooks.kinds import INCIDENT
from console.runbooks.library import OWN_FOLDER, Library

MINUTE = 60_000_000_000
WINDOW_MINUTES = {"P0": 10, "P1": 30, "P2": 60, "P3": 60}
"""How much before its opening an incident takes in: what is no emergency has been going on for longer."""
WINDOW_SECONDS = 300.0
"""How often an open incident is sealed while nothing else seals it."""
AGAIN_SECONDS = (30.0, 600.0)
"""What could not be sealed is tried again after so long, and then ever later, up to so long."""
AGAIN_KEPT = 20
DISK_SECONDS = 2.0
TITLE_LIMIT = 200


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


class _Asked(NamedTuple):
    """A seal that the worker was asked for, and who waits for it."""

    incident: str
    why: str
    by: str
    shown: Shown
    captured: tuple[str, ...]
    done: asyncio.Future[str]


class Incidents:
    """Belongs to the event loop. `archive` is the folder of the sealed incidents."""

    def __init__(
        self,
        hub: Hub,
        keeper: LogKeeper,
        recording: Recording,
        recorder: Recorder,
        exhibition: Exhibition,
        at_pull: AtPull,
        classes: Classes,
        archive: Path,
    ) -> None:
        self._hub = hub
        self._keeper = keeper
        self._recording = recording
        self._recorder = recorder
        self._exhibition = exhibition
        self._at_pull = at_pull
        self._classes = classes
        self._archive = archive
        self._archived: frozenset[str] = frozenset()
        self._fired: dict[str, str] = {}
        self._asked: dict[str, _Asked] = {}
        self._again: deque[_Asked] = deque(maxlen=AGAIN_KEPT)
        self._patience = AGAIN_SECONDS[0]
        self._tried = 0.0
        self._proven: set[tuple[str, ...]] = set()
        self._sealed_at: dict[str, float] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        keeper.judges.append(self._judge)
        hub.early.append(self._early)
        hub.listeners.append(self._told)
        recorder.heard.append(self._answered)

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
            self._recorder.pin(row.id, _since(row))
            proven = self._proof(row)
            if not row.covered:
                self._spawn(self._capture_and_seal(row.id, "pull" if row.pulls else "snapshot"))
            elif proven and row.sealed is not None and row.sealed.at < _proven_at(state, row):
                self._spawn(self._capture_and_seal(row.id, "verified"))
            if proven:
                self._proven.add(row.pulls)
        for row in state.logbook.incidents.values():
            if not row.open and (row.sealed is None or row.sealed.at < row.closed_at):
                self._recorder.pin(row.id, _since(row))
                self._spawn(self._capture_and_seal(row.id, "closed"))

    def step(self) -> None:
        """Seal what is due, and what could not be sealed before. Called every few seconds."""
        now = asyncio.get_running_loop().time()
        if now - self._tried >= self._patience:
            self._ask_again()
        busy = {asked.incident for asked in self._asked.values()}
        for row in self._known.values():
            if row.open and row.id not in busy and now - self._sealed_at.setdefault(row.id, now) >= WINDOW_SECONDS:
                self._seal(row.id, "window", "guard", Shown())

    # --- what is asked for -------------------------------------------------------------------------------------------

    async def snapshot(self, incident: str, actor: str, screen: tuple[File, ...] = ()) -> str:
        """Read the desk and seal it now, with the picture of a screen where there is one already; `incident` is empty
        for the one that is open. Raises RuntimeError with the reason."""
        row = self._one(incident)
        self._ask_again()
        return await self._capture_and_seal(row.id, "snapshot", actor, screen)

    async def attach(self, incident: str, files: tuple[File, ...], actor: str) -> str:
        """Seal files with an incident. Raises RuntimeError with the reason."""
        return await self._seal(self._one(incident).id, "attached", actor, Shown(files=files))

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
            case ev.ArchiveSealed():
                self._sealed_at[event.incident] = asyncio.get_running_loop().time()
            case en.IncidentOpened():
                self._opened(event)
            case en.IncidentJoined():
                self._spawn(self._capture_and_seal(event.incident, "pull"))
            case en.IncidentClosed():
                self._spawn(self._capture_and_seal(event.incident, "closed"))

    def _opened(self, event: en.IncidentOpened) -> None:
        row = self._known.get(event.incident)
        if row is not None and (not event.pull or event.pull in row.pulls):  # and was not overtaken
            self._recorder.pin(row.id, _since(row))
            self._spawn(self._capture_and_seal(row.id, "pull" if event.pull else "snapshot"))

    def _assign(self, pull: str) -> None:
        """A pull belongs to an incident. In a task: by then the trigger that pulled has said so."""
        if inc.of_pull(dict(self._known), pull) is None:
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
        row = inc.of_pull(dict(self._known), pull)
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
        row = self._known[incident]
        taken = self._at_pull.taken(row.pulls[-1]) if why == "pull" else None
        shown = await self._exhibition.show(actor, taken, screen)
        return await self._seal(incident, why, actor, shown, row.pulls)

    def _seal(
        self, incident: str, why: str, by: str, shown: Shown, captured: tuple[str, ...] = ()
    ) -> asyncio.Future[str]:
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda settled: settled.cancelled() or settled.exception())  # nobody may wait for it
        self._ask(_Asked(incident, why, by, shown, captured, done))
        return done

    def _ask(self, asked: _Asked) -> None:
        """Cut the pipe here: the seal covers what was told until now."""
        job, row, state = secrets.token_hex(6), self._known[asked.incident], self._hub.state
        cut = self._recording.cut()
        lost = (f"records: {cut.lost} of them found no room on their way to the recorder",) if cut.lost else ()
        self._asked[job] = asked
        self._recorder.seal(
            Seal(
                job=job,
                facts=_facts(row, state),
                why=asked.why,
                by=asked.by,
                since=_since(row),
                fold=cut.fold,
                items=asked.shown.items,
                files=asked.shown.files,
                missing=(*asked.shown.missing, *lost),
                captured=asked.captured,
                clock_offset_ms=asked.shown.clock_offset_ms,
            )
        )

    def _ask_again(self) -> None:
        self._tried = asyncio.get_running_loop().time()
        for _ in range(len(self._again)):
            self._ask(self._again.popleft())

    def _answered(self, said: AnySaid) -> None:
        if not isinstance(said, Sealed | Failed) or said.job not in self._asked:
            return
        asked = self._asked.pop(said.job)
        if isinstance(said, Sealed):
            self._patience = AGAIN_SECONDS[0]
            if asked.why == "closed":
                self._recorder.unpin(asked.incident)
            if not asked.done.done():
                asked.done.set_result(_says(said.seal))
            return
        if not asked.done.done():
            asked.done.set_exception(RuntimeError(f"{said.failure.what} could not be kept: {said.failure.why}"))
        if asked.shown.items:  # what was read then can not be read again
            self._again.append(asked)
            self._patience = min(2 * self._patience, AGAIN_SECONDS[1])

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a refusal: another hand was first; or a seal that failed, which is asked for again


def _says(seal: ev.ArchiveSealed) -> str:
    lacks = f", missing: {'; '.join(seal.missing)}" if seal.missing else ""
    return f"{seal.incident} sealed: seal {seal.seal} holds {len(seal.items)} items{lacks}"


def _since(row: inc.IncidentState) -> int:
    """Where its evidence begins, UTC ns."""
    return row.opened_at - WINDOW_MINUTES.get(row.severity, max(WINDOW_MINUTES.values())) * MINUTE


def _proven_at(state: DeskState, row: inc.IncidentState) -> int:
    return max((state.pulls[name].verified_at for name in row.pulls if name in state.pulls), default=0)


def _title(pull: PullState) -> str:
    drill = "drill: " if pull.origin == "drill" else ""
    reason = f": {pull.reason}" if pull.reason else ""
    return f"{drill}{pull.level} {pull.scope}{reason}"[:TITLE_LIMIT]


def _facts(row: inc.IncidentState, state: DeskState) -> Facts:
    return Facts(
        incident=row.id,
        cls=row.cls,
        severity=row.severity,
        title=row.title,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        pulls=row.pulls,
        desk=state.name,
        mode=state.mode,
    )
