"""A strategy's own book, its models, and what the gate leaves of a wish."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as replace_struct

from adapters.base import Bar, NewOrder
from adapters.gate_client import Answer
from adapters.simulator.strategies import KINDS, model_hash_of
from adapters.simulator.strategies.book import Book, Holding, Moved, day_of
from adapters.simulator.strategies.gatekeeper import allowed
from adapters.simulator.strategies.model import Cancel, Send, View, Working, towards
from adapters.simulator.strategies.models import make_model
from console.desk.adjust import Correction, Take
from console.desk.events import Filled, Order

D = Decimal
AT = 1_700_000_000_000_000_000


def fill(execution, qty=5, side="buy", price="10", client="momentum-1", order="o1"):
    return Filled("sim1", execution, order, client, "AAPL", side, D(qty), D(price), AT)


def order(client="momentum-1", status="new", legs=(), order_id="o1"):
    return Order(order_id, client, "AAPL", "buy", D(10), D(0), "market", status, 1, legs=legs)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "momentum" / "book.jsonl"


def snapshot(book):
    also = book.set_aside, book.corrected, book.given
    return book.holdings, book.entries, book.executions, book.legs, book.realised, book.enabled, book.sent, also


# --- the book ---------------------------------------------------------------------------------------------------------


def test_an_order_lives_from_intention_to_its_last_fill(path):
    book = Book("momentum", path)
    book.intend(NewOrder("momentum-1", "AAPL", "buy", D(10)))
    assert book.unsettled() == ["momentum-1"]
    book.acked(order())
    assert [each.order_id for each in book.working("AAPL")] == ["o1"]
    assert book.filled(fill("e1"))
    assert not book.filled(fill("e1")), "an execution counts once"
    assert [each.rest for each in book.working("AAPL")] == [5]
    assert book.filled(fill("e2"))
    assert book.working("AAPL") == []
    assert book.position("AAPL") == 10


def test_what_others_do_is_not_in_the_book(path):
    book = Book("momentum", path)
    assert not book.filled(fill("e1", client="reversion-1"))
    assert not book.filled(fill("e2", client=""))
    book.heard(order(client="reversion-1", status="canceled"))
    assert book.position("AAPL") == 0


def test_legs_belong_to_the_book_even_when_their_parent_filled_before_it_was_acknowledged(path):
    book = Book("momentum", path)
    book.intend(NewOrder("momentum-1", "AAPL", "buy", D(10)))
    book.filled(fill("e1", qty=10))
    book.acked(order(legs=("l1", "l2")))
    assert [(each.order_id, each.side, each.leg) for each in book.working("AAPL")] == [
        ("l1", "sell", True),
        ("l2", "sell", True),
    ]
    assert book.filled(fill("e2", qty=10, side="sell", client="some-uuid", order="l1"))
    book.heard(order(client="other-uuid", status="canceled", order_id="l2"))
    assert book.working("AAPL") == []
    assert book.position("AAPL") == 0


def test_a_restart_continues_the_book_and_cuts_off_a_torn_line(path):
    book = Book("momentum", path)
    book.intend(NewOrder("momentum-1", "AAPL", "buy", D(10), limit_price=D("9.5")))
    book.acked(order(legs=("l1",)))
    book.filled(fill("e1"))
    book.intend(NewOrder("momentum-2", "AAPL", "buy", D(1)))
    book.enable(False)
    book.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"do": "fill", "execution')
    again = Book("momentum", path)
    assert snapshot(again) == snapshot(book)
    assert path.read_bytes() == whole
    assert not again.filled(fill("e1"))
    again.dropped("momentum-2")
    assert again.sent == 1


def test_a_correction_is_taken_whole_or_not_at_all_and_once(path):
    book = Book("momentum", path)
    book.intend(NewOrder("momentum-1", "AAPL", "buy", D(10)))
    book.acked(order())
    book.filled(fill("e1", qty=8))
    asked = Correction("c1", {"AAPL": D(8)}, (Take("AAPL", D(-8), D(12), ("x1", "x2"), AT),), ended=("o1",))
    with pytest.raises(Moved, match="AAPL: 8 is held, not 7"):
        book.correct(replace_struct(asked, holds={"AAPL": D(7)}))
    with pytest.raises(Moved, match="fill e1 is in the book already"):
        book.correct(replace_struct(asked, takes=(Take("AAPL", D(-8), D(12), ("x1", "e1")),)))
    assert (book.position("AAPL"), len(book.working("AAPL"))) == (8, 1)
    book.correct(asked)
    book.correct(asked)
    assert (book.position("AAPL"), book.working("AAPL")) == (0, [])
    assert book.realised[day_of(AT)] == 16
    assert not book.filled(fill("x2", side="sell")), "what was given is not taken again"
    book.correct(Correction("c2", {}, set_aside=("o9",)))
    book.close()
    again = Book("momentum", path)
    assert snapshot(again) == snapshot(book)
    again.correct(asked)
    assert again.position("AAPL") == 0


def test_a_ledger_tells_the_newest_fills_and_says_whether_they_are_all(path, monkeypatch):
    monkeypatch.setattr("adapters.simulator.strategies.book.LEDGER_EXECUTIONS", 2)
    book = Book("momentum", path)
    for number in range(3):
        book.filled(fill(f"e{number}"))
    told = book.ledger()
    assert ([each.id for each in told.executions], told.complete) == (["e2", "e1"], False)
    assert (told.held("AAPL"), told.tells(AT - 1), told.tells(AT)) == (15, False, True)


@given(fills=st.lists(st.tuples(st.integers(1, 9), st.sampled_from([1, -1]), st.integers(1, 50)), max_size=30))
def test_profit_is_what_cash_and_position_say(fills):
    """Realised plus the worth of what is held equals the cash flow plus the worth of the whole position."""
    holding, realised, cash = Holding(), D(0), D(0)
    for qty, sign, price in fills:
        realised += holding.take(D(qty * sign), D(price))
        cash -= D(qty * sign) * D(price)
    mark = D(25)
    assert holding.qty == sum(qty * sign for qty, sign, _ in fills)
    assert abs(realised + holding.qty * (mark - holding.price) - (cash + holding.qty * mark)) < D("1e-15")


# --- what the gate leaves ---------------------------------------------------------------------------------------------


def test_the_gate_makes_wishes_smaller():
    wish = Send("sell", D(10), take_profit=D(1), stop_loss=D(2))
    assert allowed(wish, Answer("OPEN", "1", "1", ""), D(0)) == wish
    assert allowed(wish, Answer("OPEN", "1", "1", ""), D(10)) == Send("sell", D(10)), "what only closes needs no exits"
    assert allowed(replace(wish, qty=D(0)), Answer("OPEN", "1", "1", ""), D(0)) is None
    assert allowed(wish, Answer("HALTED", "0", "0", ""), D(10)) is None
    assert allowed(wish, Answer("CLOSE_ONLY", "0", "0", ""), D(0)) is None
    assert allowed(wish, Answer("CLOSE_ONLY", "0", "0", ""), D(4)) == Send("sell", D(4))
    assert allowed(wish, Answer("REDUCED", "0.25", "1", ""), D(0)) == replace(wish, qty=D(2))
    assert allowed(wish, Answer("REDUCED", "0.01", "1", ""), D(0)) is None
    assert allowed(wish, Answer("REDUCED", "0.25", "1", ""), D(10)) == Send("sell", D(10)), "closing is not throttled"


# --- the models -------------------------------------------------------------------------------------------------------


def bars(*closes):
    start = 1_700_000_000_000_000_000
    return tuple(
        Bar("AAPL", start + number * 60_000_000_000, 60, D(close), D(close), D(close), D(close), D(100))
        for number, close in enumerate(closes)
    )


def test_a_position_is_closed_before_the_other_side_is_opened():
    assert towards(D(8), D(-8), D(4)) == ("sell", D(8))
    assert towards(D(0), D(-8), D(4)) == ("sell", D(8))
    assert towards(D(8), D(10), D(4)) is None
    assert towards(D(3), D(0), D(4)) == ("sell", D(3))
    assert towards(D(8), D(8), D(4)) is None


def test_momentum_goes_with_the_move_and_takes_its_bracket_away_before_it_turns():
    model = make_model("momentum", 1)
    (wish,) = model.decide(View("AAPL", bars(100, 100, 100, 101), D(0), ()))
    assert wish.side == "buy"
    leg = Working("l1", "sell", D(4), leg=True)
    assert model.decide(View("AAPL", bars(100, 100, 100, 99), D(4), (leg,))) == [Cancel("l1")]
    assert model.decide(View("AAPL", bars(100, 100, 100, 101), D(4), (leg,))) == []


def test_some_entries_of_momentum_are_brackets_on_the_right_sides():
    model = make_model("momentum", 1)
    rising, falling = bars(*range(100, 160)), bars(*range(160, 100, -1))
    for history, side in ((rising, "buy"), (falling, "sell")):
        wishes = [model.decide(View("AAPL", history[: 5 + n], D(0), ()))[0] for n in range(50)]
        brackets = [wish for wish in wishes if wish.stop_loss is not None]
        assert 3 <= len(brackets) <= 30
        assert {wish.side for wish in wishes} == {side}
        assert all((wish.take_profit > wish.stop_loss) == (side == "buy") for wish in brackets)


def test_mean_reversion_goes_against_the_move():
    model = make_model("mean_reversion", 1)
    (wish,) = model.decide(View("AAPL", bars(100, 100, 100, 100, 100, 101), D(0), ()))
    assert (wish.side, wish.type) == ("sell", "limit")
    assert wish.limit_price < 101


def test_market_making_keeps_good_quotes_and_replaces_stale_ones():
    model = make_model("market_making", 1)
    quotes = model.decide(View("AAPL", bars(100), D(0), ()))
    assert [each.side for each in quotes] == ["buy"] * 3 + ["sell"] * 3
    standing = [Working(str(n), each.side, each.qty, each.limit_price) for n, each in enumerate(quotes)]
    assert model.decide(View("AAPL", bars(100), D(0), standing)) == []
    moved = model.decide(View("AAPL", bars(100, "100.12"), D(0), standing))
    assert any(isinstance(wish, Cancel) for wish in moved)
    assert any(isinstance(wish, Send) for wish in moved)


def test_market_making_never_closes_more_than_it_has_nor_grows_past_its_limit():
    model = make_model("market_making", 1)
    long = model.decide(View("AAPL", bars(100), D(6), ()))
    assert sum(each.qty for each in long if each.side == "sell") <= 6
    full = model.decide(View("AAPL", bars(100), D(24), ()))
    assert all(each.side == "sell" for each in full)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_the_same_for_one_seed_and_its_hash_says_so(kind):
    assert model_hash_of(kind, 1) == model_hash_of(kind, 1)
    assert len({model_hash_of(each, seed) for each in KINDS for seed in (1, 2)}) == 2 * len(KINDS)
    history = bars(100, 101, 99, 102, 98, 103, 100, 104)
    view = View("AAPL", history, D(0), ())
    assert make_model(kind, 1).decide(view) == make_model(kind, 1).decide(view)
    assert make_model(kind, 1).predict(history) == make_model(kind, 2).predict(history)


def test_a_prediction_needs_enough_bars():
    assert make_model("momentum", 1).predict(bars(1, 2, 3)) is None
    assert make_model("mean_reversion", 1).predict(bars(1, 2, 3)) is None
    assert make_model("mean_reversion", 1).decide(View("AAPL", bars(1, 2), D(0), ())) == []


def test_the_books_file_is_one_object_a_line(path):
    book = Book("momentum", path)
    book.intend(NewOrder("momentum-1", "AAPL", "buy", D("0.1")))
    book.filled(fill("e1"))
    book.close()
    assert [json.loads(line)["do"] for line in path.read_text().splitlines()] == ["intend", "fill"]
