"""A drill of the cord, judged: blocked and flat in time, and nothing new for the quiet time. Pure."""

from collections.abc import Iterator

from console.desk.events import Plain
from console.desk.pull import Verdict
from console.desk.state import PullState
from console.desk.words import count

ORIGIN = "drill"
"""The origin of a drill's pull, by which it is kept out of every figure about real ones."""

KILL_SWITCH = "kill-switch"
DRILLS = {KILL_SWITCH: "pull the cord on a simulated desk that trades: blocked and flat within 60 s, then quiet"}
WITHIN_MS = 60_000


class Findings(Plain, frozen=True):
    """Milliseconds from the pull to the last venue's proof, None where one is missing (and `flat_ms` where nothing was
    to be flattened). `late_orders` are those that strategies sent after the last venue was blocked, by their own count;
    `missed` says in sentences what was not as it has to be."""

    blocked_ms: int | None
    flat_ms: int | None
    verified_ms: int | None
    quiet_seconds: int
    restarts: int
    late_orders: int
    missed: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.missed


def judge(pull: PullState, late_orders: int) -> Findings:
    """What a drill's pull has shown. VERIFIED is the venues' own proof that nothing new came for the quiet time."""
    blocked, flat = _after(pull, pull.blocked_at), _after(pull, pull.flat_at) if pull.level.flattens else None
    return Findings(
        blocked_ms=blocked,
        flat_ms=flat,
        verified_ms=_after(pull, pull.verified_at),
        quiet_seconds=pull.quiet_seconds,
        restarts=sum(row.quiet_restarts for row in pull.venues.values()),
        late_orders=late_orders,
        missed=tuple(_missed(pull, blocked, flat, late_orders)),
    )


def _missed(pull: PullState, blocked: int | None, flat: int | None, late_orders: int) -> Iterator[str]:
    if not pull.venues:
        yield "no venue was asked"
    for row in pull.venues.values():
        if row.verdict is not Verdict.VERIFIED:
            yield f"{row.venue} is {row.verdict}: {row.why}"
    if blocked is None or blocked > WITHIN_MS:
        yield f"not blocked within {WITHIN_MS // 1000} s"
    if pull.level.flattens and (flat is None or flat > WITHIN_MS):
        yield f"not flat within {WITHIN_MS // 1000} s"
    if late_orders:
        yield f"strategies sent {count(late_orders, 'order')} after the last venue was blocked"


def _after(pull: PullState, ts: int) -> int | None:
    return max(0, ts - pull.at) // 1_000_000 if ts else None


def seconds(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "not reached"
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
