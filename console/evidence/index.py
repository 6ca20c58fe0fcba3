"""The index of an archive: a row an incident, so that a list of thousands comes at once. It can always be made anew.

`index.parquet` lies in the archive and goes along when that is copied: a row counts as long as the incident's manifest
is, byte by byte, what it was then. `desk.duckdb` is for whoever wants to ask with tools of their own. Neither is
evidence. Imports PyArrow.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from console.desk.archive import Summary, Unreadable
from console.evidence.manifest import Manifest, open_file, read_bytes, read_manifest
from console.evidence.reading import MOST_ROWS, parquet_of
from console.evidence.summaries import deep_summary_of, glance_at, incident_folders

INDEX = "index.parquet"
_TIME = pa.timestamp("ns", "UTC")


class Known(NamedTuple):
    """A row of the index: what the manifest was known by when it was made, and what a search looks at, which takes long
    to read from the evidence. The rest is told by the manifest."""

    digest: str
    symbols: tuple[str, ...]
    text: str


def digest_of(folder: Path) -> str:
    """What an incident's manifest is known by: the SHA-256 of its bytes. Raises Unreadable."""
    return _digest(read_bytes(folder))


def _digest(manifest: bytes) -> str:
    return hashlib.sha256(manifest).hexdigest()


def read_index(archive: Path) -> dict[str, Known]:
    """By folder name what the index knows; nothing where there is none that can be read."""
    try:
        with open_file(archive / INDEX) as opened:
            file = parquet_of(opened)
        if file.schema_arrow != _FORM or file.metadata.num_rows > MOST_ROWS:
            return {}  # of another version: it is made anew
        rows = file.read(columns=_KNOWN).to_pylist()
        return {
            row["folder"]: Known(row["manifest"], tuple(map(str, row["symbols"])), str(row["text"])) for row in rows
        }
    except (OSError, ValueError, TypeError, Unreadable, pa.ArrowException):
        return {}


def known_summary(folder: Path, index: Mapping[str, Known]) -> Summary | None:
    """What the manifest and a row of the index say, if that was made of this very manifest. Raises Unreadable where the
    folder has none."""
    known = index.get(folder.name)
    manifest = read_bytes(folder)
    if known is None or known.digest != _digest(manifest):
        return None
    told = glance_at(folder, manifest)
    return told and msgspec.structs.replace(told, symbols=known.symbols, text=known.text)


def misled(archive: Path) -> list[str]:
    """The incidents whose rows of the index are up to date, and do not say what the evidence says."""
    index = read_index(archive)
    found = []
    for folder in incident_folders(archive):
        with contextlib.suppress(Unreadable):
            told = known_summary(folder, index)
            if told is not None and told != deep_summary_of(folder):
                found.append(folder.name)
    return found


def refresh(archive: Path) -> int:
    """Bring `index.parquet` up to date: only what was sealed since is read. Returns how many incidents it has. Raises
    Unreadable, and OSError where the disk refuses."""
    return len(_write(archive, read_index(archive)))


def reindex(archive: Path, database: Path | None = None) -> int:
    """Make `index.parquet`, and a DuckDB file where one is named, anew from the folders alone. Raises as `refresh`."""
    rows = _write(archive, {})
    if database is not None:
        _write_database(archive, database, rows)
    return len(rows)


def _write(archive: Path, index: Mapping[str, Known]) -> list[dict[str, object]]:
    """Returns its rows. An incident that can not be read stays out, and is looked at anew each time."""
    rows = []
    for folder in incident_folders(archive):
        try:
            digest = digest_of(folder)
            summary = known_summary(folder, index) or deep_summary_of(folder)
        except Unreadable:
            continue
        if not summary.trouble:
            rows.append({"folder": folder.name, "manifest": digest, **row_of(summary)})
    if archive.is_dir():
        table = pa.Table.from_pylist(rows, schema=_FORM)
        with _aside(archive / INDEX) as new:
            pq.write_table(table, new, compression="zstd", write_page_checksum=True)
    return rows


def _write_database(archive: Path, database: Path, summaries: Sequence[dict[str, object]]) -> None:
    import duckdb

    items: list[dict[str, object]] = []
    for folder in incident_folders(archive):
        with contextlib.suppress(Unreadable):
            items += item_rows(read_manifest(folder))
    with _aside(database) as new:
        try:
            with duckdb.connect(str(new)) as made:
                for name, rows, form in (("incidents", summaries, INCIDENTS), ("items", items, ITEMS)):
                    made.register("rows_of_it", pa.Table.from_pylist(rows, schema=form))
                    made.execute(f"CREATE TABLE {name} AS FROM rows_of_it")
                    made.unregister("rows_of_it")
        except duckdb.Error as error:
            raise OSError(f"{database}: it can not be written: {error}") from None


@contextlib.contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """A name for a file that takes the place of `path` once it is whole and on disk. Raises OSError."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    try:
        yield new
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.rename(path)
    finally:
        new.unlink(missing_ok=True)


# --- rows -----------------------------------------------------------------------------------------------------------

INCIDENTS = pa.schema(
    [
        ("incident", pa.string()),
        ("desk", pa.string()),
        ("mode", pa.string()),
        ("class", pa.string()),
        ("severity", pa.string()),
        ("title", pa.string()),
        ("opened_at", _TIME),
        ("closed_at", _TIME),
        ("seals", pa.int64()),
        ("sealed_at", _TIME),
        ("items", pa.int64()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
        ("signer", pa.string()),
        ("symbols", pa.list_(pa.string())),
        ("text", pa.string()),
    ]
)
"""An incident as a table has it; `closed_at` is null while it was open."""
ITEMS = pa.schema(
    [
        ("incident", pa.string()),
        ("seal", pa.int64()),
        ("item", pa.string()),
        ("file", pa.string()),
        ("rows", pa.int64()),
        ("bytes", pa.int64()),
        ("captured_at", _TIME),
        ("captured_by", pa.string()),
        ("source", pa.string()),
        ("clock_offset_ms", pa.int64()),
        ("sha256", pa.string()),
    ]
)
_FORM = pa.schema([("folder", pa.string()), ("manifest", pa.string()), *INCIDENTS])
_KNOWN = ["folder", "manifest", "symbols", "text"]


def row_of(summary: Summary) -> dict[str, object]:
    """A row of INCIDENTS."""
    row = msgspec.structs.asdict(summary)
    for name in ("archive", "trouble"):
        del row[name]
    return {**row, "incident": row.pop("id"), "class": row.pop("cls"), "closed_at": summary.closed_at or None}


def item_rows(manifest: Manifest) -> list[dict[str, object]]:
    """Rows of ITEMS."""
    names = [name for name in ITEMS.names if name not in ("incident", "captured_by")]
    return [
        {"incident": manifest.last.incident, "captured_by": line.by, **{name: getattr(line, name) for name in names}}
        for line in manifest.items
    ]
