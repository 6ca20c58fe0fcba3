"""A venue that falls silent: what its watch tells, and when."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.base import Connection, Venue
from adapters.registry import make_venue
from console.desk import events as ev
from console.desk.state import DeskState
from console.evidence.journal import JournalWriter
from console.guard import watch_venue
from console.guard.fills import Fills
from console.guard.hub import Hub
from console.guard.pace import Pace
from console.guard.peaks import Peaks
from console.guard.watch_venue import VenueWatch

CLOCK = (
    b'{"timestamp":"2026-03-16T10:00:00-04:00","is_open":true,'
    b'"next_open":"2026-03-17T09:30:00-04:00","next_close":"2026-03-16T16:00:00-04:00"}'
)


class Broker:
    """Answers every request with its clock; while `hangs` it reads and says nothing."""

    def __init__(self) -> None:
        self.hangs = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                while self.hangs:
                    await asyncio.sleep(0.01)
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(CLOCK)
                writer.write(head + CLOCK)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def watched(folder: Path, *, timeout: float) -> AsyncIterator[tuple[VenueWatch, Broker, list[ev.Record]]]:
    broker, hub = Broker(), Hub(JournalWriter(folder, "guard"), DeskState())
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    venue: Venue = make_venue("alpaca", Connection("a", url, url, "k", "s", timeout))
    records: list[ev.Record] = []
    hub.listeners.append(records.append)
    hub.journal(
        ev.DeskDescribed(
            name="d", mode="simulated", venues=(ev.VenueInfo("a", "alpaca", url),), strategies=(), config_hash=""
        )
    )
    await until(lambda: bool(hub.state.venues))
    watch = VenueWatch(
        hub, venue, (), Pace(), Fills(hub, venue, {}), Peaks(folder / "peaks.json"), lambda name, number: None
    )
    try:
        yield watch, broker, records
    finally:
        broker.hangs = False
        await venue.aclose()
        server.close()
        hub.writer.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def beats(records: list[ev.Record]) -> list[int | None]:
    return [record.event.latency_us for record in records if isinstance(record.event, ev.Heartbeat)]


def changes(records: list[ev.Record]) -> list[tuple[bool, str]]:
    told = [record.event for record in records if isinstance(record.event, ev.VenueChanged)]
    return [(event.answers, event.why) for event in told]


async def repeat(times: int, step: Callable[[], Awaitable[None]]) -> None:
    for _ in range(times):
        await step()


async def test_a_heartbeat_is_missing_before_its_request_has_timed_out(tmp_path: Path) -> None:
    async with watched(tmp_path, timeout=60) as (watch, broker, records):
        broker.hangs = True
        asking = asyncio.create_task(watch.heartbeat())
        await until(lambda: beats(records) == [None])
        assert not asking.done()
        broker.hangs = False
        await asking
        late = beats(records)[1]
        assert late is not None
        assert late >= 1_000_000
        await until(lambda: changes(records) == [(True, "")])


async def test_a_request_that_timed_out_is_missed_once_and_the_third_is_one_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_venue, "OVERDUE_US", 50_000)
    async with watched(tmp_path, timeout=0.2) as (watch, broker, records):
        await watch.heartbeat()
        broker.hangs = True
        await repeat(4, watch.heartbeat)
        assert beats(records)[1:] == [None] * 4
        await until(lambda: [answers for answers, _ in changes(records)] == [True, False])
        broker.hangs = False
        await watch.heartbeat()
        await until(lambda: changes(records)[2:] == [(True, "")])


async def test_silence_counts_while_a_request_still_hangs_and_an_answer_ends_it(tmp_path: Path) -> None:
    async with watched(tmp_path, timeout=60) as (watch, broker, records):
        await repeat(15, watch._second_of_silence)
        await watch.heartbeat()
        await until(lambda: changes(records) == [(True, "")])
        await repeat(15, watch._second_of_silence)
        broker.hangs = True
        asking = asyncio.create_task(watch.heartbeat())
        await repeat(3, watch._second_of_silence)
        await until(lambda: changes(records)[1:] == [(False, "nothing heard for 15 s")])
        assert not asking.done()
        broker.hangs = False
        await asking
        await until(lambda: changes(records)[2:] == [(True, "")])
