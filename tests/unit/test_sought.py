"""The one line in which somebody says what he looks for in an archive."""

import pytest

from console.desk.archive import Summary
from console.desk.sought import sought

DAY = 86_400 * 1_000_000_000
NOW = 1_795_132_800 * 1_000_000_000  # 2026-11-20 00:00 UTC
ROW = Summary(
    "/a", "INC-2026-0007", "demo", "live", "broker-outage", "P0", "Acks silent", NOW - 3 * DAY, symbols=("BTC/USD",)
)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", True),
        ("class:outage sev:p0", True),
        ("CLASS:Outage severity:0", True),
        ("class:drift", False),
        ("sev:P1", False),
        ("since:2026-11-17", True),
        ("since:2026-11-18", False),
        ("since:3d", True),
        ("since:2d", False),
        ("until:2026-11-16", False),
        ("until:2026-11", True),
        ("on:2026-11", True),
        ("on:2026-12", False),
        ("on:2026-11-17", True),
        ("symbol:btcusd", True),
        ("symbol:AAPL", False),
        ("acks 0007", True),
        ("acks gone", False),
        ("is:open", True),
        ("is:closed", False),
        ("is:verified", True),
        ("is:broken", False),
        ("sev:", True),
        ("note:x", False),
    ],
)
def test_a_line_finds_what_it_says(typed: str, found: bool) -> None:
    assert sought(typed, NOW).finds(ROW, "verified") is found


def test_what_was_understood_is_said_and_what_was_not_as_well() -> None:
    line = sought("sev:0 since:yesterday is:lost until:2026-11 acks", NOW)
    assert line.says == "P0 and until 2026-11-30 and “acks”"
    assert "since:yesterday is no date" in line.wrong
    assert "is:lost?" in line.wrong
    assert line.finds(ROW, "unchecked")


@pytest.mark.parametrize("value", ["2026-13", "2026-02-30", "0000", "9999-12-31", "9999", "99999", "9999d"])
def test_no_date_is_too_odd(value: str) -> None:
    sought(f"since:{value} on:{value}", NOW).finds(ROW, "unchecked")
