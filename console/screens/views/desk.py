"""The Desk: monitors, strategies, what happened, and what to do next."""

from collections.abc import Sequence

from console.desk.moment import Look, Moment
from console.desk.next_steps import Step
from console.desk.pull import GateState
from console.desk.state import MonitorState, StrategyState
from console.desk.timeline import some
from console.desk.words import NONE, SECOND, age, clock, count, short, signed
from console.screens.views.looks import GATES, LOOKS, MONITORS, STEP_GLYPHS, TONE_GLYPHS, aged, tone
from widgets.curve import curve
from widgets.grid import Column, Row
from widgets.line import Line, line, spread, wrap

CURVE = 8
SEALED_WITHIN = 60 * SECOND
"""An incident whose evidence is not sealed after so long is in trouble."""

MONITOR_COLUMNS = (
    Column("monitor", 22),
    Column("reading", 17, grow=1),
    Column("threshold", 11),
    Column("curve", CURVE),
    Column("age", 10, align="right"),
    Column("channel", 5),
)

STRATEGY_COLUMNS = (
    Column("strategy", 15),
    Column("gate", 15, grow=1),
    Column("orders", 11, align="right"),
    Column("day", 9, align="right"),
    Column("model", 12, align="right"),
    Column("age", 10, align="right"),
)


def label_of(monitor: MonitorState) -> str:
    return monitor.info.label if monitor.info else monitor.id.replace("-", " ")


def monitors_title(moment: Moment) -> str:
    """`Monitors  6 · 1 firing · 1 unknown`."""
    states = [row.state for row in moment.state.monitors.values()]
    told = [f"{states.count(name)} {name}" for name in ("firing", "pending", "unknown") if name in states]
    return f" {' · '.join([f'Monitors  {len(states)}', *told])} "


def monitor_rows(moment: Moment) -> list[Row]:
    return [_monitor(moment, row) for row in moment.state.monitors.values()]


def _monitor(moment: Moment, row: MonitorState) -> Row:
    look = moment.look(row.as_of)
    glyph, looks = MONITORS.get(row.state, MONITORS["unknown"])
    trusted = look is Look.OK
    if not trusted:
        glyph, looks, _ = LOOKS[look]
    loud = looks if row.state in ("firing", "pending", "unknown") or not trusted else ""
    info = row.info
    return Row(
        row.id,
        (
            line((f"{glyph} ", looks), (label_of(row), loud)),
            line((row.text, loud)),
            line((info.threshold if info else "", "dim")),
            curve(row.curve, CURVE),
            aged(moment, row.as_of, marked=False),
            line((info.channel if info else "", "dim")),
        ),
    )


def strategies_title(moment: Moment) -> str:
    return f" Strategies  {len(moment.state.strategies)} "


def strategy_rows(moment: Moment) -> list[Row]:
    return [_strategy(moment, name, row) for name, row in moment.state.strategies.items()]


def _strategy(moment: Moment, name: str, row: StrategyState) -> Row:
    sample = row.sample
    if sample is None:
        unheard = line(("○ ", "unknown"), name)
        return Row(name, (unheard, line(("not heard yet", "unknown")), (), (), (), aged(moment, 0, marked=False)))
    look = moment.look(sample.as_of)
    glyph, looks = ("●", "good") if sample.healthy and sample.enabled else ("▲", "bad")
    if look is not Look.OK:
        glyph, looks, _ = LOOKS[look]
    word = "" if sample.enabled else " off"
    aloof = looks if look is not Look.OK else ""
    return Row(
        name,
        (
            line((f"{glyph} ", looks), (name, aloof), (word, "warn")),
            _gate(moment, name, sample.gate),
            line((f"{sample.orders_per_minute}", aloof), (" ord/min", "dim")),
            line((f"{signed(sample.day_pct)} %", aloof)),
            _model(sample.model_hash, row.info.model_pin),
            aged(moment, sample.as_of, marked=False),
        ),
    )


def _gate(moment: Moment, strategy: str, acts_on: GateState) -> Line:
    """What the gate says, and loudly where the strategy has not followed."""
    gate = moment.state.gate_for(strategy)
    if gate is None:
        return line(("○ gate unknown", "unknown"))
    glyph, looks = GATES[gate]
    if moment.defies(strategy):
        return line((f"{glyph} {gate}", looks), (f", acts {acts_on}", "bad"))
    if moment.down and gate is not GateState.HALTED:
        return line((f"✕ was {gate}", "cut"))
    told = moment.state.gate
    share = told.size_factor if told is not None and gate in (GateState.OPEN, GateState.REDUCED) else 0
    return line((f"{glyph} {gate} {share * 100:.0f} %", looks))


def _model(running: str, pin: str) -> Line:
    if not running:
        return line((NONE, "unknown"))
    if not pin:
        return line(short(running, 5), (" no pin", "dim"))
    return line(short(running, 5), (" = pin", "dim") if running == pin else (" ≠ pin", "bad"))


def timeline_title(moment: Moment, width: int) -> str:
    """The incident that is open: its number, severity, class and age. Where space is short the class gives way."""
    known = moment.state.logbook.open_incident
    if known is None:
        return " Timeline "
    began = f" {known.id} {known.severity} "
    ended = f"{age(moment.now - known.opened_at)} "
    room = width - len(began) - len(ended) - len("── ")
    cls = known.cls if len(known.cls) <= room else f"{known.cls[: max(0, room - 1)]}…"
    return f"{began}{cls} {ended}" if known.cls else f"{began}{ended}"


def evidence_lines(moment: Moment, width: int, *, roomy: bool) -> list[Line]:
    """What is kept of the incident that is open. What could not be kept is said wherever there is little room; that all
    is well only where there is more."""
    known = moment.state.logbook.open_incident
    if known is None:
        return []
    told: list[Line] = []
    if known.trouble:
        more = f" ({len(known.trouble)} such)" if len(known.trouble) > 1 else ""
        told += wrap(line(("▲ not kept: ", "bad")), f"{known.trouble[-1]}{more}", "bad", width)
    if not moment.live:
        return told
    if known.sealed is None:
        late = moment.now - known.opened_at > SEALED_WITHIN
        told.append(line(("▲ not sealed yet" if late else "… not sealed yet", "bad" if late else "key")))
    elif known.sealed.missing:
        told += wrap(line(("△ missing: ", "warn")), some(known.sealed.missing, 2), "warn", width)
    if roomy and known.sealed is not None:
        sealed = known.sealed
        when = f"sealed {age(moment.now - sealed.at)} ago"
        told.append(line(("✓ ", "good"), when, (f" · {count(len(sealed.items), 'item')} · seal {sealed.seal}", "dim")))
    return told


def timeline_lines(moment: Moment, width: int) -> list[Line]:
    """Oldest first."""
    lines: list[Line] = []
    for entry in moment.state.timeline[-200:]:
        lead = line((f"{clock(entry.ts)} ", "dim"), (f"{TONE_GLYPHS.get(entry.tone, '·')} ", tone(entry.tone)))
        lines += wrap(lead, entry.text, tone(entry.tone), width)
    return lines


def next_title(moment: Moment, steps: Sequence[Step]) -> str:
    """How many steps there are, because a small screen can not show them all; and how to see every pull that stands."""
    if not moment.live:
        return f" Next, as it was then  {len(steps)} "
    pulls = len(moment.state.pulls)
    return f" Next  {len(steps)} · {pulls} pulls stand: v, then ← → " if pulls > 1 else f" Next  {len(steps)} "


def step_lines(steps: Sequence[Step], width: int, *, roomy: bool, keys: bool = True) -> list[Line]:
    """One line a step; with the reason below it where there is room. `keys` says with which key it is done."""
    lines = []
    for step in steps:
        glyph = line((f"{STEP_GLYPHS.get(step.tone, '☐')} ", tone(step.tone)))
        key = line((f"{step.key} ", "key")) if keys else line(" ")
        what = (step.what, "" if step.tone == "calm" else tone(step.tone))
        if roomy:
            said = wrap(glyph, step.what, what[1], width - 3)
            lines += [spread(said[0], key, width), *said[1:]]
            lines += wrap(line("  "), step.why, "dim", width) if step.why else []
        else:
            why = f"  {step.why}" if step.why else ""
            lines.append(spread(line(glyph, what, (why, "dim")), key, width))
    return lines
