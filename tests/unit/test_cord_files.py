"""The cord's files and its wire form: what strategies, consoles and other hands rely on."""

import fcntl
import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cord import latch
from console.cord.command import Usage, Wanted
from console.cord.keys import KeyFileError, read_keys
from console.cord.lock import FROZEN_AFTER, CordLock
from console.cord.plan import Plan, PlanError, write_plan
from console.cord.request import PullRequest, parse, quote
from console.cord.where import NoDesk, state_folder
from console.desk.gate import read_gate
from console.desk.pull import GateState, Scope

PLAN = {
    "v": 1,
    "desk": "demo",
    "mode": "simulated",
    "quiet_seconds": 60,
    "netted": True,
    "venues": [{"name": "sim1", "url": "http://127.0.0.1:1", "keys": "/k", "form": {}}],
    "strategies": [{"name": "momentum", "venue": "sim1", "symbols": ["AAPL", "MSFT"]}],
}


def ask(folder: Path, **about: str) -> GateState:
    told = {"venue": "sim1", "strategy": "momentum", "symbol": "AAPL", **about}
    files = (latch.read_file(str(folder), name) for name in ("cord.latch", "gate.json"))
    return read_gate(*files, boot_id=latch.boot_id(), now=latch.boot_now(), **told).state


def open_gate(folder: Path) -> None:
    latch.write_gate(
        str(folder), desk="demo", state="OPEN", size_factor="1", rate_factor="1", scopes={}, because="fresh desk"
    )


@given(st.text())
def test_the_wire_form_carries_any_text(text: str) -> None:
    assert json.loads(quote(text)) == text
    back = parse(PullRequest(level="L4", scope="venue:a", reason=text).line())
    assert (back.level, back.scope, back.reason) == ("L4", "venue:a", text)


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[]", b"nonsense", b'{"v":1,"pull":{"level":"L9","scope":"desk"}}', b'{"v":1,"pull":null}'],
)
def test_what_is_not_a_pull_is_refused_with_a_sentence(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(line)


def test_a_pulls_id_can_not_name_another_file() -> None:
    line = PullRequest(level="L3", scope="desk", id="../../etc/passwd").line()
    with pytest.raises(ValueError, match="id"):
        parse(line)


def test_the_gate_obeys_the_latch_before_gate_json(tmp_path: Path) -> None:
    assert ask(tmp_path) is GateState.HALTED
    open_gate(tmp_path)
    assert ask(tmp_path) is GateState.OPEN
    pull = {"pull": "p1", "level": "L3", "actor": "ana", "ts": 1}
    assert latch.set_latch(str(tmp_path), scope="venue:sim2", **pull) == ("", "")
    assert ask(tmp_path) is GateState.OPEN
    assert ask(tmp_path, venue="sim2") is GateState.HALTED
    latch.set_latch(str(tmp_path), scope="desk", **{**pull, "pull": "p2", "level": "L1"})
    open_gate(tmp_path)
    assert ask(tmp_path) is GateState.CLOSE_ONLY
    assert [entry["id"] for entry in latch.standing(str(tmp_path)) or []] == ["p1", "p2"]


def test_setting_a_pull_twice_latches_it_once(tmp_path: Path) -> None:
    for _ in range(2):
        latch.set_latch(str(tmp_path), pull="p1", level="L3", scope="desk", actor="ana", ts=1)
    assert len(latch.standing(str(tmp_path)) or []) == 1


@pytest.mark.parametrize("torn", [b'{"level":"L3","scope":5}', b"", b'{"v":1,"id":"p', b"\xff\xfe"])
def test_a_latch_that_can_not_be_read_is_halted_and_can_still_be_added_to(tmp_path: Path, torn: bytes) -> None:
    open_gate(tmp_path)
    (tmp_path / "cord.latch").write_bytes(torn)
    assert ask(tmp_path) is GateState.HALTED
    assert latch.standing(str(tmp_path)) is None
    assert latch.set_latch(str(tmp_path), pull="p", level="L3", scope="desk", actor="a", ts=1)[0] == ""
    assert ask(tmp_path) is GateState.HALTED


def test_a_gate_without_renewal_lapses(tmp_path: Path) -> None:
    open_gate(tmp_path)
    told = json.loads((tmp_path / "gate.json").read_bytes())
    for lease in ({"boot_id": "another", "expires": told["lease"]["expires"]}, {**told["lease"], "expires": 1}):
        (tmp_path / "gate.json").write_text(json.dumps({**told, "lease": lease}))
        assert ask(tmp_path) is GateState.HALTED


def test_a_latch_that_can_not_be_written_takes_the_gate_away(tmp_path: Path) -> None:
    open_gate(tmp_path)
    (tmp_path / "cord.latch").mkdir()  # even root can not write into a folder as if it were a file
    error, fallback = latch.set_latch(str(tmp_path), pull="p", level="L3", scope="desk", actor="a", ts=1)
    assert error
    assert "removed" in fallback
    assert not (tmp_path / "gate.json").exists(), "an absent gate is HALTED"


def hold(folder: str, ready: "multiprocessing.synchronize.Event", beating: bool) -> None:
    lock = CordLock(folder)
    assert lock.acquire() == ""
    ready.set()
    while True:
        time.sleep(0.1)
        if beating:
            lock.beat()


@pytest.mark.parametrize("beating", [True, False])
def test_a_frozen_holder_is_killed_and_one_that_beats_is_left_alone(tmp_path: Path, beating: bool) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=hold, args=(str(tmp_path), ready, beating))
    holder.start()
    try:
        assert ready.wait(30)
        if not beating:
            assert holder.pid is not None
            os.kill(holder.pid, signal.SIGSTOP)
        lock = CordLock(str(tmp_path))
        assert lock.acquire() == "another hand is closing"
        assert lock.elsewhere
        time.sleep(FROZEN_AFTER + 0.3)
        assert lock.elsewhere is beating
        if beating:
            assert lock.acquire() == "another hand is closing"
            assert holder.is_alive()
        else:
            assert lock.acquire() == ""
            holder.join(10)
            assert holder.exitcode == -signal.SIGKILL
    finally:
        holder.kill()
        holder.join()


@pytest.mark.parametrize("mode", [0o604, 0o640 | 0o001, 0o777])
def test_keys_that_others_can_reach_are_refused_with_the_way_out(tmp_path: Path, mode: int) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text('{"key_id": "k", "secret_key": "SECRET"}')
    keys.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod o=") as caught:
        read_keys(str(keys))
    assert "SECRET" not in str(caught.value)
    keys.chmod(0o640)
    assert read_keys(str(keys)) == ("k", "SECRET")


@pytest.mark.parametrize(
    "text",
    [
        '{"key_id": "k\n", "secret_key": "SECRET"}',
        "",
        "[]",
        '{"key_id": "k"}',
        '{"key_id": 1, "secret_key": "SECRET"}',
        "SECRET",
    ],
)
def test_a_malformed_key_file_is_named_and_not_shown(tmp_path: Path, text: str) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(text)
    keys.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"keys\.json") as caught:
        read_keys(str(keys))
    assert "SECRET" not in str(caught.value)


def test_a_plan_knows_whom_a_scope_reaches_and_what_it_must_refuse(tmp_path: Path) -> None:
    plan = write_plan(str(tmp_path), PLAN)
    assert Plan.load(str(tmp_path)).venues_in(Scope.parse("strategy:momentum")) == ("sim1",)
    assert (tmp_path / "cord.json").stat().st_mode & 0o777 == 0o640
    assert plan.refusal(PullRequest(level="L3", scope="strategy:momentum")) == ""
    assert "--symbol AAPL --symbol MSFT" in plan.refusal(PullRequest(level="L4", scope="strategy:momentum"))
    assert "sim1" in plan.refusal(PullRequest(level="L3", scope="venue:nowhere"))


def test_a_broken_plan_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"cord\.json"):
        Plan.load(str(tmp_path))
    (tmp_path / "cord.json").write_text("{")
    with pytest.raises(PlanError, match=r"cord\.json"):
        Plan.load(str(tmp_path))


def test_the_desk_is_found_without_reading_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("ANDON_DESK", raising=False)
    monkeypatch.setattr("console.cord.where.SYSTEM_STATE", str(tmp_path / "var"))
    with pytest.raises(NoDesk, match="no desk"):
        state_folder("")
    demo, real = tmp_path / "andon" / "demo", tmp_path / "var" / "real"
    demo.mkdir(parents=True)
    write_plan(str(demo), PLAN)
    assert state_folder("") == str(demo)
    real.mkdir(parents=True)
    write_plan(str(real), {**PLAN, "mode": "live"})
    assert state_folder("") == str(real), "a simulated desk never stands in the way of a real one"
    assert state_folder("demo") == str(demo)
    broken = tmp_path / "desk.yaml"
    broken.write_text(f"desk: demo\nstate: {demo}   # here\nvenues: [\n  {{{{ broken\n")
    assert state_folder(str(broken)) == str(demo)
    with pytest.raises(NoDesk, match="--desk"):
        state_folder("nosuch")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "what to stop"),
        ("--all --venue a", "one way"),
        ("--all --level L9", "L9"),
        ("--all --wait soon", "soon"),
        ("--venue", "needs a value"),
        ("--everything", "--everything"),
        ("--all --wait nan", "nan"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(line: str, says: str) -> None:
    with pytest.raises(Usage, match=says):
        Wanted(line.split())


def test_a_right_command_line_is_understood() -> None:
    wanted = Wanted(["--symbol=AAPL", "--symbol", "MSFT", "--level", "l4", "--reason", "a=b", "--no-wait", "--json"])
    assert (wanted.scope, wanted.level, wanted.reason, wanted.wait) == ("symbol:AAPL,MSFT", "L4", "a=b", 0.0)


def _pull_again_and_again(folder: str, hand: int, times: int) -> None:
    for number in range(times):
        about = {"level": "L3", "scope": "desk", "actor": "ana", "ts": 1}
        latch.set_latch(folder, pull=f"h{hand}n{number}", **about)  # on a loaded machine it may have had to wait


def test_a_resume_that_races_pulls_takes_out_what_it_names_and_loses_none(tmp_path: Path) -> None:
    """Three processes pull while this one resumes what it sees of the first of them."""
    times = 150
    context = multiprocessing.get_context("fork")
    hands = [context.Process(target=_pull_again_and_again, args=(str(tmp_path), hand, times)) for hand in range(3)]
    for hand in hands:
        hand.start()
    resumed: set[str] = set()
    while any(hand.is_alive() for hand in hands):
        seen = {entry["id"] for entry in latch.standing(str(tmp_path)) or []}
        named = resumed | {name for name in seen if name.startswith("h0")}
        try:
            latch.clear(str(tmp_path), named)
        except OSError:
            continue  # the hands left it no moment; a guard tries again in a second
        resumed = named
        for entry in latch.standing(str(tmp_path)) or []:
            assert entry["id"] not in resumed
    for hand in hands:
        hand.join()
        assert hand.exitcode == 0
    left = {entry["id"] for entry in latch.standing(str(tmp_path)) or []}
    pulled = {f"h{hand}n{number}" for hand in range(3) for number in range(times)}
    assert left == pulled - resumed
    assert resumed, "the race was run"
    latch.clear(str(tmp_path), pulled)
    assert not (tmp_path / "cord.latch").exists()


def test_a_pull_does_not_wait_for_a_resume_that_hangs_and_shuts_the_gate_otherwise(tmp_path: Path) -> None:
    open_gate(tmp_path)
    about = {"level": "L3", "actor": "ana", "ts": 1}
    latch.set_latch(str(tmp_path), pull="p1", scope="venue:sim2", **about)
    with (tmp_path / "cord.latch").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        told: list[tuple[str, str]] = []
        pulling = threading.Thread(
            target=lambda: told.append(latch.set_latch(str(tmp_path), pull="p2", scope="desk", **about))
        )
        pulling.start()
        deadline = time.monotonic() + 4
        while ask(tmp_path) is not GateState.HALTED:
            assert time.monotonic() < deadline
        assert [entry["id"] for entry in latch.standing(str(tmp_path)) or []] == ["p1"], "the gate is what shuts it"
    pulling.join()
    assert "held it for too long" in told[0][0]
    assert "removed" in told[0][1]
    assert [entry["id"] for entry in latch.standing(str(tmp_path)) or []] == ["p1", "p2"]


def test_a_torn_line_goes_only_with_a_stop_of_the_whole_desk_behind_it(tmp_path: Path) -> None:
    about = {"level": "L3", "actor": "ana", "ts": 1}
    latch.set_latch(str(tmp_path), pull="p1", scope="desk", **about)
    with (tmp_path / "cord.latch").open("ab") as file:
        file.write(b'{"v": 1, "id": "p2", "le')
    latch.clear(str(tmp_path), {"p1"})
    assert ask(tmp_path) is GateState.HALTED
    assert latch.standing(str(tmp_path)) is None
    latch.set_latch(str(tmp_path), pull="p3", scope="venue:sim1", **about)
    latch.clear(str(tmp_path), {"p3"})
    assert latch.standing(str(tmp_path)) is None
    latch.set_latch(str(tmp_path), pull="p4", scope="desk", **about)
    latch.set_latch(str(tmp_path), pull="p5", scope="venue:sim1", **about)
    latch.clear(str(tmp_path), {"p4"})
    assert [entry["id"] for entry in latch.standing(str(tmp_path)) or []] == ["p5"]
