"""The detached hand, run by path with `python -IS`: it carries a direct pull to its end, whoever is gone by then.

Standard input holds two JSON objects, a line each: the plan and the pull; and, a moment later, when which cancels left.
Every event goes to its own journal file and, as a line of JSON, to standard output for as long as somebody reads it.
"""

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from typing import Any

SAID_WITHIN = 2.0
DISK_WAIT = 3600.0
"""How long a hand that is done waits for a disk that does not take its records."""


def main() -> None:
    """Runs until every venue is verified, which may be never: a venue that does not come back is asked on and on."""
    from console.cord.directlog import DirectLog, Written
    from console.cord.executor import Executor, beat_forever
    from console.cord.plan import Plan
    from console.cord.request import PullRequest

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    told = json.loads(sys.stdin.buffer.readline())
    request = PullRequest(**told["pull"])
    log = DirectLog(told["folder"], request.id)
    said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    mouth = threading.Thread(target=_say, args=(said,), name="mouth", daemon=True)
    mouth.start()
    in_order = threading.Lock()

    def record(kind: str, data: dict[str, Any], actor: str) -> Written:
        actor = request.actor if actor == "direct" else actor
        with in_order:
            written = log.record(kind, data, actor)
            said.put({"kind": kind, "ts": written.ts, "actor": actor, "data": data, "seq": written.seq})
        return written

    executor = Executor(Plan(told["folder"], told["plan"]), record, hand="direct")
    ended = threading.Event()
    threading.Thread(target=beat_forever, args=(executor, ended), daemon=True).start()
    executor.announce(request)
    for venue, at in json.loads(sys.stdin.buffer.readline() or b"{}").items():  # b"": whoever pulled is gone already
        sent = {"pull": request.id, "venue": venue, "what": "cancel_all", "attempt": 1, "at": at}
        record("cord_sent", sent, request.actor)
    executor.work(request, {})
    executor.join()
    log.unlock()  # from here on a guard may watch the venues in this hand's place
    executor.join_latch(DISK_WAIT)
    ended.set()
    executor.stop()
    said.put(None)
    mouth.join(SAID_WITHIN)
    log.close(DISK_WAIT)


def _say(said: "queue.SimpleQueue[dict[str, Any] | None]") -> None:
    """In a thread of its own: whoever pulled may be gone, with the terminal and the pipe, or stopped, so that the pipe
    is full. That changes nothing."""
    with contextlib.suppress(OSError), os.fdopen(1, "wb") as out:
        while (event := said.get()) is not None:
            out.write(json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
            out.flush()


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    main()
