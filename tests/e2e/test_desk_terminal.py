"""The whole line, as an operator walks it: a real terminal, a real guard, real strategies at a real broker."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.cord.latch import standing
from console.desk import entries as en
from console.desk import events as ev
from console.desk.pull import GateState, Verdict
from console.evidence.journal import verify
from console.evidence.signing import Trusted
from console.evidence.verify import known_seals
from console.evidence.verify import verify as verify_evidence
from tests.support.broker import ROOT, wait_until
from tests.support.cord import end_hands, kill
from tests.support.desk import DeskProcesses
from tests.support.terminal import Terminal

pytestmark = pytest.mark.timeout(240)
OVERLAY = "PULL THE CORD"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskProcesses]:
    with DeskProcesses(tmp_path, quiet_seconds=3, broker_arguments=("--speed", "30")) as running:
        wait_until(lambda: open_orders(running, "sim2"), "the market maker's quotes")
        yield running
        end_hands(running.state_dir)


def console(desk: DeskProcesses, cols: int = 120, rows: int = 36) -> Terminal:
    argv = [sys.executable, "-P", "-m", "console", "--desk", str(desk.file)]
    return Terminal(argv, {"XDG_STATE_HOME": str(desk.folder)}, cols, rows, ROOT)


def open_orders(desk: DeskProcesses, venue: str) -> list[Any]:
    answer: list[Any] = desk.broker.request("GET", "/v2/orders?status=open&limit=500", account=venue)[1]
    return answer


def nothing_open(desk: DeskProcesses) -> bool:
    return not open_orders(desk, "sim1") and not open_orders(desk, "sim2")


def all_orders(desk: DeskProcesses) -> set[str]:
    pages = (
        desk.broker.request("GET", "/v2/orders?status=all&limit=500", account=venue)[1] for venue in ("sim1", "sim2")
    )
    return {order["id"] for page in pages for order in page}


def gates(desk: DeskProcesses) -> set[str]:
    """What the strategies say that they act on."""
    assert desk.strategies is not None
    answers = (urllib.request.urlopen(url + "/state", timeout=10) for url in desk.strategies.urls.values())
    return {json.loads(answer.read())["gate"] for answer in answers}


def pull(terminal: Terminal, digit: str) -> None:
    terminal.wait_for("OPEN 100")
    terminal.send("K")
    terminal.wait_for(OVERLAY)
    press(terminal, digit)


def press(terminal: Terminal, digit: str) -> None:
    """A digit in the overlay. One that comes within 300 ms of the painting does not count, and a busy machine paints
    late: then the overlay says so, and it is pressed once more, as a person would."""
    time.sleep(0.5)
    terminal.send(digit)
    shown = terminal.wait_until(lambda text: "too soon" in text or OVERLAY not in text, "what became of the digit")
    if "too soon" in shown:
        time.sleep(0.5)
        terminal.send(digit)


def proven(desk: DeskProcesses, level: str) -> set[str]:
    """What is sealed of the incident that the only pull opened, once the proof is; all of it is verified."""
    seal = desk.wait_journaled(ev.ArchiveSealed, lambda event: event.why == "verified")
    [opened] = desk.journaled(en.IncidentOpened)
    assert (seal.incident, opened.title) == (opened.incident, f"{level} desk")
    folder = desk.state_dir / "archive" / opened.incident
    report = verify_evidence(folder, Trusted.of(desk.folder, desk.state_dir), known_seals(desk.records()))
    assert (report.standing.word, report.findings) == ("verified", [])
    return {item for event in desk.journaled(ev.ArchiveSealed) for item in event.items}


def test_k_3_stops_the_desk_and_it_is_still_halted_when_opened_again(desk: DeskProcesses) -> None:
    with console(desk) as terminal:
        pull(terminal, "3")
        wait_until(lambda: nothing_open(desk), "no open order at the venues")
        wait_until(lambda: gates(desk) == {"HALTED"}, "the strategies say HALTED")
        before = all_orders(desk)
        terminal.wait_for("V E R I F I E D")
        assert all_orders(desk) == before, "no order has reached a venue since"
        assert "HALTED" in terminal.text
        terminal.send("q")
        assert terminal.wait_exit() == 0
    with console(desk, 80, 24) as terminal:
        terminal.wait_for("HALTED")
        terminal.wait_for("SIMULATED")
    [pulled] = desk.journaled(ev.Pulled)
    assert (pulled.level, pulled.scope, pulled.origin, pulled.hand) == ("L3", "desk", "console", "guard")
    assert desk.folded().gate_state is GateState.HALTED
    assert {"positions", "orders", "account", "settings", "journal", "exchanges", "quotes"} < proven(desk, "L3")


def test_k_4_flattens_every_position(desk: DeskProcesses) -> None:
    wait_until(lambda: desk.broker.request("GET", "/v2/positions", account="sim1")[1], "a position")
    with console(desk) as terminal:
        pull(terminal, "4")
        terminal.wait_for("V E R I F I E D")
    for venue in ("sim1", "sim2"):
        assert desk.broker.request("GET", "/v2/positions", account=venue)[1] == []
    closes = [event.target for event in desk.journaled(ev.CordSent) if event.what == "close"]
    assert len(closes) == len(set(closes)), "one close a symbol"
    assert {"positions", "orders", "journal", "fills"} < proven(desk, "L4")


def test_tab_to_a_venue_and_3_pulls_that_venue_alone(desk: DeskProcesses) -> None:
    with console(desk, 80, 24) as terminal:
        terminal.wait_for("OPEN 100")
        terminal.send("K")
        terminal.wait_for(OVERLAY)
        terminal.send("\t\t")
        terminal.wait_for("▸ sim2")
        press(terminal, "3")
        terminal.wait_for("V E R I F I E D")
    [pulled] = desk.journaled(ev.Pulled)
    assert (pulled.scope, pulled.venues) == ("venue:sim2", ("sim2",))
    assert {event.venue for event in desk.journaled(ev.CordSent)} == {"sim2"}
    assert open_orders(desk, "sim2") == []


def test_an_l2_of_a_venue_disables_the_strategies_that_trade_there(desk: DeskProcesses) -> None:
    code, told, said = kill(desk.state_dir, "--venue", "sim2", "--level", "L2")
    assert (code, told["verdict"]) == (0, "VERIFIED"), said
    disabled = {event.strategy for event in desk.journaled(ev.StrategyChanged) if event.what == "disabled"}
    assert disabled == {"maker"}


@pytest.mark.parametrize("level", ["L3", "L4"])
def test_a_drill_stops_the_desk_and_files_a_report_that_the_journal_vouches_for(
    desk: DeskProcesses, level: str
) -> None:
    def andon(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-P", "-m", "console", "--desk", str(desk.file), *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    ran = andon("drill", "run", "kill-switch", "--level", level, "--json")
    told = json.loads(ran.stdout)
    assert (ran.returncode, told["passed"], told["missed"], told["problem"]) == (0, True, [], ""), ran.stderr
    assert nothing_open(desk)
    report = Path(told["report"])
    [done] = desk.journaled(ev.DrillDone)
    assert (done.id, done.pull, done.level, done.passed) == (told["id"], told["pull"], level, True)
    assert (done.flat_ms is not None) == (level == "L4")
    assert done.sha256 == hashlib.sha256(report.read_bytes()).hexdigest()
    assert report == desk.state_dir / done.report
    assert "PASSED" in report.with_suffix(".txt").read_text()
    [pulled] = desk.journaled(ev.Pulled)
    assert (pulled.origin, pulled.reason) == ("drill", f"drill {done.id}")
    assert done.id in andon("drill", "list").stdout
    again = andon("drill", "run", "kill-switch")
    assert (again.returncode, "stands already" in again.stderr) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_k_3_stops_the_desk_without_a_guard(desk: DeskProcesses, number: signal.Signals) -> None:
    with console(desk) as terminal:
        terminal.wait_for("OPEN 100")
        os.kill(desk.guard_pid, number)
        pull(terminal, "3")
        wait_until(lambda: nothing_open(desk), "no open order at the venues")
        terminal.wait_for("GUARD DOWN")
        terminal.wait_for("V E R I F I E D")
        assert "HALTED" in terminal.text
    [entry] = standing(str(desk.state_dir)) or []
    if number == signal.SIGSTOP:
        os.kill(desk.guard_pid, signal.SIGCONT)
    else:
        desk.stop_guard(signal.SIGKILL)
        desk.start_guard()
    known = wait_until(lambda: desk.http("GET", "/status")[1]["pulls"], "the guard knows of the pull")
    assert [one["pull"] for one in known] == [entry["id"]]
    assert desk.http("GET", "/gate")[1]["state"] == "HALTED"
    assert len(desk.journaled(ev.Pulled)) == 1, "nothing is pulled a second time"
    state = desk.folded()
    assert state.gate_state is GateState.HALTED
    assert [one.hand for one in state.pulls.values()] == ["direct"]
    assert all(report.problem is None for report in verify(desk.state_dir / "journal"))


def test_andon_kill_l4_leaves_no_position_and_says_so(desk: DeskProcesses) -> None:
    code, told, said = kill(desk.state_dir, "--all", "--level", "L4")
    assert (code, told["verdict"], told["hand"], told["positions"]) == (0, "VERIFIED", "guard", 0), said
    for venue in ("sim1", "sim2"):
        assert desk.broker.request("GET", "/v2/positions", account=venue)[1] == []


def test_the_line_drops_right_after_the_digit_and_the_pull_completes(desk: DeskProcesses) -> None:
    desk.stop_guard(signal.SIGKILL)
    with console(desk) as terminal:
        terminal.wait_for("GUARD DOWN")
        terminal.send("K")
        terminal.wait_for(OVERLAY)
        press(terminal, "3")
        terminal.hang_up()
        terminal.wait_exit()

    def verified() -> bool:
        known = desk.folded().pull
        return known is not None and known.verdict is Verdict.VERIFIED

    wait_until(verified, "VERIFIED without a terminal")
    assert nothing_open(desk)


def test_typing_in_a_filter_pulls_nothing(desk: DeskProcesses) -> None:
    with console(desk) as terminal:
        terminal.wait_for("OPEN 100")
        terminal.send("/")
        time.sleep(0.2)
        terminal.send("KKK333")
        terminal.send("\x1b[200~K3\x1b[201~")
        terminal.wait_for("KKK333K3")
        terminal.send("\x1b")
        terminal.wait_gone("KKK333K3")
        terminal.send("K3")
        terminal.wait_for(OVERLAY)
        terminal.send("KKKKKKKKKK\r")
        time.sleep(0.5)
        terminal.send("\x1b")
        terminal.wait_gone(OVERLAY)
    assert desk.journaled(ev.Pulled) == []
    assert standing(str(desk.state_dir)) == []


def test_g_starts_a_guard_where_there_is_none(desk: DeskProcesses) -> None:
    with console(desk) as terminal:
        terminal.wait_for("OPEN 100")
        desk.stop_guard(signal.SIGKILL)
        terminal.wait_for("GUARD DOWN")
        terminal.send("g")
        terminal.wait_for("the guard runs")
        terminal.wait_gone("GUARD DOWN")
        terminal.send("g")
        terminal.wait_for("the guard is running")
    os.kill(int((desk.state_dir / "guard.lock").read_text()), signal.SIGTERM)
    desk.wait_journaled(ev.GuardStopped)
