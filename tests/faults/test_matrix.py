"""The fault matrix: every fault of a venue, at L3 and at L4, alone and beside two healthy venues.

All cells of a level are pulled side by side, most of them waiting for a fault to show; each test reads the outcome of
its own. What has to come out stands in `tests.support.fault_table`.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.cord.plan import Plan, write_plan
from console.cord.report import Report
from console.cord.request import PullRequest
from console.cord.thread import CordThread
from console.desk.pull import Verdict
from console.evidence.journal import read
from tests.support.broker import ROOT, BrokerProcess, wait_until
from tests.support.cord import end_hands, kill
from tests.support.desk import DeskProcesses
from tests.support.door import Doors
from tests.support.fault_table import FAULTS, HEALTHY, Fault, Times, as_text
from tests.support.faulty_venue import Certificates, FaultyVenue

SUITE, SOAK = Times(quiet=1.0, patience=1.0), Times(quiet=60.0, patience=5.0)
SIDE_BY_SIDE = 12
SAID = ("venue_verdict", "quiet_restarted")
EXIT = {Verdict.VERIFIED: 0, Verdict.PARTIAL: 3, Verdict.UNKNOWN: 4}


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
    def says(self) -> str:
        says = self.fault.says
        return says if isinstance(says, str) else says[self.level == "L4"]

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
        self.papers = Certificates(folder)
        self.broker = broker_with([name for cell in cells for name in cell.accounts], folder)
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
        self.cell = cell
        self.matrix = matrix
        self.patience = 60.0 + 4 * matrix.times.quiet
        self.sick, *self.healthy = cell.accounts
        self.request = PullRequest(level=cell.level, scope="desk")
        self.report = Report(self.request.id)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self._mutex = threading.Lock()

    def see_through(self) -> None:
        matrix, fault = self.matrix, self.cell.fault
        venues = [
            FaultyVenue(name, each, matrix.broker, matrix.times, matrix.doors, matrix.papers)
            for name, each in zip(self.cell.accounts, (fault, HEALTHY, HEALTHY), strict=False)
        ]
        cord = CordThread(plan_of(matrix.folder / self.sick, venues, matrix.times.quiet), self._record)
        cord.start()
        try:
            wait_until(lambda: all(worker._warm for worker in cord._executor._workers.values()), "warm connections")
            venues[0].begin()
            assert cord.pull(self.request) == ""
            if fault.late:
                self._fill_late(venues[0])
            self._while_it_lasts()
            venues[0].end()
            self._await(lambda: self.report.verdict is fault.after, f"{fault.after} in the end")
            assert self.report.verdict.exit_code == EXIT[fault.after]
            if fault.suspended:
                self._await(lambda: venues[0].is_suspended, "suspended as it was")
        finally:
            cord.stop()
        for venue in venues:
            venue.check(self.cell.level, self.told)

    def _fill_late(self, venue: FaultyVenue) -> None:
        """20 s after the pull, where the quiet time is a minute; never before the quiet clock runs."""
        due = time.monotonic() + self.matrix.times.quiet / 3
        self._await(lambda: time.monotonic() >= due and self._reasons("quiet_restarted"), "the quiet clock")
        venue.fill_late()

    def _while_it_lasts(self) -> None:
        """The verdict and its code while the fault is there; the others are proven without waiting for its end."""
        during, says = self.cell.during, self.cell.says
        self._await(lambda: self._verified(*self.healthy), "the healthy venues VERIFIED")
        self._await(lambda: self.report.verdict is during, f"{during} meanwhile")
        assert self._verified(*self.healthy)
        self._await(lambda: any(says in data["why"] for data in self._reasons()), f"the reason {says!r}")
        if during is Verdict.VERIFIED:
            return
        assert self.report.verdict.exit_code in (EXIT[during], Verdict.REQUESTED.exit_code)
        assert "VERIFIED" not in {data.get("verdict") for data in self._reasons()}

    def _verified(self, *names: str) -> bool:
        return all(self.report.venues[name]["verdict"] == "VERIFIED" for name in names)

    def _reasons(self, *kinds: str) -> list[dict[str, Any]]:
        """What was said of the sick venue: its verdicts, and why its quiet clock began again."""
        return [data for kind, data in list(self.told) if kind in (kinds or SAID) and data["venue"] == self.sick]

    def _await(self, condition: Callable[[], object], what: str) -> None:
        try:
            wait_until(condition, what, self.patience)
        except AssertionError as late:
            where = "; ".join(f"{name} {row['verdict']}: {row['why']}" for name, row in self.report.venues.items())
            raise AssertionError(f"{late}; it stands at {where}") from None

    def _record(self, kind: str, data: dict[str, Any], actor: str) -> None:
        with self._mutex:
            self.told.append((kind, data))
            self.report.feed({"kind": kind, "ts": 1, "data": data})


def broker_with(accounts: list[str], folder: Path) -> BrokerProcess:
    named = [part for name in accounts for part in ("--account", name)]
    return BrokerProcess("--rate-limit", "1000000", *named, keys=folder / "keys")


def plan_of(folder: Path, venues: list[FaultyVenue], quiet: float) -> Plan:
    folder.mkdir()
    told = {"v": 1, "desk": "test", "mode": "simulated", "quiet_seconds": quiet, "netted": True, "strategies": []}
    return write_plan(str(folder), {**told, "venues": [venue.planned() for venue in venues]})


def _asked(request: pytest.FixtureRequest, test: Callable[..., object]) -> list[Cell]:
    """The cells that this run asks a test for."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    return [item.callspec.params["cell"] for item in items if item.originalname == test.__name__]


Start = Callable[[str], Matrix]


@pytest.fixture(scope="module")
def matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """The cells of a level, at work from when the first of them is asked for its outcome."""
    asked = _asked(request, test_the_right_verdict_under_every_fault)
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as running:

        @cache
        def of(level: str) -> Matrix:
            cells = [cell for cell in asked if cell.level == level]
            made = Matrix(tmp_path_factory.mktemp(level), cells, SUITE, SIDE_BY_SIDE)
            for name, value in made.papers.environment.items():
                patch.setenv(name, value)
            return running.enter_context(made)

        yield of


@pytest.mark.parametrize(
    "cell", [pytest.param(cell, id=cell.id, marks=pytest.mark.xdist_group(f"matrix {cell.level}")) for cell in CELLS]
)
def test_the_right_verdict_under_every_fault(matrix: Start, cell: Cell) -> None:
    matrix(cell.level).outcome(cell)


def test_the_table_of_the_documentation_is_this_one() -> None:
    assert as_text() in (ROOT / "docs" / "faults.md").read_text()


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("level", ["L3", "L4"])
def test_the_right_verdict_under_every_fault_at_true_times(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    """A quiet minute, a patience of 5 s, a fill 20 s after the pull, a new order every second."""
    cells = [cell for cell in CELLS if cell.level == level]
    with Matrix(tmp_path_factory.mktemp(level), cells, SOAK, side_by_side=len(cells)) as all_at_once:
        for name, value in all_at_once.papers.environment.items():
            monkeypatch.setenv(name, value)
        wrong = []
        for cell in cells:
            try:
                all_at_once.outcome(cell)
            except Exception as failure:
                wrong.append(f"{cell.id}: {failure!r}")
        assert not wrong, "\n".join(wrong)


# --- the same through the processes of the product, with every fault at one desk --------------------------------------


class Journaled:
    """A desk's journal, read anew where it has grown."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "journal"
        self.told: list[tuple[str, dict[str, Any]]] = []

    def verdicts(self) -> dict[str, list[str]]:
        """Every verdict of each venue, in order."""
        time.sleep(0.1)  # to read it all is not free
        events = [msgspec.to_builtins(record.event) for record in read(self._folder)]
        self.told = [(event["kind"], event) for event in events]
        told: dict[str, list[str]] = {}
        for kind, data in self.told:
            if kind == "venue_verdict":
                told.setdefault(data["venue"], []).append(data["verdict"])
        return told


def see_through_all(folder: Path, venues: list[FaultyVenue], level: str) -> None:
    """Pull a desk whose every venue has another fault, by `andon kill`; then end the faults. Late fills are not among
    them: nobody can say here when the quiet clock of one venue runs."""
    during = {venue.name: venue.fault.during[level == "L4"] for venue in venues}
    journal = Journaled(folder)
    for venue in venues:
        venue.begin()
    code, told, said = kill(folder, "--all", "--level", level, "--wait", "3")
    assert code == EXIT[Verdict.UNKNOWN], said
    assert told["venues"].keys() == during.keys()

    def each_was_seen() -> bool:
        seen = journal.verdicts()
        return all(verdict in seen.get(name, ()) for name, verdict in during.items())

    wait_until(each_was_seen, "each with its own verdict")
    seen = journal.verdicts()
    assert not [name for name, verdict in during.items() if verdict != "VERIFIED" and "VERIFIED" in seen[name]]
    for venue in venues:
        venue.end()
    wait_until(lambda: {each[-1] for each in journal.verdicts().values()} == {"VERIFIED"}, "all VERIFIED")
    for venue in venues:
        venue.check(level, journal.told)


@pytest.mark.parametrize("level", ["L3", "L4"])
def test_without_a_guard_each_venue_of_one_desk_has_its_own_fault_and_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    faults = [fault for fault in FAULTS if level in (fault.only or level) and not fault.late]
    papers, names = Certificates(tmp_path), [f"v{number}" for number in range(len(faults))]
    for name, value in papers.environment.items():
        monkeypatch.setenv(name, value)
    with broker_with(names, tmp_path) as broker, Doors() as doors:
        broker.control("POST", "/clock", {"session": "open"})
        venues = [FaultyVenue(*each, broker, SUITE, doors, papers) for each in zip(names, faults, strict=True)]
        folder = tmp_path / "desk"
        plan_of(folder, venues, SUITE.quiet)
        try:
            see_through_all(folder, venues, level)
        finally:
            end_hands(folder)


GUARDED = (
    "hang after accept",
    "429 with Retry-After",
    "truncated JSON",
    "partial 207",
    "new order every second",
    "close done behind a 504",
)


def test_with_a_guard_each_venue_of_one_desk_has_its_own_fault_and_verdict(tmp_path: Path) -> None:
    faults = [fault for fault in FAULTS if fault.id in GUARDED]
    names = [f"v{number}" for number in range(len(faults))]
    accounts = tuple(part for name in names for part in ("--account", name))
    times, papers = Times(quiet=1.0, patience=2.0), Certificates(tmp_path)
    arguments = ("--rate-limit", "1000000", *accounts)
    with DeskProcesses(tmp_path, quiet_seconds=1, traded=False, http=False, broker_arguments=arguments) as desk:
        desk.broker.control("POST", "/clock", {"session": "open"})
        with Doors() as doors:
            venues = [FaultyVenue(*each, desk.broker, times, doors, papers) for each in zip(names, faults, strict=True)]
            see_through_all(desk.state_dir, venues, "L4")
