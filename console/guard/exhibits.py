"""What was read of the desk, as evidence: the rows of each captured item, what is missing, the journal's event. Pure.

The columns are those of `console.evidence.items.CAPTURED`.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from adapters.base import Account, Ok, Read, Unknown
from console.config import Limits, StrategyConfig
from console.desk.events import EvidenceTaken, Order, Position
from console.desk.state import VenueState
from console.guard.capture import StrategyRead, Taken, VenueRead
from console.guard.committed import ConfigFile
from console.guard.frames import Captured

Row = dict[str, Any]

_PERCENT = Decimal(100)


def evidence(taken: Taken, pull: str, venues: Iterable[str], config_hash: str) -> EvidenceTaken:
    """What was known at a pull, of the venues in its scope and of all strategies."""
    seen = {name: taken.venues[name] for name in venues}
    lost = [f"{name} positions" for name, read in seen.items() if isinstance(read.positions, Unknown)]
    lost += [f"{name} open orders" for name, read in seen.items() if isinstance(read.orders, Unknown)]
    lost += [f"{name} book" for name, read in taken.strategies.items() if isinstance(read.book, Unknown)]
    lost += [f"{name} model" for name, read in taken.strategies.items() if isinstance(read.sample, Unknown)]
    return EvidenceTaken(
        pull=pull,
        positions={name: read.positions.data for name, read in seen.items() if isinstance(read.positions, Ok)},
        orders={name: read.orders.data for name, read in seen.items() if isinstance(read.orders, Ok)},
        book={name: read.book.data.positions for name, read in taken.strategies.items() if isinstance(read.book, Ok)},
        model_hashes={
            name: read.sample.data.model_hash for name, read in taken.strategies.items() if isinstance(read.sample, Ok)
        },
        config_hash=config_hash,
        missing=tuple(sorted(lost)),
    )


def missing(taken: Taken) -> tuple[str, ...]:
    """What did not answer, a sentence each."""
    reads: list[tuple[str, Read[Any]]] = [("config", taken.config)]
    for name, venue in taken.venues.items():
        reads += zip((f"{name} {what}" for what in _VENUE_WORDS), venue, strict=True)
    for name, strategy in taken.strategies.items():
        reads += zip((f"{name} {what}" for what in _STRATEGY_WORDS), strategy, strict=True)
    return tuple(f"{what}: {read.reason}" for what, read in reads if isinstance(read, Unknown))


_VENUE_WORDS = ("positions", "open orders", "account", "quotes", "clock")
_STRATEGY_WORDS = ("book", "model", "settings")
assert len(_VENUE_WORDS) == len(VenueRead._fields)  # noqa: S101
assert len(_STRATEGY_WORDS) == len(StrategyRead._fields)  # noqa: S101


def clock_offset(taken: Taken) -> int | None:
    """By how many ms the venue's clock that is furthest off is ahead of ours; None where none answered."""
    offsets = [round(read.offset_ms.data) for read in taken.venues.values() if isinstance(read.offset_ms, Ok)]
    return max(offsets, key=abs, default=None)


def items(
    taken: Taken,
    by: str,
    *,
    strategies: Iterable[StrategyConfig],
    venues: Mapping[str, VenueState],
    limits: Limits,
    committed_limits: Limits | None,
) -> dict[str, Captured]:
    """The captured items. One of which nothing at all could be read is left out."""
    configs = {each.name: each for each in strategies}
    told: dict[str, tuple[str, list[Row] | None]] = {
        "positions": ("venues and strategies", _positions(taken, configs)),
        "orders": ("venues", _orders(taken)),
        "account": ("venues", _accounts(taken, venues)),
        "settings": ("strategies", _settings(taken)),
        "config": ("files, and git at HEAD", _config(taken.config)),
        "limits": ("the limits in force", _limits(limits, committed_limits)),
        "models": ("strategies, and the pins of desk.yaml", _models(taken, configs)),
    }
    return {
        name: Captured(taken.at, by, source, tuple(rows)) for name, (source, rows) in told.items() if rows is not None
    }


def _known(reads: Mapping[str, Any], field: str) -> list[tuple[str, Any]] | None:
    """What was read, by venue or strategy, as Ok; None where nobody answered."""
    found = [(name, getattr(read, field)) for name, read in reads.items()]
    heard = [(name, read) for name, read in found if isinstance(read, Ok)]
    return None if found and not heard else heard


def _positions(taken: Taken, configs: Mapping[str, StrategyConfig]) -> list[Row] | None:
    held, believed = _known(taken.venues, "positions"), _known(taken.strategies, "book")
    if held is None and believed is None:
        return None
    at_venues = {name: {"side": "broker", "venue": name} for name in taken.venues}
    of_own = {name: {"side": "book", "venue": configs[name].venue, "strategy": name} for name in taken.strategies}
    known = [(at_venues[name], _BEFORE, row.positions_as_of, row.positions) for name, row in _venues_before(taken)]
    known += [
        (of_own[name], _BEFORE, row.book.as_of, row.book.positions)
        for name, row in taken.before.strategies.items()
        if row.book is not None and name in of_own
    ]
    known += [(at_venues[name], _READ, read.as_of, read.data) for name, read in held or ()]
    known += [(of_own[name], _READ, read.as_of, read.data.positions) for name, read in believed or ()]
    return [
        {"phase": phase, **whose, **_position(each), "as_of": as_of}
        for whose, phase, as_of, positions in known
        for each in positions
    ]


def _position(position: Position) -> Row:
    return {"symbol": position.symbol, **_numbers(position, "qty", "avg_price", "mark")}


def _orders(taken: Taken) -> list[Row] | None:
    heard = _known(taken.venues, "orders")
    if heard is None:
        return None
    known = [(name, _BEFORE, row.orders_as_of, row.orders) for name, row in _venues_before(taken)]
    known += [(name, _READ, read.as_of, read.data) for name, read in heard]
    return [_order(name, each, phase, as_of) for name, phase, as_of, orders in known for each in orders]


_BEFORE, _READ = "before", "read"


def _venues_before(taken: Taken) -> list[tuple[str, VenueState]]:
    return [(name, row) for name, row in taken.before.venues.items() if name in taken.venues]


def _order(venue: str, order: Order, phase: str, as_of: int) -> Row:
    words = ("id", "client_order_id", "symbol", "side", "type", "status", "created")
    return {
        "phase": phase,
        "venue": venue,
        **{name: getattr(order, name) for name in (*words, "time_in_force", "protective", "order_class")},
        **_numbers(order, "qty", "filled_qty", "limit_price", "stop_price"),
        "as_of": as_of,
    }


def _accounts(taken: Taken, venues: Mapping[str, VenueState]) -> list[Row] | None:
    heard = _known(taken.venues, "account")
    return heard if heard is None else [_account(name, read, venues.get(name)) for name, read in heard]


def _account(venue: str, read: Ok[Account], known: VenueState | None) -> Row:
    account = read.data
    won = account.equity - account.last_equity
    share = won / account.last_equity * _PERCENT if account.last_equity else None
    row = {
        "venue": venue,
        "equity": f"{account.equity:f}",
        "day_pnl": f"{won:f}",
        "blocked": account.blocked,
        "as_of": read.as_of,
    }
    if share is not None:
        row["day_pct"] = f"{share:.6f}"
    if known is not None and known.drawdown_pct is not None:
        row["drawdown_pct"] = f"{known.drawdown_pct:f}"
    return row


def _settings(taken: Taken) -> list[Row] | None:
    heard = _known(taken.strategies, "settings")
    if heard is None:
        return None
    return [
        {"strategy": name, "name": setting, "value": value}
        for name, read in heard
        for setting, value in read.data.items()
    ]


def _config(read: Read[tuple[ConfigFile, ...]]) -> list[Row] | None:
    return [file._asdict() for file in read.data] if isinstance(read, Ok) else None


def _limits(live: Limits, committed: Limits | None) -> list[Row]:
    at_head = {} if committed is None else committed.by_name
    return [
        {"name": name, "value": f"{value:f}", **({"committed": f"{at_head[name]:f}"} if name in at_head else {})}
        for name, value in live.by_name.items()
    ]


def _models(taken: Taken, configs: Mapping[str, StrategyConfig]) -> list[Row] | None:
    heard = _known(taken.strategies, "sample")
    if heard is None:
        return None
    return [
        {
            "strategy": name,
            "pin": configs[name].model_hash,
            "live": read.data.model_hash,
            **({"equal": read.data.model_hash == configs[name].model_hash} if configs[name].model_hash else {}),
        }
        for name, read in heard
    ]


def _numbers(of: object, *names: str) -> dict[str, str]:
    """Those that are known."""
    values = ((name, getattr(of, name)) for name in names)
    return {name: f"{value:f}" for name, value in values if value is not None}
