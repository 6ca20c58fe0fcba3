"""`andon gate --lower`: the size goes down at once, and nothing is asked. Up again it goes by `andon resume`."""

import argparse

from console.commands.kept import write_down
from console.desk import entries as en
from console.desk.words import share
from console.session import Session


def lower(options: argparse.Namespace) -> int:
    """Lowers the size; returns 0, or 1 where that could not be written down. Raises ConfigError."""
    return write_down(options, en.SizeLowered(options.lower, options.reason, options.rate), size_now)


def size_now(session: Session) -> str:
    """The size after it was lowered, in a sentence."""
    size = f"the desk trades at {share(session.state.size)} of its normal size at most"
    return f"{size} once a guard runs; without one ({session.down}) strategies stop" if session.down else size
