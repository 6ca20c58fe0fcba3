"""What a person should do next, in the order in which it matters. Pure: the same desk always gives the same advice."""

from collections.abc import Callable, Iterator

from console.desk.call import brokers_desk
from console.desk.events import Plain
from console.desk.moment import Moment
from console.desk.pull import Scope, Verdict, normal_symbol
from console.desk.reconcile import Break, ComparedPosition, Comparison
from console.desk.state import PullState
from console.desk.timeline import some
from console.desk.words import SECOND, clock, count, share


class Step(Plain, frozen=True):
    """One thing to do. `tone` as in the timeline, `key` opens the screen where it is done, `why` is the evidence."""

    tone: str
    what: str
    why: str = ""
    key: str = ""


def next_steps(moment: Moment, comparison: Comparison) -> tuple[Step, ...]:
    """The steps, the most urgent first; one calm line when there is nothing to do."""
    steps = tuple(dict.fromkeys(step for source in _SOURCES for step in source(moment, comparison)))
    return steps or (_nothing(moment, comparison),)


def _guard(moment: Moment, comparison: Comparison) -> Iterator[Step]:
    if moment.down:
        yield Step(tone="bad", what="Start the guard", why=f"nobody watches ({moment.down})", key="g")
        return
    for trouble in moment.state.trouble:
        yield Step(tone="warn", what="See to the desk’s files", why=trouble, key="")


def _pulls(moment: Moment, comparison: Comparison) -> Iterator[Step]:
    for pull in sorted(moment.state.pulls.values(), key=lambda pull: (-pull.verdict.rank, -pull.at)):
        yield from _pull(moment, pull)


def _pull(moment: Moment, pull: PullState) -> Iterator[Step]:
    for venue in pull.venues.values():
        if venue.verdict in (Verdict.UNKNOWN, Verdict.PARTIAL):
            known = moment.state.venues.get(venue.venue)
            people = brokers_desk(moment.state.contacts, venue.venue, known.info.phone if known else "")
            phone = people[0].phone if people else ""
            tone = "bad" if venue.verdict is Verdict.UNKNOWN else "warn"
            what = f"Phone {venue.venue}: {phone}" if phone else f"Phone {venue.venue}’s broker"
            yield Step(tone=tone, what=what, why=f"{venue.verdict}: {venue.why}", key="v")
    waiting = [venue for venue in pull.venues.values() if venue.verdict is Verdict.REQUESTED]
    if waiting:
        left = max(_quiet_left(moment, pull, venue.quiet_from) for venue in waiting)
        names = some(tuple(venue.venue for venue in waiting))
        yield Step(tone="calm", what=f"Wait for proof from {names}", why=f"quiet clock: {left} s to go", key="v")
    if pull.latch_error:
        yield Step(tone="bad", what="Keep strategies stopped by hand", why=f"latch: {pull.latch_error}", key="v")
    if not pull.reason:
        which = f"{pull.level} {pull.scope} at {clock(pull.at)}"
        yield Step(tone="calm", what="Write down why the cord was pulled", why=which, key="v")


def _held(moment: Moment, comparison: Comparison) -> Iterator[Step]:
    """What a pull without a flattening one beside it left open."""
    pulls = [pull for pull in moment.state.pulls.values() if pull.level.cancels]
    flat = [pull for pull in pulls if pull.level.flattens and Scope.parse(pull.scope).covers_account]
    flattened = {name for pull in flat for name in pull.venues}
    halted = {name for pull in pulls for name in pull.venues} - flattened
    venues = [row for name, row in moment.state.venues.items() if name in halted]
    held = sum(bool(position.qty) for row in venues for position in row.positions)
    if held:
        held_text = f"{count(held, 'position stands', 'positions stand')} open"
        yield Step(tone="warn", what="Hold, or flatten with K 4", why=held_text, key="K")


def _proven(moment: Moment, comparison: Comparison) -> Iterator[Step]:
    if any(pull.verdict is Verdict.VERIFIED and pull.reason for pull in moment.state.pulls.values()):
        yield Step(tone="good", what="Find the cause, then the way back", why="the stop is proven", key="u")


def _quiet_left(moment: Moment, pull: PullState, quiet_from: int) -> int:
    gone = (moment.now - quiet_from) // SECOND if quiet_from else 0
    return max(0, pull.quiet_seconds - gone)


def _size(moment: Moment, comparison: Comparison) -> Iterator[Step]:
    state = moment.state
    if state.nameless and not state.pulls:
        yield Step(tone="bad", what="Pull the whole desk: its halt has no name", why=state.nameless, key="K")
    elif state.size < 1 and not state.pulls:
        venues = [row for row in state.venues.values() if not row.retired]
        full = bool(venues) and all(row.full_sessions for row in venues)
        what = "Back to 100 %" if full else f"Watch one full session at {share(state.size)}"
        yield Step(tone="calm", what=what, why=f"since {clock(state.size_since)}Z", key="u")


def _venues(moment: Moment, comparison: Comparison) -> Iterator[Step]:
    pulled = {name for pull in moment.state.pulls.values() for name in pull.venues}
    for name, venue in moment.state.venues.items():
        if venue.answers is False and name not in pulled and not venue.retired:
            yield Step(tone="bad", what=f"{name} is silent: K if its orders may run", why=venue.why, key="K")


def _monitors(moment: Moment, comparison: Comparison) -> Iterator[Step]:
    for monitor in moment.state.monitors.values():
        if monitor.state == "firing":
            label = monitor.info.label if monitor.info else monitor.id.replace("-", " ")
            calm = bool(moment.state.pulls)
            what = f"Find out why: {label}" if calm else f"Judge {label}; K stops the desk"
            yield Step(tone="bad", what=what, why=monitor.text, key="" if calm else "K")


def _strategies(moment: Moment, comparison: Comparison) -> Iterator[Step]:
    for name, strategy in moment.state.strategies.items():
        sample, pin = strategy.sample, strategy.info.model_pin
        if sample is None:
            continue
        if moment.defies(name):
            why = f"gate {moment.state.gate_for(name)}, it still acts on {sample.gate}"
            yield Step(tone="bad", what=f"Stop {name} at its host", why=why)
        if not sample.healthy:
            yield Step(tone="warn", what=f"Look at {name}’s host", why=sample.why or "it reports itself unhealthy")
        if pin and sample.model_hash != pin:
            yield Step(tone="warn", what=f"{name} runs another model than pinned", why=sample.model_hash)


def _book(moment: Moment, comparison: Comparison) -> Iterator[Step]:
    found = count(comparison.differences, "difference")
    if comparison.differences and _closed_by_the_cord(moment, comparison):
        yield Step(tone="warn", what="The cord’s closes: bring the book to it", why=f"{found} from K 4", key="a")
    elif comparison.differences:
        yield Step(tone="bad", what=f"Explain {found}, book against broker", key="2")


def _closed_by_the_cord(moment: Moment, comparison: Comparison) -> bool:
    """Whether all that differs is what a flattening pull closed, all or part of it, and the book has not heard of. An
    order that differs is never explained away, nor is a position that has grown or turned."""
    closed = {
        (venue.venue, normal_symbol(symbol))
        for pull in moment.state.pulls.values()
        if pull.level.flattens
        for venue in pull.venues.values()
        for symbol in venue.closes
    }
    positions = [row for venue in comparison.venues for row in venue.positions if row.kind.differs]
    return len(positions) == comparison.differences and all(
        (row.venue, row.symbol) in closed and _lessened(row) for row in positions
    )


def _lessened(row: ComparedPosition) -> bool:
    part = row.kind is Break.QTY_BREAK and abs(row.broker) < abs(row.book)
    return part or row.kind is Break.MISSING_AT_BROKER


_SOURCES: tuple[Callable[[Moment, Comparison], Iterator[Step]], ...] = (
    _guard,
    _pulls,
    _held,
    _proven,
    _size,
    _venues,
    _monitors,
    _strategies,
    _book,
)


def _nothing(moment: Moment, comparison: Comparison) -> Step:
    """Calm is claimed only as far as it was seen."""
    if moment.live and moment.guard_age is None:
        return Step(tone="calm", what="Wait: connecting to the guard", why="K works already", key="K")
    blind = sum(monitor.state == "unknown" for monitor in moment.state.monitors.values())
    if blind or not moment.state.monitors:
        why = f"{count(blind, 'monitor')} without data" if blind else "no monitor has reported yet"
        return Step(tone="warn", what="Nothing known to do", why=why)
    if comparison.unknown:
        return Step(tone="warn", what="Nothing known to do", why=f"book: {comparison.unknown[0]}", key="2")
    return Step(
        tone="good", what="Nothing to do", why="no monitor fires" + ("; book = broker" if comparison.equal else "")
    )
