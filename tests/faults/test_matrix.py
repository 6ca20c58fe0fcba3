"""The fault matrix: every fault of a venue, at L3 and at L4, alone and beside two healthy venues.

All cells of a level are pulled side by side, most of them waiting for a fault to show; each test reads the outcome of
its own. What has to come out stands in `tests.support.fault_table`.
"""

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from adapters.alpaca.cord_form import cord_form
from console.cord.plan import write_plan
from console.cord.report import Report
from console.cord.request import PullRequest
from console.cord.thread import CordThread
from console.desk.pull import Verdict
from tests.support.broker import BrokerProcess, wait_until
from tests.support.door import Door, Doors, certificate
from tests.support.fault_table import FAULTS, Fault, Times

SUITE = Times(quiet=1.0, patience=1.0)
SIDE_BY_SIDE = 12
EXIT = {Verdict.VERIFIED: 0, Verdict.PARTIAL: 3, Verdict.UNKNOWN: 4}
SETTINGS = "/v2/account/configurations"
HELD = {"AAPL": "7", "MSFT": "-3"}


@dataclass(frozen=True)
class Cell:
    """One fault at one level, at a desk of so many venues; the first of them has it."""

    fault: Fault
    level: str
    venues: int

    @property
    def id(self) -> str:
        return f"{self.fault.id}-{self.level}-{self.venues} venue{'s' * (self.venues > 1)}"

    @property
    def during(self) -> Verdict:
        return self.fault.during[self.level == "L4"]

    @property
    def accounts(self) -> list[str]:
        """The names of its own accounts at the broker."""
        return [f"f{FAULTS.index(self.fault)}n{self.venues}v{number}" for number in range(self.venues)]


CELLS = [
    Cell(fault, level, venues)
    for level in ("L3", "L4")
    for fault in FAULTS
    if level in (fault.only or level)
    for venues in (1, 3)
]


class Matrix:
    """A broker with the accounts of some cells, a few of which are at work at any time."""

    def __init__(self, folder: Path, cells: list[Cell], times: Times, side_by_side: int) -> None:
        self.folder = folder
        self.times = times
        self.trusted, self.stranger = certificate(folder, "trusted"), certificate(folder, "stranger")
        accounts = [part for cell in cells for name in cell.accounts for part in ("--account", name)]
        self.broker = BrokerProcess("--rate-limit", "1000000", *accounts, keys=folder / "keys")
        self.doors = Doors()
        self._pool = ThreadPoolExecutor(side_by_side)
        self._cells = cells
        self._done: dict[Cell, Future[None]] = {}

    def __enter__(self) -> "Matrix":
        self.doors.__enter__()
        self.broker.start()
        self.broker.control("POST", "/clock", {"session": "open"})
        self._done = {cell: self._pool.submit(Pulled(self, cell).see_through) for cell in self._cells}
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self.doors.__exit__()
        self.broker.stop()

    def outcome(self, cell: Cell) -> None:
        """Wait for a cell; raises what went wrong in it."""
        self._done[cell].result()


class Pulled:
    """One cell at work: a desk of its own, pulled by the cord's thread as the guard runs it."""

    def __init__(self, matrix: Matrix, cell: Cell) -> None:
        self.cell, self.fault = cell, cell.fault
        self.broker, self.times = matrix.broker, matrix.times
        self.matrix = matrix
        self.sick, *self.healthy = cell.accounts
        self.request = PullRequest(level=cell.level, scope="desk")
        self.report = Report(self.request.id, {})
        self.told: list[tuple[str, dict[str, Any]]] = []
        self._mutex = threading.Lock()

    def see_through(self) -> None:
        for name in self.cell.accounts:
            self._fill(name)
        door = self._door() if self.fault.door else None
        cord = CordThread(self._plan(door), self._record)
        cord.start()
        try:
            wait_until(lambda: all(worker._warm for worker in cord._executor._workers.values()), "warm connections")
            self._begin_fault(door)
            assert cord.pull(self.request) == ""
            self._while_it_lasts()
            self._end_fault(door)
            self._await(lambda: self.report.verdict is self.fault.after, f"{self.fault.after} in the end")
            assert self.report.verdict.exit_code == EXIT[self.fault.after]
            if self.fault.suspended:
                self._await(lambda: self._ask(SETTINGS, self.sick)["suspend_trade"], "suspended as it was")
        finally:
            cord.stop()
        for name in self.cell.accounts:
            self._check_book(name)
            self._check_writes(name)

    # --- before, during ----------------------------------------------------------------------------------------------

    def _fill(self, name: str) -> None:
        """What the pull finds: resting orders, a long and a short position."""
        resting = self.fault.resting if name == self.sick else 3
        symbol = self.fault.symbol if name == self.sick else "AAPL"
        self.broker.control("POST", "/orders", {"venue": name, "count": resting, "symbol": symbol, "prefix": "maker-"})
        for held, qty in HELD.items():
            self.broker.control("POST", "/positions", {"venue": name, "symbol": held, "qty": qty})
        if self.fault.suspended and name == self.sick:
            self.broker.request("PATCH", SETTINGS, {"suspend_trade": True}, account=name)

    def _plan(self, door: Door | None) -> Any:
        folder = self.matrix.folder / self.cell.id.replace(" ", "-")
        folder.mkdir()
        venues = [
            {
                "name": name,
                "url": door.url if door is not None and name == self.sick else self.broker.url,
                "keys": str(self.broker.key_files[name]),
                "timeout": self.times.patience,
                "form": cord_form(),
            }
            for name in self.cell.accounts
        ]
        told = {"v": 1, "desk": "test", "mode": "simulated", "quiet_seconds": self.times.quiet, "netted": True}
        return write_plan(str(folder), {**told, "venues": venues, "strategies": []})

    def _door(self) -> Door:
        shows = self.matrix.trusted if self.fault.door == "stranger" else None
        return self.matrix.doors.to(self.broker.port, shows=shows)

    def _begin_fault(self, door: Door | None) -> None:
        for on in self.fault.on:
            self.broker.fault(on.name, self.sick, on.argument(self.times), methods=on.methods, path=on.path)
        match self.fault.door:
            case "shut":
                door.shut()
            case "deaf":
                door.deafen()
            case "hang up":
                door.hang_up()
            case "stranger":
                door.open(self.matrix.stranger)

    def _end_fault(self, door: Door | None) -> None:
        self.broker.clear(venue=self.sick)
        if door is not None:
            door.open(self.matrix.trusted if self.fault.door == "stranger" else None)

    def _while_it_lasts(self) -> None:
        """The verdict and its code while the fault is there; the others are proven without waiting for its end."""
        self._await(self._healthy_verified, "the healthy venues VERIFIED")
        self._await(lambda: self.report.verdict is self.cell.during, f"{self.cell.during} meanwhile")
        assert self._healthy_verified()
        if self.cell.during is Verdict.VERIFIED:
            return
        self._await(self._says_why, f"the reason {self.fault.says!r}")
        assert self.report.verdict.exit_code in (EXIT[self.cell.during], 6)
        assert not self._verdicts(self.sick) & {"VERIFIED"}

    def _healthy_verified(self) -> bool:
        return all(self.report.venues[name]["verdict"] == "VERIFIED" for name in self.healthy)

    def _says_why(self) -> bool:
        return any(self.fault.says in data["why"] for data in self._of("venue_verdict", self.sick))

    # --- afterwards --------------------------------------------------------------------------------------------------

    def _check_book(self, name: str) -> None:
        """At the broker: nothing open; flat after L4, and after L3 as it was."""
        held = {row["symbol"]: row["qty"] for row in self._ask("/v2/positions", name)}
        assert self._ask("/v2/orders?status=open", name) == []
        if self.cell.level == "L4":
            assert held == {}
        else:
            late = {self.fault.late} if self.fault.late and name == self.sick else set()
            assert held.keys() - late == HELD.keys()
            assert {symbol: held[symbol] for symbol in HELD} == HELD
            assert late <= held.keys()

    def _check_writes(self, name: str) -> None:
        """No exposing write was carried out twice, none arrived that was not decided, none was decided twice at once;
        and what the fills of the closes add up to is what was held."""
        counters = self.broker.counters(name)
        asked = [data["target"] for data in self._of("cord_sent", name) if data["what"] == "close"]
        assert counters["requests"].get("DELETE /v2/positions/{symbol_or_asset_id}", 0) <= len(asked)
        assert not counters["requests"].keys() & {"POST /v2/orders", "DELETE /v2/positions"}
        carried_out = Counter(each["symbol"] for each in counters["exposing"])
        if self.cell.level == "L3":
            assert not asked
            return
        late = [self.fault.late] if self.fault.late and name == self.sick else []
        if not any(on.name == "rejects" for on in self.fault.on):
            assert carried_out == Counter([*HELD, *late])
        for symbol in set(asked):
            self._check_repeats(name, symbol)
        own = {each["id"] for each in counters["exposing"]}
        closed: Counter[str] = Counter()
        for fill in self._ask("/v2/account/activities/FILL?page_size=100", name):
            if fill["order_id"] in own and fill["symbol"] in HELD:
                closed[fill["symbol"]] += int(fill["qty"]) * (1 if fill["side"].startswith("sell") else -1)
        assert closed == {symbol: int(qty) for symbol, qty in HELD.items()}

    def _check_repeats(self, name: str, symbol: str) -> None:
        """A close is followed by another one of its symbol only where its answer left doubt or refused it."""
        story = [
            (kind, data.get("outcome"))
            for kind, data in self.told
            if kind.startswith("cord_") and data["venue"] == name and data["target"] == symbol
        ]
        for before, after in pairwise(story):
            assert before[0] != after[0], "one in flight a symbol"
            rejected = any(on.name == "rejects" for on in self.fault.on)
            assert after[0] == "cord_answered" or before[1] != "acked" or rejected

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _await(self, condition: Callable[[], object], what: str) -> None:
        try:
            wait_until(condition, what)
        except AssertionError as late:
            where = "; ".join(f"{name} {row['verdict']}: {row['why']}" for name, row in self.report.venues.items())
            raise AssertionError(f"{late}; it stands at {where}") from None

    def _record(self, kind: str, data: dict[str, Any], actor: str) -> None:
        with self._mutex:
            self.told.append((kind, data))
            self.report.feed({"kind": kind, "ts": 1, "data": data})

    def _of(self, kind: str, venue: str) -> list[dict[str, Any]]:
        return [data for told, data in list(self.told) if told == kind and data["venue"] == venue]

    def _verdicts(self, venue: str) -> set[str]:
        return {data["verdict"] for data in self._of("venue_verdict", venue)}

    def _ask(self, path: str, account: str) -> Any:
        status, told = self.broker.request("GET", path, account=account)
        assert status == 200, told
        return told


@pytest.fixture(scope="module")
def matrix(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Matrix]]:
    """The cells of a level that this run asks for, at work from when the first of them is asked for its outcome."""
    asked = [item.callspec.params["cell"] for item in request.session.items if _is_cell(item)]
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as running:

        @cache
        def of(level: str) -> Matrix:
            cells = [cell for cell in asked if cell.level == level]
            made = Matrix(tmp_path_factory.mktemp(level), cells, SUITE, SIDE_BY_SIDE)
            patch.setenv("SSL_CERT_FILE", os.fspath(made.trusted))
            return running.enter_context(made)

        yield of


def _is_cell(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and item.originalname == "test_the_right_verdict_under_every_fault"


@pytest.mark.parametrize(
    "cell", [pytest.param(cell, id=cell.id, marks=pytest.mark.xdist_group(f"matrix {cell.level}")) for cell in CELLS]
)
def test_the_right_verdict_under_every_fault(matrix: Callable[[str], Matrix], cell: Cell) -> None:
    matrix(cell.level).outcome(cell)
