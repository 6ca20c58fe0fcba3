"""Bringing the books to broker truth: what each difference is, whose book takes it, and why some must not be touched.

The broker's side stands. Fills explain first: one that is in no book is the book's of the strategy that ordered it. A
fill that no strategy ordered (the cord's close, a hand) and whatever no fill explains go to the strategies that hold
the symbol, each in proportion, as long as it makes what they hold together smaller; anything else has to have exactly
one strategy that it can belong to. Nothing is guessed: what has no such answer is shown with its way out. Pure.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_DOWN, Decimal

from console.desk.events import Adjustment, Change, Filled, Plain, Position, encode
from console.desk.pull import GateState, Scope, normal_symbol, strategy_of
from console.desk.reconcile import EXACT, Break, ComparedOrder, ComparedPosition, ComparedVenue
from console.desk.state import DeskState
from console.desk.timeline import some
from console.desk.words import SECOND, count

ZERO = Decimal(0)
FORGOTTEN_AFTER = 24 * 3600 * SECOND
"""A venue may have forgotten what is older: that it does not know it proves nothing then."""

ENDED = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
SETTLED_BY_HAND = "its host takes no adjustment: put it right in the bot, the next comparison notices"


# --- what a host tells, and is told ---------------------------------------------------------------------------------


class Execution(Plain, frozen=True):
    """A fill as a book has it: signed quantity, and the venue's time in UTC ns."""

    id: str
    symbol: str
    qty: Decimal
    price: Decimal
    at: int


class BookOrder(Plain, frozen=True):
    """An order that a book takes for working. `client_order_id` is empty where the venue made it (a bracket's leg);
    `at` is when the book noted it, UTC ns, 0 where it does not know."""

    id: str
    client_order_id: str = ""
    at: int = 0


class Ledger(Plain, frozen=True):
    """A strategy's book in full, of one moment. `executions` are its newest fills, in any order, and `complete` says
    whether they are all; `legs` is every order that a venue made to go with one of its own."""

    strategy: str
    positions: tuple[Position, ...]
    orders: tuple[BookOrder, ...] = ()
    executions: tuple[Execution, ...] = ()
    legs: tuple[str, ...] = ()
    complete: bool = True

    def tells(self, at: int) -> bool:
        """Whether a fill of that time would be among its executions."""
        return self.complete or at >= min((each.at for each in self.executions), default=0)

    def held(self, symbol: str) -> Decimal:
        return sum((each.qty for each in self.positions if normal_symbol(each.symbol) == symbol), ZERO)


class Take(Plain, frozen=True):
    """Signed `qty` at `price`, for these `executions`, the oldest of which happened `at` (UTC ns); see Change."""

    symbol: str
    qty: Decimal
    price: Decimal
    executions: tuple[str, ...] = ()
    at: int = 0


class Correction(Plain, frozen=True):
    """What a host is asked to do to its book, all of it or nothing; the same `id` again changes nothing. It refuses
    unless it `holds` exactly this, and where it knows one of the executions."""

    id: str
    holds: dict[str, Decimal]
    takes: tuple[Take, ...] = ()
    ended: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()


# --- the plan -------------------------------------------------------------------------------------------------------


class Fate(Plain, frozen=True):
    """What a venue says of an order that is not open there: its `status`, empty where it says that it never had it; or
    why that is `unknown`."""

    status: str = ""
    unknown: str = ""


class Seen(Plain, frozen=True):
    """One venue as it was read for this request. `ledgers` of the strategies whose hosts take adjustments; `fills` the
    venue's own, as far back as the ledgers tell theirs; `fates` of the orders that only books have. `unknown` names
    what could not be read."""

    venue: ComparedVenue
    ledgers: tuple[Ledger, ...] = ()
    fills: tuple[Filled, ...] = ()
    fates: dict[str, Fate] = {}
    prices: dict[str, Decimal] = {}
    unknown: tuple[str, ...] = ()


class Row(Plain, frozen=True):
    """One difference, and what confirming its class makes of the books; `barred` is why it can not be confirmed."""

    venue: str
    adjustment: Adjustment
    barred: str = ""

    @property
    def kind(self) -> str:
        return self.adjustment.kind


class Plan(Plain, frozen=True):
    """Everything that differs. `unknown` says which sources failed: where one did, nothing of its venue is adjusted."""

    rows: tuple[Row, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The classes that there are, those first that can be confirmed."""
        found = {row.kind for row in self.rows}
        told = [kind.value for kind in Break if kind.value in found]
        return tuple(sorted(told, key=lambda kind: not self.takes(kind)))

    def of(self, kind: str) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.kind == kind)

    def takes(self, kind: str) -> tuple[Row, ...]:
        """The rows of a class that confirming it would carry out."""
        return tuple(row for row in self.of(kind) if not row.barred)

    @property
    def open(self) -> tuple[str, ...]:
        """The classes that can be confirmed."""
        return tuple(kind for kind in self.kinds if self.takes(kind))

    @property
    def says(self) -> str:
        """How things stand, in a sentence."""
        if self.unknown:
            return f"not everything could be read, and nothing is adjusted there: {some(self.unknown)}"
        if not self.rows:
            return "book and broker are equal"
        able = sum(not row.barred for row in self.rows)
        return f"{count(len(self.rows), 'difference')}, of which {able} can be adjusted"

    @property
    def digest(self) -> str:
        """Changes as soon as either side of anything, or what would be made of it, does."""
        return hashlib.sha256(encode(self)).hexdigest()


NOTHING_READ = Plan(unknown=("nothing was read",))


class Outcome(Plain, frozen=True):
    """The guard's answer: whether hosts were asked to put their books right, `said` in a sentence, and how things stand
    now."""

    adjusted: bool
    said: str
    plan: Plan = NOTHING_READ

    @property
    def clean(self) -> bool:
        """Proven equal."""
        return not self.plan.rows and not self.plan.unknown


def plan(state: DeskState, seen: Iterable[Seen], now: int) -> Plan:
    """What differs at these venues and what can be made of it, at `now` (UTC ns)."""
    rows: list[Row] = []
    unknown: list[str] = []
    for each in seen:
        failed = (*each.venue.unknown, *each.unknown)
        if failed:
            unknown += [f"{each.venue.venue}: {why}" for why in failed]
        else:
            rows += _Venue(state, each, now).rows()
    return Plan(tuple(rows), tuple(unknown))


def corrections(made: str, rows: Iterable[Row], ledgers: Iterable[Ledger]) -> dict[str, Correction]:
    """What each strategy's host is asked, for the rows that were confirmed, under the name `made`."""
    told = [row.adjustment for row in rows]
    found: dict[str, Correction] = {}
    for ledger in ledgers:
        name = ledger.strategy
        changes = [change for each in told for change in each.changes if change.strategy == name]
        asked = Correction(
            id=made,
            holds={change.symbol: ledger.held(change.symbol) for change in changes},
            takes=tuple(Take(each.symbol, each.qty, each.price, each.executions, each.at) for each in changes),
            ended=tuple(_of(name, (owned for each in told for owned in each.ended))),
            set_aside=tuple(_of(name, (owned for each in told for owned in each.set_aside))),
        )
        if asked.takes or asked.ended or asked.set_aside:
            found[name] = asked
    return found


def _of(strategy: str, owned: Iterable[str]) -> Iterator[str]:
    return (order for owner, _, order in (each.partition(" ") for each in owned) if owner == strategy)


def stopped(state: DeskState, strategy: str, symbol: str) -> bool:
    """Whether a strategy opens nothing in a symbol now: its gate is shut, or it is paused. Its book stands still."""
    row = state.strategies[strategy]
    if row.sample is not None and not row.sample.enabled:
        return True
    desk = () if state.gate_state is None else (state.gate_state,)
    scopes = [(Scope.parse(pull.scope), pull.level.gate) for pull in state.pulls.values()]
    gates = [at for scope, at in scopes if scope.touches(venue=row.info.venue, strategy=strategy, symbol=symbol)]
    return any(gate.rank >= GateState.CLOSE_ONLY.rank for gate in (*desk, *gates))


def shared(target: Decimal, held: Mapping[str, Decimal]) -> dict[str, Decimal] | None:
    """What is left of each holding when together they are `target`: the same part of each, to the unit that they are
    held in (whole shares where all are whole), the largest remainders first. None where the part is not between
    nothing and all: then somebody would gain or turn, and no proportion says who."""
    total = sum(held.values(), ZERO)
    if not total or not 0 <= EXACT.divide(target, total) <= 1:
        return None
    unit = Decimal(1).scaleb(min(0, *(int(qty.normalize().as_tuple().exponent) for qty in (target, *held.values()))))
    exact = {name: EXACT.divide(EXACT.multiply(qty, target), total) for name, qty in held.items()}
    found = {
        name: EXACT.multiply(EXACT.divide(qty, unit).to_integral_value(ROUND_DOWN), unit) for name, qty in exact.items()
    }
    left = EXACT.subtract(target, sum(found.values(), ZERO))
    step = unit.copy_sign(left)
    for name in sorted(exact, key=lambda name: (found[name] - exact[name]) * (1 if left > 0 else -1)):
        if left:
            found[name], left = found[name] + step, left - step
    return found


class _Venue:
    """The plan of one venue whose every source was read."""

    def __init__(self, state: DeskState, seen: Seen, now: int) -> None:
        self._state = state
        self._seen = seen
        self._now = now
        self._name = seen.venue.venue
        self._ledgers = {ledger.strategy: ledger for ledger in seen.ledgers}
        self._known = {execution.id for ledger in seen.ledgers for execution in ledger.executions}
        self._listed = {fill.execution_id for fill in seen.fills}
        self._back_to = min((fill.at for fill in seen.fills), default=now)

    def rows(self) -> list[Row]:
        found = [row for one in self._seen.venue.positions if one.difference for row in self._position(one)]
        return found + [row for one in self._seen.venue.orders if one.since for row in self._order(one)]

    # --- positions ---------------------------------------------------------------------------------------------------

    def _position(self, one: ComparedPosition) -> Iterator[Row]:
        books = {
            own.info.name: sum((p.qty for p in own.book.positions if normal_symbol(p.symbol) == one.symbol), ZERO)
            for own in self._state.strategies.values()
            if own.info.venue == self._name and own.book is not None
        }
        barred = self._barred(one, books)
        if barred:
            yield self._row(one, one.kind, "", (), barred)
            return
        held = dict(books)
        left = -one.difference
        for kind, because, changes in self._explained(one, held):
            left -= sum((change.qty for change in changes), ZERO)
            yield self._row(one, kind, because, changes)
        fills = self._of_nobody(one.symbol, left)
        if left:
            kind = Break.UNREPORTED_FILL if fills else one.kind
            because = self._whose(one.symbol, fills) if fills else "no fill explains it"
            price = _average(fills) if fills else self._seen.prices.get(one.symbol)
            changes = self._share_out(one.symbol, held, left, price, fills)
            yield self._row(one, kind, because, changes, "" if changes else self._nobodys(one))

    def _row(
        self, one: ComparedPosition, kind: Break, because: str, changes: tuple[Change, ...], barred: str = ""
    ) -> Row:
        both = f"{one.broker.normalize():f}", f"{one.book.normalize():f}"
        return Row(self._name, Adjustment(kind, one.symbol, *both, because, changes), barred)

    def _barred(self, one: ComparedPosition, books: Mapping[str, Decimal]) -> str:
        """Why nothing may be done about this symbol now."""
        if one.kind is Break.IN_FLIGHT:
            return "it is younger than 5 s and may only be settling"
        concerned = [name for name, qty in books.items() if qty or self._trades(name, one.symbol)]
        trading = [name for name in concerned if not stopped(self._state, name, one.symbol)]
        if trading:
            return f"{', '.join(trading)} may trade it meanwhile: pause first (K 1)"
        deaf = [name for name in concerned if name not in self._ledgers]
        if deaf:
            return f"{', '.join(deaf)}: {SETTLED_BY_HAND}"
        moved = [name for name in concerned if self._ledgers[name].held(one.symbol) != books[name]]
        return f"the book of {', '.join(moved)} moved while it was read" if moved else ""

    def _trades(self, strategy: str, symbol: str) -> bool:
        return symbol in map(normal_symbol, self._state.strategies[strategy].info.symbols)

    def _explained(
        self, one: ComparedPosition, held: dict[str, Decimal]
    ) -> Iterator[tuple[Break, str, tuple[Change, ...]]]:
        """What the strategies' own fills say, book by book: filled and not in the book, in the book and not filled."""
        for name, ledger in self._ledgers.items():
            missed = [fill for fill in self._missed(one.symbol) if self._owner(fill) == name]
            if missed:
                qty = sum(map(_signed, missed), ZERO)
                change = Change(name, one.symbol, held.get(name, ZERO), qty, _average(missed), *_named(missed))
                held[name] = change.leaves
                yield Break.UNREPORTED_FILL, f"{count(len(missed), 'fill')} of {name}’s own orders", (change,)
            for phantom in self._phantoms(one.symbol, ledger):
                change = Change(name, one.symbol, held.get(name, ZERO), -phantom.qty, phantom.price)
                held[name] = change.leaves
                yield Break.PHANTOM_FILL, f"the venue does not list fill {phantom.id}", (change,)

    def _missed(self, symbol: str) -> Iterator[Filled]:
        """Fills that are in no book, the newest first."""
        for fill in self._seen.fills:
            if normal_symbol(fill.symbol) == symbol and fill.execution_id not in self._known:
                owner = self._ledgers.get(self._owner(fill))
                if owner is None or owner.tells(fill.at):
                    yield fill

    def _owner(self, fill: Filled) -> str:
        named = strategy_of(fill.client_order_id)
        if named in self._ledgers:
            return named
        return next((name for name, ledger in self._ledgers.items() if fill.order_id in ledger.legs), "")

    def _phantoms(self, symbol: str, ledger: Ledger) -> Iterator[Execution]:
        """Fills younger than the oldest that the venue listed, and than what it may have forgotten."""
        oldest = max(self._back_to, self._now - FORGOTTEN_AFTER)
        return (
            execution
            for execution in ledger.executions
            if normal_symbol(execution.symbol) == symbol and execution.at > oldest and execution.id not in self._listed
        )

    def _of_nobody(self, symbol: str, left: Decimal) -> list[Filled]:
        """The newest fills that no strategy ordered and that together are just what is left; none if there are none."""
        found, total = [], ZERO
        for fill in self._missed(symbol):
            if not self._owner(fill):
                found.append(fill)
                total += _signed(fill)
                if total == left:
                    return found
        return []

    def _whose(self, symbol: str, fills: list[Filled]) -> str:
        closes = {
            normal_symbol(close)
            for pull in self._state.pulls.values()
            for name, row in pull.venues.items()
            if name == self._name
            for close in row.closes
        }
        whose = "the cord’s close" if symbol in closes else "no strategy ordered it"
        return f"{count(len(fills), 'fill')}: {whose}"

    def _share_out(
        self, symbol: str, held: Mapping[str, Decimal], left: Decimal, price: Decimal | None, fills: list[Filled]
    ) -> tuple[Change, ...]:
        holders = {name: qty for name, qty in held.items() if qty}
        leaves = shared(sum(holders.values(), ZERO) + left, holders)
        if leaves is None:
            able = [name for name in held if name in holders or self._trades(name, symbol)]
            if len(able) != 1:
                return ()
            leaves = {able[0]: held[able[0]] + left}
        return tuple(
            Change(name, symbol, held[name], qty - held[name], self._price(name, symbol, price), *_named(fills))
            for name, qty in leaves.items()
            if qty != held[name]
        )

    def _price(self, strategy: str, symbol: str, price: Decimal | None) -> Decimal:
        """Where nobody says at what price: at the book's own, so that nothing is gained or lost by it."""
        own = (each.avg_price for each in self._ledgers[strategy].positions if normal_symbol(each.symbol) == symbol)
        return price if price is not None else next(own, None) or ZERO

    def _nobodys(self, one: ComparedPosition) -> str:
        able = [
            name for name in self._ledgers if self._trades(name, one.symbol) or self._ledgers[name].held(one.symbol)
        ]
        if able:
            return f"no fill says whose it is ({', '.join(able)}): put it right in the bot"
        return f"no strategy trades it: close it (K, symbol {one.symbol}, 4)"

    # --- orders ------------------------------------------------------------------------------------------------------

    def _order(self, one: ComparedOrder) -> Iterator[Row]:
        if one.order is not None:
            both = (one.order.status, "–")
            way = "still settling" if one.kind is Break.IN_FLIGHT else "only the venue has it: cancel it (K 3)"
            yield Row(self._name, Adjustment(one.kind, one.id, *both, ""), way)
            return
        owner = next((name for name, own in self._ledgers.items() if one.id in {each.id for each in own.orders}), "")
        if not owner or one.kind is Break.IN_FLIGHT:
            way = "it may only be settling" if owner else SETTLED_BY_HAND
            yield Row(self._name, Adjustment(one.kind, one.id, "–", "working", ""), way)
            return
        yield self._ended(one, owner)

    def _ended(self, one: ComparedOrder, owner: str) -> Row:
        """An order that only the book has: how it ended, as the venue tells it by its name."""
        noted = next(each for each in self._ledgers[owner].orders if each.id == one.id)
        fate = self._seen.fates.get(one.id, Fate(unknown="it was not asked for"))
        row = Adjustment(one.kind, one.id, fate.status or "–", "working", "")
        if fate.unknown:
            return Row(self._name, row, f"its fate is unknown: {fate.unknown}")
        if fate.status and fate.status not in ENDED:
            return Row(self._name, row, f"the venue says that it is {fate.status}")
        if not stopped(self._state, owner, ""):
            return Row(self._name, row, f"{owner} may trade meanwhile: pause it first (K 1)")
        owned = (f"{owner} {one.id}",)
        if fate.status:
            told = Adjustment(one.kind, one.id, fate.status, row.book, "it has ended at the venue", ended=owned)
        elif self._now - noted.at < FORGOTTEN_AFTER:
            told = Adjustment(one.kind, one.id, "–", row.book, "the venue says it never had it", ended=owned)
        else:
            because = "older than 24 h, not at the venue: set aside, ask its desk"
            told = Adjustment(Break.STALE_PENDING, one.id, "–", row.book, because, set_aside=owned)
        return Row(self._name, told)


def _signed(fill: Filled) -> Decimal:
    return fill.qty if fill.side == "buy" else -fill.qty


def _named(fills: list[Filled]) -> tuple[tuple[str, ...], int]:
    """The executions, and when the oldest of them was."""
    return tuple(fill.execution_id for fill in fills), min((fill.at for fill in fills), default=0)


def _average(fills: Iterable[Filled]) -> Decimal:
    told = [(fill.qty, fill.price) for fill in fills]
    return sum((qty * price for qty, price in told), ZERO) / sum((qty for qty, _ in told), ZERO)
