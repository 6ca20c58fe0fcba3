"""Archives on disk, as the console's screens are handed them. What reads them is imported when somebody looks."""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from console.desk.archive import Shelf, Summary, Unreadable

if TYPE_CHECKING:
    from console.evidence.signing import Trusted


class NoArchives:
    """Of a console that was given none."""

    paths: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        return ()

    def shelf(self) -> Shelf:
        raise Unreadable("this console was given no archive")

    def export(self, summary: Summary, to: str) -> str:
        raise Unreadable("this console was given no archive")


class FolderArchives:
    """`console.desk.archive.Archives` in these places: archives, incidents' folders, exported files. `trusted` finds
    who is trusted to have signed; it may read files."""

    def __init__(self, places: Sequence[Path], trusted: "Callable[[], Trusted | None]") -> None:
        self._places = tuple(places)
        self._trusted = trusted
        self.paths = tuple(map(str, places))

    def names(self) -> tuple[str, ...]:
        with contextlib.suppress(OSError):
            return tuple(path.name for place in self._places for path in place.iterdir())
        return ()

    def shelf(self) -> Shelf:
        from console.evidence.shelf import FolderShelf
        from console.evidence.signing import SigningError

        try:
            return FolderShelf(self._places, self._trusted())
        except SigningError as error:
            raise Unreadable(str(error)) from None

    def export(self, summary: Summary, to: str) -> str:
        from console.evidence.export import SUFFIX, NotExported, export

        if Path(summary.archive).is_file():
            raise Unreadable(f"{summary.archive} is that file already")
        path = Path(to).expanduser().absolute()
        if path.is_dir():
            path /= f"{summary.id}{SUFFIX}"
        try:
            export(Path(summary.archive) / summary.id, path)
        except NotExported as refused:
            raise Unreadable(str(refused)) from None
        return str(path)


def archives_of(file: Path, state: Path) -> FolderArchives:
    """The archive of the desk that `file` describes, whose state lies in `state`."""
    return FolderArchives([state / "archive"], partial(_desks_own, file.parent, state))


def _desks_own(*folders: Path) -> "Trusted | None":
    from console.evidence.signing import Trusted

    return Trusted.of(*folders)
