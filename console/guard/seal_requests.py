"""What the recorder is asked to seal: at which place of the pipe, with what, and again where it could not.

A seal that failed holds what was read at its time and can not be read again: it is kept in memory and asked for anew,
until the archive takes it.
"""

import asyncio
import secrets
from collections import deque
from typing import NamedTuple

from console.desk import events as ev
from console.desk.incidents import IncidentState
from console.desk.state import DeskState
from console.guard.exhibition import Shown
from console.guard.frames import AnySaid, Facts, Failed, Seal, Sealed
from console.guard.hub import Hub
from console.guard.recorder import Recorder
from console.guard.recording import Recording

MINUTE = 60_000_000_000
WINDOW_MINUTES = {"P0": 10, "P1": 30, "P2": 60, "P3": 60}
"""How much before its opening an incident takes in: what is no emergency has been going on for longer."""
WINDOW_SECONDS = 300.0
"""How often an open incident is sealed while nothing else seals it."""
AGAIN_SECONDS = (30.0, 600.0)
"""What could not be sealed is tried again after so long, and then ever later, up to so long."""
AGAIN_KEPT = 20


class _Asked(NamedTuple):
    """A seal that was asked for, and who waits for it."""

    incident: str
    why: str
    by: str
    shown: Shown
    captured: tuple[str, ...]
    done: asyncio.Future[str]

    @property
    def sent(self) -> bool:
        """Whether somebody sent a file, which is to be in it."""
        return any(file.name.startswith("attached-") for file in self.shown.files)


class SealRequests:
    """Belongs to the event loop."""

    def __init__(self, hub: Hub, recording: Recording, recorder: Recorder) -> None:
        self._hub = hub
        self._recording = recording
        self._recorder = recorder
        self._asked: dict[str, _Asked] = {}
        self._again: deque[_Asked] = deque(maxlen=AGAIN_KEPT)
        self._patience = AGAIN_SECONDS[0]
        self._tried = 0.0
        self._last: dict[str, float] = {}
        recorder.heard.append(self._answered)

    def pin(self, row: IncidentState) -> None:
        """Have its window kept until it was sealed for the last time."""
        self._recorder.pin(row.id, _since(row))

    def ask(
        self, row: IncidentState, why: str, by: str, shown: Shown, captured: tuple[str, ...] = ()
    ) -> asyncio.Future[str]:
        """Seal what was told until now, and what is shown. Done with a sentence once it is, or with a RuntimeError and
        the reason; nobody needs to wait for it."""
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda settled: settled.cancelled() or settled.exception())
        self._send(row, _Asked(row.id, why, by, shown, captured, done))
        return done

    def again(self) -> None:
        """Ask anew for what could not be sealed."""
        self._tried = asyncio.get_running_loop().time()
        for _ in range(len(self._again)):
            asked = self._again.popleft()
            row = self._hub.state.logbook.incidents.get(asked.incident)
            if row is not None:
                self._send(row, asked)

    def step(self) -> None:
        """Ask for what is due. Called every few seconds."""
        now = asyncio.get_running_loop().time()
        if now - self._tried >= self._patience:
            self.again()
        busy = {asked.incident for asked in self._asked.values()}
        for row in self._hub.state.logbook.incidents.values():
            if row.open and row.id not in busy and now - self._last.setdefault(row.id, now) >= WINDOW_SECONDS:
                self.ask(row, "window", "guard", Shown())

    def _send(self, row: IncidentState, asked: _Asked) -> None:
        """Cut the pipe here: the seal covers what was told until now."""
        job = secrets.token_hex(8)
        cut = self._recording.cut()
        lost = (f"records: {cut.lost} of them found no room on their way to the recorder",) if cut.lost else ()
        self._asked[job] = asked
        self._last[row.id] = asyncio.get_running_loop().time()
        self._recorder.seal(
            Seal(
                job=job,
                facts=_facts(row, self._hub.state),
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

    def _answered(self, said: AnySaid) -> None:
        if not isinstance(said, Sealed | Failed) or said.job not in self._asked:
            return
        asked = self._asked.pop(said.job)
        if isinstance(said, Sealed):
            self._patience = AGAIN_SECONDS[0]
            if asked.why == "closed":
                self._recorder.unpin(asked.incident)
            if asked.done.done():
                return
            if asked.sent and "attached" not in said.seal.items:  # sealed all the same, and without what was sent
                asked.done.set_exception(RuntimeError(f"not kept: {'; '.join(said.seal.missing)}"))
            else:
                asked.done.set_result(_says(said.seal))
            return
        if not asked.done.done():
            asked.done.set_exception(RuntimeError(f"{said.failure.what} could not be kept: {said.failure.why}"))
        if asked.shown.items or any(not file.spooled for file in asked.shown.files):  # it can not be read again
            self._again.append(asked)
            self._patience = min(2 * self._patience, AGAIN_SECONDS[1])


def _says(seal: ev.ArchiveSealed) -> str:
    lacks = f", missing: {'; '.join(seal.missing)}" if seal.missing else ""
    return f"{seal.incident} sealed: seal {seal.seal} holds {len(seal.items)} items{lacks}"


def _since(row: IncidentState) -> int:
    """Where its evidence begins, UTC ns."""
    return row.opened_at - WINDOW_MINUTES.get(row.severity, max(WINDOW_MINUTES.values())) * MINUTE


def _facts(row: IncidentState, state: DeskState) -> Facts:
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
