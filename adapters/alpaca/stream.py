"""The broker's /stream: order updates and fills as they happen, and a mark wherever something may be missing."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp

from adapters.alpaca import parse
from adapters.base import Unknown
from adapters.wire import Wire
from console.desk.events import Filled, Order

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
UNAUTHORIZED_PAUSE = 30.0
HEARTBEAT = 10.0
REMEMBERED = 20_000

FILLS = frozenset({"fill", "partial_fill"})


class _Refused(Exception):
    """The broker does not take the key. Asking again soon can not help, asking for ever may lock the account."""


class TradeUpdates:
    """Reads the stream for ever. Each time it begins to listen (the first time, too) it yields an Unknown, because
    what happened before has to be read; and one for each loss, refusal and message that makes no sense."""

    def __init__(self, wire: Wire, venue: str, key_id: str, secret: str, timeout: float) -> None:
        self._wire = wire
        self._venue = venue
        self._key_id = key_id
        self._secret = secret
        self._timeout = timeout
        self._seen: OrderedDict[str, None] = OrderedDict()

    async def updates(self) -> AsyncIterator[Filled | Order | Unknown]:
        pause = FIRST_PAUSE
        while True:
            try:
                socket = await self._wire.websocket("/stream", HEARTBEAT)
                try:
                    await self._listen(socket)
                    yield Unknown("the stream listens from now on; what happened before has to be read")
                    pause = FIRST_PAUSE
                    async for message in socket:
                        for update in self._understand(message):
                            yield update
                    yield Unknown("the stream was closed")
                finally:
                    await socket.close()
            except _Refused as error:
                yield Unknown(f"stream: {error}")
                pause = UNAUTHORIZED_PAUSE
            except Exception as error:
                # Whatever breaks here is the outside's doing, and a stream that is given up is a gap without end.
                yield Unknown(f"stream: {self._wire.explain(error)}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _listen(self, socket: "aiohttp.ClientWebSocketResponse") -> None:
        await socket.send_json({"action": "authenticate", "data": {"key_id": self._key_id, "secret_key": self._secret}})
        answer = await self._answer(socket, "authorization")
        if answer.get("status") != "authorized":
            raise _Refused("the broker does not accept the key")
        await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
        if "trade_updates" not in (await self._answer(socket, "listening")).get("streams", ()):
            raise ValueError("the broker does not send trade updates")

    async def _answer(self, socket: "aiohttp.ClientWebSocketResponse", stream: str) -> dict[str, Any]:
        async with asyncio.timeout(self._timeout):
            message = await socket.receive()
        told = _decode(message)
        if told is None or told.get("stream") != stream or not isinstance(told.get("data"), dict):
            raise ValueError(f"an answer about {stream} was expected")
        data: dict[str, Any] = told["data"]
        return data

    def _understand(self, message: aiohttp.WSMessage) -> list[Filled | Order | Unknown]:
        """What a message says: a fill (once an execution) before the order that it changes."""
        try:
            told = _decode(message)
            if told is None or told.get("stream") != "trade_updates":
                return []
            data = told["data"]
            updates: list[Filled | Order | Unknown] = [parse.order(data["order"])]
            if data["event"] in FILLS:
                fill = parse.streamed_fill(data, self._venue)
                if self._is_new(fill.execution_id):
                    updates.insert(0, fill)
        except parse.NONSENSE as error:
            return [Unknown(self._wire.blot(f"stream: a message makes no sense: {error!r}"))]
        return updates

    def _is_new(self, execution_id: str) -> bool:
        if execution_id in self._seen:
            return False
        self._seen[execution_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True


def _decode(message: aiohttp.WSMessage) -> dict[str, Any] | None:
    """The JSON of a text or a binary frame; None for a frame that carries none."""
    if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
        return None
    told = json.loads(message.data, parse_float=Decimal)
    if not isinstance(told, dict):
        raise TypeError("an object was expected")
    return told
