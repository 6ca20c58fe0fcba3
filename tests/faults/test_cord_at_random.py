"""Real processes on real sockets in a random order: guards and hands are killed and frozen while venues fail.

What is pulled stays pulled and is carried to its end; no close is sent while another works; the gate is never more open
than the strictest pull. The finer interleavings are in `tests/unit/test_cord_interleavings.py`.
"""

import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from console.cord import latch
from console.cord.hands import detached_hands
from console.cord.plan import Plan, order_in, position_in
from console.cord.puller import Puller
from console.cord.request import PullRequest
from console.desk.gate import read_gate
from console.desk.pull import Level, Scope, Verdict
from console.desk.state import DeskState, fold_all
from console.evidence.journal import read, verify
from tests.support.broker import BrokerProcess, wait_until
from tests.support.cord import end_hands, lay_out
from tests.support.guard_side import GuardSide

VENUES = ("sim1", "sim2")
SCOPES = ("desk", "venue:sim1", "venue:sim2", "symbol:AAPL", "symbol:AAPL,MSFT", "strategy:momentum")
STRATEGIES = {"sim1": "momentum", "sim2": "meanrev"}
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("refuse", {}),
    ("hang", {"methods": ["DELETE"]}),
    ("hang_before_accept", {}),
    ("slow", {"arg": 1.5}),
    ("reset", {}),
    ("gateway504", {}),
    ("error500", {"methods": ["DELETE"], "times": 3}),
    ("html502", {}),
    ("rate_limited", {"arg": 1, "times": 3}),
    ("truncated_json", {}),
    ("partial_207", {"arg": 2}),
    ("stuck_pending_cancel", {}),
    ("late_fill", {"arg": 1}),
    ("market_closed", {}),
]

venues = st.sampled_from(VENUES)


class CordAtRandom(RuleBasedStateMachine):
    broker: BrokerProcess

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="cord-"))
        clean(self.broker)
        self.folder = lay_out(self.root / "desk", self.broker, quiet=1.0, timeout=1.0)
        self.plan = Plan.load(str(self.folder))
        self.guard = GuardSide(self.folder)
        self.operators = [Puller(self.folder), Puller(self.folder)]
        self.latched: set[str] = set()
        self.frozen: set[int] = set()
        for venue in VENUES:
            self.load(venue, "AAPL", "7")

    def teardown(self) -> None:
        if not hasattr(self, "guard"):
            return
        try:
            self.bring_to_an_end()
        finally:
            self.guard.kill()
            end_hands(self.folder)
            for operator in self.operators:
                operator.stop()
            shutil.rmtree(self.root)

    # --- what happens ------------------------------------------------------------------------------------------------

    @rule(level=st.sampled_from([Level.L4, *Level]), scope=st.sampled_from(SCOPES), operator=st.sampled_from([0, 1]))
    def pull(self, level: Level, scope: str, operator: int) -> None:
        if not self.plan.refusal(PullRequest(level=level, scope=scope)):
            self.operators[operator].pull(level, Scope.parse(scope), origin="console")

    @rule(level=st.sampled_from([Level.L3, Level.L4]))
    def both_operators_pull_at_once(self, level: Level) -> None:
        for operator, each in zip(self.operators, (level, Level.L4), strict=True):
            operator.pull(each, Scope("desk"), origin="console")

    @rule(venue=venues, symbol=st.sampled_from(["AAPL", "MSFT"]), qty=st.sampled_from(["7", "-3", "0.5", "-12"]))
    def load(self, venue: str, symbol: str, qty: str) -> None:
        asked = {"venue": venue, "count": 2, "symbol": symbol, "prefix": f"{STRATEGIES[venue]}-"}
        self.broker.control("POST", "/orders", asked)
        if symbol not in self.broker.control("GET")["accounts"][venue]["positions"]:
            self.broker.control("POST", "/positions", {"venue": venue, "symbol": symbol, "qty": qty})

    @rule(venue=venues)
    def fill(self, venue: str) -> None:
        account = self.broker.request("GET", "/v2/orders?limit=500", account=venue)[1] if self.fair else []
        for order in [order for order in account if order["side"] == "buy" and order["type"] == "limit"][:1]:
            self.broker.request("POST", "/_control/fills", {"venue": venue, "order_id": order["id"]}, account=None)

    @rule(venue=venues, fault=st.sampled_from(FAULTS))
    def break_a_venue(self, venue: str, fault: tuple[str, dict[str, Any]]) -> None:
        name, more = fault
        self.broker.fault(name, venue, **more)

    @rule()
    def mend_the_venues(self) -> None:
        self.broker.clear()

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0]))
    def let_it_work(self, seconds: float) -> None:
        pulls = len(self.latched)
        wait_for(seconds, lambda: len(self.standing()) > pulls)

    @rule()
    def kill_the_guard(self) -> None:
        self.guard.kill()

    @rule()
    def kill_the_guard_and_start_the_next(self) -> None:
        self.guard.kill()
        self.guard = GuardSide(self.folder)

    @rule()
    def freeze_the_guard(self) -> None:
        self.guard.freeze()

    @rule()
    def thaw(self) -> None:
        self.guard.thaw()
        for hand in detached_hands(str(self.folder)):
            os.kill(hand, signal.SIGCONT)

    @rule(number=st.sampled_from([signal.SIGKILL, signal.SIGSTOP]))
    def hit_a_detached_hand(self, number: signal.Signals) -> None:
        for hand in detached_hands(str(self.folder))[:1]:
            os.kill(hand, number)

    # --- what must be so ---------------------------------------------------------------------------------------------

    @property
    def fair(self) -> bool:
        return not self.broker.control("GET")["faults"]

    def standing(self) -> list[dict[str, Any]]:
        entries = latch.standing(str(self.folder))
        assert entries is not None, "a latch that can not be read"
        return entries

    def folded(self) -> DeskState:
        return fold_all(read(self.folder / "journal"))

    @invariant()
    def the_latch_never_opens_and_the_gate_obeys_the_strictest_pull(self) -> None:
        if not hasattr(self, "folder"):
            return
        entries = self.standing()
        assert {entry["id"] for entry in entries} >= self.latched
        self.latched = {entry["id"] for entry in entries}
        files = [latch.read_file(str(self.folder), name) for name in ("cord.latch", "gate.json")]
        clock = {"boot_id": latch.boot_id(), "now": latch.boot_now()}
        for venue, strategy in STRATEGIES.items():
            for symbol in ("AAPL", "MSFT"):
                about = {"venue": venue, "strategy": strategy, "symbol": symbol}
                gate = read_gate(*files, **clock, **about)
                for entry in entries:
                    if Scope.parse(entry["scope"]).touches(**about):
                        assert gate.state.rank >= Level(entry["level"]).gate.rank

    def bring_to_an_end(self) -> None:
        self.broker.clear()
        self.thaw()
        if not self.guard.alive:
            self.guard = GuardSide(self.folder)
        for operator in self.operators:
            operator.stop()
        wait_until(self.all_verified, "every pull to be VERIFIED once the faults are lifted")
        self.the_latch_never_opens_and_the_gate_obeys_the_strictest_pull()
        assert all(report.problem is None for report in verify(self.folder / "journal"))
        state = self.folded()
        for pull in state.pulls.values():
            scope = Scope.parse(pull.scope)
            for venue in pull.venues:
                orders = self.broker.request("GET", "/v2/orders?limit=500", account=venue)[1]
                held = self.broker.request("GET", "/v2/positions", account=venue)[1]
                if pull.level.cancels:
                    covered = {"symbol": "symbol", "client_order_id": "client_order_id"}
                    assert not [
                        order["id"]
                        for order in orders
                        if order_in(scope, **{name: order[field] for name, field in covered.items()})
                    ]
                if pull.level.flattens:
                    assert not [row["symbol"] for row in held if position_in(scope, row["symbol"])]
        for venue in VENUES:
            assert_no_two_closes_worked_at_once(self.broker, venue)

    def all_verified(self) -> bool:
        state = self.folded()
        known = set(state.pulls) >= {entry["id"] for entry in self.standing()}
        return known and all(pull.verdict is Verdict.VERIFIED for pull in state.pulls.values())


def wait_for(seconds: float, enough: Any) -> None:
    """At most so long."""
    with contextlib.suppress(AssertionError):
        wait_until(enough, patience=seconds)


def clean(broker: BrokerProcess) -> None:
    """Two empty accounts on a market that is open."""
    broker.clear()
    broker.control("POST", "/clock", {"session": "open"})
    for venue in VENUES:
        broker.request("DELETE", "/v2/orders", account=venue)
        broker.request("PATCH", "/v2/account/configurations", {"suspend_trade": False}, account=venue)
        wait_until(lambda: broker.control("GET")["accounts"][venue]["open_orders"] == 0, "no order")  # noqa: B023
        for symbol, qty in broker.control("GET")["accounts"][venue]["positions"].items():
            broker.control("POST", "/positions", {"venue": venue, "symbol": symbol, "qty": flipped(qty)})
    broker.control("DELETE", "/counters")


def flipped(qty: str) -> str:
    return qty[1:] if qty.startswith("-") else f"-{qty}"


def assert_no_two_closes_worked_at_once(broker: BrokerProcess, venue: str) -> None:
    """The venue's own book of them: the next began when the one before had ended."""
    closes: dict[str, list[tuple[str, str]]] = {}
    for each in broker.counters(venue)["exposing"]:
        order = broker.request("GET", f"/v2/orders/{each['id']}", account=venue)[1]
        ends = [order[name] for name in ("filled_at", "canceled_at", "failed_at", "expired_at") if order[name]]
        assert ends, f"a close still works: {json.dumps(order)}"
        closes.setdefault(order["symbol"], []).append((order["created_at"], min(ends)))
    for symbol, lives in closes.items():
        for (_, ended), (began, _) in pairwise(sorted(lives)):
            assert began >= ended, f"two closes of {symbol} at {venue} at once: {lives}"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    with BrokerProcess("--speed", "1", keys=tmp_path_factory.mktemp("broker") / "keys") as process:
        yield process


SUITE = settings(
    max_examples=6, stateful_step_count=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(SUITE, id="suite"),
        pytest.param(
            settings(SUITE, max_examples=200, stateful_step_count=25, derandomize=False, print_blob=True),
            id="soak",
            marks=pytest.mark.soak,
        ),
    ],
)
@pytest.mark.timeout(3600)
def test_killed_frozen_and_failing_in_any_order_every_pull_is_carried_to_its_end(
    broker: BrokerProcess, how: settings
) -> None:
    CordAtRandom.broker = broker
    run_state_machine_as_test(CordAtRandom, settings=how)
