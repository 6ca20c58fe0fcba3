"""Book against broker: what is equal, what is settling, what differs, and what nobody knows."""

from decimal import Decimal

import pytest

from console.desk import events as ev
from console.desk.moment import Moment
from console.desk.reconcile import Break, Comparison, compare
from console.desk.state import fold_all
from console.desk.words import SECOND
from tests.support import scenario
from tests.support.scenario import NOW, SIM1_ORDERS, SIM1_POSITIONS, Story, order, position


def moment(story: Story, later: float = 0, cut: str = "") -> Moment:
    return Moment(state=fold_all(story.records), now=NOW + int(later * SECOND), cut=cut)


def settled(story: Story) -> Comparison:
    """Compared twice, six seconds apart, without anything having been read in between."""
    return compare(moment(story, 5), compare(moment(story, -1)))


def kinds(comparison: Comparison) -> dict[str, Break]:
    rows = [(row.symbol, row.kind) for venue in comparison.venues for row in venue.positions]
    orders = [(row.id, row.kind) for venue in comparison.venues for row in venue.orders]
    return {name: kind for name, kind in (*rows, *orders) if kind is not Break.EQUAL}


def calm() -> Story:
    return scenario.beaten(scenario.heard(scenario.begun()), ago=-4)


def test_equal_books_are_equal_at_once() -> None:
    comparison = compare(moment(calm()))
    assert comparison.equal
    assert kinds(comparison) == {}


def test_a_difference_is_in_flight_for_five_seconds_and_then_a_break() -> None:
    story = calm().at(0, ev.PositionsRead("sim1", (position("AAPL", 440, "1"), *SIM1_POSITIONS[1:]), NOW))
    first = compare(moment(story))
    assert (first.differences, first.in_flight, first.equal) == (0, 1, False)
    assert kinds(compare(moment(story, 4.9), first)) == {"AAPL": Break.IN_FLIGHT}
    assert kinds(compare(moment(story, 5), first)) == {"AAPL": Break.QTY_BREAK}


def test_a_difference_that_changes_sides_begins_anew() -> None:
    over = calm().at(0, ev.PositionsRead("sim1", (position("AAPL", 440, "1"), *SIM1_POSITIONS[1:]), NOW))
    first = compare(moment(over))
    under = over.at(0, ev.PositionsRead("sim1", (position("AAPL", 400, "1"), *SIM1_POSITIONS[1:]), NOW))
    assert kinds(compare(moment(under, 6), first)) == {"AAPL": Break.IN_FLIGHT}


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        (SIM1_POSITIONS[1:], {"AAPL": Break.MISSING_AT_BROKER}),
        ((*SIM1_POSITIONS, position("TSLA", 5, "1")), {"TSLA": Break.MISSING_IN_BOOK}),
        ((position("AAPL", -420, "1"), *SIM1_POSITIONS[1:]), {"AAPL": Break.SIDE_MISMATCH}),
        ((position("AAPL", 419, "1"), *SIM1_POSITIONS[1:]), {"AAPL": Break.QTY_BREAK}),
        ((*SIM1_POSITIONS, position("TSLA", 0, "1")), {}),
    ],
)
def test_each_difference_of_positions_has_its_name(
    positions: tuple[ev.Position, ...], expected: dict[str, Break]
) -> None:
    story = calm().at(0, ev.PositionsRead("sim1", positions, NOW))
    assert kinds(settled(story)) == expected


def test_each_difference_of_orders_has_its_name() -> None:
    orders = (*SIM1_ORDERS[1:], order("o1", "momentum-0009", "AAPL", "buy", 1), order("o2", "mobile", "AAPL", "buy", 1))
    story = calm().at(0, ev.OrdersRead("sim1", orders, NOW))
    assert kinds(settled(story)) == {
        "momentum-0001": Break.MISSING_AT_BROKER,
        "o1": Break.MISSING_IN_BOOK,
        "o2": Break.ORPHAN_ORDER,
    }


def test_strategies_in_one_symbol_are_summed() -> None:
    story = calm().at(
        0, ev.BookRead("meanrev", (SIM1_POSITIONS[2], position("AAPL", -100, "1")), ("meanrev-0007",), NOW)
    )
    story.at(0, ev.PositionsRead("sim1", (position("AAPL", 320, "1"), *SIM1_POSITIONS[1:]), NOW))
    assert compare(moment(story)).equal


def test_symbols_are_compared_by_their_normal_name() -> None:
    story = calm().at(0, ev.PositionsRead("sim2", (*scenario.SIM2_POSITIONS, position("BTC/USD", 2, "1")), NOW))
    story.at(
        0,
        ev.BookRead("maker", (*scenario.SIM2_POSITIONS, position("BTCUSD", 2, "1")), ("maker-0101", "maker-0102"), NOW),
    )
    assert compare(moment(story)).equal


@pytest.mark.parametrize(
    ("failed", "names"),
    [
        (ev.PositionsRead("sim1", (), NOW, unknown="timeout"), "broker positions timeout"),
        (ev.OrdersRead("sim1", (), NOW, unknown="timeout"), "broker orders timeout"),
        (ev.OrdersRead("sim1", SIM1_ORDERS, NOW, complete=False), "broker orders not every page could be read"),
        (ev.BookRead("momentum", (), (), NOW, unknown="refused"), "book of momentum refused"),
    ],
)
def test_a_failed_read_is_unknown_and_never_equal(failed: ev.AnyEvent, names: str) -> None:
    comparison = settled(calm().at(0, failed))
    assert comparison.unknown == (f"sim1: {names}",)
    assert not comparison.equal
    assert set(comparison.venues[0].kinds) == {Break.UNKNOWN}
    assert set(comparison.venues[1].kinds) == {Break.EQUAL}


def test_old_reads_and_a_missing_guard_are_unknown() -> None:
    assert "stale" in compare(moment(scenario.beaten(calm(), ago=-30), 30)).unknown[0]
    assert "cut off" in compare(moment(calm(), cut="gone")).unknown[0]


def test_a_book_that_was_never_read_is_unknown() -> None:
    story = scenario.beaten(scenario.begun())
    assert compare(moment(story)).unknown[0] == "sim1: broker positions not read yet"
    assert not Comparison().equal


def test_the_difference_keeps_every_digit() -> None:
    story = calm().at(0, ev.PositionsRead("sim2", (scenario.position("SPY", -35, "1"),), NOW))
    exact = Decimal("-35.000000000000000000000000001")
    story.at(0, ev.BookRead("maker", (ev.Position("SPY", exact),), ("maker-0101", "maker-0102"), NOW))
    row = settled(story).venues[1].positions[0]
    assert (row.kind, row.difference) == (Break.QTY_BREAK, Decimal("-1E-27"))
