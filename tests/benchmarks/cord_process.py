"""The guard's cord thread alone, as a process: `python -m tests.benchmarks.cord_process STATE_FOLDER`."""

import sys
import time
from typing import Any

from console.cord.plan import Plan
from console.cord.prompt import be_prompt
from console.cord.thread import CordThread


def main() -> None:
    be_prompt()

    def record(kind: str, data: dict[str, Any], actor: str) -> None:
        return None

    thread = CordThread(Plan.load(sys.argv[1]), record)
    thread.start()
    time.sleep(0.5)  # the warm connection
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
