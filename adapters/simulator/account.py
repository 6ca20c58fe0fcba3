"""The ledger of one account: positions and cash from fills, orders by id, what is set aside for open orders.

Pure: no clock, no market, no I/O; prices are handed in. Everything that must survive a crash is put into `changes`,
everything that listeners hear into `updates`; the broker drains both after each operation.
"""

from collections.abc import Callable
from copy import copy
from decimal import Decimal

import msgspec

from adapters.simulator.orders import BUY, HELD, ZERO, Fill, Order, Update

Mark = Callable[[str], Decimal]

STARTING_CASH = Decimal(1_000_000)
MULTIPLIER = 2


class Holding(msgspec.Struct):
    """A position: signed quantity, average entry price."""

    qty: Decimal
    average: Decimal


class Configurations(msgspec.Struct):
    """What the account's owner may set. `suspend_trade` blocks new orders; cancels go on."""

    suspend_trade: bool = False
    no_shorting: bool = False
    fractional_trading: bool = True
    max_margin_multiplier: str = "2"
    trade_confirm_email: str = "all"
    ptp_no_exception_entry: bool = False
    dtbp_check: str = "entry"
    pdt_check: str = "entry"
    max_options_trading_level: int = 0
    disable_overnight_trading: bool = False


class Opened(msgspec.Struct, frozen=True):
    """An account was opened, with its keys."""

    name: str
    id: str
    number: str
    key_id: str
    secret: str
    cash: Decimal
    at: int


class Saved(msgspec.Struct, frozen=True, tag="order"):
    order: Order


class Executed(msgspec.Struct, frozen=True, tag="fill"):
    fill: Fill


class Configured(msgspec.Struct, frozen=True, tag="configured"):
    configurations: Configurations


class Granted(msgspec.Struct, frozen=True, tag="granted"):
    """A position came from nowhere: no order, no fill, no money."""

    symbol: str
    qty: Decimal
    price: Decimal


class DayClosed(msgspec.Struct, frozen=True, tag="day_closed"):
    """`equity` at the close of a session, UTC ns."""

    at: int
    equity: Decimal


Change = Saved | Executed | Configured | Granted | DayClosed


class Account:
    """One account of the broker; it serves as a venue under its name."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.name = opened.name
        self.cash = opened.cash
        self.last_equity = opened.cash
        self.history: list[DayClosed] = []
        self.holdings: dict[str, Holding] = {}
        self.configurations = Configurations()
        self.orders: dict[str, Order] = {}
        self.by_client_id: dict[str, str] = {}
        self.places: dict[str, int] = {}
        self.fills: list[Fill] = []
        self.fill_places: dict[str, int] = {}
        self.open: dict[str, dict[str, Order]] = {}
        self.changes: list[Change] = []
        self.updates: list[Update] = []
        self._dirty: dict[str, Order] = {}

    # --- what is so --------------------------------------------------------------------------------------------------

    def open_orders(self) -> list[Order]:
        return sorted((o for book in self.open.values() for o in book.values()), key=lambda o: self.places[o.id])

    def open_in(self, symbol: str) -> list[Order]:
        return list(self.open.get(symbol, {}).values())

    def position(self, symbol: str) -> Decimal:
        holding = self.holdings.get(symbol)
        return holding.qty if holding else ZERO

    def reserved(self, symbol: str, mark: Decimal) -> Decimal:
        """Shares of the position that open closing orders have taken; the orders of one group share theirs."""
        groups: dict[str, Decimal] = {}
        for order in self.open.get(symbol, {}).values():
            if order.closes and order.status != HELD:
                group = order.group[0] if order.group else order.id
                groups[group] = max(groups.get(group, ZERO), order.remaining(mark))
        return sum(groups.values(), ZERO)

    def available(self, symbol: str, mark: Decimal) -> Decimal:
        """Shares of the position that a further closing order may take."""
        return max(ZERO, abs(self.position(symbol)) - self.reserved(symbol, mark))

    def long_value(self, mark: Mark) -> Decimal:
        return sum((h.qty * mark(s) for s, h in self.holdings.items() if h.qty > 0), ZERO)

    def short_value(self, mark: Mark) -> Decimal:
        return sum((h.qty * mark(s) for s, h in self.holdings.items() if h.qty < 0), ZERO)

    def equity(self, mark: Mark) -> Decimal:
        return self.cash + self.long_value(mark) + self.short_value(mark)

    def buying_power(self, mark: Mark) -> Decimal:
        committed = ZERO
        for symbol, book in self.open.items():
            price = mark(symbol)
            for order in book.values():
                if not order.closes and order.status != HELD:
                    committed += order.remaining(price) * order.asked_price(price)
        gross = self.long_value(mark) - self.short_value(mark)
        return max(ZERO, self.equity(mark) * MULTIPLIER - gross - committed)

    # --- what happens ------------------------------------------------------------------------------------------------

    def save(self, order: Order, event: str, at: int, fill: Fill | None = None) -> None:
        """Keeps an order as it is now, and tells listeners unless the event has no name."""
        order.updated = at
        self._keep(order)
        self._dirty[order.id] = order
        if event:
            self.updates.append(Update(event, copy(order), at, fill))

    def _keep(self, order: Order) -> None:
        if order.id not in self.orders:
            self.places[order.id] = len(self.orders)
            self.by_client_id[order.client_order_id] = order.id
        self.orders[order.id] = order
        book = self.open.setdefault(order.symbol, {})
        if order.is_open:
            book[order.id] = order
        else:
            book.pop(order.id, None)
            if not book:
                del self.open[order.symbol]

    def execute(self, fill: Fill) -> None:
        """Books a fill: cash and position. The order is saved apart."""
        self._book(fill)
        self.changes.append(Executed(fill))

    def _book(self, fill: Fill) -> None:
        self.fill_places[fill.id] = len(self.fills)
        self.fills.append(fill)
        signed = fill.qty if fill.side == BUY else -fill.qty
        self.cash -= signed * fill.price
        self._move(fill.symbol, signed, fill.price)

    def _move(self, symbol: str, signed: Decimal, price: Decimal) -> None:
        holding = self.holdings.get(symbol)
        if holding is None:
            self.holdings[symbol] = Holding(signed, price)
            return
        total = holding.qty + signed
        if not total:
            del self.holdings[symbol]
            return
        if (holding.qty > 0) == (signed > 0):
            holding.average = (holding.average * holding.qty + price * signed) / total
        elif (holding.qty > 0) != (total > 0):
            holding.average = price
        holding.qty = total

    def grant(self, symbol: str, qty: Decimal, price: Decimal) -> None:
        """A position from nowhere."""
        change = Granted(symbol, qty, price)
        self.apply(change)
        self.changes.append(change)

    def configure(self, configurations: Configurations) -> None:
        self.configurations = configurations
        self.changes.append(Configured(configurations))

    def close_day(self, at: int, mark: Mark) -> None:
        change = DayClosed(at, self.equity(mark))
        self.apply(change)
        self.changes.append(change)

    # --- what survives -----------------------------------------------------------------------------------------------

    def drain(self) -> tuple[list[Change], list[Update]]:
        """What has to be kept and told since the last call."""
        changes: list[Change] = [*self.changes, *(Saved(order) for order in self._dirty.values())]
        updates = self.updates
        self.changes, self.updates, self._dirty = [], [], {}
        return changes, updates

    def apply(self, change: Change) -> None:
        """Takes a kept change back in, in the order in which it was kept."""
        match change:
            case Saved(order):
                self._keep(order)
            case Executed(fill):
                self._book(fill)
            case Configured(configurations):
                self.configurations = configurations
            case Granted(symbol, qty, price):
                self._move(symbol, qty, price)
            case DayClosed(_, equity):
                self.last_equity = equity
                self.history.append(change)

    def image(self) -> "Image":
        """The whole account as it is now."""
        return Image(
            self.opened,
            self.cash,
            self.holdings,
            self.configurations,
            self.last_equity,
            self.history,
            list(self.orders.values()),
            self.fills,
        )

    @classmethod
    def restored(cls, image: "Image") -> "Account":
        account = cls(image.opened)
        account.cash = image.cash
        account.holdings = image.holdings
        account.configurations = image.configurations
        account.last_equity = image.last_equity
        account.history = image.history
        account.fills = image.fills
        account.fill_places = {fill.id: place for place, fill in enumerate(image.fills)}
        for order in image.orders:
            account._keep(order)
        return account


class Image(msgspec.Struct, frozen=True):
    """An account at one moment, as it is kept."""

    opened: Opened
    cash: Decimal
    holdings: dict[str, Holding]
    configurations: Configurations
    last_equity: Decimal
    history: list[DayClosed]
    orders: list[Order]
    fills: list[Fill]
