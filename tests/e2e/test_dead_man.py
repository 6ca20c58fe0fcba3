"""What happens when nobody is there to pull: the guard is gone, or a venue, or the money."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from console.desk import events as ev
from console.desk.pull import Verdict
from tests.support.broker import wait_until
from tests.support.desk import DeskProcesses

MARKET = ("--speed", "60", "--seed", "3")  # a bar a second


def trading(folder: Path, *described: str) -> DeskProcesses:
    return DeskProcesses(folder, broker_arguments=MARKET, described=described)


def sent(desk: DeskProcesses) -> int:
    return sum(desk.broker.counters(venue)["exposing_total"] for venue in ("sim1", "sim2"))


def positions(desk: DeskProcesses, venue: str) -> Any:
    return desk.broker.request("GET", "/v2/positions", account=venue)[1]


def gates(desk: DeskProcesses) -> set[str]:
    assert desk.strategies is not None
    return {desk.strategies.state(name)["gate"] for name in desk.strategies.urls}


def wait_for_bars(desk: DeskProcesses, count: int = 4) -> None:
    """Until every strategy has seen so many more bars."""
    strategies = desk.strategies
    assert strategies is not None
    for name in strategies.urls:
        enough = strategies.state(name)["predictions"] + count
        wait_until(lambda name=name, enough=enough: strategies.state(name)["predictions"] >= enough, "bars")  # type: ignore[misc]


def wait_for_orders(desk: DeskProcesses) -> None:
    before = sent(desk)
    wait_until(lambda: sent(desk) >= before + 3, "orders")


def pulls_by_trigger(desk: DeskProcesses) -> list[ev.Record]:
    return [each for each in desk.records() if isinstance(each.event, ev.Pulled) and each.event.origin == "trigger"]


def assert_nothing_is_sent_after_the_lease(desk: DeskProcesses) -> None:
    lease = json.loads((desk.state_dir / "gate.json").read_bytes())["lease"]
    wait_until(lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME) > lease["expires"], "the lease runs out")
    wait_for_bars(desk, 1)  # an order that was let through with the last of the lease has arrived by now
    before = sent(desk)
    wait_until(lambda: gates(desk) == {"HALTED"}, "the strategies see it")
    wait_for_bars(desk)
    assert sent(desk) == before


def test_without_a_guard_the_strategies_stop_within_the_lease_and_go_on_when_it_is_back(tmp_path: Path) -> None:
    with trading(tmp_path) as desk:
        desk.broker.control("POST", "/clock", {"session": "open"})
        wait_for_orders(desk)
        os.kill(desk.guard_pid, signal.SIGSTOP)
        assert_nothing_is_sent_after_the_lease(desk)
        os.kill(desk.guard_pid, signal.SIGCONT)
        wait_until(lambda: gates(desk) == {"OPEN"}, "the lease is renewed")
        wait_for_orders(desk)
        desk.stop_guard(signal.SIGKILL)
        assert_nothing_is_sent_after_the_lease(desk)
        assert not desk.journaled(ev.Pulled)


def test_a_lost_connection_flattens_its_venue_and_leaves_the_other_alone(tmp_path: Path) -> None:
    with trading(tmp_path, "triggers: {connection-lost: {threshold: 3}}") as desk:
        desk.broker.control("POST", "/clock", {"session": "open"})
        wait_until(lambda: positions(desk, "sim2"), "a position to flatten")
        desk.broker.fault("refuse", "sim2")
        pull = desk.wait_journaled(ev.Pulled)
        assert (pull.level, pull.scope, pull.origin, pull.hand) == ("L4", "venue:sim2", "trigger", "guard")
        assert pull.reason.startswith("connection-lost: sim2: no answer for 4 s (> 3 s)")
        assert [record.actor for record in pulls_by_trigger(desk)] == ["guard"]
        assert desk.wait_journaled(ev.LatchSet).pull == pull.pull
        desk.wait_journaled(ev.VenueVerdict, lambda told: told.verdict is Verdict.UNKNOWN)
        assert desk.http("GET", "/gate?strategy=maker&symbol=SPY")[1]["state"] == "HALTED"
        assert desk.http("GET", "/gate?strategy=momentum&symbol=AAPL")[1]["state"] == "OPEN"

        assert not desk.folded().fired[pull.pull].clear_since
        desk.broker.clear()
        desk.wait_journaled(ev.VenueVerdict, lambda told: told.verdict is Verdict.VERIFIED)
        wait_until(lambda: desk.folded().fired[pull.pull].clear_since, "what the trigger saw is seen to be over")
        assert positions(desk, "sim2") == []
        assert gates(desk) == {"OPEN", "HALTED"}
        assert len(pulls_by_trigger(desk)) == 1


def test_errors_pause_entries_and_a_loss_closes_everything(tmp_path: Path) -> None:
    with trading(tmp_path, "triggers: {error-rate: {threshold: 2}}") as desk:
        desk.broker.control("POST", "/clock", {"session": "open"})
        desk.broker.fault("error500", methods=["POST"], path="/v2/orders")
        paused = desk.wait_journaled(ev.Pulled)
        assert (paused.level, paused.scope, paused.origin) == ("L1", "desk", "trigger")
        assert paused.reason.startswith("error-rate: ")
        fired = desk.wait_journaled(ev.TriggerFired)
        assert (fired.pull, fired.trigger, fired.subject) == (paused.pull, "error-rate", "")
        desk.broker.clear()
        wait_until(lambda: gates(desk) == {"CLOSE_ONLY"}, "entries are paused")

        desk.broker.fault("ghost_position", "sim1", "NVDA/-500")  # a short out of nowhere, worth more than the limit
        closed = desk.wait_journaled(ev.Pulled, lambda event: event.level == "L4")
        assert (closed.scope, closed.origin) == ("desk", "trigger")
        assert closed.reason.split(": ")[:2] in (["daily-loss", "sim1"], ["drawdown", "sim1"])
        wait_until(lambda: gates(desk) == {"HALTED"}, "the desk halts")
        wait_until(
            lambda: all(
                desk.broker.request("GET", "/v2/positions", account=venue)[1] == [] for venue in ("sim1", "sim2")
            ),
            "everything is closed",
        )
        assert [record.event.level for record in pulls_by_trigger(desk)] == ["L1", "L4"]  # type: ignore[union-attr]
