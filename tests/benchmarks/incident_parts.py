"""What is sealed of a made-up incident: the slices of its records, the tables derived of them, what a capture reads."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from console.desk import chain
from console.desk import events as ev
from console.desk.events import Record
from console.desk.state import DeskState
from console.evidence.columns import Columns, schema
from console.evidence.items import TABLES
from console.evidence.seal import BytesPart, Part, TablePart
from console.evidence.streams import STATE

Row = dict[str, Any]


class Table:
    """The rows of an item, a list a column."""

    def __init__(self, item: str) -> None:
        self.item = item
        self.columns: Columns = TABLES[item]
        self._values: dict[str, list[Any]] = {name: [] for name in self.columns}

    def add(self, row: Mapping[str, Any]) -> None:
        for name, values in self._values.items():
            values.append(row.get(name))

    def take(self) -> Iterator[pa.RecordBatch]:
        """The rows since the last time."""
        form = schema(self.columns)
        arrays = [pa.array(values, field.type) for values, field in zip(self._values.values(), form, strict=True)]
        self._values = {name: [] for name in self.columns}
        yield pa.RecordBatch.from_arrays(arrays, schema=form)


class Slices:
    """What was recorded since the last seal."""

    def __init__(self, head: str) -> None:
        self.head = self.before = head
        self.pos = 0
        self.tables: dict[str, Table] = {}
        self._orders: dict[str, dict[str, ev.Order]] = {}

    def add(self, record: Record, line: bytes) -> bytes:
        """Takes a record and `encode(record)`; gives its line in the journal's form, which samples have here as well."""
        kind = ev.kind_of(record.event)
        opening = line.index(b'"event":') + len(b'"event":')
        data = line[opening : line.index(b'},"seq":') + 1] if record.seq else line[opening:-1]
        self._record(record.ts, record.seq, kind, record.actor, record.incident, data)
        for item, row in derived(record, self._orders):
            self._add(item, row)
        told: Row = {"seq": record.seq, "ts": record.ts, "writer": "guard", "kind": kind, "actor": record.actor}
        plain = ev.data_of(record.event)
        raw, digest = chain.seal_raw(**told, data=plain, prev=self.head, incident=record.incident)
        if record.seq:
            self.head = digest
            self._add("journal", {**told, "incident": record.incident, "data": plain.decode()})
        return raw

    def keyframe(self, ts: int, state: bytes) -> None:
        self._record(ts, 0, STATE, "", None, state)

    def parts(self, now: int) -> Iterator[Part]:
        """Every table that has rows."""
        for item, table in self.tables.items():
            extra = {"prev": {"guard": self.before}} if item == "journal" else {}
            yield _table(table, now, "recorder", extra)
        self.before, self.tables = self.head, {}

    def _record(self, ts: int, seq: int, kind: str, actor: str, incident: str | None, data: bytes) -> None:
        self.pos += 1
        row: Row = {"pos": self.pos, "ts": ts, "writer": "guard", "seq": seq, "kind": kind, "actor": actor}
        self._add("records", {**row, "incident": incident, "data": data.decode()})

    def _add(self, item: str, row: Row) -> None:
        if item not in self.tables:
            self.tables[item] = Table(item)
        self.tables[item].add(row)


def derived(record: Record, orders: dict[str, dict[str, ev.Order]]) -> Iterator[tuple[str, Row]]:
    """The rows for reading and plotting that a record makes."""
    event, ts = record.event, record.ts
    match event:
        case ev.Heartbeat():
            yield "heartbeats", {**_fields(event), "ts": ts}
        case ev.MonitorSampled():
            yield "monitors", {**_fields(event), "ts": ts}
        case ev.QuotesRead():
            for quote in event.quotes:
                yield "quotes", {**_fields(quote), "ts": ts, "venue": event.venue}
        case ev.BarsRead():
            for bar in event.latest:
                yield "bars", {**_fields(bar), "ts": ts, "venue": event.venue}
        case ev.Filled():
            yield "fills", {**_fields(event), "ts": ts}
        case ev.GateChanged():
            yield "gate", {**_fields(event), "ts": ts, "writer": record.writer, "scopes": "{}"}
        case ev.OrdersRead():
            was, now = orders.get(event.venue, {}), {order.id: order for order in event.orders}
            for name, order in now.items():
                if was.get(name) != order:
                    change = "changed" if name in was else "new"
                    yield "orders_history", {**_fields(order), "ts": ts, "venue": event.venue, "change": change}
            for name, order in was.items():
                if name not in now:
                    yield "orders_history", {**_fields(order), "ts": ts, "venue": event.venue, "change": "gone"}
            orders[event.venue] = now


def captured(state: DeskState, now: int, pictures: Mapping[str, bytes]) -> Iterator[Part]:
    """What is read for a seal: broker and book, orders, accounts, settings, limits, models, the screen."""
    rows: dict[str, list[Row]] = {item: [] for item in ("positions", "orders", "account", "settings", "limits")}
    rows |= {"models": [], "config": []}
    for name, venue in state.venues.items():
        rows["positions"] += ({**_fields(each), "side": "broker", "venue": name, "as_of": now} for each in venue.positions)
        rows["orders"] += ({**_fields(each), "venue": name, "as_of": now} for each in venue.orders)
        account = {"equity": venue.equity, "day_pct": venue.day_pct, "drawdown_pct": venue.drawdown_pct}
        rows["account"].append({**account, "venue": name, "blocked": False, "as_of": now})
    for name, strategy in state.strategies.items():
        book = strategy.book.positions if strategy.book else ()
        told = {"side": "book", "venue": strategy.info.venue, "strategy": name, "as_of": now}
        rows["positions"] += ({**_fields(each), **told} for each in book)
        rows["settings"] += ({"strategy": name, "name": key, "value": value} for key, value in SETTINGS.items())
        pin = strategy.info.model_pin
        rows["models"].append({"strategy": name, "pin": pin, "live": pin, "equal": True})
    rows["limits"] += ({"name": name, "value": value, "committed": value} for name, value in LIMITS.items())
    digest = hashlib.sha256(CONFIG.encode()).hexdigest()
    both = {"live": CONFIG, "committed": CONFIG, "live_sha256": digest, "committed_sha256": digest}
    rows["config"].append({**both, "file": "desk.yaml", "differs": False})
    for item, told_rows in rows.items():
        table = Table(item)
        for row in told_rows:
            table.add(row)
        if told_rows:
            yield _table(table, now, "guard", {})
    for file, data in pictures.items():
        yield BytesPart(item="screen", file=file, data=data, captured_at=now, by="guard", source="console")


def _fields(value: Any) -> Row:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _table(table: Table, now: int, source: str, extra: Row) -> TablePart:
    batches: Iterable[pa.RecordBatch] = table.take()
    return TablePart(
        item=table.item,
        schema=schema(table.columns),
        batches=batches,
        captured_at=now,
        by="guard",
        source=source,
        clock_offset_ms=2,
        extra=extra,
    )


SETTINGS = {"threshold": "0.0125", "lookback": "60", "max_position": "400", "horizon_bars": "5", "half_life": "32"}
LIMITS = {"day_loss_pct": 3, "drawdown_pct": 6, "orders_per_minute": 240, "bar_age": 2, "heartbeat_ms": 500}
CONFIG = "\n".join(f"limit_{number}: {number * 7}  # what a desk is allowed" for number in range(40))
