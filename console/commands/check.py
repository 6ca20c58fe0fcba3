"""`andon check`: reads a desk.yaml as the guard would, and says what it understood."""

from pathlib import Path

from console.commands.output import print_json
from console.config import ConfigError, find, load


def check(desk: str | None, *, as_json: bool) -> int:
    """Prints what was understood. Raises ConfigError at the first thing wrong."""
    path = find(str(Path(desk).absolute()) if desk and Path(desk).exists() else desk)
    try:
        read = load(path)
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"path": path, "ok": False, "problem": str(error)})
        return 2
    venues = [venue.name for venue in read.venues]
    strategies = [strategy.name for strategy in read.strategies]
    if as_json:
        print_json({"path": path, "ok": True, "desk": read.name, "venues": venues, "strategies": strategies})
    else:
        told = ", ".join(strategies) or "none"
        print(f"{path}: in order. Desk {read.name}, {read.mode}; venues {', '.join(venues)}; strategies {told}.")
    return 0
