"""An account of the simulated broker that has one of the faults, and what has to be found there afterwards."""

import os
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from adapters.alpaca.cord_form import cord_form
from tests.support.broker import BrokerProcess
from tests.support.door import Door, Doors, certificate
from tests.support.fault_table import Fault, Times

SETTINGS = "/v2/account/configurations"
HELD = {"AAPL": "7", "MSFT": "-3"}
Told = Iterable[tuple[str, dict[str, Any]]]


class Certificates:
    """Two for localhost: one is trusted by whoever has `environment`, the other by nobody."""

    def __init__(self, folder: Path) -> None:
        self.trusted, self.stranger = certificate(folder, "trusted"), certificate(folder, "stranger")
        self.environment = {"SSL_CERT_FILE": os.fspath(self.trusted)}


class FaultyVenue:
    """Filled with orders and positions when made. `door` stands in front of it where its fault is one of the
    connection."""

    def __init__(
        self, name: str, fault: Fault, broker: BrokerProcess, times: Times, doors: Doors, papers: Certificates
    ) -> None:
        self.name = name
        self.fault = fault
        self._broker = broker
        self._times = times
        self._papers = papers
        shows = papers.trusted if fault.door == "stranger" else None
        self.door: Door | None = doors.to(broker.port, shows=shows) if fault.door else None
        self._fill()

    def _fill(self) -> None:
        order = {"venue": self.name, "count": self.fault.resting, "symbol": self.fault.symbol, "prefix": "maker-"}
        self._resting: list[str] = self._broker.control("POST", "/orders", order)["ids"]
        for symbol, qty in HELD.items():
            self._broker.control("POST", "/positions", {"venue": self.name, "symbol": symbol, "qty": qty})
        if self.fault.suspended:
            self._broker.request("PATCH", SETTINGS, {"suspend_trade": True}, account=self.name)

    def planned(self) -> dict[str, Any]:
        """Its entry in cord.json."""
        return {
            "name": self.name,
            "url": self.door.url if self.door else self._broker.url,
            "keys": str(self._broker.key_files[self.name]),
            "timeout": self._times.patience,
            "form": cord_form(),
        }

    def begin(self) -> None:
        for on in self.fault.on:
            self._broker.fault(on.name, self.name, on.argument(self._times), methods=on.methods, path=on.path)
        if self.door is not None:
            {
                "shut": self.door.shut,
                "deaf": self.door.deafen,
                "hang up": self.door.hang_up,
                "stranger": lambda: self.door and self.door.open(self._papers.stranger),
            }[self.fault.door]()

    def fill_late(self) -> None:
        """One of its canceled orders turns out to be filled."""
        self._broker.control("POST", "/fills", {"venue": self.name, "order_id": self._resting[0]})

    def end(self) -> None:
        self._broker.clear(venue=self.name)
        if self.door is not None:
            self.door.open(self._papers.trusted if self.fault.door == "stranger" else None)

    # --- afterwards --------------------------------------------------------------------------------------------------

    @property
    def is_suspended(self) -> bool:
        return bool(self._ask(SETTINGS)["suspend_trade"])

    def check(self, level: str, told: Told) -> None:
        """After the pull is VERIFIED: the venue's truth, and every write that it received, against the records of the
        cord (kind and data)."""
        self._check_book(level)
        mine = [(kind, data) for kind, data in told if kind.startswith("cord_") and data["venue"] == self.name]
        closes = [(kind, data) for kind, data in mine if data["what"] == "close"]
        counters = self._broker.counters(self.name)
        assert not counters["requests"].keys() & {"POST /v2/orders", "DELETE /v2/positions"}
        if level == "L3":
            assert not closes
            assert not counters["exposing"]
            return
        self._check_exposing(counters, sent=sum(kind == "cord_sent" for kind, _ in closes))
        for symbol in HELD:
            self._check_story([(kind, data.get("outcome")) for kind, data in closes if data["target"] == symbol])

    def _check_book(self, level: str) -> None:
        """Nothing open; flat after L4, and after L3 as it was."""
        held = {row["symbol"]: row["qty"] for row in self._ask("/v2/positions")}
        assert self._ask("/v2/orders?status=open") == []
        if level == "L4":
            assert held == {}
        else:
            assert held.keys() == HELD.keys() | self._late
            assert {symbol: held[symbol] for symbol in HELD} == HELD

    def _check_exposing(self, counters: dict[str, Any], sent: int) -> None:
        """No close was carried out twice, none arrived that no record tells of, and what they filled is what was held:
        no position changed its sign."""
        assert counters["requests"].get("DELETE /v2/positions/{symbol_or_asset_id}", 0) <= sent
        carried_out = Counter(each["symbol"] for each in counters["exposing"])
        if not self._rejects:
            assert carried_out == Counter([*HELD, *self._late])
        own = {each["id"] for each in counters["exposing"]}
        closed: Counter[str] = Counter()
        for fill in self._ask("/v2/account/activities/FILL?page_size=100"):
            if fill["order_id"] in own and fill["symbol"] in HELD:
                closed[fill["symbol"]] += int(fill["qty"]) * (1 if fill["side"].startswith("sell") else -1)
        assert closed == {symbol: int(qty) for symbol, qty in HELD.items()}

    def _check_story(self, story: list[tuple[str, str | None]]) -> None:
        """One in flight a symbol; another one only after an answer that refused it or left doubt."""
        for before, after in pairwise(story):
            assert before[0] != after[0], "one in flight a symbol"
            assert after[0] == "cord_answered" or before[1] != "acked" or self._rejects

    @property
    def _late(self) -> set[str]:
        """What a late fill brought."""
        return {self.fault.symbol} if self.fault.late else set()

    @property
    def _rejects(self) -> bool:
        """Whether the venue takes closes and rejects them behind its answer."""
        return any(on.name == "rejects" for on in self.fault.on)

    def _ask(self, path: str) -> Any:
        status, told = self._broker.request("GET", path, account=self.name)
        assert status == 200, told
        return told
