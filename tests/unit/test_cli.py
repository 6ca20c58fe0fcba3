"""The command line: whatever a user does wrong is one sentence and exit code 2, never a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from console import __version__
from console.cli import main
from console.cord.latch import set_latch, write_gate
from console.desk.events import (
    DeskDescribed,
    GateChanged,
    GuardStarted,
    Pulled,
    PullReason,
    StrategyInfo,
    VenueInfo,
    VenueVerdict,
)
from console.desk.pull import GateState, Verdict
from console.evidence.journal import JournalWriter

DESK = """\
desk: demo
mode: simulated
state: {state}
venues:
  - {{name: sim1, adapter: alpaca, base_url: "http://127.0.0.1:9", keys: sim1.json}}
strategies:
  - {{name: momentum, venue: sim1, symbols: [AAPL], host: "http://127.0.0.1:9/momentum"}}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own for desks, without any."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("ANDON_DESK", raising=False)
    return tmp_path / "andon"


@pytest.fixture
def desk(home: Path) -> Path:
    """A desk that a guard has described, and left."""
    folder = home / "demo"
    folder.mkdir(parents=True)
    keys = folder / "sim1.json"
    keys.write_text('{"key_id": "K", "secret_key": "S"}')
    keys.chmod(0o600)
    (folder / "desk.yaml").write_text(DESK.format(state=folder))
    journal = JournalWriter(folder / "journal", "guard")
    venue = VenueInfo(name="sim1", adapter="alpaca", base_url="http://127.0.0.1:9", phone="+1 555 0100")
    strategy = StrategyInfo(name="momentum", venue="sim1", symbols=("AAPL",))
    journal.append(GuardStarted(version="0", pid=1, recovered=0), "guard")
    journal.append(
        DeskDescribed(name="demo", mode="simulated", venues=(venue,), strategies=(strategy,), config_hash=""), "guard"
    )
    journal.append(GateChanged(state=GateState.OPEN, size_factor=1, because=""), "guard")  # type: ignore[arg-type]
    journal.close()
    return folder


def pull(folder: Path, verdict: Verdict) -> None:
    journal = JournalWriter(folder / "journal", "guard")
    journal.append(Pulled("p1", "L3", "desk", "why", "cli", "guard", ("sim1",)), "ana")
    journal.append(VenueVerdict(pull="p1", venue="sim1", verdict=verdict, why="order 8f1c stands"), "guard")
    journal.close()


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        code = main(words)
    except SystemExit as left:
        code = int(left.code or 0)
    told = capsys.readouterr()
    return code, told.out, told.err


# --- wrong usage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dance"], "invalid choice: 'dance'"),
        (["--dance"], "unrecognized arguments: --dance"),
        (["status", "--dance"], "unrecognized arguments: --dance"),
        (["--desk"], "argument --desk: expected one argument"),
        (["demo", "--port", "x"], "argument --port: 'x' is no port; a number from 0 (any free one) to 65535"),
        (["demo", "--port", "65536"], "argument --port: '65536' is no port"),
        (["demo", "--http-port", "-1"], "argument --http-port"),
        (["demo", "--seed", "x"], "argument --seed: 'x' is no whole number"),
        (["demo", "--speed", "0"], "argument --speed: '0' is no number above 0"),
        (["demo", "--speed", "inf"], "argument --speed: 'inf' is no number above 0"),
        (["demo", "--headless", "--seconds", "soon"], "argument --seconds: 'soon' is no number above 0"),
        (["demo", "--seconds", "3"], "--seconds goes with --headless"),
        (["demo", "--json"], "--json goes with --headless"),
        (["journal"], "arguments are required: verify"),
        (["journal", "burn"], "invalid choice: 'burn'"),
        (["status"], "there is no desk yet: `andon demo` starts a simulated one"),
        (["--desk", "nobody", "status"], "no desk named 'nobody'"),
        (["status", "--desk", "nobody"], "no desk named 'nobody'"),
        (["guard", "--desk", "/none/desk.yaml"], "/none/desk.yaml: there is no such desk file"),
        (["check", "/none"], "/none: there is no such desk file"),
        (["init", "/proc/none"], "/proc/none"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("andon")
    assert err.count("\n") == 1
    assert said in err


def test_a_desk_that_nothing_was_recorded_about_says_so(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    path = home / "new" / "desk.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(DESK.format(state=path.parent))
    for command in (["status"], ["book"]):
        code, _, err = run(capsys, *command)
        assert code == 2
        assert "no guard has run there yet" in err
    assert run(capsys, "journal", "verify")[2].endswith("there is no journal yet\n")


def test_a_mistake_in_desk_yaml_is_named_with_its_line(capsys: pytest.CaptureFixture[str], desk: Path) -> None:
    file = desk / "desk.yaml"
    file.write_text(file.read_text() + "colour: red\n")
    for command in (["check"], ["guard"]):
        code, out, err = run(capsys, *command)
        assert (code, out) == (2, "")
        assert f"{file}:8:1: the file has no key 'colour'; " in err
    code, out, _ = run(capsys, "check", "--json")
    assert (code, json.loads(out)["ok"]) == (2, False)


def test_the_console_needs_a_terminal(capsys: pytest.CaptureFixture[str], desk: Path) -> None:
    code, _, err = run(capsys)
    assert code == 2
    assert "needs a terminal" in err


# --- what it prints -------------------------------------------------------------------------------------------------


def test_info_works_without_any_desk(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    code, out, _ = run(capsys, "info", "--json")
    told = json.loads(out)
    assert (code, told["version"], told["desk"], told["desks"]) == (0, __version__, None, str(home))


def test_info_names_every_place(capsys: pytest.CaptureFixture[str], desk: Path) -> None:
    (desk / "http.json").write_text('{"url": "http://127.0.0.1:4300", "token_file": "/t"}')
    code, out, _ = run(capsys, "info", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["desk_file"], told["state"]) == (str(desk / "desk.yaml"), str(desk))
    assert (told["guard"], told["socket"]) == ("does not listen", str(desk / "guard.sock"))
    assert (told["http"], told["token_file"]) == (None, None)  # what a killed guard left is no address
    assert told["heads"]["guard"]["records"] == 3
    assert "does not listen" in run(capsys, "info")[1]


def test_status_without_a_guard_says_so_and_reads_the_journal(capsys: pytest.CaptureFixture[str], desk: Path) -> None:
    code, out, _ = run(capsys, "status")
    assert code == 1
    assert "GUARD DOWN" in out
    assert "what was last recorded" in out
    assert "unknown: not read yet" in out


def test_a_pull_of_one_venue_stands_beside_the_desks_open_gate(capsys: pytest.CaptureFixture[str], desk: Path) -> None:
    journal = JournalWriter(desk / "journal", "guard")
    journal.append(Pulled("p1", "L3", "venue:sim1", "why", "cli", "guard", ("sim1",)), "ana")
    journal.close()
    assert "gate OPEN for the desk, HALTED for venue:sim1" in run(capsys, "status")[1]


def test_a_reason_that_was_written_down_outlives_the_hand(capsys: pytest.CaptureFixture[str], desk: Path) -> None:
    guard = JournalWriter(desk / "journal", "guard")
    guard.append(Pulled("p1", "L3", "desk", "", "console", "guard", ("sim1",)), "ana")
    guard.append(PullReason(pull="p1", reason="acks silent"), "ana")
    guard.close()
    direct = JournalWriter(desk / "journal", "direct-p1")
    direct.append(Pulled("p1", "L3", "desk", "", "console", "direct", ("sim1",)), "ana")
    direct.close()
    assert " ana, console, directly, without the guard   gate HALTED" in (out := run(capsys, "status")[1])
    assert " “acks silent”\n" in out


def test_status_without_a_guard_says_where_a_damaged_journal_ends(
    capsys: pytest.CaptureFixture[str], desk: Path
) -> None:
    path = desk / "journal" / "guard.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"state":"OPEN"', b'"state":"0PEN"'))
    assert (
        "guard.jsonl is damaged at line 3, what stood there is not shown: its hash does not match"
        in run(capsys, "status")[1]
    )


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.VERIFIED, 1), (Verdict.PARTIAL, 3), (Verdict.UNKNOWN, 4), (Verdict.REQUESTED, 6)]
)
def test_the_exit_code_of_status_is_the_verdict_and_never_0_without_a_guard(
    capsys: pytest.CaptureFixture[str], desk: Path, verdict: Verdict, code: int
) -> None:
    pull(desk, verdict)
    got, out, _ = run(capsys, "status")
    assert got == code
    assert "gate HALTED" in out
    assert f"{verdict}   order 8f1c stands" in out
    assert ("CALL sim1  +1 555 0100  sim1’s desk, broker" in out) == (code in (3, 4))
    assert json.loads(run(capsys, "status", "--json")[1])["pulls"]["p1"]["verdict"] == verdict


def test_the_gate_is_read_from_the_files_that_strategies_read(capsys: pytest.CaptureFixture[str], desk: Path) -> None:
    code, out, _ = run(capsys, "gate", "--json")
    assert (code, json.loads(out)["state"]) == (0, "HALTED")
    write_gate(
        str(desk),
        desk="demo",
        state="OPEN",
        size_factor="1",
        rate_factor="1",
        scopes={"symbol:AAPL": "HALTED"},
        because="",
    )
    told = json.loads(run(capsys, "gate", "--json")[1])
    assert (told["state"], told["strategies"]["momentum"]["AAPL"]["state"]) == ("OPEN", "HALTED")
    set_latch(str(desk), pull="p0", level="L3", scope="venue:sim1", actor="ana", ts=1)
    assert "for what no pull names: L3 venue:sim1 by ana stands" in run(capsys, "gate")[1].splitlines()[0]
    set_latch(str(desk), pull="p1", level="L3", scope="desk", actor="ana", ts=1)
    assert "L3 desk by ana" in run(capsys, "gate")[1]


def test_the_gate_client_is_printed_as_a_file_that_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "gate", "--client")
    assert code == 0
    compile(out, "gate_client.py", "exec")


def test_a_book_that_was_never_read_is_not_parity(capsys: pytest.CaptureFixture[str], desk: Path) -> None:
    code, out, _ = run(capsys, "book")
    assert code == 1
    assert "PARITY UNKNOWN" in out
    assert json.loads(run(capsys, "book", "--json")[1])["equal"] is False


def test_journal_verify_names_file_and_line(capsys: pytest.CaptureFixture[str], desk: Path) -> None:
    code, out, _ = run(capsys, "journal", "verify")
    assert code == 0
    assert "intact" in out
    path = desk / "journal" / "guard.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"mode":"simulated"', b'"mode":"Simulated"'))
    code, out, _ = run(capsys, "journal", "verify")
    assert code == 1
    assert f"{path}:2: " in out
    assert json.loads(run(capsys, "journal", "verify", "--json")[1])["writers"]["guard"]["line"] == 2


def test_init_writes_a_desk_that_checks_once_its_keys_are_filled_in(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "my desk"
    assert run(capsys, "init", str(folder))[0] == 0
    keys = folder / "keys" / "alpaca.json"
    assert keys.stat().st_mode & 0o777 == 0o600
    code, _, err = run(capsys, "check", str(folder))
    assert code == 2
    assert str(keys) in err
    keys.write_text('{"key_id": "K", "secret_key": "S"}')
    code, out, _ = run(capsys, "check", str(folder))
    assert code == 0
    assert "in order. Desk main, paper; venues alpaca" in out
    contacts = folder / "contacts.yaml"
    assert f"{contacts}: nobody to call is named" in out
    example = contacts.read_text().replace("contacts: []", "contacts:").replace("\n#  ", "\n  ")
    contacts.write_text(example)
    assert "Broker trading desk (1), Ana Ortega (1), Bo Lindqvist (2)" in run(capsys, "check", str(folder))[1]
    contacts.write_text(example.replace("escalation_level: 2", "escalation_level: 9"))
    code, _, err = run(capsys, "check", str(folder))
    assert (code, "a whole number from 1 to 3 is expected" in err) == (2, True)
    unit = (folder / "andon-guard.service").read_text()
    assert f'--desk "{folder / "desk.yaml"}" guard\n' in unit
    assert "{" not in unit


def test_a_state_folder_that_can_not_be_written_names_the_way_out(
    capsys: pytest.CaptureFixture[str], desk: Path, tmp_path: Path
) -> None:
    file = desk / "desk.yaml"
    (tmp_path / "file").touch()
    file.write_text(file.read_text().replace(f"state: {desk}", f"state: {tmp_path}/file/state"))
    code, out, err = run(capsys, "guard")
    assert (code, out) == (2, "")
    assert f"{tmp_path}/file/state: the state folder can not be written" in err
    assert f"`state:` in {file}" in err


def test_init_never_overwrites(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run(capsys, "init", str(tmp_path / "desk"))
    file = tmp_path / "desk" / "desk.yaml"
    file.write_text("mine")
    code, out, _ = run(capsys, "init", str(tmp_path / "desk"))
    assert code == 0
    assert f"kept     {file}" in out
    assert file.read_text() == "mine"


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version")[:2] == (0, f"andon {__version__}\n")
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for command in (
        "demo",
        "simulate",
        "guard",
        "status",
        "gate",
        "book",
        "info",
        "kill",
        "drill",
        "journal",
        "check",
        "init",
    ):
        assert f"    {command}  " in out


# --- as a process ---------------------------------------------------------------------------------------------------


def andon(*words: str, **options: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-P", "-m", "console", *words]
    return subprocess.Popen(command, text=True, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


def test_a_reader_that_has_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    child = andon("info", stdout=writing)
    os.close(writing)
    assert child.communicate(timeout=60)[1] == ""
    assert child.returncode == 141


def test_what_is_imported_is_what_a_command_needs() -> None:
    script = "import sys; from console.cli import main; main(['info']); print(*sys.modules, file=sys.stderr)"
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    loaded = set(child.stderr.split())
    assert not loaded & {"textual", "duckdb", "pyarrow", "aiohttp", "rich"}
