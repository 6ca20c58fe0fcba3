"""What a pull is to leave standing stays, everything else goes, and what was left is watched for as long as it stands.

A scripted venue on real sockets: each order and position is just what a test says."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from console.cord.forms import Row
from console.cord.keeping import Keeping
from console.cord.report import Report
from tests.support.broker import wait_until
from tests.support.scripted_venue import ScriptedHand, ScriptedVenue, order


@pytest.fixture
def venue() -> Iterator[ScriptedVenue]:
    with ScriptedVenue() as playing:
        yield playing


@pytest.fixture
def hand(tmp_path: Path, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedHand]:
    monkeypatch.setattr("console.cord.worker.WATCH_EVERY", 0.2)
    with ScriptedHand(tmp_path, venue) as running:
        yield running


def stop(name: str, qty: str, symbol: str = "AAPL", side: str = "sell", **more: str) -> dict[str, str]:
    return order(name, symbol, side, qty, **{"type": "stop", **more})


def verified(hand: ScriptedHand, pull: str) -> None:
    wait_until(lambda: hand.says(pull) == "VERIFIED", "verified")


def test_only_what_can_do_nothing_but_reduce_is_kept_and_the_verdict_names_it(
    venue: ScriptedVenue, hand: ScriptedHand
) -> None:
    venue.positions |= {"AAPL": "7", "SPY": "-3"}
    venue.rest(
        stop("s1", "7"),
        stop("s2", "1"),  # with s1 it would sell more than is held
        stop("s3", "3", "SPY", "buy", type="trailing_stop", client="0c0ffee"),
        stop("s4", "4", "QQQ"),  # nothing is held
        order("e1", side="sell", qty="7"),  # a limit by itself is no protection
        order("e2"),
    )
    pull = hand.pull(keep_protective=True)
    verified(hand, pull)
    assert set(venue.open) == {"s1", "s3"}
    assert not [at for at, how, path, _ in venue.asked if how == "DELETE" and path == "/v2/orders"], "order by order"
    assert hand.verdict[pull]["kept"] == ["s3 buy 3 SPY trailing_stop", "s1 sell 7 AAPL stop"]
    assert hand.verdict[pull]["why"].startswith("nothing open but 2 kept to protect")
    pulled = next(data for kind, data in hand.told if kind == "pulled")
    assert (pulled["keep_protective"], pulled["own_only"]) == (True, False)


def test_both_exits_of_a_bracket_are_kept(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.positions["AAPL"] = "5"
    venue.rest(stop("s1", "5", order_class="bracket"), order("t1", side="sell", qty="5", order_class="bracket"))
    verified(hand, hand.pull(keep_protective=True))
    assert set(venue.open) == {"s1", "t1"}


def test_a_kept_order_whose_position_is_gone_is_cancelled(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.positions["AAPL"] = "7"
    venue.rest(stop("s1", "7"))
    pull = hand.pull(keep_protective=True)
    verified(hand, pull)
    del venue.positions["AAPL"]  # sold by hand: the stop would sell short now
    wait_until(lambda: not venue.open, "it is cancelled")
    verified(hand, pull)
    assert hand.verdict[pull]["kept"] == []


def test_a_plain_pull_after_it_takes_what_was_kept(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.positions["AAPL"] = "7"
    venue.rest(stop("s1", "7"))
    keeping = hand.pull(keep_protective=True)
    verified(hand, keeping)
    plain = hand.pull()
    verified(hand, plain)
    assert venue.open == {}
    wait_until(lambda: hand.verdict[keeping]["kept"] == [], "nothing is said to be kept any more")


def test_flattening_after_it_closes_behind_the_kept_stop(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    venue.positions["AAPL"] = "7"
    venue.rest(stop("s1", "7"))
    verified(hand, hand.pull(keep_protective=True))
    flat = hand.pull("L4")
    verified(hand, flat)
    assert (venue.open, venue.positions) == ({}, {})
    assert len(venue.times("DELETE", "/v2/positions")) == 1


def test_without_positions_entries_go_at_once_and_what_may_protect_only_after_a_while(
    venue: ScriptedVenue, hand: ScriptedHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue.positions["AAPL"] = "7"
    venue.rest(stop("s1", "7"), order("e1"))
    venue.answer = lambda method, path: (500, {}) if path.startswith("/v2/positions") else None
    pull = hand.pull(keep_protective=True)
    wait_until(lambda: "e1" not in venue.open, "the entry goes")
    wait_until(lambda: hand.says(pull) == "UNKNOWN", "positions are not known")
    assert list(venue.open) == ["s1"]
    monkeypatch.setattr("console.cord.keeping.UNSEEN_SECONDS", 0.0)
    wait_until(lambda: not venue.open, "what nobody can prove to protect is cancelled")
    assert hand.says(pull) == "UNKNOWN"


def test_what_the_strategies_did_not_send_is_left_and_disturbs_no_proof(
    venue: ScriptedVenue, hand: ScriptedHand
) -> None:
    venue.rest(
        order("mine"),
        order("leg", side="sell", client="5f1b7c", order_class="bracket"),
        order("stranger", client="mobile-app"),
        order("unnamed", client="77ab12"),
    )
    pull = hand.pull(own_only=True)
    wait_until(lambda: set(venue.open) == {"stranger", "unnamed"}, "ours go")
    venue.rest(order("later", client="mobile-app-2"))
    verified(hand, pull)
    assert set(venue.open) == {"stranger", "unnamed", "later"}
    assert not venue.suspended, "an account that others trade in goes on"
    assert not [data for kind, data in hand.told if kind == "quiet_restarted" and "later" in data["why"]]


def test_a_new_order_of_a_strategy_is_found_whatever_is_spared(venue: ScriptedVenue, hand: ScriptedHand) -> None:
    pull = hand.pull(own_only=True, keep_protective=True)
    wait_until(lambda: hand.says(pull) == "REQUESTED", "the quiet clock runs")
    venue.rest(order("late"))
    wait_until(lambda: not venue.open, "it goes")
    verified(hand, pull)


def test_a_narrow_pull_cancels_what_is_listed_though_fills_can_not_be_read(
    venue: ScriptedVenue, hand: ScriptedHand
) -> None:
    venue.rest(order("o1"), order("o2", "MSFT"))
    venue.answer = lambda method, path: (500, {}) if "activities" in path else None
    pull = hand.pull(scope="symbol:AAPL")
    wait_until(lambda: list(venue.open) == ["o2"], "cancelled all the same")
    wait_until(lambda: hand.says(pull) == "UNKNOWN", "and nothing is claimed")


FIELDS = {name: name for name in ("id", "symbol", "side", "qty", "filled", "type", "order_class", "status", "created")}


def row(name: str, qty: str) -> Row:
    told = {"id": name, "symbol": "AAPL", "side": "sell", "qty": qty, "filled": "0", "type": "stop", "status": "new"}
    return Row({**told, "created": name}, FIELDS)


def test_a_stop_that_fills_between_two_reads_does_not_take_the_good_one_beside_it_along() -> None:
    both, one = [row("a", "5"), row("b", "5")], [row("b", "5")]
    calm = Keeping().seen(both, {"AAPL": Decimal(10)})
    torn = calm.seen(both, {"AAPL": Decimal(5)})  # a filled after the orders were read, before the positions were
    assert (torn.kept, torn.doubted) == ({"a"}, {"b"})
    assert torn.seen(one, {"AAPL": Decimal(5)}).kept == {"b"}
    assert torn.seen(both, {"AAPL": Decimal(5)}).doubted == frozenset(), "a second look that says so is believed"


def test_who_asked_an_older_guard_is_told_that_it_keeps_nothing() -> None:
    report = Report("p1", ("keep_protective",))
    pulled = {"pull": "p1", "level": "L3", "scope": "desk", "hand": "guard", "venues": ["sim1"]}
    said = report.feed({"kind": "pulled", "ts": 1, "data": pulled})
    assert "does not know keep-protective" in said
    assert json.loads(json.dumps(report.object()))["keep_protective"] is False
