"""Pulls that another hand began, and what has to be known to go on with them.

A direct hand locks its journal file while it lives. Where that lock is free, or the pull was this guard's own before it
was killed, nobody works at it any more: then the guard's cord thread takes it over.
"""

import fcntl
import os
from collections.abc import Container
from pathlib import Path

from console.cord import latch
from console.cord.executor import Inherited
from console.cord.plan import Plan
from console.cord.request import SPARES, PullRequest
from console.desk.events import CordAnswered, CordSent, Pulled, Record
from console.desk.pull import Scope, Verdict
from console.desk.state import DeskState, PullState

UNHEARD_NS = 5_000_000_000


class Closes:
    """What the journals say of closes that were sent: the quantity by venue and symbol, the closing orders' ids, and
    the venues whose suspension was lifted for them. They are needed to tell the cord's own orders from intruders, never
    to send a close twice, and to leave no venue open that was suspended."""

    def __init__(self) -> None:
        self.sent: dict[str, dict[str, dict[str, str]]] = {}
        self.own: dict[str, dict[str, set[str]]] = {}
        self.lifted: set[str] = set()

    def observe(self, record: Record) -> None:
        match record.event:
            case CordSent(what="close") as sent:
                self.sent.setdefault(sent.pull, {}).setdefault(sent.venue, {})[sent.target] = sent.qty
            case CordSent(what="unsuspend") as sent:
                self.lifted.add(sent.venue)
            case (
                CordAnswered(what="suspend", outcome="acked")
                | CordAnswered(what="unsuspend", outcome="refused") as told
            ):
                self.lifted.discard(told.venue)
            case CordAnswered(what="close") as answered if answered.order_id:
                self.own.setdefault(answered.pull, {}).setdefault(answered.venue, set()).add(answered.order_id)

    def inherited(self, pull: PullState, now: int) -> Inherited:
        """Everything about one pull, as the cord takes it. `now` is UTC ns."""
        request = PullRequest(
            level=pull.level.value,
            scope=pull.scope,
            reason=pull.reason,
            actor=pull.actor,
            origin=pull.origin,
            id=pull.id,
            made=pull.at,
            keep_protective=pull.keep_protective,
            own_only=pull.own_only,
        )
        age = max(0, now - pull.at) / 1e9
        proven = {
            name: (row.t_blocked, row.t_flat, row.t_verified)
            for name, row in pull.venues.items()
            if row.verdict is Verdict.VERIFIED
        }
        return Inherited(
            request,
            self.sent.get(pull.id, {}),
            self.own.get(pull.id, {}),
            frozenset(self.lifted),
            proven,
            quiet=pull.quiet_seconds,
            age=age,
        )


def orphans(state: DeskState, folder: Path, working: frozenset[str]) -> list[PullState]:
    """Pulls that stand and that no hand works at: one that is verified is watched on for as long as it stands.
    `working` are those in this guard's own."""
    return [
        pull
        for pull in state.pulls.values()
        if pull.id not in working and not (pull.hand == "direct" and _alive(folder / f"direct-{pull.id}.jsonl"))
    ]


def unheard(known: Container[str], plan: Plan, now: int) -> list[tuple[Pulled, str]]:
    """Pulls that stand in the latch and are not `known` from any journal, with who made them: their hand died, or had a
    full disk, before it could write more. `now` is UTC ns; one younger than `UNHEARD_NS` may still be about to be
    journaled."""
    found = []
    for entry in latch.standing(plan.folder) or []:
        made: int = entry["ts"]
        young = 0 <= now - made <= UNHEARD_NS
        if entry["id"] not in known and not young:
            scope = Scope.parse(entry["scope"])
            event = Pulled(
                pull=entry["id"],
                level=entry["level"],
                scope=str(scope),
                reason="",
                origin="latch",
                hand="guard",
                venues=plan.venues_in(scope),
                quiet_seconds=max(1, int(plan.quiet)),
                made=made,
                **{name: entry.get(name) is True for name in SPARES},
            )
            found.append((event, str(entry.get("actor") or "?")))
    return found


def _alive(path: Path) -> bool:
    """Whether a direct hand holds its journal file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False  # another user's, perhaps: the lock on closes still keeps two hands apart
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
