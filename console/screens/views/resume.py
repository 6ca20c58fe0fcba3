"""The way back: what would be resumed, each proof with what was seen, and the key that leads to what is missing."""

from collections.abc import Sequence

from console.desk.moment import Moment
from console.desk.resume import SIZES, Asked, Cause, Judgement, Outcome, Proof
from console.desk.words import NONE, age, share, short
from console.screens.views.looks import mode_band
from widgets.line import BLANK, Line, fit, line, spread, width_of, wrap

LABEL = 20
ROOMY = 90


def title(moment: Moment, width: int) -> Line:
    state = moment.state
    hand = (
        line((f"✕ guard down: {moment.down} ", "cut"))
        if moment.down
        else line((f"guard {age(moment.guard_age or 0)} ", "dim"))
    )
    return spread(line((f" RESUME   {state.name or '?'}  ", "title"), mode_band(state.mode)), hand, width)


def choices(moment: Moment) -> tuple[Asked, ...]:
    """What can be chosen with Tab: everything, then each pull."""
    return (Asked(scope="desk"), *(Asked(pull=name) for name in moment.state.pulls))


def wish(moment: Moment, asked: Asked, width: int) -> list[Line]:
    """What is asked for, each part with the key that changes it."""
    pull = moment.state.pulls.get(asked.pull)
    count = len(moment.state.pulls)
    which = f"everything that stands ({count})" if count else f"the size, {share(moment.state.size)} now"
    if pull is not None:
        which = f"{pull.level} {pull.scope} by {pull.actor} ({pull.id})"
    sizes = [(f"{size} %" if size.isdigit() else size, size == asked.size) for size in SIZES]
    causes = [(str(cause), cause == asked.cause) for cause in Cause]
    lines = [
        line(_key("Tab", "what"), (f" ▸ {which} ", "band-calm")),
        line(_key("s", "size"), *_chosen(sizes)),
        line(_key("c", "cause"), *_chosen(causes)),
    ]
    lines += wrap(_key("t", "what it was"), asked.text or NONE, "" if asked.text else "dim", width)
    if asked.cause == Cause.OWN_FIX:
        lines += wrap(_key("h", "verified how"), asked.checked or NONE, "" if asked.checked else "dim", width)
    return lines


def _key(key: str, label: str) -> Line:
    return line((f"{key:>4} ", "key"), (f"{label:<14}", "dim"))


def _chosen(words: Sequence[tuple[str, bool]]) -> list[Line]:
    return [line((f" ▸ {word} ", "band-calm")) if chosen else line(f"   {word} ") for word, chosen in words]


def proofs(outcome: Outcome | None, width: int) -> list[Line]:
    """✓ and ✗ with what was seen; the name comes last, and only then."""
    if outcome is None:
        return [line((" … the guard reads books and venues anew", "dim"))]
    if outcome.judgement is None:
        return wrap(line((" ✗ ", "bad")), outcome.said, "warn", width, 3)
    return [told for proof in outcome.judgement.proofs if proof.id != "name" for told in _proof(proof, width)]


def _proof(proof: Proof, width: int) -> list[Line]:
    """What is missing ends in the key that leads to it; the command stands below where there is room."""
    glyph = (" ✓ ", "good") if proof.holds else (" ✗ ", "bad")
    lead = line(glyph, fit(line((proof.label, "title")), LABEL))
    if proof.holds:
        return wrap(lead, proof.said, "", width)
    leads_to = line(" ", (proof.key, "key"), " ")
    first, *rest = wrap(lead, proof.said, "warn", width - width_of(leads_to))
    if proof.way and (not proof.key or width >= ROOMY):
        rest += wrap(line(" " * (LABEL + 3), ("→ ", "dim")), proof.way, "dim", width)
    return [spread(first, leads_to, width), *rest]


def ready(outcome: Outcome | None) -> bool:
    """Whether nothing but the desk's name is missing."""
    judged = None if outcome is None else outcome.judgement
    return judged is not None and all(proof.id == "name" for proof in judged.missing)


def after(moment: Moment, outcome: Outcome | None, width: int) -> list[Line]:
    """What comes of it, and how it is carried out."""
    if outcome is None or outcome.judgement is None:
        return []
    lines = [BLANK, *wrap(line((" then ", "dim")), _then(moment, outcome.judgement), "", width)]
    if ready(outcome):
        lines.append(line((" Enter ", "key"), ("then type the desk’s name: all proofs stand", "good")))
    else:
        lines.append(line((" Enter ", "off"), ("once every proof stands", "off")))
    return lines


def _then(moment: Moment, judgement: Judgement) -> str:
    stays = [moment.state.pulls[name] for name in judgement.stays if name in moment.state.pulls]
    if stays:
        told = ", ".join(f"{pull.level} {pull.scope} ({short(pull.id, 24)})" for pull in stays)
        return f"the gate stays shut for {told}"
    return f"the gate opens at {share(judgement.size)} of the normal size"


def foot(as_of: int, moment: Moment, busy: bool, width: int) -> Line:
    told = "being carried out …" if busy else f"proofs {age(moment.now - as_of)} old " if as_of else "asking … "
    return spread(line((" Esc ", "key"), "leave"), line((told, "dim")), width)
