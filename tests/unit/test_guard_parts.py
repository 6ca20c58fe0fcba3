"""The guard's small parts: the hub on a disk that fails, the gate's ratchet, bars' ages, metrics' text, peaks."""

import asyncio
import json
import os
import resource
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.base import Bar
from console.desk import events as ev
from console.desk.pull import GateState, Level
from console.desk.state import DeskState, fold_all
from console.evidence import journal
from console.evidence.journal import JournalWriter, read
from console.guard.gatekeeper import Wanted
from console.guard.hub import UNWRITTEN, Hub
from console.guard.peaks import Peaks
from console.guard.prometheus import render
from console.guard.stream import Stream
from console.guard.watch_venue import DAY, bar_age

MINUTE = 60_000_000_000
PULLED = ev.Pulled(
    pull="p", level="L3", scope="desk", reason="", origin="cli", hand="guard", venues=("a",), quiet_seconds=1
)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def heard(hub: Hub) -> list[ev.Record]:
    records: list[ev.Record] = []
    hub.listeners.append(records.append)
    return records


async def test_the_hub_tells_only_what_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = JournalWriter(tmp_path, "guard")
    hub = Hub(writer, DeskState())
    records = heard(hub)
    free = hang(monkeypatch)
    hub.journal(ev.StrategyChanged(strategy="s", what="disabled"))
    await asyncio.sleep(0.4)
    assert not records
    assert hub.stalled > 0.3
    free.set()
    await until(lambda: [record.seq for record in records] == [1])
    assert hub.stalled == 0
    writer.close()


async def test_what_becomes_of_a_pull_is_told_even_while_the_disk_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(tmp_path, "guard")
    hub = Hub(writer, DeskState())
    records, jumps, early = heard(hub), [], []
    hub.jumped = lambda: jumps.append(hub.state)
    hub.early.append(lambda event, actor: early.append((event, actor)))
    free = hang(monkeypatch)
    hub.journal(PULLED, "ana")
    hub.journal(ev.CordSent(pull="p", venue="a", what="cancel_all", attempt=1))
    await until(lambda: len(records) == 2)
    assert early[0] == (PULLED, "ana")
    assert {record.writer for record in records} == {UNWRITTEN}
    assert hub.state.pulls["p"].venues["a"].sent == 1
    free.set()
    await until(lambda: bool(jumps))
    assert hub.state.heads["guard"] == 2
    assert hub.state.pulls["p"].venues["a"].sent == 1  # told once, written once, counted once
    assert fold_all(read(tmp_path)).pulls["p"].venues["a"].sent == 1
    writer.close()


async def test_what_the_disk_refused_is_written_once_it_takes_it(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "guard")
    hub = Hub(writer, DeskState())
    records = heard(hub)
    running = asyncio.create_task(hub.run())
    hub.journal(ev.StrategyChanged(strategy="s", what="answers"))
    await until(lambda: len(records) == 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (writer.path.stat().st_size, limits[1]))
    try:
        hub.journal(ev.VenueChanged(venue="a", answers=False, why="old"))
        hub.journal(ev.StrategyChanged(strategy="s", what="disabled"))
        await until(lambda: bool(hub.refusal))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    hub.journal(ev.VenueChanged(venue="a", answers=True))
    await until(lambda: not hub.refusal and hub.stalled == 0)
    running.cancel()
    writer.close()
    told = [record.event for record in read(tmp_path)]
    assert ev.StrategyChanged(strategy="s", what="disabled") in told
    assert [event.answers for event in told if isinstance(event, ev.VenueChanged)][-1] is True


async def test_many_threads_journal_and_every_record_is_told_once_in_order(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "guard")
    hub = Hub(writer, DeskState())
    records = heard(hub)

    def work(name: str) -> None:
        for number in range(200):
            hub.journal(ev.StrategyChanged(strategy=name, what=str(number)))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    await until(lambda: len(records) == 800)
    for thread in threads:
        thread.join()
    assert [record.seq for record in records] == list(range(1, 801))
    writer.close()


async def test_a_console_that_does_not_read_is_cut_off_and_the_others_are_not(tmp_path: Path) -> None:
    async def command(name: str, arguments: dict[str, str], actor: str) -> str:
        return ""

    stream = Stream(tmp_path / "guard.sock", version="1", desk="d", state=DeskState, command=command)
    await stream.open()
    stuck = await asyncio.open_unix_connection(stream.path)
    reader, _ = await asyncio.open_unix_connection(stream.path, limit=1 << 24)
    await until(lambda: len(stream.clients) == 2)
    record = ev.Record(
        ts=1, writer="guard", actor="guard", event=ev.Heartbeat(venue="a", latency_us=1, why="x" * 100_000)
    )
    read = 0
    while not stream.cut_off:
        stream.broadcast(record)
        while b"record" not in await reader.readline():
            pass
        read += 1
    assert read > 50
    assert len(stream.clients) == 1
    stuck[1].close()
    stream.close()


def hang(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """From now on a sync of the journal does not come back until the event is set."""
    free, sync = threading.Event(), os.fsync

    def hanging(descriptor: int) -> None:
        free.wait(30)
        sync(descriptor)

    monkeypatch.setattr(journal.os, "fsync", hanging)
    return free


def test_the_gate_only_ever_tightens() -> None:
    wanted = Wanted().tightened(Level.L1, "venue:a", "x")
    assert (wanted.state, wanted.scopes) == (GateState.OPEN, {"venue:a": GateState.CLOSE_ONLY})
    wanted = wanted.tightened(Level.L3, "venue:a", "x").tightened(Level.L1, "venue:a", "x")
    assert wanted.scopes == {"venue:a": GateState.HALTED}
    wanted = wanted.tightened(Level.L3, "desk", "first").tightened(Level.L1, "desk", "second")
    assert (wanted.state, wanted.size_factor, wanted.because) == (GateState.HALTED, 0, "first")


@pytest.mark.parametrize(
    ("start", "now", "open_since", "age"),
    [
        (0, MINUTE, 0, 0.0),
        (0, 3 * MINUTE, 0, 2.0),
        (0, MINUTE // 2, 0, 0.0),
        (0, DAY + 5 * MINUTE, DAY + 4 * MINUTE, 1.0),  # the day before's bar, seen a minute after the opening
        (DAY, DAY + 9 * MINUTE, DAY + 8 * MINUTE, 8.0),  # today's bar: a guard that began late makes it no younger
    ],
)
def test_a_bar_ages_from_its_end_on_the_venues_clock(start: int, now: int, open_since: int, age: float) -> None:
    one = Decimal(1)
    assert bar_age(Bar("X", start, 60, one, one, one, one, one), now, open_since) == age


def test_label_values_survive_a_prometheus_parser() -> None:
    odd = 'a "quoted"\nline \\ with ünïcode'
    text = render(iter([("andon_x_total", "counter", "Help.", [({"why": odd}, 3), ({"why": "b"}, None)])]))
    (family,) = text_string_to_metric_families(text)
    assert [(sample.labels, sample.value) for sample in family.samples] == [({"why": odd}, 3.0)]


def test_a_peak_outlives_the_guard_and_a_broken_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "peaks.json"
    peaks = Peaks(path)
    assert peaks.raise_to("a", Decimal("100.5")) == Decimal("100.5")
    assert peaks.raise_to("a", Decimal(90)) == Decimal("100.5")
    for _ in range(1000):
        if path.exists():
            break
        threading.Event().wait(0.01)
    assert json.loads(path.read_text()) == {"a": "100.5"}
    assert Peaks(path).raise_to("a", Decimal(1)) == Decimal("100.5")
    path.write_text("no json")
    assert Peaks(path).raise_to("a", Decimal(1)) == 1
    assert (tmp_path / "peaks.unreadable").read_text() == "no json"
