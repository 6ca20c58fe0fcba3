"""A strategy's own book: what it believes it holds and has working, kept in a file that a restart continues.

The file has one JSON object a line, in the order in which things happened; the book is their fold. An order's line is
on the disk before the order is sent (`await sync()`); fills need no such care, the venue can tell them again.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from adapters.base import NewOrder
from adapters.simulator.strategies.model import Working
from console.desk.adjust import BookOrder, Correction, Execution, Ledger
from console.desk.events import Filled, Order, Position
from console.desk.pull import strategy_of

ENDED = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
ZERO = Decimal(0)
LEDGER_EXECUTIONS = 2_000
"""How many of its newest fills a book tells whoever compares it."""


@dataclass(slots=True)
class Holding:
    """Signed quantity at an average price."""

    qty: Decimal = ZERO
    price: Decimal = ZERO

    def take(self, qty: Decimal, price: Decimal) -> Decimal:
        """Adds a signed fill and returns what it realised."""
        closing = min(abs(qty), abs(self.qty)) if qty * self.qty < 0 else ZERO
        realised = closing * (price - self.price) * (1 if self.qty > 0 else -1)
        rest = self.qty + qty
        if not closing:
            self.price = (self.qty * self.price + qty * price) / rest
        elif rest * self.qty < 0:
            self.price = price
        self.qty = rest
        return realised


@dataclass(slots=True)
class Entry:
    """An order that may still fill. `order_id` is empty until the venue has named it."""

    client_order_id: str
    symbol: str
    side: str
    qty: Decimal
    limit_price: Decimal | None = None
    order_id: str = ""
    filled: Decimal = ZERO
    leg: bool = False
    at: int = 0
    """When it was noted, UTC ns; 0 for one of a file that does not say."""


class Moved(Exception):
    """The book is not what a correction takes it for, and stays as it is. The message says where."""


class Book:
    """Not thread-safe; one event loop owns it."""

    def __init__(self, strategy: str, path: Path) -> None:
        """Continues the book in the file, or begins one. A line torn by a crash was never acted on and is cut off."""
        self.strategy = strategy
        self.holdings: dict[str, Holding] = {}
        self.entries: dict[str, Entry] = {}
        self.executions: dict[str, Execution] = {}
        self.legs: set[str] = set()
        self.set_aside: list[str] = []
        self.corrected: set[str] = set()
        self.given: set[str] = set()
        """Executions that came by a correction: they say nothing about how far this book's own were heard."""
        self.realised: dict[str, Decimal] = {}
        self.enabled = True
        self.sent = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        self._fold_file()

    # --- what happens -----------------------------------------------------------------------------------------------

    def intend(self, order: NewOrder) -> None:
        """Before it is sent. `await sync()` has to follow."""
        self._note(
            "intend",
            id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            qty=str(order.qty),
            limit=None if order.limit_price is None else str(order.limit_price),
        )

    def acked(self, order: Order) -> None:
        """The venue has it, and perhaps made legs to go with it."""
        self._note(
            "acked",
            id=order.client_order_id,
            order=order.id,
            symbol=order.symbol,
            side=order.side,
            qty=str(order.qty),
            legs=list(order.legs),
        )
        self.heard(order)

    def dropped(self, client_order_id: str) -> None:
        """It is proven that the venue does not have it."""
        self._note("dropped", id=client_order_id)

    def heard(self, order: Order) -> None:
        """The venue told the state of an order; others' orders are none of this book's."""
        key = self._key(order.id, order.client_order_id)
        if key in self.entries and order.status in ENDED:
            self._note("ended", id=key)

    def vanished(self, key: str) -> None:
        """An order is no longer open at the venue."""
        self._note("ended", id=key)

    def filled(self, fill: Filled) -> bool:
        """Whether the fill is this book's and new."""
        if fill.execution_id in self.executions or not self._is_ours(fill.order_id, fill.client_order_id):
            return False
        self._note("fill", **msgspec.to_builtins(fill))
        return True

    def enable(self, enabled: bool) -> None:
        self._note("enable", enabled=enabled)

    def correct(self, asked: Correction) -> None:
        """Somebody compared this book with the venue, and it was wrong. All of it or nothing: raises Moved."""
        if asked.id in self.corrected:
            return
        for symbol, qty in asked.holds.items():
            if self.position(symbol) != qty:
                raise Moved(f"{symbol}: {self.position(symbol)} is held, not {qty}")
        for execution in (execution for take in asked.takes for execution in take.executions):
            if execution in self.executions:
                raise Moved(f"fill {execution} is in the book already")
        self._note("correct", **msgspec.to_builtins(asked))

    async def sync(self) -> None:
        """Returns once everything noted so far is on the disk."""
        await asyncio.to_thread(os.fsync, self._file.fileno())

    def close(self) -> None:
        self._file.close()

    # --- what is --------------------------------------------------------------------------------------------------

    def position(self, symbol: str) -> Decimal:
        holding = self.holdings.get(symbol)
        return holding.qty if holding else ZERO

    def working(self, symbol: str) -> list[Working]:
        """Orders that the venue has named; oldest first."""
        return [
            Working(entry.order_id, entry.side, entry.qty - entry.filled, entry.limit_price, entry.leg)
            for entry in self.entries.values()
            if entry.symbol == symbol and entry.order_id
        ]

    def unsettled(self) -> list[str]:
        """Client ids of orders that were to be sent and whose fate is not known."""
        return [entry.client_order_id for entry in self.entries.values() if not entry.order_id]

    def ledger(self) -> Ledger:
        """All of it, as whoever compares it with the venue needs it."""
        return Ledger(
            strategy=self.strategy,
            positions=tuple(
                Position(symbol, held.qty, round(held.price, 6)) for symbol, held in self.holdings.items() if held.qty
            ),
            orders=tuple(
                BookOrder(entry.order_id, entry.client_order_id, entry.at)
                for entry in self.entries.values()
                if entry.order_id
            ),
            executions=tuple(islice(reversed(self.executions.values()), LEDGER_EXECUTIONS)),
            legs=tuple(self.legs),
            complete=len(self.executions) <= LEDGER_EXECUTIONS,
        )

    # --- the fold ---------------------------------------------------------------------------------------------------

    def _note(self, do: str, /, **what: Any) -> None:
        what["at"] = what.get("at", time.time_ns())
        self._file.write(json.dumps({"do": do, **what}).encode() + b"\n")
        self._file.flush()
        _FOLD[do](self, what)

    def _fold_file(self) -> None:
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        whole = sum(len(line) for line in lines if line.endswith(b"\n"))
        self._file.truncate(whole)
        for line in lines:
            if line.endswith(b"\n"):
                told = json.loads(line)
                _FOLD[told["do"]](self, told)

    def _on_intend(self, told: dict[str, Any]) -> None:
        limit = None if told["limit"] is None else Decimal(told["limit"])
        entry = Entry(told["id"], told["symbol"], told["side"], Decimal(told["qty"]), limit, at=told.get("at", 0))
        self.entries[entry.client_order_id] = entry
        self.sent += 1

    def _on_acked(self, told: dict[str, Any]) -> None:
        entry = self.entries.get(told["id"])
        if entry is not None:  # else it was filled before this answer came
            entry.order_id = told["order"]
        other = "sell" if told["side"] == "buy" else "buy"
        for leg in told["legs"]:
            if leg not in self.legs:
                self.legs.add(leg)
                self.entries[leg] = Entry(
                    "", told["symbol"], other, Decimal(told["qty"]), order_id=leg, leg=True, at=told.get("at", 0)
                )

    def _on_dropped(self, told: dict[str, Any]) -> None:
        if self.entries.pop(told["id"], None) is not None:
            self.sent -= 1

    def _on_ended(self, told: dict[str, Any]) -> None:
        self.entries.pop(told["id"], None)

    def _on_fill(self, told: dict[str, Any]) -> None:
        fill = msgspec.convert({**told, "kind": "filled"}, Filled)
        signed = fill.qty if fill.side == "buy" else -fill.qty
        self._take(fill.symbol, signed, fill.price, (fill.execution_id,), fill.at)
        key = self._key(fill.order_id, fill.client_order_id)
        entry = self.entries.get(key)
        if entry is not None:
            entry.filled += fill.qty
            entry.order_id = fill.order_id
            if entry.filled >= entry.qty:
                del self.entries[key]

    def _take(self, symbol: str, qty: Decimal, price: Decimal, executions: tuple[str, ...], at: int) -> None:
        """Of several executions that are taken together the first one counts for all."""
        for number, execution in enumerate(executions):
            self.executions[execution] = Execution(execution, symbol, ZERO if number else qty, price, at)
        realised = self.holdings.setdefault(symbol, Holding()).take(qty, price)
        day = day_of(at)
        self.realised[day] = self.realised.get(day, ZERO) + realised

    def _on_correct(self, told: dict[str, Any]) -> None:
        asked = msgspec.convert({name: what for name, what in told.items() if name not in ("do", "at")}, Correction)
        self.corrected.add(asked.id)
        for take in asked.takes:
            self._take(take.symbol, take.qty, take.price, take.executions, take.at or told["at"])
            self.given.update(take.executions)
        gone = {*asked.ended, *asked.set_aside}
        self.entries = {key: entry for key, entry in self.entries.items() if entry.order_id not in gone}
        self.set_aside += asked.set_aside

    def _on_enable(self, told: dict[str, Any]) -> None:
        self.enabled = told["enabled"]

    def _is_ours(self, order_id: str, client_order_id: str) -> bool:
        return strategy_of(client_order_id) == self.strategy or order_id in self.legs

    def _key(self, order_id: str, client_order_id: str) -> str:
        return order_id if order_id in self.legs else client_order_id


_FOLD: dict[str, Callable[[Book, dict[str, Any]], None]] = {
    "intend": Book._on_intend,
    "acked": Book._on_acked,
    "dropped": Book._on_dropped,
    "ended": Book._on_ended,
    "fill": Book._on_fill,
    "enable": Book._on_enable,
    "correct": Book._on_correct,
}


def day_of(at: int) -> str:
    """The UTC date of a time in ns."""
    return datetime.fromtimestamp(at // 1_000_000_000, UTC).date().isoformat()
