"""The logbook without a guard: a journal file of the user's own, which every reader merges and the next guard folds."""

import re
from pathlib import Path

from console.cord.puller import user_name
from console.desk.entries import AnyEntry
from console.desk.events import Record
from console.evidence.journal import JournalError, JournalWriter

DISK_SECONDS = 5.0
AT_ONCE = 50
"""So many consoles and commands of one user may write at the same time, each into a file of its own."""


class OwnHand:
    """`operator-<user>.jsonl` in a desk's journal, or `operator-<user>-2.jsonl` where another console of that user
    holds the first. Blocks: for a thread."""

    def __init__(self, journals: Path) -> None:
        self._journals = journals
        self._actor = user_name()
        self._writer: JournalWriter | None = None

    @property
    def actor(self) -> str:
        return self._actor

    def write(self, entry: AnyEntry) -> Record:
        """Returns once it is on disk. Raises RuntimeError with the reason why it is not."""
        try:
            if self._writer is None:
                self._writer = self._open()
            return self._writer.append(entry, self._actor).result(DISK_SECONDS)
        except TimeoutError:
            raise RuntimeError(f"the disk has not taken it for {DISK_SECONDS:.0f} s: it may yet") from None
        except (OSError, JournalError) as error:
            raise RuntimeError(f"it could not be written: {error}") from None

    def close(self) -> None:
        """Let go of the file, so that the next console of this user goes on with it."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _open(self) -> JournalWriter:
        if not self._journals.is_dir():
            raise RuntimeError(f"{self._journals}: there is no journal yet; no guard has ever run for this desk")
        name = "operator-" + re.sub(r"[^A-Za-z0-9._-]", "_", self._actor)
        for number in range(1, AT_ONCE):
            try:
                return JournalWriter(self._journals, name if number == 1 else f"{name}-{number}")
            except (
                JournalError,
                PermissionError,
            ):  # another console has it, or a user with a name much like this one's
                continue
        return JournalWriter(self._journals, f"{name}-{AT_ONCE}")
