"""The resume guard's rules: what has to be proven before a desk that was stopped may trade again. Pure.

Going down is two keystrokes, coming back is earned. `judge` looks at the records (a `DeskState`) and at what the guard
has just read (`Seen`), and answers with a list of proofs: each holds or is missing, says what was seen, and, where it
is missing, which key or command leads to it. A resume names the pulls that it clears; any other keeps the gate shut.
"""

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum

from console.desk.events import Plain
from console.desk.pull import Level, Scope, Verdict
from console.desk.reconcile import Comparison
from console.desk.state import DeskState, PullState, VenueState, covers_nameless
from console.desk.timeline import some
from console.desk.words import SECOND, age, amount, clock, count, share, short

REDUCED = Decimal("0.25")
SIZES = ("25", "100", "former")


class Cause(StrEnum):
    """Why the desk had to stop."""

    OWN_FIX = "own-fix"
    EXTERNAL = "external"
    MISTAKEN = "mistaken"

    @property
    def says(self) -> str:
        return _CAUSE_SAYS[self]


_CAUSE_SAYS = {
    Cause.OWN_FIX: "something of ours, fixed and verified outside production",
    Cause.EXTERNAL: "something outside, which is well again",
    Cause.MISTAKEN: "nothing was wrong",
}


class Unresumable(RuntimeError):
    """There is nothing that could be resumed so. The message says why and what there is."""


class Asked(Plain, frozen=True):
    """What somebody wants. `size` is one of `SIZES`; `pull` names one pull, else `scope` says which. `cause` is a
    Cause's value, `text` what it was, `checked` how an own fix was verified, `confirm` the desk's name as typed."""

    size: str = "25"
    scope: str = ""
    pull: str = ""
    cause: str = ""
    text: str = ""
    checked: str = ""
    confirm: str = ""


class Seen(Plain, frozen=True):
    """What the guard has read for this very request, begun at `began` (UTC ns). `limits` is the hash of desk.yaml's
    limits as they lie on disk, and `limits_unknown` why they can not be read; `journal` is why the journal does not
    take records now."""

    now: int
    began: int
    comparison: Comparison
    limits: str
    limits_unknown: str = ""
    journal: str = ""


class Proof(Plain, frozen=True):
    """`said` is what was seen or is missing; `key` opens the screen that leads to it, `way` is the command."""

    id: str
    label: str
    holds: bool
    said: str
    way: str = ""
    key: str = ""


class Judgement(Plain, frozen=True):
    """`pulls` would be cleared and `stays` not; `size` is the share of the normal size that would be allowed then."""

    pulls: tuple[str, ...]
    stays: tuple[str, ...]
    size: Decimal
    proofs: tuple[Proof, ...]

    @property
    def missing(self) -> tuple[Proof, ...]:
        return tuple(proof for proof in self.proofs if not proof.holds)

    @property
    def proven(self) -> bool:
        return not self.missing

    @property
    def refusal(self) -> str:
        """Every missing proof by name, in a sentence."""
        return "missing: " + "; ".join(f"{proof.id} ({proof.said})" for proof in self.missing)


class Outcome(Plain, frozen=True):
    """The guard's answer. `said` is a sentence; without a judgement the request made no sense as the desk stands."""

    resumed: bool
    said: str
    judgement: Judgement | None = None


def chosen(state: DeskState, asked: Asked) -> tuple[PullState, ...]:
    """The pulls that the request names, the earliest first. Raises Unresumable.

    A scope takes what lies wholly within it and is of its own kind: `venue:a` takes pulls of venue a, never one of
    venues a and b, so that nobody resumes more or less than he says. The desk takes every pull."""
    standing = state.pulls
    if asked.pull:
        if asked.pull in state.resumed:
            raise Unresumable(f"pull {asked.pull} was resumed at {clock(state.resumed[asked.pull])}Z")
        if asked.pull not in standing:
            raise Unresumable(f"there is no pull {asked.pull}; {_there_are(state)}")
        return (standing[asked.pull],)
    if not asked.scope:
        if len(standing) > 1:
            raise Unresumable(f"say which: --pull ID, or a scope; {_there_are(state)}")
        found = tuple(standing.values())
    else:
        wanted = Scope.parse(asked.scope)
        found = tuple(pull for pull in standing.values() if _within(Scope.parse(pull.scope), wanted))
        if standing and not found:
            raise Unresumable(f"no pull lies within {wanted}; {_there_are(state)}")
    if not found and not _raises(state, asked):
        if state.nameless:
            raise Unresumable(f"{state.nameless}: pull the whole desk (K 3), and resume that pull")
        raise Unresumable("the cord is not pulled: there is nothing to resume")
    return tuple(sorted(found, key=lambda pull: pull.at))


def _within(scope: Scope, wanted: Scope) -> bool:
    return wanted.kind == "desk" or (scope.kind == wanted.kind and set(scope.names) <= set(wanted.names))


def _raises(state: DeskState, asked: Asked) -> bool:
    """Whether nothing stands, and the size alone is to go up."""
    return not state.pulls and not state.nameless and asked.size == "100" and state.size < 1


def _there_are(state: DeskState) -> str:
    told = tuple(f"{pull.id} ({pull.level} {pull.scope})" for pull in state.pulls.values())
    return f"there stand: {', '.join(told)}" if told else "no pull stands"


def wanted_size(state: DeskState, asked: Asked) -> Decimal:
    """The share of the normal size from then on. Never more than before a pull, but for 100."""
    if asked.size == "100":
        return Decimal(1)
    return state.size if asked.size == "former" else min(state.size, REDUCED)


def venues_of(state: DeskState, pulls: tuple[PullState, ...]) -> tuple[VenueState, ...]:
    """The venues that have to prove something; all of them where the size alone is raised."""
    names = {name for pull in pulls for name in pull.venues} if pulls else set(state.venues)
    return tuple(row for name, row in state.venues.items() if name in names and not row.retired)


def judge(state: DeskState, asked: Asked, seen: Seen) -> Judgement:
    """Every proof that this resume needs. Raises Unresumable."""
    pulls = chosen(state, asked)
    venues = venues_of(state, pulls)
    proofs = (
        _cause(asked),
        *_green(state, asked, seen, pulls, venues),
        *(_verdict(state, pulls) if pulls else ()),
        _book(pulls, seen, venues),
        _limits(state, pulls, seen),
        _size(state, asked, pulls),
        *_nameless(state, pulls),
        *_journal(seen),
        _name(state, asked),
    )
    named = tuple(pull.id for pull in pulls)
    stays = tuple(name for name in state.pulls if name not in named)
    return Judgement(named, stays, wanted_size(state, asked), proofs)


def _cause(asked: Asked) -> Proof:
    def proof(holds: bool, said: str, way: str = "", key: str = "") -> Proof:
        return Proof("cause", "written cause", holds, said, way, key)

    if asked.cause not in tuple(Cause):
        return proof(False, "no cause is given", "--cause own-fix|external|mistaken", "c")
    cause = Cause(asked.cause)
    if not asked.text.strip():
        return proof(False, f"{cause}: what it was is not written down", "--text TEXT", "t")
    if cause is Cause.OWN_FIX and not asked.checked.strip():
        return proof(False, "own-fix: how was it verified outside production?", "--checked TEXT", "h")
    checked = f"; verified: “{asked.checked.strip()}”" if cause is Cause.OWN_FIX else ""
    return proof(True, f"{cause}: “{asked.text.strip()}”{checked}")


def _by_trigger(state: DeskState, pulls: tuple[PullState, ...]) -> bool:
    """Whether triggers alone paused entries: what stopped the desk is then seen to end by what saw it begin."""
    return bool(pulls) and all(pull.level is Level.L1 and pull.id in state.fired for pull in pulls)


def _clear(state: DeskState, seen: Seen, pulls: tuple[PullState, ...]) -> Iterator[Proof]:
    """For an L1 that a trigger set: the trigger has been clear without a gap for long enough, as this guard saw it."""
    needs = state.green_seconds * SECOND
    label = f"clear for {age(needs)}"
    fired = {(row.trigger, row.subject): row for row in (state.fired[pull.id] for pull in pulls)}
    for row in fired.values():
        name = f"trigger {row.trigger} {row.subject}".rstrip()
        left = needs - max(0, seen.now - row.clear_since)
        if not row.clear_since:
            said = f"{name} is not clear: {row.text}"
            yield Proof("clear", label, False, said, "wait, or find what is yours: --cause own-fix", "c")
        elif left > 0:
            said = f"{name} has been clear since {clock(row.clear_since)}Z; {age(left)} to go"
            yield Proof("clear", label, False, said, "wait: this guard has to see all of it")
        else:
            yield Proof("clear", label, True, f"{name} has been clear since {clock(row.clear_since)}Z")


def _green(
    state: DeskState, asked: Asked, seen: Seen, pulls: tuple[PullState, ...], venues: tuple[VenueState, ...]
) -> Iterator[Proof]:
    """For an external cause: the venues have answered without a gap for long enough, as far as this guard has seen."""
    if asked.cause != Cause.EXTERNAL:
        return
    if _by_trigger(state, pulls):
        yield from _clear(state, seen, pulls)
        return
    needs = state.green_seconds * SECOND
    label = f"green for {age(needs)}"
    silent = [row.info.name for row in venues if not row.green_since]
    if silent:
        said = f"{some(tuple(silent))} {'does' if len(silent) == 1 else 'do'} not answer"
        way = f"wait for it; gone for good: andon venue retire {silent[0]}"
        yield Proof("green", label, False, said, way)
        return
    since = max((row.green_since for row in venues), default=0)
    gone = max(0, seen.now - since)
    if gone < needs:
        said = f"every venue has answered since {clock(since)}Z; {age(needs - gone)} to go"
        yield Proof("green", label, False, said, "wait: this guard has to see all of it")
    else:
        yield Proof(
            "green", label, True, f"every venue has answered since {clock(since)}Z" if venues else "no venue left"
        )


def _verdict(state: DeskState, pulls: tuple[PullState, ...]) -> Iterator[Proof]:
    """The stop is proven at every venue that the pulls reach, and nothing is waiting to be cancelled."""
    open_ones = [
        f"{row.venue} {row.verdict}: {row.why}" if row.verdict is not Verdict.VERIFIED else f"{row.venue}: {pending}"
        for pull in pulls
        for row in pull.proving
        for pending in [f"{count(len(row.standing), 'cancel')} pending" if row.standing else ""]
        if row.verdict is not Verdict.VERIFIED or pending
    ]
    unasked = [pull.id for pull in pulls if not pull.venues]
    open_ones += [f"pull {name}: no venue has been asked; pull again (K)" for name in unasked]
    retired = sorted({row.venue for pull in pulls for row in pull.venues.values() if row.retired})
    without = f" ({', '.join(retired)} retired)" if retired else ""
    if open_ones:
        yield Proof("verdict", "verdict VERIFIED", False, "; ".join(dict.fromkeys(open_ones)), "andon status", "v")
    else:
        names = dict.fromkeys(row.venue for pull in pulls for row in pull.proving)
        told = f"VERIFIED on {', '.join(names)}, no cancel pending" if names else "no venue is left to prove it"
        yield Proof("verdict", "verdict VERIFIED", True, told + without)


def _book(pulls: tuple[PullState, ...], seen: Seen, venues: tuple[VenueState, ...]) -> Proof:
    """BOOK = BROKER wherever something is resumed, by a comparison that began after the halt."""

    def proof(holds: bool, said: str, way: str = "", key: str = "") -> Proof:
        return Proof("book", "book = broker", holds, said, way, key)

    if any(seen.began <= pull.at for pull in pulls):
        return proof(False, "the venues were read before the halt", "ask again")
    compared = {venue.venue: venue for venue in seen.comparison.venues}
    unread, wrong = [], []
    for row in venues:
        venue = compared.get(row.info.name)
        if venue is None:
            unread.append(f"{row.info.name} was not compared")
        elif venue.unknown:
            unread.append(f"{row.info.name}: {', '.join(venue.unknown)}")
        else:
            wrong += [
                f"{row.info.name} {held.symbol} broker {amount(held.broker)} book {amount(held.book)}"
                for held in venue.positions
                if held.difference
            ]
            wrong += [
                f"{row.info.name} order {short(order.id, 12)} {order.kind.says}"
                for order in venue.orders
                if order.since
            ]
    if unread:
        return proof(False, some(tuple(unread)), "andon book", "2")
    if wrong:
        return proof(False, some(tuple(wrong), 2), "andon book adjust", "a")
    names = ", ".join(row.info.name for row in venues) or "no venue is left to compare"
    return proof(True, f"{names}, read at {clock(seen.began)}Z, after the halt")


def _limits(state: DeskState, pulls: tuple[PullState, ...], seen: Seen) -> Proof:
    """The limits are those from before the incident: nobody comes back by softening one."""

    def proof(holds: bool, said: str, way: str = "") -> Proof:
        return Proof("limits", "limits unchanged", holds, said, way)

    before = {state.limits_at(pull.at) for pull in pulls} or {state.limits_at(state.size_since)}
    now = state.limits[-1].hash if state.limits else ""
    if not now or "" in before:
        return proof(False, "the limits in force at the pull are not recorded", "andon journal verify")
    if before != {now}:
        said = f"the limits in force since {clock(state.limits[-1].ts)}Z are not those at the pull"
        return proof(False, said, "put the section limits: back as it was, then restart the guard")
    if seen.limits_unknown:
        return proof(False, seen.limits_unknown, "andon check")
    if seen.limits != now:
        return proof(
            False, "desk.yaml holds other limits than those in force", "put the section limits: back as it was"
        )
    return proof(True, f"as they were at the pull ({now[:8]})" if pulls else f"as they were ({now[:8]})")


def _size(state: DeskState, asked: Asked, pulls: tuple[PullState, ...]) -> Proof:
    def proof(holds: bool, said: str, way: str = "", key: str = "") -> Proof:
        return Proof("size", "size", holds, said, way, key)

    if asked.size not in SIZES:
        return proof(False, f"{asked.size!r} is no size", f"--size {'|'.join(SIZES)}", "s")
    if asked.size == "former":
        if asked.cause == Cause.MISTAKEN or (asked.cause == Cause.EXTERNAL and _by_trigger(state, pulls)):
            return proof(True, f"back to {share(state.size)}, as before the pull")
        said = "former is for a mistaken pull, or a trigger’s L1 whose cause was external"
        return proof(False, said, "--size 25", "s")
    if asked.size == "25":
        return proof(True, f"{share(wanted_size(state, asked))} for one full session")
    if pulls or state.pulls:
        said = "100 % comes only after one full session at 25 % without an incident"
        return proof(False, said, "--size 25 first", "s")
    short = [row.info.name for row in state.venues.values() if not row.retired and not row.full_sessions]
    if short:
        since = f" since {clock(state.size_since)}Z" if state.size_since else ""
        said = f"no full session without a pull{since} on {some(tuple(short))}"
        return proof(False, said, "wait for the close of a session that was watched from its open")
    return proof(True, "a full session without a pull on every venue")


def _nameless(state: DeskState, pulls: tuple[PullState, ...]) -> Iterator[Proof]:
    """A halt that no pull tells of is cleared only with a stop of the whole desk that came after it."""
    if not state.nameless:
        return
    if any(covers_nameless(pull, state.nameless_at) for pull in pulls):
        yield Proof("halt", "halt has a name", True, f"the whole desk was stopped after: {state.nameless}")
    else:
        said = f"stop the whole desk, which covers it: {state.nameless}"
        yield Proof("halt", "halt has a name", False, said, "andon kill --all, then resume that pull", "K")


def _journal(seen: Seen) -> Iterator[Proof]:
    if seen.journal:
        yield Proof("journal", "journal is written", False, seen.journal, "free the disk that andon info names")


def _name(state: DeskState, asked: Asked) -> Proof:
    if asked.confirm == state.name:
        return Proof("name", "desk’s name typed", True, state.name)
    said = f"{asked.confirm!r} is not this desk’s name" if asked.confirm else "the desk’s name was not typed"
    return Proof("name", "desk’s name typed", False, said, "--confirm DESKNAME")
