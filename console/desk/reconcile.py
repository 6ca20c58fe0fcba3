"""Book against broker truth, side by side. Pure; says what differs, and never guesses why.

A side that could not be read makes its venue UNKNOWN: a failed read is not an empty one, and never equal. A difference
younger than five seconds is IN_FLIGHT, because an order was being filled while the two sides were read. The age of a
difference is carried from comparison to comparison, hence `before`.
"""

from collections.abc import Iterable
from decimal import Context, Decimal
from enum import StrEnum

from console.desk.events import Order, Plain
from console.desk.moment import Look, Moment
from console.desk.pull import normal_symbol, strategy_of
from console.desk.state import DeskState, StrategyState, VenueState
from console.desk.words import SECOND

IN_FLIGHT_FOR = 5 * SECOND

EXACT = Context(prec=200, traps=[])
"""The default context would round sums of long quantities, and call what differs in the 29th digit equal."""


class Break(StrEnum):
    """What a comparison found. The first three are no difference; the rest are the desk's words for one. The last
    three are what a difference turns out to be once fills and orders were asked for (console.desk.adjust)."""

    EQUAL = "EQUAL"
    IN_FLIGHT = "IN_FLIGHT"
    UNKNOWN = "UNKNOWN"
    MISSING_AT_BROKER = "MISSING_AT_BROKER"
    MISSING_IN_BOOK = "MISSING_IN_BOOK"
    SIDE_MISMATCH = "SIDE_MISMATCH"
    QTY_BREAK = "QTY_BREAK"
    ORPHAN_ORDER = "ORPHAN_ORDER"
    UNREPORTED_FILL = "UNREPORTED_FILL"
    PHANTOM_FILL = "PHANTOM_FILL"
    STALE_PENDING = "STALE_PENDING"

    @property
    def differs(self) -> bool:
        return self not in (Break.EQUAL, Break.IN_FLIGHT, Break.UNKNOWN)

    @property
    def says(self) -> str:
        return _BREAK_SAYS[self]


_BREAK_SAYS = {
    Break.EQUAL: "equal",
    Break.IN_FLIGHT: "younger than 5 s, perhaps only settling",
    Break.UNKNOWN: "a side could not be read",
    Break.MISSING_AT_BROKER: "the book has it, the broker does not",
    Break.MISSING_IN_BOOK: "the broker has it, no book does",
    Break.SIDE_MISMATCH: "long on one side, short on the other",
    Break.QTY_BREAK: "quantities differ, and no fill explains it",
    Break.ORPHAN_ORDER: "an open order that nobody here sent",
    Break.UNREPORTED_FILL: "filled at the broker, in no book",
    Break.PHANTOM_FILL: "in a book, not filled at the broker",
    Break.STALE_PENDING: "working in the book, forgotten at the broker",
}


class ComparedPosition(Plain, frozen=True):
    """Signed quantities, in shares. `since` is when this difference was first seen, 0 where there is none."""

    venue: str
    symbol: str
    book: Decimal
    broker: Decimal
    kind: Break
    since: int = 0

    @property
    def difference(self) -> Decimal:
        return EXACT.subtract(self.book, self.broker)


class ComparedOrder(Plain, frozen=True):
    """An open order. `order` is the broker's side of it, None where only the book has it."""

    venue: str
    id: str
    order: Order | None
    in_book: bool
    kind: Break
    since: int = 0


class ComparedVenue(Plain, frozen=True):
    """`unknown` names each side that could not be read, and why; then every row of the venue is UNKNOWN."""

    venue: str
    positions: tuple[ComparedPosition, ...]
    orders: tuple[ComparedOrder, ...]
    positions_as_of: int
    orders_as_of: int
    book_as_of: int
    unknown: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[Break, ...]:
        return (*(row.kind for row in self.positions), *(row.kind for row in self.orders))

    @property
    def differences(self) -> int:
        return sum(kind.differs for kind in self.kinds)

    @property
    def in_flight(self) -> int:
        return self.kinds.count(Break.IN_FLIGHT)


class Comparison(Plain, frozen=True):
    venues: tuple[ComparedVenue, ...] = ()

    @property
    def unknown(self) -> tuple[str, ...]:
        return tuple(f"{venue.venue}: {why}" for venue in self.venues for why in venue.unknown)

    @property
    def differences(self) -> int:
        return sum(venue.differences for venue in self.venues)

    @property
    def in_flight(self) -> int:
        return sum(venue.in_flight for venue in self.venues)

    @property
    def equal(self) -> bool:
        """Proven equal, to the share: everything was read, and nothing differs or is still settling."""
        return bool(self.venues) and not self.unknown and not self.differences and not self.in_flight


def compare(moment: Moment, before: Comparison | None = None) -> Comparison:
    """Every venue's book, which is its strategies' books summed, against what the venue reports."""
    earlier = {venue.venue: venue for venue in before.venues} if before is not None else {}
    return Comparison(venues=tuple(_venue(moment, row, earlier.get(name)) for name, row in moment.state.venues.items()))


def compare_settled(state: DeskState, now: int) -> Comparison:
    """The comparison of a desk that stands still: what differs there is a difference, and nothing is in flight."""
    earlier = compare(Moment(state=state, now=now - IN_FLIGHT_FOR, live=False))
    return compare(Moment(state=state, now=now, live=False), earlier)


def _venue(moment: Moment, row: VenueState, before: ComparedVenue | None) -> ComparedVenue:
    books = [own for own in moment.state.strategies.values() if own.info.venue == row.info.name]
    unknown = tuple(_unread(moment, row, books))
    return ComparedVenue(
        venue=row.info.name,
        positions=tuple(_positions(moment, row, books, before, bool(unknown))),
        orders=tuple(_orders(moment, row, books, before, bool(unknown))),
        positions_as_of=row.positions_as_of,
        orders_as_of=row.orders_as_of,
        book_as_of=min((own.book.as_of if own.book else 0 for own in books), default=0),
        unknown=unknown,
    )


def _unread(moment: Moment, row: VenueState, books: list[StrategyState]) -> Iterable[str]:
    sides = [
        ("broker positions", row.positions_as_of, row.positions_unknown),
        ("broker orders", row.orders_as_of, row.orders_unknown),
        *(
            (f"book of {own.info.name}", own.book.as_of if own.book else 0, own.book.unknown if own.book else "")
            for own in books
        ),
    ]
    for name, as_of, why in sides:
        look = moment.look(as_of, why)
        if look is not Look.OK:
            yield f"{name} {why or ('never read' if not as_of else look.value)}"


def _positions(
    moment: Moment, row: VenueState, books: list[StrategyState], before: ComparedVenue | None, unknown: bool
) -> Iterable[ComparedPosition]:
    book: dict[str, Decimal] = {}
    for own in books:
        for position in own.book.positions if own.book else ():
            symbol = normal_symbol(position.symbol)
            book[symbol] = EXACT.add(book.get(symbol, Decimal(0)), position.qty)
    broker = {normal_symbol(position.symbol): position.qty for position in row.positions}
    earlier = {was.symbol: was for was in before.positions} if before is not None else {}
    for symbol in sorted(book.keys() | broker.keys()):
        ours, theirs = book.get(symbol, Decimal(0)), broker.get(symbol, Decimal(0))
        if not ours and not theirs:
            continue
        was = earlier.get(symbol)
        same_side = was is not None and was.since and (was.book > was.broker) == (ours > theirs)
        since = 0 if ours == theirs else was.since if was is not None and same_side else moment.now
        kind = Break.UNKNOWN if unknown else _settled(_position_kind(ours, theirs), since, moment.now)
        yield ComparedPosition(venue=row.info.name, symbol=symbol, book=ours, broker=theirs, kind=kind, since=since)


def _position_kind(book: Decimal, broker: Decimal) -> Break:
    if book == broker:
        return Break.EQUAL
    if not broker:
        return Break.MISSING_AT_BROKER
    if not book:
        return Break.MISSING_IN_BOOK
    return Break.SIDE_MISMATCH if book.is_signed() != broker.is_signed() else Break.QTY_BREAK


def _orders(
    moment: Moment, row: VenueState, books: list[StrategyState], before: ComparedVenue | None, unknown: bool
) -> Iterable[ComparedOrder]:
    book = {identity for own in books for identity in (own.book.order_ids if own.book else ())}
    ours = {own.info.name for own in books}
    earlier = {was.id: was.since for was in before.orders} if before is not None else {}
    seen = set()
    for order in row.orders:
        names = {order.id, order.client_order_id}
        seen |= names
        kind = Break.EQUAL
        if not names & book:
            kind = Break.MISSING_IN_BOOK if strategy_of(order.client_order_id) in ours else Break.ORPHAN_ORDER
        yield _order(moment, row, order.id, order, kind, earlier, unknown)
    for identity in sorted(book - seen):
        yield _order(moment, row, identity, None, Break.MISSING_AT_BROKER, earlier, unknown)


def _order(
    moment: Moment, row: VenueState, name: str, order: Order | None, kind: Break, earlier: dict[str, int], unknown: bool
) -> ComparedOrder:
    since = 0 if kind is Break.EQUAL else earlier.get(name) or moment.now
    settled = Break.UNKNOWN if unknown else _settled(kind, since, moment.now)
    in_book = kind in (Break.EQUAL, Break.MISSING_AT_BROKER)
    return ComparedOrder(venue=row.info.name, id=name, order=order, in_book=in_book, kind=settled, since=since)


def _settled(kind: Break, since: int, now: int) -> Break:
    return Break.IN_FLIGHT if kind.differs and now - since < IN_FLIGHT_FOR else kind
