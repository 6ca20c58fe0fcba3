"""The console's end of the guard's stream, against a guard that goes silent. Real sockets."""

import asyncio
import contextlib
import time
from pathlib import Path

import msgspec
import pytest

from console.desk.source import Attached, Detached
from console.desk.state import DeskState
from console.guard import client as module
from console.guard.client import GuardClient
from console.guard.wire import PROTOCOL, FromGuard, Hello


async def _silent_guard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """It greets, and says nothing from then on."""
    for told in (FromGuard(hello=Hello(PROTOCOL, "0", "demo")), FromGuard(attached=DeskState())):
        writer.write(msgspec.json.encode(told) + b"\n")
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


def test_a_question_that_was_given_up_as_the_guard_fell_silent_does_not_end_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)
    (tmp_path / "journal").mkdir()

    async def play() -> None:
        server = await asyncio.start_unix_server(_silent_guard, tmp_path / "guard.sock")
        client = GuardClient(tmp_path)
        updates = client.updates()
        async with server, asyncio.timeout(30):
            while not (isinstance(await anext(updates), Attached) and client.connected):
                pass
            following = asyncio.ensure_future(anext(updates))
            await asyncio.sleep(0)
            asked = asyncio.ensure_future(client.command("differ"))
            await asyncio.sleep(0)
            time.sleep(0.4)  # a machine that stalls: both patiences end in one turn of the loop
            assert isinstance(await following, Detached)
            with pytest.raises(RuntimeError):
                await asked
            while not (isinstance(await anext(updates), Attached) and client.connected):
                pass
            await updates.aclose()

    asyncio.run(play())
