"""The way back, carried out: the guard reads afresh, judges by console.desk.resume, and opens what was proven.

The order is safe wherever the guard is killed. Until the `Resumed` record is on disk nothing has begun. From then on
everything follows from the record: the latch loses the pulls that it names, the cord's threads let go of them, venues
that the cord had suspended are lifted, strategies that it had disabled are enabled, and only then the gate opens. A
guard that starts finds in its records what is still to be done, and does it (`recover`, and the gate's every renewal).
"""

import asyncio
import contextlib
import sys
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from adapters.base import Ok, StrategyHost, Venue
from console.config import ConfigError, load
from console.cord.plan import covers_account
from console.cord.thread import CordThread
from console.desk import events as ev
from console.desk.pull import Level, Scope
from console.desk.resume import Asked, Judgement, Outcome, Seen, Unresumable, chosen, judge, venues_of
from console.desk.state import DeskState, covers_nameless
from console.desk.words import share
from console.guard.aside import beside
from console.guard.desk import limits_hash
from console.guard.fresh import READ_SECONDS, Fresh, journal_trouble, told, within
from console.guard.gatekeeper import GateKeeper
from console.guard.hub import Hub

DISK_SECONDS = 10.0
LET_GO_SECONDS = 10.0


class Resumption:
    """The guard's half of `andon resume`. Belongs to the event loop; one request at a time is carried out."""

    def __init__(
        self,
        hub: Hub,
        gate: GateKeeper,
        cord: CordThread,
        venues: Mapping[str, Venue],
        hosts: Mapping[str, StrategyHost],
        fresh: Fresh,
        desk_file: Path,
    ) -> None:
        self._hub = hub
        self._gate = gate
        self._cord = cord
        self._venues = venues
        self._hosts = hosts
        self._fresh = fresh
        self._desk_file = desk_file
        self._one = asyncio.Lock()
        self._covered = ""
        self._opened: asyncio.Future[list[str]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        hub.listeners.append(self._heard)

    def recover(self) -> None:
        """Finish what a guard before this one had begun. Latch and gate follow from the records by themselves."""
        self._spawn(self._release("guard"))

    async def prove(self, asked: Asked) -> Outcome:
        """Every proof, from fresh reads; nothing is done."""
        try:
            judgement = await self._judge(asked)
        except Unresumable as refusal:
            return Outcome(False, str(refusal))
        return Outcome(False, judgement.refusal, judgement)

    async def resume(self, asked: Asked, actor: str) -> Outcome:
        """Prove, and carry out what is proven. A refusal is an event. Raises RuntimeError where the journal did not
        take the record."""
        async with self._one:
            try:
                judgement = await self._judge(asked)
            except Unresumable as refusal:
                self._refuse(asked, str(refusal), actor)
                return Outcome(False, str(refusal))
            if not judgement.proven:
                self._refuse(asked, judgement.refusal, actor)
                return Outcome(False, judgement.refusal, judgement)
            self._covered = self._nameless_covered(judgement)
            trouble = await self._record(asked, judgement, actor)
            return Outcome(True, "; ".join([self._now(judgement), *trouble]), judgement)

    async def _judge(self, asked: Asked) -> Judgement:
        pulls = chosen(self._hub.state, asked)
        names = [row.info.name for row in venues_of(self._hub.state, pulls)]
        still = bool(pulls) and all(pull.level.cancels and covers_account(Scope.parse(pull.scope)) for pull in pulls)
        seen = await self._see(names, still=still)
        return judge(self._hub.state, asked, seen)

    # --- seeing ------------------------------------------------------------------------------------------------------

    async def _see(self, names: list[str], *, still: bool) -> Seen:
        """Look at these venues anew."""
        began = self._hub.clock()
        limits, (_, comparison) = await asyncio.gather(self._limits(), self._fresh.compared(names, still=still))
        return Seen(self._hub.clock(), began, comparison, *limits, journal=journal_trouble(self._hub))

    async def _limits(self) -> tuple[str, str]:
        """The hash of the limits in desk.yaml as it lies there now, or why it can not be read."""
        try:
            return limits_hash((await beside(lambda: load(self._desk_file), READ_SECONDS)).limits), ""
        except ConfigError as error:
            return "", str(error)
        except TimeoutError:
            return "", f"{self._desk_file} could not be read within {READ_SECONDS:.0f} s"

    # --- doing -------------------------------------------------------------------------------------------------------

    def _refuse(self, asked: Asked, why: str, actor: str) -> None:
        what = f"resume {asked.size} {asked.pull or asked.scope}".rstrip()
        self._hub.journal(ev.Refused(what=what, why=why), actor)

    def _nameless_covered(self, judgement: Judgement) -> str:
        state = self._hub.state
        pulls = (state.pulls[name] for name in judgement.pulls)
        return state.nameless if any(covers_nameless(pull, state.nameless_at) for pull in pulls) else ""

    async def _record(self, asked: Asked, judgement: Judgement, actor: str) -> list[str]:
        """The point of no return: begun once this is on disk, and not before. Returns what did not succeed then."""
        event = ev.Resumed(
            pulls=judgement.pulls,
            scope=asked.scope or self._scopes(judgement),
            size=judgement.size,
            cause=asked.cause,
            text=asked.text.strip(),
            proofs=tuple(f"{proof.id}: {proof.said}" for proof in judgement.proofs),
            checked=asked.checked.strip(),
        )
        opened: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._opened = opened
        written = asyncio.wrap_future(self._hub.journal(event, actor, insists=False))
        try:
            async with asyncio.timeout(DISK_SECONDS):
                await asyncio.shield(written)
        except TimeoutError:
            raise RuntimeError("the journal does not answer: look at andon status before anything further") from None
        except OSError as error:
            raise RuntimeError(f"the journal did not take it, nothing is resumed: {error}") from None
        return await opened

    def _heard(self, record: ev.Record) -> None:
        """The record is on disk and folded, however late: now it is carried out."""
        if isinstance(record.event, ev.Resumed):
            self._spawn(self._open(frozenset(record.event.pulls), record.actor))

    def _scopes(self, judgement: Judgement) -> str:
        return ", ".join(self._hub.state.pulls[name].scope for name in judgement.pulls) or "desk"

    async def _open(self, pulls: frozenset[str], actor: str) -> None:
        """The steps between the record and the gate, and the gate."""
        trouble = []
        try:
            await beside(lambda: self._gate.clear_latch(pulls), DISK_SECONDS)
        except (OSError, TimeoutError) as error:
            trouble.append(f"the latch still holds them, and is tried again every second: {error}")
        with contextlib.suppress(TimeoutError):
            await beside(lambda: self._cord.drop(pulls, LET_GO_SECONDS), 2 * LET_GO_SECONDS)
        trouble += await self._release(actor)
        self._gate.resumed(self._hub.state, self._covered)
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(trouble)

    async def _release(self, actor: str) -> list[str]:
        """Give back what the cord took by the venues' and the hosts' own means, where no pull that stands wants it."""
        state = self._hub.state
        scopes = [(pull.level, Scope.parse(pull.scope)) for pull in state.pulls.values()]
        stopped = {name for pull in state.pulls.values() if pull.level.cancels for name in pull.venues}
        lifts = [name for name in state.suspended if name not in stopped and name in self._venues]
        hosts = [
            name
            for name in state.disabled
            if name in self._hosts
            and not any(lv is Level.L2 and sc.touches(**_about(state, name)) for lv, sc in scopes)
        ]
        said = await asyncio.gather(
            *(self._lift(name, actor) for name in lifts), *(self._enable(name, actor) for name in hosts)
        )
        return [trouble for trouble in said if trouble]

    async def _lift(self, name: str, actor: str) -> str:
        """An exposing act: looked at first, on disk before its bytes leave, sent once."""
        venue = self._venues[name]
        read = await within(venue.account())
        pull = next(reversed(self._hub.state.resumed), "")
        if isinstance(read, Ok) and not read.data.blocked:
            answered = ev.CordAnswered(pull, name, "unsuspend", "acked", detail="it was not suspended any more")
            self._hub.journal(answered, actor)
            return ""
        sent = self._hub.journal(ev.CordSent(pull, name, "unsuspend", 1, at=self._hub.clock()), actor)
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(DISK_SECONDS):
                await asyncio.shield(asyncio.wrap_future(sent))
        write = await venue.suspend(False)
        outcome, detail = told(write)
        self._hub.journal(ev.CordAnswered(pull, name, "unsuspend", outcome, detail=detail), actor)
        return "" if outcome == "acked" else f"{name} may still be suspended ({detail}): lift it at the venue"

    async def _enable(self, name: str, actor: str) -> str:
        outcome, detail = told(await self._hosts[name].enable(True))
        what = "enabled" if outcome == "acked" else "could not be enabled"
        self._hub.journal(ev.StrategyChanged(strategy=name, what=what, detail=detail or "resumed"), actor)
        return "" if outcome == "acked" else f"{name} could not be enabled ({detail})"

    def _now(self, judgement: Judgement) -> str:
        cleared = ", ".join(judgement.pulls) or "the size"
        state = self._hub.state
        shut = [f"{pull.level} {pull.scope} by {pull.actor} ({pull.id})" for pull in state.pulls.values()]
        if shut:
            return f"{cleared} resumed; the gate stays shut for {', '.join(shut)}"
        return f"{cleared} resumed; the gate is open at {share(judgement.size)}"

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        async def run() -> None:
            try:
                await work
            except Exception as error:
                print(f"andon guard: a resume was not finished: {error!r}", file=sys.stderr, flush=True)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def retire(state: DeskState, name: str, reason: str, confirm: str) -> ev.VenueRetired:
    """Take a venue out for good. Raises RuntimeError with the reason for a refusal."""
    row = state.venues.get(name)
    if row is None:
        raise RuntimeError(f"there is no venue {name!r}; there are: {', '.join(state.venues)}")
    if row.retired:
        raise RuntimeError(f"{name} is retired already: {row.retired}")
    if not reason.strip():
        raise RuntimeError("why is it gone for good? --reason TEXT")
    if row.answers:
        raise RuntimeError(f"{name} answers: what it holds can be proven, so it is not gone")
    if confirm != state.name:
        raise RuntimeError("the desk's name was not typed: --confirm DESKNAME")
    return ev.VenueRetired(venue=name, reason=reason.strip()[:1000])


def _about(state: DeskState, strategy: str) -> dict[str, str]:
    return {
        "strategy": strategy,
        "venue": state.strategies[strategy].info.venue if strategy in state.strategies else "",
    }
