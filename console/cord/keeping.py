"""Which open orders a pull that keeps protective orders leaves standing, told from one look to the next."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation

from console.cord.forms import Row
from console.desk.protective import LINKED, STOPS, Resting, protective
from console.desk.pull import normal_symbol

LOOKS_IN_DOUBT = 2
UNSEEN_SECONDS = 10.0


class Keeping:
    """`kept` are the ids of orders that were proven to do nothing but reduce, by this look's positions. `doubted` ones
    may be: they are neither proof that all is blocked, nor cancelled yet."""

    __slots__ = ("doubted", "kept", "looks")

    def __init__(
        self,
        kept: frozenset[str] = frozenset(),
        doubted: frozenset[str] = frozenset(),
        looks: dict[str, int] | None = None,
    ) -> None:
        self.kept = kept
        self.doubted = doubted
        self.looks = looks or {}

    def seen(self, rows: Iterable[Row], positions: Mapping[str, Decimal]) -> "Keeping":
        """After a look at orders and then at positions. What may protect is doubted for one look and given up by the
        second in a row that does not prove it: between the two reads of one look a stop may have filled, and then a
        good one beside it seems to be too much."""
        rows = list(rows)
        kept = protective(_resting(rows), _summed(positions))
        looks = {row.id: self.looks.get(row.id, 0) + 1 for row in rows if _may_protect(row) and row.id not in kept}
        return Keeping(kept, frozenset(name for name, count in looks.items() if count < LOOKS_IN_DOUBT), looks)

    def unseen(self, rows: Iterable[Row], seconds: float) -> "Keeping":
        """Without a look at the positions for so long: what may protect is doubted for a while, and given up then."""
        doubted = frozenset(row.id for row in rows if _may_protect(row)) if seconds < UNSEEN_SECONDS else frozenset()
        return Keeping(frozenset(), doubted, self.looks)


def _may_protect(row: Row) -> bool:
    return row.type in STOPS or row.order_class in LINKED


def _resting(rows: Iterable[Row]) -> Iterable[Resting]:
    for row in rows:
        try:
            rest = Decimal(row.qty) - Decimal(row.filled)
        except InvalidOperation:
            rest = Decimal("NaN")
        yield Resting(
            row.id,
            normal_symbol(row.symbol),
            row.side,
            rest if rest.is_finite() else Decimal(0),  # of no known size: it protects nothing
            row.type,
            order_class=row.order_class,
            status=row.status,
            made=row.created,
        )


def _summed(positions: Mapping[str, Decimal]) -> dict[str, Decimal]:
    summed: dict[str, Decimal] = {}
    for symbol, qty in positions.items():
        summed[normal_symbol(symbol)] = summed.get(normal_symbol(symbol), Decimal(0)) + qty
    return summed
