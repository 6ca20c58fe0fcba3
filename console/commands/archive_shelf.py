"""The archives that a command is about, and what this machine's desk vouches for. Works where there is no desk."""

from collections.abc import Sequence
from pathlib import Path

from console.config import ConfigError, Glance, NoDesk, find, glance
from console.desk import incidents as inc
from console.desk.archive import Summary, Unreadable
from console.evidence.shelf import ARCHIVE, FolderShelf

FAILED = 1


def desk_of(told: str | None) -> Glance | None:
    """The desk that was named, else the one of this machine, None where there is none. Raises ConfigError."""
    try:
        return glance(find(told))
    except NoDesk:
        return None


def shelf_of(paths: Sequence[str], desk: str | None, *, without: Sequence[str] = ()) -> FolderShelf:
    """The archives at these paths, without any the desk's own. Raises ConfigError where there are none."""
    folders = [Path(path).expanduser() for path in paths]
    if not folders:
        own = glance(find(desk)).state / ARCHIVE
        folders = [own] if own.is_dir() else []
    try:
        return FolderShelf(folders, without=without)
    except Unreadable as error:
        raise ConfigError(str(error)) from None


def one_of(told: str, desk: str | None) -> tuple[FolderShelf, Summary]:
    """The shelf of one incident, and the incident: by its number in the desk's archive, or by its path. Raises
    ConfigError."""
    path = Path(told).expanduser()
    number = bool(inc.NUMBER.fullmatch(told)) and not path.exists()
    shelf = shelf_of([] if number else [told], desk)
    found = [each for each in shelf.incidents() if not number or each.id == told]
    if len(found) == 1:
        return shelf, found[0]
    shelf.close()
    if number:
        raise ConfigError(f"there is no incident {told} in the desk's archive: andon archive list has those there are")
    raise ConfigError(f"{told}: it holds {len(found)} incidents; the folder of one of them is expected")
