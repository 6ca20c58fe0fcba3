"""How often the guard looks, and the loop that keeps looking whatever happens."""

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between reads. `truth` are positions and open orders; an update of the stream brings the next read
    forward, but never closer than `burst` to the one before: brokers count requests, and the cord needs some left.
    `heartbeat`, and the time that its answer takes, stay below the age at which a screen calls a reading stale. `sweep`
    looks for fills that the stream lost; `calendar` asks which days are sessions."""

    heartbeat: float = 8.0
    truth: float = 2.0
    burst: float = 1.5
    account: float = 5.0
    bars: float = 5.0
    sweep: float = 30.0
    strategy: float = 1.0
    calendar: float = 3600.0


REAL = Pace()
SIMULATED = Pace(heartbeat=1.0, burst=0.5, bars=1.0)


async def keep_doing(what: str, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
    """Do `step` every `seconds`, for ever. Reads report their failures as values; whatever is raised all the same is
    a mistake of ours, and must not end the watch: it goes to stderr, and the next step is tried."""
    while True:
        try:
            await step()
        except Exception:
            print(f"andon guard: {what} failed:", file=sys.stderr)
            traceback.print_exc()
        await asyncio.sleep(seconds)
