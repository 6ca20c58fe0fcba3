"""The second hand: when the guard does not answer, the cancels leave from here, straight to the venues.

This process sends the bulk cancels itself, at once, and hands all the rest to a detached process (follow.py) which
outlives it, its terminal and its SSH line. Both take what they need from memory, so that a hung disk stops neither, and
only the detached one ever writes to the disk: a thread that hangs in a write would keep its process from ending.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from console.cord.forms import FormHand
from console.cord.http import HttpError
from console.cord.keys import KeyFileError
from console.cord.plan import Plan, VenuePlan, in_bulk
from console.cord.request import PullRequest
from console.desk.chain import dumps
from console.desk.pull import Scope

ALL_SENT_WITHIN = 0.3


def pull_directly(
    plan: Plan,
    request: PullRequest,
    tell: Callable[[dict[str, Any]], object],
    enough: Callable[[], bool],
    handed: Callable[[], None],
) -> None:
    """Cancel at every venue at once and start the detached hand, which sets the latch meanwhile (then `handed` is
    called). Returns when it has ended, or `enough` was heard; `tell` is given each `{"kind", "ts", "actor", "data"}`
    that it reports."""
    sent: dict[str, int] = {}
    threads = []
    if in_bulk(request):
        for name in plan.venues_in(Scope.parse(request.scope)):
            thread = threading.Thread(target=_cancel, args=(plan.venues[name], sent), daemon=True)
            thread.start()
            threads.append(thread)
    deadline = time.monotonic() + ALL_SENT_WITHIN
    to_hand, reports = _follow(plan, request)
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))
    with to_hand:
        to_hand.write(dumps(dict(sent)) + b"\n")
    handed()
    for line in reports:
        tell(json.loads(line))
        if enough():
            return


def _cancel(venue: VenuePlan, sent: dict[str, int]) -> None:
    """One bulk cancel. Its answer is waited for, so that the connection stands until the venue has read it."""
    try:
        hand = FormHand(venue)
        hand.read_keys()
        wire = hand.connect()
        wire.send(hand.cancel_all_bytes, time.monotonic() + venue.timeout)
        sent[venue.name] = time.time_ns()
        wire.receive(time.monotonic() + venue.timeout)
        wire.close()
    except (KeyFileError, HttpError):
        pass  # the detached hand does it again, and reports why where it fails


def _follow(plan: Plan, request: PullRequest) -> tuple[IO[bytes], IO[bytes]]:
    """Start the detached hand. The first pipe is to tell it when which cancels have left; what it reports can be read
    from the second, and need not be."""
    task = {
        "plan": plan.told,
        "folder": plan.folder,
        "pull": {name: getattr(request, name) for name in PullRequest.__slots__},
    }
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "follow.py")
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
        [sys.executable, "-IS", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
    process.stdin.write(dumps(task) + b"\n")
    process.stdin.flush()
    return process.stdin, process.stdout
