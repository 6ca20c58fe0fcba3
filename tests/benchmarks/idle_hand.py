"""What a pull can not be faster than: `python -m tests.benchmarks.idle_hand venue|guard STATE_FOLDER` in a terminal.

A thread that waits for a byte and then makes one write that was prepared: the cancel, on a connection to the venue that
stands, or the pull, on one to the guard. Nothing else runs in its process.
"""

import os
import socket
import sys
import time
import tty

from console.cord.forms import FormHand
from console.cord.plan import Plan
from console.cord.request import PullRequest

DEADLINE = 3600 * 10**9


def ask_venue(folder: str) -> None:
    (venue,) = Plan.load(folder).venues.values()
    hand = FormHand(venue)
    hand.read_keys()
    wire = hand.connect()
    os.write(1, b"ready")
    while os.read(0, 1):
        wire.send(hand.cancel_all_bytes, time.monotonic() + 1)
        wire.receive(time.monotonic() + 1)


def ask_guard(folder: str) -> None:
    os.write(1, b"ready")
    while True:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.path.join(folder, "cord.sock"))
            deadline = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + DEADLINE
            line = PullRequest(level="L3", scope="desk", origin="bench", deadline=deadline).line()
            if not os.read(0, 1):
                return
            connection.send(line)
            connection.recv(65536)


if __name__ == "__main__":
    tty.setraw(0)
    {"venue": ask_venue, "guard": ask_guard}[sys.argv[1]](sys.argv[2])
