"""The demo without a screen: watches over the guard's socket, says on stderr how it goes, and reports at the end."""

import asyncio
import contextlib
import signal
import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING

from console.commands.output import print_json
from console.commands.status import monitor_facts
from console.desk.events import Filled, Record
from console.desk.moment import Moment
from console.desk.pull import strategy_of
from console.desk.source import Attached, Detached, Received
from console.desk.state import DeskState, fold
from console.desk.words import count
from console.guard.client import GuardClient

if TYPE_CHECKING:
    from console.simulated import SimulatedDesk

ATTACH_SECONDS = 10.0
PROGRESS_SECONDS = 5.0


def watch(desk: "SimulatedDesk", seconds: Decimal | None, *, as_json: bool) -> int:
    """Run for so long, or until a signal; print one report; return 0. Raises ChildError if a process ends before."""
    follower = asyncio.run(_watch(desk, seconds))
    if as_json:
        print_json(follower.report())
    else:
        print(_progress(follower.state))
    return 0


async def _watch(desk: "SimulatedDesk", seconds: Decimal | None) -> "_Follower":
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, over.set)
    follower = _Follower(GuardClient(desk.state))
    following = loop.create_task(follower.follow())
    start = said = time.monotonic()
    try:
        with contextlib.suppress(TimeoutError):  # even a run that is ended at once has a desk to report
            async with asyncio.timeout(ATTACH_SECONDS):
                await follower.attached.wait()
        print("The desk is up; Ctrl-C ends it.", file=sys.stderr, flush=True)
        while not over.is_set() and (seconds is None or time.monotonic() < start + float(seconds)):
            desk.check()
            if following.done():
                following.result()
            if time.monotonic() > said + PROGRESS_SECONDS:
                said = time.monotonic()
                print(f"{said - start:4.0f} s  {_progress(follower.state)}", file=sys.stderr, flush=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await over.wait()
    finally:
        following.cancel()
        await asyncio.wait([following])
    return follower


class _Follower:
    """The desk as the guard tells it: the state, and which strategies' orders the venues filled."""

    def __init__(self, client: GuardClient) -> None:
        self.state = DeskState()
        self.attached = asyncio.Event()
        self._cut = "not attached yet"
        self._filled: dict[str, set[str]] = {}
        self._client = client

    async def follow(self) -> None:
        async for update in self._client.updates():
            match update:
                case Attached():
                    self.state, self._cut = update.state, ""
                    self.attached.set()
                case Received():
                    self._received(update.record)
                case Detached():
                    self._cut = update.why

    def _received(self, record: Record) -> None:
        self.state = fold(self.state, record)
        if isinstance(record.event, Filled):
            order = record.event.client_order_id
            self._filled.setdefault(strategy_of(order), set()).add(order)

    def report(self) -> dict[str, object]:
        """What went on: orders sent as the strategies count them, everything else as the venues report it."""
        return _report(Moment(state=self.state, now=time.time_ns(), cut=self._cut), self._filled)


def _report(moment: Moment, filled: dict[str, set[str]]) -> dict[str, object]:
    state = moment.state
    samples = {name: row.sample for name, row in state.strategies.items()}
    return {
        "desk": state.name,
        "mode": state.mode,
        "gate": state.gate_state,
        "guard_down": moment.down,
        "orders": {
            name: {"sent": sample.orders_sent if sample else 0, "filled": len(filled.get(name, ()))}
            for name, sample in samples.items()
        },
        "bars": sum(row.bars for row in state.venues.values()),
        "predictions": sum(sample.predictions for sample in samples.values() if sample),
        "monitors": monitor_facts(moment),
        "venues": {
            name: {
                "answers": row.answers,
                "latency_ms": row.latency_us / 1000 if row.latency_us is not None else None,
                "equity": row.equity,
                "open_orders": len(row.orders),
                "fills": row.fills,
            }
            for name, row in state.venues.items()
        },
        "positions": {
            name: {position.symbol: position.qty for position in row.positions} for name, row in state.venues.items()
        },
        "pulls": {
            pull.id: {"scope": pull.scope, "level": pull.level, "verdict": pull.verdict}
            for pull in state.pulls.values()
        },
    }


def _progress(state: DeskState) -> str:
    samples = [row.sample for row in state.strategies.values() if row.sample]
    sent = count(sum(sample.orders_sent for sample in samples), "order")
    fills = count(sum(sample.fills for sample in samples), "fill")
    firing = [row.id for row in state.monitors.values() if row.state == "firing"]
    return f"gate {state.gate_state or 'not known yet'}, {sent} sent, {fills}" + (
        f", firing: {', '.join(firing)}" if firing else ""
    )
