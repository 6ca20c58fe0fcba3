"""What Andon asks of the outside world: the Protocols that adapters fulfil, and the only answers they may give.

A read is `Ok` or `Unknown`; a write is `Acked`, `Refused` (the venue proved that it did not do it) or `Ambiguous`
(nobody knows). There is no third way to fail: an adapter never raises for anything the outside did. Reads page until
complete. Every request has an explicit timeout. Nothing repeats a request by itself: the caller decides, because a
*reducing* write (cancel, cancel-all, suspend) may be repeated and an *exposing* one (order, close) may not.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

from console.desk.adjust import Correction, Ledger
from console.desk.events import Bar as Bar
from console.desk.events import BookRead, Filled, Order, Position, StrategySampled
from console.desk.events import Quote as Quote
from console.desk.exchange import HttpExchange

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Ok(Generic[T_co]):
    """A read that succeeded. `as_of` is our own UTC ns when the request was *begun*; `complete` is false where a page
    is missing."""

    data: T_co
    as_of: int
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Unknown:
    """A read that did not succeed: nothing at all is known, which is not the same as nothing being there."""

    reason: str


@dataclass(frozen=True, slots=True)
class Acked(Generic[T_co]):
    """The venue said that it did it."""

    data: T_co


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue said that it did not do it. `code` is the venue's own, `retry_after` seconds where it asked to wait."""

    code: str
    message: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The request may or may not have been carried out. Look before anything further."""

    reason: str


Read: TypeAlias = Ok[T] | Unknown
Write: TypeAlias = Acked[T] | Refused | Ambiguous


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can do. `cancel_scope` is account (cancel-all takes everybody's orders) or own; `dead_man` the
    timeout in seconds of an exchange dead-man switch (see DeadManSwitch), None without one."""

    suspend: bool
    dead_man: float | None
    cancel_scope: str
    touches_manual: bool
    suspend_blocks_close: bool
    bulk_cancel: bool
    fills_stream: bool
    netted: bool


@dataclass(frozen=True, slots=True)
class Account:
    """Money in the account's currency. `last_equity` is at the previous close. `blocked`: the venue takes no orders."""

    number: str
    equity: Decimal
    last_equity: Decimal
    currency: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class Clock:
    """The venue's own clock, UTC ns."""

    now: int
    is_open: bool
    next_open: int
    next_close: int


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to send. `client_order_id` must be on disk before `submit` is called."""

    client_order_id: str
    symbol: str
    side: str
    qty: Decimal
    type: str = "market"
    time_in_force: str = "day"
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One item of a bulk call. `target` is an order id or a symbol; `order_id` the closing order, if any."""

    target: str
    ok: bool
    status: int
    message: str = ""
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a venue, ready to be used and never to be shown. `secret` is kept out of every repr. `tap` is told
    every HTTP exchange with the venue, once it is over; it returns at once and never raises."""

    name: str
    base_url: str
    data_url: str
    key_id: str = field(repr=False)
    secret: str = field(repr=False)
    timeout: float = 5.0
    tap: Callable[[HttpExchange], None] | None = field(default=None, repr=False, compare=False)


class Venue(Protocol):
    """A broker or exchange account. `name` is the one in desk.yaml."""

    name: str
    capabilities: Capabilities

    async def account(self) -> Read[Account]: ...
    async def clock(self) -> Read[Clock]: ...

    async def sessions(self, first: date, last: date) -> Read[tuple[date, ...]]:
        """The days from `first` to `last` on which the venue trades, in order, by its own calendar."""
        ...

    async def positions(self) -> Read[tuple[Position, ...]]: ...
    async def open_orders(self) -> Read[tuple[Order, ...]]: ...

    async def orders_until(self, known: frozenset[str], most: int = 5000) -> Read[tuple[Order, ...]]:
        """Orders of every state, newest first, back to the first id in `known` (not included)."""
        ...

    async def fills_until(self, known: frozenset[str], most: int = 5000) -> Read[tuple[Filled, ...]]:
        """Fills, newest first, back to the first execution id in `known` (not included)."""
        ...

    async def order_by_client_id(self, client_order_id: str) -> Read[Order | None]:
        """Resolves an ambiguous order: `Ok(None)` only where the venue says that it never had it."""
        ...

    async def latest_bars(self, symbols: Sequence[str]) -> Read[dict[str, Bar]]: ...
    async def bars(self, symbol: str, limit: int) -> Read[tuple[Bar, ...]]: ...

    async def latest_quotes(self, symbols: Sequence[str]) -> Read[tuple[Quote, ...]]:
        """The best bid and offer of each symbol, by normalised symbol and in its order. A symbol that the venue does
        not quote is not in the answer."""
        ...

    async def submit(self, order: NewOrder) -> Write[Order]: ...
    async def cancel(self, order_id: str) -> Write[None]: ...
    async def cancel_all(self) -> Write[tuple[ItemResult, ...]]: ...
    async def close(self, symbol: str, qty: Decimal | None = None) -> Write[Order]: ...
    async def close_all(self, cancel_orders: bool) -> Write[tuple[ItemResult, ...]]: ...
    async def suspend(self, suspended: bool) -> Write[None]: ...

    def updates(self) -> AsyncIterator[Filled | Order | Unknown]:
        """Order updates and fills as they happen, for ever; an `Unknown` marks a gap (a lost connection), after which
        the caller reads what it missed."""
        ...

    def cord_form(self) -> dict[str, object]:
        """The venue's requests as data, for a hand that has nothing but the standard library. See console.cord.forms.
        Holds no secret."""
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class DeadManSwitch(Protocol):
    """What a venue has besides, if its capabilities declare `dead_man`."""

    async def dead_man(self, seconds: float) -> Write[None]:
        """Arm the switch, or refresh it: the venue cancels every order of the account by itself unless it hears this
        again within so many seconds. A reducing write; called every quarter of that time, so it must not repeat."""
        ...


class StrategyHost(Protocol):
    """The process that runs one strategy. Where the strategy lets its book be put right from outside, `book` declares
    it (`BookRead.adjusts`), and the host has what `AdjustableBook` asks for."""

    strategy: str

    async def sample(self) -> Read[StrategySampled]: ...
    async def book(self) -> Read[BookRead]: ...
    async def settings(self) -> Read[dict[str, str]]: ...
    async def enable(self, enabled: bool) -> Write[None]: ...
    async def aclose(self) -> None: ...


@runtime_checkable
class AdjustableBook(Protocol):
    """What a strategy's host has besides, if its book declares `adjusts`."""

    async def ledger(self) -> Read[Ledger]:
        """The book in full, of one moment."""
        ...

    async def correct(self, asked: Correction) -> Write[None]:
        """Bring the book to broker truth: all of `asked`, or nothing of it. `Acked` once that is on disk. `Refused`
        where the book does not hold what `asked` takes it to hold, or knows one of its executions. Asked again under
        the same id it changes nothing and is `Acked`."""
        ...
