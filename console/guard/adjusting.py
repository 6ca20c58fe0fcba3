"""Books brought to broker truth: the guard reads, says what each difference is, and asks the strategies' hosts.

Both sides are read again after somebody confirmed. Where either is not what he was shown, nothing is done and he is
shown what it is now. The record with both sides is on disk before a host is asked; a host takes all of its part or
nothing, and only while its book holds what the record says. A guard that dies in between leaves a record without an
answer: the next comparison tells which side of it the book is on.
"""

import asyncio
from collections.abc import Mapping

from adapters.base import AdjustableBook, Ok, StrategyHost, Unknown, Venue
from console.cord.request import new_id
from console.desk import events as ev
from console.desk.adjust import Correction, Fate, Ledger, Outcome, Plan, Row, Seen, corrections, plan
from console.desk.pull import Scope, Verdict, normal_symbol
from console.desk.reconcile import Break, ComparedVenue
from console.desk.state import DeskState
from console.guard.fresh import Fresh, journal_trouble, told, why, within
from console.guard.hub import Hub

NEWEST = 200
"""How many of each book's newest fills are looked for at its venue, and whatever the venue lists among them."""
MOST_FILLS = 5_000
MOST_ORDERS = 500
DISK_SECONDS = 10.0


class Adjusting:
    """The guard's half of `andon book adjust`. Belongs to the event loop; one request at a time is carried out."""

    def __init__(self, hub: Hub, fresh: Fresh, venues: Mapping[str, Venue], hosts: Mapping[str, StrategyHost]) -> None:
        self._hub = hub
        self._fresh = fresh
        self._venues = venues
        self._hosts = hosts
        self._one = asyncio.Lock()

    async def look(self, venue: str) -> Outcome:
        """What differs at a venue (empty: at any), from fresh reads. Raises RuntimeError where there is no such one."""
        made, _ = await self._planned(self._named(venue))
        return Outcome(False, made.says, made)

    async def adjust(self, venue: str, kinds: frozenset[str], shown: str, actor: str) -> Outcome:
        """Carry out the classes that were confirmed, if everything is still as it was `shown` (a plan's digest). A
        refusal is an event. Raises RuntimeError where the journal did not take the record."""
        async with self._one:
            names = self._named(venue)
            made, ledgers = await self._planned(names)
            rows = tuple(row for kind in made.kinds if kind in kinds for row in made.takes(kind))
            refusal = self._refusal(made, rows, shown)
            if refusal:
                what = f"book adjust {venue} {', '.join(sorted(kinds))}".replace("  ", " ")
                self._hub.journal(ev.Refused(what=what, why=refusal), actor)
                return Outcome(False, refusal, made)
            trouble = []
            for name in names:
                of_venue = tuple(row for row in rows if row.venue == name)
                if of_venue:
                    trouble += await self._carry_out(name, of_venue, ledgers, actor)
            after, _ = await self._planned(names)
            return Outcome(True, "; ".join([*trouble, after.says]), after)

    def _named(self, venue: str) -> list[str]:
        rows = self._hub.state.venues
        if venue and venue not in rows:
            raise RuntimeError(f"there is no venue {venue!r}; there are: {', '.join(rows)}")
        names = [name for name, row in rows.items() if venue in ("", name) and not row.retired]
        if not names:
            raise RuntimeError(f"{venue or 'every venue'} is retired: there is nothing to compare")
        return names

    def _refusal(self, made: Plan, rows: tuple[Row, ...], shown: str) -> str:
        if made.digest != shown:
            return "book or broker is not what was shown any more: look again, then confirm"
        if not rows:
            return "none of what was confirmed can be adjusted"
        return journal_trouble(self._hub)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def _planned(self, names: list[str]) -> tuple[Plan, tuple[Ledger, ...]]:
        still = all(_still(self._hub.state, name) for name in names)
        state, comparison = await self._fresh.compared(names, still=still)
        seen = await asyncio.gather(*(self._see(state, venue) for venue in comparison.venues))
        return plan(state, seen, self._hub.clock()), tuple(ledger for each in seen for ledger in each.ledgers)

    async def _see(self, state: DeskState, venue: ComparedVenue) -> Seen:
        """What explains the differences of one venue; nothing is asked where there are none, or a side is unknown."""
        if venue.unknown or not (venue.differences or venue.in_flight):
            return Seen(venue)
        asked = [
            (name, host)
            for name, row in state.strategies.items()
            if row.info.venue == venue.venue and row.book is not None and row.book.adjusts
            for host in [self._hosts[name]]
            if isinstance(host, AdjustableBook)
        ]
        reads = await asyncio.gather(*(within(host.ledger()) for _, host in asked))
        unknown = [f"ledger of {name} {why(read)}" for (name, _), read in zip(asked, reads, strict=True) if why(read)]
        ledgers = tuple(read.data for read in reads if isinstance(read, Ok))
        fills = await within(self._venues[venue.venue].fills_until(_known(ledgers), MOST_FILLS))
        if why(fills):
            unknown.append(f"fills {why(fills)}")
        prices = {
            normal_symbol(held.symbol): held.avg_price
            for held in state.venues[venue.venue].positions
            if held.avg_price is not None
        }
        return Seen(
            venue=venue,
            ledgers=ledgers,
            fills=fills.data if isinstance(fills, Ok) else (),
            fates=await self._fates(venue, ledgers),
            prices=prices,
            unknown=tuple(unknown),
        )

    async def _fates(self, venue: ComparedVenue, ledgers: tuple[Ledger, ...]) -> dict[str, Fate]:
        """What became of the orders that only books have. An order without a name of ours is found by the venue's."""
        missing = [row.id for row in venue.orders if row.kind is Break.MISSING_AT_BROKER]
        named = {order.id: order.client_order_id for ledger in ledgers for order in ledger.orders}
        at = self._venues[venue.venue]
        unnamed = [name for name in missing if not named.get(name)]
        found = await asyncio.gather(
            *(within(at.order_by_client_id(named[name])) for name in missing if name not in unnamed)
        )
        fates = {
            name: Fate(unknown=read.reason)
            if isinstance(read, Unknown)
            else Fate(read.data.status if read.data is not None else "")
            for name, read in zip((name for name in missing if name not in unnamed), found, strict=True)
        }
        if unnamed:
            newest = await within(at.orders_until(frozenset(), MOST_ORDERS))
            listed = {order.id: order.status for order in newest.data} if isinstance(newest, Ok) else {}
            lost = why(newest) or f"it is not among the venue's {MOST_ORDERS} newest"
            fates |= {name: Fate(listed[name]) if name in listed else Fate(unknown=lost) for name in unnamed}
        return fates

    # --- doing -------------------------------------------------------------------------------------------------------

    async def _carry_out(self, venue: str, rows: tuple[Row, ...], ledgers: tuple[Ledger, ...], actor: str) -> list[str]:
        """Record, then ask every host concerned. Returns what did not succeed."""
        made = new_id()
        event = ev.BookAdjusting(made, venue, tuple(row.adjustment for row in rows))
        written = asyncio.wrap_future(self._hub.journal(event, actor, insists=False))
        try:
            async with asyncio.timeout(DISK_SECONDS):
                await written
        except TimeoutError:
            raise RuntimeError("the journal does not answer: nothing more is adjusted") from None
        except OSError as error:
            raise RuntimeError(f"the journal did not take it, nothing more is adjusted: {error}") from None
        asked = corrections(made, rows, ledgers)
        said = await asyncio.gather(*(self._correct(made, venue, name, each, actor) for name, each in asked.items()))
        return [trouble for trouble in said if trouble]

    async def _correct(self, made: str, venue: str, strategy: str, asked: Correction, actor: str) -> str:
        host = self._hosts[strategy]
        assert isinstance(host, AdjustableBook)  # noqa: S101 - whoever told a ledger is one
        outcome, detail = told(await host.correct(asked))
        if outcome == "ambiguous":  # asked again under the same id it changes nothing more
            outcome, detail = told(await host.correct(asked))
        self._hub.journal(ev.BookAdjusted(made, venue, strategy, outcome, detail), actor)
        return "" if outcome == "acked" else f"{strategy} {outcome} it: {detail}"


def _known(ledgers: tuple[Ledger, ...]) -> frozenset[str]:
    """Where reading the venue's fills may stop: every book is read back over its newest ones, and a book of which less
    is told stops nobody."""
    newest = [sorted((each.at for each in ledger.executions), reverse=True) for ledger in ledgers]
    back_to = min((times[NEWEST] if len(times) > NEWEST else 0 for times in newest), default=0)
    return frozenset(each.id for ledger in ledgers for each in ledger.executions if each.at < back_to)


def _still(state: DeskState, venue: str) -> bool:
    """Whether it is proven that nothing moves at a venue: a stop of all of it is VERIFIED."""
    return any(
        row.verdict is Verdict.VERIFIED
        for pull in state.pulls.values()
        if pull.level.cancels and Scope.parse(pull.scope).covers_account
        for name, row in pull.venues.items()
        if name == venue
    )
