"""What the recorder is sent: folding it gives the guard's state exactly, whatever disk and pipe did meanwhile."""

import asyncio
import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from console.desk import entries as en
from console.desk import events as ev
from console.desk.events import Record, encode
from console.desk.state import DeskState, fold, fold_all
from console.evidence import journal
from console.evidence.journal import JournalWriter
from console.guard.hub import Hub
from console.guard.recording import BATCH_BYTES, Recording
from tests.support import scenario

PULLED = ev.Pulled(
    pull="p", level="L3", scope="desk", reason="", origin="cli", hand="guard", venues=("sim1",), quiet_seconds=1
)


class Pipe:
    """The recorder's end: what it was sent, unless it has no room. As the recorder, it takes nothing behind a gap but a
    keyframe."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.room = True
        self.gap = False
        self.keyframe_due: Callable[[], None] = lambda: None

    def records(self, lines: bytes, *, keyframe: bool = False) -> bool:
        self.gap = not (self.room and (keyframe or not self.gap))
        if not self.gap:
            self.lines += lines.split(b"\n")
        return not self.gap

    def folded(self) -> DeskState:
        state = DeskState()
        for line in self.lines:
            told = json.loads(line)
            if "state" in told:
                state = msgspec.convert(told["state"], DeskState)
            else:
                state = fold(state, msgspec.json.decode(line, type=Record))
        return state

    @property
    def keyframes(self) -> int:
        return sum(b'{"state":' in line[:9] for line in self.lines)


class Desk:
    def __init__(self, folder: Path) -> None:
        self.writer = JournalWriter(folder, "guard")
        self.hub = Hub(self.writer, msgspec.structs.replace(fold_all(scenario.partial().records), heads={}))
        self.pipe = Pipe()
        self.recording = Recording(self.hub, self.pipe)  # type: ignore[arg-type]

    def sample(self, count: int = 1) -> None:
        for number in range(count):
            self.hub.sample(ev.Heartbeat("sim1", latency_us=number))

    def assert_cut(self) -> None:
        cut = self.recording.cut()
        assert cut.fold == hashlib.sha256(encode(self.hub.state)).hexdigest()
        assert hashlib.sha256(encode(self.pipe.folded())).hexdigest() == cut.fold


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_cut_covers_all_that_was_told_and_folds_to_the_guards_state(desk: Desk) -> None:
    desk.sample(3)
    await asyncio.wrap_future(desk.hub.journal(en.IncidentOpened("INC-2026-0001")))
    await until(lambda: desk.hub.state.logbook.incidents)
    desk.hub.adopt(Record(1, "operator-ana", "ana", en.IncidentNoted("INC-2026-0001", "n"), 1))
    desk.assert_cut()
    desk.sample()
    desk.recording.step()
    assert encode(desk.pipe.folded()) == encode(desk.hub.state)
    assert desk.pipe.keyframes == 2  # the first, and the cut's own; what follows leads on from it


async def test_what_a_listener_tells_while_it_hears_is_recorded_behind_what_it_heard(desk: Desk) -> None:
    def answer(record: Record) -> None:
        if isinstance(record.event, ev.Heartbeat):
            desk.hub.sample(ev.MonitorSampled("m", "unknown", "because of it", None, 0))

    desk.hub.listeners.append(answer)
    desk.recording.step()
    desk.sample()
    desk.recording.step()
    kinds = [json.loads(line)["event"]["kind"] for line in desk.pipe.lines[1:]]
    assert kinds == ["heartbeat", "monitor_sampled"]


async def test_what_no_record_tells_is_in_a_keyframe(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.recording.step()
    free, sync = threading.Event(), os.fsync
    monkeypatch.setattr(journal.os, "fsync", lambda descriptor: (free.wait(30), sync(descriptor))[1])
    desk.hub.journal(PULLED, "ana")
    await until(lambda: "p" in desk.hub.state.pulls)  # told before the disk had it
    desk.assert_cut()
    before = desk.pipe.keyframes
    free.set()
    await until(lambda: desk.hub.state.heads.get("guard"))
    desk.recording.step()
    assert desk.pipe.keyframes == before + 1
    assert encode(desk.pipe.folded()) == encode(desk.hub.state)


async def test_a_pipe_without_room_costs_records_and_says_so_and_a_keyframe_leads_on(desk: Desk) -> None:
    desk.recording.step()
    desk.pipe.room = False
    desk.sample(2000)  # more than a batch
    cut = desk.recording.cut()
    assert (cut.fold, cut.lost) == ("", 2000)
    desk.sample()
    desk.pipe.room = True
    desk.recording.step()
    assert encode(desk.pipe.folded()) == encode(desk.hub.state)
    desk.assert_cut()


async def test_a_worker_that_begins_anew_is_given_the_state_at_once(desk: Desk) -> None:
    desk.sample()
    desk.pipe.lines.clear()
    desk.pipe.gap = True
    desk.pipe.keyframe_due()
    desk.sample()
    desk.assert_cut()
    assert b'"state"' in desk.pipe.lines[0][:9]


async def test_many_records_leave_in_batches_before_anybody_asks(desk: Desk) -> None:
    desk.recording.step()
    while sum(map(len, desk.pipe.lines[1:])) < BATCH_BYTES // 2:
        desk.sample(100)
    assert desk.pipe.keyframes == 1
