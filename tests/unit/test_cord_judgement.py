"""What a pull claims at one venue follows from complete looks alone."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from console.cord.closes import SETTLE, Closes
from console.cord.forms import Outcome, Row
from console.cord.keeping import Keeping
from console.cord.look import Look
from console.cord.request import PullRequest
from console.cord.task import Task
from console.desk.pull import Verdict

FIELDS = {"id": "id", "symbol": "symbol", "client": "client", "status": "status", "side": "side", "qty": "qty"}
FILL = {"id": "id", "symbol": "symbol", "order": "order"}


def order(name: str, symbol: str = "AAPL", side: str = "buy", client: str = "momentum-1", qty: str = "1") -> Row:
    told = {"id": name, "symbol": symbol, "side": side, "client": client, "status": "new", "qty": qty}
    return Row(told, FIELDS)


def fill(name: str, of: str, symbol: str = "AAPL") -> Row:
    return Row({"id": name, "symbol": symbol, "order": of}, FILL)


def look(at: float, **shown: Any) -> Look:
    seen = Look(at, shown.get("open", []), shown.get("new", []), shown.get("fills", []), shown.get("positions", {}))
    seen.ts = int(at * 1e9) + 1
    return seen


def task(level: str = "L3", scope: str = "desk", quiet: float = 60.0) -> Task:
    return Task(PullRequest(level=level, scope=scope), "sim1", quiet, 100.0)


def judge(pull: Task, seen: Look, own: frozenset[str] = frozenset(), waiting: tuple[str, ...] = ()) -> Verdict:
    pull.judge(seen, own, seen.begun, waiting, "")
    return pull.verdict


def test_an_order_that_stands_past_the_grace_makes_it_partial_and_is_named() -> None:
    pull = task()
    assert judge(pull, look(100.5, open=[order("o1")])) is Verdict.REQUESTED
    assert judge(pull, look(103, open=[order("o1")])) is Verdict.PARTIAL
    assert pull.standing == ("o1",)
    assert pull.t_blocked == 0


def test_an_order_that_may_protect_is_neither_cancelled_nor_taken_for_gone_until_it_is_known() -> None:
    pull = Task(PullRequest(level="L3", scope="desk", keep_protective=True), "sim1", 60.0, 100.0)
    seen = look(103, open=[order("s1")])
    seen.keeping = Keeping(doubted=frozenset({"s1"}))
    assert judge(pull, seen) is Verdict.PARTIAL
    assert (pull.standing, pull.kept, pull.t_blocked) == (("s1",), (), 0)
    assert pull.orders_to_cancel(seen, frozenset()) == []


def test_an_order_the_venue_refused_to_cancel_is_partial_at_once() -> None:
    pull = task()
    pull.refused["o1"] = "the venue refused to cancel it"
    assert judge(pull, look(100.1, open=[order("o1")])) is Verdict.PARTIAL
    assert "refused" in pull.why


def test_verified_needs_a_look_begun_after_the_whole_quiet_interval() -> None:
    pull = task(quiet=60)
    assert judge(pull, look(101)) is Verdict.REQUESTED
    assert judge(pull, look(160.9)) is Verdict.REQUESTED
    assert judge(pull, look(161.1)) is Verdict.VERIFIED
    assert pull.t_blocked < pull.t_verified


def test_a_late_fill_and_a_new_order_restart_the_quiet_clock() -> None:
    pull = task(quiet=60)
    judge(pull, look(101))
    judge(pull, look(150, fills=[fill("f1", "o1")]))
    assert "late fill" in pull.quiet_why
    assert judge(pull, look(205)) is Verdict.REQUESTED
    judge(pull, look(206, new=[order("n1")]))
    assert "n1" in pull.quiet_why
    assert judge(pull, look(262)) is Verdict.REQUESTED
    assert judge(pull, look(267)) is Verdict.VERIFIED


def test_a_failed_read_is_unknown_and_the_interval_is_still_judged_as_a_whole() -> None:
    pull = task(quiet=60)
    judge(pull, look(101))
    pull.blind("does not answer")
    assert pull.verdict is Verdict.UNKNOWN
    assert judge(pull, look(162)) is Verdict.VERIFIED


def test_a_new_order_after_verified_takes_the_verdict_back() -> None:
    pull = task(quiet=10)
    judge(pull, look(101))
    assert judge(pull, look(112)) is Verdict.VERIFIED
    assert judge(pull, look(120, open=[order("n1")], new=[order("n1")])) is Verdict.PARTIAL
    assert pull.t_verified == 0
    assert pull.suspend_due


def test_flatten_is_not_done_while_a_position_is_held() -> None:
    pull = task("L4", quiet=1)
    assert judge(pull, look(104, positions={"AAPL": Decimal("-0.5")})) is Verdict.PARTIAL
    assert pull.positions == ("AAPL -0.5",)
    assert pull.t_flat == 0
    judge(pull, look(105))
    assert judge(pull, look(107)) is Verdict.VERIFIED
    assert pull.t_flat


def test_the_cords_own_closes_neither_stand_nor_disturb() -> None:
    pull = task("L4", quiet=1)
    own = frozenset({"c1"})
    judge(pull, look(104, open=[order("c1")], new=[order("c1")], fills=[fill("f", "c1")]), own)
    assert pull.standing == ()
    assert judge(pull, look(106), own) is Verdict.VERIFIED


def test_a_strategy_scope_looks_at_its_own_orders_only() -> None:
    pull = task(scope="strategy:momentum", quiet=1)
    judge(pull, look(104, open=[order("o1"), order("o2", client="meanrev-1")]))
    assert pull.standing == ("o1",)


def test_l1_waits_for_the_strategies_and_ignores_closing_orders() -> None:
    pull = task("L1", quiet=1)
    assert judge(pull, look(101), waiting=("momentum",)) is Verdict.REQUESTED
    assert "momentum" in pull.why
    judge(pull, look(102))
    closing = order("s1", side="sell", qty="2")
    assert judge(pull, look(104, new=[closing], positions={"AAPL": Decimal(2)})) is Verdict.VERIFIED
    entry = order("s2", side="sell", qty="3")
    assert judge(pull, look(105, new=[entry], positions={"AAPL": Decimal(2)})) is Verdict.REQUESTED


def sent(kind: str, order_id: str = "") -> Outcome:
    outcome = Outcome(kind)
    outcome.order_id = order_id
    return outcome


def test_a_close_of_unknown_fate_is_looked_for_before_another_is_sent() -> None:
    closes = Closes(frozenset({"momentum"}))
    held = {"AAPL": Decimal(5)}
    assert closes.may_close("AAPL", look(1, positions=held), 1)
    closes.sending("AAPL", Decimal(5), 1)
    closes.sent("AAPL", sent("ambiguous"), 1)
    for at in (1.5, 2.0, 2.5):
        seen = look(at, positions=held)
        closes.settle(seen, at)
        assert not closes.may_close("AAPL", seen, at)
    late = look(1 + SETTLE + 0.1, positions=held)
    closes.settle(late, late.begun)
    assert closes.may_close("AAPL", late, late.begun)


def test_a_close_that_was_waited_for_in_vain_has_its_time_to_show_from_then_on() -> None:
    """The venue may still be about to carry it out when the hand gives up."""
    closes = Closes(frozenset({"momentum"}))
    closes.sending("AAPL", Decimal(5), 1)
    closes.sent("AAPL", sent("ambiguous"), 6)
    for at, may in ((6.1, False), (6.2, False), (5.9 + SETTLE, False), (6.1 + SETTLE, True)):
        seen = look(at, positions={"AAPL": Decimal(5)})
        closes.settle(seen, at)
        assert closes.may_close("AAPL", seen, at) is may


def test_a_close_that_arrived_without_an_answer_is_recognised_by_its_order() -> None:
    closes = Closes(frozenset({"momentum"}))
    closes.sending("AAPL", Decimal(5), 1)
    closes.sent("AAPL", sent("ambiguous"), 1)
    arrived = order("c9", side="sell", client="8c1e-uuid", qty="5")
    closes.settle(look(1.2, new=[order("x", side="sell"), arrived], open=[arrived]), 1.2)
    assert closes.own == {"c9"}


def test_no_close_while_the_symbols_orders_stand() -> None:
    closes = Closes(frozenset())
    assert not closes.may_close("AAPL", look(1, open=[order("o1")]), 1)
    assert closes.may_close("AAPL", look(1, open=[order("o1", symbol="MSFT")]), 1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["clean", "standing", "new", "fill", "blind"]),
            st.floats(min_value=0.01, max_value=30, allow_nan=False),
        ),
        max_size=60,
    )
)
def test_verified_is_never_claimed_without_a_whole_quiet_interval(steps: list[tuple[str, float]]) -> None:
    pull, now, disturbed = task(quiet=20), 100.0, 100.0
    for kind, passed in steps:
        now += passed
        if kind == "blind":
            pull.blind("gone")
        else:
            shown = {
                "clean": {},
                "standing": {"open": [order("o1")]},
                "new": {"new": [order(f"n{now}")]},
                "fill": {"fills": [fill(f"f{now}", "o1")]},
            }[kind]
            judge(pull, look(now, **shown))
            if kind != "clean":
                disturbed = now
        if pull.verdict is Verdict.VERIFIED:
            assert kind == "clean"
            assert now - disturbed >= 20
