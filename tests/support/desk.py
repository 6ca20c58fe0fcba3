"""A whole desk of real processes for tests: broker, strategies, guard, in a folder of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

from console.desk.events import Event, Record
from console.desk.state import DeskState, fold_all
from console.evidence.journal import read
from tests.support.broker import PATIENCE, ROOT, BrokerProcess, wait_until
from tests.support.strategies import StrategiesProcess

E = TypeVar("E", bound=Event)

STRATEGIES = [
    ("momentum", "momentum", "sim1", ["AAPL", "MSFT"]),
    ("maker", "market_making", "sim2", ["SPY", "QQQ"]),
]


class DeskProcesses:
    """`with DeskProcesses(tmp_path) as desk:` starts broker, strategies and guard.

    `state_dir` is the desk's state folder, `file` its desk.yaml, `broker` and `strategies` the processes' own helpers,
    `guard_pid` the guard. `traded` False leaves the strategies out. `broker_arguments` go to the broker,
    `described` are further lines of desk.yaml. Without `pictures` the guard draws no screen for the evidence: it would
    take a second of a processor at each pull."""

    def __init__(
        self,
        folder: Path,
        *,
        quiet_seconds: int = 2,
        traded: bool = True,
        guarded: bool = True,
        http: bool = True,
        broker_arguments: tuple[str, ...] = (),
        described: tuple[str, ...] = (),
        pictures: bool = False,
    ) -> None:
        self.folder = folder
        self.state_dir = folder / "desk"
        self.file = folder / "desk.yaml"
        self.broker = BrokerProcess(*broker_arguments, state=folder / "broker", keys=folder / "keys")
        self.strategies: StrategiesProcess | None = None
        self.guard: subprocess.Popen[bytes] | None = None
        self._quiet_seconds = quiet_seconds
        self._traded = traded
        self._guarded = guarded
        self._http = http
        self._described = described
        self._pictures = pictures

    def __enter__(self) -> Self:
        try:
            self.state_dir.mkdir(parents=True, exist_ok=True)
            self.broker.start()
            if self._traded:
                self.strategies = StrategiesProcess(self.broker, self.folder, STRATEGIES).start()
            self._describe()
            if self._guarded:
                self.start_guard()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End everything that was started."""
        if self.guard is not None:
            if self.guard.poll() is None:
                os.kill(self.guard.pid, signal.SIGCONT)
            self.stop_guard(signal.SIGTERM)
        if self.strategies is not None:
            self.strategies.stop()
        self.broker.__exit__(None, None, None)

    # --- the guard ---------------------------------------------------------------------------------------------------

    @property
    def guard_pid(self) -> int:
        assert self.guard is not None
        return self.guard.pid

    @property
    def guard_log(self) -> str:
        return (self.folder / "guard.log").read_text()

    def launch_guard(self, *arguments: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a guard process without waiting for it; its stderr goes to guard.log."""
        with (self.folder / "guard.log").open("ab") as log:
            command = [sys.executable, "-m", "console", "--desk", str(self.file), "guard", *arguments]
            env = {**os.environ, **environment}
            return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def start_guard(self, **environment: str) -> None:
        """Start the guard and wait until consoles can attach."""
        guard = self.guard = self.launch_guard(**environment)
        wait_until(lambda: guard.poll() is not None or self._listens(), "the guard listens")
        assert guard.poll() is None, f"the guard ended: {self.guard_log}"

    def stop_guard(self, number: signal.Signals) -> int:
        """Signal the guard and wait for its end; its exit code."""
        guard, self.guard = self.guard, None
        assert guard is not None
        if guard.poll() is None:
            guard.send_signal(number)
        try:
            return guard.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()
            raise

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.state_dir / "guard.sock"))
            except OSError:
                return False
            return not self._http or (self.state_dir / "http.json").exists()

    # --- what it says ------------------------------------------------------------------------------------------------

    def records(self) -> Iterator[Record]:
        """What all writers have journaled so far."""
        return read(self.state_dir / "journal")

    def journaled(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [record.event for record in self.records() if isinstance(record.event, kind)]

    def folded(self) -> DeskState:
        return fold_all(self.records())

    def wait_journaled(self, kind: type[E], matching: Callable[[E], bool] = lambda event: True) -> E:
        """The first journaled event of a kind that matches, once it is there."""
        found = wait_until(
            lambda: next(([event] for event in self.journaled(kind) if matching(event)), None), f"a {kind.__name__}"
        )
        assert found is not None
        return found[0]

    @property
    def token(self) -> str:
        token: str = json.loads((self.state_dir / "tokens.json").read_bytes())["operator"]
        return token

    def http(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, body (parsed where it is JSON) and headers of the guard's answer. `token` "" is the operator's, None
        sends none; a body of bytes goes as it is."""
        url = json.loads((self.state_dir / "http.json").read_bytes())["url"]
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        asked = urllib.request.Request(url + path, data, headers or {}, method=method)
        if token is not None:
            asked.add_header("Authorization", f"Bearer {token or self.token}")
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
                status, text, told = answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            status, text, told = error.code, error.read(), dict(error.headers)
        return status, json.loads(text) if "json" in told.get("Content-Type", "") else text, told

    def _describe(self) -> None:
        lines = ["desk: test", "mode: simulated", f"state: {json.dumps(str(self.state_dir))}", "venues:"]
        for name, keys in self.broker.key_files.items():
            lines += [
                f"  - name: {name}",
                "    adapter: alpaca",
                f"    base_url: {self.broker.url}",
                f"    keys: {keys}",
            ]
            lines += ["    timeout: 2"]
        if self.strategies is not None:
            lines += ["strategies:"]
            for name, _, venue, symbols in STRATEGIES:
                lines += [f"  - name: {name}", f"    venue: {venue}", f"    symbols: [{', '.join(symbols)}]"]
                lines += [f"    host: {self.strategies.urls[name]}"]
        lines += [f"cord: {{quiet_seconds: {self._quiet_seconds}}}", *(["http: {port: 0}"] if self._http else [])]
        lines += [*([] if self._pictures else ["archive: {pictures: false}"]), *self._described, ""]
        self.file.write_text("\n".join(lines))
