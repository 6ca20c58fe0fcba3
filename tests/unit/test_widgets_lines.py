"""Lines, grids and curves as values: what fits, what gives way, what a gap looks like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.curve import curve
from widgets.grid import Column, lay, widths
from widgets.line import big, cut, fit, line, spread, text_of, width_of, wrap

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "M", "Z"]), max_size=30)


@given(st.lists(st.tuples(TEXT, st.sampled_from(["", "bad"])), max_size=5), st.integers(0, 60))
def test_a_fitted_line_has_exactly_its_width(spans: list[tuple[str, str]], width: int) -> None:
    for align in ("left", "right", "center"):
        assert width_of(fit(line(*spans), width, align)) == width


def test_what_had_to_go_leaves_an_ellipsis() -> None:
    assert text_of(cut(line("broker ", ("heartbeat", "bad")), 10)) == "broker he…"
    assert cut(line("short"), 10) == line("short")


def test_of_two_ends_the_left_gives_way() -> None:
    assert text_of(spread(line("a long story"), line("end"), 10)) == "a long…end"


def test_wrapped_text_hangs_below_its_lead_and_ends() -> None:
    told = [text_of(of) for of in wrap(line("14:31 "), "one two three four five six", "bad", 16, most=2)]
    assert told == ["14:31 one two", "      three …"]


def test_the_big_word_is_spaced_where_there_is_room() -> None:
    assert "P A R T" in text_of(big("PARTIAL", "why", "band-warn", 40)[1])
    assert "PARTIAL" in text_of(big("PARTIAL", "why", "band-warn", 12)[1])
    assert {tone for of in big("PARTIAL", "why", "band-warn", 40) for _, tone in of} == {"band-warn"}


COLUMNS = (
    Column("name", 6, grow=1),
    Column("value", 5, align="right"),
    Column("note", 8, drop=1),
    Column("x", 3, drop=2),
)


@pytest.mark.parametrize(
    ("room", "expected"),
    [(30, (11, 5, 8, 3)), (25, (6, 5, 8, 3)), (24, (9, 5, 8, 0)), (15, (9, 5, 0, 0)), (8, (6, 5, 0, 0))],
)
def test_columns_give_way_in_their_order(room: int, expected: tuple[int, ...]) -> None:
    assert widths(COLUMNS, room) == expected


def test_a_row_is_laid_in_its_columns() -> None:
    cells = [line("AAPL"), line("42"), line("gone"), line("x")]
    assert text_of(lay(cells, COLUMNS, (6, 5, 0, 0))) == "AAPL      42"


def test_a_curve_shows_the_threshold_the_gap_and_what_was_never_read() -> None:
    drawn = curve([0.0, 0.5, 0.8, 1.0, None, 0.2], 8)
    assert text_of(drawn) == "  ▁▄▆█·▂"
    assert [tone for text, tone in drawn if "█" in text] == ["bad"]
    assert [tone for text, tone in drawn if "·" in text] == ["unknown"]


@given(st.lists(st.none() | st.floats(-10, 10), max_size=80), st.integers(1, 40))
def test_a_curve_is_as_wide_as_it_was_asked_for(levels: list[float | None], width: int) -> None:
    assert width_of(curve(levels, width)) == width
