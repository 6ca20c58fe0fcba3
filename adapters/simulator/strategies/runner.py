"""One strategy at work: bars in, predictions and orders out, everything it does kept in its book."""

import asyncio
import logging
import secrets
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from adapters.base import Acked, Ambiguous, Bar, NewOrder, Ok, Refused, Unknown, Venue
from adapters.gate_client import Answer
from adapters.simulator.strategies.book import ZERO, Book, day_of
from adapters.simulator.strategies.gatekeeper import Gatekeeper, allowed
from adapters.simulator.strategies.model import Cancel, Send, View, Wish, hash_of
from adapters.simulator.strategies.models import make_model
from adapters.simulator.strategies.settings import StrategySettings
from adapters.simulator.strategies.telemetry import Predictions
from console.desk.events import Filled, Order

BARS_KEPT = 120
GATE_EVERY = 0.25
SPACING = 1.0
NOT_FOUND_ENOUGH = 3
LONGEST_WAIT = 10.0


class Runner:
    """Owns the book of one strategy. `errors` counts refusals and requests without an answer."""

    def __init__(self, settings: StrategySettings, seed: int, venue: Venue, desk_state: Path, out: Path) -> None:
        self.settings = settings
        self.log = logging.getLogger(settings.name)
        self.model = make_model(settings.kind, seed)
        self.model_hash = hash_of(settings.kind, self.model)
        self.book = Book(settings.name, out / settings.name / "book.jsonl")
        self.predictions = Predictions(settings.name, out / settings.name / "predictions.jsonl")
        self.gate = Gatekeeper(desk_state, settings.venue, settings.name, settings.symbols)
        self.bars: dict[str, deque[Bar]] = {symbol: deque(maxlen=BARS_KEPT) for symbol in settings.symbols}
        self.errors = 0
        self.why = ""
        self._venue = venue
        self._fresh: set[str] = set()
        self._wake = asyncio.Event()
        self._sent_at: deque[float] = deque()
        self._not_before = 0.0
        self._session = secrets.token_hex(4)
        self._unique = 0

    # --- what the venue's hub tells ---------------------------------------------------------------------------------

    def on_bar(self, bar: Bar) -> None:
        """A bar that is over. The model predicts at once; the trading follows as fast as it may."""
        bars = self.bars[bar.symbol]
        if bars and bar.start <= bars[-1].start:
            return
        bars.append(bar)
        value = self.model.predict(tuple(bars))
        if value is not None:
            row = {"ts": time.time_ns(), "symbol": bar.symbol, "value": float(value), "model_hash": self.model_hash}
            self.predictions.write(row)
        self._fresh.add(bar.symbol)
        self._wake.set()

    def on_order(self, order: Order) -> None:
        self.book.heard(order)

    def on_fill(self, fill: Filled) -> bool:
        return self.book.filled(fill)

    # --- its own tasks ----------------------------------------------------------------------------------------------

    async def watch_gate(self) -> None:
        before = ""
        while True:
            await asyncio.gather(*map(self.gate.ask, self.settings.symbols))
            gate = self.gate.overall
            if gate.state != before:
                self.log.info("the gate is %s: %s", gate.state, gate.because or "no reason given")
                before = gate.state
            await asyncio.sleep(GATE_EVERY)

    async def trade(self) -> None:
        """For ever: settle what was left open, then act on each symbol's latest bar."""
        for client_order_id in self.book.unsettled():
            await self._settle(client_order_id)
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._fresh:
                await self._act(self._fresh.pop())

    async def catch_up(self) -> bool:
        """Reads the fills and open orders that the stream may have missed. False where the venue did not answer."""
        named = {key: entry.order_id for key, entry in self.book.entries.items() if entry.order_id}
        fills = await self._venue.fills_until(frozenset(self.book.executions.keys() - self.book.given))
        orders = await self._venue.open_orders()
        if isinstance(fills, Unknown) or isinstance(orders, Unknown):
            return False
        for fill in reversed(fills.data):
            self.book.filled(fill)
        for order in orders.data:
            entry = self.book.entries.get(order.client_order_id)
            if entry is not None and not entry.order_id:
                self.book.acked(order)
        if orders.complete:
            standing = {order.id for order in orders.data}
            for key in [key for key, order_id in named.items() if order_id not in standing]:
                self.book.vanished(key)
        return True

    def enable(self, enabled: bool) -> None:
        if enabled != self.book.enabled:
            self.book.enable(enabled)
            self.log.warning("%s from outside", "enabled" if enabled else "disabled")

    @property
    def limits(self) -> dict[str, str]:
        """What it holds itself to, whatever its model wishes."""
        return {"limit_order_qty": str(self.settings.most), "limit_seconds_between_orders": str(SPACING)}

    @property
    def orders_per_minute(self) -> int:
        horizon = time.monotonic() - 60
        while self._sent_at and self._sent_at[0] < horizon:
            self._sent_at.popleft()
        return len(self._sent_at)

    @property
    def profit(self) -> Decimal:
        """Of the latest bar's day: what was realised, and what the open positions are worth beyond their price."""
        latest = [bars[-1] for bars in self.bars.values() if bars]
        if not latest:
            return ZERO
        today = self.book.realised.get(day_of(max(bar.start for bar in latest)), ZERO)
        for bar in latest:
            holding = self.book.holdings.get(bar.symbol)
            if holding is not None:
                today += holding.qty * (bar.close - holding.price)
        return today

    def close(self) -> None:
        self.book.close()
        self.predictions.close()

    # --- trading ----------------------------------------------------------------------------------------------------

    async def _act(self, symbol: str) -> None:
        if not self.book.enabled or self.gate.latest[symbol].state == "HALTED":
            return
        view = View(symbol, tuple(self.bars[symbol]), self.book.position(symbol), self.book.working(symbol))
        for wish in self.model.decide(view):
            if not await self._carry_out(symbol, wish):
                return

    async def _carry_out(self, symbol: str, wish: Wish) -> bool:
        """False where the rest of this bar's wishes has to wait for better times."""
        now = time.monotonic()
        if self._not_before > now:
            await asyncio.sleep(self._not_before - now)
        if isinstance(wish, Cancel):
            return await self._cancel(symbol, wish)
        return await self._send(symbol, wish)

    async def _cancel(self, symbol: str, wish: Cancel) -> bool:
        if (await self.gate.ask(symbol)).state == "HALTED":
            return False
        answer = await self._venue.cancel(wish.order_id)
        self._pace(self.gate.latest[symbol])
        if isinstance(answer, Refused) and answer.code != "429":
            return True  # it has ended meanwhile; the stream tells how
        return self._went_well(answer)

    async def _send(self, symbol: str, wish: Send) -> bool:
        small = self._permitted(symbol, wish, self.gate.latest[symbol])
        if small is None:
            return True
        self._unique += 1
        order = NewOrder(
            client_order_id=f"{self.settings.name}-{self._session}{self._unique:06x}",
            symbol=symbol,
            side=small.side,
            qty=small.qty,
            type=small.type,
            limit_price=small.limit_price,
            take_profit=small.take_profit,
            stop_loss=small.stop_loss,
        )
        self.book.intend(order)
        await self.book.sync()
        # The gate is asked last of all, so that nothing lies between its answer and the wire.
        answer = await self.gate.ask(symbol)
        still = self._permitted(symbol, wish, answer)
        if not self.book.enabled or still is None or still.qty < small.qty:
            self.book.dropped(order.client_order_id)
            return False
        self._sent_at.append(time.monotonic())
        result = await self._venue.submit(order)
        self._pace(answer)
        if isinstance(result, Acked):
            self.book.acked(result.data)
            self.log.info("sent %s: %s %s %s", order.client_order_id, order.side, order.qty, symbol)
        elif isinstance(result, Refused):
            self.book.dropped(order.client_order_id)
        else:
            self.errors += 1
            self.why = result.reason
            self.log.error("what became of %s is not known: %s", order.client_order_id, result.reason)
            await self._settle(order.client_order_id)
            return False
        return self._went_well(result)

    async def _settle(self, client_order_id: str) -> None:
        """Finds out what became of an order. Nothing else is sent meanwhile, or the same order might be sent twice."""
        not_found, wait = 0, 0.25
        while not_found < NOT_FOUND_ENOUGH:
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
            read = await self._venue.order_by_client_id(client_order_id)
            if isinstance(read, Ok):
                if read.data is not None:
                    self.book.acked(read.data)
                    return
                not_found += 1
        self.book.dropped(client_order_id)

    def _permitted(self, symbol: str, wish: Send, answer: Answer) -> Send | None:
        """What the position and then the gate leave of a wish. Against a position no more may be sent than closes it:
        a broker refuses what would flip."""
        wish = replace(wish, qty=min(wish.qty, self.settings.most))
        position = self.book.position(symbol)
        if position * (1 if wish.side == "buy" else -1) >= 0:
            return allowed(wish, answer, ZERO)
        ours = [order for order in self.book.working(symbol) if order.side == wish.side]
        taken = sum((order.rest for order in ours if not order.leg), ZERO)
        legs = max((order.rest for order in ours if order.leg), default=ZERO)  # of a pair only one fills
        reducible = max(ZERO, abs(position) - taken - legs)
        return allowed(replace(wish, qty=min(wish.qty, reducible)), answer, reducible)

    def _pace(self, answer: Answer) -> None:
        """Keeps a distance between requests, the longer the lower the gate's rate."""
        rate = max(Decimal("0.05"), answer.rate_factor)
        self._not_before = time.monotonic() + float(Decimal(str(SPACING)) / rate)

    def _went_well(self, answer: Acked[None] | Acked[Order] | Refused | Ambiguous) -> bool:
        if isinstance(answer, Acked):
            return True
        self.errors += 1
        self.why = answer.message if isinstance(answer, Refused) else answer.reason
        self.log.error("refused: %s", self.why)
        wait = answer.retry_after if isinstance(answer, Refused) else None
        if wait is not None or (isinstance(answer, Refused) and answer.code == "429"):
            self._not_before = time.monotonic() + min(60.0, wait or 5.0)
        return False


async def stop(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
