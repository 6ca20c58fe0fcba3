"""Which open orders may be kept standing: only those that all together can do nothing but reduce."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.protective import mark_protective
from console.desk.events import Order


def order(name, side="sell", qty=10, kind="stop", symbol="AAPL", filled=0, created=0):
    return Order(name, f"c-{name}", symbol, side, Decimal(qty), Decimal(filled), kind, "new", created)


def kept(orders, positions, linked=(), held=()):
    orders = [
        replace(
            each,
            order_class=each.order_class or ("bracket" if each.id in linked else ""),
            status="held" if each.id in held else "new",
        )
        for each in orders
    ]
    marked = mark_protective(orders, {key: Decimal(value) for key, value in positions.items()})
    assert [each.id for each in marked] == [each.id for each in orders]
    return {each.id for each in marked if each.protective}


def test_a_stop_against_the_position_is_protective():
    for kind in ("stop", "stop_limit", "trailing_stop"):
        assert kept([order("a", kind=kind)], {"AAPL": 10}) == {"a"}
    assert kept([order("a", side="buy")], {"AAPL": -10}) == {"a"}


def test_what_could_open_or_flip_is_not():
    assert kept([order("a")], {}) == set()
    assert kept([order("a")], {"MSFT": 10}) == set()
    assert kept([order("a")], {"AAPL": -10}) == set()
    assert kept([order("a", qty=11)], {"AAPL": 10}) == set()
    assert kept([order("a", kind="limit")], {"AAPL": 10}) == set()
    assert kept([order("a", kind="market")], {"AAPL": 10}) == set()


def test_what_is_filled_no_longer_counts():
    assert kept([order("a", qty=11, filled=1)], {"AAPL": 10}) == {"a"}


def test_several_stops_share_the_position_oldest_first():
    orders = [order("late", qty=6, created=2), order("early", qty=6, created=1), order("small", qty=4, created=3)]
    assert kept(orders, {"AAPL": 10}) == {"early", "small"}


def test_both_exits_of_a_bracket_are_protective():
    legs = [order("stop"), order("target", kind="limit")]
    assert kept(legs, {"AAPL": 10}, linked=["stop", "target"], held=["stop"]) == {"stop", "target"}


def test_a_target_beside_a_stop_of_its_own_right_is_not():
    orders = [order("alone"), order("target", kind="limit")]
    assert kept(orders, {"AAPL": 10}, linked=["target"]) == {"alone"}


def test_an_exit_that_nothing_cancels_when_it_fills_shares_with_no_other():
    legs = [replace(order("stop"), order_class="oto"), replace(order("target", kind="limit"), order_class="oto")]
    assert kept(legs, {"AAPL": 10}) == {"stop"}


def test_an_order_whose_size_is_not_known_is_not():
    assert kept([order("by notional", qty=0)], {"AAPL": 10}) == set()


def test_the_parent_of_an_unfilled_bracket_is_not_an_exit():
    # Short, and a bracket that would buy: its parent looks like an exit, but filled it arms legs that sell.
    parent = order("parent", side="buy", kind="limit")
    legs = [order("stop", side="sell"), order("target", side="sell", kind="limit")]
    assert kept([parent, *legs], {"AAPL": -10}, linked=["parent", "stop", "target"], held=["stop", "target"]) == set()


orders = st.lists(
    st.builds(
        order,
        name=st.uuids().map(str),
        side=st.sampled_from(["buy", "sell"]),
        qty=st.integers(1, 20),
        kind=st.sampled_from(["stop", "limit", "market", "trailing_stop"]),
        symbol=st.sampled_from(["AAPL", "MSFT"]),
        created=st.integers(0, 3),
    ),
    max_size=8,
    unique_by=lambda each: each.id,
)


@given(
    orders=orders, positions=st.dictionaries(st.sampled_from(["AAPL", "MSFT"]), st.integers(-30, 30)), data=st.data()
)
def test_all_kept_stops_together_never_pass_zero(orders, positions, data):
    linked = data.draw(st.sets(st.sampled_from([each.id for each in orders]))) if orders else set()
    protective = kept(orders, positions, linked)
    for symbol, position in positions.items():
        stops = [each for each in orders if each.id in protective and each.symbol == symbol]
        assert all(each.side == ("sell" if position > 0 else "buy") for each in stops)
        assert sum(each.qty for each in stops if each.type != "limit") <= abs(position)
        alone = sum(each.qty for each in stops if each.id not in linked)
        targets = sum(each.qty for each in stops if each.type == "limit")
        assert alone + targets <= abs(position) or not targets
