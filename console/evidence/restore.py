"""Restoring an incident, to see whether it can be: copied aside, proven there, read whole, folded, compared.

Imports PyArrow.
"""

import filecmp
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from console.desk.archive import Unreadable
from console.desk.base import Plain
from console.evidence.manifest import MANIFEST, ItemLine, Manifest, open_file, read_manifest
from console.evidence.reading import RECORDS, Table, state_of
from console.evidence.signing import Trusted
from console.evidence.verify import BROKEN, Known, verify


class Restored(Plain, frozen=True):
    """What a restore has shown: how many `items`, `rows` and `bytes` were read back, and in `missed`, a sentence each,
    what was not as it was sealed. `standing` is the verification's word, `head` the hash of the last signed head."""

    incident: str
    standing: str
    signer: str
    head: str
    items: int
    rows: int
    bytes: int
    missed: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.missed


def restore(folder: Path, trusted: Trusted | None = None, known: Known | None = None) -> Restored:
    """Restore one incident into a temporary folder. Never raises: what goes wrong was missed."""
    try:
        return _restored(folder, trusted, known)
    except (Unreadable, OSError) as error:
        return Restored(folder.name, BROKEN, "", "", 0, 0, 0, (str(error),))


def _restored(folder: Path, trusted: Trusted | None, known: Known | None) -> Restored:
    with tempfile.TemporaryDirectory(prefix="andon-restore-") as aside:
        manifest = read_manifest(folder)
        copy = _copied(folder, manifest, Path(aside))
        report = verify(copy, trusted, known)
        missed = [str(finding) for finding in report.findings]
        rows = 0
        for line in manifest.items:
            read, wrong = _read_back(copy, line)
            rows += read
            missed += wrong
        missed += _unfolded(copy, manifest)
        missed += _differences(folder, copy, manifest)
    return Restored(
        incident=manifest.last.incident,
        standing=report.word,
        signer=report.signer,
        head=manifest.last.hash,
        items=len(manifest.items),
        rows=rows,
        bytes=sum(line.bytes for line in manifest.items),
        missed=tuple(dict.fromkeys(said.replace(str(copy), str(folder)) for said in missed)),
    )


def _copied(folder: Path, manifest: Manifest, aside: Path) -> Path:
    copy = aside / folder.name
    copy.mkdir()
    for name in (MANIFEST, *(line.file for line in manifest.items)):
        with open_file(folder / name) as source, (copy / name).open("xb") as to:
            shutil.copyfileobj(source, to, 1 << 20)
    return copy


def _read_back(folder: Path, line: ItemLine) -> tuple[int, list[str]]:
    """Every value of a table, a row group at a time: how many rows there were, and what was wrong."""
    if line.rows is None:
        return 0, []
    rows = 0
    try:
        table = Table(folder, [line], whole_bytes=0)
        for number, group in enumerate(table.groups):
            for name in table.schema.names:
                table.column(number, name)
            rows += group.rows
        table.close()
    except (Unreadable, ValueError) as error:
        return rows, [str(error)]
    return rows, [] if rows == line.rows else [f"{line.file}: {rows} rows were read back, {line.rows} were sealed"]


def _unfolded(folder: Path, manifest: Manifest) -> Iterator[str]:
    if not any(line.item == RECORDS for line in manifest.items):
        yield "no records were sealed: the desk's state can not be told from them"
        return
    try:
        state_of(folder, manifest)
    except Unreadable as error:
        yield str(error)


def _differences(folder: Path, copy: Path, manifest: Manifest) -> Iterator[str]:
    for name in (MANIFEST, *(line.file for line in manifest.items)):
        if not filecmp.cmp(folder / name, copy / name, shallow=False):
            yield f"{name}: the copy is not the same as what lies in the archive"
