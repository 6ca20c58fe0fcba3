"""`andon tree`, `andon procedure` and `andon cadence` as people and machines read them."""

import json
import subprocess
import sys
from argparse import Namespace
from datetime import date
from pathlib import Path

import pytest

from console.cli import main
from console.commands.runbooks import list_gates
from console.runbooks.kinds import GATE, RUNNABLE, TREE
from console.runbooks.library import Library, shipped_folder
from console.runbooks.page import WIDTH

LIBRARY = Library(None, {})
TREES = LIBRARY.shelf(TREE).documents
RUNNABLES = {name: each for kind in RUNNABLE for name, each in LIBRARY.shelf(kind).documents.items()}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own for desks, without any."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("ANDON_DESK", raising=False)
    return tmp_path / "andon"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    told = capsys.readouterr()
    return code, told.out, told.err


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", sorted(TREES))
def test_a_tree_fits_on_paper_with_every_question_and_leaf(capsys: pytest.CaptureFixture[str], name: str) -> None:
    tree = TREES[name].spec
    code, out, err = run(capsys, "tree", "show", name)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= WIDTH
    page = words(out)
    for question in tree.questions.values():
        assert question.ask in page
        assert question.why in page
    for leaf_name, leaf in tree.leaves.items():
        assert f"[{leaf.kind.upper()}] {leaf_name}: {leaf.says}" in page
        assert all(text in page for text in (*leaf.do, *leaf.verify, leaf.why or ""))
    assert out.count("☐ YES") == out.count("☐ NO") == len(tree.questions)
    assert TREES[name].version in out


@pytest.mark.parametrize("name", sorted(RUNNABLES))
def test_what_can_be_run_fits_on_paper_with_every_step(capsys: pytest.CaptureFixture[str], name: str) -> None:
    spec = RUNNABLES[name].spec
    code, out, err = run(capsys, "procedure", "show", name)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert all(len(line) <= WIDTH or line.lstrip().startswith("$ ") for line in lines)  # a command is not broken
    page = words(out)
    steps = [step for section in spec.sections for step in section.steps]
    assert out.count("☐") == len(steps)
    for number, step in enumerate(steps, 1):
        assert f"☐ {number} {step.do}" in page
        assert not step.command or f"$ {words(step.command)}" in page
    assert all(ref in page for ref in spec.refs)


def test_lists_name_everything_with_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "tree", "list")
    assert [line.split("  ")[0] for line in out.splitlines()] == list(TREES)
    assert TREES["no-fills"].spec.symptom in out
    _, out, _ = run(capsys, "procedure", "list")
    assert [tuple(line.split()[:2]) for line in out.splitlines()] == [(d.kind, name) for name, d in RUNNABLES.items()]


def test_machines_get_the_documents_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(run(capsys, "tree", "show", "no-fills", "--json")[1])
    assert (told["kind"], told["version"]) == ("tree", TREES["no-fills"].version)
    assert told["leaves"]["rate-limited"]["size"] == 25
    assert told["file"] == str(shipped_folder() / "trees" / "no-fills.yaml")
    assert len(json.loads(run(capsys, "procedure", "list", "--json")[1])["procedures"]) == len(RUNNABLES)
    assert len(json.loads(run(capsys, "cadence", "list", "--json")[1])["gates"]) == 20


@pytest.mark.parametrize(
    ("what", "name", "meant"), [("tree", "no-fils", "no-fills"), ("procedure", "kilswitch", "killswitch")]
)
def test_an_unknown_name_says_which_was_meant(
    capsys: pytest.CaptureFixture[str], what: str, name: str, meant: str
) -> None:
    code, out, err = run(capsys, what, "show", name)
    assert (code, out) == (2, "")
    assert err == f"andon: there is no {what} {name!r}; did you mean {meant!r}?\n"


def test_gates_are_listed_by_cadence_with_the_day_they_are_due(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Namespace(desk=None, json=False)
    assert list_gates(asked, date(2026, 11, 26)) == 0  # Thanksgiving
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == list(LIBRARY.shelf(GATE).documents)
    due = {line[0]: next(cell.strip() for cell in line[1:] if cell) for line in lines}
    assert due["PRE-LAUNCH P1"] == "due 2026-11-26"
    assert due["DAILY D4"] == "due 2026-11-27"
    assert due["WEEKLY W1"] == "due 2026-11-27"
    assert due["QUARTERLY Q1"] == "due 2026-12-31"


def test_a_year_without_known_holidays_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    list_gates(Namespace(desk=None, json=False), date(2031, 1, 1))
    assert capsys.readouterr().err == "andon: the calendar xnys has no holidays of 2031; weekends alone are left out\n"
    list_gates(Namespace(desk=None, json=True), date(2031, 1, 1))
    assert json.loads(capsys.readouterr().out)["calendar_knows"] is False


def test_a_desk_s_own_tree_is_shown_and_a_broken_one_is_said(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    own = home / "mine" / "runbooks" / "trees"
    own.mkdir(parents=True)
    (home / "mine" / "desk.yaml").write_text("desk: mine\n")
    text = (shipped_folder() / "trees" / "no-fills.yaml").read_text()
    (own / "no-fills.yaml").write_text(text.replace("title: Orders are not filling", "title: Our own words"))
    assert run(capsys, "tree", "show", "no-fills")[1].startswith("Our own words\n")
    (own / "no-fills.yaml").write_text(text.replace("start: q1", "start: q7"))
    code, out, err = run(capsys, "tree", "show", "no-fills")
    assert (code, out.splitlines()[0]) == (0, "Orders are not filling")
    assert err.startswith(f"andon: {own}/no-fills.yaml:4:8: ")


def test_a_console_that_only_looks_for_its_desk_reads_no_runbooks() -> None:
    asked = "import sys, console.config, console.commands.open; print([m for m in sys.modules if 'runbooks' in m])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
