"""The console's end of the desk: the guard's stream while there is a guard, the journal's files while there is none.

`GuardClient` is a `console.desk.source.Source`. It connects, reconnects by itself, and never hides which of the two it
is reading: everything after a `Detached` comes from files, everything after an `Attached` that follows from the guard.
A guard that is connected but silent (it beats every 0.5 s) is frozen, and counts as away.
"""

import asyncio
import base64
import contextlib
import hashlib
import itertools
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from console.cord.plan import Plan, PlanError
from console.desk.entries import AnyEntry, Entry, GateAttested
from console.desk.events import Pulled, Record, encode, event_from
from console.desk.logbook import Logbook, after, fold
from console.desk.source import Attached, Detached, Received, Update
from console.desk.state import DeskState, fold_all
from console.evidence.journal import Tail
from console.guard.adoption import unheard
from console.guard.own_hand import OwnHand
from console.guard.wire import LINE_LIMIT, PROTOCOL, Answer, FromConsole, FromGuard

RETRY_SECONDS = 0.5
SILENCE_SECONDS = 3.0
ANSWER_SECONDS = 5.0
LONGER_SECONDS = {
    "prove": 30.0,
    "resume": 60.0,
    "differences": 60.0,
    "adjust": 90.0,
    "snapshot": 60.0,
    "attach": 60.0,
}
"""Commands that ask venues, or wait for a seal, before they answer."""
PIECE = 36 << 10
"""Bytes of a file that go with one command."""

_decode = msgspec.json.Decoder(FromGuard)
_UNSURE = "it may or may not have done it"
_OTHER_VERSION = "the guard speaks another version's protocol: restart it, or this console"
_Line = tuple[asyncio.StreamReader, asyncio.StreamWriter, DeskState]


class _GoneError(Exception):
    """The guard's stream ended; the message says how."""


class GuardClient:
    """Updates from, and commands to, the guard of the desk whose state folder is `state_dir`."""

    live = True

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._socket = state_dir / "guard.sock"
        self._writer: asyncio.StreamWriter | None = None
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._why = "no guard is running"
        self._refused = asyncio.Event()
        self._heads: dict[str, int] | None = None
        """The last record seen of every writer; None until anything was folded."""
        self._pulls: set[str] = set()
        self._logbook = Logbook()
        self._own = OwnHand(state_dir / "journal")
        self._one = asyncio.Lock()
        self._heard: deque[Record] = deque()
        self._kept: deque[tuple[Record, asyncio.Event]] = deque()
        self._woken = asyncio.Event()

    def hear(self, pull: str, told: dict[str, Any]) -> None:
        """What a direct hand of this console's own tells of its pull; from any thread. The same records come from its
        journal file once the disk takes them, and are then known by their numbers."""
        event = event_from(told["kind"], told["data"])
        self._heard.append(Record(told["ts"], f"direct-{pull}", told["actor"], event, told["seq"]))

    async def updates(self) -> AsyncIterator[Update]:
        """Endless. While detached, what is journaled (a direct pull, say) still arrives, as `Received`; what was folded
        before the guard went away is kept. Only a console that never had a guard starts from the files alone: then it
        gets their state as `Attached`, and `Detached` right behind it."""
        while True:
            attaching = asyncio.get_running_loop().create_task(self._attach())
            try:
                async for update in self._files(attaching):
                    yield update
            finally:
                attaching.cancel()
            async for update in self._stream(*attaching.result()):
                yield update

    @property
    def connected(self) -> bool:
        """Whether there is a guard that commands would reach."""
        return self._writer is not None

    async def command(self, name: str, /, **arguments: str) -> str:
        """Ask the guard, which answers with a sentence. Raises RuntimeError with the reason it was refused."""
        if self._writer is None:
            raise RuntimeError("there is no guard to ask")
        asked = FromConsole(command=name, id=next(self._ids), arguments=arguments)
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[asked.id] = waiting
        self._writer.write(msgspec.json.encode(asked) + b"\n")
        try:
            async with asyncio.timeout(LONGER_SECONDS.get(name, ANSWER_SECONDS)):
                answer: Answer = await waiting
        except TimeoutError:
            raise RuntimeError(f"no answer from the guard: {_UNSURE}") from None
        finally:
            self._waiting.pop(asked.id, None)
        if not answer.ok:
            raise RuntimeError(answer.text)
        return answer.text

    async def upload(self, data: bytes) -> str:
        """Send a file to the guard, for a command that names it by what this returns. Raises RuntimeError with the
        reason why the guard did not take it."""
        name = secrets.token_hex(8)
        for at in range(0, max(len(data), 1), PIECE):
            await self.command("upload", upload=name, data=base64.b64encode(data[at : at + PIECE]).decode())
        return name

    async def keep(self, entry: AnyEntry) -> str:
        """See `console.desk.source.Source`. What no guard takes is judged here, by the same rule, and written here."""
        if isinstance(entry, GateAttested):
            entry = await asyncio.to_thread(with_hash, entry)
        if self.connected:
            return await self.command("keep", entry=encode(entry).decode())
        async with self._one:
            if self._heads is None:
                raise RuntimeError("the journal was not read yet")
            try:
                after(self._logbook, entry, self._own.actor, time.time_ns())
            except ValueError as refusal:
                raise RuntimeError(str(refusal)) from None
            record = await asyncio.to_thread(self._own.write, entry)
            delivered = asyncio.Event()
            if self._saw(record):
                self._kept.append((record, delivered))
                self._woken.set()
                await delivered.wait()
        return ""

    def close(self) -> None:
        """Let go of the journal file that was written into, if any was."""
        self._own.close()

    async def _attach(self) -> _Line:
        """Try until a guard answers. Once connected it waits for the snapshot however long that takes: a frozen guard
        answers when it wakes up, and asking again and again would only fill its backlog."""
        while True:
            try:
                return await self._greeted()
            except _GoneError as error:
                self._why = str(error)
                self._refused.set()
            await asyncio.sleep(RETRY_SECONDS)

    async def _greeted(self) -> _Line:
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket, limit=LINE_LIMIT)
        except OSError:
            raise _GoneError("no guard is running") from None
        silent = asyncio.get_running_loop().call_later(RETRY_SECONDS / 2, self._silent)
        try:
            hello = (await _read(reader)).hello
            if hello is None or hello.protocol != PROTOCOL:
                raise _GoneError(_OTHER_VERSION)
            attached = (await _read(reader)).attached
            if attached is None:
                raise _GoneError("the guard sent no state")
        except BaseException:
            writer.close()
            raise
        finally:
            silent.cancel()
        return reader, writer, attached

    def _silent(self) -> None:
        self._why = "a guard is there, but does not answer"

    async def _stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: DeskState
    ) -> AsyncIterator[Update]:
        """Everything the guard sends, and a `Detached` at the end."""
        why = ""
        self._writer = writer
        self._know(state)
        while self._kept:  # the guard reads them from the file
            self._kept.popleft()[1].set()
        await asyncio.to_thread(self._own.close)
        yield Attached(state)
        try:
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):  # wait_for of 3.11 may swallow a cancellation
                    told = await _read(reader)
                for record in self._told():  # a guard that woke up late may never read it, if the disk is full
                    if self._saw(record):
                        yield Received(record)
                if told.record is not None:
                    self._saw(told.record)
                    yield Received(told.record)
                elif told.attached is not None:
                    state = told.attached
                    self._know(state)
                    yield Attached(state)
                elif told.answer is not None:
                    self._settle(told.answer)
        except TimeoutError:
            why = f"the guard is silent for {SILENCE_SECONDS:.0f} s: frozen"
        except _GoneError as error:
            why = str(error)
        finally:
            self._writer = None
            self._abandon()
            writer.close()
        yield Detached(why)

    def _settle(self, answer: Answer) -> None:
        waiting = self._waiting.pop(answer.id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _abandon(self) -> None:
        """Nothing that was asked will be answered. Whoever asked may have given up in this very moment."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(RuntimeError(f"the guard went away: {_UNSURE}"))
        self._waiting.clear()

    async def _files(self, attaching: "asyncio.Task[_Line]") -> AsyncIterator[Update]:
        """What the journal's files say, until `attaching` has a guard."""
        self._refused.clear()
        refused = asyncio.ensure_future(self._refused.wait())
        await asyncio.wait([attaching, refused], timeout=RETRY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        refused.cancel()
        tail = Tail(self.state_dir / "journal")
        said = ""
        attaching.add_done_callback(lambda done: self._woken.set())
        while not attaching.done():
            self._woken.clear()
            try:
                records = await asyncio.to_thread(tail.poll)
            except (OSError, ValueError) as error:
                records = []
                self._why = f"no guard, and the journal can not be read: {error}"
            if self._heads is None:
                state = fold_all(records)
                self._know(state)
                yield Attached(state)
            if said != (why := "; ".join([self._why, *tail.missing])):
                said = why
                yield Detached(said)
            while self._kept:  # before what the files say, which may be of this hand's next entry
                kept, delivered = self._kept.popleft()
                yield Received(kept)
                delivered.set()
            for record in (*self._told(), *records):
                if self._saw(record):
                    yield Received(record)
            for record in await asyncio.to_thread(self._latched):
                self._saw(record)
                yield Received(record)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._woken.wait()

    def _know(self, state: DeskState) -> None:
        """Everything that was folded before is replaced."""
        self._heads, self._pulls = dict(state.heads), {*state.pulls, *state.resumed}
        self._logbook = state.logbook

    def _told(self) -> list[Record]:
        """What was heard since this was last asked."""
        return [self._heard.popleft() for _ in range(len(self._heard))]

    def _latched(self) -> list[Record]:
        """Pulls that only the latch tells of: the desk is HALTED, whatever the journals say."""
        try:
            found = unheard(self._pulls, Plan.load(str(self.state_dir)), time.time_ns())
        except PlanError:
            return []
        return [Record(time.time_ns(), f"latch-{event.pull}", actor, event, seq=1) for event, actor in found]

    def _saw(self, record: Record) -> bool:
        """Whether the record is new here, remembering that it is not any more."""
        if not record.durable:
            return True
        heads = self._heads if self._heads is not None else {}
        new = record.seq > heads.get(record.writer, 0)
        if new:
            heads[record.writer] = record.seq
        if isinstance(record.event, Pulled):
            self._pulls.add(record.event.pull)
        elif new and isinstance(record.event, Entry):
            self._logbook = fold(self._logbook, record)
        return new


def with_hash(entry: GateAttested) -> GateAttested:
    """With the hash of its evidence and an absolute path, where that is a file that can be read here."""
    try:
        path = Path(entry.evidence).absolute()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return entry
    return msgspec.structs.replace(entry, evidence=str(path), sha256=digest)


async def _read(reader: asyncio.StreamReader) -> FromGuard:
    """The next line. Raises _GoneError at the end of the stream, and for what is no line of ours."""
    try:
        line = await reader.readline()
    except (OSError, ValueError) as error:
        raise _GoneError(f"the guard's stream broke: {error}") from None
    if not line.endswith(b"\n"):
        raise _GoneError("the guard is gone")
    try:
        return _decode.decode(line)
    except msgspec.MsgspecError as error:
        raise _GoneError(f"{_OTHER_VERSION} ({error})") from None
