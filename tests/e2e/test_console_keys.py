"""The console's keys in a real pseudo-terminal: what pulls the cord, and everything that must not."""

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import ROOT, wait_until
from tests.support.terminal import Terminal

OVERLAY = "PULL THE CORD"
F10 = "\x1b[21~"
SETTLED = 0.4
"""Longer than the 0.3 s in which a digit does not count."""


class Console:
    def __init__(self, folder: Path, *options: str, cols: int = 80, rows: int = 24) -> None:
        self.file = folder / "pulls"
        self.terminal = Terminal(
            [sys.executable, "-m", "tests.support.pty_console", str(self.file), *options],
            env={"COLUMNS": "80", "LINES": "24"},  # some shells export them; the terminal knows better
            cols=cols,
            rows=rows,
            cwd=ROOT,
        )
        self.terminal.wait_for("Monitors  6")

    @property
    def pulls(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []

    def open_cord(self) -> None:
        self.terminal.send("K")
        self.terminal.wait_for(OVERLAY)
        time.sleep(SETTLED)

    def block(self) -> None:
        """Stop the event loop, and be sure of it."""
        self.terminal.signal(signal.SIGUSR1)
        wait_until(self.file.with_suffix(".blocked").exists, "the loop to block")
        time.sleep(1.2)

    def unblock(self) -> None:
        self.file.with_suffix(".go").touch()

    def still_listens(self) -> None:
        """Everything typed so far was handled, since this is answered after it."""
        self.terminal.send("\x1b")
        self.terminal.wait_gone(OVERLAY)
        self.terminal.send("?")
        self.terminal.wait_for("Esc leaves")
        self.terminal.send("\x1b")
        self.terminal.wait_gone("Esc leaves")


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    opened = Console(tmp_path)
    try:
        yield opened
    finally:
        opened.unblock()
        opened.terminal.close()


def test_k_and_a_digit_pull_once_in_the_input_thread_and_show_the_verdict(console: Console) -> None:
    console.open_cord()
    console.terminal.send("3")
    console.terminal.wait_for("S E N T")
    console.terminal.send("333")
    console.terminal.wait_for("waiting for its first record")
    assert console.pulls == ["L3 desk textual-input"]


def test_tab_changes_the_scope_and_four_flattens(console: Console) -> None:
    console.open_cord()
    console.terminal.send("\t")
    console.terminal.wait_for("▸ sim1")
    time.sleep(SETTLED)
    console.terminal.send("4")
    wait_until(lambda: console.pulls, "the pull")
    assert console.pulls == ["L4 venue:sim1 textual-input"]


def test_pasted_held_and_typed_keys_pull_nothing(console: Console) -> None:
    console.terminal.send("K3")
    console.terminal.wait_for(OVERLAY)
    console.terminal.send("\x1b")
    console.terminal.wait_gone(OVERLAY)
    for _ in range(30):
        console.terminal.send("K")
    console.terminal.wait_for(OVERLAY)
    console.terminal.send("K3")
    console.terminal.wait_for("too soon")
    console.terminal.wait_for("Enter does nothing here")
    console.terminal.send("\rp")
    console.terminal.wait_for("p ■ keep protective")
    console.still_listens()
    console.terminal.send("\x1b[200~K3\x1b[201~")
    console.terminal.send("/")
    console.terminal.wait_for("Enter keeps")
    console.terminal.send("KKR3")
    console.terminal.wait_for("KKR3")
    assert OVERLAY not in console.terminal.text
    time.sleep(SETTLED)
    console.terminal.send("3")
    console.terminal.wait_for("KKR33")
    assert console.pulls == []


def test_f10_opens_the_cord_even_while_typing(console: Console) -> None:
    console.terminal.send("/")
    console.terminal.wait_for("Enter keeps")
    console.terminal.send(F10)
    console.terminal.wait_for(OVERLAY)
    assert console.pulls == []


def test_escape_disarms_at_once(console: Console) -> None:
    console.open_cord()
    console.terminal.send("\x1b")
    console.terminal.wait_gone(OVERLAY)
    console.terminal.send("3")
    console.still_listens()
    assert console.pulls == []


def test_a_digit_pulls_while_the_loop_is_blocked(console: Console) -> None:
    console.open_cord()
    console.block()
    console.terminal.send("3")
    wait_until(lambda: console.pulls, "the pull")
    console.terminal.wait_for("CORD PULLED  L3 desk")
    console.terminal.send("3")
    console.unblock()
    console.terminal.wait_for("S E N T")
    assert console.pulls == ["L3 desk textual-input"]


def test_f10_twice_pulls_the_desk_while_the_loop_is_blocked(console: Console) -> None:
    console.block()
    console.terminal.send(F10 + F10)
    time.sleep(0.3)
    assert console.pulls == []
    console.terminal.send(F10)
    wait_until(lambda: console.pulls, "the pull")
    console.terminal.wait_for("CORD PULLED  L3 desk")
    console.unblock()
    console.terminal.wait_for("S E N T")
    assert console.pulls == ["L3 desk cord-f10"]


def test_a_small_terminal_says_so_and_the_cord_still_opens(console: Console) -> None:
    console.terminal.resize(60, 20)
    console.terminal.wait_for("This terminal is 60×20")
    console.open_cord()
    assert "HALT + CANCEL + FLATTEN" in console.terminal.text
    console.terminal.send("\x1b")
    console.terminal.wait_gone(OVERLAY)
    console.terminal.resize(80, 24)
    console.terminal.wait_for("Monitors  6")
    assert console.pulls == []


def test_read_only_pulls_nothing_and_says_why(tmp_path: Path) -> None:
    console = Console(tmp_path, "--read-only")
    try:
        console.terminal.wait_for("READ-ONLY")
        console.terminal.send("K")
        console.terminal.wait_for("READ-ONLY: this console")
        console.block()
        console.terminal.send(F10)
        time.sleep(0.3)
        console.terminal.send(F10)
        console.unblock()
        console.terminal.send("q")
        assert console.terminal.wait_exit() == 0
        assert console.pulls == []
    finally:
        console.unblock()
        console.terminal.close()


def test_the_way_back_is_carried_out_by_typing_the_desks_name_and_not_before(tmp_path: Path) -> None:
    console = Console(tmp_path, "--stopped")
    terminal = console.terminal
    try:
        terminal.send("u")
        terminal.wait_for("what it was is not written down")
        terminal.send("\r")
        terminal.send("cc")
        terminal.wait_for("▸ mistaken")
        terminal.send("t")
        terminal.wait_for("what went wrong")
        terminal.send("test pull\r")
        terminal.wait_for("all proofs stand")
        terminal.send("\r")
        terminal.wait_for("Enter carries the resume out")
        terminal.send("demon\r")
        terminal.wait_for("Not resumed")
        terminal.send("\r")
        terminal.wait_for("Enter carries the resume out")
        terminal.send("demo\r")
        terminal.wait_gone("what it was")
        terminal.wait_for("Monitors  6")
        assert console.pulls == []
    finally:
        console.unblock()
        terminal.close()
