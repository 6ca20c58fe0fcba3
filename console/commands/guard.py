"""`andon guard`: the guard of a desk in the foreground."""

import os

from console.config import ConfigError, DeskConfig, find, load


def guard(desk: str | None, http_port: int | None) -> int:
    """Runs until it is told to end. Raises ConfigError for what the user can mend."""
    config = load(find(desk))
    _writable(config)
    from console.guard.service import run

    return run(config, http_port)


def _writable(config: DeskConfig) -> None:
    """A guard without its state folder could keep no latch: better not to begin."""
    there = config.state
    while not there.exists() and there != there.parent:
        there = there.parent
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise ConfigError(
            f"{config.state}: the state folder can not be written by this user ({there} is not ours); "
            f"`state:` in {config.path} names another"
        )
