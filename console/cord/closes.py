"""The cord's own closing orders at one venue: each sent once, and never a second before the first is settled."""

from decimal import Decimal, InvalidOperation

from console.cord.forms import Outcome, Row
from console.cord.look import Look
from console.desk.pull import normal_symbol, strategy_of

SETTLE = 3.0
SETTLE_LOOKS = 2
REFUSED_WAIT = 1.0
REFUSED_WAIT_MOST = 60.0


class Close:
    """One close on its way. `qty` is the position it was sent for, `order_id` is empty while its fate is not known;
    `since` (monotonic s) is when the last word on it came or was given up, before that when it was sent, and `again_at`
    when another may be sent after a refusal."""

    __slots__ = ("again_at", "detail", "kind", "looks", "order_id", "qty", "since")

    def __init__(self, qty: Decimal, now: float) -> None:
        self.qty = qty
        self.since = now
        self.kind = "ambiguous"  # until the venue says otherwise
        self.order_id = ""
        self.detail = ""
        self.looks = 0
        self.again_at = 0.0


class Closes:
    """`strategies` are the names whose orders are never taken for ours."""

    def __init__(self, strategies: frozenset[str]) -> None:
        self._strategies = strategies
        self._by_symbol: dict[str, Close] = {}
        self._own: set[str] = set()
        self._idle: dict[str, int] = {}
        self._refusals: dict[str, int] = {}
        self._lost: set[str] = set()

    @property
    def own(self) -> frozenset[str]:
        return frozenset(self._own)

    @property
    def under_way(self) -> bool:
        """Whether any close may still be working at the venue."""
        return bool(self._by_symbol)

    @property
    def notes(self) -> str:
        """Why a close does not get on, the first of them."""
        return next((close.detail for close in self._by_symbol.values() if close.detail), "")

    def settle(self, look: Look, now: float) -> None:
        """Learn from a complete look, positions and all, what became of the closes on their way."""
        still_open = {row.id for row in look.open}
        for symbol, close in list(self._by_symbol.items()):
            close.looks += 1
            settled = close.looks >= SETTLE_LOOKS and now - close.since >= SETTLE  # lists may lag behind an answer
            if close.kind == "ambiguous":
                self._resolve(symbol, close, look, settled)
            elif close.order_id in still_open:
                continue
            elif symbol not in look.positions:
                del self._by_symbol[symbol]
            elif close.kind == "acked" and settled:
                self._ended_short(symbol, close, look.positions[symbol], now)
        self._disown_idle(look)

    def may_close(self, symbol: str, look: Look, now: float) -> bool:
        """One in flight a symbol, and only after that symbol's orders are gone, a close that is still working too."""
        close = self._by_symbol.get(symbol)
        if close is not None and not (close.kind == "refused" and now >= close.again_at):
            return False
        return not any(_same(row.symbol, symbol) for row in look.open)

    def was_lost(self, symbol: str) -> bool:
        """Whether the latest close of this symbol left no trace at the venue, which may have refused it unheard."""
        return symbol in self._lost

    def sending(self, symbol: str, qty: Decimal, now: float) -> None:
        """To be called before the bytes leave: from here on the close may have been carried out."""
        self._by_symbol[symbol] = Close(qty, now)
        self._lost.discard(symbol)

    def sent(self, symbol: str, outcome: Outcome, now: float) -> None:
        close = self._by_symbol[symbol]
        close.kind, close.since = outcome.kind, now
        close.detail = "" if outcome.kind == "acked" else f"close {symbol} {outcome.kind}: {outcome.detail}"
        if outcome.kind == "refused":
            self._refused(symbol, close, now, outcome.retry_after or 0.0)
        if outcome.order_id:
            close.order_id = outcome.order_id
            self._own.add(outcome.order_id)

    def clear_refusals(self) -> None:
        """What made the venue refuse is gone: closes that it refused may be sent now."""
        self._refusals.clear()
        for close in self._by_symbol.values():
            close.again_at = 0.0

    def inherit(self, sent: dict[str, str], own: set[str], given_up: float) -> None:
        """After a restart: the closes that the hand before sent (symbol to signed quantity) are in doubt until they had
        time to show, and the orders it knew to be its own (`own`) are ours. `given_up` (monotonic s) is when that hand
        would have ceased to wait for an answer, at the latest."""
        self._own |= own
        for symbol, qty in sent.items():
            self._by_symbol.setdefault(symbol, Close(Decimal(qty), given_up))

    def _resolve(self, symbol: str, close: Close, look: Look, settled: bool) -> None:
        known = (row for row in look.open if row.id in self._own and _same(row.symbol, symbol))  # an inherited one
        shown = (row for row in (*look.new, *look.open) if row.id not in self._own)
        found = next(known, None) or next((row for row in shown if self._closes(row, symbol, close.qty)), None)
        if found is not None:
            close.kind, close.order_id, close.detail, close.looks = "acked", found.id, "", 0
            self._own.add(found.id)
        elif settled:
            del self._by_symbol[symbol]  # two complete looks over seconds, and no order of it: it never arrived
            self._lost.add(symbol)

    def _closes(self, row: Row, symbol: str, qty: Decimal) -> bool:
        """Whether an order is just what a close of this quantity asks for: then it is not cancelled."""
        try:
            same_size = Decimal(row.qty) == abs(qty)
        except InvalidOperation:
            same_size = False
        return (
            same_size
            and _same(row.symbol, symbol)
            and row.side.startswith("sell") == (qty > 0)
            and strategy_of(row.client or "") not in self._strategies
        )

    def _ended_short(self, symbol: str, close: Close, left: Decimal, now: float) -> None:
        """The order of a close is gone and a position is left. Where it closed nothing at all, the venue rejected it
        behind its answer: that is a refusal, and the next one waits as after one."""
        if left == close.qty:
            close.kind, close.detail = "refused", f"close {symbol} was accepted, and closed nothing"
            self._refused(symbol, close, now, 0.0)
        else:
            del self._by_symbol[symbol]

    def _refused(self, symbol: str, close: Close, now: float, asked: float) -> None:
        refusals = self._refusals[symbol] = self._refusals.get(symbol, 0) + 1
        close.again_at = now + max(asked, min(REFUSED_WAIT * 2 ** min(refusals - 1, 10), REFUSED_WAIT_MOST))

    def _disown_idle(self, look: Look) -> None:
        """A close that still works where nothing is held any more would open a position: it is one more order to
        cancel. Two looks in a row, because one may fall between a fill and the list of positions."""
        held = {normal_symbol(symbol) for symbol in look.positions}
        idle = (row.id for row in look.open if row.id in self._own and normal_symbol(row.symbol) not in held)
        self._idle = {order_id: self._idle.get(order_id, 0) + 1 for order_id in idle}
        self._own -= {order_id for order_id, looks in self._idle.items() if looks >= SETTLE_LOOKS}


def _same(one: str, other: str) -> bool:
    return normal_symbol(one) == normal_symbol(other)
