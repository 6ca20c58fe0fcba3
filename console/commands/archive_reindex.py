"""`andon archive reindex`: the index of an archive made anew from its folders."""

import argparse
from pathlib import Path

from console.commands.archive_shelf import FAILED
from console.commands.ask import NoGuard, ask
from console.commands.output import print_json, say
from console.config import ConfigError, find, glance
from console.desk.archive import Unreadable
from console.desk.words import count
from console.evidence.index import reindex
from console.evidence.shelf import ARCHIVE

DATABASE = "desk.duckdb"


def reindex_archive(options: argparse.Namespace) -> int:
    """The guard's worker does it where a guard runs: the desk's database is its own. Returns 1 where it was not done.
    Raises ConfigError."""
    try:
        said = _of_folder(Path(options.path).expanduser()) if options.path else _of_desk(options.desk)
        failed = ""
    except (Unreadable, RuntimeError, OSError) as error:
        said, failed = "", str(error)
    if options.json:
        print_json({"done": not failed, "says": said or failed})
    else:
        say(said or f"not indexed: {failed}")
    return FAILED if failed else 0


def _of_desk(desk: str | None) -> str:
    try:
        return ask(desk, "reindex")
    except NoGuard:
        state = glance(find(desk)).state
        return _done(state / ARCHIVE, state / DATABASE)


def _of_folder(archive: Path) -> str:
    if not archive.is_dir():
        raise ConfigError(f"{archive}: there is no such folder; an archive is expected")
    return _done(archive, None)


def _done(archive: Path, database: Path | None) -> str:
    return f"{count(reindex(archive, database), 'incident')} indexed in {archive}"
