"""A segment of the flight recorder: one Parquet file that is closed whole, and says of itself which rows it holds.

Rows of a stream are numbered from 1 on, over all restarts; a segment knows its first and last, when they came in, which
of them are keyframes, and what else its writer wanted remembered. Pages carry checksums, which reading checks.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from console.desk.base import Plain

_ABOUT = b"andon.segment"
NEW = ".new"


class About(Plain, frozen=True):
    """What a segment says of itself. `begun` and `closed` are when its first and last row came in, `keyframes` number
    and time of each, all UTC ns; `places` is how far the logs in it were read."""

    stream: str
    first: int
    last: int
    begun: int
    closed: int
    keyframes: tuple[tuple[int, int], ...] = ()
    places: dict[str, tuple[int, int, int]] = {}

    @property
    def rows(self) -> int:
        return self.last - self.first + 1


class Segment(Plain, frozen=True):
    about: About
    path: Path
    bytes: int


def write(path: Path, about: About, batches: Sequence[pa.RecordBatch], tell: Callable[[Segment, str], None]) -> Segment:
    """Write a segment aside, sync it, `tell` of it with its SHA-256, and rename it: none lies there whose hash nobody
    was told. Raises OSError, and nothing is left behind that a reader would take for a segment."""
    new = path.with_name(path.name + NEW)
    schema = batches[0].schema.with_metadata({_ABOUT: msgspec.json.encode(about)})
    with pq.ParquetWriter(new, schema, compression="zstd", write_page_checksum=True) as writer:
        writer.write_table(pa.Table.from_batches(batches).replace_schema_metadata(schema.metadata))
    with new.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = os.fstat(file.fileno()).st_size
    segment = Segment(about, path, size)
    tell(segment, digest)
    new.rename(path)
    sync(path.parent)
    return segment


def look(path: Path) -> Segment:
    """What a file says of itself. Raises OSError or ValueError where it is no whole segment."""
    with pq.ParquetFile(path) as file:
        told = (file.schema_arrow.metadata or {}).get(_ABOUT, b"")
        about = msgspec.json.decode(told, type=About)
        if file.metadata.num_rows != about.rows:
            raise ValueError(f"it holds {file.metadata.num_rows} rows, and says {about.rows}")
    return Segment(about, path, path.stat().st_size)


def read(segment: Segment, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Its rows in order, a few at a time, without what it says of itself. Raises OSError or ValueError."""
    with pq.ParquetFile(segment.path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(batch_size=8192, columns=columns):
            yield batch.replace_schema_metadata(None)


def sync(folder: Path) -> None:
    """Have a folder's names on disk. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
