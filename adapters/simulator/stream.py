"""`/stream`: order updates over a websocket. authenticate → authorization, listen → listening, then binary frames."""

import asyncio
import json
import secrets
from collections.abc import Iterator

from aiohttp import WSMsgType, web

from adapters.simulator import render
from adapters.simulator.account import Account
from adapters.simulator.answers import encode
from adapters.simulator.faults import FaultBoard
from adapters.simulator.orders import Update

BACKLOG = 20_000
POLL = 0.25


def same(given: object, known: str) -> bool:
    return isinstance(given, str) and secrets.compare_digest(given.encode(), known.encode())


class Hub:
    """All listeners, by account."""

    def __init__(self, accounts: list[Account], faults: FaultBoard) -> None:
        self._accounts = accounts
        self._faults = faults
        self._listeners: dict[str, set[asyncio.Queue[bytes | None]]] = {account.name: set() for account in accounts}

    def tell(self, name: str, update: Update) -> None:
        """Sends an update to an account's listeners. One that does not keep up is let go."""
        listeners = self._listeners[name]
        if not listeners:
            return
        frames = list(self._frames(name, update))
        for queue in list(listeners):
            if queue.qsize() > BACKLOG:
                queue.put_nowait(None)
                listeners.discard(queue)
                continue
            for frame in frames:
                queue.put_nowait(frame)

    def _frames(self, name: str, update: Update) -> Iterator[bytes]:
        if self._faults.find("stream_silent", name):
            return
        filled = update.fill is not None
        if filled and self._faults.find("dropped_fill", name):
            return
        frame = encode(render.trade_update(update))
        yield frame
        if filled and self._faults.find("duplicate_fill", name):
            yield frame

    def close(self) -> None:
        for listeners in self._listeners.values():
            for queue in listeners:
                queue.put_nowait(None)

    def _account(self, message: dict[str, object]) -> Account | None:
        data = message.get("data") if message.get("action") == "authenticate" else message
        if not isinstance(data, dict):
            return None
        key, secret = data.get("key_id", data.get("key")), data.get("secret_key", data.get("secret"))
        for account in self._accounts:
            if same(key, account.opened.key_id) and same(secret, account.opened.secret):
                return account
        return None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        account: Account | None = None
        writer: asyncio.Task[None] | None = None
        try:
            async for frame in socket:
                if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    continue
                message = parsed(frame.data)
                action = message.get("action")
                if action in ("authenticate", "auth"):
                    account = self._account(message)
                    if account is not None and self._faults.find("stream_closed", account.name):
                        break
                    await socket.send_bytes(authorization(account is not None, str(action)))
                elif action == "listen" and account is not None:
                    streams = listened(message)
                    await socket.send_bytes(encode({"stream": "listening", "data": {"streams": streams}}))
                    if writer is not None:
                        writer.cancel()
                        writer = None
                    if streams:
                        writer = asyncio.create_task(self._write(socket, account))
                elif action == "listen":
                    await socket.send_bytes(authorization(False, "listen"))
        finally:
            if writer is not None:
                writer.cancel()
        return socket

    async def _write(self, socket: web.WebSocketResponse, account: Account) -> None:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._listeners[account.name].add(queue)
        try:
            while not self._faults.find("stream_closed", account.name):
                try:
                    async with asyncio.timeout(POLL):
                        frame = await queue.get()
                except TimeoutError:
                    continue
                if frame is None:
                    break
                await socket.send_bytes(frame)
            await socket.close()
        except ConnectionError:
            pass  # the listener is gone; it comes back or it does not
        finally:
            self._listeners[account.name].discard(queue)


def parsed(data: str | bytes) -> dict[str, object]:
    try:
        message = json.loads(data)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def listened(message: dict[str, object]) -> list[str]:
    data = message.get("data")
    streams = data.get("streams") if isinstance(data, dict) else None
    return [stream for stream in streams if stream == "trade_updates"] if isinstance(streams, list) else []


def authorization(granted: bool, action: str) -> bytes:
    status = "authorized" if granted else "unauthorized"
    return encode({"stream": "authorization", "data": {"status": status, "action": action}})
