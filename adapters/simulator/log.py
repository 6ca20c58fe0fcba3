"""What the simulated desk's processes say of themselves: a line a thing, with its UTC time, on standard error."""

import logging
import time


def begin_log() -> None:
    """For a process that is nothing else. Loggers are named for who speaks: the broker, or a strategy."""
    lines = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    lines.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(lines)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
