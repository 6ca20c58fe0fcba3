"""A drill, judged from its pull; and what the command refuses before anything is pulled."""

from pathlib import Path

import pytest

from console.config import ConfigError, Glance
from console.desk import events as ev
from console.desk.drill import WITHIN_MS, judge
from console.desk.pull import Level
from console.desk.state import PullState, fold_all
from console.drill import run_drill
from tests.support import scenario


def pull_of(story: scenario.Story) -> PullState:
    pull = fold_all(story.records).pull
    assert pull is not None
    return pull


def test_blocked_flat_and_quiet_in_time_passes() -> None:
    found = judge(pull_of(scenario.verified(Level.L4)), late_orders=0)
    assert found.passed
    assert (found.blocked_ms, found.flat_ms, found.verified_ms) == (1400, 1900, 62000)


def test_an_l3_has_nothing_to_flatten() -> None:
    found = judge(pull_of(scenario.verified()), late_orders=0)
    assert (found.passed, found.flat_ms) == (True, None)


def test_what_is_not_proven_or_came_late_is_named() -> None:
    assert judge(pull_of(scenario.partial()), 0).missed == (
        "sim1 is REQUESTED: no open order; quiet so far",
        "sim2 is PARTIAL: 1 order still open; cancel refused: order is pending cancel",
        "not blocked within 60 s",
    )
    assert judge(pull_of(scenario.verified()), 2).missed == (
        "strategies sent 2 orders after the last venue was blocked",
    )


def test_sixty_seconds_and_not_one_more() -> None:
    story = scenario.verified()
    pull = pull_of(story)
    for late, passes in ((WITHIN_MS, True), (WITHIN_MS + 1, False)):
        row = next(iter(pull.venues.values()))
        verdict = ev.VenueVerdict(
            pull.id,
            row.venue,
            row.verdict,
            row.why,
            t_blocked=pull.at + late * 1_000_000,
            t_verified=row.t_verified + 60_000_000_000,
        )
        assert judge(pull_of(story.at(-1, verdict)), 0).passed is passes


@pytest.mark.parametrize("mode", ["live", "paper", ""])
def test_only_a_simulated_desk_is_drilled(tmp_path: Path, mode: str) -> None:
    seen = Glance(path=tmp_path, name="main", mode=mode, state=tmp_path)
    with pytest.raises(ConfigError, match="drills run on a simulated desk only"):
        run_drill(seen, Level.L4)
