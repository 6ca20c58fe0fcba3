"""When a guard opens an incident, which class it has, and when it asks for which seal: the guard's own hub, logbook and
recording, with a recorder that answers as it is told."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from console.desk import entries as en
from console.desk import events as ev
from console.desk.events import AnyEvent
from console.desk.pull import Verdict
from console.desk.state import DeskState, fold_all
from console.evidence.journal import JournalWriter, read
from console.guard import seal_requests
from console.guard.exhibition import Shown
from console.guard.frames import AnySaid, Captured, Failed, File, Seal, Sealed
from console.guard.hub import Hub
from console.guard.incidents import Classes, Incidents
from console.guard.logbook import LogKeeper
from console.guard.recording import Recording
from console.guard.seal_requests import SealRequests
from console.runbooks.kinds import TREE
from console.runbooks.library import Library

NO_FILLS = Library(None, {}).shelf(TREE).documents["no-fills"].spec
CLASSES = Classes({"connection-lost": "broker-outage"}, {"no-fills": "broker-outage"})


class Recorder:
    """Journals what it answers, as the real one does."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.seals: list[Seal] = []
        self.pinned: set[str] = set()
        self.works = True
        self.heard: list[Callable[[AnySaid], None]] = []
        self.keyframe_due: Callable[[], None] = lambda: None

    def records(self, lines: bytes, *, keyframe: bool = False) -> bool:
        return True

    def pin(self, incident: str, since: int) -> None:
        self.pinned.add(incident)

    def unpin(self, incident: str) -> None:
        self.pinned.discard(incident)

    def seal(self, seal: Seal) -> None:
        self.seals.append(seal)
        said: Sealed | Failed
        if self.works:
            told = ev.ArchiveSealed(
                seal.facts.incident, len(self.seals), seal.why, "", 0, seal.fold, (), 0, "", (), seal.captured
            )
            said, event = Sealed(seal.job, told), told
        else:
            failure = ev.EvidenceFailed(seal.facts.incident, f"the seal ({seal.why})", "no room")
            said, event = Failed(failure, seal.job), failure  # type: ignore[assignment]
        self.hub.journal(event)
        asyncio.get_running_loop().call_soon(lambda: [hear(said) for hear in self.heard])


class Exhibition:
    later: Any = None

    async def show(self, by: str, begun: object = None, *, drawn: bool, screen: Any = ()) -> Shown:
        return Shown(items={"positions": Captured(1, by, "nowhere", ())}, later=self.later if drawn else None)


class NothingRead:
    def taken(self, pull: str) -> None:
        return None


class Guard:
    def __init__(self, folder: Path) -> None:
        self.writer = JournalWriter(folder / "journal", "guard")
        self.hub = Hub(self.writer, fold_all(read(folder / "journal")))
        self.recorder: Any = Recorder(self.hub)
        self.keeper = LogKeeper(self.hub)
        self.requests = SealRequests(self.hub, Recording(self.hub, self.recorder), self.recorder)
        self.exhibition = Exhibition()
        parts: Any = (self.exhibition, NothingRead())
        self.incidents = Incidents(self.hub, self.keeper, self.requests, *parts, CLASSES, folder / "archive")

    @property
    def state(self) -> DeskState:
        return self.hub.state

    def told(self, *events: AnyEvent, actor: str = "ana") -> None:
        for event in events:
            self.hub.journal(event, actor)

    def pull(self, name: str, level: str = "L3", origin: str = "console", reason: str = "") -> None:
        self.told(ev.Pulled(name, level, "desk", reason, origin, "guard", ("a",)))

    async def asked(self, *whys: str) -> None:
        """Until these seals were asked for, and no other."""
        await until(lambda: len(self.recorder.seals) >= len(whys))
        await asyncio.sleep(0.05)
        assert [seal.why for seal in self.recorder.seals] == list(whys)

    @property
    def row(self) -> Any:
        (row,) = self.state.logbook.incidents.values()
        return row


@pytest.fixture
async def guard(tmp_path: Path) -> Guard:
    return Guard(tmp_path)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("level", "origin", "reason", "title"),
    [
        ("L3", "console", "", "L3 desk"),
        ("L4", "cli", "acks silent", "L4 desk: acks silent"),
        ("L4", "drill", "monthly", "drill: L4 desk: monthly"),
    ],
)
async def test_a_pull_that_cancels_opens_one_whoever_made_it(
    guard: Guard, level: str, origin: str, reason: str, title: str
) -> None:
    guard.pull("p", level, origin, reason)
    await guard.asked("pull")
    row = guard.row
    assert (row.severity, row.cls, row.title, row.pulls, row.captured) == ("P0", "", title, ("p",), ("p",))
    assert guard.recorder.pinned == {row.id}


async def test_a_pause_opens_none_but_joins_one_that_is_open(guard: Guard) -> None:
    guard.pull("paused", "L1")
    await asyncio.sleep(0.1)
    assert not guard.state.logbook.incidents
    guard.pull("p")
    await guard.asked("pull")
    guard.pull("paused too", "L1")
    await guard.asked("pull", "pull")
    assert guard.row.pulls == ("p", "paused too")


async def test_a_trigger_tells_the_class_though_it_speaks_behind_its_pull(guard: Guard) -> None:
    guard.pull("p", "L4", "trigger", "sim1 is silent")
    guard.told(ev.TriggerFired("p", "connection-lost", "sim1", "silent for 61 s"), actor="guard")
    await guard.asked("pull")
    assert guard.row.cls == "broker-outage"


async def test_the_tree_whose_leaf_pulls_tells_the_class(guard: Guard) -> None:
    guard.told(en.WalkBegun("w", NO_FILLS), en.WalkAnswered("w", "q1", False))
    guard.pull("p", "L3", "tree")
    await guard.asked("pull")
    assert guard.row.cls == "broker-outage"


def proof(verdict: Verdict) -> ev.VenueVerdict:
    return ev.VenueVerdict("p", "a", verdict, "", t_verified=1)


async def test_the_first_proof_adds_one_seal_and_the_end_the_last(guard: Guard) -> None:
    guard.pull("p")
    await guard.asked("pull")
    guard.told(proof(Verdict.PARTIAL), proof(Verdict.VERIFIED), proof(Verdict.VERIFIED))
    await guard.asked("pull", "verified")
    guard.told(en.IncidentClosed(guard.row.id, "o"))
    await guard.asked("pull", "verified", "closed")
    assert not guard.recorder.pinned
    assert guard.state.pulls["p"].verdict is Verdict.VERIFIED  # the cord is none of its business


async def test_an_open_one_is_sealed_now_and_then(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    guard.told(en.IncidentOpened("INC-2026-0001"))
    await guard.asked("snapshot")
    guard.requests.step()
    await guard.asked("snapshot")
    monkeypatch.setattr(seal_requests, "WINDOW_SECONDS", 0.0)
    guard.requests.step()
    await guard.asked("snapshot", "window")


async def test_what_could_not_be_sealed_is_told_and_asked_for_again_with_what_was_read_then(guard: Guard) -> None:
    guard.recorder.works = False
    guard.pull("p")
    await guard.asked("pull")
    await until(lambda: guard.incidents.trouble)
    assert guard.incidents.trouble == (f"{guard.row.id}: the seal (pull): no room",)
    with pytest.raises(RuntimeError, match=r"the seal \(snapshot\) could not be kept: no room"):
        await guard.incidents.snapshot("", "ana")
    guard.recorder.works = True
    guard.requests.again()
    await until(lambda: guard.row.covered)
    assert [seal.why for seal in guard.recorder.seals].count("pull") == 3  # at once, at the snapshot, and now
    assert not guard.incidents.trouble


async def test_a_picture_that_takes_long_holds_up_no_seal_and_is_sealed_later(guard: Guard) -> None:
    drawn = guard.exhibition.later = asyncio.get_running_loop().create_future()
    guard.pull("p")
    await guard.asked("pull")
    picture = File("screen.svg", 1, "guard", "the state", "<svg/>")
    drawn.set_result(((picture,), ()))
    await guard.asked("pull", "attached")
    assert guard.recorder.seals[-1].files == (picture,)


async def test_no_number_is_used_twice_though_only_the_archive_knows_it(tmp_path: Path) -> None:
    (tmp_path / "archive" / "INC-2026-0041").mkdir(parents=True)
    guard = Guard(tmp_path)
    guard.hub.clock = lambda: 1_780_000_000_000_000_000  # in 2026
    await guard.incidents.recover()
    guard.pull("p")
    await guard.asked("pull")
    assert guard.row.id == "INC-2026-0042"
    with pytest.raises(RuntimeError, match="lies in the archive already; the next number is INC-2026-0043"):
        await guard.keeper.keep('{"kind":"incident_opened","incident":"INC-2026-0041"}', "ana")


async def test_a_guard_takes_up_what_the_one_before_left(tmp_path: Path) -> None:
    first = Guard(tmp_path)
    first.recorder.works = False
    first.pull("p")
    await first.asked("pull")
    first.told(en.IncidentOpened("INC-2020-0001"), en.IncidentClosed("INC-2020-0001", "o"))
    await until(lambda: len(first.recorder.seals) == 3)
    first.writer.close()
    second = Guard(tmp_path)
    await second.incidents.recover()
    await until(lambda: len(second.recorder.seals) == 2)
    asked = {(seal.facts.incident == "INC-2020-0001", seal.why, seal.captured) for seal in second.recorder.seals}
    assert asked == {(False, "pull", ("p",)), (True, "closed", ())}
