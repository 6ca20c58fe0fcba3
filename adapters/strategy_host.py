"""A strategy's process, reached over HTTP: its state, its book (docs/book.md), its settings, and its switch."""

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec

from adapters.base import Acked, Ambiguous, Ok, Read, Refused, Unknown, Write
from adapters.wire import Answer, NoAnswer, Wire
from console.desk.adjust import Correction, Ledger
from console.desk.events import BookRead, Position, StrategySampled, encode

TIMEOUT = 2.0
SAID_MOST = 4096


class HttpStrategyHost:
    """Fulfils adapters.base.StrategyHost, and AdjustableBook where the strategy's own book says so. `url` is the
    strategy's own, e.g. http://127.0.0.1:4200/momentum. What the strategy says in words goes through `clean`: it is
    shown and journaled, and may quote a key."""

    def __init__(
        self, strategy: str, url: str, timeout: float = TIMEOUT, clean: Callable[[str], str] = lambda text: text
    ) -> None:
        self.strategy = strategy
        self._wire = Wire(url, {}, timeout)
        self._clean = clean

    def __repr__(self) -> str:
        return f"HttpStrategyHost({self.strategy!r}, {self._wire!r})"

    async def sample(self) -> Read[StrategySampled]:
        told = await self._told("/state")
        if isinstance(told, Unknown):
            return told
        try:
            fields = {**told.data, "kind": "strategy_sampled", "strategy": self.strategy, "as_of": told.as_of}
            sample = msgspec.convert(fields, StrategySampled)
        except msgspec.ValidationError as error:
            return Unknown(self._clean(f"/state makes no sense: {error}"))
        return Ok(msgspec.structs.replace(sample, why=self._clean(sample.why)), told.as_of)

    async def book(self) -> Read[BookRead]:
        told = await self._told("/book")
        if isinstance(told, Unknown):
            return told
        try:
            positions = msgspec.convert(told.data["positions"], tuple[Position, ...])
            order_ids = msgspec.convert(told.data["order_ids"], tuple[str, ...])
            adjusts = msgspec.convert(told.data.get("adjusts", False), bool)
            set_aside = msgspec.convert(told.data.get("set_aside", ()), tuple[str, ...])
        except (msgspec.ValidationError, KeyError) as error:
            return Unknown(self._clean(f"/book makes no sense: {error}"))
        read = BookRead(self.strategy, positions, order_ids, told.as_of, adjusts=adjusts, set_aside=set_aside)
        return Ok(read, told.as_of)

    async def ledger(self) -> Read[Ledger]:
        told = await self._told("/ledger")
        if isinstance(told, Unknown):
            return told
        try:
            return Ok(msgspec.convert({**told.data, "strategy": self.strategy}, Ledger), told.as_of)
        except msgspec.ValidationError as error:
            return Unknown(self._clean(f"/ledger makes no sense: {error}"))

    async def correct(self, asked: Correction) -> Write[None]:
        answer = await self._wire.write("POST", "/correct", body=json.loads(encode(asked)))
        if isinstance(answer, NoAnswer):
            return Ambiguous(answer.reason)
        if 400 <= answer.status < 500:
            return self._refused(answer)
        told = _object(answer)
        if told is None or told.get("corrected") != asked.id:
            return Ambiguous(f"HTTP {answer.status}: the strategy does not say that it is so")
        return Acked(None)

    async def settings(self) -> Read[dict[str, str]]:
        told = await self._told("/settings")
        if isinstance(told, Unknown):
            return told
        return Ok({name: str(value) for name, value in told.data.items()}, told.as_of)

    async def enable(self, enabled: bool) -> Write[None]:
        answer = await self._wire.write("POST", "/enable" if enabled else "/disable")
        if isinstance(answer, NoAnswer):
            return Ambiguous(answer.reason)
        if 400 <= answer.status < 500:
            return self._refused(answer)
        told = _object(answer)
        if told is None or told.get("enabled") is not enabled:
            return Ambiguous(f"HTTP {answer.status}: the strategy does not say that it is so")
        return Acked(None)

    async def aclose(self) -> None:
        await self._wire.aclose()

    def _refused(self, answer: Answer) -> Refused:
        said = self._clean(answer.body[:SAID_MOST].decode("utf-8", "replace"))
        return Refused(str(answer.status), said[:200].strip())

    async def _told(self, path: str) -> Read[dict[str, Any]]:
        as_of = time.time_ns()
        answer = await self._wire.read(path)
        if isinstance(answer, NoAnswer):
            return Unknown(answer.reason)
        told = _object(answer)
        if told is None:
            return Unknown(f"HTTP {answer.status} of {path}: an object was expected")
        return Ok(told, as_of)


def _object(answer: Answer) -> dict[str, Any] | None:
    """The JSON object of a good answer, else None."""
    if not answer.done:
        return None
    try:
        told = answer.json()
    except ValueError:
        return None
    return told if isinstance(told, dict) else None
