"""The tables of a seal, by name. Every `number` is exact, every `time` UTC ns; null is what is not known.

*Slices* are what the flight recorder held since the seal before, *derived* tables are made of the sealed records, for
reading and plotting; *captured* tables were read for this seal.
"""

from console.evidence.columns import Columns
from console.evidence.streams import STREAMS

JOURNAL: Columns = {
    "seq": "whole",
    "ts": "time",
    "writer": "text",
    "kind": "text",
    "actor": "text",
    "incident": "text",
    "data": "text",
}
SLICES: dict[str, Columns] = {**STREAMS, "journal": JOURNAL}

_ORDER: Columns = {
    "venue": "text",
    "id": "text",
    "client_order_id": "text",
    "symbol": "text",
    "side": "text",
    "qty": "number",
    "filled_qty": "number",
    "type": "text",
    "status": "text",
    "created": "time",
    "limit_price": "number",
    "stop_price": "number",
    "time_in_force": "text",
    "protective": "truth",
    "order_class": "text",
}

DERIVED: dict[str, Columns] = {
    "heartbeats": {"ts": "time", "venue": "text", "latency_us": "whole", "why": "text"},
    "monitors": {
        "ts": "time",
        "monitor": "text",
        "state": "text",
        "text": "text",
        "level": "real",
        "as_of": "time",
    },
    "quotes": {
        "ts": "time",
        "venue": "text",
        "symbol": "text",
        "bid": "number",
        "ask": "number",
        "bid_size": "number",
        "ask_size": "number",
        "at": "time",
    },
    "bars": {
        "ts": "time",
        "venue": "text",
        "symbol": "text",
        "start": "time",
        "interval": "whole",
        "open": "number",
        "high": "number",
        "low": "number",
        "close": "number",
        "volume": "number",
    },
    "gate": {
        "ts": "time",
        "writer": "text",
        "state": "text",
        "size_factor": "number",
        "rate_factor": "number",
        "because": "text",
        "scopes": "text",
        "nameless": "text",
    },
    "fills": {
        "ts": "time",
        "venue": "text",
        "execution_id": "text",
        "order_id": "text",
        "client_order_id": "text",
        "symbol": "text",
        "side": "text",
        "qty": "number",
        "price": "number",
        "at": "time",
    },
    "orders_history": {"ts": "time", "change": "text", **_ORDER},
}
"""`orders_history` has a row for each order that a read found new, changed or gone (`change`)."""

CAPTURED: dict[str, Columns] = {
    "positions": {
        "phase": "text",
        "side": "text",
        "venue": "text",
        "strategy": "text",
        "symbol": "text",
        "qty": "number",
        "avg_price": "number",
        "mark": "number",
        "as_of": "time",
    },
    "orders": {"phase": "text", **_ORDER, "as_of": "time"},
    "account": {
        "venue": "text",
        "equity": "number",
        "day_pnl": "number",
        "day_pct": "number",
        "drawdown_pct": "number",
        "blocked": "truth",
        "as_of": "time",
    },
    "settings": {"strategy": "text", "name": "text", "value": "text", "committed": "text"},
    "config": {
        "file": "text",
        "live": "text",
        "committed": "text",
        "live_sha256": "text",
        "committed_sha256": "text",
        "differs": "truth",
        "why": "text",
    },
    "limits": {"name": "text", "value": "number", "committed": "number"},
    "models": {"strategy": "text", "pin": "text", "live": "text", "equal": "truth"},
}
"""`phase` is before for what the guard knew when it began to read (at a pull: what the cancels found), read for what it
was told then. `side` of a position is broker (with `venue`) or book (with `strategy` and its venue). `committed` is
what the desk's git repository holds at HEAD, null where it is not known; `why` says why not."""

TABLES: dict[str, Columns] = {**SLICES, **DERIVED, **CAPTURED}
