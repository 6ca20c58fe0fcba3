"""Whom to call and what to say: short lines for a telephone, the same with and without a guard."""

from typing import Any

from console.cord.plan import Plan
from console.cord.report import Report
from console.desk.call import READ_ALOUD, Contact, Standing, brokers_desk, ladder, what_to_say
from console.desk.moment import Moment
from console.desk.pull import Level, Scope, Verdict
from console.desk.state import fold_all
from console.screens.views import verdict as view
from tests.support import scenario

DESK = Scope("desk")
BROKER = Contact(name="Broker", role="desk", phone="1", hours="24/7", venue="sim1")


def standing(verdict: Verdict = Verdict.PARTIAL, **more: Any) -> Standing:
    return Standing(desk="main", account="U1", verdict=verdict, **more)


def test_the_brokers_desk_is_asked_for_an_action_and_a_count() -> None:
    assert what_to_say(Level.L3, DESK, standing(orders=[("o1", "sell 5 SPY")])) == [
        "This is trading desk main.",
        "The account is U1.",
        "Cancel all open orders of this account.",
        "Still open: 1 order.",
        "  o1  sell 5 SPY",
        "Then tell me how many orders are open.",
        "Take no new order from us until I call again.",
    ]


def test_a_narrow_pull_does_not_ask_for_everything_to_go() -> None:
    told = what_to_say(Level.L3, Scope("symbol", ("AAPL", "MSFT")), standing())
    assert "Cancel all open orders in AAPL, MSFT." in told
    told = what_to_say(Level.L3, Scope("strategy", ("momentum",)), standing())
    assert "Cancel all open orders whose client id begins with momentum-." in told
    told = what_to_say(Level.L1, DESK, standing(Verdict.UNKNOWN))
    assert not any("Cancel" in line for line in told)
    assert told[-1] == "Take only closing orders from us until I call again."


def test_nobody_is_asked_to_close_what_our_own_closes_may_be_closing() -> None:
    told = what_to_say(Level.L4, DESK, standing(positions=("SPY -35",)))
    assert "We still hold: SPY -35." in told
    assert "Tell me what is left of them. Close nothing yet:" in told


def test_lines_are_short_and_a_long_list_is_counted() -> None:
    orders = [(f"{number:08x}-0000-4000-8000-000000000000", "sell 5 SPY") for number in range(30)]
    told = what_to_say(Level.L4, DESK, standing(Verdict.UNKNOWN, orders=orders, positions=("SPY -35",)))
    assert f"  and {30 - READ_ALOUD} more" in told
    assert max(map(len, told)) < 64


def test_the_number_of_desk_yaml_is_one_more_only_where_it_is_another() -> None:
    assert [person.phone for person in brokers_desk([BROKER], "sim1", "1")] == ["1"]
    assert [person.phone for person in brokers_desk([BROKER], "sim1", "2")] == ["1", "2"]
    assert brokers_desk([BROKER], "sim2", "") == []
    assert ladder([BROKER]) == []


def test_kill_says_the_same_with_no_guard() -> None:
    contacts = [
        {"name": "Broker", "role": "desk", "phone": "+1 555 0100", "venue": "sim1", "level": 1},
        {"name": "Bo", "role": "risk", "phone": "+46 8 555 0102", "level": 2},
    ]
    venue = {"name": "sim1", "account": "U1", "url": "http://127.0.0.1:1", "keys": "", "form": {}}
    told = {"desk": "main", "mode": "live", "quiet_seconds": 60, "netted": True, "strategies": []}
    plan = Plan("/", {**told, "venues": [venue], "contacts": contacts})
    report = Report("p")
    assert report.call(plan) == []
    pulled = {"pull": "p", "level": "L3", "scope": "desk", "hand": "direct", "venues": ["sim1"]}
    report.feed({"kind": "pulled", "ts": 1, "data": pulled})
    verdict = {"pull": "p", "venue": "sim1", "verdict": "PARTIAL", "why": "1 order still open", "standing": ["o1"]}
    report.feed({"kind": "venue_verdict", "ts": 2, "data": verdict})
    lines = report.call(plan)
    assert "CALL sim1  +1 555 0100  Broker, desk" in lines
    assert "  | Cancel all open orders of this account." in lines
    assert "  |   o1" in lines
    assert lines[-1] == "  level 2  +46 8 555 0102  Bo, risk"
    report.feed({"kind": "venue_verdict", "ts": 3, "data": {**verdict, "verdict": "UNKNOWN"}})
    assert "  | Open when we last looked: 1 order." in report.call(plan)
    report.feed({"kind": "venue_verdict", "ts": 4, "data": {**verdict, "verdict": "VERIFIED"}})
    assert report.call(plan) == []


def page(story: scenario.Story) -> list[str]:
    state = fold_all(story.records)
    assert state.pull is not None
    return view.text(Moment(state=state, now=scenario.NOW), state.pull, 100)


def test_the_page_as_text_has_verdict_numbers_words_and_people() -> None:
    told = "\n".join(page(scenario.unknown()))
    assert told.startswith("UNKNOWN  A venue does not answer.")
    assert "CALL sim2  +1 555 0177  Sim Brokerage, trading desk, 24/7" in told
    assert "│ Open when we last looked, 14:31:54 UTC: 2 orders." in told
    assert "│   a7e110  buy 5 SPY" in told
    assert "level 2  +46 8 555 0102  Bo Lindqvist, head of risk, always" in told
    assert "cancel all  → ambiguous in 5000 ms  no answer in 5 s" in told


def test_a_restarted_quiet_clock_says_why() -> None:
    told = "\n".join(page(scenario.requested()))
    assert "57 s to go" in told
    assert "▲ began again, from 14:32:04Z: late fill SPY of order a7e110" in told
    assert "CALL" not in told
    assert "Our own people" not in told


def test_what_was_asked_again_and_again_is_one_line() -> None:
    [line] = [line for line in page(scenario.partial()) if "cancel a7e111" in line]
    assert "×4  → refused 422 in 31 ms  order is pending cancel" in line
