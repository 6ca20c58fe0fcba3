"""Asking the guard: what no command may do by itself, because only a guard reads, judges, records and acts."""

import asyncio
import contextlib
from pathlib import Path

from console.config import find, glance
from console.desk.source import Attached
from console.guard.client import SILENCE_SECONDS, GuardClient
from console.processes import listens


class NoGuard(RuntimeError):
    """Nobody is there who could be asked."""


def ask(desk: str | None, command: str, **arguments: str) -> str:
    """The guard's answer. Raises RuntimeError with its reason for a refusal, NoGuard, and ConfigError."""
    folder = glance(find(desk)).state
    if not listens(folder / "guard.sock"):
        raise NoGuard("no guard is running, and this is asked of the guard alone: andon guard")
    return asyncio.run(_asked(folder, command, arguments))


async def _asked(folder: Path, command: str, arguments: dict[str, str]) -> str:
    client = GuardClient(folder)
    attached = asyncio.Event()

    async def follow() -> None:
        async for update in client.updates():
            if isinstance(update, Attached) and client.connected:
                attached.set()

    following = asyncio.create_task(follow())
    try:
        async with asyncio.timeout(2 * SILENCE_SECONDS):
            await attached.wait()
        return await client.command(command, **arguments)
    except TimeoutError:
        raise NoGuard("a guard is there, but does not answer") from None
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
