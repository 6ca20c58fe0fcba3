"""Whatever is pulled, killed, frozen and lost in whatever order, the cord flips nothing and repeats no close.

Pulls of every level and scope overlap, by a guard and by direct hands, while processes are killed and frozen between
any two steps and venues lose, delay and refuse what they are asked. Time is the scheduler's: minutes cost moments.
"""

import shutil
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from console.cord.plan import order_in, position_in
from console.cord.request import PullRequest
from console.desk.pull import Level, Scope, Verdict
from tests.support.harsh_venue import WEATHER
from tests.support.interleaved_desk import STRATEGIES, SYMBOLS, InterleavedDesk

SCOPES = ("desk", "venue:v1", "venue:v2", "symbol:AAPL", "symbol:AAPL,MSFT", "strategy:momentum", "strategy:maker")
QUANTITIES = ("7", "-3", "0.5", "-120.7", "0.1", "100")
LONG_ENOUGH = 900.0

venues = st.sampled_from(["v1", "v2"])
symbols = st.sampled_from(SYMBOLS)


class CordMachine(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cord-"))
        self.desk = InterleavedDesk(self.folder / "desk", seed)
        self.latched: set[str] = set()
        for venue in self.desk.venues.values():
            venue.order("AAPL", "momentum-0", Decimal(1))
            for symbol, qty in zip(SYMBOLS, ("7", "-0.5"), strict=True):
                venue.grant(symbol, Decimal(qty))
        self.desk.start_guard()
        self.desk.world.run(0.3)

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            try:
                self.bring_to_an_end()
            finally:
                self.desk.__exit__()
                shutil.rmtree(self.folder)

    # --- time ------------------------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 60))
    def some_steps(self, count: int) -> None:
        self.desk.world.steps(count)

    @rule(seconds=st.sampled_from([0.2, 1.0, 4.0, 15.0]))
    def some_time(self, seconds: float) -> None:
        self.desk.world.run(seconds)

    # --- hands -----------------------------------------------------------------------------------------------------

    @rule(level=st.sampled_from([Level.L4, *Level]), scope=st.sampled_from(SCOPES), directly=st.booleans())
    def pull(self, level: Level, scope: str, directly: bool) -> None:
        if not self.desk.plan.refusal(PullRequest(level=level, scope=scope)):
            self.desk.pull(level, scope, directly=directly)

    @rule(level=st.sampled_from([Level.L3, Level.L4]))
    def the_guard_falls_silent_after_it_took_a_pull(self, level: Level) -> None:
        """Then the other hand carries out the same pull."""
        request = self.desk.pull(level, "desk", directly=False)
        self.desk.world.steps(20)
        if self.desk.guard is not None and not self.desk.works(request.id):
            self.desk.guard.process.frozen = self.desk.guard.alive
            self.desk.pull_directly(request)

    @rule(level=st.sampled_from([Level.L4, *Level]), scope=st.sampled_from(SCOPES[:4]), count=st.integers(0, 60))
    def two_operators_at_once(self, level: Level, scope: str, count: int) -> None:
        self.desk.pull("L4", "desk", directly=True)
        self.desk.world.steps(count)
        self.desk.pull(level, scope, directly=True)

    @rule(which=st.integers(0, 9), seconds=st.sampled_from([0.3, 1.5, 4.0]))
    def freeze_for_a_moment(self, which: int, seconds: float) -> None:
        if processes := self.desk.processes:
            chosen = processes[which % len(processes)]
            chosen.frozen = True
            self.desk.world.run(seconds)
            chosen.frozen = False

    @rule(which=st.integers(0, 9))
    def kill(self, which: int) -> None:
        if processes := self.desk.processes:
            self.desk.world.kill(processes[which % len(processes)])

    @rule(which=st.integers(0, 9))
    def freeze(self, which: int) -> None:
        if processes := self.desk.processes:
            processes[which % len(processes)].frozen = True

    @rule()
    def thaw(self) -> None:
        for process in self.desk.processes:
            process.frozen = False

    @rule(count=st.integers(0, 10))
    def the_guard_is_killed_and_started_again(self, count: int) -> None:
        if self.desk.guard is not None:
            self.desk.world.kill(self.desk.guard.process)
        self.desk.world.steps(count)
        self.desk.start_guard()

    # --- venues ----------------------------------------------------------------------------------------------------

    @rule(
        venue=venues,
        weather=st.one_of(st.just(("late",)), st.lists(st.sampled_from(WEATHER), max_size=3)),
    )
    def weather(self, venue: str, weather: Sequence[str]) -> None:
        self.desk.venues[venue].weather = tuple(weather)

    @rule(venue=venues, is_open=st.booleans(), suspended=st.booleans())
    def venue_itself(self, venue: str, is_open: bool, suspended: bool) -> None:
        self.desk.venues[venue].session_open = is_open
        self.desk.venues[venue].suspended = suspended

    @rule(venue=venues, symbol=symbols, client=st.sampled_from([*STRATEGIES, ""]), qty=st.sampled_from(QUANTITIES))
    def new_order(self, venue: str, symbol: str, client: str, qty: str) -> None:
        self.desk.venues[venue].order(symbol, f"{client}-x" if client else "manual", Decimal(qty))

    @rule(venue=venues, share=st.sampled_from(["1", "0.5"]))
    def fill(self, venue: str, share: str) -> None:
        for order in self.desk.venues[venue].resting()[:1]:
            self.desk.venues[venue].fill(order, Decimal(share))

    @rule(venue=venues, symbol=symbols, qty=st.sampled_from(QUANTITIES))
    def hold(self, venue: str, symbol: str, qty: str) -> None:
        self.desk.venues[venue].grant(symbol, Decimal(qty))

    # --- what must always be so ------------------------------------------------------------------------------------

    @invariant()
    def nothing_flips_and_no_close_is_sent_twice(self) -> None:
        wrongs = [wrong for venue in self.desk.venues.values() for wrong in venue.wrongs]
        assert not wrongs

    @invariant()
    def the_latch_never_opens(self) -> None:
        latched = self.desk.latched
        assert latched >= self.latched
        self.latched = latched

    def bring_to_an_end(self) -> None:
        """Faults are lifted: every pull that began is verified, and what it says is so."""
        desk = self.desk
        for venue in desk.venues.values():
            venue.weather, venue.session_open = (), True
        self.thaw()
        if desk.guard is None or not desk.guard.alive:
            desk.start_guard()
        desk.world.run(20)  # what hands, alive or dead, have latched is known by then
        desk.world.run(LONG_ENOUGH, desk.all_verified)
        self.nothing_flips_and_no_close_is_sent_twice()
        self.the_latch_never_opens()
        state = desk.folded()
        assert set(state.pulls) >= self.latched
        for pull in state.pulls.values():
            assert pull.verdict is Verdict.VERIFIED, [(row.venue, row.verdict, row.why) for row in pull.venues.values()]
            scope = Scope.parse(pull.scope)
            for name in pull.venues:
                venue = desk.venues[name]
                if pull.level.cancels:
                    covered = (order for order in venue.orders.values() if order.open)
                    assert not [
                        order.id
                        for order in covered
                        if order_in(scope, symbol=order.symbol, client_order_id=order.client)
                    ]
                if pull.level.flattens:
                    assert not [symbol for symbol in venue.positions if position_in(scope, symbol)]


SUITE = settings(
    max_examples=20, stateful_step_count=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(SUITE, id="suite"),
        pytest.param(
            settings(SUITE, max_examples=3000, stateful_step_count=60, derandomize=False, print_blob=True),
            id="soak",
            marks=[pytest.mark.soak, pytest.mark.timeout(3600)],
        ),
    ],
)
def test_any_interleaving_of_pulls_crashes_and_faults_ends_verified_without_a_flip(how: settings) -> None:
    run_state_machine_as_test(CordMachine, settings=how)


def loaded_desk(folder: Path, seed: int) -> InterleavedDesk:
    """Orders that rest and positions that stand at both venues, whose closes wait for a market that is slow to open."""
    desk = InterleavedDesk(folder, seed)
    for venue in desk.venues.values():
        venue.order("AAPL", "momentum-0", Decimal(1))
        venue.grant("AAPL", Decimal(7))
        venue.grant("MSFT", Decimal("-0.5"))
        venue.session_open = False
    return desk


def ends_flat(desk: InterleavedDesk) -> bool:
    """The market opens after a while, and all faults are lifted."""
    desk.world.run(6)
    for venue in desk.venues.values():
        venue.weather, venue.session_open = (), True
    desk.world.run(LONG_ENOUGH, lambda: bool(desk.state.pulls) and desk.all_verified())
    assert not [wrong for venue in desk.venues.values() for wrong in venue.wrongs]
    return desk.all_verified() and not [venue for venue in desk.venues.values() if venue.positions]


def test_killed_at_any_step_of_an_l4_the_next_guard_ends_it(tmp_path: Path) -> None:
    for step in range(0, 150, 3):
        with loaded_desk(tmp_path / str(step), step) as desk:
            desk.start_guard()
            desk.world.run(0.3)
            request = desk.pull("L4", "desk", directly=False)
            for venue in desk.venues.values():
                venue.weather = ("late", "carried_out_and_lost")[: step // 3 % 3]
            desk.world.steps(step)
            assert desk.guard is not None
            desk.world.kill(desk.guard.process)
            begun = request.id in desk.latched or desk.state.pulls
            desk.start_guard()
            if begun:
                assert ends_flat(desk), step


def test_a_close_on_its_way_when_its_hand_is_killed_is_not_sent_again_before_it_had_its_time(tmp_path: Path) -> None:
    """The venue carries it out as late as it would have for a hand that still waits."""
    for seed in range(15):
        with loaded_desk(tmp_path / str(seed), seed) as desk:
            desk.start_guard()
            desk.world.run(0.3)
            desk.pull("L4", "desk", directly=False)
            for venue in desk.venues.values():
                venue.weather = ("late",)
            desk.world.run(30, desk.a_close_was_sent)
            desk.world.steps(4)
            assert desk.guard is not None
            desk.world.kill(desk.guard.process)
            desk.start_guard()
            assert ends_flat(desk), seed


@pytest.mark.parametrize(
    ("frozen_for", "steps"), [(0.0, 25), (1.0, 10), (4.0, 10)], ids=["killed", "frozen", "frozen and fenced"]
)
def test_two_hands_at_l4_and_one_of_them_hit_at_any_step_end_flat(
    tmp_path: Path, frozen_for: float, steps: int
) -> None:
    for step in range(steps):
        with loaded_desk(tmp_path / str(step), step) as desk:
            for _ in range(2):
                desk.pull("L4", "desk", directly=True)
            desk.world.steps(60 + step * 3)
            hit = desk.processes[step % 2]
            if frozen_for:
                hit.frozen = True
                desk.world.run(frozen_for)
                hit.frozen = False
            else:
                desk.world.kill(hit)
            desk.start_guard()
            assert ends_flat(desk), step


def test_two_hands_do_not_cancel_each_others_closes(tmp_path: Path) -> None:
    """Where closes wait for the open, they would never get through."""
    with loaded_desk(tmp_path / "desk", 5) as desk:
        desk.start_guard()
        desk.world.run(0.3)
        desk.pull("L4", "desk", directly=True)
        desk.pull("L3", "desk", directly=False)
        desk.pull("L4", "symbol:AAPL", directly=False)
        desk.world.run(120)
        assert all(venue.closes_sent <= 4 for venue in desk.venues.values()), (
            "one each, and one after the first cancels"
        )
        assert all(len(venue.at_work(symbol)) == 1 for venue in desk.venues.values() for symbol in SYMBOLS)
        assert ends_flat(desk)


def test_an_l1_that_was_pulled_without_a_guard_is_proven_by_the_next(tmp_path: Path) -> None:
    with InterleavedDesk(tmp_path / "desk", 1) as desk:
        desk.pull("L1", "desk", directly=True)
        desk.world.run(10)
        assert desk.processes == [], "nobody waits for what nobody can hear"
        assert not desk.all_verified()
        desk.start_guard()
        desk.world.run(10)
        assert desk.all_verified()
