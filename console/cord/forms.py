"""A venue as the cord asks it: request forms that an adapter declared as data, sent and read with the standard library.

A *form* names each request (`method`, `path` with `{id}`/`{symbol}` slots, optional `body`), how a list is paged
(`page` is added to the path with the last id, `full` is the length of a page that may have a next one), the headers
(with `{key_id}`/`{secret}` slots) and the names of the fields to read. See `adapters.base.Venue.cord_form`.

Reads return complete lists or raise `Unread`; there is no shorter list that means "I could not see everything".
"""

import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from console.cord.http import Answer, HttpError, Lost, NotSent, Wire, request_bytes
from console.cord.keys import keys_of
from console.cord.plan import VenuePlan

PAGES = 400
ALREADY_COME = 0.05

Tap = Callable[[str, bytes, Answer | HttpError, float], object]
"""Is told what came of each request once that is known: the venue's name, the request as it was sent, keys and all, the
answer or why there is none, seconds. It returns at once and never raises."""


class Unread(Exception):
    """A read failed: nothing is known. `retry_after` is in seconds where the venue asked to wait; `unauthorized` where
    it does not know the key."""

    def __init__(self, why: str, retry_after: float | None = None, *, unauthorized: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.retry_after = retry_after
        self.unauthorized = unauthorized


class Outcome:
    """What became of a write. `kind` is acked, refused (proven not done) or ambiguous."""

    __slots__ = ("detail", "failed", "items", "kind", "order_id", "retry_after", "status", "took_ms")

    def __init__(self, kind: str, detail: str = "", answer: Answer | None = None) -> None:
        self.kind = kind
        self.detail = detail
        self.status = answer.status if answer else 0
        self.took_ms = int(answer.took * 1000) if answer else 0
        self.retry_after = answer.retry_after if answer else None
        self.items = 0
        self.failed: tuple[str, ...] = ()
        self.order_id = ""

    @property
    def told(self) -> tuple[object, ...]:
        """What a record of it says, but for the time it took."""
        return (self.kind, self.status, self.detail, self.items, self.failed)


class Row:
    """An order or a fill as far as the cord cares. `order` is the order of a fill, the id itself for an order; `client`
    is the order's client id, None where it is not known (of a fill, see look.py). What a form does not name, or the
    venue does not say, is empty; such an order is never taken for a protective one."""

    __slots__ = (
        "client", "created", "filled", "id", "order", "order_class", "qty", "side", "status", "symbol", "type",
    )  # fmt: skip

    def __init__(self, told: dict[str, Any], fields: dict[str, str]) -> None:
        """Raises KeyError or TypeError where `told` does not name an order or a fill."""
        self.id = _text(told[fields["id"]])
        self.symbol = _text(told[fields["symbol"]])
        self.client: str | None = str(told.get(fields["client"]) or "") if "client" in fields else None
        self.status = str(told.get(fields.get("status", ""), ""))
        self.side = str(told.get(fields.get("side", ""), ""))
        self.qty = str(told.get(fields.get("qty", ""), ""))
        self.order = str(told.get(fields.get("order", ""), self.id))
        self.filled = str(told.get(fields.get("filled", ""), ""))
        self.type = str(told.get(fields.get("type", ""), ""))
        self.order_class = str(told.get(fields.get("order_class", ""), ""))
        self.created = str(told.get(fields.get("created", ""), ""))


class FormHand:
    """The cord's hand at one venue. One thread at a time; of no use before `read_keys`."""

    def __init__(self, venue: VenuePlan, tap: Tap | None = None) -> None:
        self.venue = venue
        self._tap = tap
        self.name = venue.name
        self.cancel_all_bytes = b""
        self.has_keys = False
        self._headers: dict[str, str] = {}
        self._secrets: tuple[str, ...] = ()
        self._reading: Wire | None = None

    def read_keys(self) -> None:
        """Read the key file, for the first time or because it may have been replaced. Blocks for as long as the disk
        does; raises KeyFileError."""
        key_id, secret = keys_of(self.venue.keys)
        forms = self.venue.form["headers"]
        self._headers = {name: value.format(key_id=key_id, secret=secret) for name, value in forms.items()}
        self._secrets = (key_id, secret)
        self.cancel_all_bytes = self._bytes("cancel_all") if self.can("cancel_all") else b""
        self.has_keys = True

    def can(self, what: str) -> bool:
        return what in self.venue.form

    def connect(self) -> Wire:
        """A fresh connection. Raises NotSent."""
        venue = self.venue
        deadline = time.monotonic() + min(venue.timeout, 3.0)
        return Wire(venue.host, venue.port, tls=venue.tls, deadline=deadline)

    def close(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    # --- writes ------------------------------------------------------------------------------------------------------

    def cancel_all(self) -> Outcome:
        """The venue's bulk cancel, on a fresh connection."""
        return self.bulk_outcome(self._write("cancel_all"))

    def cancel(self, order_id: str) -> Outcome:
        return self._outcome(self._write("cancel", id=order_id))

    def suspend(self) -> Outcome:
        """The venue takes no new order from anybody."""
        return self._outcome(self._write("suspend"))

    def unsuspend(self) -> Outcome:
        return self._outcome(self._write("unsuspend"))

    def close_positions(self, symbols: list[str]) -> Iterator[tuple[str, Outcome]]:
        """The venue's own close call for each: it works out side and size from its own truth, so it can not flip. All
        are sent before the first answer is waited for; where one can not be, none behind it is."""
        sent: dict[str, Wire | NotSent] = {}
        for symbol in symbols:
            last = next(reversed(sent.values()), None)
            sent[symbol] = last if isinstance(last, NotSent) else self._send("close", symbol=symbol)
        deadline = time.monotonic() + self.venue.timeout
        for symbol, wire in sent.items():
            come = time.monotonic() + ALREADY_COME  # behind one that was waited for in vain
            yield symbol, self._close_outcome(self._receive(wire, max(deadline, come)))

    def _close_outcome(self, answer: Answer | HttpError) -> Outcome:
        outcome = self._outcome(answer)
        if outcome.kind == "acked" and isinstance(answer, Answer):
            try:
                outcome.order_id = _text(answer.json()[self._field("order", "id")])
            except (ValueError, KeyError, TypeError):
                outcome.kind, outcome.detail = "ambiguous", "accepted, but the answer names no order"
        return outcome

    def bulk_outcome(self, answer: Answer | HttpError) -> Outcome:
        """A bulk call is done item by item: 2xx alone proves nothing."""
        outcome = self._outcome(answer)
        if outcome.kind != "acked" or not isinstance(answer, Answer):
            return outcome
        fields = self.venue.form["fields"]["item"]
        try:
            order_id, status = fields["id"], fields["status"]
            items = [(_text(item[order_id]), item[status]) for item in answer.json()]
            refused = {told for told in {told for _, told in items} if not 200 <= int(_text(told)) < 300}
        except (ValueError, KeyError, TypeError):
            return Outcome("ambiguous", "the answer to the bulk call can not be read", answer)
        outcome.items = len(items)
        outcome.failed = tuple(order for order, told in items if told in refused) if refused else ()
        return outcome

    def receive_bulk(self, wire: Wire, deadline: float) -> Outcome:
        """What became of `cancel_all_bytes` that were sent on `wire` before."""
        return self.bulk_outcome(self._receive(wire, deadline))

    # --- reads -------------------------------------------------------------------------------------------------------

    def open_orders(self) -> list[Row]:
        """Every open order of the account. Raises Unread."""
        return self._rows("open_orders", "order", until=frozenset())

    def orders(self, known: frozenset[str] | None) -> list[Row]:
        """Orders of every state, newest first: those newer than all in `known`, or, for None, the newest page only
        (what stood before a watch began). Raises Unread."""
        return self._rows("orders", "order", until=known)

    def fills(self, known: frozenset[str] | None) -> list[Row]:
        """As `orders`, for executions."""
        return self._rows("fills", "fill", until=known)

    def positions(self) -> dict[str, Decimal]:
        """Symbol to signed quantity, without zeros. Raises Unread."""
        symbol, qty = self._field("position", "symbol"), self._field("position", "qty")
        listed = self._list("positions")
        try:
            held = {_text(told[symbol]): Decimal(_text(told[qty])) for told in listed}
        except (KeyError, TypeError, InvalidOperation):
            raise Unread("positions: an entry can not be read") from None
        if len(held) < len(listed):
            raise Unread("positions: one symbol is listed twice")
        if not all(qty.is_finite() for qty in held.values()):
            raise Unread("positions: a quantity is not a number")
        return {symbol: qty for symbol, qty in held.items() if qty}

    def session(self) -> tuple[bool, str]:
        """Whether the venue is open, and when it opens next as it says it. Raises Unread."""
        told = self._get("clock", self._path("clock"))
        try:
            is_open, next_open = told[self._field("clock", "open")], told[self._field("clock", "next_open")]
        except (KeyError, TypeError):
            raise Unread("clock: the answer can not be read") from None
        if not isinstance(is_open, bool):
            raise Unread("clock: the answer can not be read")
        return is_open, str(next_open)

    def suspended(self) -> bool:
        """Whether the venue takes no orders because somebody suspended it. Raises Unread."""
        told = self._get("settings", self._path("settings"))
        flag = told.get(self._field("settings", "suspended")) if isinstance(told, dict) else None
        if not isinstance(flag, bool):
            raise Unread("settings: the answer can not be read")
        return flag

    def _rows(self, what: str, kind: str, *, until: frozenset[str] | None) -> list[Row]:
        """Page on until a page is not full, or until one holds something of `until`; None: one page is asked for."""
        form, fields = self.venue.form[what], self.venue.form["fields"][kind]
        rows: dict[str, Row] = {}
        path = self._path(what)
        for _ in range(PAGES):
            try:
                page = [Row(told, fields) for told in self._list(what, path)]
            except (KeyError, TypeError):
                raise Unread(f"{what}: an entry can not be read") from None
            before = len(rows)
            rows.update((row.id, row) for row in page)
            met = until is not None and any(row.id in until for row in page)
            if until is None or met or len(page) < int(form["full"]):
                return [row for row in rows.values() if not until or row.id not in until]
            if len(rows) == before:
                raise Unread(f"{what}: the venue gives the same page again")
            path = self._path(what) + form["page"].format(last=quote(page[-1].id, safe=""))
        raise Unread(f"{what}: more than {PAGES} pages")

    def _list(self, what: str, path: str | None = None) -> list[Any]:
        told = self._get(what, path or self._path(what))
        if not isinstance(told, list):
            raise Unread(f"{what}: a list was expected")
        return told

    def _get(self, what: str, path: str) -> Any:
        answer = self._read(request_bytes(self.venue.host, "GET", path, self._headers))
        if answer.status != 200:
            refused = answer.status in (401, 403)
            raise Unread(f"{what}: HTTP {answer.status}", answer.retry_after, unauthorized=refused)
        try:
            return answer.json()
        except ValueError:
            raise Unread(f"{what}: the answer is not JSON") from None

    def _read(self, request: bytes) -> Answer:
        """Reads may be repeated: once on the kept connection, then, where time is left, on a fresh one."""
        deadline = time.monotonic() + self.venue.timeout
        if self._reading is not None and self._reading.alive():
            try:
                return self._ask(self._reading, request, deadline)
            except HttpError as error:
                if time.monotonic() >= deadline:
                    raise Unread(str(error)) from None
        self.close()
        try:
            self._reading = self.connect()
        except NotSent as error:
            self._tell(request, error)
            raise Unread(str(error)) from None
        try:
            return self._ask(self._reading, request, deadline)
        except HttpError as error:
            raise Unread(str(error)) from None

    def _ask(self, wire: Wire, request: bytes, deadline: float) -> Answer:
        try:
            wire.send(request, deadline)
            answer = wire.receive(deadline)
        except HttpError as error:
            self._tell(request, error, wire)
            self.close()
            raise
        self._tell(request, answer, wire)
        return answer

    # --- requests ----------------------------------------------------------------------------------------------------

    def _field(self, kind: str, name: str) -> str:
        field: str = self.venue.form["fields"][kind][name]
        return field

    def _path(self, what: str, **slots: str) -> str:
        form: str = self.venue.form[what]["path"]
        path: str = form.format(**{name: quote(value, safe="") for name, value in slots.items()})
        return self.venue.prefix + path

    def _bytes(self, what: str, **slots: str) -> bytes:
        form = self.venue.form[what]
        body = json.dumps(form["body"]).encode() if "body" in form else b""
        return request_bytes(self.venue.host, form["method"], self._path(what, **slots), self._headers, body)

    def _write(self, what: str, **slots: str) -> Answer | HttpError:
        """Sent once, on a fresh connection. The failure is returned, so that no caller can forget it."""
        return self._receive(self._send(what, **slots), time.monotonic() + self.venue.timeout)

    def _send(self, what: str, **slots: str) -> Wire | NotSent:
        request = self._bytes(what, **slots)
        try:
            wire = self.connect()
            wire.send(request, time.monotonic() + self.venue.timeout)
        except NotSent as error:
            self._tell(request, error)
            return error
        return wire

    def _receive(self, sent: Wire | NotSent, deadline: float) -> Answer | HttpError:
        if isinstance(sent, NotSent):
            return sent
        answer: Answer | HttpError
        try:
            answer = sent.receive(deadline)
        except HttpError as error:
            answer = error
        finally:
            sent.close()
        self._tell(sent.request, answer, sent)
        return answer

    def _outcome(self, answer: Answer | HttpError) -> Outcome:
        """2xx: acknowledged. 4xx: the venue says that it did not. Everything else says nothing about what was done."""
        if isinstance(answer, Lost):
            return Outcome("ambiguous", str(answer))
        if isinstance(answer, HttpError):
            return Outcome("refused", str(answer))  # not sent
        if 200 <= answer.status < 300:
            return Outcome("acked", "", answer)
        if 400 <= answer.status < 500 and answer.status != 408:
            return Outcome("refused", f"HTTP {answer.status} {self._message(answer)}".rstrip(), answer)
        return Outcome("ambiguous", f"HTTP {answer.status}", answer)

    def _message(self, answer: Answer) -> str:
        """What the venue says of its refusal, without the keys that it may quote: this is journaled and shown."""
        try:
            told = answer.json()
        except ValueError:
            return ""
        if not isinstance(told, dict) or "message" not in told:
            return ""
        from console.desk.hidden import blot, spelled  # only a refusal needs it

        return blot(str(told["message"]), spelled(self._secrets))[:200]

    def _tell(self, request: bytes, answer: Answer | HttpError, wire: Wire | None = None) -> None:
        if self._tap is not None:
            seconds = answer.took if isinstance(answer, Answer) else wire.waited if wire else 0.0
            self._tap(self.name, request, answer, seconds)


def _text(told: Any) -> str:
    """What has to be text in an answer, or a number, which is kept as text. Raises TypeError: null names nothing, and
    false is not zero."""
    if not isinstance(told, str) or not told:
        raise TypeError(f"text is expected: {told!r}")
    return told
