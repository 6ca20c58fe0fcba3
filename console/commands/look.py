"""One look at a desk for a command that prints and leaves: the guard's state, or the journal's without a guard."""

import asyncio
import contextlib
import time
from pathlib import Path

from console.config import ConfigError, Glance, find, glance
from console.desk.moment import Moment
from console.desk.source import Attached, Detached, Received
from console.desk.state import DeskState, fold
from console.guard.client import SILENCE_SECONDS, GuardClient
from console.processes import listens

_PATIENCE = SILENCE_SECONDS + 1


def look(desk: str | None) -> tuple[Glance, Moment]:
    """The desk and what is known of it now. `Moment.cut` says why the guard could not be asked, where it could not.
    Raises ConfigError where there is no such desk, or nothing was ever recorded about it."""
    seen = glance(find(desk))
    moment = asyncio.run(_look(seen.state))
    if not moment.state.name:
        raise ConfigError(f"nothing is recorded about desk {seen.name!r} in {seen.state}: no guard has run there yet")
    return seen, moment


async def _look(folder: Path) -> Moment:
    """Waits for a frozen guard as long as it takes to know that it is frozen, and no moment for an absent one."""
    state, cut = DeskState(), "no guard is running"
    listening = listens(folder / "guard.sock")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE), contextlib.aclosing(GuardClient(folder).updates()) as updates:  # type: ignore[type-var]
            async for update in updates:
                match update:
                    case Attached():
                        state = update.state
                        cut = ""
                    case Received():
                        state = fold(state, update.record)
                        if not cut:
                            break
                    case Detached():
                        cut = update.why
                        if not listening:
                            break
    return Moment(state=state, now=time.time_ns(), cut=cut)
