"""Drills that somebody did, kept in the journal. One of the cord is judged anew here, from the guard's own records."""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from console.desk.drill import DRILLS, ORIGIN, judge
from console.desk.events import DrillDone, RestoreDrilled
from console.desk.restore import RESTORE_FOLDER, restore_event
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
    await _report(folder, FOLDER, told)
    findings = judge(pull, int(told["late_orders"]))
    done = DrillDone(
        id=told["id"],
        drill=told["drill"],
        pull=pull.id,
        level=pull.level.value,
        passed=findings.passed,
        report=told["report"],
        sha256=told["sha256"],
        **msgspec.structs.asdict(findings),
    )
    await _journaled(hub, done, actor)
    return f"drill {done.id} is in the journal"


async def keep_restore(hub: Hub, folder: Path, told: Mapping[str, str], actor: str) -> str:
    """Journal a restore drill by its own report, and answer once it is on disk. `told` has `report` (within the state
    folder) and `sha256`. Raises RuntimeError with the reason for a refusal."""
    data = await _report(folder, RESTORE_FOLDER, told)
    try:
        done = restore_event(data, told["report"])
    except msgspec.MsgspecError as error:
        raise RuntimeError(f"the report {told['report']} is not one of a restore drill: {error}") from None
    await _journaled(hub, done, actor)
    return f"the restore drill of {done.incident} is in the journal"


async def _report(folder: Path, within: str, told: Mapping[str, str]) -> bytes:
    """The bytes of the report, which are those that were told of. Raises RuntimeError."""
    report = Path(told["report"])
    if report.parent != Path(within):
        raise RuntimeError(f"the report {report} does not lie in {within}/")
    try:
        data = await beside((folder / report).read_bytes, READ_SECONDS)
    except (OSError, TimeoutError) as error:
        raise RuntimeError(f"the report {report} can not be read: {error}") from None
    if hashlib.sha256(data).hexdigest() != told["sha256"]:
        raise RuntimeError(f"the report {report} is not the one that was told of")
    return data


async def _journaled(hub: Hub, done: DrillDone | RestoreDrilled, actor: str) -> None:
    try:
        async with asyncio.timeout(READ_SECONDS):
            await asyncio.wrap_future(hub.journal(done, actor))
    except TimeoutError:
        raise RuntimeError("the disk has not taken it yet: andon status shows whether it does") from None
    except OSError as error:
        raise RuntimeError(f"the disk did not take it: {error}") from None
