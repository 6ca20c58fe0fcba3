"""The looks that mean something: one place where a state gets its glyph, its word and its tone."""

from console.desk.moment import Look, Moment
from console.desk.pull import GateState, Verdict
from console.desk.words import NONE, age
from widgets.line import Line, Span, line

LOOKS = {
    Look.OK: ("●", "good", "fresh"),
    Look.STALE: ("◌", "stale", "stale: the last reading is older than 10 s"),
    Look.UNKNOWN: ("○", "unknown", "unknown: it could not be read, which is not zero"),
    Look.CUT: ("✕", "cut", "cut off: as last seen, because the guard is down"),
}

MONITORS = {
    "ok": ("●", "good"),
    "pending": ("△", "warn"),
    "firing": ("▲", "bad"),
    "unknown": ("○", "unknown"),
    "closed": ("–", "dim"),
}

GATES = {
    GateState.OPEN: ("●", "good"),
    GateState.REDUCED: ("◐", "warn"),
    GateState.CLOSE_ONLY: ("◧", "warn"),
    GateState.HALTED: ("■", "bad"),
}

VERDICTS = {
    Verdict.VERIFIED: ("✓", "good", "band-good"),
    Verdict.REQUESTED: ("…", "key", "band-calm"),
    Verdict.PARTIAL: ("△", "warn", "band-warn"),
    Verdict.UNKNOWN: ("○", "unknown", "band-unknown"),
}

MODES = {"simulated": "band-calm", "paper": "band-good", "live": "band-warn"}

TONE_GLYPHS = {"calm": "·", "good": "✓", "warn": "△", "bad": "▲", "cord": "■"}
STEP_GLYPHS = {"calm": "☐", "good": "✓", "warn": "△", "bad": "▲", "cord": "■"}


def tone(told: str) -> str:
    """A timeline's tone as a line's."""
    return "" if told == "calm" else told


def mode_band(mode: str) -> Span:
    """SIMULATED, PAPER or LIVE: never to be overlooked."""
    return (f" {mode.upper()} ", MODES.get(mode, "band-unknown")) if mode else (" MODE UNKNOWN ", "band-unknown")


def aged(moment: Moment, as_of: int, unknown: str = "", *, marked: bool = True) -> Line:
    """The age of a reading, in a look of its own where it can not be trusted. A row that begins with the glyph is not
    `marked` with it again."""
    look = moment.look(as_of, unknown)
    glyph, looks, _ = LOOKS[look]
    told = age(moment.now - as_of) if as_of else ""
    if look is Look.OK:
        return line((told, "dim"))
    if look is Look.UNKNOWN and not as_of:
        return line((f"{glyph} {NONE}" if marked else NONE, looks))
    word = {Look.STALE: "stale", Look.UNKNOWN: "lost", Look.CUT: "cut"}[look]
    return line((f"{glyph} " if marked else "", looks), (f"{word} {told}", looks))


LEAVES = {
    "kill-switch": "band-bad",
    "throttle": "band-warn",
    "rollback": "band-warn",
    "investigate": "band-calm",
    "resume": "band-good",
}
"""What a leaf of a tree does, by its kind."""

MARKS = {
    "": ("☐", "", ""),
    "done": ("☑", "good", "done"),
    "verified": ("✓", "good", "verified"),
    "skipped": ("⊘", "stale", "skipped"),
    "overridden": ("!", "warn", "overridden"),
}
"""What became of a step: its glyph, its tone, and the word for it."""

STANDINGS = {
    "done": ("✓", "good"),
    "waived": ("–", "stale"),
    "due": ("☐", "key"),
    "overdue": ("▲", "bad"),
    "expired": ("▲", "bad"),
    "failed": ("✗", "bad"),
}
"""Where a gate stands."""


def kind_word(kind: str) -> str:
    """A kind of runbook as a person calls it."""
    return {"incident": "class", "log": "log field", "manual-trigger": "by hand"}.get(kind, kind)
