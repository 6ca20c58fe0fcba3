"""The way back on a desk of real processes: what is refused, what opens, and what a crash in between leaves."""

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.cord import latch
from console.cord.plan import Plan
from console.desk import events as ev
from console.desk.pull import GateState, Verdict
from tests.support.broker import ROOT, wait_until
from tests.support.cord import end_hands, kill
from tests.support.desk import DeskProcesses

pytestmark = pytest.mark.timeout(300)
ANDON = (sys.executable, "-m", "console")
MISTAKEN = ("--cause", "mistaken", "--text", "typed into the wrong desk")
OWN_FIX = (
    "--cause",
    "own-fix",
    "--text",
    "a loop in the sizing",
    "--checked",
    "replayed the day on the simulated desk",
)


def andon(desk: DeskProcesses, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [*ANDON, "--desk", str(desk.file), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def resume(desk: DeskProcesses, *arguments: str, confirm: str = "test") -> tuple[int, dict[str, Any]]:
    """The exit code and the answer."""
    done = andon(desk, "resume", "--json", "--confirm", confirm, *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else {"said": done.stderr}


def missing(answer: dict[str, Any]) -> set[str]:
    return {proof["id"] for proof in answer["judgement"]["proofs"] if not proof["holds"]}


def pull(desk: DeskProcesses, scope: str = "all", level: str = "L3") -> str:
    asked = {"reason": "test", "scope": scope, "level": level}
    answer: str = desk.http("POST", "/emergency/shutdown", asked)[1]["pull"]
    return answer


def wait_verified(desk: DeskProcesses, name: str) -> None:
    wait_until(lambda: (known := desk.folded().pulls.get(name)) and known.verdict is Verdict.VERIFIED, "VERIFIED")


def start_resume(desk: DeskProcesses, *arguments: str) -> "subprocess.Popen[bytes]":
    command = [*ANDON, "--desk", str(desk.file), "resume", "--confirm", "test", *MISTAKEN, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def suspended(desk: DeskProcesses) -> None:
    """A pull that is VERIFIED, and a venue that the cord suspended because of an order that came after it."""
    name = pull(desk)
    wait_verified(desk, name)
    desk.broker.control("POST", "/orders", {"venue": "sim1", "count": 1, "prefix": "momentum-"})
    wait_until(lambda: "sim1" in desk.folded().suspended, "an order after the pull suspends the venue")
    wait_verified(desk, name)


def gate(desk: DeskProcesses) -> dict[str, Any]:
    told: dict[str, Any] = desk.http("GET", "/gate")[1]
    return told


@pytest.fixture
def quiet_desk(tmp_path: Path) -> Iterator[DeskProcesses]:
    with DeskProcesses(tmp_path, traded=False, quiet_seconds=1) as desk:
        desk.broker.control("POST", "/clock", {"session": "open"})
        yield desk
        end_hands(desk.state_dir)


def test_each_missing_proof_is_named_and_then_the_desk_trades_again_smaller(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path, quiet_seconds=1, broker_arguments=("--speed", "60")) as desk:
        assert desk.strategies is not None
        desk.wait_journaled(ev.Filled)
        assert resume(desk, "--size", "25", *MISTAKEN)[0] == 2, "nothing is pulled"
        desk.broker.fault("stuck_pending_cancel", "sim1")
        desk.broker.control("POST", "/orders", {"venue": "sim1", "count": 2, "prefix": "hand-"})
        name = pull(desk)
        code, answer = resume(desk, "--size", "100", "--cause", "own-fix", "--text", "x", confirm="other")
        assert code == 5
        assert missing(answer) >= {"cause", "verdict", "size", "name"}
        desk.broker.clear()
        wait_verified(desk, name)
        assert missing(resume(desk, "--all", "--size", "former", *OWN_FIX)[1]) == {"size"}

        code, answer = resume(desk, "--all", "--size", "25", *OWN_FIX)
        assert code == 0, answer
        assert not (desk.state_dir / "cord.latch").exists()
        wait_until(lambda: gate(desk)["state"] == "REDUCED", "the gate at 25 %")
        assert gate(desk)["size_factor"] == "0.25"
        sent = desk.strategies.state("momentum")["orders_sent"] + desk.strategies.state("maker")["orders_sent"]
        wait_until(
            lambda: (
                desk.strategies.state("momentum")["orders_sent"] + desk.strategies.state("maker")["orders_sent"] > sent
            ),
            "an order after the resume",
        )
        folded = desk.folded()
        assert (folded.pulls, folded.gate_state) == ({}, GateState.REDUCED)
        assert len(desk.journaled(ev.Refused)) == 3
        assert "REDUCED 25 %" in andon(desk, "status").stdout
        assert missing(resume(desk, "--all", "--size", "100", *OWN_FIX)[1]) >= {"size"}


def test_a_break_between_book_and_broker_is_a_missing_proof(quiet_desk: DeskProcesses) -> None:
    desk = quiet_desk
    wait_verified(desk, pull(desk))
    desk.broker.control("POST", "/positions", {"venue": "sim2", "symbol": "AAPL", "qty": "7"})
    code, answer = resume(desk, "--size", "former", *MISTAKEN)
    assert (code, missing(answer)) == (5, {"book"})
    desk.broker.control("POST", "/positions", {"venue": "sim2", "symbol": "AAPL", "qty": "-7"})
    desk.broker.fault("error500", "sim1", path="/v2/positions")
    code, answer = resume(desk, "--size", "former", *MISTAKEN)
    assert code == 5
    assert "book" in missing(answer), "a failed read proves nothing"
    desk.broker.clear()
    code, answer = resume(desk, "--size", "former", *MISTAKEN)
    assert code == 0, answer
    assert gate(desk)["state"] == "OPEN"


def test_softened_limits_do_not_come_back(quiet_desk: DeskProcesses) -> None:
    desk = quiet_desk
    wait_verified(desk, pull(desk))
    before = desk.file.read_text()
    desk.file.write_text(before + "limits: {daily_loss_pct: 50}\n")
    assert missing(resume(desk, "--size", "25", *MISTAKEN)[1]) == {"limits"}
    desk.stop_guard(signal.SIGTERM)
    desk.start_guard()
    wait_until(
        lambda: missing(resume(desk, "--size", "25", *MISTAKEN)[1]) == {"limits"}, "the limits alone are missing"
    )
    desk.file.write_text(before)
    desk.stop_guard(signal.SIGTERM)
    desk.start_guard()
    wait_until(lambda: resume(desk, "--size", "25", *MISTAKEN)[0] == 0, "resumed under the former limits")


def test_an_outside_cause_must_have_been_green_for_long_enough(quiet_desk: DeskProcesses) -> None:
    desk = quiet_desk
    asked = ("--size", "25", "--cause", "external", "--text", "the broker was down")
    wait_verified(desk, pull(desk))
    assert missing(resume(desk, *asked)[1]) == {"green"}
    desk.stop_guard(signal.SIGTERM)
    desk.file.write_text(desk.file.read_text().replace("quiet_seconds: 1", "quiet_seconds: 1, green_seconds: 2"))
    desk.start_guard()
    wait_until(lambda: resume(desk, *asked)[0] == 0, "green for two seconds")


def test_any_other_pull_keeps_the_gate_shut(quiet_desk: DeskProcesses) -> None:
    desk = quiet_desk
    whole, venue = pull(desk), pull(desk, "venue:sim2")
    wait_verified(desk, whole)
    wait_verified(desk, venue)
    code, answer = resume(desk, "--size", "former", *MISTAKEN)
    assert code == 2, "two stand, and none was named"
    code, answer = resume(desk, "--pull", whole, "--size", "former", *MISTAKEN)
    assert code == 0, answer
    assert answer["judgement"]["stays"] == [venue]
    assert standing_ids(desk) == [venue]
    assert desk.http("GET", "/gate?strategy=x&symbol=AAPL")[0] in (200, 400, 404)
    told = json.loads((desk.state_dir / "gate.json").read_bytes())
    assert (told["state"], told["scopes"]) == ("OPEN", {"venue:sim2": "HALTED"})
    assert resume(desk, "--venue", "sim2", "--size", "former", *MISTAKEN)[0] == 0
    assert not (desk.state_dir / "cord.latch").exists()


def standing_ids(desk: DeskProcesses) -> list[str]:
    """The pulls in the latch."""
    return [entry["id"] for entry in latch.standing(str(desk.state_dir)) or []]


def test_a_pull_that_races_a_resume_is_never_cleared_by_it(quiet_desk: DeskProcesses) -> None:
    desk = quiet_desk
    for wait in (0.0, 0.25, 0.5, 0.75):
        first = pull(desk)
        wait_verified(desk, first)
        command = [
            *ANDON,
            "--desk",
            str(desk.file),
            "resume",
            "--all",
            "--size",
            "former",
            "--confirm",
            "test",
            *MISTAKEN,
        ]
        asking = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        second = pull(desk)
        halted = gate(desk)["state"]
        code = asking.wait(60)
        resumed = {name for event in desk.journaled(ev.Resumed) for name in event.pulls}
        if second not in resumed:  # else the resume was asked after it, and saw it proven
            assert halted == gate(desk)["state"] == "HALTED"
            wait_until(lambda: second in standing_ids(desk), "its latch, which the resume may have held up")  # noqa: B023
            assert second in desk.folded().pulls
        assert code in (0, 5)
        for name in desk.folded().pulls:
            wait_verified(desk, name)
        if desk.folded().pulls:
            assert resume(desk, "--all", "--size", "former", *MISTAKEN)[0] == 0
        wait_until(lambda: gate(desk)["state"] == "OPEN", "the gate is open")


def test_a_strategy_that_the_cord_disabled_runs_again_and_one_that_a_person_disabled_does_not(tmp_path: Path) -> None:
    with DeskProcesses(tmp_path, quiet_seconds=1, broker_arguments=("--speed", "60")) as desk:
        strategies = desk.strategies
        assert strategies is not None
        strategies.ask("maker", "/disable", "POST")
        name = pull(desk, "strategy:momentum", "L2")
        wait_until(lambda: not strategies.state("momentum")["enabled"], "momentum is disabled")
        assert desk.wait_journaled(ev.StrategyChanged, lambda event: event.detail == ev.BY_CORD).strategy == "momentum"
        wait_verified(desk, name)
        wait_until(lambda: resume(desk, "--strategy", "momentum", "--size", "former", *MISTAKEN)[0] == 0, "resumed")
        assert strategies.state("momentum")["enabled"]
        assert not strategies.state("maker")["enabled"]


def test_killed_between_the_steps_a_resume_is_finished_or_never_began(quiet_desk: DeskProcesses) -> None:
    """The latch is held by this test, so that the guard stands between the record and the next step."""
    desk = quiet_desk
    suspended(desk)
    with (desk.state_dir / "cord.latch").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        asking = start_resume(desk, "--size", "25")
        desk.wait_journaled(ev.Resumed)
        assert gate(desk)["state"] == "HALTED"
        desk.stop_guard(signal.SIGKILL)
        assert asking.wait(60) == 1
    assert (desk.state_dir / "cord.latch").exists()
    desk.start_guard()
    wait_until(lambda: not (desk.state_dir / "cord.latch").exists(), "the latch was rewritten")
    wait_until(lambda: not desk.folded().suspended, "the venue was lifted")
    wait_until(lambda: gate(desk)["state"] == "REDUCED", "the gate at 25 %")
    lifts = [event for event in desk.journaled(ev.CordSent) if event.what == "unsuspend"]
    assert len(lifts) == 1
    assert desk.broker.control("GET")["accounts"]["sim1"]["open_orders"] == 0
    desk.broker.control("POST", "/orders", {"venue": "sim1", "count": 1, "prefix": "momentum-"})
    again = pull(desk, level="L3")
    wait_verified(desk, again)
    assert not desk.folded().suspended, "what was sent between two pulls is no order after the second"


@pytest.mark.parametrize("tries", [2, pytest.param(40, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_killed_at_any_moment_a_resume_is_whole_or_has_not_begun(quiet_desk: DeskProcesses, tries: int) -> None:
    """Every other kill comes within 20 ms of the record, which is as long as its steps take."""
    desk = quiet_desk
    folder = str(desk.state_dir)
    for number in range(tries):
        name = pull(desk)
        wait_verified(desk, name)
        before = _records_of_resumes(desk)
        asking = start_resume(desk, "--all", "--size", "25")
        if number % 2:
            time.sleep(random.uniform(0.2, 1.2))
        else:
            while _records_of_resumes(desk) == before and asking.poll() is None:
                time.sleep(0.001)
            time.sleep(random.uniform(0, 0.02))
        desk.stop_guard(signal.SIGKILL)
        asking.wait(60)
        begun = any(name in event.pulls for event in desk.journaled(ev.Resumed))
        latched = name in [entry["id"] for entry in latch.standing(folder) or []]
        assert begun or latched, "what was not recorded is not opened"
        if latched:
            assert "HALTED" in andon(desk, "gate").stdout, "nobody trades on half a resume"
        desk.start_guard()
        if begun:
            wait_until(lambda: gate(desk)["state"] == "REDUCED", "what was begun is finished")
            assert latch.standing(folder) in (None, [])
        else:
            assert gate(desk)["state"] == "HALTED"
            assert name in desk.folded().pulls


def _records_of_resumes(desk: DeskProcesses) -> int:
    return (desk.state_dir / "journal" / "guard.jsonl").read_bytes().count(b'"kind":"resumed"')


def test_a_lift_whose_answer_was_lost_is_looked_at_and_not_sent_again(quiet_desk: DeskProcesses) -> None:
    desk = quiet_desk
    suspended(desk)
    desk.broker.fault("hang", "sim1", methods=["PATCH"])
    asking = start_resume(desk, "--size", "25")
    desk.wait_journaled(ev.CordSent, lambda event: event.what == "unsuspend")
    settings = "/v2/account/configurations"
    wait_until(lambda: not desk.broker.request("GET", settings)[1]["suspend_trade"], "the broker carried it out")
    desk.stop_guard(signal.SIGKILL)
    assert asking.wait(60) != 5
    desk.broker.clear()
    desk.start_guard()
    wait_until(lambda: not desk.folded().suspended, "the venue is seen to be free")
    wait_until(lambda: gate(desk)["state"] == "REDUCED", "the gate at 25 %")
    assert len([event for event in desk.journaled(ev.CordSent) if event.what == "unsuspend"]) == 1


def test_a_gate_that_somebody_removed_comes_back_with_a_stop_of_the_whole_desk(quiet_desk: DeskProcesses) -> None:
    desk = quiet_desk
    wait_until((desk.state_dir / "gate.json").exists, "the gate")
    os.unlink(desk.state_dir / "gate.json")
    wait_until(lambda: desk.folded().nameless, "a halt without a name")
    assert resume(desk, "--all", "--size", "former", *MISTAKEN)[0] == 2
    wait_verified(desk, pull(desk))
    assert resume(desk, "--all", "--size", "former", *MISTAKEN)[0] == 0
    wait_until(lambda: gate(desk)["state"] == "OPEN", "the gate is open")


def test_a_venue_that_is_gone_for_good_is_taken_out_and_the_rest_comes_back(quiet_desk: DeskProcesses) -> None:
    desk = quiet_desk
    retire = ("venue", "retire", "sim2", "--reason", "account closed", "--confirm", "test")
    assert andon(desk, *retire).returncode == 5, "it answers"
    desk.broker.fault("refuse", "sim2")
    name = pull(desk)
    wait_until(lambda: desk.folded().venues["sim2"].answers is False, "the venue is silent")
    wait_until(lambda: desk.folded().pulls[name].venues["sim1"].verdict is Verdict.VERIFIED, "the other is VERIFIED")
    assert missing(resume(desk, "--size", "former", *MISTAKEN)[1]) >= {"verdict", "book"}
    assert andon(desk, *retire[:-1], "demo").returncode == 5
    assert andon(desk, *retire).returncode == 0
    assert "RETIRED: account closed" in andon(desk, "status").stdout
    assert desk.folded().pulls[name].verdict is Verdict.VERIFIED
    assert resume(desk, "--size", "former", *MISTAKEN)[0] == 0
    again = pull(desk)
    wait_verified(desk, again)
    assert "sim2" in desk.folded().pulls[again].venues, "the cord still tries it"
    wait_until(lambda: Plan.load(str(desk.state_dir)).retired, "cord.json knows it, too")
    code, told, _ = kill(desk.state_dir, "--all")
    assert (code, told["retired"], told["venues"]["sim2"]["verdict"]) == (0, {"sim2": "account closed"}, "UNKNOWN")
    desk.stop_guard(signal.SIGTERM)
    desk.start_guard()
    assert desk.folded().venues["sim2"].retired


def test_without_a_guard_nothing_is_resumed(quiet_desk: DeskProcesses) -> None:
    wait_verified(quiet_desk, pull(quiet_desk))
    quiet_desk.stop_guard(signal.SIGKILL)
    assert resume(quiet_desk, "--size", "former", *MISTAKEN)[0] == 1
