"""The guard's end of the worker process: bodies go in without being looked at, what became of them comes out.

The guard never waits for the worker. Bodies queue up to `QUEUE_BYTES`, further ones are turned away; a worker that ends
is started again, and that is journaled.
"""

import asyncio
import struct
import sys
from collections import Counter, deque
from pathlib import Path
from typing import Any

import msgspec

from console.desk.events import Refused, TelemetryKept
from console.guard.hub import Hub

BODY_LIMIT = 4 << 20
QUEUE_BYTES = 16 << 20
RESTART_SECONDS = 1.0
END_SECONDS = 2.0


class Telemetry:
    """Starts the worker, feeds it, and counts what it says."""

    def __init__(self, hub: Hub, folder: Path, segment_seconds: float) -> None:
        self._hub = hub
        self._folder = folder
        self._seconds = segment_seconds
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self.rows = 0
        self.kept_rows = 0
        self.kept_bytes = 0
        self.restarts = 0
        self.refused: Counter[str] = Counter()

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    def offer(self, body: bytes) -> bool:
        """Take a body if there is room for it."""
        if self._queued + len(body) > QUEUE_BYTES:
            return False
        self._queue.append(body)
        self._queued += len(body)
        self._wake.set()
        return True

    async def run(self) -> None:
        """Keep a worker, for ever."""
        while True:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "console.guard.worker",
                str(self._folder),
                "--seconds",
                str(self._seconds),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            feeding = asyncio.create_task(self._feed(process))
            try:
                await self._listen(process)
            finally:
                feeding.cancel()
            code = await process.wait()
            self.restarts += 1
            self._hub.journal(Refused(what="telemetry", why=f"the worker process ended ({code}) and is started again"))
            await asyncio.sleep(RESTART_SECONDS)

    async def end(self) -> None:
        """Let the worker close its segment and end; kill it where it does not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._listen(process)
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _feed(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None  # noqa: S101 - it was asked for as a pipe
        try:
            while True:
                while self._queue:
                    body = self._queue.popleft()
                    self._queued -= len(body)
                    process.stdin.write(struct.pack(">I", len(body)) + body)
                    await process.stdin.drain()
                self._wake.clear()
                await self._wake.wait()
        except (BrokenPipeError, ConnectionResetError):
            return  # it ended: `run` sees that, too

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        async for line in process.stdout:
            self._heard(msgspec.json.decode(line))

    def _heard(self, told: dict[str, Any]) -> None:
        self.rows += told.get("taken", 0)
        self.refused.update(told.get("refused", {}))
        if "kept" in told:
            kept = msgspec.convert(told["kept"], TelemetryKept)
            self.kept_rows += kept.rows
            self.kept_bytes += kept.bytes
            self._hub.journal(kept)
        if "lost" in told:
            why = f"{told['lost']} rows could not be kept: {told['why']}"
            self._hub.journal(Refused(what="telemetry", why=why))
