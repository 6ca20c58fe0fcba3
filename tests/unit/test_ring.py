"""The flight recorder's ring: bounded, pinned, taken up again; what is missing in a slice is named."""

import random
from collections.abc import Callable
from pathlib import Path

from console.evidence.ring import Ring, Slice
from console.evidence.segments import Segment
from console.evidence.streams import STATE, LogRow, RecordRow

MINUTE = 60_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000_000_000_000

    def __call__(self) -> int:
        return self.now


def ring_in(folder: Path, clock: Callable[[], int], *, minutes: int = 60, megabytes: int = 1) -> Ring:
    return Ring(folder, minutes=minutes, megabytes=megabytes, seconds=3600, clock=clock)


def close(ring: Ring, stream: str) -> Segment:
    told: list[Segment] = []
    ring.close(stream, lambda segment, sha256: told.append(segment))
    return told[0]


def log(ring: Ring, clock: Clock, count: int = 1) -> Segment:
    """One closed segment of noise, half a kilobyte a row once it is compressed."""
    chance = random.Random(ring.next_row("logs"))
    ring.add("logs", [LogRow(clock.now, "a", number, chance.randbytes(500).hex()) for number in range(count)])
    return close(ring, "logs")


def record(ring: Ring, clock: Clock, kind: str = "heartbeat") -> None:
    row = RecordRow(ring.next_row("records"), clock.now, "guard", 0, kind, "guard", None, "{}")
    ring.add("records", [row])


def numbers(piece: Slice, missing: list[str] | None = None) -> list[int]:
    told: list[str] = [] if missing is None else missing
    found = [first + row for first, batch in piece.batches(told.append) for row in range(batch.num_rows)]
    assert missing is not None or not told
    return found


def test_rows_are_numbered_on_over_a_restart_and_what_is_torn_is_said(tmp_path: Path) -> None:
    clock = Clock()
    ring = ring_in(tmp_path, clock)
    log(ring, clock, 3)
    whole = log(ring, clock, 2).path
    (tmp_path / "logs" / "000000000006-x.parquet.new").write_bytes(b"half")
    damaged = tmp_path / "logs" / "000000000007-x.parquet"
    damaged.write_bytes(whole.read_bytes()[:-30])
    again = ring_in(tmp_path, clock)
    assert again.next_row("logs") == 6
    assert [(stream, why.split()[0]) for stream, why in again.found] == [
        ("logs", "000000000006-x.parquet.new"),
        ("logs", "000000000007-x.parquet"),
    ]
    assert sorted(path.suffix for path in (tmp_path / "logs").iterdir()) == [".parquet", ".parquet", ".unreadable"]
    assert not ring_in(tmp_path, clock).found


def test_the_oldest_go_by_age_and_by_bytes_and_the_last_of_a_stream_stays(tmp_path: Path) -> None:
    clock = Clock()
    ring = ring_in(tmp_path, clock, minutes=10)
    record(ring, clock)
    close(ring, "records")
    old = log(ring, clock).path
    clock.now += 11 * MINUTE
    log(ring, clock, 300)
    ring.make_room()
    assert not old.exists()
    assert len(list((tmp_path / "records").iterdir())) == 1, "it carries the numbers on"
    paths = [log(ring, clock, 300).path for _ in range(10)]
    ring.make_room()
    held = sum(path.stat().st_size for path in tmp_path.rglob("*.parquet"))
    assert held <= 1 << 20
    assert paths[-1].exists()
    assert not paths[0].exists()


def test_what_is_pinned_stays_up_to_twice_the_bytes_and_then_it_is_said(tmp_path: Path) -> None:
    clock = Clock()
    ring = ring_in(tmp_path, clock, minutes=10)
    before = log(ring, clock, 100).path
    clock.now += MINUTE
    ring.pin("INC-2026-0001", clock.now, {})
    first = log(ring, clock, 300)
    clock.now += 20 * MINUTE
    log(ring, clock, 300)
    assert ring.make_room() == {}
    assert not before.exists()
    assert first.path.exists(), "older than the ring keeps, but not sealed yet"
    while first.path.exists():
        log(ring, clock, 300)
        torn = ring.make_room()
    held = sum(path.stat().st_size for path in tmp_path.rglob("*.parquet"))
    assert (1 << 20) < held <= (2 << 20)
    assert list(torn) == ["INC-2026-0001"]
    assert "logs up to row 400" in torn["INC-2026-0001"]
    ring.sealed("INC-2026-0001", ring.rows())
    ring.make_room()
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.parquet")) <= 1 << 20


def test_a_first_slice_begins_with_the_keyframe_before_its_window_and_the_next_where_it_ended(tmp_path: Path) -> None:
    clock = Clock()
    ring = ring_in(tmp_path, clock)
    for kind in (STATE, "heartbeat", STATE, "heartbeat"):
        record(ring, clock, kind)
        clock.now += MINUTE
    close(ring, "records")
    since = clock.now - MINUTE
    record(ring, clock, STATE)
    record(ring, clock)
    ring.pin("INC-2026-0001", since, {})
    first = ring.cut("INC-2026-0001", {"records": 5, "logs": 0})
    assert list(first) == ["records"]
    assert numbers(first["records"]) == [3, 4, 5]
    assert first["records"].keyframes == (3, 5)
    ring.sealed("INC-2026-0001", {"records": 5})
    record(ring, clock)
    assert numbers(ring.cut("INC-2026-0001", ring.rows())["records"]) == [6, 7]
    ring.pin("INC-2026-0001", since, {"records": 4})
    assert numbers(ring.cut("INC-2026-0001", ring.rows())["records"]) == [5, 6, 7]
    ring.pin("INC-2026-0001", since, {"records": 4711})
    assert numbers(ring.cut("INC-2026-0001", ring.rows())["records"]) == [3, 4, 5, 6, 7], "of a ring that is gone"


def test_a_slice_names_the_rows_that_it_has_not(tmp_path: Path) -> None:
    clock = Clock()
    ring = ring_in(tmp_path, clock)
    segments = [log(ring, clock, 2) for _ in range(4)]
    ring.pin("INC-2026-0001", 0, {"logs": 1})
    piece = ring.cut("INC-2026-0001", ring.rows())["logs"]
    segments[1].path.unlink()
    segments[2].path.write_bytes(b"PAR1" + segments[2].path.read_bytes()[4:-4])
    missing: list[str] = []
    assert numbers(piece, missing) == [2, 7, 8]
    assert [why.partition(" can")[0] for why in missing] == [
        f"logs: rows 3 to 4: {segments[1].path.name}",
        f"logs: rows 5 to 6: {segments[2].path.name}",
    ]


def test_rows_that_the_disk_refuses_wait_and_are_in_a_slice_all_the_same(tmp_path: Path) -> None:
    clock = Clock()
    ring = ring_in(tmp_path, clock)
    (tmp_path / "logs").rmdir()
    ring.add("logs", [LogRow(1, "a", 1, "waits")])
    for _ in range(2):
        try:
            close(ring, "logs")
        except OSError:
            continue
        raise AssertionError("there is no folder")
    ring.pin("INC-2026-0001", 0, {})
    assert numbers(ring.cut("INC-2026-0001", ring.rows())["logs"]) == [1]
    (tmp_path / "logs").mkdir()
    assert close(ring, "logs").about.rows == 1
