"""Tables that are made of the sealed records, for reading and for plotting: see `items.DERIVED`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from console.desk import events as ev
from console.desk.events import Record

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Derived:
    """Made of records of one `kind`, in their order."""

    kind: str
    rows: Callable[[Iterable[tuple[Record, Any]]], Iterator[Row]]


def _heartbeats(told: Iterable[tuple[Record, ev.Heartbeat]]) -> Iterator[Row]:
    for record, beat in told:
        yield record.ts, beat.venue, beat.latency_us, beat.why or None


def _monitors(told: Iterable[tuple[Record, ev.MonitorSampled]]) -> Iterator[Row]:
    for record, read in told:
        yield record.ts, read.monitor, read.state, read.text, read.level, read.as_of


def _quotes(told: Iterable[tuple[Record, ev.QuotesRead]]) -> Iterator[Row]:
    for record, read in told:
        for quote in read.quotes:
            yield record.ts, read.venue, quote.symbol, quote.bid, quote.ask, quote.bid_size, quote.ask_size, quote.at


def _bars(told: Iterable[tuple[Record, ev.BarsRead]]) -> Iterator[Row]:
    """A bar once, and again where it has changed."""
    known: dict[tuple[str, str], ev.Bar] = {}
    for record, read in told:
        for bar in read.latest:
            if known.get((read.venue, bar.symbol)) != bar:
                known[read.venue, bar.symbol] = bar
                yield (
                    *(record.ts, read.venue, bar.symbol, bar.start, bar.interval),
                    *(bar.open, bar.high, bar.low, bar.close, bar.volume),
                )


def _gate(told: Iterable[tuple[Record, ev.GateChanged]]) -> Iterator[Row]:
    for record, gate in told:
        scopes = ev.encode(gate.scopes).decode()
        yield (
            *(record.ts, record.writer, gate.state.value, gate.size_factor, gate.rate_factor),
            *(gate.because, scopes, gate.nameless or None),
        )


def _fills(told: Iterable[tuple[Record, ev.Filled]]) -> Iterator[Row]:
    for record, fill in told:
        yield (
            *(record.ts, fill.venue, fill.execution_id, fill.order_id, fill.client_order_id),
            *(fill.symbol, fill.side, fill.qty, fill.price, fill.at),
        )


def _orders_history(told: Iterable[tuple[Record, ev.OrdersRead]]) -> Iterator[Row]:
    """The first complete read of each venue tells every order as new."""
    known: dict[str, dict[str, ev.Order]] = {}
    for record, read in told:
        if read.unknown:
            continue
        before = known.get(read.venue, {})
        now = {order.id: order for order in read.orders}
        for name, order in now.items():
            if before.get(name) != order:
                yield record.ts, "changed" if name in before else "new", *order_row(read.venue, order)
        gone = {name: order for name, order in before.items() if name not in now}
        if read.complete:
            for order in gone.values():
                yield record.ts, "gone", *order_row(read.venue, order)
        known[read.venue] = now if read.complete else {**gone, **now}


def order_row(venue: str, order: ev.Order) -> Row:
    """An order in the columns that `orders` and `orders_history` have in common."""
    return (
        *(venue, order.id, order.client_order_id, order.symbol, order.side, order.qty, order.filled_qty, order.type),
        *(order.status, order.created, order.limit_price, order.stop_price, order.time_in_force or None),
        *(order.protective, order.order_class or None),
    )


DERIVED: dict[str, Derived] = {
    "heartbeats": Derived("heartbeat", _heartbeats),
    "monitors": Derived("monitor_sampled", _monitors),
    "quotes": Derived("quotes_read", _quotes),
    "bars": Derived("bars_read", _bars),
    "gate": Derived("gate_changed", _gate),
    "fills": Derived("filled", _fills),
    "orders_history": Derived("orders_read", _orders_history),
}
