"""A drill that somebody did, kept in the journal: judged anew here, from the guard's own records."""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from console.desk.drill import DRILLS, ORIGIN, judge
from console.desk.events import DrillDone
from console.guard.aside import beside
from console.guard.hub import Hub

READ_SECONDS = 5.0
FOLDER = "drills"


async def keep_drill(hub: Hub, folder: Path, told: Mapping[str, str], actor: str) -> str:
    """Journal a drill, and answer once it is on disk. `told` has `drill`, `id`, `pull`, `report` (within the state
    folder), `sha256` and `late_orders`. Raises RuntimeError with the reason for a refusal."""
    pull = hub.state.pulls.get(told["pull"])
    if hub.state.mode != "simulated":
        raise RuntimeError(f"this desk is {hub.state.mode}: drills are kept of a simulated desk only")
    if told["drill"] not in DRILLS or not told["late_orders"].isdecimal():
        raise RuntimeError("this is no drill that the guard knows")
    if pull is None or pull.origin != ORIGIN:
        raise RuntimeError(f"pull {told['pull']} is not known here as a drill's")
    report = Path(told["report"])
    if report.parent != Path(FOLDER):
        raise RuntimeError(f"the report {report} does not lie in {FOLDER}/")
    try:
        data = await beside((folder / report).read_bytes, READ_SECONDS)
    except (OSError, TimeoutError) as error:
        raise RuntimeError(f"the report {report} can not be read: {error}") from None
    if hashlib.sha256(data).hexdigest() != told["sha256"]:
        raise RuntimeError(f"the report {report} is not the one that was told of")
    findings = judge(pull, int(told["late_orders"]))
    done = DrillDone(
        id=told["id"],
        drill=told["drill"],
        pull=pull.id,
        level=pull.level.value,
        passed=findings.passed,
        report=str(report),
        sha256=told["sha256"],
        **msgspec.structs.asdict(findings),
    )
    try:
        async with asyncio.timeout(READ_SECONDS):
            await asyncio.wrap_future(hub.journal(done, actor))
    except TimeoutError:
        raise RuntimeError("the disk has not taken it yet: andon drill list shows whether it does") from None
    except OSError as error:
        raise RuntimeError(f"the disk did not take it: {error}") from None
    return f"drill {done.id} is in the journal"
