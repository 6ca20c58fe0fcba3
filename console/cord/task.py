"""One pull at one venue: what the looks have proven so far. Pure judgement; the worker does what it asks for."""

import time
from decimal import Decimal

from console.cord.forms import Row
from console.cord.look import Look
from console.cord.plan import covers_account, in_bulk, order_in, position_in
from console.cord.request import PullRequest
from console.desk.protective import LINKED
from console.desk.pull import Level, Scope, Verdict, normal_symbol, strategy_of

GRACE = 2.0
CLOSES_EXPIRE = 600.0


class Task:
    """An `adopted` task was begun by a hand that is gone. `strategies` are the desk's, by whose names their orders are
    known. `started` and `quiet_from` are monotonic seconds. The three times are UTC ns, 0 until proven, and go back to
    0 when a later look disproves them."""

    def __init__(
        self,
        request: PullRequest,
        venue: str,
        quiet: float,
        started: float,
        strategies: frozenset[str] = frozenset(),
    ) -> None:
        self.request = request
        self.adopted = False
        self.venue = venue
        self.level = Level(request.level)
        self.scope = Scope.parse(request.scope)
        self.in_bulk = in_bulk(request)
        self.strategies = strategies
        self.quiet = quiet
        self.started = started
        self.verdict = Verdict.REQUESTED
        self.why = "sent, not answered yet"
        self.standing: tuple[str, ...] = ()
        self.positions: tuple[str, ...] = ()
        self.kept: tuple[str, ...] = ()
        self.refused: dict[str, str] = {}
        self.quiet_from: float | None = None
        self.quiet_why = ""
        self.suspend_due = False
        self.t_blocked = 0
        self.t_flat = 0
        self.t_verified = 0
        self._blind_why = ""

    @classmethod
    def adopt(
        cls,
        request: PullRequest,
        venue: str,
        quiet: float,
        started: float,
        strategies: frozenset[str],
        proven: "tuple[int, int, int] | None",
    ) -> "Task":
        """A task that another hand began. `proven` are its three times where it was verified: then it is watched on,
        and not proven anew."""
        task = cls(request, venue, quiet, started, strategies)
        task.adopted = True
        if proven is not None:
            task.t_blocked, task.t_flat, task.t_verified = proven
            task.verdict, task.why = Verdict.VERIFIED, task._proof
            task.quiet_from = time.monotonic() - quiet
        return task

    @property
    def _proof(self) -> str:
        return f"{self._nothing_open}, {self.quiet:g} s without a new order or fill"

    @property
    def _nothing_open(self) -> str:
        return f"nothing open but {len(self.kept)} kept to protect" if self.kept else "nothing open"

    @property
    def verified(self) -> bool:
        return self.verdict is Verdict.VERIFIED

    @property
    def needs_positions(self) -> bool:
        """L3 alone is judged without them: a venue that can not list positions has still proven its orders gone."""
        return self.level is not Level.L3 or self.request.keep_protective

    @property
    def may_suspend(self) -> bool:
        """Whether the venue's account may be suspended for this pull: that stops everybody's new orders."""
        return self.level.cancels and covers_account(self.scope) and not self.request.own_only

    @property
    def left_to_guard(self) -> bool:
        """Whether the strategies' word alone is missing. A hand without a guard can not hear it: the next guard takes
        the pull over, and must find that nobody works at it."""
        return not self.level.cancels and self.verdict is Verdict.REQUESTED and self.t_blocked > 0

    @property
    def quiet_runs(self) -> bool:
        """Whether nothing stands and time alone is missing."""
        return self.verdict is Verdict.REQUESTED and self.quiet_from is not None

    def next_look(self) -> float:
        """Seconds until a look is worth it while the quiet clock runs."""
        left = self.quiet - (time.monotonic() - (self.quiet_from or 0.0))
        return max(min(self.quiet / 12, 5.0, left), 0.02)

    @property
    def shown(self) -> tuple[object, ...]:
        """What a verdict record would say; a new record is due when this changes."""
        times = (self.t_blocked, self.t_flat, self.t_verified)
        return (self.verdict, self.why, self.standing, self.positions, self.kept, *times)

    def closes_expired(self, now: float) -> bool:
        return now - self.started > CLOSES_EXPIRE

    def orders_to_cancel(self, look: Look, own: frozenset[str]) -> list[Row]:
        """Open orders that may be cancelled now: the standing ones, but those that may prove to protect."""
        spared = look.keeping.doubted if self.request.keep_protective else frozenset()
        return [row for row in self.orders_standing(look, own) if row.id not in spared]

    def orders_standing(self, look: Look, own: frozenset[str]) -> list[Row]:
        """Open orders in scope that this pull wants gone. The cord's own closes are not, nor what it keeps."""
        kept = {row.id for row in self.orders_kept(look)}
        return [row for row in self._open(look) if row.id not in own and row.id not in kept]

    def orders_kept(self, look: Look) -> list[Row]:
        """Open orders in scope that are proven to protect, where this pull keeps those."""
        kept = look.keeping.kept if self.request.keep_protective else frozenset()
        return [row for row in self._open(look) if row.id in kept]

    def _open(self, look: Look) -> list[Row]:
        return [row for row in look.open if self._covers(row)] if self.level.cancels else []

    def positions_to_close(self, look: Look) -> dict[str, Decimal]:
        if not self.level.flattens:
            return {}
        return {symbol: qty for symbol, qty in look.positions.items() if position_in(self.scope, symbol)}

    def blind(self, why: str) -> None:
        """A read failed: whatever was proven before, nothing is known now. The quiet clock runs on, because the next
        complete look shows every order and fill of the whole interval. Another reason than the one shown counts when it
        is given twice running: a venue that fails now in this way and now in that must not fill the journal."""
        if self.verdict is not Verdict.UNKNOWN or why == self._blind_why:
            self.why = why
        self.verdict, self._blind_why = Verdict.UNKNOWN, why

    def judge(self, look: Look, own: frozenset[str], now: float, waiting_for: tuple[str, ...], note: str) -> None:
        """Take a complete look into account. `own` are the cord's own closing orders, `waiting_for` strategies that
        have not acknowledged their gate (L1/L2), `note` what explains that something still stands."""
        restless = self._restless(look, own)
        standing = self.orders_standing(look, own)
        positions = self.positions_to_close(look)
        self.standing = tuple(row.id for row in standing)
        self.kept = tuple(_kept(row) for row in self.orders_kept(look))
        self.positions = tuple(f"{symbol} {qty.normalize():f}" for symbol, qty in sorted(positions.items()))
        self.refused = {order: why for order, why in self.refused.items() if order in self.standing}
        self._times(look, standing, positions)
        if standing or positions:
            self._stands(now, note or restless)
        elif waiting_for and not self.level.cancels:
            self._restart_quiet(None, "")
            self.verdict, self.why = Verdict.REQUESTED, f"waiting for {', '.join(waiting_for)} to acknowledge the gate"
        else:
            self._quieten(look, restless, now)

    def _covers(self, row: Row) -> bool:
        """Whether an order or a fill falls into the scope. A fill of an order that nobody here saw may be anybody's."""
        if row.client is None:
            return self.scope.kind == "strategy" or order_in(self.scope, symbol=row.symbol, client_order_id="")
        if self.request.own_only and strategy_of(row.client) not in self.strategies and row.order_class not in LINKED:
            return False  # a leg bears an id of the venue's making: it may be a strategy's
        return order_in(self.scope, symbol=row.symbol, client_order_id=row.client)

    def _restless(self, look: Look, own: frozenset[str]) -> str:
        """What in this look breaks the quiet, in words."""
        new = [row for row in look.new if row.id not in own | look.spared and self._covers(row)]
        if not self.level.cancels:  # closing is allowed under L1 and L2
            new = [row for row in new if enters(row, look.positions)]
            return f"new entry {new[0].id}" if new else ""
        if new:
            self.suspend_due = True
            return f"new order {new[0].id}"
        fills = [row for row in look.fills if row.order not in own and self._covers(row)]
        return f"late fill {fills[0].symbol} of order {fills[0].order}" if fills else ""

    def _times(self, look: Look, standing: list[Row], positions: dict[str, Decimal]) -> None:
        self.t_blocked = 0 if standing else self.t_blocked or look.ts
        self.t_flat = 0 if positions or not self.level.flattens else self.t_flat or look.ts

    def _stands(self, now: float, note: str) -> None:
        self._restart_quiet(None, "")
        self.t_verified = 0
        parts = []
        if self.standing:
            parts.append(f"{len(self.standing)} order{'s' * (len(self.standing) > 1)} still open")
        if self.positions:
            parts.append(f"{len(self.positions)} position{'s' * (len(self.positions) > 1)} still held")
        young = now - self.started < GRACE and not self.refused and not note
        self.verdict = Verdict.REQUESTED if young else Verdict.PARTIAL
        notes = [note] if note else sorted(set(self.refused.values()))[:1]
        self.why = "; ".join([", ".join(parts), *notes])

    def _quieten(self, look: Look, restless: str, now: float) -> None:
        if restless:
            self._restart_quiet(now, restless)
        elif self.quiet_from is None:
            self._restart_quiet(look.since, self._nothing_open)
        quiet_from = self.quiet_from if self.quiet_from is not None else now
        if look.begun - quiet_from < self.quiet:
            self.t_verified = 0
            self.verdict, self.why = Verdict.REQUESTED, f"{self._nothing_open}, {self.quiet:g} s of quiet to prove"
            return
        self.t_verified = self.t_verified or look.ts
        self.verdict, self.why = Verdict.VERIFIED, self._proof

    def _restart_quiet(self, at: float | None, why: str) -> None:
        self.quiet_from, self.quiet_why = at, why


def _kept(row: Row) -> str:
    """An order by its id, and what it does."""
    return f"{row.id} {row.side} {row.qty} {row.symbol} {row.type}"


def enters(row: Row, positions: dict[str, Decimal]) -> bool:
    """Whether an order can raise exposure: it does not oppose a position, or is larger than it."""
    held = sum(
        (qty for symbol, qty in positions.items() if normal_symbol(symbol) == normal_symbol(row.symbol)), Decimal(0)
    )
    try:
        qty = Decimal(row.qty)
    except ArithmeticError:
        return True  # an order by notional: its size is not known beforehand
    opposes = held > 0 if row.side.startswith("sell") else held < 0
    return not (opposes and qty <= abs(held))
