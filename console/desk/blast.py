"""The blast radius: what a pull of this scope would reach, said before it is pulled. Pure."""

from collections.abc import Iterable
from decimal import Decimal

from console.desk.events import Order, Plain, Position, StrategyInfo
from console.desk.pull import Level, Scope, normal_symbol, strategy_of
from console.desk.state import DeskState, StrategyState, VenueState


class Share(Plain, frozen=True):
    """One strategy's part in it: its open orders at the venue, and its positions as its own book has them."""

    strategy: str
    orders: int
    positions: int
    gross: Decimal
    net: Decimal
    as_of: int
    unknown: str = ""


class VenueBlast(Plain, frozen=True):
    """What lies in scope at one venue. `unknown` says which read failed: the counts are then only what was last seen.

    `orders` would be cancelled, `spared` would stay though they are in scope, `untouched` are outside of it. `foreign`
    ones in scope were not sent by one of the desk's strategies (`foreign_since` is when the oldest was made, by the
    venue's clock), `protective` ones can only reduce a position, and `naked` are the symbols that would lose those.
    Positions are those of the account, of the symbols, or of the symbols that the strategies trade. Money in the
    account's currency; `as_of` is the older of both reads."""

    venue: str
    account: str
    orders: int
    spared: int
    untouched: int
    foreign: int
    foreign_since: int
    protective: int
    positions: int
    naked: tuple[str, ...]
    gross: Decimal
    net: Decimal
    as_of: int
    shares: tuple[Share, ...] = ()
    unknown: str = ""
    retired: bool = False


class Blast(Plain, frozen=True):
    """`disables` are the strategies that an L2 would disable; `keep_protective` and `own_only` as the pull has them."""

    scope: str
    venues: tuple[VenueBlast, ...]
    disables: tuple[str, ...] = ()
    keep_protective: bool = False
    own_only: bool = False

    @property
    def foreign(self) -> int:
        return sum(venue.foreign for venue in self.venues)

    @property
    def foreign_since(self) -> int:
        """When the oldest of the strangers' orders was made, 0 where there is none."""
        return min((venue.foreign_since for venue in self.venues if venue.foreign), default=0)

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
    """The scopes that need no picking: the whole desk, each venue, each strategy."""
    return (
        Scope("desk"),
        *(Scope("venue", (name,)) for name in state.venues),
        *(Scope("strategy", (name,)) for name in state.strategies),
    )


def symbols(state: DeskState) -> tuple[str, ...]:
    """Every symbol that is traded, held or worked anywhere on the desk."""
    traded = (symbol for row in state.strategies.values() for symbol in row.info.symbols)
    held = (position.symbol for row in state.venues.values() for position in row.positions)
    worked = (order.symbol for row in state.venues.values() for order in row.orders)
    return tuple(sorted({normal_symbol(symbol) for symbol in (*traded, *held, *worked)}))


def symbols_of(state: DeskState, scope: Scope) -> tuple[str, ...]:
    """The symbols that the strategies in a scope trade."""
    infos = strategies_in(_infos(state), scope)
    return tuple(sorted({normal_symbol(symbol) for info in infos for symbol in info.symbols}))


def strategies_in(infos: Iterable[StrategyInfo], scope: Scope) -> tuple[StrategyInfo, ...]:
    """Every strategy that trades in the scope: what an L2 disables."""
    return tuple(
        info
        for info in infos
        if scope.touches(venue=info.venue, strategy=info.name)
        or any(scope.touches(symbol=symbol) for symbol in info.symbols if scope.kind == "symbol")
    )


def refusals(state: DeskState, scope: Scope, *, own_only: bool = False) -> dict[Level, str]:
    """The levels that this scope can not be pulled at, and why not."""
    refused = {}
    if scope.kind == "strategy" and state.netted:
        refused[Level.L4] = "strategies net in one account: closing one’s share could flip the rest"
    elif own_only and scope.takes_foreign:
        refused[Level.L4] = "while o leaves others’ orders, positions can not be closed"
    if not strategies_in(_infos(state), scope):
        refused[Level.L2] = "no strategy trades here"
    return refused


def blast(state: DeskState, scope: Scope, *, keep_protective: bool = False, own_only: bool = False) -> Blast:
    """What a pull of this scope reaches, at L3 with what it is to leave."""
    inside = strategies_in(_infos(state), scope)
    traded = frozenset(normal_symbol(symbol) for info in inside for symbol in info.symbols)
    trades_at = {info.venue for info in inside}
    reached = tuple(
        _at(state, row, scope, traded, keep_protective=keep_protective, own_only=own_only)
        for name, row in state.venues.items()
        if (name in trades_at if scope.kind == "strategy" else scope.kind == "symbol" or scope.touches(venue=name))
    )
    return Blast(
        scope=str(scope),
        venues=reached,
        disables=tuple(info.name for info in inside),
        keep_protective=keep_protective,
        own_only=own_only,
    )


def _infos(state: DeskState) -> tuple[StrategyInfo, ...]:
    return tuple(row.info for row in state.strategies.values())


def _at(
    state: DeskState, row: VenueState, scope: Scope, traded: frozenset[str], *, keep_protective: bool, own_only: bool
) -> VenueBlast:
    ours = {name: strategy for name, strategy in state.strategies.items() if strategy.info.venue == row.info.name}
    inside = [
        order
        for order in row.orders
        if scope.takes_order(symbol=normal_symbol(order.symbol), client_order_id=order.client_order_id)
    ]
    held = {normal_symbol(position.symbol): position for position in row.positions if position.qty}
    held = {symbol: position for symbol, position in held.items() if _concerns(scope, symbol, traded)}
    guarding = [order for order in inside if order.protective]
    strangers = [order for order in inside if _foreign(order, ours)]
    spared = {order.id for order in (*(guarding if keep_protective else ()), *(strangers if own_only else ()))}
    orders = [order for order in inside if order.id not in spared]
    lost = {normal_symbol(order.symbol) for order in guarding if order.id not in spared}
    gross, net = _worth(held.values())
    return VenueBlast(
        venue=row.info.name,
        account=row.info.account,
        orders=len(orders),
        spared=len(spared),
        untouched=len(row.orders) - len(inside),
        foreign=len(strangers),
        foreign_since=min((order.created for order in strangers), default=0),
        protective=len(guarding),
        positions=len(held),
        naked=tuple(sorted(lost & set(held))),
        gross=gross,
        net=net,
        as_of=min(row.orders_as_of, row.positions_as_of),
        shares=tuple(
            _share(strategy, orders, row.orders_as_of, scope)
            for strategy in ours.values()
            if strategies_in((strategy.info,), scope)
        ),
        unknown=row.orders_unknown or row.positions_unknown,
        retired=bool(row.retired),
    )


def _share(strategy: StrategyState, orders: list[Order], orders_as_of: int, scope: Scope) -> Share:
    name, book = strategy.info.name, strategy.book
    held = [position for position in book.positions if position.qty] if book is not None else []
    if scope.kind == "symbol":
        held = [position for position in held if scope.takes_position(position.symbol)]
    gross, net = _worth(held)
    return Share(
        strategy=name,
        orders=sum(strategy_of(order.client_order_id) == name for order in orders),
        positions=len(held),
        gross=gross,
        net=net,
        as_of=min(orders_as_of, book.as_of) if book is not None else 0,
        unknown=book.unknown if book is not None else "its book was never read",
    )


def _concerns(scope: Scope, symbol: str, traded: frozenset[str]) -> bool:
    return symbol in traded if scope.kind == "strategy" else scope.takes_position(symbol)


def _worth(positions: Iterable[Position]) -> tuple[Decimal, Decimal]:
    """Gross and net notional."""
    worth = [position.notional for position in positions]
    return sum((abs(value) for value in worth), Decimal(0)), sum(worth, Decimal(0))


def _foreign(order: Order, ours: Iterable[str]) -> bool:
    """A leg of a bracket or a pair carries an id of the venue's making, which may stand for a strategy's order."""
    return not order.order_class and strategy_of(order.client_order_id) not in ours
