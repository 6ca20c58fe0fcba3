"""The simulated broker's pure parts: sessions by rule, a market from its seed, and the life of orders."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from adapters.simulator import matching
from adapters.simulator.account import STARTING_CASH, Account, Image, Opened
from adapters.simulator.market import CLOSED_PERIOD, LISTINGS, MINUTE, Market, MarketClock, Quote
from adapters.simulator.orders import FILLED, OPEN, Order, Refusal
from adapters.simulator.sessions import SECOND, following, new_york_offset, preceding, session_from, session_on
from adapters.simulator.store import Kept

DAY = session_from(date(2026, 3, 4))


# --- sessions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "holiday",
    [
        "2025-01-01", "2025-01-20", "2025-02-17", "2025-04-18", "2025-05-26", "2025-06-19", "2025-07-04", "2025-09-01",
        "2025-11-27", "2025-12-25", "2026-04-03", "2026-06-19", "2026-07-03", "2027-06-18", "2027-07-05", "2027-12-24",
        "2023-01-02", "2024-03-29",
    ],
)  # fmt: skip
def test_the_exchange_is_closed_on_its_holidays_and_their_observed_days(holiday: str) -> None:
    assert session_on(date.fromisoformat(holiday)) is None


@pytest.mark.parametrize("day", ["2021-12-31", "2025-11-28", "2026-12-24", "2025-07-03", "2026-10-12"])
def test_the_exchange_is_open_on_the_days_beside_them(day: str) -> None:
    assert session_on(date.fromisoformat(day)) is not None


@pytest.mark.parametrize(
    ("day", "hours"), [("2025-07-03", 3.5), ("2025-11-28", 3.5), ("2025-12-24", 3.5), ("2025-12-23", 6.5)]
)
def test_early_closes_are_three_hours_shorter(day: str, hours: float) -> None:
    session = session_on(date.fromisoformat(day))
    assert session is not None
    assert session.seconds == hours * 3600


@pytest.mark.parametrize(("year", "sessions"), [(2022, 251), (2023, 250), (2024, 252)])
def test_a_year_has_as_many_sessions_as_the_exchange_had(year: int, sessions: int) -> None:
    days = (date(year, 1, 1) + timedelta(days=offset) for offset in range(366))
    assert sum(session_on(day) is not None for day in days if day.year == year) == sessions


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-07", -5), ("2026-03-08", -4), ("2026-10-31", -4), ("2026-11-01", -5)]
)
def test_new_york_keeps_summer_time(day: str, hours: int) -> None:
    assert new_york_offset(date.fromisoformat(day)) == timedelta(hours=hours)


# --- market ----------------------------------------------------------------------------------------------------------


def test_one_seed_makes_one_market_in_whatever_order_it_is_looked_at() -> None:
    forward, backward = Market(11, DAY), Market(11, DAY)
    times = [DAY.open + offset * 61 * SECOND for offset in range(380)] + [following(DAY).open + 5 * SECOND]
    seen = {(at, symbol): forward.quote(symbol, at) for at in times for symbol in ("AAPL", "XOM")}
    assert {key: backward.quote(key[1], key[0]) for key in reversed(seen)} == seen
    assert list(forward.minute_bars("KO", 0, DAY.close, DAY.close)) == list(
        backward.minute_bars("KO", 0, DAY.close, DAY.close)
    )


def test_bars_newest_first_are_the_same_bars_the_other_way_round_and_only_those_asked_for_are_drawn() -> None:
    oldest, newest = Market(11, DAY), Market(11, DAY)
    span = ("KO", preceding(DAY).open + 90 * SECOND, DAY.close, DAY.open + 100 * MINUTE)
    backward = newest.minute_bars(*span, newest_first=True)
    last = [next(backward) for _ in range(3)]
    assert newest._bars.cache_info().misses == 3
    assert [*last, *backward] == list(oldest.minute_bars(*span))[::-1]


def test_prices_depend_on_the_session_number_and_not_on_the_date() -> None:
    other = session_from(date(2027, 9, 7))
    one, two = Market(5, DAY), Market(5, other)
    for offset in (0, 1, 3599, 23399):
        at = offset * SECOND
        assert one.quote("MSFT", DAY.open + at).last == two.quote("MSFT", other.open + at).last


def test_another_seed_makes_another_market() -> None:
    at = DAY.open + 1000 * SECOND
    assert any(Market(1, DAY).quote(s, at).last != Market(2, DAY).quote(s, at).last for s in LISTINGS)


def test_bars_hold_the_prices_that_were_quoted() -> None:
    market = Market(3, DAY)
    (bar,) = market.minute_bars("NVDA", DAY.open + 7 * MINUTE, DAY.open + 7 * MINUTE, DAY.close)
    lasts = [market.quote("NVDA", bar.start + second * SECOND).last for second in range(60)]
    assert (bar.open, bar.high, bar.low, bar.close) == (lasts[0], max(lasts), min(lasts), lasts[-1])
    assert bar.low <= bar.vwap <= bar.high


def test_a_bar_appears_when_its_minute_is_over_and_not_before() -> None:
    market = Market(3, DAY)
    end = DAY.open + 3 * MINUTE
    assert len(list(market.minute_bars("KO", DAY.open, DAY.close, end - 1))) == 2
    assert len(list(market.minute_bars("KO", DAY.open, DAY.close, end))) == 3


def test_the_clock_skips_the_night_and_never_goes_back() -> None:
    clock = MarketClock(DAY.close - SECOND, speed=60)
    seen = []
    for _ in range(20):
        clock.advance(SECOND)
        seen.append((clock.now, clock.is_open))
    assert all(after > before for (before, _), (after, _) in pairwise(seen))
    closed = [now for now, is_open in seen if not is_open]
    assert closed
    assert max(closed) < DAY.close + CLOSED_PERIOD
    assert seen[-1][1]
    assert clock.session == following(DAY)


# --- orders ----------------------------------------------------------------------------------------------------------


def account() -> Account:
    return Account(Opened("sim1", "id", "SIM1", "key", "secret", STARTING_CASH, DAY.open))


def quote(last: str = "100", size: int = 1000, symbol: str = "AAPL") -> Quote:
    price, half = Decimal(last), Decimal("0.01")
    return Quote(symbol, DAY.open, price - half, price + half, price, size)


def send(book: Account, now: Quote | None = None, **fields: object) -> Order:
    now = now or quote()
    body = {"symbol": "AAPL", "side": "buy", "qty": "10", "type": "market", "time_in_force": "day"} | fields
    return matching.submit(book, body, now, book.buying_power(lambda _: now.last), DAY.open)


def live(book: Account, order: Order, now: Quote | None = None) -> Order:
    matching.activate(book, order, now or quote(), DAY.open)
    return order


def trade(book: Account, **fields: object) -> Order:
    return live(book, send(book, **fields))


def prints(book: Account, now: Quote, low: str | None = None, high: str | None = None) -> None:
    for order in book.open_orders():
        if order.status in ("new", "partially_filled"):
            matching.match(book, order, now, Decimal(low or now.last), Decimal(high or now.last), DAY.open)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as caught:
        call()
    return str(caught.value)


def test_a_market_order_fills_at_the_touch_and_in_parts_where_little_is_shown() -> None:
    book = account()
    order = live(book, send(book, qty="25"), quote(size=10))
    assert (order.status, order.filled_qty) == ("partially_filled", 10)
    prints(book, quote("101", size=10))
    prints(book, quote("102", size=10))
    assert (order.status, order.filled_qty) == (FILLED, 25)
    assert [(fill.qty, fill.price) for fill in book.fills] == [
        (10, Decimal("100.01")), (10, Decimal("101.01")), (5, Decimal("102.01")),
    ]  # fmt: skip


def test_a_limit_order_rests_until_its_price_was_traded() -> None:
    book = account()
    order = trade(book, type="limit", limit_price="99.50")
    assert order.status == "new"
    prints(book, quote("100"), low="99.60")
    assert order.status == "new"
    prints(book, quote("100"), low="99.49")
    assert order.status == FILLED
    assert order.average == Decimal("99.50")


def test_a_marketable_limit_order_gets_the_better_price() -> None:
    book = account()
    assert trade(book, type="limit", limit_price="105").average == Decimal("100.01")


def test_a_stop_becomes_a_market_order_and_a_stop_limit_a_limit_order() -> None:
    book = account()
    stop = trade(book, type="stop", stop_price="101")
    limited = trade(book, type="stop_limit", stop_price="101", limit_price="100.50")
    prints(book, quote("101.50"), high="101.60")
    assert stop.average == Decimal("101.51")
    assert limited.status == "new"
    prints(book, quote("100.40"))
    assert limited.status == FILLED


@pytest.mark.parametrize("distance", [{"trail_price": "2"}, {"trail_percent": 2}])
def test_a_trailing_stop_follows_the_best_price_and_never_the_other_way(distance: dict[str, object]) -> None:
    book = account()
    trade(book)
    stop = trade(book, side="sell", type="trailing_stop", **distance)
    assert (stop.hwm, stop.stop_price) == (100, 98)
    prints(book, quote("104"), low="101", high="105")
    assert stop.hwm == 105
    raised = stop.stop_price
    assert raised in (Decimal(103), Decimal("102.90"))
    prints(book, quote("103.50"))
    assert (stop.stop_price, stop.status) == (raised, "new")
    prints(book, quote("102"), low="101.90")
    assert (stop.status, stop.average) == (FILLED, Decimal("101.99"))


def test_a_stop_limit_that_was_triggered_stays_so_after_a_crash() -> None:
    book = account()
    order = trade(book, type="stop_limit", stop_price="101", limit_price="100.50")
    replica = Account.restored(msgspec.json.decode(msgspec.json.encode(book.image()), type=Image))
    book.drain()
    prints(book, quote("101.50"))
    for change in book.drain()[0]:
        replica.apply(change)
    assert replica.orders[order.id].triggered


def test_immediate_or_cancel_and_fill_or_kill_never_rest() -> None:
    book = account()
    part = live(book, send(book, qty="25", time_in_force="ioc"), quote(size=10))
    whole = live(book, send(book, qty="25", time_in_force="fok"), quote(size=10))
    assert (part.status, part.filled_qty) == ("canceled", 10)
    assert (whole.status, whole.filled_qty) == ("canceled", 0)


def test_the_exits_of_a_bracket_wake_behind_the_entry_and_end_each_other() -> None:
    book = account()
    entry = send(
        book, order_class="bracket", take_profit={"limit_price": 110}, stop_loss={"stop_price": "90", "limit_price": 89}
    )
    profit, stop = matching.group(book, entry)
    assert (profit.status, stop.status) == ("held", "held")
    live(book, entry)
    assert (profit.status, stop.status) == ("new", "new")
    assert book.available("AAPL", Decimal(100)) == 0  # both exits share the ten shares
    prints(book, quote("111"))
    assert (profit.status, stop.status) == (FILLED, "canceled")
    assert book.holdings == {}


def test_a_partly_filled_exit_shrinks_the_other_one() -> None:
    book = account()
    entry = send(book, order_class="bracket", take_profit={"limit_price": 110}, stop_loss={"stop_price": 90})
    live(book, entry)
    profit, stop = matching.group(book, entry)
    prints(book, quote("111", size=4))
    assert (profit.filled_qty, stop.qty) == (4, 6)
    prints(book, quote("89"))
    assert (profit.status, stop.status) == ("canceled", FILLED)
    assert book.holdings == {}


def test_cancelling_one_of_a_group_cancels_the_group() -> None:
    book = account()
    trade(book)
    order = send(
        book,
        side="sell",
        type="limit",
        order_class="oco",
        take_profit={"limit_price": 110},
        stop_loss={"stop_price": 90},
    )
    (stop,) = matching.group(book, order)
    matching.ask_cancel(book, stop, DAY.open)
    matching.settle_cancel(book, stop, DAY.open)
    assert (order.status, stop.status) == ("canceled", "canceled")


def test_what_another_close_has_taken_can_not_be_closed_again() -> None:
    book = account()
    trade(book)
    matching.close(book, "AAPL", None, Decimal(100), DAY.open)
    assert refusal(lambda: matching.close(book, "AAPL", None, Decimal(100), DAY.open)) == (
        "insufficient qty available for order (requested: 10, available: 0)"
    )
    assert "insufficient qty" in refusal(lambda: send(book, side="sell", qty="1"))


def test_a_replaced_order_hands_its_rest_to_its_successor() -> None:
    book = account()
    order = live(book, send(book, qty="10", type="limit", limit_price="101"), quote(size=4))
    successor = matching.replace(book, order, {"qty": 12, "limit_price": 99}, quote(), Decimal(10**6), DAY.open)
    assert (order.status, order.replaced_by, successor.replaces) == ("replaced", successor.id, order.id)
    assert successor.qty == 8
    assert [o.id for o in book.open_orders()] == [successor.id]


def test_a_refused_replacement_changes_nothing() -> None:
    book = account()
    order = trade(book, type="limit", limit_price="90")
    assert "buying power" in refusal(
        lambda: matching.replace(book, order, {"qty": 10**6}, quote(), Decimal(1000), DAY.open)
    )
    assert order.status == "new"
    assert book.open_orders() == [order]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"symbol": "NOPE"}, 'asset "NOPE" not found'),
        ({"qty": "0"}, "qty must be > 0"),
        ({"qty": True}, "invalid qty: True"),
        ({"qty": "x"}, "invalid qty: x"),
        ({"notional": 5}, "only one of qty or notional is accepted"),
        ({"side": "hold"}, "invalid side: hold"),
        ({"type": "limit"}, "limit orders require limit_price"),
        ({"limit_price": 5}, "market orders must not have limit_price"),
        ({"type": "limit", "limit_price": "100.001"}, "invalid limit_price 100.001. sub-penny increment"),
        ({"time_in_force": "opg"}, "invalid time in force: opg"),
        ({"type": "trailing_stop"}, "require one of trail_price and trail_percent"),
        ({"trail_price": 1}, "require one of trail_price and trail_percent"),
        ({"qty": "1.5", "time_in_force": "gtc"}, "fractional orders must be DAY orders"),
        ({"qty": "1.5", "order_class": "bracket"}, "fractional orders must be simple orders"),
        ({"qty": "1.5", "side": "sell"}, "fractional orders cannot be sold short"),
        ({"qty": "1000000"}, "insufficient buying power"),
        ({"order_class": "bracket", "take_profit": {"limit_price": 110}}, "bracket orders require"),
        (
            {"order_class": "bracket", "take_profit": {"limit_price": 90}, "stop_loss": {"stop_price": 95}},
            "take_profit.limit_price must be > stop_loss.stop_price",
        ),
    ],
)
def test_what_the_broker_does_not_accept_it_refuses_with_a_reason(fields: dict[str, object], message: str) -> None:
    book = account()
    assert message in refusal(lambda: send(book, **fields))
    assert book.orders == {}


def test_a_client_order_id_is_used_once() -> None:
    book = account()
    send(book, client_order_id="momentum-1")
    assert refusal(lambda: send(book, client_order_id="momentum-1")) == "client_order_id must be unique"


def test_a_suspended_account_takes_no_order_and_no_close_but_cancels() -> None:
    book = account()
    trade(book)
    rests = trade(book, type="limit", limit_price="90")
    book.configurations.suspend_trade = True
    assert "rejected by user request" in refusal(lambda: send(book))
    assert "rejected by user request" in refusal(lambda: matching.close(book, "AAPL", None, Decimal(100), DAY.open))
    matching.ask_cancel(book, rests, DAY.open)
    matching.settle_cancel(book, rests, DAY.open)
    assert rests.status == "canceled"


class OrderLife(RuleBasedStateMachine):
    """Anything may happen to an account; money, shares and quantities stay accounted for."""

    def __init__(self) -> None:
        super().__init__()
        self.book = account()
        self.last = {"AAPL": Decimal(100), "KO": Decimal(50)}
        self.replica = account()

    def quote(self, symbol: str, size: int = 7) -> Quote:
        return quote(str(self.last[symbol]), size, symbol)

    symbols = st.sampled_from(["AAPL", "KO"])
    sides = st.sampled_from(["buy", "sell"])

    def attempt(self, call: Callable[[], object]) -> None:
        before = self.book.image()
        counts = len(before.orders), len(self.book.fills), self.book.cash
        try:
            call()
        except Refusal:
            assert (len(self.book.orders), len(self.book.fills), self.book.cash) == counts

    @rule(symbol=symbols, side=sides, qty=st.integers(1, 30), tif=st.sampled_from(["day", "gtc", "ioc", "fok"]))
    def send_market(self, symbol: str, side: str, qty: int, tif: str) -> None:
        self.attempt(lambda: send(self.book, self.quote(symbol), symbol=symbol, side=side, qty=qty, time_in_force=tif))

    @rule(
        symbol=symbols,
        side=sides,
        qty=st.integers(1, 30),
        away=st.integers(-300, 300),
        kind=st.sampled_from(["limit", "stop", "stop_limit", "trailing_stop"]),
    )
    def send_priced(self, symbol: str, side: str, qty: int, away: int, kind: str) -> None:
        price = self.last[symbol] + Decimal(away) / 100
        fields: dict[str, object] = {
            "limit": {"limit_price": price},
            "stop": {"stop_price": price},
            "stop_limit": {"stop_price": price, "limit_price": price - Decimal("0.50")},
            "trailing_stop": {"trail_price": abs(Decimal(away)) / 100 + 1},
        }[kind]
        self.attempt(
            lambda: send(self.book, self.quote(symbol), symbol=symbol, side=side, qty=qty, type=kind, **fields)
        )

    @rule(symbol=symbols, side=sides, qty=st.integers(1, 30), kind=st.sampled_from(["bracket", "oco"]))
    def send_group(self, symbol: str, side: str, qty: int, kind: str) -> None:
        exit_is_up = (side == "buy") == (kind == "bracket")
        up, down = self.last[symbol] + 2, self.last[symbol] - 2
        fields = {
            "order_class": kind,
            "take_profit": {"limit_price": up if exit_is_up else down},
            "stop_loss": {"stop_price": down if exit_is_up else up},
            "type": "market" if kind == "bracket" else "limit",
        }
        self.attempt(lambda: send(self.book, self.quote(symbol), symbol=symbol, side=side, qty=qty, **fields))

    @rule(symbol=symbols, qty=st.none() | st.decimals(Decimal("0.1"), 20, places=1))
    def close(self, symbol: str, qty: Decimal | None) -> None:
        self.attempt(lambda: matching.close(self.book, symbol, qty, self.last[symbol], DAY.open))

    @rule(pick=st.integers(0, 100), settle=st.booleans())
    def cancel(self, pick: int, settle: bool) -> None:
        orders = list(self.book.orders.values())
        if orders:
            order = orders[pick % len(orders)]
            self.attempt(lambda: matching.ask_cancel(self.book, order, DAY.open))
            if settle:
                matching.settle_cancel(self.book, order, DAY.open)

    @rule(pick=st.integers(0, 100), qty=st.integers(1, 30))
    def replace(self, pick: int, qty: int) -> None:
        orders = self.book.open_orders()
        if orders:
            order = orders[pick % len(orders)]
            power = self.book.buying_power(self.last.__getitem__)
            self.attempt(
                lambda: matching.replace(self.book, order, {"qty": qty}, self.quote(order.symbol), power, DAY.open)
            )

    @rule(pick=st.integers(0, 100))
    def fill_late(self, pick: int) -> None:
        orders = list(self.book.orders.values())
        if orders:
            order = orders[pick % len(orders)]
            matching.fill_after_cancel(self.book, order, self.quote(order.symbol), DAY.open)

    @rule(symbol=symbols, move=st.integers(-400, 400), size=st.integers(1, 40))
    def market_moves(self, symbol: str, move: int, size: int) -> None:
        before = self.last[symbol]
        self.last[symbol] = now = max(Decimal(10), before + Decimal(move) / 100)
        at = self.quote(symbol, size)
        for order in self.book.open_in(symbol):
            held = self.book.position(symbol)
            if order.status == "accepted":
                matching.activate(self.book, order, at, DAY.open)
            elif order.status in ("new", "partially_filled"):
                matching.match(self.book, order, at, min(before, now), max(before, now), DAY.open)
            after = self.book.position(symbol)
            if order.closes:
                assert held * after >= 0, "a closing order flipped the position"
                assert abs(after) <= abs(held), "a closing order made the position larger"

    @rule()
    def session_ends(self) -> None:
        matching.expire(self.book, DAY.close, DAY.close)

    @invariant()
    def money_and_shares_come_from_fills_alone(self) -> None:
        cash = STARTING_CASH
        shares: dict[str, Decimal] = {}
        for fill in self.book.fills:
            signed = fill.qty if fill.side == "buy" else -fill.qty
            cash -= signed * fill.price
            shares[fill.symbol] = shares.get(fill.symbol, Decimal(0)) + signed
        assert self.book.cash == cash
        assert {s: h.qty for s, h in self.book.holdings.items()} == {s: q for s, q in shares.items() if q}

    @invariant()
    def no_order_fills_more_than_its_quantity(self) -> None:
        filled: dict[str, Decimal] = {}
        for fill in self.book.fills:
            filled[fill.order_id] = filled.get(fill.order_id, Decimal(0)) + fill.qty
        for order in self.book.orders.values():
            assert order.filled_qty == filled.get(order.id, 0)
            assert order.qty is not None
            assert order.filled_qty <= order.qty
            assert (order.status == FILLED) == (order.filled_qty == order.qty)

    @invariant()
    def open_orders_are_exactly_those_that_have_not_ended(self) -> None:
        assert {o.id for o in self.book.open_orders()} == {o.id for o in self.book.orders.values() if o.status in OPEN}

    @invariant()
    def an_account_is_restored_from_its_changes_as_it_was(self) -> None:
        changes, _ = self.book.drain()
        line = msgspec.json.encode(Kept(DAY.open, None, {"sim1": changes}))
        for change in msgspec.json.decode(line, type=Kept).changes["sim1"]:
            self.replica.apply(change)
        assert self.replica.image() == self.book.image()
        assert Account.restored(self.book.image()).image() == self.book.image()


OrderLife.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestOrderLife = OrderLife.TestCase
