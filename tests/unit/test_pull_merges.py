"""However the words of several hands come together, the pulls that stand are the same, and the strictest one rules."""

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from console.desk import events as ev
from console.desk.events import Record
from console.desk.gate import read_gate
from console.desk.pull import GateState, Level, Scope, Verdict
from console.desk.state import DeskState, Size, fold, fold_all
from console.guard.gatekeeper import Pull, wanted

VENUES, STRATEGIES, SYMBOLS = ("sim1", "sim2"), ("momentum", "maker"), ("AAPL", "BTC/USD")
SCOPES = ("desk", "venue:sim1", "venue:sim1,sim2", "strategy:momentum", "symbol:AAPL", "symbol:BTCUSD,MSFT")
WRITERS = ("guard", "direct-p1", "direct-p2")
NAMES = ("p0", "p1", "p2")

scopes, levels = st.sampled_from(SCOPES), st.sampled_from(Level)
pulls = st.lists(st.builds(Pull, levels, scopes, st.just("ana")), max_size=6)


# --- records of several hands ----------------------------------------------------------------------------------------


def event_of(name: str, level: Level, scope: str) -> st.SearchStrategy[ev.AnyEvent]:
    """What may be told of a pull; both hands may tell of the same one."""
    venue = st.sampled_from(VENUES)
    return st.one_of(
        st.just(ev.Pulled(name, level.value, scope, "why", "cli", "guard", VENUES, made=1)),
        st.builds(ev.VenueVerdict, st.just(name), venue, st.sampled_from(Verdict), st.just("so")),
        st.builds(ev.CordSent, st.just(name), venue, st.sampled_from(["cancel_all", "close"]), st.just(1)),
        st.builds(ev.LatchSet, st.just(name), st.sampled_from(["", "full"])),
    )


@st.composite
def histories(draw: st.DrawFn) -> dict[str, list[Record]]:
    """Each hand's records in their order. The guard may also say that pulls were resumed."""
    about = {name: (draw(levels), draw(scopes)) for name in NAMES}
    told = st.sampled_from(NAMES).flatmap(lambda name: event_of(name, *about[name]))
    named = st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple)
    resumed = named.map(lambda names: ev.Resumed(names, "desk", Decimal("0.25"), "mistaken", "test", ()))
    found: dict[str, list[Record]] = {}
    for writer in WRITERS:
        kinds = st.one_of(told, told, told, resumed) if writer == "guard" else told
        events = draw(st.lists(kinds, max_size=8))
        found[writer] = [
            Record(ts=seq, writer=writer, actor="ana", event=e, seq=seq) for seq, e in enumerate(events, 1)
        ]
    return found


def merged(history: dict[str, list[Record]], chance: random.Random) -> Iterator[Record]:
    """Any order that keeps each hand's own; what was read once may be read again."""
    left = {writer: list(records) for writer, records in history.items() if records}
    read: list[Record] = []
    while left:
        writer = chance.choice(sorted(left))
        read.append(left[writer].pop(0))
        if not left[writer]:
            del left[writer]
        yield read[-1]
        if chance.random() < 0.2:
            yield chance.choice(read)


def stands(state: DeskState) -> dict[str, tuple[Level, str]]:
    return {name: (pull.level, pull.scope) for name, pull in sorted(state.pulls.items())}


@settings(max_examples=30, deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_what_stands_and_what_was_resumed_does_not_depend_on_the_order_of_reading(
    history: dict[str, list[Record]], one: random.Random, other: random.Random
) -> None:
    first, second = fold_all(merged(history, one)), fold_all(merged(history, other))
    assert stands(first) == stands(second)
    assert first.resumed.keys() == second.resumed.keys()
    assert first.gate_state == second.gate_state


@settings(max_examples=30, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_reading_again_changes_nothing(history: dict[str, list[Record]], chance: random.Random) -> None:
    records = list(merged(history, chance))
    state = fold_all(records)
    assert fold_all(records, state) == state


@settings(max_examples=30, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_nothing_but_a_resume_that_names_it_takes_a_pull_away(
    history: dict[str, list[Record]], chance: random.Random
) -> None:
    state = DeskState()
    for record in merged(history, chance):
        before, state = state, fold(state, record)
        named = record.event.pulls if isinstance(record.event, ev.Resumed) else ()
        assert before.pulls.keys() - state.pulls.keys() <= set(named)
        ranks = [pull.level.gate.rank for pull in state.pulls.values() if pull.scope == "desk"]
        assert (state.gate_state.rank if state.gate_state else -1) >= max(ranks, default=-1)


# --- the gate --------------------------------------------------------------------------------------------------------


def on_disk(size: Decimal, known: list[Pull], latched: list[Pull]) -> tuple[bytes | None, bytes]:
    """Latch and gate.json as hands and the guard leave them."""
    gate = wanted(Size(size, size), "", known)
    told: dict[str, Any] = {"v": 1, "desk": "d", "state": gate.state.value, "because": gate.because}
    told |= {"size_factor": f"{gate.size_factor:f}", "rate_factor": f"{gate.rate_factor:f}"}
    told |= {"scopes": {scope: state.value for scope, state in gate.scopes.items()}}
    lines = [json.dumps({"v": 1, "id": "p", "level": p.level, "scope": p.scope, "actor": p.actor}) for p in latched]
    latch = "\n".join(lines).encode() if lines else None
    return latch, json.dumps({**told, "lease": {"boot_id": "b", "expires": 10}}).encode()


def answers(latch: bytes | None, gate: bytes) -> dict[tuple[str, str, str], GateState]:
    """The gate of every order that could be sent."""
    return {
        (venue, strategy, symbol): read_gate(
            latch, gate, boot_id="b", now=5, venue=venue, strategy=strategy, symbol=symbol
        ).state
        for venue, strategy, symbol in product(VENUES, STRATEGIES, SYMBOLS)
    }


@given(st.sampled_from([Decimal(1), Decimal("0.25")]), pulls, pulls, st.randoms(use_true_random=False))
def test_an_orders_gate_is_the_most_restrictive_of_all_that_touch_it(
    size: Decimal, known: list[Pull], latched: list[Pull], chance: random.Random
) -> None:
    """Some pulls only the guard knows yet, some only the latch, and nobody's order matters."""
    seen = answers(*on_disk(size, known, latched))
    for (venue, strategy, symbol), state in seen.items():
        about = {"venue": venue, "strategy": strategy, "symbol": symbol}
        touching = [p.level.gate for p in (*known, *latched) if Scope.parse(p.scope).touches(**about)]
        fresh = GateState.OPEN if size == 1 else GateState.REDUCED
        assert state is max([fresh, *touching], key=lambda each: each.rank)
    shuffled = chance.sample(known, len(known)), chance.sample(latched, len(latched))
    assert answers(*on_disk(size, *shuffled)) == seen


def test_what_a_look_found_before_anything_was_sent_is_not_taken_back_by_the_sending() -> None:
    """A hand that takes a pull over looks first: where the venue is silent then, it stays UNKNOWN."""
    told: list[ev.AnyEvent] = [
        ev.Pulled("p1", "L3", "desk", "", "cli", "guard", ("sim1", "sim2"), 60),
        ev.VenueVerdict("p1", "sim1", Verdict.UNKNOWN, "does not answer"),
        ev.CordSent("p1", "sim1", "cancel_all", 1),
        ev.CordSent("p1", "sim2", "cancel_all", 1),
    ]
    state = fold_all(ev.Record(seq, "guard", "ana", event, seq) for seq, event in enumerate(told, 1))
    rows = state.pulls["p1"].venues
    assert [rows[name].verdict for name in ("sim1", "sim2")] == [Verdict.UNKNOWN, Verdict.REQUESTED]
