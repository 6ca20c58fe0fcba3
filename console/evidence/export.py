"""One incident as one file, `.tar.zst`: what its heads cover. The same evidence gives the same bytes."""

import contextlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

from console.desk import incidents as inc
from console.desk.archive import Unreadable
from console.evidence.manifest import MANIFEST, open_file, read_manifest, seal_of
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
        folder: Path | None = None
        try:
            with (
                open_file(path) as file,
                pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd") as packed,
                tarfile.open(fileobj=io.BufferedReader(cast("io.RawIOBase", packed)), mode="r|") as tar,
            ):
                for entry in tar:
                    into, _, name = entry.name.partition("/")
                    if not entry.isreg() or not inc.NUMBER.fullmatch(into) or (name != MANIFEST and not seal_of(name)):
                        raise Unreadable(f"{path}: {entry.name!r} has no place in an exported incident")
                    if folder is None:
                        folder = Path(aside) / into
                        folder.mkdir()
                    if folder.name != into:
                        raise Unreadable(f"{path}: it holds {folder.name} and {into}; one incident is expected")
                    _unpack(tar.extractfile(entry), folder / name)
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            raise Unreadable(f"{path}: it is not an exported incident, or not whole: {error}") from None
        if folder is None:
            raise Unreadable(f"{path}: it is empty")
        yield folder


def _unpack(source: IO[bytes] | None, to: Path) -> None:
    with to.open("xb") as file:
        while source is not None and (piece := source.read(_PIECE)):
            file.write(piece)
