"""The axis of numbers."""

import pytest

from widgets.line import text_of
from widgets.plot import plot


@pytest.mark.parametrize(
    ("levels", "labels"),
    [
        ([212.3, 213.1, 213.9], ["213.9", "213.1", "212.3"]),
        ([214.01, 214.01], ["214.01"]),
        ([214.01, 214.012], ["214.012", "214.011", "214.01"]),
        ([100_000.5, 100_000.7], ["100,000.7", "100,000.6", "100,000.5"]),
        ([5e9, 1e10], ["1e+10", "7.5e+09", "5e+09"]),
    ],
)
def test_labels_are_told_apart_and_one_value_has_one(levels: list[float], labels: list[str]) -> None:
    drawn = [text_of(each).partition("┤") for each in plot(levels, 40, 12, "09:30:00Z", "09:31:00Z")]
    assert [label.strip() for label, tick, _ in drawn if tick] == labels
