"""A venue that forgives nothing: its closes are plain market orders of the size that was held when they came.

It keeps no shares back for one close while another works, and clamps none of them. Two closes for one position, which
a kind broker refuses, flip it here. It speaks the broker's paths as `cord_form` names them, and writes down what must
never happen in `wrongs`.
"""

import json
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

from console.cord.http import Answer, Lost, NotSent
from tests.support.interleaving import Process, World

UNIT = Decimal("0.1")
LATE = 2.5
"""How long after a client gave up its request may still be carried out: less than the cord waits to see it."""

WEATHER = ("refuse", "lost", "carried_out_and_lost", "late", "error500", "gateway504", "rate_limited", "garbled", "207")


class Order:
    def __init__(self, name: str, client: str, symbol: str, qty: Decimal, *, closes: bool) -> None:
        self.id = name
        self.client = client
        self.symbol = symbol
        self.qty = qty  # signed
        self.left = qty
        self.open = True
        self.closes = closes

    def told(self) -> dict[str, str]:
        side, status = "buy" if self.qty > 0 else "sell", "new" if self.open else "done"
        told = {"id": self.id, "client_order_id": self.client, "symbol": self.symbol, "side": side}
        return {**told, "qty": f"{abs(self.qty):f}", "status": status}


class HarshVenue:
    """`weather` is what may happen to a request; `timeout` is how long clients wait, in seconds."""

    def __init__(self, name: str, world: World, process: Process, timeout: float) -> None:
        self.name = name
        self.process = process
        self.timeout = timeout
        self.weather: tuple[str, ...] = ()
        self.session_open = True
        self.suspended = False
        self.positions: dict[str, Decimal] = {}
        self.orders: dict[str, Order] = {}
        self.fills: list[dict[str, str]] = []
        self.closes_sent = 0
        self.wrongs: list[str] = []
        self._chance = world.chance

    # --- what others do there --------------------------------------------------------------------------------------

    def order(self, symbol: str, client: str, qty: Decimal) -> None:
        """Somebody sends an order that rests."""
        if not self.suspended:
            self._accept(symbol, client, qty, closes=False)

    def fill(self, order: Order, share: Decimal = Decimal(1)) -> None:
        """An order trades. What others trade shrinks the closes at work, since that is no fault of the cord's."""
        qty = order.left if share == 1 else (order.left * share).quantize(UNIT) or order.left
        before = self.positions.get(order.symbol, Decimal(0))
        after = before + qty
        if order.closes and (not before or (after and (before > 0) != (after > 0))):
            self.wrongs.append(f"{self.name}: a close of {qty} took {order.symbol} from {before} to {after}")
        self._hold(order.symbol, after)
        order.left -= qty
        order.open = order.open and bool(order.left)
        self.fills.append({"id": f"{self.name}-f{len(self.fills)}", "order_id": order.id, "symbol": order.symbol})
        if not order.closes:
            for close in self.at_work(order.symbol):
                close.left = -max(min(abs(close.left), abs(after)), Decimal(0)).copy_sign(-close.qty)
                close.open = bool(close.left) and (after > 0) == (close.qty < 0)

    def grant(self, symbol: str, qty: Decimal) -> None:
        """Somebody holds so much from now on."""
        if not self.at_work(symbol):
            self._hold(symbol, qty)

    def tick(self) -> None:
        """Closes trade, as far as the market lets them."""
        if self.session_open:
            for order in [order for order in self.orders.values() if order.open and order.closes]:
                self.fill(order, self._chance.choice((Decimal(1), Decimal("0.5"))))

    def at_work(self, symbol: str) -> list[Order]:
        return [order for order in self.orders.values() if order.open and order.closes and order.symbol == symbol]

    def resting(self) -> list[Order]:
        return [order for order in self.orders.values() if order.open and not order.closes]

    def _accept(self, symbol: str, client: str, qty: Decimal, *, closes: bool) -> Order:
        name = f"{self.name}-{len(self.orders)}"
        order = self.orders[name] = Order(name, client, symbol, qty, closes=closes)
        return order

    def _hold(self, symbol: str, qty: Decimal) -> None:
        self.positions.pop(symbol, None)
        if qty:
            self.positions[symbol] = qty

    # --- what clients ask for --------------------------------------------------------------------------------------

    def carry_out(self, method: str, target: str, body: bytes) -> tuple[int, object]:
        """Status and body of the answer."""
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        *_, last = url.path.split("/")
        match method, url.path.removeprefix("/v2/").split("/"):
            case "DELETE", ["orders"]:
                return 207, [{"id": order.id, "status": self._cancel(order)} for order in self._open()]
            case "DELETE", ["orders", _]:
                order = self.orders[last]
                return (self._cancel(order), None) if order.open else (422, {"message": "it has ended"})
            case "GET", ["orders"]:
                orders = self._open() if query["status"] == "open" else list(self.orders.values())
                return 200, [order.told() for order in _page(orders, query.get("before_order_id"), query["limit"])]
            case "GET", ["account", "activities", "FILL"]:
                fills = [fill["id"] for fill in self.fills]
                end = fills.index(query["page_token"]) if "page_token" in query else len(fills)
                return 200, self.fills[:end][::-1][: int(query["page_size"])]
            case "GET", ["positions"]:
                return 200, [{"symbol": symbol, "qty": f"{qty:f}"} for symbol, qty in self.positions.items()]
            case "DELETE", ["positions", _]:
                return self._close(last)
            case "PATCH", ["account", "configurations"]:
                self.suspended = json.loads(body)["suspend_trade"]
                return 200, {"suspend_trade": self.suspended}
            case "GET", ["account", "configurations"]:
                return 200, {"suspend_trade": self.suspended}
            case "GET", ["clock"]:
                return 200, {"is_open": self.session_open, "next_open": "2026-03-05T09:30:00-05:00"}
        raise AssertionError(f"nobody should ask for {method} {target}")

    def _open(self) -> list[Order]:
        return [order for order in self.orders.values() if order.open]

    def _cancel(self, order: Order) -> int:
        if "207" in self.weather and self._chance.random() < 0.3:
            return 500
        order.open = False
        return 204

    def _close(self, symbol: str) -> tuple[int, object]:
        self.closes_sent += 1
        if self.suspended:
            return 403, {"message": "new orders are rejected by user request"}
        if symbol not in self.positions:
            return 404, {"message": "position does not exist"}
        if at_work := self.at_work(symbol):
            self.wrongs.append(f"{self.name}: a second close of {symbol} came while {at_work[0].id} worked")
        return 200, self._accept(symbol, f"close-{len(self.orders)}", -self.positions[symbol], closes=True).told()


def _page(orders: list[Order], before: str | None, limit: str) -> list[Order]:
    names = [order.id for order in orders]
    end = names.index(before) if before in names else len(orders)
    return orders[:end][::-1][: int(limit)]


class VenueWire:
    """One connection to a harsh venue, in the place of `console.cord.http.Wire`. What has left is carried out, whether
    somebody still waits for the answer or not."""

    def __init__(self, venue: HarshVenue, world: World, deadline: float) -> None:
        self._venue = venue
        self._world = world
        self._closed = False
        self._answer: Answer | Lost | None = None
        self.opened = world.now
        self.request = b""
        world.wait(world.chance.uniform(0, 0.01))
        if self._strikes("refuse", 0.3):
            raise NotSent("connecting: Connection refused")

    def alive(self) -> bool:
        return not self._closed

    def close(self) -> None:
        self._closed = True

    def send_now(self, request: bytes) -> bool:
        self.send(request, self._world.now)
        return True

    def send(self, request: bytes, deadline: float) -> None:
        self._world.wait(self._world.chance.uniform(0, 0.01))
        head, _, body = request.partition(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        # What becomes of a close is what matters most, and reads have to show it.
        chance = 0.6 if "/positions/" in target else 0.1 if method == "GET" else 0.3
        struck = next((name for name in WEATHER[1:] if self._strikes(name, chance)), "")
        self._answer = None
        self._world.spawn(self._venue.process, lambda: self._through(struck, method, target, body))

    def receive(self, deadline: float) -> Answer:
        self._world.wait(max(deadline - self._world.now, 0), until=lambda: self._answer is not None)
        if isinstance(self._answer, Answer):
            return self._answer
        raise self._answer or Lost("waiting for the answer: no answer in time")

    def _through(self, struck: str, method: str, target: str, body: bytes) -> None:
        """The weather on the way there and back."""
        lag = self._world.chance.uniform(0.001, 0.05)
        self._world.wait(self._venue.timeout + self._world.chance.uniform(0, LATE) if struck == "late" else lag)
        if struck == "lost":
            return
        if struck == "error500":
            self._answer = _answer(500, {"message": "internal server error occurred"})
        elif struck == "rate_limited":
            self._answer = _answer(429, {"message": "rate limit exceeded"}, {"retry-after": "1"})
        else:
            status, told = self._venue.carry_out(method, target, body)
            self._answer = _answer(504, "<html>") if struck == "gateway504" else _answer(status, told)
            if struck == "garbled":
                self._answer.body = self._answer.body[: len(self._answer.body) // 2]
            if struck == "carried_out_and_lost":
                self._answer = Lost("the connection was closed before the answer was whole")

    def _strikes(self, name: str, chance: float) -> bool:
        return name in self._venue.weather and self._world.chance.random() < chance


def _answer(status: int, told: object, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, b"" if told is None else json.dumps(told).encode(), 0.01)
