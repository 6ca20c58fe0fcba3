"""What a pull can not be faster than: `python -m tests.benchmarks.idle_hand STATE_FOLDER` in a terminal.

It waits for a byte and puts the same prepared request on a connection that stands. Nothing else runs in it.
"""

import os
import sys
import time
import tty

from console.cord.forms import FormHand
from console.cord.plan import Plan


def main() -> None:
    tty.setraw(0)
    (venue,) = Plan.load(sys.argv[1]).venues.values()
    hand = FormHand(venue)
    hand.read_keys()
    wire = hand.connect()
    os.write(1, b"ready")
    while os.read(0, 1):
        wire.send(hand.cancel_all_bytes, time.monotonic() + 1)
        wire.receive(time.monotonic() + 1)


if __name__ == "__main__":
    main()
