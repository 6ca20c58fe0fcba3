"""The guard's cord thread alone, as a process: `python -m tests.benchmarks.cord_process STATE_FOLDER [tapped]`.

Tapped, it leaves what came of each request to a thread that takes it away ten times a second, as the guard does."""

import sys
import threading
import time
from typing import Any

from console.cord.plan import Plan
from console.cord.prompt import be_prompt
from console.cord.thread import CordThread
from console.guard.exchanges import Exchanges


def main() -> None:
    be_prompt()

    def record(kind: str, data: dict[str, Any], actor: str) -> None:
        return None

    exchanges = Exchanges() if "tapped" in sys.argv else None
    thread = CordThread(Plan.load(sys.argv[1]), record, tap=exchanges and exchanges.of_cord)
    thread.start()
    if exchanges is not None:
        threading.Thread(target=fetch, args=(exchanges,), daemon=True).start()
    time.sleep(0.5)  # the warm connection
    print("ready", flush=True)
    sys.stdin.read()


def fetch(exchanges: Exchanges) -> None:
    while True:
        exchanges.take()
        time.sleep(0.1)


if __name__ == "__main__":
    main()
