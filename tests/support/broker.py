"""A simulated broker as a process of its own, for tests: started, talked to over real sockets, stopped by its pid."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
LONGEST_PAUSE = 0.1

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str = "", patience: float = PATIENCE) -> T:
    """The first true value of `condition`; a failure that says `what` when none comes. Asks at once and often, then
    less often: asking costs whatever is asked, too."""
    deadline = time.monotonic() + patience
    pause = 0.01
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:g} s in vain: {what or condition}")
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
    return value


class BrokerProcess:
    """`with BrokerProcess("--speed", "60", state=tmp_path) as broker:`

    `url` is the server's, `accounts` maps names to (key_id, secret), `key_files` to the key files. Faults, the market
    clock and foreign orders go through `control`.
    """

    def __init__(self, *arguments: str, state: Path | None = None, keys: Path | None = None) -> None:
        self._arguments = list(arguments)
        if state is not None:
            self._arguments += ["--state", str(state)]
        if keys is not None:
            self._arguments += ["--keys", str(keys)]
        self.url = ""
        self.pid = 0
        self.numbers: dict[str, str] = {}
        self.accounts: dict[str, tuple[str, str]] = {}
        self.key_files: dict[str, Path] = {}
        self._process: subprocess.Popen[str] | None = None
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - a pipe that nobody reads would stop the broker

    def start(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "adapters.simulator", "broker", *self._arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        ready = json.loads(self._first_line(self._process))
        self.url, self.pid = ready["url"], ready["pid"]
        for account in ready["accounts"]:
            path = Path(account["keys"])
            keys = json.loads(path.read_text())
            self.key_files[account["name"]] = path
            self.numbers[account["name"]] = account["number"]
            self.accounts[account["name"]] = (keys["key_id"], keys["secret_key"])
        return self

    def _first_line(self, process: "subprocess.Popen[str]") -> str:
        lines: queue.Queue[str] = queue.Queue()
        assert process.stdout is not None
        threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()  # type: ignore[union-attr]
        try:
            line = lines.get(timeout=PATIENCE)
        except queue.Empty:
            line = ""
        if not line:
            process.kill()
            process.wait()
            raise AssertionError(f"the broker did not start: {self.errors()}")
        return line

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def headers(self, account: str = "sim1") -> dict[str, str]:
        key_id, secret = self.accounts[account]
        return {"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret}

    def request(
        self, method: str, path: str, json_body: object = None, account: str | None = "sim1", timeout: float = PATIENCE
    ) -> tuple[int, Any]:
        """Status and parsed body (None where it is empty). Connection errors are raised."""
        data = None if json_body is None else json.dumps(json_body).encode()
        headers = self.headers(account) if account else {}
        asked = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=timeout) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        return status, json.loads(text) if text else None

    def control(self, method: str, path: str = "", json_body: object = None) -> Any:
        """A call of the control endpoint; `path` is what follows `/_control`. Answers other than 200 fail."""
        status, parsed = self.request(method, f"/_control{path}", json_body, account=None)
        assert status == 200, f"{method} /_control{path}: {status} {parsed}"
        return parsed

    def fault(self, name: str, venue: str | None = None, arg: object = None, **more: object) -> None:
        """Switches a fault on."""
        self.control("POST", "/faults", {"name": name, "venue": venue, "arg": arg, **more})

    def clear(self, name: str = "", venue: str | None = None) -> None:
        """Switches one fault off, or all of them."""
        self.control("DELETE", "/faults" + (f"/{name}" if name else "") + (f"?venue={venue}" if venue else ""))

    def counters(self, account: str = "sim1") -> Any:
        return self.control("GET", "/counters")[account]

    def exit_code(self) -> int | None:
        """How it ended by itself; None while it runs."""
        return self._process.poll() if self._process is not None else None

    def errors(self) -> str:
        """What it wrote to stderr so far."""
        self._errors.seek(0)
        return self._errors.read()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL: nothing is written any more."""
        return self._end(signal.SIGKILL)

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        self._process = None
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
        self.stop()
