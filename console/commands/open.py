"""`andon`: the console on a desk."""

import sys
from functools import partial

from console.archives import archives_of
from console.config import ConfigError, find, glance
from console.library import library_of
from console.start_guard import start_guard


def open_console(desk: str | None, *, read_only: bool, mouse: bool) -> int:
    """Opens on the desk's state folder, even where desk.yaml has become wrong. Raises ConfigError."""
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise ConfigError("the console needs a terminal; `andon status` prints the desk without one")
    file = find(desk)
    state = glance(file).state
    from console.app import run

    return run(
        state,
        start_guard=partial(start_guard, file, state),
        library=partial(library_of, file),
        archives=archives_of(file, state),
        read_only=read_only,
        mouse=mouse,
    )
