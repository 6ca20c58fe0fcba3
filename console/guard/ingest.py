"""From a frame's payload to rows: taken apart, blotted, and nothing that does not fit its columns.

Everything that is kept comes through here, or through `console.evidence.logs`, and nothing past a Redactor.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from console.desk.events import encode
from console.evidence.redact import Redactor
from console.evidence.streams import ExchangeRow, RecordRow, row_of, told_of
from console.guard import telemetry
from console.guard.frames import Exchange, Kind

Rows: TypeAlias = Sequence[tuple[Any, ...]]
Refused: TypeAlias = Counter[str]

STREAM_OF = {Kind.TELEMETRY: "telemetry", Kind.RECORDS: "records", Kind.EXCHANGES: "exchanges"}
_LATEST = 1 << 63
_NOT_UNDERSTOOD = (msgspec.MsgspecError, ValueError, RecursionError)  # bytes that are no UTF-8 are a ValueError
_decode_exchange = msgspec.json.Decoder(Exchange)


def taken(kind: Kind, payload: bytes, redactor: Redactor, first: int) -> tuple[Rows, Refused]:
    """The rows of a frame, of which the first gets the number `first`, and how many were refused, by reason."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = payload.decode("utf-8", "replace")
    if kind is Kind.TELEMETRY:
        return telemetry.rows_of(redactor.text(text))
    lines = text.split("\n")
    if kind is Kind.RECORDS:
        return _records(lines, redactor if redactor.suspects(text) else None, first)
    return _exchanges(lines, redactor)


def _records(lines: Sequence[str], redactor: Redactor | None, first: int) -> tuple[Rows, Refused]:
    rows: list[RecordRow] = []
    refused: Refused = Counter()
    for line in lines:
        clean = line if redactor is None else redactor.text(line)
        try:
            row = row_of(clean, first + len(rows))
            _fits(row.ts, row.seq)
            _encodable(row.writer, row.actor, row.incident or "")
            if clean is not line and clean != line:
                told_of(row)
        except _NOT_UNDERSTOOD as error:
            refused[f"record: {error}"] += 1
        else:
            rows.append(row)
    return rows, refused


def _exchanges(lines: Sequence[str], redactor: Redactor) -> tuple[Rows, Refused]:
    rows: list[ExchangeRow] = []
    refused: Refused = Counter()
    for line in lines:
        try:
            told = _decode_exchange.decode(line)
            row = ExchangeRow(
                ts=told.ts,
                venue=told.venue,
                method=told.method,
                path=redactor.text(redactor.url(told.path)),
                status=told.status,
                headers=encode(redactor.headers(told.headers)).decode(),
                body=redactor.text(told.body),
                body_sha256=told.body_sha256,
                took_ms=told.took_ms,
                error=redactor.text(told.error),
            )
            _fits(row.ts, row.status)
            _encodable(row.venue, row.method, row.path, row.body, row.body_sha256, row.error)
        except _NOT_UNDERSTOOD as error:
            refused[f"exchange: {error}"] += 1
        else:
            rows.append(row)
    return rows, refused


def _fits(*numbers: int) -> None:
    if not all(-_LATEST <= number < _LATEST for number in numbers):
        raise ValueError("a number of more than 64 bits")


def _encodable(*texts: str) -> None:
    """Raises UnicodeEncodeError, a ValueError, for half a character."""
    for text in texts:
        if not text.isascii():
            text.encode()
