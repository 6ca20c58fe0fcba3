"""`andon check`: reads a desk.yaml, and the contacts.yaml beside it, as the guard would; says what it read."""

from pathlib import Path

from console.commands.output import print_json
from console.config import ConfigError, find, load
from console.contacts import FILE, load_contacts

_NOBODY = "nobody to call is named; `andon init` writes an example"


def check(desk: str | None, *, as_json: bool) -> int:
    """Prints what was understood. Raises ConfigError at the first thing wrong."""
    path = find(str(Path(desk).absolute()) if desk and Path(desk).exists() else desk)
    try:
        read = load(path)
        contacts = load_contacts(path.parent, [venue.name for venue in read.venues])
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"path": path, "ok": False, "problem": str(error)})
        return 2
    venues = [venue.name for venue in read.venues]
    strategies = [strategy.name for strategy in read.strategies]
    if as_json:
        print_json(
            {
                "path": path,
                "ok": True,
                "desk": read.name,
                "venues": venues,
                "strategies": strategies,
                "contacts": [contact.name for contact in contacts],
            }
        )
    else:
        told = ", ".join(strategies) or "none"
        print(f"{path}: in order. Desk {read.name}, {read.mode}; venues {', '.join(venues)}; strategies {told}.")
        called = ", ".join(f"{contact.name} ({contact.level})" for contact in contacts)
        print(f"{path.parent / FILE}: {f'in order. Contacts by escalation level: {called}.' if called else _NOBODY}")
    return 0
