"""Asking the guard: what no command may do by itself, because only a guard reads, judges, records and acts."""

import contextlib
from collections.abc import Iterator

from console.config import find, glance
from console.guard.client import SILENCE_SECONDS
from console.processes import listens
from console.session import Session


class NoGuard(RuntimeError):
    """Nobody is there who could be asked."""


@contextlib.contextmanager
def guarded(desk: str | None) -> Iterator[Session]:
    """A session with a guard at the other end. Raises NoGuard and ConfigError."""
    folder = glance(find(desk)).state
    if not listens(folder / "guard.sock"):
        raise NoGuard("no guard is running, and this is asked of the guard alone: andon guard")
    with Session(folder, patience=2 * SILENCE_SECONDS) as session:
        if session.down:
            raise NoGuard("a guard is there, but does not answer")
        yield session


def ask(desk: str | None, command: str, **arguments: str) -> str:
    """The guard's answer. Raises RuntimeError with its reason for a refusal, NoGuard, and ConfigError."""
    with guarded(desk) as session:
        return session.command(command, **arguments)
