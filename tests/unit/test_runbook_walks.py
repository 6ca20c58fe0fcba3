"""Walking a tree and running a procedure: what may be done when, and what stands afterwards."""

from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.desk.procedure import Mark, Run
from console.desk.runbook import filled, placeholders, seconds, version
from console.desk.tree import PROOFS, Investigate, Question, Resume, Tree, Walk
from console.runbooks.kinds import RUNNABLE, TREE
from console.runbooks.library import Library

LIBRARY = Library(None, {})
TREES = {name: document.spec for name, document in LIBRARY.shelf(TREE).documents.items()}
RUNNABLES = {name: each.spec for kind in RUNNABLE for name, each in LIBRARY.shelf(kind).documents.items()}


# --- trees ----------------------------------------------------------------------------------------------------------


def test_a_walk_ends_at_a_leaf_where_nothing_is_asked() -> None:
    walk = Walk(TREES["no-fills"]).answer(False, actor="ana", at=7, note="status page says 503")
    assert (walk.here, walk.question) == ("broker-down", None)
    assert walk.leaf is TREES["no-fills"].leaves["broker-down"]
    [(answer, question)] = walk.path
    assert (answer.question, answer.yes, answer.actor, answer.at, answer.note) == (
        "q1",
        False,
        "ana",
        7,
        "status page says 503",
    )
    assert question is TREES["no-fills"].questions["q1"]
    with pytest.raises(ValueError, match="ended at broker-down"):
        walk.answer(True)


def test_an_answer_can_be_taken_back_up_to_the_first_question() -> None:
    start = Walk(TREES["no-fills"])
    assert start.answer(True).answer(True).back() == start.answer(True)
    assert start.answer(True).back() == start
    with pytest.raises(ValueError, match="at its first question"):
        start.back()


@given(st.sampled_from(sorted(TREES)), st.lists(st.booleans(), min_size=3, max_size=3))
def test_every_walk_ends_after_as_many_answers_as_there_are_questions_at_most(tree: str, answers: list[bool]) -> None:
    walk = Walk(TREES[tree])
    for yes in answers:
        if walk.leaf is None:
            walk = walk.answer(yes)
    assert walk.leaf is not None
    if isinstance(walk.leaf, Resume):
        assert {question.proves for answer, question in walk.path if answer.yes} == set(PROOFS)


def test_a_walk_keeps_its_version_and_travels_as_json() -> None:
    walk = Walk(TREES["no-fills"]).answer(True, actor="ana", at=7)
    again = msgspec.json.decode(msgspec.json.encode(walk), type=Walk)
    assert again == walk
    assert again.version == version(TREES["no-fills"])


NAMES = [f"n{number}" for number in range(6)]


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Trees of every shape: right ones, and ones with circles, orphans and ways to resume too early."""
    cut = draw(st.sampled_from([1, 2, 3, 3, 4, 4]))
    forward = draw(st.booleans())
    proves = draw(st.permutations([*PROOFS, draw(st.sampled_from([None, *PROOFS]))]))
    questions = {}
    for number, name in enumerate(NAMES[:cut]):
        anywhere = st.sampled_from(NAMES[number + 1 :] if forward else NAMES)
        onward = st.just(NAMES[number + 1] if number + 1 < cut else NAMES[-1])
        rest, resume = st.just(NAMES[-2]), st.just(NAMES[-1])
        yes, no = draw(st.one_of(onward, onward, onward, anywhere)), draw(st.one_of(rest, rest, resume, anywhere))
        questions[name] = Question(ask="a", why="w", yes=yes, no=no, proves=proves[number])
    leaves: dict[str, Any] = {name: Investigate(says="s", do=("d",), verify=("v",)) for name in NAMES[cut:]}
    leaves[NAMES[-1]] = Resume(says="s", do=("d",), verify=("v",), size=25)
    return Tree(id="t", title="t", symptom="s", start="n0", questions=questions, leaves=leaves)


def ways(
    tree: Tree, name: str, behind: tuple[str, ...], proven: frozenset[str]
) -> list[tuple[str, bool, frozenset[str]]]:
    """Every way from a question on: where it ends, whether it ends at all, and what was proven on it."""
    if name in behind:
        return [(name, False, proven)]
    question = tree.questions.get(name)
    if question is None:
        return [(name, True, proven)]
    after = proven | {question.proves} if question.proves else proven
    behind = (*behind, name)
    return [*ways(tree, question.yes, behind, after), *ways(tree, question.no, behind, proven)]


@settings(max_examples=200)
@given(trees())
def test_a_tree_is_fit_exactly_when_trying_every_way_shows_no_fault(tree: Tree) -> None:
    tried = ways(tree, "n0", (), frozenset())
    circle = any(not ends for _, ends, _ in tried)
    reached, waiting = set(), ["n0"]
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached.add(name)
            waiting += [to for question in [tree.questions.get(name)] if question for to in (question.yes, question.no)]
    hope = any(name == NAMES[-1] and proven != set(PROOFS) for name, _, proven in tried)
    told = [fault.why for fault in tree.faults()]
    orphans = len(NAMES) - len(reached)
    assert sum("no answer leads to" in why for why in told) == orphans
    if circle:
        assert any("may never end" in why for why in told)
    elif not any("may never end" in why for why in told):  # a circle among orphans hides what lies behind it
        assert any("resumes" in why for why in told) == hope


# --- procedures -----------------------------------------------------------------------------------------------------


def done(how: Literal["done", "verified", "skipped", "overridden"] = "done", note: str = "") -> Mark:
    return Mark(how=how, actor="ana", at=1, note=note)


@pytest.mark.parametrize("name", sorted(RUNNABLES))
def test_everything_that_can_be_run_runs_to_its_end(name: str) -> None:
    run = Run.of(RUNNABLES[name])
    assert len(run.steps) == sum(len(section.steps) for section in run.sections)
    while run.here is not None:
        with pytest.raises(ValueError, match=f"step {run.here + 1} is open"):
            run.finish()
        run = run.mark(run.here, done())
    run = run.finish()
    assert run.ended == "finished"
    with pytest.raises(ValueError, match="was finished; begin a new one"):
        run.mark(0, done())
    assert msgspec.json.decode(msgspec.json.encode(run), type=Run) == run


def test_a_procedure_is_done_in_its_order_and_a_checklist_in_any() -> None:
    procedure, checklist = Run.of(RUNNABLES["killswitch"]), Run.of(RUNNABLES["p0-response"])
    with pytest.raises(ValueError, match="step 1 comes before step 3"):
        procedure.mark(2, done())
    assert procedure.mark(0, done()).mark(1, done("skipped", "no venue is open")).mark(2, done()).here == 3
    assert checklist.mark(2, done()).here == 0


@pytest.mark.parametrize("how", ["skipped", "overridden"])
def test_leaving_a_step_out_or_overruling_the_evidence_needs_a_reason(how: Literal["skipped", "overridden"]) -> None:
    run = Run.of(RUNNABLES["killswitch"])
    with pytest.raises(ValueError, match=f"a step is {how} with a reason"):
        run.mark(0, done(how, " "))
    marked = run.mark(0, done(how, "because"))
    assert marked.marks[0] == done(how, "because")
    assert marked.mark(0, done()).marks[0].how == "done"


def test_a_mark_can_be_taken_back() -> None:
    run = Run.of(RUNNABLES["killswitch"])
    assert run.mark(0, done()).unmark(0) == run
    with pytest.raises(ValueError, match="nothing was said of step 1"):
        run.unmark(0)
    with pytest.raises(ValueError, match="has no step 7; its last is 6"):
        run.mark(6, done())


def test_a_run_is_aborted_with_a_reason_and_stays_readable() -> None:
    run = Run.of(RUNNABLES["first-week"]).mark(3, done())
    with pytest.raises(ValueError, match="aborted with a reason"):
        run.abort("")
    ended = run.abort("the desk is not used any more")
    assert (ended.ended, ended.reason, ended.marks) == ("aborted", "the desk is not used any more", run.marks)
    with pytest.raises(ValueError, match="was aborted"):
        ended.finish()


# --- texts ----------------------------------------------------------------------------------------------------------


def test_a_template_is_filled_and_braces_can_be_written() -> None:
    assert list(placeholders("{a} {{b}} {c}{a}")) == ["a", "c", "a"]
    assert filled("{a} {{b}} {c}", {"a": "1"}) == "1 {b} {c}"
    for wrong in ("{", "}", "{}", "{a.b}", "{a[0]}", "{a!r}", "{a:>3}", "{1}"):
        with pytest.raises(ValueError, match=r"is expected, and \{\{ or \}\} for a brace itself"):
            list(placeholders(wrong))


@pytest.mark.parametrize(("span", "long"), [("30 s", 30), ("5 min", 300), ("4 h", 14_400), ("90 d", 7_776_000)])
def test_spans_of_time_are_seconds(span: str, long: int) -> None:
    assert seconds(span) == long
