"""The index of an archive: a row an incident, so that a list of thousands comes at once. It can always be made anew.

`index.parquet` lies in the archive and goes along when that is copied: a row counts as long as the incident's manifest
is, byte by byte, what it was then. `desk.duckdb` is for whoever wants to ask with tools of their own. Neither is
evidence. Imports PyArrow.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from console.desk.archive import Summary, Unreadable
from console.evidence.manifest import Manifest, read_bytes, read_manifest
from console.evidence.summaries import deep_summary_of, incident_folders

INDEX = "index.parquet"
_TIME = pa.timestamp("ns", "UTC")


class Known(NamedTuple):
    """A row of the index: what the manifest was known by when it was made, and the summary."""

    digest: str
    summary: Summary


def digest_of(folder: Path) -> str:
    """What an incident's manifest is known by: the SHA-256 of its bytes. Raises Unreadable."""
    return hashlib.sha256(read_bytes(folder)).hexdigest()


def read_index(archive: Path) -> dict[str, Known]:
    """By folder name what the index knows; nothing where there is none that can be read."""
    try:
        table = pq.ParquetFile(archive / INDEX, page_checksum_verification=True).read()
        if table.schema != _FORM:
            return {}  # of another version: it is made anew
        rows = table.cast(_NUMBERS).to_pylist()
    except (OSError, ValueError, pa.ArrowException):
        return {}
    return {row.pop("folder"): Known(row.pop("manifest"), _summary(archive, row)) for row in rows}


def known_summary(folder: Path, index: Mapping[str, Known]) -> Summary | None:
    """What a fresh row of the index says. Raises Unreadable where the folder has no manifest."""
    known = index.get(folder.name)
    return known.summary if known is not None and known.digest == digest_of(folder) else None


def refresh(archive: Path) -> int:
    """Bring `index.parquet` up to date: only what was sealed since is read. Returns how many incidents it has. Raises
    Unreadable, and OSError where the disk refuses."""
    return _write(archive, read_index(archive))


def reindex(archive: Path, database: Path | None = None) -> int:
    """Make `index.parquet`, and a DuckDB file where one is named, anew from the folders alone. Raises as `refresh`."""
    count = _write(archive, {})
    if database is not None:
        _write_database(archive, database)
    return count


def _write(archive: Path, index: Mapping[str, Known]) -> int:
    """An incident that can not be read stays out, and is looked at anew each time."""
    rows = []
    for folder in incident_folders(archive):
        try:
            digest = digest_of(folder)
        except Unreadable:
            continue
        known = index.get(folder.name)
        summary = known.summary if known is not None and known.digest == digest else deep_summary_of(folder)
        if not summary.trouble:
            rows.append({"folder": folder.name, "manifest": digest, **row_of(summary)})
    if archive.is_dir():
        table = pa.Table.from_pylist(rows, schema=_FORM)
        with _aside(archive / INDEX) as new:
            pq.write_table(table, new, compression="zstd", write_page_checksum=True)
    return len(rows)


def _write_database(archive: Path, database: Path) -> None:
    import duckdb

    summaries = [row_of(known.summary) for known in read_index(archive).values()]
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
_NUMBERS = pa.schema([field.with_type(pa.int64()) if field.type == _TIME else field for field in _FORM])


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


def _summary(archive: Path, row: dict[str, Any]) -> Summary:
    named = {"archive": str(archive), "id": row.pop("incident"), "cls": row.pop("class")}
    symbols, closed = tuple(row.pop("symbols")), row.pop("closed_at")
    return Summary(**named, **row, symbols=symbols, closed_at=closed or 0)
