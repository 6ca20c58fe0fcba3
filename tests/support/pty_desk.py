"""The console on a real desk, whose event loop can be stopped: `python -m tests.support.pty_desk STATE FILE`.

SIGUSR1 blocks the loop until the file `FILE.go` is there; `FILE.blocked` tells that it is blocked.
"""

import signal
import sys
import time
from pathlib import Path

from console.app import run


def main(state: Path, file: Path) -> int:
    def block(*_: object) -> None:
        file.with_suffix(".blocked").touch()
        while not file.with_suffix(".go").exists():
            time.sleep(0.01)

    signal.signal(signal.SIGUSR1, block)
    return run(state, start_guard=lambda: "the test starts guards")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
