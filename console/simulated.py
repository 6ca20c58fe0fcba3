"""The simulated desk: a broker, strategies and a guard as processes of their own, started in order, stopped in order.

The broker keeps accounts, orders and fills in the state folder, the guard its journal and latch: the next start
continues where this one stopped. What a start decides (free ports, hence URLs) is written into desk.yaml anew.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.simulator.faults import FaultBoard, FaultError
from adapters.simulator.strategies import model_hash_of
from console.config import LEAST_QUIET_SECONDS, ConfigError, glance, user_state
from console.cord.hands import detached_hands
from console.guard.wire import SOCKET_PATH_LIMIT
from console.processes import Child, ChildError, deaf_to_signals, listens

READY_SECONDS = 60.0
ENDING_SECONDS = 5.0
ORDERS_PER_MINUTE = 240
"""The desk's limit: the three strategies send about 150 at the market's usual speed, which is no alarm."""

STRATEGIES: tuple[dict[str, Any], ...] = (
    {"name": "momentum", "kind": "momentum", "venue": "sim1", "symbols": ["AAPL", "MSFT", "NVDA"]},
    {"name": "meanrev", "kind": "mean_reversion", "venue": "sim1", "symbols": ["KO", "JPM", "XOM"]},
    {"name": "maker", "kind": "market_making", "venue": "sim2", "symbols": ["SPY", "QQQ"]},
)

CONTACTS = """\
# Written anew at every start of the simulated desk. Nobody answers these numbers.
contacts:
  - {name: sim1’s brokerage, role: desk, venue: sim1, phone: "+1 555 0100", hours: "24/7", escalation_level: 1}
  - {name: sim2’s brokerage, role: desk, venue: sim2, phone: "+1 555 0100", hours: "24/7", escalation_level: 1}
  - {name: Ana Example, role: on-call operator, phone: "+1 555 0101", hours: "07:00-22:00 UTC", escalation_level: 1}
  - {name: Bo Example, role: head of risk, phone: "+1 555 0102", hours: always, escalation_level: 2}
  - {name: Kim Example, role: founder, phone: "+1 555 0103", hours: always, escalation_level: 3}
"""


@dataclass
class SimulatedDesk:
    """The processes of one simulated desk, and the files in its state folder that tell them of each other."""

    name: str
    seed: int
    speed: Decimal
    port: int = 0
    http_port: int = 0
    quiet: int = LEAST_QUIET_SECONDS
    faults: Sequence[str] = ()
    broker_url: str = ""
    children: list[Child] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return user_state() / self.name

    @property
    def file(self) -> Path:
        return self.state / "desk.yaml"

    def check(self) -> None:
        """Raises ChildError if one of the processes has ended."""
        for child in self.children:
            child.check()

    @contextlib.contextmanager
    def running(self, *, guarded: bool) -> Iterator[None]:
        """Everything started and ready; everything stopped again at the end, whatever the end is. Raises
        ConfigError for what the user can mend, ChildError where a process did not come up."""
        self._prepare()
        print(f"Starting the simulated desk in {self.state} ...", file=sys.stderr, flush=True)
        try:
            self._start_broker()
            self._start_strategies()
            if guarded:
                self._start_guard()
            self._note()
            yield
        finally:
            with deaf_to_signals():
                for child in reversed(self.children):
                    child.stop()
                self.end_hands()

    def end_hands(self) -> None:
        """The detached hands of pulls on this desk: they ask on and on, at the address of a broker that is gone."""
        for hand in detached_hands(str(self.state)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(hand, signal.SIGTERM)

    def examine(self) -> None:
        """Whether it can be started as it was asked for, before anything is touched. Raises ConfigError."""
        simulated_only(self.state)
        board = FaultBoard(_venues())
        for fault in self.faults:
            try:
                board.switch_on(board.parse(fault))
            except FaultError as error:
                raise ConfigError(f"--fault {fault}: {error}") from None
        if len(str(self.state / "guard.sock")) > SOCKET_PATH_LIMIT:
            raise ConfigError(f"{self.state}: the path is too long for a socket; set XDG_STATE_HOME to a shorter one")
        for option, port in (("--port", self.port), ("--http-port", self.http_port)):
            _free(option, port)

    def _prepare(self) -> None:
        self.examine()
        try:
            for folder in (self.state, self.state / "logs", self.state / "broker", self.state / "strategies"):
                folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        except OSError as error:
            raise ConfigError(f"{error.filename}: can not be written: {error.strerror}") from None
        self.end_hands()

    def _start(self, name: str, *module: str) -> Child:
        child = Child(name, module, self.state / "logs")
        self.children.append(child)
        return child

    def _start_broker(self) -> None:
        faults = [word for fault in self.faults for word in ("--fault", fault)]
        broker = self._start(
            "broker",
            *("adapters.simulator", "broker", "--port", str(self.port), "--seed", str(self.seed)),
            *("--speed", str(self.speed), "--state", str(self.state / "broker"), "--keys", str(self.state / "keys")),
            *faults,
        )
        self.broker_url = str(broker.ready_line(READY_SECONDS)["url"])

    def _start_strategies(self) -> None:
        rows = [{**row, "keys": str(self.state / "keys" / f"{row['venue']}.json")} for row in STRATEGIES]
        config = self.state / "strategies.json"
        told = {
            "desk_state": str(self.state),
            "out": str(self.state / "strategies"),
            "seed": self.seed,
            "port": 0,
            "broker": self.broker_url,
            "strategies": rows,
        }
        config.write_text(json.dumps(told, indent=1))
        strategies = self._start("strategies", "adapters.simulator", "strategies", "--config", str(config))
        self._describe(strategies.ready_line(READY_SECONDS)["strategies"])

    def _start_guard(self) -> None:
        guard = self._start("guard", "console", "--desk", str(self.file), "guard", "--http-port", str(self.http_port))
        guard.wait_for(lambda: listens(self.state / "guard.sock"), READY_SECONDS)

    def start_guard_again(self) -> str:
        """For the console, when the guard is gone. Returns a sentence; raises RuntimeError with what is in the way."""
        gone = self.children[-1]
        if not gone.ended():
            raise RuntimeError(
                f"the guard (pid {gone.pid}) is there, but does not answer; end it first: kill -9 {gone.pid}"
            )
        self.children.remove(gone)
        try:
            self._start_guard()
        except ChildError as error:
            raise RuntimeError(str(error)) from None
        self._note()
        return f"the guard runs (pid {self.children[-1].pid})"

    def _describe(self, hosts: dict[str, str]) -> None:
        """desk.yaml as an operator would have written it."""
        lines = ["# Written anew at every start of the simulated desk.", f"desk: {self.name}", "mode: simulated"]
        lines += [f"state: {json.dumps(str(self.state))}", "venues:"]
        for venue in _venues():
            lines += [f"  - name: {venue}", "    adapter: alpaca", f"    base_url: {self.broker_url}"]
            lines += [f"    keys: keys/{venue}.json", '    phone: "+1 555 0100"']
        lines += ["strategies:"]
        for row in STRATEGIES:
            lines += [f"  - name: {row['name']}", f"    venue: {row['venue']}"]
            lines += [f"    symbols: [{', '.join(row['symbols'])}]", f"    host: {hosts[row['name']]}"]
            lines += [f"    model_hash: {model_hash_of(row['kind'], self.seed)}"]
        lines += ["logs:", *(f"  - {{name: {name}, path: {json.dumps(path)}}}" for name, path in _logs())]
        lines += [f"limits: {{orders_per_minute: {ORDERS_PER_MINUTE}}}"]
        lines += [f"cord: {{quiet_seconds: {self.quiet}}}", "http: {port: 0}", ""]
        self.file.write_text("\n".join(lines))
        (self.state / "contacts.yaml").write_text(CONTACTS)

    def _note(self) -> None:
        told = {
            "pid": os.getpid(),
            "broker": self.broker_url,
            "pids": {child.name: child.pid for child in self.children},
        }
        (self.state / "demo.json").write_text(json.dumps(told, indent=1))


def _logs() -> list[tuple[str, str]]:
    """What the flight recorder follows: what the processes print, and what each strategy writes of its book."""
    books = [(f"{row['name']}_book", f"strategies/{row['name']}/book.jsonl") for row in STRATEGIES]
    return [("broker", "logs/broker.log"), ("strategies", "logs/strategies.log"), *books]


def _venues() -> tuple[str, ...]:
    return tuple(dict.fromkeys(row["venue"] for row in STRATEGIES))


# --- one at a time, on a folder of its own --------------------------------------------------------------------------


def simulated_only(state: Path) -> None:
    """Refuse a folder that is not a simulated desk's: nothing of a real desk may be overwritten or moved."""
    try:
        if not state.exists() or not any(state.iterdir()):
            return
    except OSError as error:
        raise ConfigError(f"{state}: can not be read: {error.strerror}") from None
    file = state / "desk.yaml"
    if not (state / "broker").is_dir() or (file.exists() and glance(file).mode != "simulated"):
        raise ConfigError(
            f"{state} is not a simulated desk's folder; it is left alone. XDG_STATE_HOME names another place"
        )


def set_aside(desk: SimulatedDesk) -> None:
    """Move the former state to `former/<name>-<time>`, where no command takes it for a desk."""
    simulated_only(desk.state)
    if not desk.state.exists():
        return
    if listens(desk.state / "guard.sock"):
        raise ConfigError(f"a guard is running on {desk.state}; stop it before its state is moved aside")
    desk.end_hands()
    former = user_state() / "former" / f"{desk.name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    while former.exists():
        former = former.with_name(f"{former.name}+")
    former.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(desk.state, former)
    print(f"The former state lies in {former}.", file=sys.stderr)


@contextlib.contextmanager
def only_one(desk: SimulatedDesk) -> Iterator[None]:
    """Hold the desk's lock, which lies beside the folder so that it stays when the folder is moved."""
    path = desk.state.with_name(f"{desk.name}.lock")
    way_in = f"`andon --desk {desk.name}` opens a console on it"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise ConfigError(f"{error.filename}: can not be written: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"`andon {desk.name}` is running already on {desk.state}; {way_in}") from None
        deadline = time.monotonic() + ENDING_SECONDS  # the guard of a demo that was killed ends in its own time
        while listens(desk.state / "guard.sock"):
            if time.monotonic() > deadline:
                raise ConfigError(f"a guard is running already on {desk.state}; {way_in}")
            time.sleep(0.05)
        yield


def _free(option: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = f"port {port} on 127.0.0.1 can not be had: {error.strerror}"
            raise ConfigError(f"{why}; give another with {option}, 0 picks a free one") from None
