"""The event stream: `guard.sock`, where consoles attach, see everything that happens, and send commands.

A client gets a snapshot and then every record. What it does not read in time piles up in its own transport; beyond
`BACKLOG_LIMIT` bytes it is cut off (it reconnects and gets a snapshot), so that a stopped terminal costs the guard a
bounded amount of memory and no time.
"""

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from console.desk.events import Record, encode
from console.desk.state import DeskState
from console.guard.wire import PROTOCOL, SOCKET_PATH_LIMIT, Answer, FromConsole, FromGuard, Hello

BACKLOG_LIMIT = 8 << 20
COMMAND_LIMIT = 64 << 10

Command = Callable[[str, dict[str, str], str], Awaitable[str]]
"""`command(name, arguments, actor)` answers with a sentence, or raises RuntimeError with the reason for a refusal."""

_decode_command = msgspec.json.Decoder(FromConsole)


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def peer(connection: socket.socket) -> str:
    """The name of the user at the other end of a unix socket, as the kernel knows it."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return user_name(uid)


class Stream:
    """The server side of `guard.sock`. All methods belong to the event loop."""

    def __init__(
        self, path: Path, *, version: str, desk: str, state: Callable[[], DeskState], command: Command
    ) -> None:
        self.path = path
        self.state = state
        self.command = command
        self.clients: set[_Client] = set()
        self.cut_off = 0
        self._hello = _line(FromGuard(hello=Hello(protocol=PROTOCOL, version=version, desk=desk)))
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen. A socket that lies here is a dead guard's: the caller holds the lock that says so."""
        if len(os.fsencode(self.path)) > SOCKET_PATH_LIMIT:
            raise OSError(
                f"{self.path}: a socket's path holds {SOCKET_PATH_LIMIT} bytes at most; choose a shorter state folder"
            )
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.path))
        self.path.chmod(0o660)
        self._server = await asyncio.get_running_loop().create_unix_server(lambda: _Client(self), sock=listener)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for client in list(self.clients):
            client.transport.close()
        self.path.unlink(missing_ok=True)

    def broadcast(self, record: Record) -> None:
        if self.clients:
            self._send(_line(FromGuard(record=record)))

    def resnapshot(self) -> None:
        """The state jumped in a way that no record tells: everybody gets it whole."""
        if self.clients:
            self._send(_line(FromGuard(attached=self.state())))

    def greet(self, client: "_Client") -> None:
        self.clients.add(client)
        client.transport.write(self._hello)
        client.transport.write(_line(FromGuard(attached=self.state())))

    def _send(self, line: bytes) -> None:
        for client in list(self.clients):
            if client.transport.get_write_buffer_size() > BACKLOG_LIMIT:
                self.cut_off += 1
                self.clients.discard(client)
                client.transport.abort()
            else:
                client.transport.write(line)


class _Client(asyncio.Protocol):
    """One console: its transport, its user and the commands it sends."""

    transport: asyncio.Transport

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.actor = "?"
        self._buffer = b""
        self._running: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream socket has no other kind
        self.transport = transport
        self.actor = peer(transport.get_extra_info("socket"))
        self.stream.greet(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.stream.clients.discard(self)

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > COMMAND_LIMIT:
            self.transport.abort()
        for line in lines:
            try:
                asked = _decode_command.decode(line)
            except msgspec.MsgspecError:
                self.transport.abort()
                return
            task = asyncio.get_running_loop().create_task(self._answer(asked))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _answer(self, asked: FromConsole) -> None:
        try:
            answer = Answer(asked.id, True, await self.stream.command(asked.command, asked.arguments, self.actor))
        except RuntimeError as refusal:
            answer = Answer(asked.id, False, str(refusal))
        if not self.transport.is_closing():
            self.transport.write(_line(FromGuard(answer=answer)))


def _line(message: FromGuard) -> bytes:
    return encode(message) + b"\n"
