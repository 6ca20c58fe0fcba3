"""The simulated strategies as a process, and a gate for them that a test opens and shuts like a guard would."""

import json
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.support.broker import PATIENCE, ROOT, BrokerProcess

LEASE_NS = 5_000_000_000


class GateFile:
    """`with GateFile(folder) as gate:` keeps a lease of gate.json fresh; `say` changes what it says, `remove` takes it
    away for good."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told: dict[str, object] = {}
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.say("OPEN")
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stopped.set()
        self._thread.join()

    def say(self, state: str, size: str = "1", rate: str = "1", **scopes: str) -> None:
        with self._lock:
            self._told = {"state": state, "size_factor": size, "rate_factor": rate, "scopes": scopes}
            self._write()

    def remove(self) -> None:
        self._stopped.set()
        self._thread.join()
        (self._folder / "gate.json").unlink()

    def _renew(self) -> None:
        while not self._stopped.wait(0.5):
            with self._lock:
                self._write()

    def _write(self) -> None:
        expires = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + LEASE_NS
        told = {"v": 1, "desk": "demo", **self._told, "lease": {"boot_id": self._boot, "expires": expires}}
        fresh = self._folder / "gate.json.new"
        fresh.write_text(json.dumps(told))
        fresh.replace(self._folder / "gate.json")


class StrategiesProcess:
    """`with StrategiesProcess(broker, tmp_path, [(name, kind, account, symbols), …]) as strategies:`

    The desk's state folder is `folder`/desk, books and predictions lie in `folder`/out, what they say of themselves in
    `log`. `urls` maps names to URLs."""

    def __init__(self, broker: BrokerProcess, folder: Path, strategies: list[tuple[str, str, str, list[str]]]) -> None:
        self.desk = folder / "desk"
        self.out = folder / "out"
        self.log = folder / "strategies.log"
        self.urls: dict[str, str] = {}
        self.pid = 0
        self._config = folder / "strategies.json"
        self._process: subprocess.Popen[str] | None = None
        told = {
            "desk_state": str(self.desk),
            "out": str(self.out),
            "seed": 7,
            "port": 0,
            "broker": broker.url,
            "strategies": [
                {
                    "name": name,
                    "kind": kind,
                    "venue": account,
                    "symbols": symbols,
                    "keys": str(broker.key_files[account]),
                }
                for name, kind, account, symbols in strategies
            ],
        }
        self._config.write_text(json.dumps(told))

    def start(self) -> Self:
        command = [sys.executable, "-m", "adapters.simulator", "strategies", "--config", str(self._config)]
        with self.log.open("ab") as log:  # a pipe that nobody reads would stop them
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        lines: queue.Queue[str] = queue.Queue()
        stdout = self._process.stdout
        assert stdout is not None
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=PATIENCE)
        except queue.Empty:
            line = ""
        if not line:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"the strategies did not start: {self.log.read_text()}")
        ready = json.loads(line)
        self.pid, self.urls = ready["pid"], ready["strategies"]
        return self

    def ask(self, strategy: str, path: str, method: str = "GET") -> tuple[int, bytes]:
        request = urllib.request.Request(self.urls[strategy] + path, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def json(self, strategy: str, path: str) -> Any:
        return json.loads(self.ask(strategy, path)[1])

    def state(self, strategy: str) -> Any:
        return self.json(strategy, "/state")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Ends it; the exit code and its log."""
        process = self._process
        if process is None:
            return 0, ""
        self._process = None
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode, self.log.read_text()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *raised: object) -> None:
        self.stop()
