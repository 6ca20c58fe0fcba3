"""Archives in a real terminal: a copy on a laptop with an empty home and no desk, and a live desk's own."""

import contextlib
import shutil
import sys
from pathlib import Path

import pytest

from console.desk import entries as en
from console.desk import events as ev
from tests.support.archives import make_archive
from tests.support.broker import ROOT
from tests.support.desk import DeskProcesses
from tests.support.terminal import Terminal

pytestmark = pytest.mark.timeout(240)
SQL = "select count(*) as fills, min(incident) as first from fills"


def console(home: Path, *arguments: str) -> Terminal:
    argv = [sys.executable, "-P", "-m", "console", "archive", "open", *arguments]
    told = {name: str(home) for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "ANDON_DESK")}
    return Terminal(argv, {**told, "ANDON_DESK": ""}, 80, 24, ROOT)


def leave(terminal: Terminal, until: str) -> None:
    """By Escape, as often as it takes: nothing is seen of the step from a table to the line above it."""
    while True:
        terminal.send("\x1b")
        with contextlib.suppress(AssertionError):
            terminal.wait_for(until, timeout=3)
            return


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_copied_archive_is_listed_opened_verified_and_queried_by_keys(tmp_path: Path) -> None:
    made = make_archive(tmp_path / "desk" / "archive", incidents=3, events=120)
    laptop, home = tmp_path / "laptop", tmp_path / "home"
    home.mkdir()
    shutil.copytree(made.folder, laptop / "copy")
    before = contents(laptop)
    with console(home, str(laptop / "copy"), "--key", made.signer.fingerprint) as terminal:
        shown = terminal.wait_for("INC-2026-0001")
        assert "no desk is attached" in shown
        assert "GUARD DOWN" not in shown
        terminal.send("/")
        terminal.wait_for("words that a row must hold")
        terminal.send("class:runaway")
        terminal.wait_until(lambda shown: "INC-2026-0003" not in shown and "INC-2026-0002" in shown, "one incident")
        terminal.send("\r")
        terminal.wait_for("only")
        terminal.send("\r")
        terminal.wait_for("UNCHECKED")
        terminal.send("v")
        terminal.wait_for("VERIFIED")
        terminal.send("d")
        shown = terminal.wait_for("as it was at")
        assert "ARCHIVE  INC-2026-0002" in shown
        assert "no live desk is attached" in shown
        terminal.send("\x1b")
        terminal.wait_until(lambda shown: "as it was at" not in shown and "signed by" in shown, "the page again")
        terminal.send(":")
        terminal.wait_for("what there is")
        terminal.send(SQL)
        terminal.wait_for("min(incident)")
        terminal.send("\r")
        terminal.wait_until(lambda shown: "INC-2026-0001" in shown and "1 row" in shown, "the answer")
        leave(terminal, "VERIFIED")
        leave(terminal, "Archive  1 of 3")
        terminal.send("q")
        assert terminal.wait_exit() == 0
        assert b"leaked" not in terminal.raw, "DuckDB has nothing to say to who leaves"
    assert contents(laptop) == before, "nothing is written into what is only read"
    assert (home / "andon" / "queries").read_text().splitlines() == [SQL]


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
def test_a_changed_byte_is_seen_in_sixteen_colours(tmp_path: Path, size: tuple[int, int]) -> None:
    made = make_archive(tmp_path / "archive", incidents=1, events=60)
    file = next(made.folder.rglob("*-fills.parquet"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o600)
    file.write_bytes(data)
    argv = [sys.executable, "-P", "-m", "console", "archive", "open", str(made.folder)]
    told = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "TERM": "xterm-16color", "COLORTERM": ""}
    with Terminal(argv, told, *size, ROOT) as terminal:
        if size == (60, 20):
            shown = terminal.wait_for("60×20")
            assert "ARCHIVE" in shown
        else:
            terminal.wait_for("INC-2026-0001")
            terminal.send("v")
            terminal.wait_for("✗ broken")
        terminal.send("q")
        assert terminal.wait_exit() == 0


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with console(tmp_path, str(tmp_path / "gone")) as terminal:
        assert terminal.wait_exit() == 2
        assert "there is nothing" in terminal.text.replace("\n", "")


def test_an_incident_is_opened_noted_captured_and_found_in_the_archive_by_keys(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path, traded=False, http=False) as desk:
        argv = [sys.executable, "-P", "-m", "console", "--desk", str(desk.file)]
        with Terminal(argv, {"XDG_STATE_HOME": str(tmp_path)}, 80, 24, ROOT) as terminal:
            terminal.wait_for("OPEN 100")
            terminal.send("i")
            terminal.wait_for("what is going on")
            terminal.send("acks silent\r")
            number = desk.wait_journaled(en.IncidentOpened).incident
            terminal.wait_for(f"{number} P0")
            desk.wait_journaled(ev.ArchiveSealed)
            terminal.send("m")
            terminal.wait_for("what was seen, done or said")
            terminal.send("the broker was called\r")
            assert desk.wait_journaled(en.IncidentNoted).text == "the broker was called"
            terminal.send("e")
            desk.wait_journaled(ev.ArchiveSealed, lambda sealed: sealed.seal == 2 and sealed.why == "snapshot")
            terminal.send("7")
            terminal.wait_for("unchecked")
            terminal.send("\r")
            terminal.wait_for("UNCHECKED")
            terminal.send("v")
            terminal.wait_for("VERIFIED")
            terminal.send("d")
            shown = terminal.wait_for("NOW")
            assert f"ARCHIVE  {number}" in shown
            terminal.send("K")
            terminal.wait_for("not the archive")
            terminal.send("\x1b")
            terminal.wait_gone("not the archive")
            terminal.send("1")
            terminal.wait_gone("ARCHIVE")
            terminal.send("q")
            assert terminal.wait_exit() == 0
