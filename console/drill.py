"""`andon drill run kill-switch`: the cord, pulled in earnest on a simulated desk, watched, judged and filed."""

import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from console import __version__
from console.config import ConfigError, Glance
from console.desk.drill import KILL_SWITCH, Findings, judge, seconds
from console.desk.events import GuardBeat
from console.desk.pull import Level, Verdict
from console.desk.source import Attached, Detached, Received
from console.desk.state import DeskState, PullState, fold
from console.desk.words import count
from console.guard.client import SILENCE_SECONDS, GuardClient
from console.reports import file_report, file_stamp, utc

FOLDER = "drills"
ATTACH_SECONDS = SILENCE_SECONDS + 1
EXTRA_SECONDS = 90
"""Beyond the quiet time: as long as blocked and flat may take, and something for the quiet clock to begin again."""
SAID_SECONDS = 5.0


class Drill:
    """One drill that was done. `report` is the JSON file; beside it lies the same as text."""

    def __init__(self, name: str, pull: PullState, findings: Findings, report: Path, problem: str) -> None:
        self.name = name
        self.pull = pull
        self.findings = findings
        self.report = report
        self.problem = problem

    @property
    def passed(self) -> bool:
        """A drill that the journal does not know of has proven nothing to anybody else."""
        return self.findings.passed and not self.problem


def run_drill(seen: Glance, level: Level) -> Drill:
    """Pull, wait for the verdict, judge, file. Raises ConfigError, and then nothing was pulled."""
    if seen.mode != "simulated":
        raise ConfigError(
            f"desk {seen.name!r} is {seen.mode or 'of unknown mode'}: drills run on a simulated desk only"
        )
    return asyncio.run(_run(seen.state, level))


async def _run(folder: Path, level: Level) -> Drill:
    watch = _Watch(folder)
    following = asyncio.create_task(watch.follow())
    try:
        await watch.attached()
        before = watch.state
        _fit_for_a_drill(before)
        began = time.time_ns()
        name = f"{file_stamp(began)}-{KILL_SWITCH}"
        pull = await watch.proven(await _pull(folder, level, name, before.quiet_seconds))
        findings = judge(pull, watch.late_orders(pull))
        told = _told(name, before, watch.state, pull, findings, began)
        report, sha256 = file_report(folder / FOLDER, name, told, _lines(told, pull, findings))
        problem = await watch.journal(name, pull, report, sha256, findings.late_orders)
        return Drill(name, pull, findings, report, problem)
    finally:
        following.cancel()
        await asyncio.wait([following])


def _fit_for_a_drill(state: DeskState) -> None:
    """Raises ConfigError where a pull would prove nothing, or would not be a drill."""
    if state.mode != "simulated":
        raise ConfigError(f"the guard's desk is {state.mode or 'not described'}: drills run on a simulated desk only")
    if state.pulls:
        standing = next(iter(state.pulls))
        raise ConfigError(
            f"pull {standing} stands already: a stopped desk shows nothing; start afresh, or resume first"
        )
    if not any(row.orders or row.positions for row in state.venues.values()):
        raise ConfigError(
            "there is nothing to stop yet: no order is open and nothing is held; let the strategies trade"
        )


async def _pull(folder: Path, level: Level, name: str, quiet: int) -> str:
    """`andon kill`, as the launcher runs it. Returns the pull's id; raises ConfigError where it was refused."""
    import console.cord

    program = str(Path(console.cord.__path__[0]) / "kill.py")
    words = ["--all", "--level", level.value, "--reason", f"drill {name}", "--origin", "drill", "--json"]
    words += ["--wait", str(quiet + EXTRA_SECONDS), "--desk", str(folder)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-IS", program, *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    try:
        return str(json.loads(out)["pull"])
    except ValueError:
        raise ConfigError(f"andon kill did not pull (exit {process.returncode}); nothing was drilled") from None


class _Watch:
    """The desk as the guard tells it while the drill goes on, and how many orders each strategy says it sent."""

    def __init__(self, folder: Path) -> None:
        self.state = DeskState()
        self._client = GuardClient(folder)
        self._cut = "no guard is running"
        self._changed = asyncio.Condition()
        self._sent: dict[str, list[tuple[int, int]]] = {}

    async def follow(self) -> None:
        async with contextlib.aclosing(self._client.updates()) as updates:  # type: ignore[type-var]
            async for update in updates:
                async with self._changed:
                    match update:
                        case Attached():
                            self.state = update.state
                        case Received():
                            self.state = fold(self.state, update.record)
                            if isinstance(update.record.event, GuardBeat):  # a state alone may be the journal's files
                                self._cut = ""
                        case Detached():
                            self._cut = update.why
                    self._count()
                    self._changed.notify_all()

    async def attached(self) -> None:
        """Wait for the guard. Raises ConfigError where there is none."""
        try:
            async with asyncio.timeout(ATTACH_SECONDS), self._changed:
                await self._changed.wait_for(lambda: not self._cut)
        except TimeoutError:
            raise ConfigError(
                f"a drill needs the desk's guard ({self._cut}): andon demo starts desk and guard"
            ) from None

    async def proven(self, pull: str) -> PullState:
        """The pull as the guard has it once `andon kill` has ended; the last word may be on its way still. Raises
        ConfigError where the guard never heard of it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SAID_SECONDS), self._changed:
                await self._changed.wait_for(
                    lambda: pull in self.state.pulls and self.state.pulls[pull].verdict is Verdict.VERIFIED
                )
        if pull not in self.state.pulls:
            raise ConfigError(f"pull {pull} was made, but no record of it came from the guard: andon status shows it")
        return self.state.pulls[pull]

    def late_orders(self, pull: PullState) -> int:
        """Orders that strategies sent after every venue was blocked."""
        late = 0
        for counts in self._sent.values():
            after = [sent for as_of, sent in counts if pull.blocked_at and as_of > pull.blocked_at]
            late += after[-1] - after[0] if after else 0
        return late

    async def journal(self, name: str, pull: PullState, report: Path, sha256: str, late_orders: int) -> str:
        """Have the guard keep it. Returns what went wrong, or nothing."""
        told = {"id": name, "pull": pull.id, "report": f"{FOLDER}/{report.name}", "sha256": sha256}
        try:
            await self._client.command("drill", drill=KILL_SWITCH, late_orders=str(late_orders), **told)
        except RuntimeError as error:
            return str(error)
        return ""

    def _count(self) -> None:
        for name, row in self.state.strategies.items():
            counts = self._sent.setdefault(name, [])
            if row.sample is not None and (not counts or counts[-1][0] < row.sample.as_of):
                counts.append((row.sample.as_of, row.sample.orders_sent))


# --- the report -------------------------------------------------------------------------------------------------------


def _told(
    name: str, before: DeskState, after: DeskState, pull: PullState, findings: Findings, began: int
) -> dict[str, Any]:
    return {
        "id": name,
        "drill": KILL_SWITCH,
        "passed": findings.passed,
        "findings": findings,
        "desk": before.name,
        "mode": before.mode,
        "config_hash": before.config_hash,
        "version": __version__,
        "guard_version": after.guard_version,
        "began": utc(began),
        "ended": utc(time.time_ns()),
        "pull": {
            "id": pull.id,
            "level": pull.level.value,
            "scope": pull.scope,
            "origin": pull.origin,
            "actor": pull.actor,
            "hand": pull.hand,
            "at": pull.at,
            "reason": pull.reason,
            "verdict": pull.verdict.value,
            "latch_error": pull.latch_error,
        },
        "before": {
            venue: {
                "open_orders": len(row.orders),
                "positions": {position.symbol: position.qty for position in row.positions},
            }
            for venue, row in before.venues.items()
        },
        "venues": pull.venues,
    }


def _lines(told: dict[str, Any], pull: PullState, findings: Findings) -> list[str]:
    """The report for people."""
    passed = "PASSED" if findings.passed else "FAILED"
    flat = f"flat after {seconds(findings.flat_ms)}" if pull.level.flattens else "nothing was to be flattened"
    lines = [
        f"Drill {told['id']}: {passed}",
        f"  desk      {told['desk']} ({told['mode']}), config {told['config_hash'][:16]}, andon {told['version']}",
        f"  began     {told['began']}   ended {told['ended']}",
        f"  pull      {pull.id}  {pull.level} {pull.scope} by {pull.actor}, origin {pull.origin}, hand {pull.hand}",
        f"  blocked   after {seconds(findings.blocked_ms)}, {flat} (60 s are allowed for each)",
        f"  verified  after {seconds(findings.verified_ms)}, {findings.quiet_seconds} s of quiet in it",
        f"  quiet     began again {count(findings.restarts, 'time')}; {count(findings.late_orders, 'order')} came late",
    ]
    for name, row in told["before"].items():
        held = ", ".join(f"{symbol} {qty}" for symbol, qty in row["positions"].items()) or "no position"
        lines.append(f"  before    {name}: {count(row['open_orders'], 'open order')}; {held}")
    lines += [f"  {name:<9} {row.verdict}: {row.why}" for name, row in pull.venues.items()]
    return [*lines, *(f"  MISSED    {missed}" for missed in findings.missed)]
