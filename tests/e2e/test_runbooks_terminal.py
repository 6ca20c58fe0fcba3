"""The runbooks' rooms as an operator uses them: a real terminal, a real guard, and the journal that it leaves."""

import getpass
import hashlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.config import Limits
from console.desk import entries as en
from console.desk.tree import Tree
from console.runbooks.kinds import TREE
from console.runbooks.library import Library, shipped_folder
from tests.support.broker import ROOT
from tests.support.desk import DeskProcesses
from tests.support.terminal import Terminal

pytestmark = pytest.mark.timeout(240)
STANDS = re.compile(r"(\S+) ▸ (\S+) .*begun \d")
"""The whole line: a frame comes in several writes, and half a name is none."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcesses]:
    with DeskProcesses(tmp_path_factory.mktemp("rooms"), traded=False, http=False) as running:
        yield running


def console(desk: DeskProcesses) -> Terminal:
    argv = [sys.executable, "-P", "-m", "console", "--desk", str(desk.file)]
    return Terminal(argv, {"XDG_STATE_HOME": str(desk.folder)}, 80, 24, ROOT)


@pytest.fixture(scope="module")
def terminal(desk: DeskProcesses) -> Iterator[Terminal]:
    """One console for them all: every test goes to the room that it needs."""
    with console(desk) as opened:
        opened.wait_for("OPEN 100")
        yield opened


def trees() -> dict[str, Tree]:
    return {tree.id: tree for tree in Library(None, Limits().by_name).sound(TREE)}


def stands(shown: str) -> tuple[str, str]:
    """Where the walk on the screen stands: in which tree, at which question or leaf."""
    found = STANDS.search(shown)
    return (found[1], found[2]) if found else ("", "")


def go(terminal: Terminal, key: str, before: tuple[str, str]) -> tuple[str, str]:
    terminal.send(key)
    return stands(terminal.wait_until(lambda shown: stands(shown) not in (before, ("", "")), f"{key} to lead on"))


def asks(shown: str, number: int) -> bool | None:
    """Whether the screen asks a question after so many answers, or shows a leaf; None while it shows neither."""
    if "y yes" in shown:
        return True if f"Q{number + 1}  " in shown else None
    return False if "will do" in shown else None


def leaves(terminal: Terminal, here: tuple[str, str], given: int = 0) -> set[tuple[str, str]]:
    """Every leaf below where the walk stands, as the screen names it; the walk stands there again afterwards."""
    if not asks(terminal.wait_until(lambda shown: asks(shown, given) is not None, "a question or a leaf"), given):
        return {here}
    found = set()
    for answer in "yn":
        below = go(terminal, answer, here)
        found |= leaves(terminal, below, given + 1)
        assert go(terminal, "b", below) == here
    return found


def in_the_list(terminal: Terminal) -> None:
    terminal.wait_until(lambda shown: "Dozens of alerts" in shown and "▸" not in shown, "the list of symptoms alone")


def search(terminal: Terminal, words: str) -> None:
    """Keep the rows that hold these words."""
    terminal.send("/")
    terminal.wait_for("words that a row must hold")
    terminal.send(f"{words}\r")
    terminal.wait_for(f"only {words}")


def test_every_leaf_of_every_tree_is_reached_by_the_keyboard(desk: DeskProcesses, terminal: Terminal) -> None:
    found: set[tuple[str, str]] = set()
    terminal.send("4")
    in_the_list(terminal)
    for number in range(len(trees())):
        terminal.send("\x1b[H" + "\x1b[B" * number)
        here = go(terminal, "\r", ("", ""))
        found |= leaves(terminal, here)
        terminal.send("e")
        terminal.wait_for("why is the walk given up")
        terminal.send("looked around\r")
        terminal.wait_for("GIVEN UP")
        terminal.send("\x1b")
        in_the_list(terminal)
    assert found == {(tree.id, leaf) for tree in trees().values() for leaf in tree.leaves}
    assert len(found) == 21
    answered = [record for record in desk.records() if isinstance(record.event, en.WalkAnswered)]
    assert len(answered) == 2 * sum(len(tree.questions) for tree in trees().values())
    assert {record.actor for record in answered} == {getpass.getuser()}
    assert [record.ts for record in answered] == sorted(record.ts for record in answered)
    assert len(desk.journaled(en.WalkAborted)) == len(trees())


def test_a_run_is_given_up_with_a_reason_and_read_afterwards(desk: DeskProcesses, terminal: Terminal) -> None:
    terminal.send("5")
    terminal.wait_for("Runbooks  1")
    search(terminal, "killswitch")
    terminal.send("s")
    terminal.wait_for("next is 1")
    terminal.send(" ")
    terminal.wait_for("next is 2")
    terminal.send("e")
    terminal.wait_for("why is the run given up")
    terminal.send("it was a drill\r")
    terminal.wait_for("ABORTED")
    terminal.send("\x1b")
    terminal.wait_for("✗ run")
    terminal.send("\x1b[B\r")
    assert "it was a drill" in " ".join(terminal.wait_for("ABORTED").split())
    [aborted], [marked] = desk.journaled(en.RunAborted), desk.journaled(en.StepMarked)
    assert (aborted.run, aborted.reason) == (marked.run, "it was a drill")


def test_a_gate_is_attested_with_evidence_whose_hash_is_kept(
    desk: DeskProcesses, terminal: Terminal, tmp_path: Path
) -> None:
    evidence = tmp_path / "bars.txt"
    evidence.write_text("every symbol has a bar\n")
    terminal.send("6")
    terminal.wait_for("Cadence  20")
    search(terminal, "DAILY D1")
    terminal.send("\r")
    terminal.wait_for("say what you found")
    terminal.send("p")
    terminal.wait_for("PASSED")
    terminal.send("e")
    terminal.wait_for("where the evidence lies:")
    terminal.send(f"{evidence}\r")
    terminal.wait_for("puts it on record")
    terminal.send("\r")
    terminal.wait_for("✓ done")
    [event] = desk.journaled(en.GateAttested)
    assert (event.gate, event.result, event.evidence) == ("DAILY D1", "passed", str(evidence))
    assert event.sha256 == hashlib.sha256(evidence.read_bytes()).hexdigest()


def test_a_console_that_was_killed_finds_the_same_question_again_though_the_file_was_edited(
    desk: DeskProcesses,
) -> None:
    def to_the_walk(opened: Terminal) -> None:
        opened.wait_for("OPEN 100")
        opened.send("4")
        opened.wait_for("The order route looks fine")
        search(opened, "order route")
        opened.send("\r")

    with console(desk) as opened:
        to_the_walk(opened)
        opened.wait_for("no-fills ▸ q1")
        opened.send("t")
        opened.wait_for("it is kept with your answer")
        opened.send("page is green\r")
        opened.wait_for("“page is green”")
        go(opened, "y", ("no-fills", "q1"))
        version = re.search(r"version (\w+)", opened.text)
        os.kill(opened.pid, signal.SIGKILL)
        opened.wait_exit()
    own = desk.file.parent / "runbooks" / "trees"
    own.mkdir(parents=True)
    ours = (shipped_folder() / "trees" / "no-fills.yaml").read_text()
    (own / "no-fills.yaml").write_text(ours.replace("keep to tick and lot size", "look well"))
    with console(desk) as opened:
        to_the_walk(opened)
        shown = opened.wait_for("no-fills ▸ q2")
        opened.wait_for("Do the orders keep to tick and lot size?")
        assert version is not None
        assert version[0] in shown
        assert "“page is green”" in shown
