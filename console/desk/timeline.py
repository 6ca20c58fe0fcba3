"""What happened, in one line each: the only place where an event becomes words."""

from collections.abc import Callable
from typing import Any

from console.desk import entries as en
from console.desk import events as ev
from console.desk.pull import Verdict, spared_text
from console.desk.words import share


class TimelineEntry(ev.Plain, frozen=True):
    """`tone` is calm, good, warn, bad or cord: how it looks, never what it means."""

    ts: int
    tone: str
    text: str
    actor: str = ""


_VERDICT_TONE = {Verdict.VERIFIED: "good", Verdict.REQUESTED: "calm", Verdict.PARTIAL: "warn", Verdict.UNKNOWN: "bad"}
_MONITOR_TONE = {"firing": "bad", "pending": "warn", "unknown": "warn", "ok": "good", "closed": "calm"}


def some(items: tuple[str, ...], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def _pulled(record: ev.Record, event: ev.Pulled) -> tuple[str, str]:
    direct = " directly, without the guard" if event.hand == "direct" else ""
    reason = f" “{event.reason}”" if event.reason else ""
    spares = spared_text(keep_protective=event.keep_protective, own_only=event.own_only)
    spares = f", {spares}" if spares else ""
    return "cord", f"K {event.level} {event.scope}{spares}{reason} by {record.actor} ({event.origin}){direct}"


def _answered(record: ev.Record, event: ev.CordAnswered) -> tuple[str, str]:
    what = f"{event.venue}: {event.what.replace('_', ' ')} {event.target}".rstrip()
    if event.outcome == "acked" and not event.failed:
        count = f" {event.items}" if event.items else ""
        return "calm", f"{what} acked{count} in {event.took_ms} ms"
    tone = "warn" if event.outcome != "ambiguous" else "bad"
    failed = f", refused {some(event.failed)}" if event.failed else ""
    return tone, f"{what} {event.outcome}{failed} {event.detail}".rstrip()


def _verdict(record: ev.Record, event: ev.VenueVerdict) -> tuple[str, str]:
    return _VERDICT_TONE[event.verdict], f"{event.verdict} {event.venue}: {event.why}"


def _sent(record: ev.Record, event: ev.CordSent) -> tuple[str, str] | None:
    if event.what == "cancel" and event.attempt > 1:
        return None  # repeats are counted on the verdict page, one line each would bury the rest
    again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
    what = f"{event.what.replace('_', ' ')} {event.target} {event.qty}".rstrip()
    return "calm", f"{event.venue}: {what} sent{again}"


def _resumed(record: ev.Record, event: ev.Resumed) -> tuple[str, str]:
    pulls = f": clears {some(event.pulls)}" if event.pulls else ""
    return (
        "good",
        f"RESUMED {event.scope} at {share(event.size)}, {event.cause} “{event.text}” by {record.actor}{pulls}",
    )


def _note(text: str) -> str:
    return f" “{text}”" if text else ""


def _answer(record: ev.Record, event: en.WalkAnswered) -> tuple[str, str]:
    return "calm", f"tree {event.walk}: {event.question} {'YES' if event.yes else 'NO'}{_note(event.note)}"


def _acted(record: ev.Record, event: en.LeafActed) -> tuple[str, str]:
    target = f" ({event.target})" if event.target else ""
    return "good", f"tree {event.walk}: {event.leaf} done{target}{_note(event.note)} by {record.actor}"


def _marked(record: ev.Record, event: en.StepMarked) -> tuple[str, str]:
    tone = "warn" if event.how in ("skipped", "overridden") else "calm"
    return tone, f"{event.run}: step {event.step + 1} {event.how}{_note(event.note)}"


def _attested(record: ev.Record, event: en.GateAttested) -> tuple[str, str]:
    tone = {"passed": "good", "failed": "bad", "waived": "warn"}[event.result]
    return tone, f"{event.gate} {event.result} for {event.day}{_note(event.note)} by {record.actor}"


def _lowered(record: ev.Record, event: en.SizeLowered) -> tuple[str, str]:
    return "warn", f"size lowered to {event.size_pct} % at most{_note(event.reason)} by {record.actor}"


def _adjusting(record: ev.Record, event: ev.BookAdjusting) -> tuple[str, str]:
    rows = tuple(f"{row.subject} broker {row.broker} book {row.book}" for row in event.rows)
    return "warn", f"BOOK of {event.venue} to broker truth by {record.actor}: {some(rows)}"


def _adjusted(record: ev.Record, event: ev.BookAdjusted) -> tuple[str, str]:
    if event.outcome == "acked":
        return "good", f"{event.strategy} put its book right"
    return "bad", f"{event.strategy} {event.outcome} the adjustment: {event.detail}"


def _opened(record: ev.Record, event: en.IncidentOpened) -> tuple[str, str]:
    what = " ".join(filter(None, (event.severity, event.cls)))
    title = f" “{event.title}”" if event.title else ""
    return "bad", f"{event.incident} opened {what}{title} by {record.actor}"


def _sealed(record: ev.Record, event: ev.ArchiveSealed) -> tuple[str, str]:
    told = f"{event.incident} sealed {event.seal} ({event.why}): {len(event.items)} items"
    return ("warn", f"{told}, missing {some(event.missing)}") if event.missing else ("good", told)


_TELL: dict[type[ev.Event], Callable[[ev.Record, Any], tuple[str, str] | None]] = {
    ev.GuardStarted: lambda r, e: ("calm", f"guard {e.version} started, {e.recovered} records recovered"),
    ev.GuardStopped: lambda r, e: ("warn", f"guard stopped: {e.why}"),
    ev.VenueChanged: lambda r, e: (
        ("good", f"{e.venue} answers") if e.answers else ("bad", f"{e.venue} does not answer: {e.why}")
    ),
    ev.DeadManChanged: lambda r, e: (
        ("good", f"{e.venue} dead-man switch armed: {e.why}")
        if e.armed
        else ("bad", f"{e.venue} dead-man switch not refreshed: {e.why}")
    ),
    ev.SessionChanged: lambda r, e: ("calm", f"{e.venue} session {'opened' if e.open else 'closed'}"),
    ev.MonitorChanged: lambda r, e: (_MONITOR_TONE.get(e.now, "calm"), f"{e.monitor} {e.now}: {e.text}"),
    ev.StrategyChanged: lambda r, e: ("calm", f"{e.strategy} {e.what} {e.detail}".rstrip()),
    ev.GateChanged: lambda r, e: ("calm", f"gate {e.state} {share(e.size_factor)}: {e.because}"),
    ev.Refused: lambda r, e: (
        "warn",
        f"refused {e.what} from {e.remote or r.actor}: {e.why}" + (f" ({e.count} such)" if e.count > 1 else ""),
    ),
    ev.Pulled: _pulled,
    ev.TriggerTurned: lambda r, e: (
        "good" if e.clear else "warn",
        f"trigger {e.trigger} {e.subject}".rstrip() + f" is {'clear' if e.clear else 'not clear any more'}: {e.text}",
    ),
    ev.PullReason: lambda r, e: ("cord", f"reason: “{e.reason}” by {r.actor}"),
    ev.PullDropped: lambda r, e: ("warn", f"a pull heard {e.late_ms} ms late was left to the direct hand"),
    ev.LatchSet: lambda r, e: ("bad", f"latch not written: {e.error}; {e.fallback}") if e.error else None,
    ev.CordSent: _sent,
    ev.CordAnswered: _answered,
    ev.QuietRestarted: lambda r, e: ("calm", f"{e.venue}: quiet clock from here ({e.why})"),
    ev.VenueVerdict: _verdict,
    ev.Resumed: _resumed,
    ev.BookAdjusting: _adjusting,
    ev.BookAdjusted: _adjusted,
    ev.VenueRetired: lambda r, e: ("warn", f"{e.venue} RETIRED “{e.reason}” by {r.actor}"),
    ev.DrillDone: lambda r, e: (
        ("good", f"drill {e.drill} passed: {e.report}")
        if e.passed
        else ("bad", f"drill {e.drill} failed: {some(e.missed)}")
    ),
    en.WalkBegun: lambda r, e: ("calm", f"tree {e.walk}: begun by {r.actor}"),
    en.WalkAnswered: _answer,
    en.WalkTakenBack: lambda r, e: ("calm", f"tree {e.walk}: back to {e.question}"),
    en.LeafActed: _acted,
    en.WalkAborted: lambda r, e: ("calm", f"tree {e.walk}: aborted “{e.reason}” by {r.actor}"),
    en.TaskClosed: lambda r, e: ("calm", f"task {e.task} closed{_note(e.note)} by {r.actor}"),
    en.RunBegun: lambda r, e: ("calm", f"{e.run}: begun by {r.actor}"),
    en.StepMarked: _marked,
    en.StepUnmarked: lambda r, e: ("calm", f"{e.run}: step {e.step + 1} open again"),
    en.RunFinished: lambda r, e: ("good", f"{e.run}: finished by {r.actor}"),
    en.RunAborted: lambda r, e: ("warn", f"{e.run}: aborted “{e.reason}” by {r.actor}"),
    en.GateAttested: _attested,
    en.SizeLowered: _lowered,
    en.IncidentOpened: _opened,
    en.IncidentJoined: lambda r, e: ("cord", f"{e.incident} joined by the pull {e.pull}"),
    en.IncidentNoted: lambda r, e: ("calm", f"{e.incident}: “{e.text}” by {r.actor}"),
    en.IncidentClosed: lambda r, e: ("good", f"{e.incident} closed “{e.outcome}” by {r.actor}"),
    ev.ArchiveSealed: _sealed,
    ev.EvidenceFailed: lambda r, e: ("bad", f"{e.incident}: {e.what} could not be kept: {e.why}"),
    ev.ArchiveRemoved: lambda r, e: ("warn", f"{e.incident} removed from the archive: {e.why}"),
    ev.RestoreDrilled: lambda r, e: (
        ("good", f"restore drill of {e.incident} passed: {e.report}")
        if e.passed
        else ("bad", f"restore drill of {e.incident} failed: {some(e.missed)}")
    ),
    ev.EvidenceTaken: lambda r, e: (
        ("warn", f"evidence kept, missing {some(e.missing)}") if e.missing else ("calm", "evidence kept")
    ),
}


TOLD = tuple(ev.kind_of(kind) for kind in _TELL)
"""The kinds of which some add a line."""


def tell(record: ev.Record) -> TimelineEntry | None:
    """The line a journal record adds to the timeline, if it adds one (a fill or a description does not)."""
    teller = _TELL.get(type(record.event))
    told = teller(record, record.event) if teller else None
    return None if told is None else TimelineEntry(ts=record.ts, tone=told[0], text=told[1], actor=record.actor)
