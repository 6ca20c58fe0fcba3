"""What each difference between book and broker is taken for, whose book takes it, and what is never touched."""

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.desk import events as ev
from console.desk.adjust import (
    FORGOTTEN_AFTER,
    BookOrder,
    Execution,
    Fate,
    Ledger,
    Plan,
    Row,
    Seen,
    corrections,
    plan,
    shared,
    stopped,
)
from console.desk.moment import Moment
from console.desk.pull import GateState
from console.desk.reconcile import compare, compare_settled
from console.desk.state import DeskState, fold_all
from tests.support import scenario
from tests.support.scenario import NOW, Story, sampled

D = Decimal
OLD = NOW - 1000


class Account:
    """One venue, halted, with strategies `a` and `b` that both trade AAPL; whatever is not said is empty."""

    def __init__(self, **books: str) -> None:
        self.books = {name: {"AAPL": D(qty)} for name, qty in books.items()}
        self.broker: dict[str, Decimal] = {}
        self.fills: list[ev.Filled] = []
        self.executions: dict[str, tuple[Execution, ...]] = {}
        self.legs: dict[str, tuple[str, ...]] = {}
        self.working: dict[str, tuple[BookOrder, ...]] = {}
        self.at_venue: tuple[ev.Order, ...] = ()
        self.fates: dict[str, Fate] = {}
        self.deaf: set[str] = set()
        self.unknown: tuple[str, ...] = ()
        self.gate = GateState.HALTED
        self.settled = True

    def holds(self, qty: str, symbol: str = "AAPL") -> "Account":
        self.broker[symbol] = D(qty)
        return self

    def fill(
        self, side: str, qty: str, client: str = "", order: str = "o", at: int = OLD, price: str = "10"
    ) -> "Account":
        name = f"e{len(self.fills)}"
        self.fills.insert(0, ev.Filled("v", name, order, client, "AAPL", side, D(qty), D(10), at))
        return self

    def state(self) -> DeskState:
        story = Story()
        info = tuple(ev.StrategyInfo(name, "v", ("AAPL",)) for name in self.books)
        story.at(-9, ev.DeskDescribed("d", "paper", (ev.VenueInfo("v", "alpaca", ""),), info, ""))
        story.at(-8, ev.GateChanged(self.gate, D(0), "test"))
        held = tuple(ev.Position(symbol, qty) for symbol, qty in self.broker.items())
        story.at(-1, ev.PositionsRead("v", held, NOW), ev.OrdersRead("v", self.at_venue, NOW))
        for name, book in self.books.items():
            orders = tuple(order.id for order in self.working.get(name, ()))
            story.at(-1, sampled(name, "m", self.gate, 0, "0", NOW))
            story.at(-1, ev.BookRead(name, _positions(book), orders, NOW, adjusts=name not in self.deaf))
        return fold_all(story.records)

    def seen(self, state: DeskState) -> Seen:
        comparison = compare_settled(state, NOW) if self.settled else compare(Moment(state=state, now=NOW, live=False))
        ledgers = tuple(
            Ledger(
                name,
                _positions(book),
                self.working.get(name, ()),
                self.executions.get(name, ()),
                self.legs.get(name, ()),
            )
            for name, book in self.books.items()
            if name not in self.deaf
        )
        return Seen(comparison.venues[0], ledgers, tuple(self.fills), self.fates, unknown=self.unknown)

    def plan(self) -> Plan:
        state = self.state()
        return plan(state, [self.seen(state)], NOW)


def _positions(book: dict[str, Decimal]) -> tuple[ev.Position, ...]:
    return tuple(ev.Position(symbol, qty, D(9)) for symbol, qty in book.items() if qty)


def leaves(row: Row) -> dict[str, Decimal]:
    return {change.strategy: change.leaves for change in row.adjustment.changes}


def told(made: Plan) -> list[tuple[str, dict[str, Decimal]]]:
    return [(row.kind, leaves(row)) for row in made.rows]


def test_equal_books_need_nothing() -> None:
    assert Account(a="5").holds("5").plan() == Plan()


def test_the_cords_close_is_shared_out_in_proportion() -> None:
    account = Account(a="7", b="3").holds("0").fill("sell", "10")
    (row,) = account.plan().rows
    assert (row.kind, leaves(row), row.barred) == ("UNREPORTED_FILL", {"a": D(0), "b": D(0)}, "")
    assert {change.executions for change in row.adjustment.changes} == {("e0",)}
    part = Account(a="7", b="3").holds("5").fill("sell", "5").plan()
    assert told(part) == [("UNREPORTED_FILL", {"a": D(4), "b": D(1)})], "whole shares, the larger remainder first"
    assert shared(D(4), {"a": D(3), "b": D(7)}) == {"a": D(1), "b": D(3)}, "not the first one, but the nearest"
    assert (part.rows[0].adjustment.broker, part.rows[0].adjustment.book) == ("5", "10")


def test_a_fill_goes_to_the_strategy_that_ordered_it_and_the_rest_to_those_that_hold_it() -> None:
    account = Account(a="7", b="3").holds("0").fill("sell", "14").fill("buy", "4", "b-1")
    assert told(account.plan()) == [
        ("UNREPORTED_FILL", {"b": D(7)}),
        ("UNREPORTED_FILL", {"a": D(0), "b": D(0)}),
    ]
    leg = Account(a="7", b="3").holds("3").fill("sell", "7", "some-uuid", order="l1")
    leg.legs["a"] = ("l1",)
    assert told(leg.plan()) == [("UNREPORTED_FILL", {"a": D(0)})]


def test_a_fill_that_a_book_has_explains_nothing() -> None:
    account = Account(a="7").holds("5").fill("sell", "2")
    account.executions["a"] = (Execution("e0", "AAPL", D(-2), D(10), OLD),)
    assert told(account.plan()) == [("QTY_BREAK", {"a": D(5)})]


def test_a_fill_of_the_book_that_the_venue_does_not_list_is_taken_back_and_one_it_may_have_forgotten_is_not() -> None:
    account = Account(a="7", b="3").holds("6").fill("buy", "1", "a-0", at=NOW - 5000)
    mine = Execution("e0", "AAPL", D(1), D(10), NOW - 5000)
    account.executions["a"] = (mine, Execution("x", "AAPL", D(4), D(10), OLD))
    assert told(account.plan()) == [("PHANTOM_FILL", {"a": D(3)})]
    account.executions["a"] = (mine, Execution("x", "AAPL", D(4), D(10), NOW - FORGOTTEN_AFTER))
    assert [row.kind for row in account.plan().rows] == ["QTY_BREAK"]


def test_what_no_fill_explains_has_to_have_one_owner() -> None:
    alone = Account(a="7").holds("-2").plan()
    assert told(alone) == [("SIDE_MISMATCH", {"a": D(-2)})]
    two = Account(a="7", b="0").holds("9").plan()
    assert two.rows[0].barred.startswith("no fill says whose it is (a, b)")
    ghost = Account(a="0").holds("25", "TSLA").plan()
    assert ghost.rows[0].barred == "no strategy trades it: close it (K, symbol TSLA, 4)"
    assert (two.open, ghost.open) == ((), ())


def test_nothing_is_adjusted_where_a_source_failed() -> None:
    account = Account(a="7").holds("5")
    account.unknown = ("fills HTTP 500",)
    assert account.plan() == Plan((), ("v: fills HTTP 500",))


def test_what_may_only_be_settling_is_left_alone() -> None:
    account = Account(a="7").holds("5")
    account.settled = False
    assert [(row.kind, bool(row.barred)) for row in account.plan().rows] == [("IN_FLIGHT", True)]


def test_nothing_is_adjusted_under_a_strategy_that_may_trade() -> None:
    account = Account(a="7", b="0").holds("5")
    account.gate = GateState.REDUCED
    assert account.plan().rows[0].barred.startswith("a, b may trade it meanwhile")
    account.gate = GateState.CLOSE_ONLY
    assert not account.plan().rows[0].barred
    state = account.state()
    paused = msgspec.structs.replace(sampled("a", "m", GateState.OPEN, 0, "0", NOW), enabled=False)
    opened = fold_all([ev.Record(NOW, "x", "x", ev.GateChanged(GateState.OPEN, D(1), "t"), 1)], state)
    assert not stopped(opened, "a", "AAPL")
    assert stopped(fold_all([ev.Record(NOW, "x", "x", paused)], opened), "a", "AAPL")


def test_a_host_that_takes_no_adjustment_is_named() -> None:
    account = Account(a="7").holds("5")
    account.deaf = {"a"}
    assert account.plan().rows[0].barred.startswith("a: its host takes no adjustment")


@pytest.mark.parametrize(
    ("fate", "age", "kind", "ended", "aside"),
    [
        (Fate("canceled"), 9 * FORGOTTEN_AFTER, "MISSING_AT_BROKER", ("a o1",), ()),
        (Fate(""), FORGOTTEN_AFTER - 1, "MISSING_AT_BROKER", ("a o1",), ()),
        (Fate(""), FORGOTTEN_AFTER, "STALE_PENDING", (), ("a o1",)),
        (Fate("new"), 0, "MISSING_AT_BROKER", (), ()),
        (Fate(unknown="HTTP 500"), 0, "MISSING_AT_BROKER", (), ()),
    ],
)
def test_an_order_that_only_the_book_has(
    fate: Fate, age: int, kind: str, ended: tuple[str, ...], aside: tuple[str, ...]
) -> None:
    account = Account(a="5").holds("5")
    account.working["a"] = (BookOrder("o1", "a-1", NOW - age),)
    account.fates = {"o1": fate}
    (row,) = account.plan().rows
    assert (row.kind, row.adjustment.ended, row.adjustment.set_aside) == (kind, ended, aside)
    assert bool(row.barred) == (not ended and not aside)


def test_an_order_that_only_the_venue_has_is_no_matter_of_a_book() -> None:
    account = Account(a="5").holds("5")
    account.at_venue = (scenario.order("o9", "mobile", "AAPL", "sell", 5),)
    (row,) = account.plan().rows
    assert (row.kind, row.barred) == ("ORPHAN_ORDER", "only the venue has it: cancel it (K 3)")


def test_the_digest_tells_when_either_side_moved() -> None:
    shown = Account(a="7").holds("5").plan().digest
    assert Account(a="7").holds("5").plan().digest == shown
    moved = [Account(a="7").holds("4"), Account(a="8").holds("5"), Account(a="7").holds("5").fill("sell", "2")]
    assert shown not in [each.plan().digest for each in moved]


def test_a_host_is_asked_for_its_own_part_and_what_it_has_to_hold() -> None:
    account = Account(a="7", b="3").holds("0").fill("buy", "4", "b-1").fill("sell", "14")
    state = account.state()
    seen = account.seen(state)
    asked = corrections("id", plan(state, [seen], NOW).rows, seen.ledgers)
    assert asked["a"].holds == {"AAPL": D(7)}
    assert [(take.qty, take.executions) for take in asked["b"].takes] == [(D(4), ("e0",)), (D(-7), ("e1",))]
    only = corrections("id", plan(state, [seen], NOW).rows[:1], seen.ledgers)
    assert list(only) == ["b"]


@given(
    held=st.lists(st.decimals(-500, 500, places=2).filter(bool), min_size=1, max_size=6),
    part=st.fractions(0, 1, max_denominator=97),
)
def test_shares_are_exact_and_nobody_gains_or_turns(held: list[Decimal], part: Fraction) -> None:
    books = {str(number): qty for number, qty in enumerate(held)}
    total = sum(held, D(0))
    target = (total * part.numerator / part.denominator).quantize(D("0.01"))
    found = shared(target, books)
    if total == 0:
        assert found is None
        return
    assert found is not None
    assert sum(found.values()) == target
    for name, qty in books.items():
        assert 0 <= found[name] / qty <= 1
