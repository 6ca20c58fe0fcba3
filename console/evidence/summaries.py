"""An incident in a few words: what its manifest says, and what a search in its evidence looks at. Imports PyArrow."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from console.desk import entries as en
from console.desk import events as ev
from console.desk import incidents as inc
from console.desk.archive import Summary, Unreadable
from console.evidence.manifest import MANIFEST, HeadLine, ItemLine, Manifest, Size, line_of, read_manifest
from console.evidence.reading import RECORDS, durable, open_table

_WORKED_ON = ("positions", "orders", "fills", "orders_history")
_SAID = ("incident_opened", "incident_noted", "incident_closed", "pulled", "pull_reason")


def incident_folders(archive: Path) -> list[Path]:
    """The folders of an archive that are, or should be, an incident's; none where there is no archive. Raises
    Unreadable."""
    try:
        with_manifest = {path.parent for path in archive.glob(f"*/{MANIFEST}")}
        named = {path for path in archive.iterdir() if inc.NUMBER.fullmatch(path.name) and path.is_dir()}
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Unreadable(f"{archive}: the archive can not be read: {error.strerror}") from None
    return sorted(with_manifest | named)


def summary_of(folder: Path, manifest: Manifest | None = None) -> Summary:
    """What the manifest of an incident says; `trouble` where it can not be read. Never raises."""
    try:
        manifest = manifest or read_manifest(folder)
    except Unreadable as error:
        return Summary(archive=str(folder.parent), id=folder.name, trouble=str(error))
    return _summary(folder, manifest.last, len(manifest.heads), manifest.items)


def glance_at(folder: Path, manifest: bytes) -> Summary | None:
    """The same of a manifest that was read and found whole before: its lines are not checked again, which takes most of
    the time. None where it is none."""
    lines = manifest.splitlines()
    try:
        weights = [_decode_weight.decode(line) for line in lines]
        last = line_of(lines[-1])
    except (IndexError, ValueError):
        return None
    if not isinstance(last, HeadLine):
        return None
    items = [each for each in weights if each.kind == "item"]
    return _summary(folder, last, len(weights) - len(items), items)


class _Weight(msgspec.Struct):
    """What of a line adds up."""

    kind: str
    rows: Size | None = None
    bytes: Size = 0


_decode_weight = msgspec.json.Decoder(_Weight)


def _summary(folder: Path, last: HeadLine, seals: int, items: Sequence[ItemLine | _Weight]) -> Summary:
    return Summary(
        archive=str(folder.parent),
        id=last.incident,
        desk=last.desk,
        mode=last.mode,
        cls=last.cls,
        severity=last.severity,
        title=last.title,
        opened_at=last.opened_at,
        closed_at=last.closed_at,
        seals=seals,
        sealed_at=last.sealed_at,
        items=len(items),
        rows=sum(each.rows or 0 for each in items),
        bytes=sum(each.bytes for each in items),
        signer=last.signer,
    )


def deep_summary_of(folder: Path, manifest: Manifest | None = None) -> Summary:
    """With `symbols` and `text`, from the evidence itself. Never raises."""
    try:
        manifest = manifest or read_manifest(folder)
    except Unreadable as error:
        return Summary(archive=str(folder.parent), id=folder.name, trouble=str(error))
    shallow = summary_of(folder, manifest)
    try:
        symbols, text = _symbols(folder, manifest), _text(folder, manifest)
    except Unreadable as error:
        return msgspec.structs.replace(shallow, trouble=str(error))
    return msgspec.structs.replace(shallow, symbols=symbols, text=text)


def _symbols(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    found: set[str] = set()
    for item in _tables(manifest, _WORKED_ON):
        table = open_table(folder, item, manifest)
        if "symbol" in table.schema.names and pa.types.is_string(table.schema.field("symbol").type):
            for group in range(len(table.groups)):
                found.update(filter(None, pc.unique(table.column(group, "symbol")).to_pylist()))
        table.close()
    return tuple(sorted(found))


def _text(folder: Path, manifest: Manifest) -> str:
    """Title, notes, reasons and outcome, each once, in the order in which they were written."""
    last = manifest.last
    said = dict.fromkeys((last.title, last.cls))
    if _tables(manifest, (RECORDS,)):
        for record in durable(folder, manifest, _SAID):
            said.update(dict.fromkeys(_words(record.event, last.incident, last.pulls)))
    return "\n".join(filter(None, said))


def _words(event: ev.AnyEvent, incident: str, pulls: tuple[str, ...]) -> Iterator[str]:
    match event:
        case en.IncidentOpened(incident=name, title=text) if name == incident:
            yield text
        case en.IncidentNoted(incident=name, text=text) if name == incident:
            yield text
        case en.IncidentClosed(incident=name, outcome=text) if name == incident:
            yield text
        case ev.Pulled(pull=pull, reason=text) | ev.PullReason(pull=pull, reason=text) if pull in pulls:
            yield text


def _tables(manifest: Manifest, items: tuple[str, ...]) -> list[str]:
    sealed = {line.item for line in manifest.items if line.rows is not None}
    return [item for item in items if item in sealed]
