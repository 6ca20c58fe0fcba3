"""The blast radius: what a pull of this scope would reach, said before it is pulled. Pure."""

from decimal import Decimal

from console.desk.events import Order, Plain
from console.desk.pull import Scope, normal_symbol, strategy_of
from console.desk.state import DeskState, VenueState


class VenueBlast(Plain, frozen=True):
    """What lies in scope at one venue. `unknown` says which read failed: the counts are then only what was last seen.

    `foreign` orders were not sent by one of the desk's strategies, `protective` ones can only reduce a position, and
    `naked` are the symbols that would lose those. Money in the account's currency; `as_of` is the older of both reads.
    """

    venue: str
    account: str
    orders: int
    foreign: int
    protective: int
    positions: int
    naked: tuple[str, ...]
    gross: Decimal
    net: Decimal
    as_of: int
    unknown: str = ""
    retired: bool = False


class Blast(Plain, frozen=True):
    scope: str
    venues: tuple[VenueBlast, ...]

    @property
    def foreign(self) -> int:
        return sum(venue.foreign for venue in self.venues)

    @property
    def protective(self) -> int:
        return sum(venue.protective for venue in self.venues)

    @property
    def naked(self) -> tuple[str, ...]:
        """Symbols, each once, in the venues' order."""
        return tuple(dict.fromkeys(symbol for venue in self.venues for symbol in venue.naked))

    @property
    def as_of(self) -> int:
        return min((venue.as_of for venue in self.venues), default=0)


def scopes(state: DeskState) -> tuple[Scope, ...]:
    """The scopes that can be chosen now: the whole desk, then each venue."""
    return (Scope("desk"), *(Scope("venue", (name,)) for name in state.venues))


def blast(state: DeskState, scope: Scope) -> Blast:
    """What a pull of a desk or venue scope reaches."""
    reached = tuple(_at(state, row) for name, row in state.venues.items() if scope.touches(venue=name))
    return Blast(scope=str(scope), venues=reached)


def _at(state: DeskState, row: VenueState) -> VenueBlast:
    ours = {name for name, strategy in state.strategies.items() if strategy.info.venue == row.info.name}
    held = {normal_symbol(position.symbol): position for position in row.positions if position.qty}
    guarding = [order for order in row.orders if order.protective]
    worth = [position.notional for position in held.values()]
    return VenueBlast(
        venue=row.info.name,
        account=row.info.account,
        orders=len(row.orders),
        foreign=sum(_foreign(order, ours) for order in row.orders),
        protective=len(guarding),
        positions=len(held),
        naked=tuple(sorted({normal_symbol(order.symbol) for order in guarding} & set(held))),
        gross=sum((abs(value) for value in worth), Decimal(0)),
        net=sum(worth, Decimal(0)),
        as_of=min(row.orders_as_of, row.positions_as_of),
        unknown=row.orders_unknown or row.positions_unknown,
        retired=bool(row.retired),
    )


def _foreign(order: Order, ours: set[str]) -> bool:
    """A protective leg carries an id of the venue's making, not of a stranger's."""
    return not order.protective and strategy_of(order.client_order_id) not in ours
