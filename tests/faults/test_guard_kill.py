"""kill -9 of the guard at random moments under load: nothing acknowledged is lost, nothing is told twice."""

import asyncio
import contextlib
import random
import signal
from pathlib import Path

import pytest

from console.desk import events as ev
from console.desk.source import Received
from console.desk.state import fold_all
from console.evidence.journal import verify
from console.guard.client import GuardClient
from tests.support.desk import DeskProcesses

LOAD = ("--speed", "60")


@pytest.mark.parametrize("moments", [6, pytest.param(500, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])])
async def test_a_guard_killed_at_random_moments_loses_nothing_it_told(tmp_path: Path, moments: int) -> None:
    chance = random.Random(moments)
    told: dict[tuple[str, int], ev.Record] = {}
    with DeskProcesses(tmp_path, http=False, broker_arguments=LOAD) as desk:
        client = GuardClient(desk.state_dir)

        async def listen() -> None:
            async for update in client.updates():
                if isinstance(update, Received) and update.record.durable:
                    told[update.record.writer, update.record.seq] = update.record

        listening = asyncio.create_task(listen())
        for _ in range(moments):
            await asyncio.sleep(chance.uniform(0.0, 0.8))
            await asyncio.to_thread(desk.stop_guard, signal.SIGKILL)
            await asyncio.to_thread(desk.start_guard)
        await asyncio.sleep(1)
        await asyncio.to_thread(desk.stop_guard, signal.SIGTERM)
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        kept = {(record.writer, record.seq): record for record in desk.records()}
        records = list(desk.records())
        assert all(report.problem is None for report in verify(desk.state_dir / "journal"))
    assert told
    assert {place: kept[place] for place in told} == told
    fills = [
        (record.event.venue, record.event.execution_id) for record in records if isinstance(record.event, ev.Filled)
    ]
    assert fills
    assert len(fills) == len(set(fills))
    assert fold_all([*records, *records]) == fold_all(records)
