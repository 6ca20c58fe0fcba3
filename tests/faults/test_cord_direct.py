"""Without a guard the cord still stops the venues, proves it, and says what it could not prove."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.cord.hands import detached_hands
from console.cord.latch import standing
from console.cord.plan import write_plan
from console.desk.pull import GateState, Verdict
from console.desk.state import fold_all
from console.evidence.journal import read, verify
from tests.support.broker import BrokerProcess, wait_until
from tests.support.cord import end_hands, kill, lay_out, start_kill


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess("--speed", "1", keys=tmp_path / "keys") as process:
        process.control("POST", "/clock", {"session": "open"})
        yield process


@pytest.fixture
def desk(tmp_path: Path, broker: BrokerProcess) -> Iterator[Path]:
    yield lay_out(tmp_path / "state", broker)
    end_hands(tmp_path / "state")


def rest(broker: BrokerProcess, count: int = 3, venue: str = "sim1", prefix: str = "momentum-") -> list[str]:
    """Resting orders at a venue; returns their ids."""
    ids: list[str] = broker.control("POST", "/orders", {"venue": venue, "count": count, "prefix": prefix})["ids"]
    return ids


def open_ids(broker: BrokerProcess, venue: str = "sim1") -> set[str]:
    return {order["id"] for order in broker.request("GET", "/v2/orders?limit=500", account=venue)[1]}


def positions(broker: BrokerProcess, venue: str = "sim1") -> dict[str, str]:
    return {held["symbol"]: held["qty"] for held in broker.request("GET", "/v2/positions", account=venue)[1]}


def buy(broker: BrokerProcess, symbol: str, qty: str, side: str = "buy", venue: str = "sim1") -> None:
    order = {"symbol": symbol, "qty": qty, "side": side, "type": "market", "time_in_force": "day"}
    status, answer = broker.request("POST", "/v2/orders", order, account=venue)
    assert status == 200, answer
    wait_until(
        lambda: broker.request("GET", f"/v2/orders/{answer['id']}", account=venue)[1]["status"] == "filled", "a fill"
    )


def journal_state(desk: Path) -> Any:
    state = fold_all(read(desk / "journal"))
    assert all(report.problem is None for report in verify(desk / "journal"))
    return state


def test_l3_cancels_every_order_of_every_venue_and_is_verified(desk: Path, broker: BrokerProcess) -> None:
    rest(broker, 7)
    rest(broker, 5, "sim2", prefix="somebody-")
    code, told, said = kill(desk, "--all")
    assert (code, told["verdict"], told["hand"]) == (0, "VERIFIED", "direct"), said
    assert not open_ids(broker) | open_ids(broker, "sim2")
    state = journal_state(desk)
    assert state.gate_state is GateState.HALTED
    assert state.pull is not None
    assert state.pull.verdict is Verdict.VERIFIED
    assert state.pull.reason == "test"
    assert 0 < state.pull.blocked_at <= state.pull.verified_at
    assert [entry["id"] for entry in standing(str(desk)) or []] == [told["pull"]]


def test_l4_flattens_long_short_and_fractional_positions_with_one_close_each(desk: Path, broker: BrokerProcess) -> None:
    buy(broker, "AAPL", "7")
    buy(broker, "MSFT", "3", side="sell")
    buy(broker, "NVDA", "0.5")
    rest(broker, 2)
    code, told, said = kill(desk, "--all", "--level", "L4")
    assert (code, told["positions"], told["orders"]) == (0, 0, 0), said
    assert told["t_blocked"] <= told["t_flat"] <= told["t_verified"]
    assert positions(broker) == {}
    closes = [answer["target"] for answer in told["answers"] if answer["what"] == "close"]
    assert sorted(closes) == ["AAPL", "MSFT", "NVDA"]


def test_a_venue_scope_leaves_the_other_venue_alone(desk: Path, broker: BrokerProcess) -> None:
    rest(broker)
    kept = set(rest(broker, 2, "sim2"))
    code, told, _ = kill(desk, "--venue", "sim1")
    assert code == 0
    assert list(told["venues"]) == ["sim1"]
    assert open_ids(broker) == set()
    assert open_ids(broker, "sim2") == kept


def test_a_strategy_scope_cancels_its_own_orders_only(desk: Path, broker: BrokerProcess) -> None:
    rest(broker, 3, prefix="momentum-")
    kept = set(rest(broker, 2, prefix="byhand-"))
    code, told, _ = kill(desk, "--strategy", "momentum")
    assert code == 0, told
    assert open_ids(broker) == kept


def test_flattening_a_strategy_is_refused_where_positions_net(desk: Path, broker: BrokerProcess) -> None:
    before = set(rest(broker))
    code, _, said = kill(desk, "--strategy", "momentum", "--level", "L4")
    assert code == 2
    assert "--symbol AAPL" in said
    assert open_ids(broker) == before
    assert standing(str(desk)) == []


def test_a_hanging_venue_is_unknown_and_does_not_delay_the_other(desk: Path, broker: BrokerProcess) -> None:
    rest(broker)
    rest(broker, 3, "sim2")
    broker.fault("hang_before_accept", "sim2")
    code, told, said = kill(desk, "--all", "--wait", "4")
    assert code == 4
    assert told["verdict"] == "UNKNOWN"
    assert told["venues"]["sim1"]["verdict"] == "VERIFIED", said
    assert told["venues"]["sim2"]["verdict"] == "UNKNOWN"
    assert "does not answer" in told["venues"]["sim2"]["why"]
    broker.clear("hang_before_accept")
    wait_until(lambda: journal_state(desk).pull.verdict is Verdict.VERIFIED, "the pull goes on after the command")
    assert not open_ids(broker, "sim2")


def test_an_order_that_a_207_failed_is_named_while_it_stands_and_asked_again(desk: Path, broker: BrokerProcess) -> None:
    stuck = rest(broker, 3)[1]
    broker.fault("partial_207", "sim1", stuck)
    code, told, _ = kill(desk, "--all", "--wait", "3")
    assert code == 3
    assert told["venues"]["sim1"]["verdict"] == "PARTIAL"
    assert told["venues"]["sim1"]["standing"] == [stuck]
    assert told["venues"]["sim2"]["verdict"] == "VERIFIED"
    broker.clear("partial_207")
    wait_until(lambda: journal_state(desk).pull.verdict is Verdict.VERIFIED, "asked until it is gone")
    assert not open_ids(broker)


@pytest.mark.parametrize("fault", ["gateway504", "hang"])
def test_a_close_that_arrived_without_an_answer_is_not_sent_again(
    desk: Path, broker: BrokerProcess, fault: str
) -> None:
    buy(broker, "AAPL", "7")
    broker.fault(fault, "sim1", None, methods=["DELETE"], path="/v2/positions")
    code, told, said = kill(desk, "--all", "--level", "L4", "--wait", "20")
    assert code == 0, said
    assert positions(broker) == {}
    assert [each["outcome"] for each in told["answers"] if each["what"] == "close"] == ["ambiguous"]


def test_a_close_that_never_arrived_is_decided_anew_from_fresh_reads(desk: Path, broker: BrokerProcess) -> None:
    buy(broker, "AAPL", "7")
    broker.fault("error500", "sim1", None, methods=["DELETE"], path="/v2/positions", times=1)
    code, told, said = kill(desk, "--all", "--level", "L4", "--wait", "20")
    assert code == 0, said
    assert positions(broker) == {}
    assert [each["outcome"] for each in told["answers"] if each["what"] == "close"] == ["ambiguous", "acked"]


def test_more_orders_than_a_page_shows_are_all_gone(desk: Path, broker: BrokerProcess) -> None:
    rest(broker, 1100)
    assert len(open_ids(broker)) == 500
    code, told, _ = kill(desk, "--all")
    assert code == 0, told
    assert not open_ids(broker)


def test_orders_that_keep_coming_are_cancelled_and_the_venue_is_suspended(desk: Path, broker: BrokerProcess) -> None:
    broker.fault("runaway_strategy", "sim1", 5)
    code, told, said = kill(desk, "--all", "--wait", "20")
    assert code == 0, said
    assert any(each["what"] == "suspend" and each["outcome"] == "acked" for each in told["answers"])
    assert broker.request("GET", "/v2/account/configurations")[1]["suspend_trade"] is True
    assert "new order" in said


def test_a_venue_that_can_not_be_suspended_is_never_called_verified(desk: Path, broker: BrokerProcess) -> None:
    broker.fault("runaway_strategy", "sim1", 5)
    broker.fault("error500", "sim1", None, methods=["PATCH"])
    code, told, said = kill(desk, "--all", "--wait", "4")
    assert code in (3, 6), said
    assert told["venues"]["sim2"]["verdict"] == "VERIFIED"


def test_the_pull_outlives_the_terminal_it_was_typed_in(desk: Path, broker: BrokerProcess) -> None:
    rest(broker, 4)
    broker.fault("stuck_pending_cancel", "sim1")
    process = start_kill(desk, "--all")
    wait_until(lambda: list((desk / "journal").glob("direct-*.jsonl")), "the detached hand")
    os.kill(process.pid, signal.SIGHUP)
    process.wait(30)
    broker.clear("stuck_pending_cancel")
    wait_until(lambda: journal_state(desk).pull.verdict is Verdict.VERIFIED, "VERIFIED after the line was cut")
    assert not open_ids(broker)


def test_without_waiting_the_code_says_requested(desk: Path, broker: BrokerProcess) -> None:
    rest(broker)
    code, told, _ = kill(desk, "--all", "--no-wait")
    assert (code, told["verdict"]) == (6, "REQUESTED")
    wait_until(lambda: not open_ids(broker), "the orders gone all the same")


def test_keys_that_others_can_read_are_said_and_the_rest_is_stopped(desk: Path, broker: BrokerProcess) -> None:
    rest(broker)
    broker.key_files["sim2"].chmod(0o644)
    code, told, _ = kill(desk, "--all", "--wait", "3")
    assert code == 4
    assert told["venues"]["sim1"]["verdict"] == "VERIFIED"
    assert "chmod" in told["venues"]["sim2"]["why"]


def test_a_key_file_on_a_hung_disk_holds_up_its_own_venue_alone(desk: Path, broker: BrokerProcess) -> None:
    rest(broker, 3, "sim2")
    broker.key_files["sim1"].unlink()
    os.mkfifo(broker.key_files["sim1"])  # opening it waits for a writer that never comes
    code, told, _ = kill(desk, "--all", "--wait", "4")
    assert code == 4
    assert told["venues"]["sim1"]["verdict"] == "UNKNOWN"
    assert told["venues"]["sim2"]["verdict"] == "VERIFIED"
    assert not open_ids(broker, "sim2")


def test_a_venue_retired_for_good_spoils_no_verdict(desk: Path, broker: BrokerProcess) -> None:
    told = json.loads((desk / "cord.json").read_bytes())
    told["venues"][1] |= {"retired": "the account is closed"}
    write_plan(str(desk), told)
    rest(broker)
    broker.fault("refuse", "sim2")
    code, told, said = kill(desk, "--all")
    assert (code, told["verdict"], told["retired"]) == (0, "VERIFIED", {"sim2": "the account is closed"})
    assert "RETIRED   sim2" in said
    wait_until(lambda: not detached_hands(str(desk)), "the hand ends: nobody else is left to prove anything")
    assert kill(desk, "--venue", "sim2", "--wait", "2")[0] == 4, "alone, it has proven nothing"


def test_a_symbol_that_nobody_knows_is_refused_with_the_nearest_one(desk: Path, broker: BrokerProcess) -> None:
    before = set(rest(broker))
    code, _, said = kill(desk, "--symbol", "APPL", "--level", "L4")
    assert code == 2
    assert "APPL (did you mean AAPL?)" in said
    assert "nothing was stopped" in said
    assert (standing(str(desk)), open_ids(broker)) == ([], before)


def test_a_symbol_that_a_venue_alone_knows_is_pulled(desk: Path, broker: BrokerProcess) -> None:
    buy(broker, "NVDA", "3", venue="sim2")
    code, told, said = kill(desk, "--symbol", "NVDA", "--level", "L4")
    assert (code, told["verdict"]) == (0, "VERIFIED"), said
    assert positions(broker, "sim2") == {}


def test_a_symbol_that_a_silent_venue_might_know_is_pulled_and_a_slip_is_no_success(
    desk: Path, broker: BrokerProcess
) -> None:
    broker.fault("refuse", "sim2", times=1)
    code, told, said = kill(desk, "--symbol", "APPL")
    assert (code, told["verdict"]) == (2, "VERIFIED")
    assert "no answer from sim2" in said
    assert "halted all the same, but nothing is known under APPL (did you mean AAPL?)" in said
    assert [entry["scope"] for entry in standing(str(desk)) or []] == ["symbol:APPL"]


def test_a_slip_beside_a_known_symbol_does_not_hold_that_one_up(desk: Path, broker: BrokerProcess) -> None:
    rest(broker)
    code, _, said = kill(desk, "--symbol", "AAPL", "--symbol", "MSTF")
    assert code == 2
    assert "MSTF (did you mean MSFT?)" in said
    assert not open_ids(broker)


def test_a_desk_that_never_ran_is_a_clear_error(tmp_path: Path) -> None:
    code, _, said = kill(tmp_path, "--all")
    assert code == 2
    assert "cord.json" in said
    assert "Traceback" not in said


def test_a_frozen_broker_process_is_unknown_until_it_wakes(desk: Path, broker: BrokerProcess) -> None:
    rest(broker)
    broker.freeze()
    process = start_kill(desk, "--all", "--wait", "4")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 4
    assert json.loads(out)["verdict"] == "UNKNOWN"
    broker.thaw()
    wait_until(lambda: journal_state(desk).pull.verdict is Verdict.VERIFIED, "verified after the thaw")


def test_protective_orders_and_those_of_strangers_stay_where_it_was_asked_for(
    desk: Path, broker: BrokerProcess
) -> None:
    buy(broker, "AAPL", "5")
    stop = {"symbol": "AAPL", "qty": "5", "side": "sell", "type": "stop", "stop_price": "1", "time_in_force": "gtc"}
    kept = broker.request("POST", "/v2/orders", stop)[1]["id"]
    rest(broker, 2)
    stranger = rest(broker, 1, prefix="mobile-app-")[0]
    code, _, said = kill(desk, "--all", "--level", "L4", "--keep-protective")
    assert (code, "L4 flattens" in said) == (2, True)
    code, told, said = kill(desk, "--all", "--keep-protective", "--own-only")
    assert code == 0
    assert "only orders that the strategies sent, keeping what only protects" in said
    assert open_ids(broker) == {kept, stranger}
    code, told, said = kill(desk, "--all", "--keep-protective")
    assert (code, told["keep_protective"], told["own_only"]) == (0, True, False)
    assert "orders of whoever sent them, keeping" in said
    assert open_ids(broker) == {kept}
    assert [order.split()[0] for order in told["venues"]["sim1"]["kept"]] == [kept]
    pull = journal_state(desk).pulls[told["pull"]]
    assert (pull.keep_protective, pull.own_only, pull.foreign) == (True, False, True)
    assert [order.split()[0] for order in pull.venues["sim1"].kept] == [kept]
    assert [entry.get("keep_protective") for entry in standing(str(desk)) or []] == [True, True]
