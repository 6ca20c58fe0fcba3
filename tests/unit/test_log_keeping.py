"""Who writes the logbook: the guard over its socket and, where none answers, the user's own hand. Real files, real
sockets; the guard's part is its hub, gate and stream."""

import asyncio
import contextlib
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from console.desk import entries as en
from console.desk.events import Resumed
from console.desk.pull import GateState
from console.desk.source import Attached, Received
from console.desk.state import DeskState, fold, fold_all
from console.evidence import journal
from console.evidence.journal import JournalWriter, read, verify
from console.guard.client import GuardClient
from console.guard.gatekeeper import GateKeeper
from console.guard.hub import Hub
from console.guard.logbook import LogKeeper
from console.guard.stream import Stream
from console.runbooks.kinds import TREE
from console.runbooks.library import Library

TREES = Library(None, {}).shelf(TREE).documents
BEGUN = en.WalkBegun("w", TREES["no-fills"].spec)
Q1 = en.WalkAnswered("w", "q1", True, "it is")


class Console:
    """A client, and the state that is folded from what it yields."""

    def __init__(self, folder: Path) -> None:
        self.client = GuardClient(folder)
        self.state = DeskState()
        self.attached = asyncio.Event()

    async def follow(self) -> None:
        async for update in self.client.updates():
            match update:
                case Attached():
                    self.state = update.state
                    self.attached.set()
                case Received():
                    self.state = fold(self.state, update.record)


@contextlib.asynccontextmanager
async def console(folder: Path) -> AsyncIterator[Console]:
    opened = Console(folder)
    following = asyncio.create_task(opened.follow())
    async with asyncio.timeout(30):
        await opened.attached.wait()
    try:
        yield opened
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        opened.client.close()


@contextlib.asynccontextmanager
async def guard(folder: Path) -> AsyncIterator[tuple[Hub, GateKeeper]]:
    writer = JournalWriter(folder / "journal", "guard")
    hub = Hub(writer, fold_all(read(folder / "journal")))
    gate = GateKeeper(hub, folder, "d")
    keeper = LogKeeper(hub)

    async def command(name: str, arguments: dict[str, str], actor: str) -> str:
        assert name == "keep"
        return await keeper.keep(arguments["entry"], actor)

    stream = Stream(folder / "guard.sock", version="1", desk="d", state=lambda: hub.state, command=command)
    hub.listeners.append(stream.broadcast)
    hub.jumped = stream.resnapshot
    await stream.open()
    try:
        yield hub, gate
    finally:
        stream.close()
        await asyncio.to_thread(writer.close)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    return tmp_path


async def test_the_guard_keeps_an_entry_and_every_console_has_it_when_the_answer_comes(folder: Path) -> None:
    async with guard(folder), console(folder) as one, console(folder) as other:
        assert await one.client.keep(BEGUN) == ""
        assert one.state.logbook.walks["w"].walk.here == "q1"
        await until(lambda: "w" in other.state.logbook.walks)
        await other.client.keep(Q1)
        await until(lambda: one.state.logbook.walks["w"].walk.here == "q2")
        with pytest.raises(RuntimeError, match="stands at q2, not at q1"):
            await one.client.keep(Q1)
    (begun, answered) = read(folder / "journal")
    assert (begun.event, answered.event, begun.writer) == (BEGUN, Q1, "guard")
    assert begun.actor == answered.actor != ""


async def test_without_a_guard_the_users_own_hand_writes_and_the_same_rule_judges(folder: Path) -> None:
    async with console(folder) as one:
        await one.client.keep(BEGUN)
        await one.client.keep(Q1)
        assert one.state.logbook.walks["w"].walk.here == "q2"
        assert one.state.timeline[-1].text == "tree w: q1 YES “it is”"
        with pytest.raises(RuntimeError, match="stands at q2, not at q1"):
            await one.client.keep(Q1)
        async with console(folder) as other:  # the first holds its file: this one has another
            assert other.state.logbook == one.state.logbook
            await other.client.keep(en.WalkAnswered("w", "q2", False))
            await until(lambda: one.state.logbook.walks["w"].walk.here == "order-builder-bug")
    reports = verify(folder / "journal")
    assert [report.problem for report in reports] == [None, None]
    assert [report.records for report in reports] == [1, 2]  # operator-…-2, operator-…
    async with console(folder) as third:
        await third.client.keep(en.LeafActed("w", "order-builder-bug"))
    assert len(verify(folder / "journal")) == 2
    assert fold_all(read(folder / "journal")).logbook.open_tasks


async def test_a_walk_goes_on_while_the_guard_comes_and_goes(folder: Path) -> None:
    async with console(folder) as one:
        await one.client.keep(BEGUN)
        async with guard(folder):
            await until(lambda: one.client.connected)
            await one.client.keep(Q1)
        await until(lambda: not one.client.connected)
        await one.client.keep(en.WalkAnswered("w", "q2", True))
        assert one.state.logbook.walks["w"].walk.here == "q3"
    assert [record.writer.partition("-")[0] for record in read(folder / "journal")] == ["operator", "guard", "operator"]
    assert fold_all(read(folder / "journal")).logbook.walks["w"].walk.here == "q3"


async def test_where_nothing_can_be_written_it_is_refused_with_a_reason(tmp_path: Path) -> None:
    async with console(tmp_path) as one:
        with pytest.raises(RuntimeError, match="there is no journal yet; no guard has ever run"):
            await one.client.keep(BEGUN)
        (tmp_path / "journal").mkdir()
        (tmp_path / "journal" / "operator-x").touch()
        await one.client.keep(BEGUN)


async def test_with_a_disk_that_hangs_the_guard_shows_what_is_walked_and_writes_it_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, sync = threading.Event(), os.fsync
    async with guard(folder) as (hub, _), console(folder) as one:
        await until(lambda: one.client.connected)
        monkeypatch.setattr(journal.os, "fsync", lambda descriptor: (free.wait(30), sync(descriptor)))
        assert "the disk" in await one.client.keep(BEGUN)
        assert one.state.logbook.walks["w"].walk.here == "q1"
        assert "the disk" in await one.client.keep(Q1)
        free.set()
        await until(lambda: hub.stalled == 0 and hub.state.heads.get("guard") == 2)
        assert hub.state.logbook.walks["w"].walk.here == "q2"
    assert [record.event for record in read(folder / "journal")] == [BEGUN, Q1]


async def test_the_gate_follows_a_lowered_size_at_once_and_never_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, sync = threading.Event(), os.fsync
    async with guard(folder) as (hub, gate):
        keeper = LogKeeper(hub)
        monkeypatch.setattr(journal.os, "fsync", lambda descriptor: (free.wait(30), sync(descriptor)))
        lowering = asyncio.create_task(keeper.keep(msgspec.json.encode(lower(25, 50)).decode(), "ana"))
        await until(lambda: gate.look().known.state is GateState.REDUCED)  # whatever the disk does
        free.set()
        await lowering
        await keeper.keep(msgspec.json.encode(lower(90)).decode(), "ana")
        answer = gate.look().known.bears_on("", "", "")
        assert (answer.size_factor, answer.rate_factor, answer.because) == ("0.25", "0.5", "lowered to 25 %: r")
        await until(lambda: b'"0.25"' in (gate.look().gate or b""))
        for refused in ('{"kind":"size_lowered","size_pct":100,"reason":"r"}', '{"kind":"pulled"}', "no json"):
            with pytest.raises(RuntimeError, match="not an entry of this version"):
                await keeper.keep(refused, "ana")


def lower(size: int, rate: int | None = None) -> en.SizeLowered:
    return en.SizeLowered(size, "r", rate)


async def test_a_size_that_another_hand_lowered_before_a_resume_stays_lowered_after_a_restart(folder: Path) -> None:
    """The guard was frozen: it resumed first, and read the other hand's file afterwards."""
    own = JournalWriter(folder / "journal", "operator-ana")
    late = own.append(lower(25), "ana", ts=1).result(30)
    await asyncio.to_thread(own.close)
    resumed = Resumed(pulls=(), scope="desk", size=Decimal(1), cause="own-fix", text="t", proofs=())
    writer = JournalWriter(folder / "journal", "guard")
    hub = Hub(writer, DeskState())
    LogKeeper(hub)
    await asyncio.wrap_future(hub.journal(resumed, "ana"))
    await until(lambda: hub.state.size == 1 and hub.state.size_since)
    hub.adopt(late)
    await until(lambda: hub.state.heads.get("guard") == 2)
    await asyncio.to_thread(writer.close)
    assert hub.state.size == fold_all(read(folder / "journal")).size < 1


async def test_evidence_that_is_a_file_is_kept_with_its_hash(folder: Path) -> None:
    report = folder / "report.txt"
    report.write_text("flat")
    day = date(2024, 10, 4)
    async with console(folder) as one:
        await one.client.keep(en.GateAttested("DAILY D4", day, "passed", evidence=str(report)))
        await one.client.keep(en.GateAttested("DAILY D5", day, "passed", evidence="ticket 12"))
        told = one.state.logbook.attestations
    assert told["DAILY D4"].sha256 == hashlib.sha256(b"flat").hexdigest()
    assert (told["DAILY D5"].evidence, told["DAILY D5"].sha256) == ("ticket 12", "")
