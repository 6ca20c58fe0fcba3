"""The broker: market, accounts, faults and store put together. Everything that requests and ticks do passes here.

Each public operation ends in `_settle`: what it changed is on the disk before it returns, and listeners are told after.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from adapters.simulator import matching
from adapters.simulator.account import Account, Change, Configurations
from adapters.simulator.admission import Body, symbol_named
from adapters.simulator.faults import Fault, FaultBoard
from adapters.simulator.market import Market, MarketClock, Quote
from adapters.simulator.orders import (
    ACCEPTED,
    PENDING_CANCEL,
    REJECTED,
    WORKING,
    Fill,
    Order,
    Refusal,
    Update,
    forbidden,
    invalid,
    not_found,
)
from adapters.simulator.sessions import preceding
from adapters.simulator.store import Kept, Store

LOG = logging.getLogger("broker")
MAX_STEP = 1_000_000_000
CLOCK_KEPT_EVERY = 1_000_000_000
RUNAWAY_SYMBOL = "AAPL"
Listener = Callable[[str, Update], None]


@dataclass(slots=True)
class CancelResult:
    """One item of a bulk cancel: 200, or what went wrong."""

    order_id: str
    status: int


@dataclass(slots=True)
class CloseResult:
    """One item of a bulk close: the order that was sent, or why it was not."""

    symbol: str
    answer: Order | Refusal


@dataclass(slots=True)
class LateFill:
    """A canceled order that will turn out to be filled when the wall clock reaches `due`, ns."""

    due: int
    account: Account
    order: Order


@dataclass(slots=True)
class Prints:
    """What each symbol did during one tick, looked up once."""

    market: Market
    since: int
    now: int
    _seen: dict[str, tuple[Quote, Decimal, Decimal]] = field(default_factory=dict)

    def of(self, symbol: str) -> tuple[Quote, Decimal, Decimal]:
        if symbol not in self._seen:
            self._seen[symbol] = self.market.span(symbol, self.since, self.now)
        return self._seen[symbol]


def share(held: Decimal, percentage: Decimal) -> Decimal:
    """So many percent of a position: whole shares of one that is whole. Raises Refusal where that is nothing at all."""
    unit = Decimal(1) if held == held.to_integral_value() else Decimal("0.000000001")
    qty = (held * percentage / 100).quantize(unit, ROUND_DOWN)
    if not qty:
        raise invalid("percentage is less than one share of the position")
    return qty


class Broker:
    """All accounts on one market. `wall` is a monotonic clock in ns."""

    def __init__(
        self,
        market: Market,
        clock: MarketClock,
        accounts: list[Account],
        faults: FaultBoard,
        store: Store,
        wall: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.market = market
        self.clock = clock
        self.accounts = {account.name: account for account in accounts}
        self.faults = faults
        self.listener: Listener = lambda _name, _update: None
        self._store = store
        self._wall = wall
        self._last_wall = self._kept_wall = wall()
        self._matched = clock.now
        self._late: list[LateFill] = []

    # --- prices and time ---------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.clock.now

    def is_open(self, account: Account) -> bool:
        return self.clock.is_open and self.faults.find("market_closed", account.name) is None

    def quote(self, symbol: str) -> Quote:
        return self.market.quote(symbol, self.now)

    def mark(self, symbol: str) -> Decimal:
        return self.quote(symbol).last

    def mark_at_last_close(self, symbol: str) -> Decimal:
        return self.market.quote(symbol, preceding(self.clock.session).close).last

    def data_time(self, account: Account, symbol: str) -> int:
        """The time that market data shows: now, unless it has gone stale."""
        fault = self.faults.find("stale_bars", account.name)
        if fault is None or fault.arg not in (None, symbol):
            return self.now
        return int(fault.memory.setdefault("at", str(self.now)))

    def advance(self) -> None:
        """Lets the market clock catch up with the wall. A process that was stopped does not catch up: it goes on."""
        wall = self._wall()
        elapsed, self._last_wall = min(wall - self._last_wall, MAX_STEP), wall
        self._move(int(elapsed * self.clock.speed))

    def shift(self, market_ns: int) -> None:
        """Moves the market clock on by hand."""
        self._move(market_ns)
        self._settle(always=True)

    def force_session(self, forced: bool | None) -> None:
        """Keeps the session open or closed whatever the calendar says; None gives it back to the calendar."""
        self.clock.forced = forced
        self._settle(always=True)

    def _move(self, market_ns: int) -> None:
        before, was = self.clock.session, self.now
        self.clock.shift(market_ns)
        if not was < before.close <= self.now and self.clock.session == before:
            return
        for account in self.accounts.values():
            matching.expire(account, before.close, self.now)
        if self.clock.session != before:
            for account in self.accounts.values():
                account.close_day(before.close, lambda symbol: self.market.quote(symbol, before.close).last)

    def tick(self) -> None:
        """One beat of the market: time moves, faults act, accepted orders go live, resting ones meet the prints."""
        self.advance()
        wall = self._wall()
        since, self._matched = self._matched, self.now
        moved = self.market.place(since) != self.market.place(self.now)
        prints = Prints(self.market, since, self.now)
        for account in self.accounts.values():
            self._act_faults(account, wall)
            self._trade(account, prints, moved)
        self._fill_late(wall)
        self._settle(always=wall - self._kept_wall >= CLOCK_KEPT_EVERY)

    def _trade(self, account: Account, prints: Prints, moved: bool) -> None:
        is_open = self.is_open(account)
        fills = is_open and self.faults.find("no_fills", account.name) is None
        for symbol in list(account.open):
            for order in account.open_in(symbol):
                if order.status == PENDING_CANCEL:
                    if not self._cancel_sticks(account, order):
                        matching.settle_cancel(account, order, self.now)
                elif order.status == ACCEPTED:
                    self._go_live(account, order, prints, fills)
                elif order.status in WORKING and moved and fills:
                    matching.match(account, order, *prints.of(symbol), self.now)

    def _go_live(self, account: Account, order: Order, prints: Prints, fills: bool) -> None:
        if self.faults.find("rejects", account.name):
            matching.reject(account, order, self.now)
        elif fills:
            matching.activate(account, order, prints.of(order.symbol)[0], self.now)

    # --- what clients ask for ----------------------------------------------------------------------------------------

    def submit(self, account: Account, body: Body) -> Order:
        self._check_blocked(account)
        # What is not listed is refused further down, whatever it is priced at.
        quote = self.quote(symbol_named(str(body.get("symbol"))) or RUNAWAY_SYMBOL)
        order = matching.submit(account, body, quote, account.buying_power(self.mark), self.now)
        self._settle()
        return order

    def replace(self, account: Account, order_id: str, body: Body) -> Order:
        self._check_blocked(account)
        order = self.order(account, order_id)
        power = account.buying_power(self.mark)
        successor = matching.replace(account, order, body, self.quote(order.symbol), power, self.now)
        self._settle()
        return successor

    def cancel(self, account: Account, order_id: str) -> None:
        result = self._cancel(account, self.order(account, order_id))
        self._settle()
        if result.status != 200:
            raise Refusal(result.status, 50010000, "internal server error occurred")

    def cancel_all(self, account: Account) -> list[CancelResult]:
        results = [
            # Ended by now means with its group, whose other member came first in this same call.
            self._cancel(account, order) if order.is_open else CancelResult(order.id, 200)
            for order in account.open_orders()
        ]
        self._settle()
        return results

    def _cancel(self, account: Account, order: Order) -> CancelResult:
        if self._cancel_fails(account, order):
            return CancelResult(order.id, 500)
        matching.ask_cancel(account, order, self.now)
        if not self._cancel_sticks(account, order):
            matching.settle_cancel(account, order, self.now)
            self._remember_late(account, order)
        return CancelResult(order.id, 200)

    def close(self, account: Account, name: str, qty: Decimal | None, percentage: Decimal | None = None) -> Order:
        symbol = self.held_symbol(account, name)
        self._check_blocked(account)
        if percentage is not None:
            qty = share(abs(account.position(symbol)), percentage)
        order = matching.close(account, symbol, qty, self.mark(symbol), self.now)
        self._settle()
        return order

    def close_all(self, account: Account, cancel_orders: bool) -> list[CloseResult]:
        if cancel_orders:
            self.cancel_all(account)
        results = []
        for symbol in sorted(account.holdings):
            try:
                self._check_blocked(account)
                results.append(CloseResult(symbol, matching.close(account, symbol, None, self.mark(symbol), self.now)))
            except Refusal as refusal:
                results.append(CloseResult(symbol, refusal))
        self._settle()
        return results

    def _check_blocked(self, account: Account) -> None:
        if self.faults.find("account_blocked", account.name):
            raise forbidden("trading is blocked for this account")

    def configure(self, account: Account, configurations: Configurations) -> None:
        account.configure(configurations)
        self._settle()

    def order(self, account: Account, order_id: str) -> Order:
        order = account.orders.get(order_id.lower())
        if order is None:
            raise not_found(f"order not found for {order_id}")
        return order

    def held_symbol(self, account: Account, name: str) -> str:
        symbol = symbol_named(name)
        if symbol is None or symbol not in account.holdings:
            raise not_found("position does not exist")
        return symbol

    # --- what nobody asked for ---------------------------------------------------------------------------------------

    def inject(self, account: Account, symbol: str, count: int, prefix: str = "") -> list[Order]:
        """So many resting orders of an unknown hand, far under the market."""
        away = (self.mark(symbol) / 2).quantize(Decimal("0.01"))
        orders = matching.resting(account, symbol, away, count, prefix, self.now)
        self._settle()
        return orders

    def grant(self, account: Account, symbol: str, qty: Decimal) -> None:
        """A position that no fill explains."""
        account.grant(symbol, qty, self.mark(symbol))
        self._settle()

    def fill(self, account: Account, order: Order, qty: Decimal | None, at: Decimal | None) -> Fill:
        """Fills an open order by hand, or one that was canceled, as far as it goes."""
        price = at or self.mark(order.symbol)
        left = order.remaining(price)
        fill = matching.execute(account, order, min(qty or left, left), price, self.now)
        self._settle()
        return fill

    def _act_faults(self, account: Account, wall: int) -> None:
        ghost = self.faults.find("ghost_position", account.name)
        if ghost is not None and account.name not in ghost.memory:
            ghost.memory[account.name] = "done"
            symbol, _, qty = (ghost.arg or "AAPL/100").partition("/")
            account.grant(symbol, Decimal(qty or 100), self.mark(symbol))
        stale = self.faults.find("stale_bars", account.name)
        if stale is not None:
            stale.memory.setdefault("at", str(self.now))
        runaway = self.faults.find("runaway_strategy", account.name)
        if runaway is not None:
            self._run_away(account, runaway, wall)

    def _run_away(self, account: Account, fault: Fault, wall: int) -> None:
        """Unlike an injected order, a runaway's passes the broker's checks: a suspended account stops it."""
        due = int((wall - fault.since) / 1e9 * fault.number(1))
        sent = int(fault.memory.get(account.name, "0"))
        fault.memory[account.name] = str(due)
        quote = self.quote(RUNAWAY_SYMBOL)
        body = {
            "symbol": RUNAWAY_SYMBOL,
            "side": "buy",
            "qty": 1,
            "type": "limit",
            "limit_price": (quote.last * Decimal("0.9")).quantize(Decimal("0.01")),
            "time_in_force": "day",
        }
        for _ in range(due - sent):
            try:
                matching.submit(account, body, quote, account.buying_power(self.mark), self.now)
            except Refusal:
                return

    def _cancel_sticks(self, account: Account, order: Order) -> bool:
        fault = self.faults.find("stuck_pending_cancel", account.name)
        return fault is not None and (fault.arg is None or fault.arg in (order.id, *order.group))

    def _cancel_fails(self, account: Account, order: Order) -> bool:
        """One order, the first that is tried, fails so many times, and its group with it; the rest go through."""
        fault = self.faults.find("partial_207", account.name)
        if fault is None:
            return False
        by_id = fault.arg is not None and "-" in fault.arg
        chosen = fault.arg if by_id else fault.memory.setdefault(account.name, order.id)
        if chosen not in (order.id, *order.group):
            return False
        if by_id or fault.arg == "forever":
            return True
        failed = int(fault.memory.get(order.id, "0"))
        fault.memory[order.id] = str(failed + 1)
        return failed < int(fault.number(1))

    def _remember_late(self, account: Account, order: Order) -> None:
        fault = self.faults.find("late_fill", account.name)
        if fault is not None and account.name not in fault.memory:
            fault.memory[account.name] = order.id
            self._late.append(LateFill(self._wall() + int(fault.number(2) * 1e9), account, order))

    def _fill_late(self, wall: int) -> None:
        for late in [late for late in self._late if late.due <= wall]:
            self._late.remove(late)
            matching.fill_after_cancel(late.account, late.order, self.quote(late.order.symbol), self.now)

    # --- after each operation ----------------------------------------------------------------------------------------

    def _settle(self, *, always: bool = False) -> None:
        changes: dict[str, list[Change]] = {}
        updates: list[tuple[str, Update]] = []
        for name, account in self.accounts.items():
            changed, told = account.drain()
            if changed:
                changes[name] = changed
            updates.extend((name, update) for update in told)
        if changes or always:
            self._store.keep(Kept(self.now, self.clock.forced, changes))
            self._kept_wall = self._wall()
        for name, update in updates:
            if update.event == REJECTED:
                LOG.warning("%s: rejected order %s (%s)", name, update.order.id, update.order.client_order_id)
            self.listener(name, update)

    def finish(self) -> None:
        """Keeps the clock and closes the store."""
        self._settle(always=True)
        self._store.close()
