"""An exchange's own dead-man switch: what an adapter declares is refreshed for as long as the guard lives."""

import http.server
import json
import signal
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from console.desk import events as ev
from tests.support.broker import ROOT, wait_until
from tests.support.desk import DeskProcesses

TIMEOUT = 8.0
ADAPTER = """
from dataclasses import replace

import aiohttp

from adapters.alpaca import AlpacaVenue
from adapters.base import Acked, Ambiguous, Refused


class Exchange(AlpacaVenue):
    capabilities = replace(AlpacaVenue.capabilities, dead_man={timeout})

    async def dead_man(self, seconds):
        try:
            async with aiohttp.ClientSession() as session, session.post("{url}", json={{"timeout": seconds}}) as answer:
                return Acked(None) if answer.status == 200 else Refused(str(answer.status), "no")
        except aiohttp.ClientError as error:
            return Ambiguous(str(error))


class Declared(AlpacaVenue):
    capabilities = replace(AlpacaVenue.capabilities, dead_man=30)
"""


class Switch(http.server.ThreadingHTTPServer):
    """The exchange's end: when it was told, and what; `status` is what it answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Told)
        self.told: list[tuple[float, float]] = []
        self.status = 200


class Told(http.server.BaseHTTPRequestHandler):
    server: Switch

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append((time.monotonic(), body["timeout"]))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def install(folder: Path, url: str) -> str:
    """The adapter as an installed package leaves it; the PYTHONPATH that finds it."""
    (folder / "exchange.py").write_text(ADAPTER.format(timeout=TIMEOUT, url=url))
    info = folder / "exchange-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: exchange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[andon.adapters]\nexchange = exchange:Exchange\ndeclared = exchange:Declared\n"
    )
    return f"{folder}:{ROOT}"


def test_it_is_refreshed_at_a_quarter_of_its_timeout_until_the_guard_is_gone(tmp_path: Path, switch: Switch) -> None:
    path = install(tmp_path, f"http://127.0.0.1:{switch.server_port}/")
    with DeskProcesses(tmp_path, traded=False, guarded=False, http=False) as desk:
        text = desk.file.read_text()
        desk.file.write_text(text.replace("adapter: alpaca", "adapter: exchange", 1))
        desk.start_guard(PYTHONPATH=path)
        assert desk.wait_journaled(ev.DeadManChanged).armed
        wait_until(lambda: len(switch.told) >= 4, "refreshed again and again")
        assert {timeout for _, timeout in switch.told} == {TIMEOUT}
        times = [at for at, _ in switch.told]
        gaps = [after - before for before, after in pairwise(times)]
        assert min(gaps) > TIMEOUT / 8  # not in a hurry; how late it may get under load is not for a test to say

        switch.status = 503
        desk.wait_journaled(ev.DeadManChanged, lambda event: not event.armed)
        switch.status = 200
        wait_until(lambda: [event.armed for event in desk.journaled(ev.DeadManChanged)] == [True, False, True], "armed")

        desk.stop_guard(signal.SIGKILL)
        told = len(switch.told)
        time.sleep(TIMEOUT / 4 + 1)
        assert len(switch.told) == told

        desk.file.write_text(text.replace("adapter: alpaca", "adapter: declared", 1))
        guard = desk.launch_guard(PYTHONPATH=path)
        assert guard.wait(60) == 2
        assert "venue 'sim1': its adapter declares a dead-man switch that it does not have" in desk.guard_log
