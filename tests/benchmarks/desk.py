"""A desk for benchmarks: a state folder that knows its venues, and the guard's cord thread on it."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from adapters.alpaca.cord_form import cord_form
from console.cord.plan import write_plan
from tests.support.broker import ROOT


def lay_out(folder: Path, urls: list[str]) -> Path:
    """The folder, made, with a plan of the venues at these addresses."""
    folder.mkdir()
    keys = folder / "keys.json"
    keys.write_text('{"key_id": "k", "secret_key": "s"}')
    keys.chmod(0o600)
    reached = {"keys": str(keys), "form": cord_form()}
    venues = [{"name": f"sim{number}", "url": url, **reached} for number, url in enumerate(urls)]
    desk = {"v": 1, "desk": "bench", "mode": "simulated", "quiet_seconds": 1, "netted": True, "strategies": []}
    write_plan(str(folder), {**desk, "venues": venues})
    return folder


@contextlib.contextmanager
def guard(folder: Path, *arguments: str, program: str = "tests.benchmarks.cord_process") -> Iterator[None]:
    """The guard's cord; for `arguments` see the program."""
    process = subprocess.Popen(
        [sys.executable, "-m", program, str(folder), *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.wait()
