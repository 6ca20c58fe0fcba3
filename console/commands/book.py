"""`andon book`: what the strategies believe they hold beside what the broker reports, and where the two differ."""

import time

from console.commands.look import look
from console.commands.output import print_json, print_table
from console.desk.reconcile import IN_FLIGHT_FOR, ComparedVenue, Comparison, compare
from console.desk.words import NONE, SECOND, age, amount, count, short

DIFFERS = 1
LOOK_SECONDS = 0.5


def book(desk: str | None, *, as_json: bool) -> int:
    """Prints; returns 0 only where both sides were read and are proven equal."""
    seen, moment = look(desk)
    comparison = compare(moment)
    deadline = moment.now + IN_FLIGHT_FOR + SECOND
    while (
        comparison.in_flight and not moment.down and moment.now < deadline
    ):  # is it only settling? look until it is old
        time.sleep(LOOK_SECONDS)
        seen, moment = look(desk)
        comparison = compare(moment, comparison)
    if as_json:
        print_json({"desk": seen.name, "guard_down": moment.down, **_facts(comparison)})
    else:
        for venue in comparison.venues:
            _venue_lines(venue, moment.now)
        print(_parity(comparison))
    return 0 if comparison.equal else DIFFERS


def _parity(comparison: Comparison) -> str:
    if comparison.unknown:
        return f"PARITY UNKNOWN: {'; '.join(comparison.unknown)}"
    if comparison.differences:
        return f"NO PARITY: {count(comparison.differences, 'difference')}"
    if comparison.in_flight:
        return f"IN FLIGHT: {count(comparison.in_flight, 'difference')} younger than 5 s"
    return "PARITY: book and broker are equal"


def _venue_lines(venue: ComparedVenue, now: int) -> None:
    oldest = min(venue.positions_as_of, venue.orders_as_of, venue.book_as_of)
    print(f"{venue.venue}  as of {age(now - oldest)} ago" if oldest else f"{venue.venue}  not everything was ever read")
    rows = [("", "SYMBOL", "BOOK", "BROKER", "")]
    rows += [("", row.symbol, amount(row.book), amount(row.broker), str(row.kind)) for row in venue.positions]
    print_table(rows if venue.positions else [("", "no positions on either side that was read")])
    orders = [
        (
            "",
            short((row.order.client_order_id if row.order else "") or row.id, 36),
            f"{row.order.side} {amount(row.order.qty)} {row.order.symbol} {row.order.status}" if row.order else NONE,
            str(row.kind),
        )
        for row in venue.orders
    ]
    print_table(orders or [("", "no open orders on either side that was read")])


def _facts(comparison: Comparison) -> dict[str, object]:
    return {
        "equal": comparison.equal,
        "differences": comparison.differences,
        "in_flight": comparison.in_flight,
        "unknown": comparison.unknown,
        "venues": {
            venue.venue: {
                "positions": [
                    {"symbol": row.symbol, "book": row.book, "broker": row.broker, "kind": row.kind}
                    for row in venue.positions
                ],
                "orders": [
                    {"id": row.id, "in_book": row.in_book, "at_broker": row.order is not None, "kind": row.kind}
                    for row in venue.orders
                ],
                "unknown": venue.unknown,
            }
            for venue in comparison.venues
        },
    }
