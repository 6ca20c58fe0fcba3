"""What a pull would reach, and what a person should do next: pure answers from small histories."""

from decimal import Decimal

import msgspec

from console.desk import events as ev
from console.desk.blast import blast, refusals, scopes, symbols, symbols_of
from console.desk.moment import Look, Moment
from console.desk.next_steps import Step, next_steps
from console.desk.pull import GateState, Level, Scope
from console.desk.reconcile import compare
from console.desk.source import Attached
from console.desk.state import fold_all
from console.desk.words import SECOND
from tests.support import scenario
from tests.support.scenario import NOW, Story, order


def seen(story: Story) -> Moment:
    return Moment(state=fold_all(story.records), now=NOW)


def steps(moment: Moment) -> tuple[Step, ...]:
    return next_steps(moment, compare(moment))


def test_the_blast_radius_counts_what_lies_in_scope() -> None:
    state = seen(scenario.calm()).state
    strategies = ["strategy:momentum", "strategy:meanrev", "strategy:maker"]
    assert [str(scope) for scope in scopes(state)] == ["desk", "venue:sim1", "venue:sim2", *strategies]
    whole = blast(state, Scope("desk"))
    assert [(row.venue, row.orders, row.positions) for row in whole.venues] == [("sim1", 4, 3), ("sim2", 2, 1)]
    assert whole.naked == ("AAPL",)
    assert whole.protective == 1
    assert whole.foreign == 0
    assert whole.as_of == NOW - SECOND
    only = blast(state, Scope("venue", ("sim2",)))
    assert [row.venue for row in only.venues] == ["sim2"]
    assert only.venues[0].net < 0 < only.venues[0].gross


def test_a_strategy_reaches_its_own_orders_and_leaves_the_others() -> None:
    state = seen(scenario.reached()).state
    reach = blast(state, Scope("strategy", ("momentum",)))
    [row] = reach.venues
    assert (row.venue, row.orders, row.untouched, row.foreign) == ("sim1", 3, 2, 0)
    assert (row.positions, row.naked, reach.disables) == (2, ("AAPL",), ("momentum",))
    [share] = row.shares
    assert (share.strategy, share.orders, share.positions) == ("momentum", 3, 2)
    assert set(refusals(state, Scope("strategy", ("momentum",)))) == {Level.L4}


def test_symbols_reach_every_venue_and_strangers_too() -> None:
    state = seen(scenario.reached()).state
    assert symbols(state) == ("AAPL", "MSFT", "NVDA", "SPY")
    assert symbols_of(state, Scope("strategy", ("momentum",))) == ("AAPL", "MSFT")
    reach = blast(state, Scope("symbol", ("MSFT", "SPY")))
    assert [(row.venue, row.orders, row.untouched, row.positions) for row in reach.venues] == [
        ("sim1", 2, 3, 1),
        ("sim2", 2, 0, 1),
    ]
    assert (reach.foreign, reach.foreign_since) == (1, NOW - 40 * SECOND)
    assert reach.disables == ("momentum", "maker")
    assert refusals(state, Scope("symbol", ("MSFT",))) == {}
    assert set(refusals(state, Scope("symbol", ("TSLA",)))) == {Level.L2}


def test_what_a_venue_holds_is_told_strategy_by_strategy() -> None:
    [row] = blast(seen(scenario.calm()).state, Scope("venue", ("sim1",))).venues
    assert [(share.strategy, share.orders, share.net) for share in row.shares] == [
        ("momentum", 3, row.gross - 10275),
        ("meanrev", 1, -10275),
    ]


def test_orders_of_strangers_are_counted_apart() -> None:
    story = scenario.calm()
    mine, theirs = scenario.SIM2_ORDERS[0], order("x", "mobile-app", "SPY", "buy", 1)
    story.at(0, ev.OrdersRead("sim2", (mine, theirs), NOW))
    assert blast(seen(story).state, Scope("desk")).foreign == 1


def test_a_failed_read_keeps_the_last_counts_and_says_so() -> None:
    story = scenario.calm().at(0, ev.OrdersRead("sim1", (), NOW, unknown="timeout"))
    row = blast(seen(story).state, Scope("desk")).venues[0]
    assert (row.orders, row.unknown) == (4, "timeout")


def test_a_calm_desk_asks_for_nothing() -> None:
    assert [step.what for step in steps(seen(scenario.calm()))] == ["Nothing to do"]


def test_calm_is_not_claimed_of_what_was_not_seen() -> None:
    [step] = steps(seen(scenario.beaten(scenario.monitored(scenario.heard(scenario.begun()), unknown=True))))
    assert (step.tone, step.why) == ("warn", "1 monitor without data")


def test_a_missing_guard_comes_first() -> None:
    attached, cut = scenario.detached()
    assert isinstance(attached, Attached)
    moment = Moment(state=attached.state, now=NOW, cut="connection refused")
    assert steps(moment)[0].what == "Start the guard"
    assert moment.look(NOW) is Look.CUT
    assert cut is not None


def test_a_silent_guard_is_down_whatever_the_socket_says() -> None:
    moment = seen(scenario.beaten(scenario.heard(scenario.begun()), ago=4))
    assert moment.down == "silent for 4 s"


def test_an_unproven_venue_is_phoned() -> None:
    told = steps(seen(scenario.unknown()))
    assert told[0].what == "Phone sim2: +1 555 0177"
    assert "UNKNOWN" in told[0].why
    assert [step.key for step in told[:2]] == ["v", "v"]


def test_what_stands_open_after_a_cancel_is_named() -> None:
    assert any(step.what == "Hold, or flatten with K 4" for step in steps(seen(scenario.partial())))
    assert not any("flatten" in step.what for step in steps(seen(scenario.verified(Level.L4))))


def test_the_reason_is_asked_for_until_it_is_given() -> None:
    ask = ("Write down why the cord was pulled", "L3 desk at 14:31:55")
    assert ask in [(step.what, step.why) for step in steps(seen(scenario.requested()))]
    assert ask not in [(step.what, step.why) for step in steps(seen(scenario.partial()))]


def test_a_strategy_that_ignores_the_gate_is_stopped_by_hand() -> None:
    story = scenario.partial()
    story.at(0, scenario.sampled("maker", scenario.MODELS["maker"], GateState.OPEN, 9, "0", NOW))
    assert "Stop maker at its host" in [step.what for step in steps(seen(story))]


def test_a_sample_from_before_the_pull_accuses_nobody() -> None:
    for ago, defies in ((13, False), (11, False), (10, True)):
        story = scenario.partial()
        story.at(0, scenario.sampled("maker", "", GateState.OPEN, 9, "0", NOW - ago * SECOND))
        assert seen(story).defies("maker") is defies


def test_a_later_pull_does_not_excuse_who_ignored_an_earlier_one() -> None:
    story = scenario.partial()
    story.at(-1, ev.Pulled("p-2", "L4", "venue:sim2", "", "cli", "guard", ("sim2",), 60))
    story.at(0, scenario.sampled("maker", "", GateState.OPEN, 9, "0", NOW))
    assert seen(story).defies("maker")


def test_what_is_tighter_than_the_desk_is_named_the_tightest_first() -> None:
    story = scenario.calm()
    story.at(-9, ev.Pulled("p-1", "L1", "strategy:maker", "", "cli", "guard", ("sim2",), 60))
    story.at(-8, ev.Pulled("p-2", "L3", "venue:sim1", "", "cli", "guard", ("sim1",), 60))
    story.at(-7, ev.GateChanged(GateState.OPEN, Decimal(1), "", {"symbol:SPY": GateState.HALTED}))
    tighter = seen(story).tighter
    assert list(tighter) == ["SPY", "sim1", "maker"]
    assert tighter["maker"] is GateState.CLOSE_ONLY
    assert seen(scenario.partial()).tighter == {}


def settled(story: Story) -> tuple[str, ...]:
    """The steps once differences are old enough to count."""
    moment = seen(story)
    before = compare(msgspec.structs.replace(moment, now=NOW - 6 * SECOND))
    return tuple(step.what for step in next_steps(moment, compare(moment, before)))


def test_the_closes_of_the_cord_are_named_as_what_they_are() -> None:
    closes = "The cord’s closes: bring the book to it"
    assert closes in settled(scenario.flattened())
    stranger = scenario.position("TSLA", 5, "248.00")
    grown = scenario.position("SPY", -36, "561.30")
    for position in (stranger, grown):
        story = scenario.flattened().at(0, ev.PositionsRead("sim2", (position,), NOW))
        assert closes not in settled(story)
        assert any(what.startswith("Explain") for what in settled(story))
    left = scenario.flattened().at(0, ev.PositionsRead("sim2", (scenario.position("SPY", -5, "561.30"),), NOW))
    assert closes in settled(left)
    intruder = order("x", "mobile-app", "SPY", "buy", 1)
    assert closes not in settled(scenario.flattened().at(0, ev.OrdersRead("sim2", (intruder,), NOW)))


def test_another_model_than_pinned_is_named() -> None:
    story = scenario.calm()
    story.at(0, scenario.sampled("maker", "ffffffff", GateState.OPEN, 9, "0", NOW))
    assert "maker runs another model than pinned" in [step.what for step in steps(seen(story))]
