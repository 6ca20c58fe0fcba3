"""Archives on disk, as the console's screens are handed them. What reads them is imported when somebody looks."""

from collections.abc import Sequence
from pathlib import Path

from console.desk.archive import Shelf, Summary, Unreadable


class NoArchives:
    """Of a console that was given none."""

    paths: tuple[str, ...] = ()

    def shelf(self) -> Shelf:
        raise Unreadable("this console was given no archive")

    def export(self, summary: Summary, to: str) -> str:
        raise Unreadable("this console was given no archive")


class FolderArchives:
    """`console.desk.archive.Archives` in folders: each one an archive, or an incident of one."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self.paths = tuple(map(str, folders))

    def shelf(self) -> Shelf:
        from console.evidence.shelf import FolderShelf

        return FolderShelf(self._folders)

    def export(self, summary: Summary, to: str) -> str:
        from console.evidence.export import export

        return str(export(Path(summary.archive) / summary.id, Path(to).expanduser()))
