"""Rows of a seal: exact or refused, never rounded; the journal's lines found where they lie; orders as they changed."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from console.desk import events as ev
from console.desk.events import Record
from console.evidence.batches import ROWS, batches, named
from console.evidence.columns import Columns
from console.evidence.derived import DERIVED
from console.evidence.journal import JournalWriter
from console.evidence.spans import span

COLUMNS: Columns = {"at": "time", "count": "whole", "qty": "number", "what": "text"}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ((1, 1, Decimal("1E-19"), ""), "qty"),
        ((1, 1, "123456789012345678901", ""), "qty"),
        ((1, 1, "NaN", ""), "qty"),
        ((1, 1, "many", ""), "qty"),
        ((1, 1.5, "1", ""), "count"),
        ((1 << 63, 1, "1", ""), "at"),
        ((1, 1, "1", "\ud800"), "what"),
        ((1, 1, "1", 5), "what"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_and_the_others_are_kept(row: tuple[object, ...], why: str) -> None:
    good = (1, None, "99999999999999999999.999999999999999999", "x")
    refused: list[str] = []
    table = [each for batch in batches(COLUMNS, [good, row, good], refused.append) for each in batch.to_pylist()]
    assert [each["qty"] for each in table] == [Decimal(good[2])] * 2
    assert len(refused) == 1
    assert refused[0].startswith(f"1 rows are left out: {why} ")


def test_rows_of_any_number_come_in_batches_and_an_unknown_name_is_refused() -> None:
    rows = ({"at": number, "what": "x"} for number in range(ROWS + 1))
    assert [batch.num_rows for batch in batches(COLUMNS, named(COLUMNS, rows), print)] == [ROWS, 1]
    with pytest.raises(ValueError, match="no column 'nonsense'"):
        list(named(COLUMNS, [{"nonsense": 1}]))


def test_a_span_of_the_journal_is_found_in_a_long_file(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "guard")
    for number in range(3000):
        last = writer.append(ev.Refused(what=f"number {number}", why="x" * 100), "ana")
    last.result()
    writer.close()
    path = tmp_path / "guard.jsonl"
    for first, end in ((1, 2), (1500, 1502), (2999, 9999), (3001, 3002)):
        lines = list(span(path, first, end))
        assert [line.seq for line in lines] == list(range(first, min(end, 3000) + 1))
        for before, line in pairwise(lines):
            assert line.follows(before.seq, before.hash)
            assert not line.follows(before.seq, "0" * 64)


def order(name: str, status: str = "new") -> ev.Order:
    return ev.Order(name, "c", "AAPL", "buy", Decimal(1), Decimal(0), "limit", status, 1)


def test_orders_are_told_as_they_came_changed_and_went() -> None:
    reads = [
        ev.OrdersRead("sim1", (order("a"), order("b")), 1),
        ev.OrdersRead("sim1", (order("a"), order("b", "partially_filled")), 2),
        ev.OrdersRead("sim1", (), 3, unknown="no answer"),
        ev.OrdersRead("sim1", (order("b", "partially_filled"),), 4, complete=False),
        ev.OrdersRead("sim1", (order("b", "partially_filled"), order("c")), 5),
    ]
    told = ((Record(read.as_of, "guard", "guard", read), read) for read in reads)
    assert [(row[0], row[1], row[3]) for row in DERIVED["orders_history"].rows(told)] == [
        (1, "new", "a"),
        (1, "new", "b"),
        (2, "changed", "b"),
        (5, "new", "c"),
        (5, "gone", "a"),
    ]
