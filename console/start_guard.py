"""Starting the guard from a console: as a process of its own, which stays when the console is left."""

import subprocess
import sys
import time
from pathlib import Path

from console.processes import listens

READY_SECONDS = 20.0


def start_guard(file: Path, state: Path) -> str:
    """Start `andon guard` for the desk.yaml `file` and wait until it listens. Returns a sentence; raises RuntimeError
    with the guard's own last words where it does not come up."""
    log = state / "guard.log"
    try:
        with log.open("ab") as said:
            began = said.tell()
            guard = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                [sys.executable, "-P", "-m", "console", "--desk", str(file), "guard"],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
    except OSError as error:
        raise RuntimeError(f"the guard can not be started: {error}") from None
    deadline = time.monotonic() + READY_SECONDS
    while not listens(state / "guard.sock"):
        if guard.poll() is not None:
            words = log.read_bytes()[began:].decode(errors="replace").strip().splitlines()
            raise RuntimeError(words[-1] if words else f"the guard ended at once (exit {guard.returncode}); see {log}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the guard (pid {guard.pid}) does not listen after {READY_SECONDS:.0f} s; see {log}")
        time.sleep(0.05)
    return f"the guard runs (pid {guard.pid}); it stays when this console is left"
