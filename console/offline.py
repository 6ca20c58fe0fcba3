"""`andon archive open`: the console on archives alone. No guard, no network, no desk.yaml."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NoReturn

import themes
from console.app import AndonApp, screened
from console.archives import FolderArchives
from console.config import ConfigError
from console.desk.entries import AnyEntry
from console.desk.source import Update
from console.evidence.signing import SigningError, Trusted

_NO_DESK = "no desk is attached: this console reads archives"


class NoDesk:
    """The Source of a console to which no desk is attached: it says nothing, ever."""

    live = False

    async def updates(self) -> AsyncIterator[Update]:
        nothing: tuple[Update, ...] = ()
        for update in nothing:
            yield update

    async def command(self, name: str, /, **arguments: str) -> NoReturn:
        raise RuntimeError(_NO_DESK)

    async def keep(self, entry: AnyEntry) -> NoReturn:
        raise RuntimeError(_NO_DESK)


class OfflineApp(AndonApp):
    """Opens on the Archive; what is done to a desk is off."""

    DEFAULT_MODE = "archive"


def open_archives(paths: Sequence[str], key: str | None = None, *, mouse: bool = True) -> int:
    """The console on these archives, incidents' folders or exported files, until its user leaves. `key` is who is
    trusted to have signed. Returns the exit code. Raises ConfigError."""
    folders = [Path(path).expanduser().absolute() for path in paths]
    for folder in folders:
        if not folder.exists():
            raise ConfigError(f"{folder}: there is nothing; the folder of an archive or of an incident is expected")
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise ConfigError("the console needs a terminal; `andon archive list` prints an archive without one")
    try:
        trusted = Trusted.parse(key) if key is not None else None
    except SigningError as error:
        raise ConfigError(str(error)) from None
    archives = FolderArchives(folders, lambda: trusted)
    app = OfflineApp(NoDesk(), None, archives=archives, theme=os.environ.get("ANDON_THEME", themes.DEFAULT))
    return screened(app, mouse=mouse)
