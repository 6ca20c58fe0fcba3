"""An archive to look at: the small histories of `scenario`, sealed by the real code under a key that never changes, so
that screens of it can be compared with drawings."""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from console.archives import FolderArchives
from console.desk import entries as en
from console.desk import events as ev
from console.desk.state import DeskState, fold_all
from console.desk.words import SECOND
from console.evidence.columns import schema
from console.evidence.items import TABLES
from console.evidence.seal import BytesPart, Facts, Part, TablePart, seal
from console.evidence.signing import Signer, Trusted
from console.evidence.streams import STATE
from console.picture import Keyframe, draw
from tests.support import scenario
from tests.support.scenario import NOW, PULL, Story

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
Row = dict[str, Any]


def incident(story: Story, number: int, cls: str, severity: str, title: str, note: str) -> str:
    """Opens in the story, a second after its pull."""
    name = f"INC-2026-{number:04d}"
    for second in range(-599, 0):
        slow = max(0, second + 40) * 24_000
        story.at(second, ev.Heartbeat("sim1", 4200 + second % 7 * 310), ev.Heartbeat("sim2", 3900 + slow))
    story.at(-11, en.IncidentOpened(name, cls, severity, title, PULL), actor="ana")  # type: ignore[arg-type]
    story.at(-6, en.IncidentNoted(name, note), actor="ana")
    return name


def shelf_folder(folder: Path) -> Path:
    """Three incidents, the last one open; of an earlier one something is missing."""
    archive = folder / "evidence"
    for ago, number, story, of in (
        (
            46,
            5,
            scenario.verified(),
            ("config-drift", "P2", "limits softened", "set back", ("logs: unreadable",)),
        ),
        (19, 6, scenario.unknown(), ("broker-outage", "P0", "sim2 does not answer", "called the night desk", ())),
        (0, 7, scenario.partial(), ("broker-outage", "P0", "acks silent", "the broker sees our order, too", ())),
    ):
        *told, missing = of
        _seal(archive, story, incident(story, number, *told), missing, days=ago)
    return archive


def archives(folder: Path) -> FolderArchives:
    """What a console is handed that trusts the signer."""
    return FolderArchives([folder], lambda: Trusted(frozenset({SIGNER.fingerprint})))


def _seal(archive: Path, story: Story, name: str, missing: Sequence[str], days: int) -> None:
    state = fold_all(story.records)
    known = state.logbook.incidents[name]
    aside = days * 86_400 * SECOND
    sealed_at = NOW - aside + (1_620 * SECOND if days else 0)
    facts = Facts(
        incident=name,
        why="closed" if days else "pull",
        by="ana",
        cls=known.cls,
        severity=known.severity,
        title=known.title,
        opened_at=known.opened_at - aside,
        closed_at=sealed_at if days else 0,
        pulls=known.pulls,
        desk=state.name,
        mode=state.mode,
        journal={},
        fold=hashlib.sha256(ev.encode(state)).hexdigest(),
        records=len(story.records) + 1,
        version="0.1.0",
        missing=list(missing),
    )
    seal(archive / name, facts, _parts(story, state, pictured=not days), SIGNER, clock=lambda: sealed_at)


def _parts(story: Story, state: DeskState, *, pictured: bool) -> Iterator[Part]:
    keyframe: Row = {"ts": story.records[0].ts, "writer": "guard", "seq": 0, "kind": STATE, "actor": ""}
    rows = [
        {**keyframe, "pos": 1, "data": ev.encode(DeskState()).decode()},
        *(
            {
                "pos": pos,
                "ts": record.ts,
                "writer": record.writer,
                "seq": record.seq,
                "kind": ev.kind_of(record.event),
                "actor": record.actor,
                "incident": record.incident,
                "data": ev.encode(record.event).decode(),
            }
            for pos, record in enumerate(story.records, 2)
        ),
    ]
    heard = [(record.ts, record.event) for record in story.records if isinstance(record.event, ev.Heartbeat)]
    beats = [{"ts": ts, "venue": beat.venue, "latency_us": beat.latency_us, "why": beat.why} for ts, beat in heard]
    held = [
        {"side": "broker", "venue": name, "symbol": row.symbol, "qty": row.qty, "avg_price": row.avg_price}
        for name, venue in state.venues.items()
        for row in venue.positions
    ]
    yield _table("records", rows, "recorder")
    yield _table("heartbeats", sorted(beats, key=lambda beat: beat["ts"]), "recorder")
    yield _table("positions", held, "guard")
    if pictured:
        svg, text = asyncio.run(draw(Keyframe(state, NOW)))
        for file, data in (("screen.svg", svg), ("screen.txt", text)):
            yield BytesPart(item="screen", file=file, data=data.encode(), captured_at=NOW, by="guard", source="guard")


def _table(item: str, rows: Sequence[Row], source: str) -> TablePart:
    form = schema(TABLES[item])
    batch = pa.RecordBatch.from_pylist(list(rows), schema=form)
    return TablePart(item=item, schema=form, batches=[batch], captured_at=NOW, by="guard", source=source)
