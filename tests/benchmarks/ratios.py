"""How a benchmark is run and told: several ways of doing one thing, taken in turn, compared as ratios of medians.

Machines are shared and noisy. The ways are interleaved (A B C A B C …), so that a slow minute slows all of them, and
only ratios to one of them are printed as a result; the median in ms stands beside them for orientation.
"""

import statistics
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


def in_turn(ways: Mapping[str, Callable[[], T]], runs: int, warm_up: int = 1) -> dict[str, list[T]]:
    """Seconds (or any other figures) of each way, `runs` times, interleaved."""
    taken: dict[str, list[T]] = {name: [] for name in ways}
    for run in range(runs + warm_up):
        for name, way in ways.items():
            figure = way()
            if run >= warm_up:
                taken[name].append(figure)
    return taken


def tell(title: str, taken: Mapping[str, list[float]], against: str, unit: str = "ms", scale: float = 1000) -> None:
    """Print one table: the median of each way and its ratio to that of `against`, with the spread of the runs."""
    base = statistics.median(taken[against])
    print(f"\n{title}")
    for name, figures in taken.items():
        median = statistics.median(figures)
        low, high = min(figures), max(figures)
        ratio = "1 (the measure)" if name == against else f"{median / base:.2f}×"
        print(
            f"  {name:<34} {ratio:<16} median {median * scale:9.3f} {unit}   [{low * scale:.3f} … {high * scale:.3f}]"
        )
