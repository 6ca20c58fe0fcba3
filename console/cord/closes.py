"""The cord's own closing orders at one venue: each sent once, and never a second before the first is settled."""

from decimal import Decimal

from console.cord.forms import Outcome, Row
from console.cord.look import Look
from console.desk.pull import strategy_of

SETTLE = 3.0
SETTLE_LOOKS = 2
REFUSED_WAIT = 1.0
REFUSED_WAIT_MOST = 60.0


class Close:
    """One close on its way. `order_id` is empty while its fate is not known; `again_at` (monotonic s) is when another
    may be sent after a refusal."""

    __slots__ = ("again_at", "detail", "kind", "looks", "order_id", "sell", "sent_at")

    def __init__(self, qty: Decimal, now: float) -> None:
        self.sell = qty > 0
        self.sent_at = now
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
        self._refusals: dict[str, int] = {}

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
        """Learn from a complete look what became of the closes on their way."""
        still_open = {row.id for row in look.open}
        for symbol, close in list(self._by_symbol.items()):
            close.looks += 1
            if close.kind == "ambiguous":
                self._resolve(symbol, close, look, now)
            elif close.kind == "acked" and close.order_id not in still_open and close.looks >= SETTLE_LOOKS:
                del self._by_symbol[symbol]  # filled, or ended short: the position that is left says which
            elif symbol not in look.positions and close.order_id not in still_open:
                del self._by_symbol[symbol]

    def may_close(self, symbol: str, look: Look, now: float) -> bool:
        """One in flight a symbol, and only after that symbol's other orders are gone."""
        close = self._by_symbol.get(symbol)
        if close is not None and not (close.kind == "refused" and now >= close.again_at):
            return False
        return not any(row.symbol == symbol and row.id not in self._own for row in look.open)

    def sending(self, symbol: str, qty: Decimal, now: float) -> None:
        """To be called before the bytes leave: from here on the close may have been carried out."""
        self._by_symbol[symbol] = Close(qty, now)

    def sent(self, symbol: str, outcome: Outcome, now: float) -> None:
        close = self._by_symbol[symbol]
        close.kind = outcome.kind
        close.detail = "" if outcome.kind == "acked" else f"close {symbol} {outcome.kind}: {outcome.detail}"
        if outcome.kind == "refused":
            refusals = self._refusals[symbol] = self._refusals.get(symbol, 0) + 1
            patience = min(REFUSED_WAIT * 2 ** (refusals - 1), REFUSED_WAIT_MOST)
            close.again_at = now + max(outcome.retry_after or 0.0, patience)
        if outcome.order_id:
            close.order_id = outcome.order_id
            self._own.add(outcome.order_id)

    def clear_refusals(self) -> None:
        """What made the venue refuse is gone: closes that it refused may be sent now."""
        self._refusals.clear()
        for close in self._by_symbol.values():
            close.again_at = 0.0

    def inherit(self, sent: dict[str, str], own: set[str], now: float) -> None:
        """After a restart: the closes that the hand before sent (symbol to signed quantity) are in doubt until they had
        time to show, and the orders it knew to be its own (`own`) are ours."""
        self._own |= own
        for symbol, qty in sent.items():
            self._by_symbol.setdefault(symbol, Close(Decimal(qty), now))

    def _resolve(self, symbol: str, close: Close, look: Look, now: float) -> None:
        rows = [row for row in (*look.new, *look.open) if row.id not in self._own]
        found = next((row for row in rows if self._is_ours(row, symbol, close)), None)
        if found is not None:
            close.kind, close.order_id, close.detail, close.looks = "acked", found.id, "", 0
            self._own.add(found.id)
        elif close.looks >= SETTLE_LOOKS and now - close.sent_at >= SETTLE:
            del self._by_symbol[symbol]  # two complete looks over seconds, and no order of it: it never arrived

    def _is_ours(self, row: Row, symbol: str, close: Close) -> bool:
        return (
            row.symbol == symbol
            and row.side.startswith("sell") == close.sell
            and strategy_of(row.client) not in self._strategies
        )
