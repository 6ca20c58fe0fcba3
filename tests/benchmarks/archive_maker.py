"""An archive and the same events as lines of JSON, made once and kept: `python -m tests.benchmarks.archive_maker`.

ANDON_BENCH_EVENTS (10,000,000) in ANDON_BENCH_INCIDENTS (2,000), sealed three times each by the real code, in a folder
of the user's temporary directory; anew where the code that makes or seals them has changed. Every processor takes its
share.
"""

import asyncio
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from console import __version__
from console.desk import events as ev
from console.desk.chain import GENESIS
from console.desk.state import DeskState, fold
from console.evidence.index import refresh
from console.evidence.manifest import HeadLine, JournalHead
from console.evidence.seal import Facts, seal
from console.evidence.signing import Signer
from console.picture import Keyframe, draw
from tests.benchmarks.desk_stream import Desk, before
from tests.benchmarks.incident_parts import Slices, captured
from tests.support.broker import ROOT

MINUTE = 60_000_000_000
BLOCK = 25
"""Incidents that a process makes in one go."""
_WRITES = ("parquet", "seal", "manifest", "derived", "items", "streams", "columns", "batches", "index")
_MAKES = ("desk_stream", "incident_parts", "archive_maker", "long_table")


class Made(NamedTuple):
    """`archive` holds a folder an incident; `lines` is every record as the stream has it, one JSON object a line.
    `chained_bytes` is what the same records have in the journal's form, with `prev` and `hash`."""

    folder: Path
    incidents: int
    events: int
    plain_bytes: int
    chained_bytes: int

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def lines(self) -> Path:
        return self.folder / "desk.jsonl"

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.archive.glob("INC-*"))


class _Share(NamedTuple):
    events: int
    plain_bytes: int
    chained_bytes: int


def wanted() -> tuple[int, int]:
    """How many events, in how many incidents."""
    return int(os.environ.get("ANDON_BENCH_EVENTS", 10_000_000)), int(os.environ.get("ANDON_BENCH_INCIDENTS", 2000))


def made(events: int = 0, incidents: int = 0) -> Made:
    """The archive, from the cache if it is there."""
    events, incidents = (events, incidents) if events else wanted()
    folder = kept(f"{events}-{incidents}", lambda folder: _make(folder, events, incidents))
    return Made(folder, **json.loads((folder / "made.json").read_bytes()))


def kept(name: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` fills, from the cache unless the code that fills it has changed."""
    folder = Path(tempfile.gettempdir()) / f"andon-bench-{os.getuid()}" / name
    key = folder / "key"
    if not key.exists() or key.read_text() != _digest():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        key.write_text(_digest())
    return folder


def _digest() -> str:
    """Of the code that makes the archive."""
    paths = [ROOT / "console/evidence" / f"{name}.py" for name in _WRITES]
    paths += [ROOT / "tests/benchmarks" / f"{name}.py" for name in _MAKES] + [ROOT / "console/desk/events.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _make(folder: Path, events: int, incidents: int) -> None:
    (folder / "archive").mkdir()
    Signer.make(folder)
    pictures = _pictures()
    began, shares = time.monotonic(), []
    blocks = [(first, min(first + BLOCK, incidents)) for first in range(0, incidents, BLOCK)]
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        asked = [pool.submit(_block, folder, block, events // incidents, pictures) for block in blocks]
        with (folder / "desk.jsonl").open("wb") as lines:
            for block, future in zip(blocks, asked, strict=True):
                shares.append(future.result())
                with _shard(folder, block).open("rb") as shard:
                    shutil.copyfileobj(shard, lines, 1 << 22)
                _shard(folder, block).unlink()
                print(f"\r{block[1]} of {incidents} incidents", end="", file=sys.stderr, flush=True)
    refresh(folder / "archive")
    print(f", {time.monotonic() - began:.0f} s", file=sys.stderr)
    told, plain, chained = map(sum, zip(*shares, strict=True))
    facts = {"incidents": incidents, "events": told, "plain_bytes": plain, "chained_bytes": chained}
    (folder / "made.json").write_text(json.dumps(facts))


def _shard(folder: Path, block: tuple[int, int]) -> Path:
    return folder / f"{block[0]}.jsonl"


def _pictures() -> dict[str, bytes]:
    """The screens as they are drawn for a seal, of a desk that was just pulled."""
    state, at = before(), 0
    for told in Desk(0, state).told(200):
        if isinstance(told, str):
            break
        state, at = fold(state, told), told.ts
    svg, text = asyncio.run(draw(Keyframe(state, at)))
    return {"screen.svg": svg.encode(), "screen.txt": text.encode()}


# --- in each process ------------------------------------------------------------------------------------------------


def _block(folder: Path, block: tuple[int, int], events: int, pictures: dict[str, bytes]) -> _Share:
    signer, start = Signer.load(folder / "signing.key"), before()
    with _shard(folder, block).open("wb") as lines:
        shares = []
        for number in range(*block):
            written: list[bytes] = []
            incident = _Incident(folder / "archive", Desk(number, start), start, signer, pictures, written)
            shares.append(incident.made(events))
            lines.write(b"".join(written))
    return _Share(*map(sum, zip(*shares, strict=True)))


class _Incident:
    """Told, folded, written and sealed."""

    def __init__(
        self,
        archive: Path,
        desk: Desk,
        start: DeskState,
        signer: Signer,
        pictures: dict[str, bytes],
        written: list[bytes],
    ) -> None:
        self.archive, self.desk, self.state, self.signer = archive, desk, start, signer
        self.pictures, self.written = pictures, written
        self.slices = Slices(hashlib.sha256(desk.name.encode()).hexdigest() if desk.number else GENESIS)
        self.share = [0, 0, 0]
        self._keyframe_at = 0

    def made(self, events: int) -> _Share:
        self.slices.keyframe(self.desk.now, ev.encode(self.state))
        self._keyframe_at = self.desk.now
        for told in self.desk.told(events):
            if isinstance(told, str):
                self._seal(told)
            else:
                self._tell(told)
        return _Share(*self.share)

    def _tell(self, record: ev.Record) -> None:
        if record.ts - self._keyframe_at > MINUTE or isinstance(record.event, ev.Pulled):
            self.slices.keyframe(record.ts, ev.encode(self.state))
            self._keyframe_at = record.ts
        self.state = fold(self.state, record)
        line = ev.encode(record)
        chained = self.slices.add(record, line)
        self.written.append(line + b"\n")
        self.share = [had + more for had, more in zip(self.share, (1, len(line) + 1, len(chained)), strict=True)]

    def _seal(self, why: str) -> None:
        known, state, now = self.state.logbook.incidents[self.desk.name], self.state, self.desk.now
        facts = Facts(
            incident=known.id,
            why=why,
            by="guard",
            cls=known.cls,
            severity=known.severity,
            title=known.title,
            opened_at=known.opened_at,
            closed_at=known.closed_at,
            pulls=known.pulls,
            desk=state.name,
            mode=state.mode,
            journal={"guard": JournalHead(self.desk.seq, self.slices.head)},
            fold=hashlib.sha256(ev.encode(state)).hexdigest(),
            records=self.slices.pos,
            version=__version__,
        )
        pictures = self.pictures if why == "pull" else {}  # a guard draws its screens when the cord is pulled
        parts = [*self.slices.parts(now), *captured(state, now, pictures)]
        head = seal(self.archive / known.id, facts, parts, self.signer, clock=lambda: now)
        self._tell(self.desk.sealed(_sealed(head, why, tuple(part.item for part in parts))))


def _sealed(head: HeadLine, why: str, items: tuple[str, ...]) -> ev.ArchiveSealed:
    return ev.ArchiveSealed(
        head.incident, head.seal, why, head.hash, head.lines, head.fold, items, 200_000, head.signer, head.missing
    )


def sizes(archive: Path) -> Iterator[tuple[str, int]]:
    """Every file of every incident: its name without the seal's number, and its bytes."""
    for folder in archive.glob("INC-*"):
        with os.scandir(folder) as files:
            for file in files:
                name = file.name.partition("-")[2] if file.name[0].isdigit() else file.name
                yield name, file.stat().st_size


if __name__ == "__main__":
    print(made())
