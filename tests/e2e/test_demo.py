"""`andon demo` as its user meets it: real processes, real orders, and nothing left behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker import wait_until
from tests.support.terminal import Terminal

pytestmark = pytest.mark.timeout(300)

PATIENCE = 90.0
ANDON = (sys.executable, "-P", "-m", "console")


@pytest.fixture
def place() -> Iterator[Path]:
    """A state home with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="andon-"))
    yield folder
    shutil.rmtree(folder)


class Andon:
    """The command, on a state home of its own."""

    def __init__(self, place: Path) -> None:
        self.state = place / "andon" / "demo"
        self._environment = {**os.environ, "XDG_STATE_HOME": str(place)}
        self._environment.pop("ANDON_DESK", None)
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> "subprocess.Popen[str]":
        child = subprocess.Popen(
            [*ANDON, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        self._started.append(child)
        return child

    def on_terminal(self, *words: str) -> Terminal:
        return Terminal([*ANDON, *words], self._environment, 120, 36)

    def clean_up(self) -> None:
        """After a failure: what dies takes what it started with it."""
        for child in self._started:
            if child.poll() is None:
                child.kill()
                child.wait()

    def run(self, *words: str) -> tuple[int, str, str]:
        child = self.start(*words)
        out, err = child.communicate(timeout=PATIENCE * 2)
        return child.returncode, out, err

    def report(self, *words: str) -> dict[str, Any]:
        """A headless run's report, after a look at whether it ended as it should."""
        code, out, err = self.run("demo", "--headless", "--json", "--quiet", "2", *words)
        assert code == 0, err
        assert self.left() == []
        told: dict[str, Any] = json.loads(out)
        return told

    def up(self, child: "subprocess.Popen[str]") -> None:
        """Wait until the demo that `child` starts says that it is up."""
        assert child.stderr
        for line in child.stderr:
            if line.startswith("The desk is up"):
                return
        raise AssertionError(f"the demo ended: {child.wait()}")

    def noted(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads((self.state / "demo.json").read_text())
        except (OSError, ValueError):
            return {}
        return told

    def left(self) -> list[str]:
        """What the demo started and that still runs."""
        return [name for name, pid in self.noted()["pids"].items() if runs(pid)]


@pytest.fixture
def andon(place: Path) -> Iterator[Andon]:
    command = Andon(place)
    yield command
    command.clean_up()


def runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_the_report_comes_from_real_traffic_and_the_next_start_goes_on(andon: Andon) -> None:
    first = andon.report("--seconds", "12")
    assert (first["desk"], first["mode"], first["gate"], first["guard_down"]) == ("demo", "simulated", "OPEN", "")
    assert set(first["orders"]) == {"momentum", "meanrev", "maker"}
    assert sum(row["sent"] for row in first["orders"].values()) > 0
    assert sum(row["filled"] for row in first["orders"].values()) > 0
    assert first["bars"] > 0
    assert first["predictions"] > 0
    assert set(first["monitors"]) >= {
        *("worker-liveness", "broker-heartbeat", "bar-age", "orders-per-minute", "day-pnl", "error-rate")
    }
    assert all(row["answers"] for row in first["venues"].values())

    child = andon.start("demo", "--headless", "--json", "--quiet", "2")
    andon.up(child)
    code, _, err = andon.run("demo", "--headless", "--seconds", "1")
    assert code == 2
    assert "running already" in err
    code, out, _ = andon.run("status", "--json")
    told = json.loads(out)
    assert (code, told["gate"], told["guard"]["down"]) == (0, "OPEN", "")
    told = json.loads(andon.run("info", "--json")[1])
    assert (told["guard"], told["http"][:17]) == ("listens", "http://127.0.0.1:")
    assert andon.run("gate")[1].count("OPEN") == 1 + 8
    told = json.loads(andon.run("book", "--json")[1])
    assert (told["unknown"], told["differences"]) == ([], 0)
    code, out, err = andon.run("kill", "--all", "--reason", "drill", "--json", "--wait", str(PATIENCE))
    assert code == 0, out + err
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0, err
    assert json.loads(out)["gate"] == "HALTED"
    assert andon.left() == []

    again = andon.report("--seconds", "4")
    assert again["gate"] == "HALTED"
    assert [pull["verdict"] for pull in again["pulls"].values()] == ["VERIFIED"]
    assert all(again["venues"][name]["open_orders"] == 0 for name in again["venues"])
    assert sum(row["fills"] for row in again["venues"].values()) >= sum(
        row["fills"] for row in first["venues"].values()
    )
    code, out, _ = andon.run("status")
    assert code == 1
    assert "GUARD DOWN" in out
    assert "gate HALTED" in out
    assert andon.run("journal", "verify")[0] == 0

    fresh = andon.report("--fresh", "--seconds", "4")
    assert (fresh["gate"], fresh["pulls"]) == ("OPEN", {})
    [former] = (andon.state.parent / "former").iterdir()
    assert (former / "cord.latch").exists()
    assert "GUARD DOWN" in andon.run("status")[1]  # what was moved aside is no desk any more


@pytest.mark.parametrize("option", ["--port", "--http-port"])
def test_a_port_in_use_is_one_sentence_and_nothing_is_left(andon: Andon, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, err = andon.run("demo", "--headless", "--seconds", "1", option, str(port))
    assert (code, out) == (2, "")
    assert err == (
        f"andon: port {port} on 127.0.0.1 can not be had: Address already in use; "
        f"give another with {option}, 0 picks a free one\n"
    )
    assert not andon.noted()


def test_a_process_that_does_not_come_up_is_named_with_its_log(andon: Andon) -> None:
    (andon.state / "broker").mkdir(parents=True)
    (andon.state / "broker" / "broker.jsonl").mkdir()
    code, _, err = andon.run("demo", "--headless", "--seconds", "1")
    assert code == 1
    assert "andon demo: the broker ended" in err
    assert str(andon.state / "logs" / "broker.log") in err


@pytest.mark.parametrize(
    ("fault", "said"), [("no_such_fault", "unknown fault 'no_such_fault'"), ("slow:sim1:soon", "'soon' is not unders")]
)
def test_a_fault_that_is_not_understood_is_one_sentence(andon: Andon, fault: str, said: str) -> None:
    code, _, err = andon.run("demo", "--headless", "--seconds", "1", "--fault", fault)
    assert (code, err.count("\n")) == (2, 1)
    assert f"andon: --fault {fault}: " in err
    assert said in err
    assert not andon.state.exists()


@pytest.mark.parametrize("option", [[], ["--fresh"]])
def test_a_folder_of_another_desk_is_left_alone(andon: Andon, option: list[str]) -> None:
    andon.state.mkdir(parents=True)
    (andon.state / "desk.yaml").write_text("desk: demo\nmode: live\n")
    code, _, err = andon.run("demo", "--headless", "--seconds", "1", *option)
    assert code == 2
    assert "is not a simulated desk's folder" in err
    assert [path.name for path in andon.state.iterdir()] == ["desk.yaml"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_whatever_ends_the_demo_ends_what_it_started(andon: Andon, number: signal.Signals) -> None:
    child = andon.start("demo", "--headless", "--json")
    andon.up(child)
    assert len(andon.left()) == 3
    child.send_signal(number)
    out, err = child.communicate(timeout=PATIENCE)
    wait_until(lambda: not andon.left(), "nothing is left", PATIENCE)
    if number is not signal.SIGKILL:
        assert (child.returncode, json.loads(out)["desk"]) == (0, "demo"), err


def test_a_process_that_dies_ends_the_demo_and_is_named(andon: Andon) -> None:
    child = andon.start("demo", "--headless", "--json")
    andon.up(child)
    os.kill(andon.noted()["pids"]["broker"], signal.SIGKILL)
    out, err = child.communicate(timeout=PATIENCE)
    assert (child.returncode, out) == (1, "")
    assert "the broker ended (exit -9)" in err
    assert andon.left() == []


def test_simulate_runs_without_a_guard(andon: Andon, place: Path) -> None:
    child = andon.start("simulate")
    assert child.stdout
    assert child.stdout.readline().startswith("The broker speaks at http://127.0.0.1:")
    assert f"--desk {place / 'andon' / 'simulate' / 'desk.yaml'} guard" in child.stdout.readline()
    child.terminate()
    child.communicate(timeout=PATIENCE)
    assert child.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("end", ["q", signal.SIGTERM, signal.SIGHUP])
def test_leaving_the_screen_ends_what_the_demo_started(andon: Andon, end: "str | signal.Signals") -> None:
    with andon.on_terminal("demo") as terminal:
        terminal.wait_for("SIMULATED", PATIENCE)
        assert len(andon.left()) == 3
        if isinstance(end, str):
            terminal.send(end)
        else:
            terminal.signal(end)
        assert terminal.wait_exit(PATIENCE) == (0 if isinstance(end, str) else 128 + end)
        wait_until(lambda: b"\x1b[?1049l" in terminal.raw, "the terminal leaves the alternate screen")
    assert andon.left() == []
