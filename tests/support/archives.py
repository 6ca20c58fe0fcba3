"""Archives of incidents that never were, sealed by the real code: records from keyframes on, the journal's own lines,
tables and a picture. The same arguments make the same events; a key that is made anew signs them differently."""

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from console import __version__
from console.desk import chain
from console.desk import entries as en
from console.desk import events as ev
from console.desk.events import AnyEvent, Record
from console.desk.pull import GateState, Level, Verdict
from console.desk.state import DeskState, fold
from console.desk.words import SECOND
from console.evidence.columns import schema
from console.evidence.items import TABLES
from console.evidence.manifest import HeadLine, JournalHead
from console.evidence.seal import BytesPart, Facts, Part, TablePart, seal
from console.evidence.signing import Signer
from console.evidence.streams import STATE
from tests.support import scenario

SYMBOLS = ("AAPL", "MSFT", "NVDA", "SPY")
CLASSES = ("broker-outage", "runaway-orders", "stale-data", "")
Row = dict[str, Any]


@dataclass
class Made:
    """What `make_archive` made: the archive's `folder`, who signed, the heads by incident, and the whole history."""

    folder: Path
    signer: Signer
    heads: dict[str, list[HeadLine]] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    journal: list[bytes] = field(default_factory=list)

    @property
    def incidents(self) -> list[str]:
        return list(self.heads)

    def write_journal(self, folder: Path) -> None:
        """The desk's journal that goes with it, as `guard.jsonl`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "guard.jsonl").write_bytes(b"".join(self.journal))


def make_archive(
    folder: Path, *, incidents: int = 1, events: int = 300, seals: int = 3, signer: Signer | None = None, seed: int = 7
) -> Made:
    """Make `incidents` of `events` each, an hour apart, in `folder`; each is sealed `seals` times, the last time when
    it is closed. Without a signer a new key is made beside the archive."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Made(folder, signer or Signer.make(folder.parent))
    desk = _Desk(made, random.Random(seed))
    for number in range(incidents):
        desk.incident(number, events, seals)
    return made


class _Desk:
    """Tells events, folds them, and keeps what has not been sealed yet."""

    def __init__(self, made: Made, chance: random.Random) -> None:
        self.made, self.chance = made, chance
        self.now = scenario.NOW
        self.state = DeskState()
        self.pos = self.seq = 0
        self.head = chain.GENESIS
        self.rows: dict[str, list[Row]] = {}
        self.before = chain.GENESIS
        self.tell(scenario.described(), ev.GuardStarted(__version__, 4711, recovered=0))

    def tell(self, *told: AnyEvent, actor: str = "guard", incident: str | None = None) -> None:
        for event in told:
            self.now += 1_000_003
            durable = not isinstance(event, ev.Sample)
            self.seq += durable
            record = Record(self.now, "guard", actor, event, self.seq if durable else 0, incident)
            if durable:
                self._journal(record)
            self.state = fold(self.state, record)
            self.made.records.append(record)
            kind = ev.kind_of(event)
            self._row(self.now, actor, record.seq, kind, incident, ev.encode(event))
            for item, row in _derived(event):
                self._add(item, {"ts": self.now, **row})

    def keyframe(self) -> None:
        self._row(self.now, "", 0, STATE, None, ev.encode(self.state))

    def _row(self, ts: int, actor: str, seq: int, kind: str, incident: str | None, data: bytes) -> None:
        self.pos += 1
        row: Row = {"pos": self.pos, "ts": ts, "writer": "guard", "seq": seq, "kind": kind, "actor": actor}
        self._add("records", {**row, "incident": incident, "data": data.decode()})

    def _journal(self, record: Record) -> None:
        kind, data = ev.kind_of(record.event), ev.data_of(record.event)
        told: Row = {"seq": record.seq, "ts": record.ts, "writer": "guard", "kind": kind, "actor": record.actor}
        line, self.head = chain.seal_raw(**told, data=data, prev=self.head, incident=record.incident)
        self.made.journal.append(line)
        self._add("journal", {**told, "incident": record.incident, "data": data.decode()})

    def _add(self, item: str, row: Row) -> None:
        self.rows.setdefault(item, []).append(row)

    # --- an incident ----------------------------------------------------------------------------------------------

    def incident(self, number: int, events: int, seals: int) -> None:
        self.rows, self.before = {}, self.head
        self.now = scenario.NOW + number * 3600 * SECOND
        name, pull = f"INC-2026-{number + 1:04d}", f"p-{number + 1:04d}"
        self.keyframe()
        opened = en.IncidentOpened(
            name, CLASSES[number % len(CLASSES)], ("P0", "P1", "P2")[number % 3], f"acks silent {number + 1}", pull
        )
        cord = ev.Pulled(pull, Level.L3.value, "desk", "acks silent", "console", "guard", ("sim1", "sim2"))
        self.tell(cord, actor="ana")
        self.tell(ev.GateChanged(GateState.HALTED, Decimal(0), "L3 desk by ana"))
        self.tell(opened, actor="ana", incident=name)
        stream = self._market(pull)
        each = max(1, (events - 8 - seals) // seals)
        for of in range(1, seals + 1):
            self.tell(*(next(stream) for _ in range(each)))
            if of == 1:
                self.keyframe()
            if of == seals:
                for venue in ("sim1", "sim2"):
                    verdict = ev.VenueVerdict(pull, venue, Verdict.VERIFIED, "quiet for 60 s", t_verified=self.now)
                    self.tell(verdict)
                self.tell(en.IncidentNoted(name, "the broker says it is over"), actor="ana", incident=name)
                self.tell(en.IncidentClosed(name, "the broker was down"), actor="ana", incident=name)
            why = "pull" if of == 1 else "closed" if of == seals else "window"
            self._seal(name, why)

    def _market(self, pull: str) -> Iterator[AnyEvent]:
        """Without an end: mostly readings, now and then a fill."""
        step = 0
        while True:
            step += 1
            venue = ("sim1", "sim2")[step % 2]
            price = Decimal(self.chance.randint(10_000, 60_000)) / 100
            symbol = SYMBOLS[step % len(SYMBOLS)]
            as_of = self.now
            held = tuple(scenario.position(each, self.chance.randint(-400, 400), str(price)) for each in SYMBOLS[:3])
            quote = ev.Quote(symbol, price, price + Decimal("0.02"), Decimal(100), Decimal(300), as_of)
            level = self.chance.randint(0, 160) / 100
            filled = ev.Filled(
                venue, f"x-{pull}-{step}", f"o-{step}", f"c-{step}", symbol, "buy", Decimal(5), price, as_of
            )
            yield ev.Heartbeat(venue, self.chance.randint(900, 800_000))
            yield ev.MonitorSampled("broker-heartbeat", "ok", f"{level:.2f}", level, as_of)
            yield ev.QuotesRead(venue, (quote,), as_of)
            yield ev.PositionsRead(venue, held, as_of)
            yield ev.OrdersRead(venue, scenario.SIM1_ORDERS if venue == "sim1" else scenario.SIM2_ORDERS, as_of)
            yield ev.AccountRead(venue, 100_000 + price, Decimal("-0.42"), Decimal("1.10"), as_of)
            yield ev.Heartbeat(venue, None, "no answer") if step % 5 == 0 else filled
            yield ev.GuardBeat(lag_ms=step % 7)

    # --- a seal ---------------------------------------------------------------------------------------------------

    def _seal(self, name: str, why: str) -> None:
        known = self.state.logbook.incidents[name]
        encoded = ev.encode(self.state)
        facts = Facts(
            incident=name,
            why=why,
            by="ana",
            cls=known.cls,
            severity=known.severity,
            title=known.title,
            opened_at=known.opened_at,
            closed_at=known.closed_at,
            pulls=known.pulls,
            desk=self.state.name,
            mode=self.state.mode,
            journal={"guard": JournalHead(self.seq, self.head)},
            fold=hashlib.sha256(encoded).hexdigest(),
            records=self.pos,
            version=__version__,
        )
        head = seal(self.made.folder / name, facts, self._parts(), self.made.signer, clock=lambda: self.now)
        self.made.heads.setdefault(name, []).append(head)
        self.rows, self.before = {}, self.head
        sealed = ev.ArchiveSealed(
            name, head.seal, why, head.hash, head.lines, head.fold, ("records", "journal"), 0, head.signer, head.missing
        )
        self.tell(sealed, incident=name)

    def _parts(self) -> Iterator[Part]:
        def table(item: str, rows: Sequence[Row], source: str, **extra: Any) -> TablePart:
            form = schema(TABLES[item])
            return TablePart(
                item=item,
                schema=form,
                batches=_batches(rows, form),
                captured_at=self.now,
                by="guard",
                source=source,
                clock_offset_ms=2,
                extra=extra,
            )

        for item in ("records", "journal", "heartbeats", "monitors", "quotes", "fills", "gate"):
            extra = {"prev": {"guard": self.before}} if item == "journal" else {}
            yield table(item, self.rows.get(item, ()), "recorder", **extra)
        yield table("telemetry", self._telemetry(), "recorder")
        yield table("exchanges", self._exchanges(), "recorder")
        yield table("logs", [{"ts": self.now, "file": "maker", "line": 17, "text": "order sent"}], "recorder")
        for item, rows in self._captured().items():
            yield table(item, rows, "guard")
        for file, data in (("screen.svg", _SVG), ("screen.txt", _TEXT)):
            yield BytesPart(
                item="screen", file=file, data=data.encode(), captured_at=self.now, by="ana", source="console"
            )

    def _telemetry(self) -> list[Row]:
        pin = scenario.MODELS["momentum"]
        row: Row = {"strategy": "momentum", "kind": "predictions", "model_hash": pin, "symbol": "AAPL"}
        return [{**row, "ts": self.now + step, "value": Decimal(step) / 8} for step in range(16)]

    def _exchanges(self) -> list[Row]:
        row: Row = {"ts": self.now, "venue": "sim1", "method": "GET", "path": "/v2/positions", "status": 200}
        return [{**row, "headers": "{}", "body": "[]", "took_ms": 4.5, "error": ""}]

    def _captured(self) -> dict[str, list[Row]]:
        positions: list[Row] = [
            {"side": side, "venue": name, "symbol": row.symbol, "qty": row.qty, "avg_price": row.avg_price}
            for name, venue in self.state.venues.items()
            for row in venue.positions
            for side in ("broker", "book")
        ]
        orders: list[Row] = [
            {"venue": name, "id": row.id, "symbol": row.symbol, "side": row.side, "qty": row.qty, "status": row.status}
            for name, venue in self.state.venues.items()
            for row in venue.orders
        ]
        accounts: list[Row] = [
            {"venue": name, "equity": row.equity, "day_pct": row.day_pct, "drawdown_pct": row.drawdown_pct}
            for name, row in self.state.venues.items()
        ]
        models: list[Row] = [
            {"strategy": name, "pin": pin, "live": pin, "equal": True} for name, pin in scenario.MODELS.items()
        ]
        return {"positions": positions, "orders": orders, "account": accounts, "models": models}


def _batches(rows: Iterable[Row], form: pa.Schema, size: int = 4096) -> Iterator[pa.RecordBatch]:
    rows = list(rows)
    for first in range(0, len(rows), size):
        yield pa.RecordBatch.from_pylist(rows[first : first + size], schema=form)


def _derived(event: AnyEvent) -> Iterator[tuple[str, Row]]:
    match event:
        case ev.Heartbeat():
            yield "heartbeats", {"venue": event.venue, "latency_us": event.latency_us, "why": event.why}
        case ev.MonitorSampled():
            row: Row = {"monitor": event.monitor, "state": event.state, "text": event.text, "level": event.level}
            yield "monitors", {**row, "as_of": event.as_of}
        case ev.QuotesRead():
            for quote in event.quotes:
                told: Row = {"venue": event.venue, "symbol": quote.symbol, "bid": quote.bid, "ask": quote.ask}
                yield "quotes", {**told, "bid_size": quote.bid_size, "ask_size": quote.ask_size, "at": quote.at}
        case ev.Filled():
            yield "fills", {name: getattr(event, name) for name in event.__struct_fields__}
        case ev.GateChanged():
            yield "gate", {"state": str(event.state), "size_factor": event.size_factor, "because": event.because}


_TEXT = " ANDON  demo  SIMULATED      GATE ■ HALTED 0 %\n"
_SVG = f'<svg xmlns="http://www.w3.org/2000/svg"><text>{_TEXT}</text></svg>\n'
