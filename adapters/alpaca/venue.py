"""An Alpaca account as a venue: the broker's paper or live API, or the simulated broker, over the same code."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote

from adapters.alpaca import parse
from adapters.alpaca.cord_form import cord_form
from adapters.alpaca.stream import TradeUpdates
from adapters.base import (
    Account,
    Acked,
    Ambiguous,
    Bar,
    Capabilities,
    Clock,
    Connection,
    ItemResult,
    NewOrder,
    Ok,
    Quote,
    Read,
    Refused,
    Unknown,
    Write,
)
from adapters.protective import mark_protective
from adapters.wire import Answer, NoAnswer, Query, Wire
from console.desk.events import Filled, Order, Position
from console.desk.protective import LINKED, STOPS
from console.desk.pull import normal_symbol

T = TypeVar("T")

ORDERS_PAGE = 500
FILLS_PAGE = 100
BARS_PAGE = 10_000
MINUTE = 60
WEEK = 7 * 24 * 3600 * 1_000_000_000

# Up to so many orders are looked up one by one to learn their client ids; more are read in pages.
LOOKED_UP_SINGLY = 5

# Client ids kept by order id: many times what one read of fills can need.
REMEMBERED = 50_000

# Timeouts that are sent with a 4xx: whoever says so does not know what became of the request.
UNDECIDED = frozenset({408, 499})


class AlpacaVenue:
    """Fulfils adapters.base.Venue. Cheap to make; connections open with the first request."""

    capabilities = Capabilities(
        suspend=True,
        dead_man=None,
        cancel_scope="account",
        touches_manual=True,
        suspend_blocks_close=True,
        bulk_cancel=True,
        fills_stream=True,
        netted=True,
    )

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self._connection = connection
        headers = {"APCA-API-KEY-ID": connection.key_id, "APCA-API-SECRET-KEY": connection.secret}
        secrets = (connection.secret, connection.key_id)
        self._trading = Wire(connection.base_url, headers, connection.timeout, secrets, connection.tap)
        self._market = Wire(connection.data_url, headers, connection.timeout, secrets, connection.tap)
        self._client_ids: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"AlpacaVenue({self.name!r}, {self._connection.base_url!r})"

    # --- reads ------------------------------------------------------------------------------------------------------

    async def account(self) -> Read[Account]:
        return await self._read(self._trading, "/v2/account", None, parse.account)

    async def clock(self) -> Read[Clock]:
        return await self._read(self._trading, "/v2/clock", None, parse.clock)

    async def sessions(self, first: date, last: date) -> Read[tuple[date, ...]]:
        query = {"start": first.isoformat(), "end": last.isoformat()}
        return await self._read(self._trading, "/v2/calendar", query, lambda told: parse.sessions(told, first, last))

    async def positions(self) -> Read[tuple[Position, ...]]:
        return await self._read(
            self._trading, "/v2/positions", None, lambda told: tuple(map(parse.position, parse.items(told)))
        )

    async def open_orders(self) -> Read[tuple[Order, ...]]:
        """All open orders, bracket legs included. `protective` takes a look at the positions, and only where an order
        could be protective at all; where they can not be read, none is."""
        read = await self._orders("open", frozenset(), None)
        if isinstance(read, Unknown) or not any(order.type in STOPS or order.order_class for order in read.data):
            return read
        positions = await self.positions()
        if isinstance(positions, Unknown):
            return read
        signed = {position.symbol: position.qty for position in positions.data}
        return Ok(mark_protective(read.data, signed), read.as_of, read.complete)

    async def orders_until(self, known: frozenset[str], most: int = 5000) -> Read[tuple[Order, ...]]:
        return await self._orders("all", known, most)

    async def fills_until(self, known: frozenset[str], most: int = 5000) -> Read[tuple[Filled, ...]]:
        rows = await self._pages(
            "/v2/account/activities/FILL",
            {"direction": "desc", "page_size": str(FILLS_PAGE)},
            "page_token",
            FILLS_PAGE,
            most,
            lambda row: parse.execution_of(parse.text(row["id"])) in known,
        )
        if isinstance(rows, Unknown):
            return rows
        unnamed = await self._learn_client_ids({str(row.get("order_id")) for row in rows.data})
        if unnamed is not None:
            return unnamed
        try:
            fills = tuple(parse.fill(row, self.name, self._client_ids[row["order_id"]]) for row in rows.data)
        except parse.NONSENSE as error:
            return self._nonsense(error)
        return Ok(fills, rows.as_of, rows.complete)

    async def order_by_client_id(self, client_order_id: str) -> Read[Order | None]:
        path = "/v2/orders:by_client_order_id"
        read = await self._maybe(
            path, {"client_order_id": client_order_id}, lambda told: (self._order(told), told.get("order_class"))
        )
        if isinstance(read, Unknown):
            return read
        if read.data is None:
            return Ok(None, read.as_of)
        order, order_class = read.data
        if order.legs or order_class not in LINKED:
            return Ok(order, read.as_of)
        # This look-up does not promise a bracket's legs; the one by id does when it is asked for nested.
        nested = await self._maybe(f"/v2/orders/{quote(order.id, safe='')}", {"nested": "true"}, self._order)
        return nested if isinstance(nested, Unknown) else Ok(nested.data or order, read.as_of)

    async def latest_bars(self, symbols: Sequence[str]) -> Read[dict[str, Bar]]:
        """The latest minute bar of each symbol. A symbol that the venue has no bar of is not in the answer."""
        if not symbols:
            return Ok({}, time.time_ns())

        def latest(told: dict[str, Any]) -> dict[str, Bar]:
            return {symbol: parse.bar(symbol, bar, MINUTE) for symbol, bar in told["bars"].items()}

        return await self._read(self._market, "/v2/stocks/bars/latest", {"symbols": ",".join(symbols)}, latest)

    async def latest_quotes(self, symbols: Sequence[str]) -> Read[tuple[Quote, ...]]:
        if not symbols:
            return Ok((), time.time_ns())

        def latest(told: dict[str, Any]) -> tuple[Quote, ...]:
            quotes = [parse.market_quote(symbol, row) for symbol, row in told["quotes"].items()]
            return tuple(sorted(quotes, key=lambda quote: quote.symbol))

        return await self._read(self._market, "/v2/stocks/quotes/latest", {"symbols": ",".join(symbols)}, latest)

    async def bars(self, symbol: str, limit: int) -> Read[tuple[Bar, ...]]:
        """The last `limit` minute bars of a week, oldest first. Unless told otherwise the broker begins with today, and
        what today is the venue's clock knows."""
        clock = await self.clock()
        if isinstance(clock, Unknown):
            return clock
        as_of = time.time_ns()
        bars: list[Bar] = []
        query = {"symbols": symbol, "timeframe": "1Min", "sort": "desc", "start": parse.day_of(clock.data.now - WEEK)}
        while True:
            query["limit"] = str(min(BARS_PAGE, limit - len(bars)))
            page = await self._read(self._market, "/v2/stocks/bars", query, lambda told: _bars_page(symbol, told))
            if isinstance(page, Unknown):
                return Ok(tuple(reversed(bars)), as_of, complete=False) if bars else page
            found, token = page.data
            bars += found
            if not token or not found or len(bars) >= limit:
                return Ok(tuple(reversed(bars[:limit])), as_of)
            query["page_token"] = token

    def updates(self) -> AsyncIterator[Filled | Order | Unknown]:
        told = self._connection
        return TradeUpdates(self._trading, self.name, told.key_id, told.secret, told.timeout).updates()

    def cord_form(self) -> dict[str, object]:
        return cord_form()

    # --- writes -----------------------------------------------------------------------------------------------------

    async def submit(self, order: NewOrder) -> Write[Order]:
        return await self._write("POST", "/v2/orders", None, _order_body(order), self._order)

    async def cancel(self, order_id: str) -> Write[None]:
        return await self._write("DELETE", f"/v2/orders/{quote(order_id, safe='')}", None, None, None)

    async def cancel_all(self) -> Write[tuple[ItemResult, ...]]:
        return await self._write(
            "DELETE", "/v2/orders", None, None, lambda told: tuple(map(parse.cancelled_item, parse.items(told)))
        )

    async def close(self, symbol: str, qty: Decimal | None = None) -> Write[Order]:
        query = None if qty is None else {"qty": format(qty, "f")}
        path = f"/v2/positions/{quote(normal_symbol(symbol), safe='')}"
        return await self._write("DELETE", path, query, None, self._order)

    async def close_all(self, cancel_orders: bool) -> Write[tuple[ItemResult, ...]]:
        query = {"cancel_orders": "true" if cancel_orders else "false"}
        return await self._write(
            "DELETE", "/v2/positions", query, None, lambda told: tuple(map(parse.closed_item, parse.items(told)))
        )

    async def suspend(self, suspended: bool) -> Write[None]:
        def obeyed(told: dict[str, Any]) -> None:
            if parse.flag(told["suspend_trade"]) is not suspended:
                raise ValueError("suspend_trade did not change")

        body = {"suspend_trade": suspended}
        return await self._write("PATCH", "/v2/account/configurations", None, body, obeyed)

    async def aclose(self) -> None:
        await self._trading.aclose()
        await self._market.aclose()

    # --- how an answer is taken -------------------------------------------------------------------------------------

    async def _read(self, wire: Wire, path: str, query: Query | None, understand: Callable[[Any], T]) -> Read[T]:
        as_of = time.time_ns()
        return self._understand(await wire.read(path, query), as_of, understand)

    def _understand(self, answer: Answer | NoAnswer, as_of: int, understand: Callable[[Any], T]) -> Read[T]:
        if isinstance(answer, NoAnswer):
            return Unknown(answer.reason)
        if not answer.done:
            return Unknown(self._complaint(answer))
        try:
            return Ok(understand(answer.json()), as_of)
        except parse.NONSENSE as error:
            return self._nonsense(error)

    async def _maybe(self, path: str, query: Query | None, understand: Callable[[Any], T]) -> Read[T | None]:
        """Ok(None) where the broker itself says that it does not have it: a 404 in its own form, with a code. A proxy's
        404, or one for a wrong address, is not that."""
        as_of = time.time_ns()
        answer = await self._trading.read(path, query)
        if isinstance(answer, Answer) and answer.status == 404:
            refusal = _refusal(answer)
            if refusal is not None and refusal.code.startswith("404"):
                return Ok(None, as_of)
        return self._understand(answer, as_of, understand)

    async def _write(
        self, method: str, path: str, query: Query | None, body: object, understand: Callable[[Any], T] | None
    ) -> Write[T]:
        """`understand` None: done is said by a status with nothing behind it, and a body is somebody else's."""
        answer = await self._trading.write(method, path, query, body)
        if isinstance(answer, NoAnswer):
            return Ambiguous(answer.reason)
        if answer.status == 429:
            return Refused("429", "too many requests", answer.retry_after())
        if 400 <= answer.status < 500 and answer.status not in UNDECIDED:
            refusal = _refusal(answer)
            if refusal is not None:
                return Refused(refusal.code or str(answer.status), self._trading.blot(refusal.message))
        if not answer.done or (understand is None and answer.body):
            return Ambiguous(self._complaint(answer))
        if understand is None:
            return Acked(None)  # type: ignore[arg-type]  # T is None where nothing is to be understood
        try:
            return Acked(understand(answer.json()))
        except parse.NONSENSE as error:
            return Ambiguous(self._nonsense(error).reason)

    def _complaint(self, answer: Answer) -> str:
        refusal = _refusal(answer)
        said = refusal.message if refusal else "the answer is not the broker's own"
        wait = answer.retry_after() if answer.status == 429 else None
        after = "" if wait is None else f", asks to wait {wait:g} s"
        return self._trading.blot(f"HTTP {answer.status}: {said}{after}")

    def _nonsense(self, error: Exception) -> Unknown:
        return Unknown(self._trading.blot(f"the answer makes no sense: {error!r}"))

    def _order(self, told: dict[str, Any]) -> Order:
        order = parse.order(told)
        self._remember(order.id, order.client_order_id)
        return order

    def _remember(self, order_id: str, client_order_id: str) -> None:
        self._client_ids[order_id] = client_order_id
        if len(self._client_ids) > REMEMBERED:
            del self._client_ids[next(iter(self._client_ids))]

    # --- pages ------------------------------------------------------------------------------------------------------

    async def _pages(
        self,
        path: str,
        query: Query,
        cursor: str,
        full: int,
        most: int | None,
        stop: Callable[[dict[str, Any]], bool],
    ) -> Read[tuple[dict[str, Any], ...]]:
        """Rows, page after page by the last row's id, up to the row that `stop`s, the last page, or `most` rows. Where
        a page fails, or brings nothing new, what was read so far is Ok, but not complete."""
        as_of = time.time_ns()
        rows: dict[str, dict[str, Any]] = {}
        last: str | None = None
        while True:
            asked = dict(query) if last is None else {**query, cursor: last}
            page = await self._read(self._trading, path, asked, _identified)
            if isinstance(page, Unknown):
                return Ok(tuple(rows.values()), as_of, complete=False) if rows else page
            new = [(key, row) for key, row in page.data if key not in rows]
            for key, row in new:
                if stop(row):
                    return Ok(tuple(rows.values()), as_of)
                if most is not None and len(rows) >= most:
                    return Ok(tuple(rows.values()), as_of, complete=False)
                rows[key] = row
            if len(page.data) < full:
                return Ok(tuple(rows.values()), as_of)
            if not new:
                return Ok(tuple(rows.values()), as_of, complete=False)
            last = page.data[-1][0]

    async def _orders(self, status: str, known: frozenset[str], most: int | None) -> Read[tuple[Order, ...]]:
        query = {"status": status, "limit": str(ORDERS_PAGE), "direction": "desc", "nested": "false"}
        rows = await self._pages(
            "/v2/orders", query, "before_order_id", ORDERS_PAGE, most, lambda row: row["id"] in known
        )
        if isinstance(rows, Unknown):
            return rows
        try:
            return Ok(tuple(map(self._order, rows.data)), rows.as_of, rows.complete)
        except parse.NONSENSE as error:
            return self._nonsense(error)

    async def _learn_client_ids(self, order_ids: set[str]) -> Unknown | None:
        """Fills name their order but not the client's id of it, by which strategies know their own."""
        missing = order_ids - self._client_ids.keys()
        if len(missing) > LOOKED_UP_SINGLY:
            read = await self.orders_until(frozenset())
            if isinstance(read, Unknown):
                return read
            missing -= self._client_ids.keys()
        for order_id in missing:
            found = await self._maybe(f"/v2/orders/{quote(order_id, safe='')}", None, self._order)
            if isinstance(found, Unknown):
                return found
            if found.data is None:
                self._remember(order_id, "")
        return None


def _identified(told: object) -> list[tuple[str, dict[str, Any]]]:
    return [(parse.text(row["id"]), row) for row in parse.items(told)]


def _bars_page(symbol: str, told: dict[str, Any]) -> tuple[list[Bar], str]:
    rows = parse.items((told["bars"] or {}).get(symbol) or [])
    return [parse.bar(symbol, row, MINUTE) for row in rows], told.get("next_page_token") or ""


def _refusal(answer: Answer) -> Refused | None:
    """What the broker says when it says no: an object with a message, and mostly a code of its own."""
    try:
        told = answer.json()
    except ValueError:
        return None
    if not isinstance(told, dict) or not isinstance(told.get("message"), str):
        return None
    return Refused(str(told.get("code", "")), told["message"])


def _order_body(order: NewOrder) -> dict[str, object]:
    body: dict[str, object] = {
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": order.side,
        "qty": format(order.qty, "f"),
        "type": order.type,
        "time_in_force": order.time_in_force,
    }
    if order.limit_price is not None:
        body["limit_price"] = format(order.limit_price, "f")
    if order.stop_price is not None:
        body["stop_price"] = format(order.stop_price, "f")
    if order.take_profit is not None:
        body["take_profit"] = {"limit_price": format(order.take_profit, "f")}
    if order.stop_loss is not None:
        body["stop_loss"] = {"stop_price": format(order.stop_loss, "f")}
    legs = (order.take_profit is not None) + (order.stop_loss is not None)
    if legs:
        body["order_class"] = "bracket" if legs == 2 else "oto"
    return body
