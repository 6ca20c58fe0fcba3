"""What is sealed of a made-up incident: the slices of its records, the tables derived of them, what a capture reads."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from console.desk import chain
from console.desk import events as ev
from console.desk.events import Record
from console.desk.state import DeskState
from console.evidence.batches import batches
from console.evidence.columns import schema
from console.evidence.derived import DERIVED
from console.evidence.items import TABLES
from console.evidence.seal import BytesPart, Part, TablePart
from console.evidence.streams import STATE, RecordRow, row_of

Row = dict[str, Any]


class Slices:
    """What was recorded since the last seal."""

    def __init__(self, head: str) -> None:
        self.head = self.before = head
        self.pos = 0
        self._rows: dict[str, list[Sequence[Any]]] = {"records": [], "journal": []}
        self._told: dict[str, list[tuple[Record, Any]]] = {each.kind: [] for each in DERIVED.values()}

    def add(self, record: Record, line: bytes) -> bytes:
        """Takes a record and `encode(record)`; gives its line in the journal's form, in which samples are here too."""
        row = row_of(line, self.pos + 1)
        self.pos += 1
        self._rows["records"].append(row)
        if row.kind in self._told:
            self._told[row.kind].append((record, record.event))
        plain = ev.data_of(record.event)
        told = (row.seq, row.ts, row.writer, row.kind, row.actor, row.incident)
        raw, digest = chain.seal_raw(
            seq=row.seq,
            ts=row.ts,
            writer=row.writer,
            kind=row.kind,
            actor=row.actor,
            incident=row.incident,
            data=plain,
            prev=self.head,
        )
        if record.seq:
            self.head = digest
            self._rows["journal"].append((*told, plain.decode()))
        return raw

    def keyframe(self, ts: int, state: bytes) -> None:
        self.pos += 1
        self._rows["records"].append(RecordRow(self.pos, ts, "guard", 0, STATE, "", None, state.decode()))

    def parts(self, now: int) -> Iterator[Part]:
        job, records = f"{now}", self._rows["records"]
        yield _table("records", records, now, "recorder", first=records[0][0], last=self.pos, job=job)
        yield _table("journal", self._rows["journal"], now, "journal", prev={"guard": self.before}, job=job)
        for item, made in DERIVED.items():
            yield _table(item, list(made.rows(self._told[made.kind])), now, "records")
        self.before = self.head
        for rows in (*self._rows.values(), *self._told.values()):
            rows.clear()


def captured(state: DeskState, now: int, pictures: Mapping[str, bytes]) -> Iterator[Part]:
    """What is read for a seal: broker and book, orders, accounts, settings, limits, models, the screen."""
    rows: dict[str, list[Row]] = {item: [] for item in ("positions", "orders", "account", "settings", "limits")}
    rows |= {"models": [], "config": []}
    for name, venue in state.venues.items():
        rows["positions"] += (
            {**_fields(each), "side": "broker", "venue": name, "as_of": now} for each in venue.positions
        )
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
        wanted = TABLES[item]
        yield _table(item, [[row.get(name) for name in wanted] for row in told_rows], now, "guard")
    for file, data in pictures.items():
        yield BytesPart(item="screen", file=file, data=data, captured_at=now, by="guard", source="console")


def _fields(value: Any) -> Row:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _table(item: str, rows: Sequence[Sequence[Any]], now: int, source: str, **extra: Any) -> TablePart:
    def refuse(why: str) -> None:
        raise ValueError(why)

    return TablePart(
        item=item,
        schema=schema(TABLES[item]),
        batches=list(batches(TABLES[item], rows, refuse)),
        captured_at=now,
        by="guard",
        source=source,
        clock_offset_ms=2,
        extra=extra,
    )


SETTINGS = {"threshold": "0.0125", "lookback": "60", "max_position": "400", "horizon_bars": "5", "half_life": "32"}
LIMITS = {"day_loss_pct": "3", "drawdown_pct": "6", "orders_per_minute": "240", "bar_age": "2"}
CONFIG = "\n".join(f"limit_{number}: {number * 7}  # what a desk is allowed" for number in range(40))
