"""The console on a replayed desk; its cord only writes its pulls down: `python -m tests.support.pty_console FILE`.

SIGUSR1 blocks the event loop until the file `FILE.go` is there. Every pull is a line `LEVEL SCOPE THREAD`.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from console.app import AndonApp
from console.desk.pull import Level, Scope
from console.driver import CordDriver
from tests.support import scenario


def main(file: Path, *options: str) -> int:
    def clock() -> int:
        """Stands still: the desk must not grow old under a slow test."""
        return scenario.NOW

    def note(level: Level, scope: Scope) -> None:
        with file.open("a") as pulls:
            pulls.write(f"{level} {scope} {threading.current_thread().name}\n")
            pulls.flush()
            os.fsync(pulls.fileno())

    def block(*_: object) -> None:
        file.with_suffix(".blocked").touch()
        while not file.with_suffix(".go").exists():
            time.sleep(0.01)

    story = scenario.reconciled if "--stopped" in options else scenario.calm
    app = AndonApp(
        scenario.JudgingSource(story().updates),
        scenario.RecordingCord(note),
        clock=clock,
        read_only="--read-only" in options,
    )
    signal.signal(signal.SIGUSR1, block)
    assert app.driver_class is CordDriver
    app.run(mouse="--no-mouse" not in options)
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
