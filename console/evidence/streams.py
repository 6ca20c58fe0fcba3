"""The streams of the flight recorder: what each holds, a row as it is kept, and the way back from a row.

A record's row holds the event's own JSON in `data` (kind included); a keyframe's has the kind `state` and holds the
encoded DeskState. `pos` numbers the rows of `records` from 1 on, over all restarts.
"""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from console.desk.events import AnyEvent, Record
from console.desk.state import DeskState
from console.evidence.columns import Columns

STATE = "state"
"""The kind of a keyframe's row."""

RECORDS: Columns = {
    "pos": "whole",
    "ts": "time",
    "writer": "text",
    "seq": "whole",
    "kind": "text",
    "actor": "text",
    "incident": "text",
    "data": "text",
}
TELEMETRY: Columns = {
    "ts": "time",
    "strategy": "text",
    "kind": "text",
    "symbol": "text",
    "value": "value",
    "model_hash": "text",
}
EXCHANGES: Columns = {
    "ts": "time",
    "venue": "text",
    "method": "text",
    "path": "text",
    "status": "whole",
    "headers": "text",
    "body": "text",
    "body_sha256": "text",
    "took_ms": "real",
    "error": "text",
}
LOGS: Columns = {"ts": "time", "file": "text", "line": "whole", "text": "text"}

STREAMS: dict[str, Columns] = {"records": RECORDS, "telemetry": TELEMETRY, "exchanges": EXCHANGES, "logs": LOGS}


class RecordRow(NamedTuple):
    """The fields are in the order of the columns; `ts` is UTC ns, `seq` 0 for samples and keyframes."""

    pos: int
    ts: int
    writer: str
    seq: int
    kind: str
    actor: str
    incident: str | None
    data: str


class TelemetryRow(NamedTuple):
    ts: int
    strategy: str
    kind: str
    symbol: str
    value: Decimal
    model_hash: str


class ExchangeRow(NamedTuple):
    """`headers` is a JSON object; a `body` that is empty beside a hash is that of the last row with this hash."""

    ts: int
    venue: str
    method: str
    path: str
    status: int
    headers: str
    body: str
    body_sha256: str
    took_ms: float
    error: str


class LogRow(NamedTuple):
    """`ts` is when the line was read; `line` counts from where the recorder began to read the file."""

    ts: int
    file: str
    line: int
    text: str


class _Line(msgspec.Struct):
    """What a line on the pipe is: a record, or a keyframe."""

    ts: int
    writer: str = "guard"
    actor: str = ""
    event: msgspec.Raw = msgspec.Raw()
    seq: int = 0
    incident: str | None = None
    state: msgspec.Raw = msgspec.Raw()


class _Kind(msgspec.Struct):
    kind: str


_decode_line = msgspec.json.Decoder(_Line)
_decode_kind = msgspec.json.Decoder(_Kind)
_decode_event = msgspec.json.Decoder(AnyEvent)
_decode_state = msgspec.json.Decoder(DeskState)


def row_of(line: bytes | str, pos: int) -> RecordRow:
    """The row of a line on the pipe. Raises msgspec.MsgspecError; the event itself is not looked into."""
    told = _decode_line.decode(line)
    if told.state:
        return RecordRow(pos, told.ts, told.writer, 0, STATE, told.actor, None, bytes(told.state).decode())
    data = bytes(told.event)
    kind = _decode_kind.decode(data).kind
    return RecordRow(pos, told.ts, told.writer, told.seq, kind, told.actor, told.incident, data.decode())


def told_of(row: RecordRow) -> "Record | DeskState":
    """The record, or the keyframe's state, that a row holds. Raises msgspec.MsgspecError."""
    return _decode_state.decode(row.data) if row.kind == STATE else record_of(row)


def record_of(row: RecordRow) -> Record:
    """The record that a row holds. Raises msgspec.MsgspecError."""
    return Record(row.ts, row.writer, row.actor, _decode_event.decode(row.data), row.seq, row.incident)
