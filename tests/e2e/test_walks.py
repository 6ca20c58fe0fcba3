"""Trees walked, procedures run and gates attested by the command line: over a real guard, over a frozen one, and over
none at all. Most calls are made in this process, over the real sockets and files."""

import json
import os
import pwd
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from console.cli import main
from console.desk import entries as en
from console.desk import events as ev
from console.desk.logbook import acts
from console.desk.state import fold_all
from console.desk.tree import Tree, Walk
from console.evidence.journal import JournalWriter, read, verify
from console.runbooks.kinds import RUNNABLE, TREE
from console.runbooks.library import Library, shipped_folder
from tests.support.broker import ROOT, wait_until
from tests.support.desk import DeskProcesses
from tests.support.terminal import Terminal

pytestmark = pytest.mark.xdist_group("walks")

LIBRARY = Library(None, {})
TREES = {name: document.spec for name, document in LIBRARY.shelf(TREE).documents.items()}
RUNNABLES = {name: each for kind in RUNNABLE for name, each in LIBRARY.shelf(kind).documents.items()}
ME = pwd.getpwuid(os.getuid()).pw_name
Told = tuple[int, Any]
Andon = Callable[..., Told]


def answers_to(tree: Tree, leaf: str) -> str:
    def way(walk: Walk) -> list[bool] | None:
        if walk.leaf is not None:
            return [answer.yes for answer in walk.answers] if walk.here == leaf else None
        return way(walk.answer(True)) or way(walk.answer(False))

    return ",".join("yes" if yes else "no" for yes in way(Walk(tree)) or [])


LEAVES = [(name, leaf, answers_to(tree, leaf)) for name, tree in TREES.items() for leaf in tree.leaves]


class Desk:
    """A desk without a guard, as one that was killed leaves it."""

    def __init__(self, folder: Path) -> None:
        self.file, self.state_dir = folder / "desk.yaml", folder / "desk"
        self.own_trees = folder / "runbooks" / "trees"
        self.file.write_text(f"desk: quiet\nmode: simulated\nstate: {self.state_dir}\n")
        guard = JournalWriter(self.state_dir / "journal", "guard")
        guard.append(ev.DeskDescribed("quiet", "simulated", (), (), ""), "guard").result(60)
        guard.close()


@pytest.fixture
def quiet(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def andon(quiet: Desk, capsys: pytest.CaptureFixture[str]) -> Andon:
    return command(quiet.file, capsys)


def command(file: Path, capsys: pytest.CaptureFixture[str]) -> Andon:
    """`andon … --json` in this process; the exit code, and what was printed."""

    def run(*words: str) -> Told:
        code = main([*words, "--json", "--desk", str(file)])
        out = capsys.readouterr().out
        return code, json.loads(out) if out else None

    return run


# --- without a guard -------------------------------------------------------------------------------------------------


def test_every_leaf_is_reached_by_answers_and_nothing_is_done_before_it_is_asked_for(quiet: Desk, andon: Andon) -> None:
    assert len(LEAVES) == 21
    for tree, leaf, answers in LEAVES:
        code, told = andon("tree", "walk", tree, "--answers", answers, "--note", "seen")
        assert (code, told["here"], told["ended"], told["acted"], told["kept"]) == (0, leaf, "", None, True)
        assert [answer["yes"] for answer in told["path"]] == [word == "yes" for word in answers.split(",")]
        assert all(answer["actor"] == ME and answer["at"] for answer in told["path"])
        assert told["command"].startswith("andon ")
        if not acts(TREES[tree].leaves[leaf]):
            assert andon("tree", "walk", tree, "--act")[1]["ended"] == "acted"
    written = list(read(quiet.state_dir / "journal"))
    assert not [record for record in written if isinstance(record.event, ev.Pulled | en.SizeLowered)]
    answered = [record for record in written if isinstance(record.event, en.WalkAnswered)]
    assert {record.actor for record in answered} == {ME}
    assert sum(record.event.note == "seen" for record in answered) == len(LEAVES)  # type: ignore[union-attr]
    assert [report.problem for report in verify(quiet.state_dir / "journal")] == [None, None]
    assert len(andon("task", "list")[1]["tasks"]) == sum(not acts(TREES[t].leaves[leaf]) for t, leaf, _ in LEAVES)
    assert len(andon("tree", "walks")[1]["walks"]) == len(LEAVES)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--answers", "yes,perhaps"), "'perhaps' is no answer; yes or no is expected"),
        (("--answers", "no,yes"), "ended at broker-down; nothing is asked there"),
        (("--abort", "why"), "no walk through 'no-fills' is going on"),
    ],
)
def test_answers_that_make_no_sense_are_refused_with_a_sentence(
    quiet: Desk, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    assert main(["tree", "walk", "no-fills", *words, "--desk", str(quiet.file)]) == 2
    assert says in capsys.readouterr().err
    assert not [r for r in read(quiet.state_dir / "journal") if isinstance(r.event, en.WalkAnswered)]


def test_where_nothing_can_be_written_a_tree_is_walked_all_the_same_and_that_is_said(
    quiet: Desk, andon: Andon, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # as a disk that is full
    try:
        code = main(["tree", "walk", "no-fills", "--answers", "yes,yes,no", "--act", "--desk", str(quiet.file)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    told = capsys.readouterr()
    assert code == 1
    assert "[INVESTIGATE] venue-refuses" in told.out
    assert told.err.count("NOT KEPT") == 1
    assert andon("tree", "walks")[1]["walks"] == []


def test_without_a_terminal_nothing_is_begun_that_would_have_to_be_asked(quiet: Desk, andon: Andon) -> None:
    for words in ((), ("--act",), ("--new", "--act")):
        done = subprocess.run(
            [sys.executable, "-m", "console", "--desk", str(quiet.file), "tree", "walk", "no-fills", *words],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr.count("--answers yes,no,…")) == (2, 1), done.stderr
    assert andon("tree", "walks")[1]["walks"] == []


def test_without_a_guard_a_size_is_lowered_for_the_next_one_and_a_resume_waits(quiet: Desk, andon: Andon) -> None:
    code, told = andon("tree", "walk", "post-incident", "--answers", "yes,yes,yes", "--act", "--cause", "mistaken")
    assert (code, told["ended"]) == (1, "")
    halved = answers_to(TREES["wrong-pnl"], "signal-decays")
    code, told = andon("tree", "walk", "wrong-pnl", "--answers", halved, "--act")
    assert (code, told["ended"]) == (0, "acted")
    assert "once a guard runs" in told["acted"]
    assert fold_all(read(quiet.state_dir / "journal")).size == Decimal("0.5")


def test_a_walk_is_killed_in_the_middle_and_goes_on_at_its_question_on_its_version(quiet: Desk, andon: Andon) -> None:
    """kill -9 while the second question stands on the screen; then the file is edited."""
    quiet.own_trees.mkdir(parents=True)
    own = quiet.own_trees / "no-fills.yaml"
    text = (shipped_folder() / "trees" / "no-fills.yaml").read_text()
    own.write_text(text.replace("ask: Do the orders keep", "ask: As it was, do the orders keep"))
    argv = [sys.executable, "-m", "console", "--desk", str(quiet.file), "tree", "walk", "no-fills"]
    with Terminal(argv, cwd=ROOT, rows=60) as terminal:
        terminal.wait_for("Is the broker's status page green?")
        terminal.send("y it is green\r")
        terminal.wait_for("As it was, do the orders keep")
        terminal.signal(signal.SIGKILL)
        terminal.wait_exit()
    own.write_text(text.replace("ask: Do the orders keep", "ask: Edited meanwhile"))
    with Terminal(argv, cwd=ROOT, rows=60) as terminal:
        screen = terminal.wait_for("As it was, do the orders keep")
        assert "going on with no-fills-" in screen
        terminal.send("n\r")
        terminal.wait_for("a do it")
        terminal.send("b\r")
        terminal.wait_until(lambda text: text.count("Q2  As it was") == 2, "the question again")
        terminal.send("n\rq\r")
        terminal.wait_exit()
    code, told = andon("tree", "walk", "no-fills", "--act")
    (walk,) = andon("tree", "walks")[1]["walks"]
    assert (code, walk["walk"], walk["ended"]) == (0, told["walk"], "acted")
    assert [(answer["question"], answer["yes"], answer["note"]) for answer in walk["path"]] == [
        ("q1", True, "it is green"),
        ("q2", False, ""),
    ]
    assert "As it was" in walk["path"][1]["ask"]
    code, anew = andon("tree", "walk", "no-fills", "--answers", "yes,no")
    assert "Edited meanwhile" in anew["path"][1]["ask"]
    assert anew["version"] != walk["version"]


def test_everything_that_can_be_run_is_run_to_its_end_and_aborted_and_read_offline(quiet: Desk, andon: Andon) -> None:
    finished, aborted = {}, {}
    for name, document in RUNNABLES.items():
        steps = sum(len(section.steps) for section in document.spec.sections)
        done = ",".join(str(number) for number in range(2, steps + 1))
        assert andon("procedure", "run", name, "--skip", "1", "--note", "not today")[0] == 0
        code, told = andon("procedure", "run", name, *(["--done", done] if done else []), "--finish")
        assert (code, told["ended"]) == (0, "finished")
        finished[told["run"]] = steps
        code, told = andon("procedure", "run", name, "--abort", "a false alarm")
        assert (code, told["ended"]) == (0, "aborted")
        aborted[told["run"]] = told
    offline = {told["run"]: told for told in andon("procedure", "runs")[1]["runs"]}
    assert list(offline) == [run for pair in zip(finished, aborted, strict=True) for run in pair]
    for run, steps in finished.items():
        marks = [step["mark"]["how"] for step in offline[run]["steps"]]
        assert marks == ["skipped"] + ["done"] * (steps - 1)
        assert offline[run]["steps"][0]["mark"]["note"] == "not today"
    for run in aborted:
        assert (offline[run]["reason"], offline[run]["ended_by"]) == ("a false alarm", ME)
    assert andon("procedure", "read", next(iter(finished)))[1] == offline[next(iter(finished))]


def test_a_run_at_a_terminal_is_left_and_gone_on_with(quiet: Desk, andon: Andon) -> None:
    argv = [sys.executable, "-m", "console", "--desk", str(quiet.file), "procedure", "run", "killswitch"]
    with Terminal(argv, cwd=ROOT, rows=60) as terminal:
        terminal.wait_for("Pull it, by the endpoint")
        terminal.send("d\rs\rs nothing is open\rq\r")
        terminal.wait_exit()
        assert "skipped with a reason" in terminal.text
    with Terminal(argv, cwd=ROOT, rows=60) as terminal:
        terminal.wait_for("Keep as they are now")
        terminal.send("d\rd\rd\rb\rd\rd\r")
        terminal.wait_for("every step was gone through")
        terminal.send("f\r")
        terminal.wait_exit()
    (run,) = andon("procedure", "runs")[1]["runs"]
    assert [step["mark"]["how"] for step in run["steps"]] == ["done", "skipped", "done", "done", "done", "done"]
    assert run["ended"] == "finished"


def test_a_gate_is_attested_and_waived_and_its_evidence_kept(quiet: Desk, andon: Andon, tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    report.write_text("flat")
    kept = ("cadence", "attest", "DAILY D4", "--result", "passed", "--evidence", str(report))
    assert andon(*kept)[0] == 0
    assert andon("cadence", "waive", "WEEKLY W1", "--reason", "no trading")[1]["kept"] is True
    assert andon("cadence", "attest", "DAILY D4", "--result", "failed") == (2, None)
    assert andon("cadence", "waive", "WEEKLY W9", "--reason", "r") == (2, None)
    gates = {gate["id"]: gate for gate in andon_list(andon)}
    assert (gates["DAILY D4"]["state"], gates["DAILY D4"]["last"]["sha256"]) == ("done", sha256(b"flat").hexdigest())
    assert (gates["WEEKLY W1"]["state"], gates["WEEKLY W1"]["last"]["actor"]) == ("waived", ME)
    assert gates["DAILY D5"]["last"] is None


def andon_list(andon: Andon) -> list[dict[str, Any]]:
    gates: list[dict[str, Any]] = andon("cadence", "list")[1]["gates"]
    return gates


# --- over a guard ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcesses]:
    with DeskProcesses(tmp_path_factory.mktemp("desk"), traded=False) as desk:
        wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "the guard is ready")
        yield desk


@pytest.fixture
def guarded(desk: DeskProcesses, capsys: pytest.CaptureFixture[str]) -> Andon:
    return command(desk.file, capsys)


def test_the_guard_keeps_every_walk_in_its_own_journal(desk: DeskProcesses, guarded: Andon) -> None:
    for tree, leaf, answers in LEAVES:
        code, told = guarded("tree", "walk", tree, "--answers", answers)
        assert (code, told["here"], told["kept"]) == (0, leaf, True)
    answered = [record for record in desk.records() if isinstance(record.event, en.WalkAnswered)]
    assert {(record.writer, record.actor) for record in answered} == {("guard", ME)}
    assert len(answered) == sum(len(answers.split(",")) for _, _, answers in LEAVES)
    assert desk.folded().size == 1


def test_a_throttle_leaf_lowers_the_gate_at_once(desk: DeskProcesses) -> None:
    words = ["tree", "walk", "no-fills", "--answers", "yes,yes,yes", "--act"]
    done = subprocess.run(
        [sys.executable, "-m", "console", "--desk", str(desk.file), *words], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("the desk trades at 25 % of its normal size at most\n")
    told = wait_until(lambda: reduced(desk), "gate.json is lowered")
    assert (told["size_factor"], told["rate_factor"]) == ("0.25", "0.5")
    assert told["because"] == "lowered to 25 %: no-fills: rate-limited"
    assert main(["gate", "--lower", "50", "--reason", "up?", "--desk", str(desk.file)]) == 0
    assert desk.folded().size == desk.journaled(ev.GateChanged)[-1].size_factor < 1


def reduced(desk: DeskProcesses) -> dict[str, Any] | None:
    told: dict[str, Any] = json.loads((desk.state_dir / "gate.json").read_bytes())
    return told if told["state"] == "REDUCED" else None


def test_a_task_stands_in_the_status_until_it_is_closed(desk: DeskProcesses, guarded: Andon) -> None:
    _, told = guarded("tree", "walk", "no-fills", "--answers", "yes,yes,no", "--act")
    (task,) = guarded("status")[1]["tasks"]
    assert (task["id"], task["leaf"], task["actor"]) == (told["walk"], "venue-refuses", ME)
    assert guarded("task", "close", task["id"], "--note", "codes were read")[0] == 0
    assert guarded("task", "close", task["id"], "--note", "again") == (2, None)
    assert guarded("status")[1]["tasks"] == []


def test_the_gates_are_due_by_the_venues_own_calendars(desk: DeskProcesses, guarded: Andon) -> None:
    for venue in ("sim1", "sim2"):
        read = desk.wait_journaled(ev.CalendarRead, lambda event, venue=venue: event.venue == venue)  # type: ignore[misc]
        assert len(read.sessions) > 150
    told = guarded("cadence", "list")[1]
    assert (told["calendar"], told["calendar_knows"]) == ("sim1, sim2", True)


def test_a_frozen_guard_keeps_nobody_from_walking_and_reads_it_when_it_wakes(
    desk: DeskProcesses, guarded: Andon
) -> None:
    os.kill(desk.guard_pid, signal.SIGSTOP)
    try:
        code, told = guarded("tree", "walk", "alerts-spam", "--answers", "yes")
        assert (code, told["kept"]) == (0, True)
    finally:
        os.kill(desk.guard_pid, signal.SIGCONT)
    walk = told["walk"]
    (begun,) = [r for r in desk.records() if isinstance(r.event, en.WalkBegun) and r.event.walk == walk]
    assert begun.writer.startswith("operator-")
    wait_until(lambda: guarded("tree", "walk", "alerts-spam", "--abort", "over")[1]["walk"] == walk, "the guard has it")


def test_a_kill_switch_leaf_pulls_the_same_cord_and_a_resume_leaf_asks_the_resume_guard(
    desk: DeskProcesses, guarded: Andon
) -> None:
    code, told = guarded("tree", "walk", "no-fills", "--answers", "no", "--act", "--venue", "sim1")
    assert (code, told["acted"]["verdict"]) == (0, "VERIFIED")
    pull = desk.wait_journaled(ev.Pulled)
    assert (pull.pull, pull.origin, pull.level, pull.scope) == (told["target"], "tree", "L3", "venue:sim1")
    assert (pull.reason, told["ended"]) == ("no-fills: broker-down", "acted")
    words = ("tree", "walk", "post-incident")
    code, told = guarded(*words, "--answers", "yes,yes,yes", "--act")
    assert (code, told["ended"]) == (5, "")
    assert "cause (no cause is given)" in told["acted"]["said"]
    code, told = guarded(*words, "--act", "--cause", "mistaken", "--text", "a test", "--confirm", "test")
    assert (code, told["ended"], told["target"]) == (0, "acted", pull.pull), told["acted"]
    assert desk.wait_journaled(ev.Resumed).pulls == (pull.pull,)
