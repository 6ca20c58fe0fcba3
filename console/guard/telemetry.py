"""What strategies tell of themselves: bodies of telemetry, and the rows in them.

A body is `{"strategy", "kind", "rows": [{"ts", "symbol", "value", "model_hash"?}, …]}`, `kind` such as `predictions`:
`ts` is UTC ns, `value` a decimal number or string of at most 26 digits before the point, and rounded to 12 after it. A
row that is not exactly that is refused with its reason, and the others are kept.
"""

from collections import Counter
from decimal import Context, Decimal

import msgspec

from console.evidence.columns import VALUE
from console.evidence.streams import TelemetryRow

LONGEST = 128
_DIGITS, _SCALE = VALUE
_WHOLE = _DIGITS - _SCALE
_STEP = Decimal(1).scaleb(-_SCALE)
_WIDE = Context(prec=_DIGITS + 1)


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reading of a strategy: a prediction, say."""

    ts: int
    symbol: str
    value: Decimal
    model_hash: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.ts < 1 << 63:
            raise ValueError("`ts` is not a time in UTC ns")
        if max(map(len, (self.symbol, self.model_hash))) > LONGEST:
            raise ValueError(f"a text of more than {LONGEST} characters")
        if not self.value.is_finite():
            raise ValueError("`value` is not a number")
        if self.value.adjusted() >= _WHOLE:
            raise ValueError(f"`value` has more than {_WHOLE} digits before the point")


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    strategy: str
    kind: str
    rows: list[msgspec.Raw]

    def __post_init__(self) -> None:
        if not (0 < len(self.strategy) <= LONGEST and 0 < len(self.kind) <= LONGEST):
            raise ValueError(f"`strategy` and `kind` are texts of 1 to {LONGEST} characters")


_decode_body = msgspec.json.Decoder(_Body)
_decode_row = msgspec.json.Decoder(_Row)


def rows_of(body: bytes | str) -> tuple[list[TelemetryRow], Counter[str]]:
    """The rows of a body that are what they have to be, and how many were refused, by reason."""
    try:
        told = _decode_body.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return [], Counter({f"body: {error}": 1})
    rows: list[TelemetryRow] = []
    refused: Counter[str] = Counter()
    for raw in told.rows:
        try:
            row = _decode_row.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            refused[str(error)] += 1
        else:
            value = row.value.quantize(_STEP, context=_WIDE)
            rows.append(TelemetryRow(row.ts, told.strategy, told.kind, row.symbol, value, row.model_hash))
    return rows, refused
