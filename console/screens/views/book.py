"""The Book: what the strategies believe beside what the broker reports."""

from console.desk.moment import Moment
from console.desk.reconcile import Break, ComparedOrder, ComparedPosition, ComparedVenue, Comparison
from console.desk.timeline import some
from console.desk.words import NONE, age, amount, count, short, signed
from console.screens.views.looks import aged
from widgets.grid import Column, Row
from widgets.line import Line, big, line

POSITION_COLUMNS = (
    Column("venue", 9),
    Column("symbol", 8),
    Column("book", 11, align="right"),
    Column("broker", 11, align="right"),
    Column("difference", 11, align="right"),
    Column("", 22, grow=1),
)

ORDER_COLUMNS = (
    Column("venue", 7),
    Column("order", 14, grow=1),
    Column("", 13),
    Column("book", 7),
    Column("broker", 8),
    Column("", 22, grow=1),
)

KINDS = {
    Break.EQUAL: ("●", ""),
    Break.IN_FLIGHT: ("…", "key"),
    Break.UNKNOWN: ("○", "unknown"),
}


def parity(comparison: Comparison, width: int, *, live: bool) -> list[Line]:
    """Said big: a band of three lines. On a `live` desk with what can be done about it."""
    said, looks, why = _parity(comparison, "a brings the books to broker truth" if live else "")
    return big(said, why, looks, width)


def _parity(comparison: Comparison, way_out: str) -> tuple[str, str, str]:
    if comparison.unknown:
        return "UNKNOWN", "band-unknown", some(comparison.unknown, 2)
    settling = f"{comparison.in_flight} in flight, younger than 5 s" if comparison.in_flight else ""
    if comparison.differences:
        held = sum(row.kind.differs for venue in comparison.venues for row in venue.positions)
        orders = comparison.differences - held
        where = [f"{held} in positions", f"{orders} in open orders", settling, way_out]
        return count(comparison.differences, "DIFFERENCE", "DIFFERENCES"), "band-bad", " · ".join(filter(None, where))
    if comparison.in_flight:
        return "SETTLING", "band-calm", settling
    if not comparison.venues:
        return "UNKNOWN", "band-unknown", "no venue is described yet"
    return "BOOK = BROKER", "band-good", "to the share, every position and open order"


def venue_lines(moment: Moment, comparison: Comparison) -> list[Line]:
    """How old each side is; what was put right last, and which orders a book has set aside."""
    return [*(_venue(moment, venue) for venue in comparison.venues), *_set_aside(moment), *_adjusted(moment)]


def _set_aside(moment: Moment) -> list[Line]:
    rows = [(row.info, row.book.set_aside) for row in moment.state.strategies.values() if row.book is not None]
    return [
        line((" △ ", "warn"), f"{info.name} set aside {some(orders)}: nobody knows its fate, ask {info.venue}’s desk")
        for info, orders in rows
        if orders
    ]


def _adjusted(moment: Moment) -> list[Line]:
    if not moment.state.adjustments:
        return []
    last = moment.state.adjustments[-1]
    took = {name for name, answer in last.answers.items() if answer.outcome == "acked"}
    done = last.asked.strategies <= took
    glyph = ("✓", "good") if done else ("△", "warn")
    told = f"{count(len(last.asked.rows), 'difference')} of {last.asked.venue} adjusted by {last.actor}"
    doubt = "" if done else ", not every book took it"
    return [line(" ", glyph, f" {told}{doubt} ", (f"{age(moment.now - last.at)} ago", "dim"))]


def _venue(moment: Moment, venue: ComparedVenue) -> Line:
    row = moment.state.venues[venue.venue]
    return line(
        f" {venue.venue} ",
        (f"{row.info.account}   ", "dim"),
        ("book ", "dim"),
        aged(moment, venue.book_as_of),
        ("   broker positions ", "dim"),
        aged(moment, venue.positions_as_of, row.positions_unknown),
        ("   orders ", "dim"),
        aged(moment, venue.orders_as_of, row.orders_unknown),
    )


def _differing_first(kind: Break) -> int:
    return 0 if kind.differs else 2 if kind is Break.EQUAL else 1


def position_rows(moment: Moment, comparison: Comparison) -> list[Row]:
    """Differences first."""
    rows = [row for venue in comparison.venues for row in venue.positions]
    return [_position(moment, row) for row in sorted(rows, key=lambda row: _differing_first(row.kind))]


def _position(moment: Moment, row: ComparedPosition) -> Row:
    looks = _kind(row.kind)[1]
    loud = looks if row.kind is not Break.EQUAL else ""
    off = signed(row.difference, max(0, -int(row.difference.as_tuple().exponent))) if row.difference else NONE
    return Row(
        f"{row.venue} {row.symbol}",
        (
            line(row.venue),
            line((row.symbol, loud or "title")),
            line((amount(row.book), loud)),
            line((amount(row.broker), loud)),
            line((off, loud or "dim")),
            _verdict(moment, row.kind, row.since),
        ),
    )


def order_rows(moment: Moment, comparison: Comparison) -> list[Row]:
    """Differences first."""
    rows = [row for venue in comparison.venues for row in venue.orders]
    return [_order(moment, row) for row in sorted(rows, key=lambda row: _differing_first(row.kind))]


def _order(moment: Moment, row: ComparedOrder) -> Row:
    order = row.order
    loud = _kind(row.kind)[1] if row.kind is not Break.EQUAL else ""
    name = order.client_order_id if order is not None and order.client_order_id else row.id
    what = f"{order.side} {amount(order.qty)}" if order is not None else ""
    broker = f"{order.status}" if order is not None else "missing"
    return Row(
        f"{row.venue} {row.id}",
        (
            line(row.venue),
            line((short(name, 24), loud)),
            line(f"{order.symbol} " if order is not None else "", (what, "dim")),
            line(("has it", "dim") if row.in_book else ("missing", loud)),
            line((broker, loud if order is None else "dim")),
            _verdict(moment, row.kind, row.since),
        ),
    )


def _kind(kind: Break) -> tuple[str, str]:
    return KINDS.get(kind, ("▲", "bad"))


def _verdict(moment: Moment, kind: Break, since: int) -> Line:
    glyph, looks = _kind(kind)
    if kind is Break.EQUAL:
        return line((f" {glyph} ", "good"), ("equal", "dim"))
    told = f" {age(moment.now - since)}" if since and kind.differs and moment.live else ""
    return line((f" {glyph} {kind.replace('_', ' ').lower()}{told}", looks))
