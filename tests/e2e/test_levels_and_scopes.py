"""Every level on every scope, one over the other, and every way in: on one desk of real processes, pulled again and
again. The tests build on each other, in this order. On a busy machine the guard may not answer in time: then the other
hand pulls, and leaves the same events."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.gate_client import Gate
from console.cord.puller import Puller
from console.desk import events as ev
from console.desk.pull import GateState, Level, Scope, Verdict
from console.switch import APART, BLOCKED_AFTER, CordSwitch, PullMade
from tests.e2e.test_gate_examples import READERS
from tests.e2e.test_gate_examples import ask as ask_reader
from tests.support.broker import wait_until
from tests.support.cord import kill
from tests.support.desk import DeskProcesses

pytestmark = pytest.mark.xdist_group("levels and scopes")

ORDERS = (
    ("sim1", "momentum", "AAPL"),
    ("sim1", "momentum", "MSFT"),
    ("sim2", "maker", "SPY"),
    ("sim2", "maker", "QQQ"),
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcesses]:
    market = ("--speed", "60", "--seed", "3")  # a bar a second
    with DeskProcesses(tmp_path_factory.mktemp("desk"), quiet_seconds=1, broker_arguments=market) as desk:
        desk.broker.control("POST", "/clock", {"session": "open"})
        wait_until(lambda: gates(desk) == ["OPEN"] * 4, "the gate opens")
        for venue in ("sim1", "sim2"):
            wait_until(lambda venue=venue: positions(desk, venue), "a position")  # type: ignore[misc]
        yield desk


def positions(desk: DeskProcesses, venue: str) -> Any:
    return desk.broker.request("GET", "/v2/positions", account=venue)[1]


def gates(desk: DeskProcesses) -> list[str]:
    """The gate of every order in `ORDERS`, by HTTP and by the client that a strategy copies: they agree."""
    asked = [desk.http("GET", f"/gate?strategy={strategy}&symbol={symbol}")[1] for _, strategy, symbol in ORDERS]
    read = [Gate(desk.state_dir, venue=venue, strategy=strategy).ask(symbol) for venue, strategy, symbol in ORDERS]
    told = [answer["state"] for answer in asked]
    return told if told == [answer.state for answer in read] else []


def shut(desk: DeskProcesses, level: str, scope: str, wait: int = 60, **more: object) -> str:
    """Pull by HTTP and, unless `wait` is 0, see it VERIFIED. Returns the pull's id."""
    body = {"reason": "a test", "scope": scope, "level": level, **more}
    status, told, _ = desk.http("POST", f"/emergency/shutdown?wait={wait}", body)
    assert status == 202, told
    assert told["verdict"] == "VERIFIED" or not wait
    return str(told["pull"])


def verified(desk: DeskProcesses, pull: str) -> None:
    wait_until(lambda: desk.http("GET", f"/status?pull={pull}")[1].get("verdict") == "VERIFIED", f"{pull} is proven")


def closes(desk: DeskProcesses, pulls: set[str]) -> list[tuple[str, str]]:
    """Venue and symbol of every close for these pulls that the venue did not refuse."""
    told = [event for event in desk.journaled(ev.CordAnswered) if event.what == "close" and event.pull in pulls]
    return sorted((event.venue, event.target) for event in told if event.outcome != "refused")


# --- one over the other ----------------------------------------------------------------------------------------------


def test_the_most_restrictive_of_nested_and_overlapping_scopes_counts(desk: DeskProcesses) -> None:
    shut(desk, "L1", "symbol:AAPL,SPY")
    assert gates(desk) == ["CLOSE_ONLY", "OPEN", "CLOSE_ONLY", "OPEN"]
    shut(desk, "L3", "strategy:momentum")
    assert gates(desk) == ["HALTED", "HALTED", "CLOSE_ONLY", "OPEN"]
    shut(desk, "L1", "desk")
    assert gates(desk) == ["HALTED", "HALTED", "CLOSE_ONLY", "CLOSE_ONLY"]
    state = desk.folded()
    assert [state.gate_for(name) for name in ("momentum", "maker")] == [GateState.HALTED, GateState.CLOSE_ONLY]
    for reader in (each for each in READERS if not any(mark.args[0] for mark in each.marks)):  # type: ignore[attr-defined]
        said = [ask_reader(reader.values[0], desk.state_dir, *order)[1][0] for order in ORDERS]  # type: ignore[arg-type]
        assert said == gates(desk), reader.id


def test_l2_on_a_venue_disables_whoever_trades_there_and_nobody_else(desk: DeskProcesses) -> None:
    assert desk.strategies is not None
    shut(desk, "L2", "venue:sim2")
    assert [desk.strategies.state(name)["enabled"] for name in ("momentum", "maker")] == [True, False]
    assert ev.StrategyChanged("maker", "disabled", ev.BY_CORD) in desk.journaled(ev.StrategyChanged)
    shut(desk, "L2", "symbol:AAPL")
    assert desk.strategies.state("momentum")["enabled"] is False


def test_a_level_is_raised_while_a_lower_one_is_at_work_and_never_lowered(desk: DeskProcesses) -> None:
    bought = {"symbol": "AAPL", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day"}
    assert desk.broker.request("POST", "/v2/orders", bought, account="sim2")[0] == 200
    wait_until(lambda: positions(desk, "sim2"), "a position that no strategy trades away")
    rising = [shut(desk, level, "venue:sim2", wait=0) for level in ("L1", "L3", "L4")]
    for pull in rising:
        verified(desk, pull)
    assert positions(desk, "sim2") == []
    assert {event.venue for event in desk.journaled(ev.CordSent) if event.pull in rising} == {"sim2"}
    after = closes(desk, set(rising))
    assert len(after) == len(set(after)), "each position was closed once"
    shut(desk, "L3", "venue:sim2")
    shut(desk, "L1", "venue:sim2")
    assert gates(desk) == ["HALTED"] * 4
    assert closes(desk, set(desk.folded().pulls)) == after


def test_two_operators_and_a_trigger_pull_at_once_and_every_close_is_sent_once(desk: DeskProcesses) -> None:
    desk.broker.fault("ghost_position", "sim1", "NVDA/-500")  # a short out of nowhere, worth more than the limit
    trigger = desk.wait_journaled(ev.Pulled, lambda event: event.origin == "trigger")
    told: dict[str, str] = {}
    pulling = [
        threading.Thread(target=lambda: told.update(http=shut(desk, "L4", "all"))),
        threading.Thread(target=lambda: told.update(cli=kill(desk.state_dir, "--all", "--level", "L4")[1]["pull"])),
    ]
    for thread in pulling:
        thread.start()
    for thread in pulling:
        thread.join()
    pulls = {trigger.pull, *told.values()}
    assert len(pulls) == 3
    for pull in pulls:
        verified(desk, pull)
    assert positions(desk, "sim1") == positions(desk, "sim2") == []
    sent = closes(desk, pulls)
    assert ("sim1", "NVDA") in sent
    assert len(sent) == len(set(sent))
    assert {entry.pull for entry in desk.journaled(ev.LatchSet)} >= pulls


# --- every way in ----------------------------------------------------------------------------------------------------


def by_cli(desk: DeskProcesses) -> str:
    return str(kill(desk.state_dir, "--all")[1]["pull"])


def by_http(desk: DeskProcesses) -> str:
    return shut(desk, "L3", "all")


def by_signal(desk: DeskProcesses) -> str:
    subprocess.run(["kill", "-USR1", str(desk.guard_pid)], check=True)
    return desk.wait_journaled(ev.Pulled, lambda event: event.origin == "signal").pull


def by_key(desk: DeskProcesses) -> str:
    """The overlay's digit, as the thread that reads keys hands it to the switch."""
    return pressed(desk, lambda switch, now: switch.key("3", now))


def by_f10(desk: DeskProcesses) -> str:
    """The second F10 of a console whose event loop no longer beats."""

    def press(switch: CordSwitch, now: float) -> None:
        late = now + BLOCKED_AFTER
        switch.key("f10", late)
        switch.key("f10", late + 2 * APART)

    return pressed(desk, press)


def pressed(desk: DeskProcesses, press: Callable[[CordSwitch, float], object]) -> str:
    puller = Puller(desk.state_dir)
    puller.start()
    made: list[PullMade] = []
    switch = CordSwitch(puller, made.append)
    switch.painted(switch.offer(Scope("desk")))
    try:
        press(switch, time.monotonic() + 1)
        wait_until(lambda: made, "the keys pull")
        verified(desk, made[0].pull)
    finally:
        puller.stop()
    return made[0].pull


def by_trigger(desk: DeskProcesses) -> str:
    """The one that fired above."""
    return desk.wait_journaled(ev.Pulled, lambda event: event.origin == "trigger").pull


WAYS: dict[str, tuple[Callable[[DeskProcesses], str], str]] = {
    "key": (by_key, "console"),
    "f10 f10": (by_f10, "console"),
    "cli": (by_cli, "cli"),
    "http": (by_http, "http"),
    "signal": (by_signal, "signal"),
    "trigger": (by_trigger, "trigger"),
}
KINDS = {"pulled", "latch_set", "cord_sent", "cord_answered", "quiet_restarted", "venue_verdict", "evidence_taken"}
KINDS |= {"incident_joined"}  # or opened, for the first


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_leaves_the_same_events(desk: DeskProcesses, way: str) -> None:
    pull, origin = WAYS[way][0](desk), WAYS[way][1]
    verified(desk, pull)

    def told() -> list[ev.Record]:
        return [record for record in desk.records() if getattr(record.event, "pull", "") == pull]

    def kinds() -> set[str]:
        found = {ev.kind_of(record.event) for record in told()} - {"pull_dropped"}  # a guard that heard it too late
        return {"incident_joined" if kind == "incident_opened" else kind for kind in found}

    due = KINDS | ({"trigger_fired"} if way == "trigger" else set())  # by which it is known when the cause is gone
    wait_until(lambda: kinds() >= due, "every kind of event")
    assert kinds() == due
    [first] = [record for record in told() if isinstance(record.event, ev.Pulled)]
    level = Level.L4 if way == "trigger" else Level.L3
    event = first.event
    assert isinstance(event, ev.Pulled)
    assert event == ev.Pulled(
        pull, level.value, "desk", event.reason, origin, event.hand, ("sim1", "sim2"), 1, made=event.made
    )
    assert 0 < event.made <= first.ts
    assert first.actor
    assert {record.event.venue for record in told() if isinstance(record.event, ev.VenueVerdict)} == {"sim1", "sim2"}
    asked = {record.event.what for record in told() if isinstance(record.event, ev.CordSent)}
    assert asked >= {"cancel_all"}
    state = desk.folded().pulls[pull]
    assert (state.verdict, state.origin, state.foreign) == (Verdict.VERIFIED, origin, True)
    assert 0 < state.blocked_at <= state.verified_at


def test_what_can_not_be_pulled_is_refused_with_what_can(desk: DeskProcesses) -> None:
    code, _, said = kill(desk.state_dir, "--strategy", "momentum", "--level", "L4")
    assert (code, "--symbol AAPL --symbol MSFT" in said) == (2, True)
    body = {"reason": "x", "scope": "strategy:momentum", "level": "L4"}
    status, told, _ = desk.http("POST", "/emergency/shutdown", body)
    assert (status, "--symbol AAPL --symbol MSFT" in told["error"]["message"]) == (422, True)
