"""A door in front of a server: the faults of a connection that no server can play itself, because it never hears of it.

One thread serves every door. Shut, a door's port refuses; deaf, it lets nobody finish connecting; a door of `https`
shows the certificate that it was given.
"""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

T = TypeVar("T")


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate for localhost, with its key in the same file: whoever trusts the file trusts it."""
    path = folder / f"{name}.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.crt"
        f" -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost && cat {name}.crt {name}.key > {path}",
        shell=True,
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return path


class Doors:
    """`with Doors() as doors: door = doors.to(port)`."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="doors", daemon=True)
        self._thread.start()
        self._made: list[Door] = []
        return self

    def __exit__(self, *raised: object) -> None:
        for door in self._made:
            door.shut()
        self.run(_let_go())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def to(self, port: int, *, shows: Path | None = None) -> "Door":
        """An open door to a port of this machine; with a certificate to show it speaks TLS."""
        door = Door(self, port, tls=shows is not None)
        self._made.append(door)
        door.open(shows)
        return door

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(30)


class Door:
    """`url` stays the same whatever the door does."""

    def __init__(self, doors: Doors, port: int, *, tls: bool) -> None:
        self._doors = doors
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listening.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._fillers: list[socket.socket] = []
        self._through: set[asyncio.StreamWriter] = set()
        self.url = f"https://localhost:{self._port}" if tls else f"http://127.0.0.1:{self._port}"

    def open(self, shows: Path | None = None) -> None:
        """Let everybody through."""
        self.shut()
        context = None
        if shows is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(shows)
        self._listening = socket.create_server(("127.0.0.1", self._port), backlog=256)
        starting = asyncio.start_server(self._pass, sock=self._listening, ssl=context)
        self._server = self._doors.run(starting)

    def shut(self) -> None:
        """Refuse, and drop whoever is inside."""
        self.hang_up()
        if self._server is not None:
            self._doors.run(self._close(self._server))
            self._server = None
        self._listening.close()
        while self._fillers:
            self._fillers.pop().close()

    def deafen(self) -> None:
        """Listen, and never accept: with the queue full, nobody gets as far as a connection."""
        self.shut()
        self._listening = socket.create_server(("127.0.0.1", self._port), backlog=0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self._port))
            self._fillers.append(filler)

    def hang_up(self) -> None:
        """Close every connection that stands, as a server does with idle ones."""
        self._doors.run(self._drop())

    async def _drop(self) -> None:
        for writer in list(self._through):
            writer.close()

    @staticmethod
    async def _close(server: asyncio.Server) -> None:
        server.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            back, forth = await asyncio.open_connection("127.0.0.1", self._to)
            self._through |= {writer, forth}
            await asyncio.gather(_pump(reader, forth), _pump(back, writer))
            self._through -= {writer, forth}


async def _let_go() -> None:
    """End whatever still carries bytes."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while read := await reader.read(65536):
            writer.write(read)
            await writer.drain()
    writer.close()
