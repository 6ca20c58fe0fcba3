"""One incident as one file, `.tar.zst`: what its heads cover. The same evidence gives the same bytes."""

import contextlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

from console.desk import incidents as inc
from console.desk.archive import Unreadable
from console.evidence.manifest import LONGEST, MANIFEST, open_file, parse, read_bytes, read_manifest
from console.evidence.verify import verify

SUFFIX = ".tar.zst"
_PIECE = 1 << 20


class NotExported(Exception):
    """Nothing was exported; the message says why."""


def export(folder: Path, to: Path) -> int:
    """Write the evidence of one incident to `to`, which must not be there yet, read it back, and return its size in
    bytes. Raises NotExported, and Unreadable where the evidence is not what was sealed."""
    if os.path.lexists(to):
        raise NotExported(f"{to}: it is there already, and nothing is overwritten")
    new = to.with_name(f".{to.name}.{os.getpid()}.new")
    try:
        with new.open("xb") as file:
            _pack(folder, os.fdopen(os.dup(file.fileno()), "wb"))
            os.fsync(file.fileno())
            size = os.fstat(file.fileno()).st_size
        _prove(new)
        os.rename(new, to)
    except OSError as error:
        raise NotExported(f"{to}: it can not be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
    return size


def _pack(folder: Path, file: IO[bytes]) -> None:
    """Closes the file."""
    manifest = read_manifest(folder)
    if not manifest.heads:
        raise Unreadable(f"{folder / MANIFEST}: nothing was sealed yet")
    last = manifest.last
    with (
        pa.CompressedOutputStream(pa.PythonFile(file, "w"), "zstd") as packed,
        tarfile.open(fileobj=cast("IO[bytes]", packed), mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in (MANIFEST, *(item.file for item in manifest.items)):
            with open_file(folder / name) as source:
                entry = tarfile.TarInfo(f"{last.incident}/{name}")
                entry.size = os.fstat(source.fileno()).st_size
                entry.mode = 0o440
                entry.mtime = last.sealed_at // 1_000_000_000
                tar.addfile(entry, source)


def _prove(path: Path) -> None:
    with unpacked(path) as folder:
        report = verify(folder)
    if report.findings:
        raise Unreadable(f"the evidence is not what was sealed: {report.findings[0]}")


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder of an exported incident, unpacked for so long. Nothing is written outside of it, whatever the file
    says. Raises Unreadable."""
    with tempfile.TemporaryDirectory(prefix="andon-") as aside:
        try:
            with (
                open_file(path) as file,
                pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd") as packed,
                _Metered(packed) as metered,
                tarfile.open(fileobj=metered, mode="r|") as tar,
            ):
                unpacking = _Unpacking(path, Path(aside), os.fstat(file.fileno()).st_size)
                for entry in tar:
                    metered.allow(unpacking.sized(entry))
                    unpacking.take(entry, tar.extractfile(entry))
        except (tarfile.TarError, EOFError, OSError, ValueError, RecursionError) as error:
            raise Unreadable(f"{path}: it is not an exported incident, or not whole: {error}") from None
        if unpacking.folder is None:
            raise Unreadable(f"{path}: it is empty")
        yield unpacking.folder


_BETWEEN = 256 << 10
"""What may stand in it beside its files. Some kinds of header are read whole into memory."""
_HEADERS = 8 * tarfile.BLOCKSIZE
"""And what an entry with the longest name takes for headers and padding."""
_RATIO, _UNQUESTIONED = 100, 1 << 30
"""Evidence is packed already: an export that promises more than so many times its bytes, and much, is a bomb."""


class _Metered(io.BufferedIOBase):
    """Hands on what is packed, and no more than was allowed."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._left = _BETWEEN

    def allow(self, size: int) -> None:
        """So many bytes more."""
        self._left += size

    def read(self, size: int | None = None) -> bytes:
        piece = self._packed.read(-1 if size is None else size)
        self._left -= len(piece)
        if self._left < 0:
            raise OSError("there is more in it than its files have")
        return piece


class _Unpacking:
    """The manifest comes first; what follows are files that it names, no larger than it says."""

    def __init__(self, path: Path, aside: Path, packed: int) -> None:
        self.folder: Path | None = None
        self._path, self._aside, self._packed = path, aside, packed
        self._due: dict[str, int] = {}

    def sized(self, entry: tarfile.TarInfo) -> int:
        """How many bytes an entry takes that may stand here. Raises Unreadable."""
        into, _, name = entry.name.partition("/")
        if not entry.isreg() or entry.issparse() or not inc.NUMBER.fullmatch(into):
            raise self._misplaced(entry)
        if self.folder is None:
            if name != MANIFEST or not 0 <= entry.size <= LONGEST:
                raise self._misplaced(entry)
        elif self.folder.name != into:
            raise Unreadable(f"{self._path}: it holds {self.folder.name} and {into}; one incident is expected")
        elif not 0 <= entry.size <= self._due.pop(name, -1):
            raise self._misplaced(entry)
        return entry.size + _HEADERS

    def take(self, entry: tarfile.TarInfo, source: IO[bytes] | None) -> None:
        """Write it. Raises OSError, and Unreadable."""
        into, _, name = entry.name.partition("/")
        folder = self._aside / into
        folder.mkdir(exist_ok=True)
        with (folder / name).open("xb") as file:
            while source is not None and (piece := source.read(_PIECE)):
                file.write(piece)
        if self.folder is None:
            self.folder = folder
            manifest, _ = parse(read_bytes(folder))
            self._due = {item.file: item.bytes for item in manifest.items}
            self._bound(sum(self._due.values()))

    def _bound(self, size: int) -> None:
        free = shutil.disk_usage(self._aside).free
        if size > max(_UNQUESTIONED, self._packed * _RATIO):
            raise Unreadable(f"{self._path}: {self._packed} bytes that unpack to {size} are no exported incident")
        if size > free:
            raise Unreadable(f"{self._path}: {size} bytes are in it, and {self._aside} has room for {free}")

    def _misplaced(self, entry: tarfile.TarInfo) -> Unreadable:
        return Unreadable(f"{self._path}: {entry.name[:300]!r} has no place in an exported incident")
