"""The resume guard's rules: nothing missing is overlooked, nothing more is cleared than was named."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.desk import events as ev
from console.desk.pull import GateState, Level, Verdict
from console.desk.reconcile import Comparison, compare_settled
from console.desk.resume import Asked, Judgement, Seen, Unresumable, chosen, judge
from console.desk.state import DeskState, fold_all
from console.desk.words import SECOND
from tests.support import scenario

HASH = "7f83b1657ff1fc53"
GOOD = Asked(size="25", scope="desk", cause="own-fix", text="a loop", checked="replayed", confirm="demo")


def judged(story: scenario.Story, asked: Asked = GOOD, **seen: object) -> Judgement:
    state = fold_all(story.records)
    told = {"now": scenario.NOW, "began": scenario.NOW, "comparison": compare_settled(state, scenario.NOW)}
    return judge(state, asked, Seen(**{**told, "limits": HASH, **seen}))


def missing(judgement: Judgement) -> set[str]:
    return {proof.id for proof in judgement.missing}


def asked(**changes: str) -> Asked:
    return msgspec.structs.replace(GOOD, **changes)


def test_with_every_proof_the_pull_is_cleared_at_a_quarter() -> None:
    judgement = judged(scenario.reconciled())
    assert (judgement.missing, judgement.pulls, judgement.size) == ((), (scenario.PULL,), Decimal("0.25"))


@pytest.mark.parametrize(
    ("wish", "lacks"),
    [
        (asked(cause=""), {"cause"}),
        (asked(text=" "), {"cause"}),
        (asked(checked=""), {"cause"}),
        (asked(cause="mistaken", checked=""), set()),
        (asked(cause="mistaken", size="former"), set()),
        (asked(size="former"), {"size"}),
        (asked(size="100"), {"size"}),
        (asked(size="100", cause="mistaken"), {"size"}),
        (asked(cause="external"), set()),
        (asked(confirm=""), {"name"}),
        (asked(confirm="Demo"), {"name"}),
    ],
)
def test_what_was_asked_decides_what_is_missing(wish: Asked, lacks: set[str]) -> None:
    assert missing(judged(scenario.reconciled(), wish)) == lacks


@pytest.mark.parametrize(
    ("seen", "lacks"),
    [
        ({"began": scenario.NOW - 90 * SECOND}, {"book"}),
        ({"comparison": Comparison()}, {"book"}),
        ({"limits": "other"}, {"limits"}),
        ({"limits": "", "limits_unknown": "desk.yaml:3: not YAML"}, {"limits"}),
        ({"journal": "the journal refuses records"}, {"journal"}),
    ],
)
def test_what_was_read_decides_what_is_missing(seen: dict[str, object], lacks: set[str]) -> None:
    assert missing(judged(scenario.reconciled(), **seen)) == lacks


def test_a_break_and_an_open_verdict_are_missing_proofs() -> None:
    assert missing(judged(scenario.parted())) == {"verdict", "book"}
    assert missing(judged(scenario.unknown())) == {"verdict", "book"}
    assert "sim2 PARTIAL: 1 order stands" in judged(scenario.parted()).refusal


def test_an_outside_cause_needs_a_gapless_quarter_of_an_hour() -> None:
    def silence(at: float) -> scenario.Story:
        story = scenario.reconciled()
        return story.at(at, ev.VenueChanged("sim2", False, "refused")).at(at + 1, ev.VenueChanged("sim2", True))

    wish = asked(cause="external")
    assert missing(judged(silence(-902), wish)) == set()
    assert missing(judged(silence(-300), wish)) == {"green"}
    assert missing(judged(scenario.reconciled().at(-60, ev.Heartbeat("sim1", None, "late")), wish)) == {"green"}
    assert missing(judged(scenario.reconciled().at(-60, ev.GuardStarted("1", 2, 3)), wish)) == {"green"}


def test_limits_that_changed_since_the_pull_are_named_even_when_the_file_agrees() -> None:
    story = scenario.reconciled().at(-20, msgspec.structs.replace(scenario.described(), limits_hash="soft"))
    assert missing(judged(story, limits="soft")) == {"limits"}
    back = story.at(-10, scenario.described())
    assert missing(judged(back)) == set()


def session(story: scenario.Story, opens: float, closes: float) -> scenario.Story:
    for name in ("sim1", "sim2"):
        story.at(opens, ev.SessionChanged(name, True)).at(closes, ev.SessionChanged(name, False))
    return story


def resumed() -> scenario.Story:
    story = scenario.reconciled()
    return story.at(1, ev.Resumed((scenario.PULL,), "desk", Decimal("0.25"), "own-fix", "x", ()), actor="ana")


def test_the_whole_size_comes_after_one_full_session_without_a_pull() -> None:
    wish, later = asked(size="100"), {"began": scenario.NOW + 100 * SECOND, "now": scenario.NOW + 100 * SECOND}
    begun_before = resumed()
    for name in ("sim1", "sim2"):
        begun_before.at(9, ev.SessionChanged(name, False))
    assert missing(judged(begun_before, wish, **later)) == {"size"}, "that session had begun before the resume"
    assert missing(judged(session(begun_before, 10, 20), wish, **later)) == set()
    again = session(begun_before, 10, 20).at(30, ev.Pulled("p2", "L3", "venue:sim1", "", "cli", "guard", ("sim1",)))
    again.at(31, ev.VenueVerdict("p2", "sim1", Verdict.VERIFIED, "proven"))
    assert missing(judged(again, wish, **later)) == {"size"}


def test_a_restart_in_the_middle_of_a_session_leaves_it_unproven() -> None:
    story = resumed()
    for name in ("sim1", "sim2"):
        story.at(9, ev.SessionChanged(name, False)).at(10, ev.SessionChanged(name, True))
    story.at(15, ev.GuardStarted("1", 2, 3))
    for name in ("sim1", "sim2"):
        story.at(20, ev.SessionChanged(name, False))
    assert missing(judged(story, asked(size="100"))) == {"size"}


@pytest.mark.parametrize(
    "wish", [asked(scope="venue:sim1"), asked(scope="", pull="nobody"), asked(scope="strategy:maker")]
)
def test_a_scope_takes_what_lies_wholly_within_it_and_nothing_else(wish: Asked) -> None:
    state = fold_all(scenario.parted().records)
    with pytest.raises(Unresumable, match="p-20260316-1431-b"):
        chosen(state, wish)
    assert [pull.id for pull in chosen(state, asked(scope="venue:sim2"))] == ["p-20260316-1431-b"]
    assert len(chosen(state, asked(scope="desk"))) == 2
    with pytest.raises(Unresumable, match="say which"):
        chosen(state, asked(scope=""))


def test_nothing_pulled_is_nothing_to_resume() -> None:
    with pytest.raises(Unresumable, match="not pulled"):
        judged(scenario.calm())


def test_a_halt_without_a_name_goes_only_with_a_later_stop_of_the_whole_desk() -> None:
    halt = ev.GateChanged(GateState.HALTED, Decimal(0), "x", nameless="gate.json was removed")
    before = scenario.reconciled().at(-500, halt)
    before.records.sort(key=lambda record: record.ts)
    assert missing(judged(scenario.reconciled().at(-5, halt))) == {"halt"}
    state = fold_all(scenario.reconciled().records)
    assert not state.nameless
    with pytest.raises(Unresumable, match="K 3"):
        judged(scenario.calm().at(1, halt))


def test_a_retired_venue_is_asked_for_no_proof_until_it_is_named_anew() -> None:
    story = scenario.unknown().at(-1, ev.VenueRetired("sim2", "closed"), actor="ana")
    for name, positions in (("momentum", scenario.SIM1_POSITIONS[:2]), ("meanrev", scenario.SIM1_POSITIONS[2:])):
        story.at(-1, ev.BookRead(name, positions, (), scenario.NOW - SECOND))
    story.at(-1, ev.VenueVerdict(scenario.PULL, "sim1", Verdict.VERIFIED, "proven"))
    assert missing(judged(story)) == set()
    whole = scenario.described()
    assert fold_all(story.at(0, whole).records).venues["sim2"].retired, "naming it as before is not anew"
    story.at(1, msgspec.structs.replace(whole, venues=whole.venues[:1])).at(2, whole)
    assert not fold_all(story.records).venues["sim2"].retired


# --- the fold, whatever comes when ----------------------------------------------------------------------------------

NAMES = [f"p{number}" for number in range(5)]
SCOPES = ("desk", "venue:sim1", "venue:sim2", "strategy:maker", "symbol:AAPL")


@st.composite
def histories(draw: Callable[..., object]) -> list[tuple[str, ev.AnyEvent]]:
    """Pulls by several hands, some told twice, and resumes that name some of them."""
    events: list[tuple[str, ev.AnyEvent]] = []
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=8)):  # type: ignore[attr-defined]
        hand = draw(st.sampled_from(("guard", "direct-x", "direct-y")))
        level, scope = draw(st.sampled_from(list(Level))), draw(st.sampled_from(SCOPES))
        events.append((hand, ev.Pulled(name, level.value, scope, "", "cli", "guard", ("sim1", "sim2"))))  # type: ignore
    for _ in range(draw(st.integers(0, 2))):  # type: ignore[arg-type]
        cleared = tuple(draw(st.lists(st.sampled_from(NAMES), max_size=3)))  # type: ignore[arg-type]
        events.append(("guard", ev.Resumed(cleared, "desk", Decimal("0.25"), "mistaken", "x", ())))
    return draw(st.permutations(events))  # type: ignore[return-value]


@given(histories())
def test_a_resume_clears_what_it_names_and_any_other_pull_wins(history: list[tuple[str, ev.AnyEvent]]) -> None:
    seq: dict[str, int] = {}
    records = []
    for number, (writer, event) in enumerate(history):
        seq[writer] = seq.get(writer, 0) + 1
        records.append(ev.Record(number, writer, "ana", event, seq[writer]))
    state = fold_all(records)
    pulled = {event.pull for _, event in history if isinstance(event, ev.Pulled)}
    cleared = {name for _, event in history if isinstance(event, ev.Resumed) for name in event.pulls}
    assert set(state.pulls) == pulled - cleared
    if any(pull.scope == "desk" and pull.level.cancels for pull in state.pulls.values()):
        assert state.gate_state is GateState.HALTED


@given(
    size=st.sampled_from(["25", "100", "former", "50", ""]),
    cause=st.sampled_from(["own-fix", "external", "mistaken", "", "tired"]),
    text=st.sampled_from(["", " ", "why"]),
    checked=st.sampled_from(["", "how"]),
    confirm=st.sampled_from(["", "demo", "prod"]),
    story=st.sampled_from([scenario.reconciled, scenario.parted, scenario.unknown, scenario.requested]),
)
def test_nothing_is_proven_with_a_hole_in_it(
    size: str, cause: str, text: str, checked: str, confirm: str, story: Callable[[], scenario.Story]
) -> None:
    judgement = judged(story(), Asked(size, "desk", "", cause, text, checked, confirm))
    whole = story is scenario.reconciled and confirm == "demo" and text == "why" and size in ("25", "former")
    whole = whole and cause in ("own-fix", "external", "mistaken") and (cause != "own-fix" or checked == "how")
    assert judgement.proven == (whole and (size == "25" or cause == "mistaken"))
    assert all(proof.id in judgement.refusal and proof.said in judgement.refusal for proof in judgement.missing)


def test_the_size_is_never_more_than_before_but_for_a_hundred() -> None:
    state = DeskState(name="demo", size=Decimal("0.25"))
    story = scenario.reconciled().at(-200, ev.Resumed((), "desk", Decimal("0.25"), "own-fix", "x", ()))
    assert state.size == judged(story, asked(cause="mistaken", size="former")).size


def paused(clear: float, *, level: str = "L1", fired: bool = True) -> scenario.Story:
    """A desk whose entries a trigger paused; its cause has been clear for so many seconds (0: it is not)."""
    story = scenario.calm().at(
        -2000, ev.Pulled("t", level, "desk", "error-rate", "trigger", "guard", ("sim1", "sim2")), actor="guard"
    )
    if fired:
        story.at(-2000, ev.TriggerFired("t", "error-rate", "", "12 errors within a minute"))
    for venue in ("sim1", "sim2"):
        story.at(-1900, ev.VenueVerdict("t", venue, Verdict.VERIFIED, "followed"))
    story.at(-100, ev.VenueChanged("sim2", False, "refused")).at(-99, ev.VenueChanged("sim2", True))
    return story.at(-clear, ev.TriggerTurned("error-rate", "", True, "0 errors within a minute")) if clear else story


@pytest.mark.parametrize(
    ("story", "lacks"),
    [
        (paused(900), set()),
        (paused(899), {"clear"}),
        (paused(0), {"clear"}),
        (paused(900).at(-5, ev.TriggerTurned("error-rate", "", False, "nothing is known about it")), {"clear"}),
        (paused(900).at(-5, ev.GuardStarted("1", 2, 3)), {"clear"}),
        (paused(900, fired=False), {"green", "size"}),
        (paused(900, level="L4"), {"green", "size"}),
    ],
)
def test_an_l1_of_a_trigger_returns_to_its_former_size_once_that_is_clear(
    story: scenario.Story, lacks: set[str]
) -> None:
    judgement = judged(story, asked(size="former", cause="external"))
    assert missing(judgement) == lacks
    assert judgement.size == 1
