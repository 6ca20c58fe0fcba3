"""`andon drill`: what can be drilled, what was, and doing it."""

import msgspec

from console.commands.look import look
from console.commands.output import print_json, print_table
from console.config import ConfigError, find, glance
from console.desk.drill import DRILLS, seconds
from console.desk.pull import Level
from console.desk.state import DrillState
from console.desk.words import clock
from console.drill import run_drill
from console.reports import text_of

PASSED, FAILED = 0, 1


def list_drills(desk: str | None, *, as_json: bool) -> int:
    """Prints what there is to drill and, where a desk has a record, what was drilled on it."""
    try:
        done = look(desk)[1].state.drills
    except ConfigError:
        done = ()
    if as_json:
        print_json({"drills": DRILLS, "done": [{"at": row.at, **msgspec.structs.asdict(row.done)} for row in done]})
        return PASSED
    print_table(list(DRILLS.items()))
    print_table([_row(row) for row in done], "  ")
    return PASSED


def _row(row: DrillState) -> tuple[str, ...]:
    done = row.done
    told = f"blocked {seconds(done.blocked_ms)}" + (f", flat {seconds(done.flat_ms)}" if done.level == "L4" else "")
    return (done.id, "passed" if done.passed else "FAILED", done.level, f"{clock(row.at)}Z", told, done.report)


def run(desk: str | None, name: str | None, level: str, *, as_json: bool) -> int:
    """Run a drill and print its report; 0 where it passed. Raises ConfigError where it can not be run."""
    if name not in DRILLS:
        raise ConfigError(f"there is no drill {name!r}; one of {', '.join(DRILLS)} is expected" if name else _WHICH)
    drill = run_drill(glance(find(desk)), Level(level))
    if as_json:
        print_json(
            {
                "id": drill.name,
                "drill": name,
                "pull": drill.pull.id,
                "level": level,
                "passed": drill.passed,
                **msgspec.structs.asdict(drill.findings),
                "report": drill.report,
                "problem": drill.problem,
            }
        )
    else:
        print(text_of(drill.report))
        print(f"  filed     {drill.report}")
        if drill.problem:
            print(f"  NOT KEPT  the guard's journal does not know of it: {drill.problem}")
        print("The desk stays stopped: the latch stands until it is resumed.")
    return PASSED if drill.passed else FAILED


_WHICH = f"say which drill: one of {', '.join(DRILLS)}"
