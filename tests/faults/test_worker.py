"""The worker process: what it takes it keeps whole or says so; what it is asked for it seals, or says why not."""

import hashlib
import json
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from console.desk import events as ev
from console.desk.events import encode
from console.desk.pull import GateState
from console.evidence.manifest import Manifest, read_manifest
from console.evidence.reading import state_of
from console.evidence.verify import verify
from console.guard.frames import (
    Done,
    Exchange,
    Failed,
    File,
    Kept,
    Kind,
    LogFile,
    Lost,
    Pin,
    Reindex,
    Removed,
    Sealed,
    Taken,
    Unpin,
    frame,
)
from tests.support.broker import wait_until
from tests.support.worker import DAY_BEGAN, Told, WorkerProcess, captured

INCIDENT = "INC-2026-0001"
SECRET = "s3cr3t-of-sim1"


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WorkerProcess]:
    (tmp_path / "keys.json").write_text(json.dumps({"key_id": "k3y-of-sim1", "secret_key": SECRET}))
    (tmp_path / "a.log").write_text("before\n")
    setup = {"secret_files": (str(tmp_path / "keys.json"),), "logs": (LogFile("a", str(tmp_path / "a.log")),)}
    with WorkerProcess(tmp_path, **setup) as worker:
        yield worker


def folder_of(worker: WorkerProcess) -> Path:
    return worker.state / "archive" / INCIDENT


def sealed(worker: WorkerProcess, job: str) -> ev.ArchiveSealed:
    return worker.until(Sealed, lambda said: said.job == job).seal


def rows(worker: WorkerProcess, item: str, seal: int = 1) -> list[dict[str, Any]]:
    table = pq.read_table(folder_of(worker) / f"{seal:03d}-{item}.parquet", page_checksum_verification=True)
    for number, column in enumerate(table.schema):
        if str(column.type).startswith("timestamp"):
            table = table.set_column(number, column.name, table[column.name].cast("int64"))
    return table.to_pylist()


def extra(worker: WorkerProcess, item: str, seal: int) -> dict[str, Any]:
    return next(each.extra for each in manifest(worker).of_seal(seal) if each.item == item)


def manifest(worker: WorkerProcess) -> Manifest:
    return read_manifest(folder_of(worker))


def quotes(price: str) -> ev.QuotesRead:
    quote = ev.Quote("AAPL", Decimal(price), None, Decimal(1), Decimal(0), DAY_BEGAN)
    return ev.QuotesRead("sim1", (quote,), DAY_BEGAN)


def holdings() -> dict[str, Any]:
    held = {"side": "broker", "venue": "sim1", "symbol": "AAPL", "qty": "1.5", "as_of": DAY_BEGAN}
    return {"positions": captured(held, {**held, "qty": "0.1234567890123456789"})}


def test_a_seal_holds_what_was_told_before_it_and_verifies(worker: WorkerProcess, tmp_path: Path) -> None:
    told = Told(worker)
    told.tell(ev.GuardStarted(version="1", pid=1, recovered=0))
    told.keyframe()
    told.tell(quotes("1.000000000000000001"), ev.Heartbeat("sim1", 900), quotes("123456789012345678901"))
    told.tell(ev.GateChanged(GateState.OPEN, Decimal(1), "a start"))
    worker.send(frame(Kind.EXCHANGES, encode(Exchange(DAY_BEGAN, "sim1", "GET", "/v2/x?token=abcdefg", 200))))
    body = {"strategy": "s", "kind": "test", "rows": [{"ts": 1, "symbol": "A", "value": "0.5"}]}
    worker.send(frame(Kind.TELEMETRY, encode(body)))
    with (tmp_path / "a.log").open("a") as log:
        log.write(f"placed with {SECRET}\n")
    files = (File("screen.txt", DAY_BEGAN, "ana", "a screen", text="a picture"),)
    told.seal(INCIDENT, "one", items=holdings(), files=files, fold=hashlib.sha256(encode(told.state)).hexdigest())
    told.tell(ev.Heartbeat("sim1", 901))
    one = sealed(worker, "one")
    assert one.missing == (
        "positions: 1 rows are left out: qty '0.1234567890123456789' does not fit decimal128(38, 18)",
        "quotes: 1 rows are left out: bid '123456789012345678901' does not fit decimal128(38, 18)",
    )
    assert [row["kind"] for row in rows(worker, "records")][:2] == ["state", "quotes_read"]
    assert [row["bid"] for row in rows(worker, "quotes")] == [Decimal("1.000000000000000001")]
    assert [row["latency_us"] for row in rows(worker, "heartbeats")] == [900]
    assert [row["state"] for row in rows(worker, "gate")] == ["OPEN"]
    assert [row["qty"] for row in rows(worker, "positions")] == [Decimal("1.5")]
    assert [row["kind"] for row in rows(worker, "journal")] == ["gate_changed"]
    assert [row["path"] for row in rows(worker, "exchanges")] == ["/v2/x?token=[redacted]"]
    assert [row["text"] for row in rows(worker, "logs")] == ["placed with [redacted]"]
    assert [str(row["value"]) for row in rows(worker, "telemetry")] == ["0.500000000000"]
    assert (folder_of(worker) / "001-screen.txt").read_text() == "a picture"

    told.tell(ev.GateChanged(GateState.HALTED, Decimal(0), "a pull"))
    told.seal(INCIDENT, "two")
    two = sealed(worker, "two")
    assert (two.seal, two.missing) == (2, ())
    assert [row["kind"] for row in rows(worker, "records", 2)] == ["heartbeat", "gate_changed"]
    assert extra(worker, "records", 2)["first"] == extra(worker, "records", 1)["last"] + 1
    assert encode(state_of(folder_of(worker))) == encode(told.state)
    report = verify(folder_of(worker))
    assert (report.standing.word, report.standing.findings) == ("consistent", ())


def test_a_seal_goes_on_where_a_killed_worker_stopped(worker: WorkerProcess) -> None:
    told = Told(worker)
    worker.ask(Pin(INCIDENT, 0))
    told.keyframe()
    told.tell(ev.Heartbeat("sim1", 1))
    told.seal(INCIDENT, "one")
    sealed(worker, "one")
    told.tell(ev.Heartbeat("sim1", 2))  # in the memory of the worker that is killed
    worker.kill()
    worker.start()
    worker.ask(Pin(INCIDENT, 0))
    told.keyframe()
    told.tell(ev.Heartbeat("sim1", 3))
    told.seal(INCIDENT, "two")
    told.seal(INCIDENT, "one")  # owed by the one that was killed: it was sealed, and is not sealed again
    sealed(worker, "two")
    assert sealed(worker, "one").seal == 1
    assert [row["latency_us"] for row in rows(worker, "heartbeats", 2)] == [3]
    assert extra(worker, "records", 2)["first"] == extra(worker, "records", 1)["last"] + 1
    assert verify(folder_of(worker)).standing.findings == ()


def test_what_can_not_be_read_is_named_and_the_rest_is_sealed(worker: WorkerProcess) -> None:
    told = Told(worker)
    worker.ask(Pin(INCIDENT, 0))
    for latency in (1, 2, 3):
        told.keyframe()
        told.tell(ev.Heartbeat("sim1", latency))
        told.seal("INC-2026-0002", f"other {latency}")  # closes a segment
        worker.until(Sealed, lambda said, job=f"other {latency}": said.job == job)
    _, second, third = sorted((worker.state / "telemetry" / "records").iterdir())
    damaged = bytearray(second.read_bytes())
    damaged[40] ^= 0xFF
    second.write_bytes(damaged)
    third.rename(third.with_suffix(".elsewhere"))
    told.keyframe()
    told.tell(ev.Heartbeat("sim1", 4))
    told.seal(INCIDENT, "one")
    one = sealed(worker, "one")
    assert len(one.missing) == 2
    assert all(path.name in why for path, why in zip((second, third), one.missing, strict=True))
    assert [row["latency_us"] for row in rows(worker, "heartbeats")] == [1, 4]
    assert encode(state_of(folder_of(worker))) == encode(told.state)


def test_nothing_that_is_secret_is_kept(worker: WorkerProcess, tmp_path: Path) -> None:
    told = Told(worker)
    told.keyframe()
    told.tell(ev.Refused(what="x", why=f"said {SECRET}"), ev.Refused(what="y", why="password=hunter22"))
    attached = tmp_path / "attached"
    attached.write_bytes(b"\xff" + SECRET.encode())
    files = (
        File("screen.txt", DAY_BEGAN, "ana", "a screen", text=f"Bearer {SECRET}"),
        File("attached-notes.bin", DAY_BEGAN, "ana", "ana", path=str(attached), spooled=True),
    )
    settings = captured({"strategy": "s", "name": "apiToken", "value": "hunter22"}, {"name": "n", "value": SECRET})
    config = captured({"file": "desk.yaml", "live": "x: 1\npassphrase: hunter22\n"})
    told.seal(INCIDENT, "one", files=files, items={"settings": settings, "config": config}, fold="0" * 64)
    one = sealed(worker, "one")
    assert [why.partition(":")[0] for why in one.missing] == ["records", "attached"]
    assert not attached.exists(), "what was spooled goes once it is sealed, or can not be"
    worker.end()
    kept = [path for place in ("archive", "telemetry") for path in (worker.state / place).rglob("*") if path.is_file()]
    for path in kept:
        text = str(pq.read_table(path).to_pylist()).encode() if path.suffix == ".parquet" else path.read_bytes()
        assert SECRET.encode() not in text, path
        assert b"hunter22" not in text, path
    assert verify(folder_of(worker)).standing.findings == ()


def test_what_can_not_be_sealed_is_said_and_kept_for_the_next_time(worker: WorkerProcess, tmp_path: Path) -> None:
    told = Told(worker)
    told.keyframe()
    archive = worker.state / "archive"
    archive.write_text("no folder")
    told.seal(INCIDENT, "one")
    failed = worker.until(Failed)
    assert (failed.job, failed.failure.incident) == ("one", INCIDENT)
    assert str(archive) in failed.failure.why
    archive.unlink()
    told.tell(ev.Heartbeat("sim1", 1))
    told.seal(INCIDENT, "two")
    assert sealed(worker, "two").seal == 1
    assert [row["kind"] for row in rows(worker, "records")] == ["state", "heartbeat"]


def test_frames_are_taken_in_while_a_seal_is_made(worker: WorkerProcess) -> None:
    told = Told(worker)
    told.keyframe()
    for _ in range(40):
        told.tell(*[ev.Heartbeat("sim1", number) for number in range(1000)])
    told.seal(INCIDENT, "one")
    while not worker.heard(Sealed):
        told.tell(ev.Heartbeat("sim1", 0))
    before = list(worker.said)[: next(at for at, said in enumerate(worker.said) if isinstance(said, Sealed))]
    single = [said for said in before if isinstance(said, Taken) and said.rows == 1]
    assert len(single) > 10, "beside the keyframe, frames that were sent behind the seal"
    assert len(rows(worker, "records")) == 40_001


def test_what_is_attached_to_a_closed_incident_is_sealed_and_pins_nothing(worker: WorkerProcess) -> None:
    told = Told(worker)
    worker.ask(Pin(INCIDENT, 0))
    told.keyframe()
    told.seal(INCIDENT, "closed", closed_at=1)
    worker.ask(Unpin(INCIDENT))
    file = File("attached-a.txt", DAY_BEGAN, "ana", "ana", text="late")
    told.tell(ev.Heartbeat("sim1", 1))
    told.seal(INCIDENT, "attached", closed_at=1, files=(file,))
    assert sealed(worker, "attached").items[0] == "attached"
    assert [row["latency_us"] for row in rows(worker, "heartbeats", 2)] == [1]
    assert verify(folder_of(worker)).standing.findings == ()


def test_closed_incidents_go_by_the_policy_and_open_ones_stay(tmp_path: Path) -> None:
    with WorkerProcess(tmp_path, keep_days=1) as worker:
        told = Told(worker)
        told.keyframe()
        told.seal("INC-2026-0001", "one", closed_at=1)
        worker.ask(Unpin("INC-2026-0001"))
        head = sealed(worker, "one").head
        removed = worker.until(Removed).removed
        assert (removed.incident, removed.head) == ("INC-2026-0001", head)
        told.seal("INC-2026-0002", "two")
        worker.ask(Reindex("three"))
        assert worker.until(Done, lambda said: said.job == "three").text.startswith("1 incident indexed")
        assert [path.name for path in (worker.state / "archive").glob("*INC*")] == ["INC-2026-0002"]
        assert (worker.state / "desk.duckdb").exists()


def test_killed_at_any_moment_every_segment_is_whole_and_was_told(tmp_path: Path) -> None:
    chance = random.Random(7)
    told_of: dict[str, str] = {}
    with WorkerProcess(tmp_path, segment_seconds=0.02) as worker:
        telemetry = worker.state / "telemetry"
        for turn in range(5):
            told = Told(worker)
            told.keyframe()
            segments = chance.randrange(1, 6)
            while len(worker.heard(Kept)) < segments:
                told.tell(*[ev.Heartbeat("sim1", number) for number in range(chance.randrange(400))])
            worker.kill()
            told.journal.close()
            told_of |= {said.segment.path: said.segment.sha256 for said in worker.heard(Kept)}
            worker.start()
            assert not list(telemetry.rglob("*.new")), turn
        paths = list(telemetry.rglob("*.parquet"))
        for path in paths:
            pq.read_table(path, page_checksum_verification=True)
            assert hashlib.sha256(path.read_bytes()).hexdigest() == told_of[str(path.relative_to(telemetry))]
        assert len(paths) > 5
        assert not [said for said in worker.heard(Lost) if "not be read" in said.why]


@pytest.mark.parametrize("seconds", [40, pytest.param(4000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_limits_hold_under_a_flood_of_messages(tmp_path: Path, seconds: int) -> None:
    """So many seconds of 5,000 messages each, as fast as they are taken: that has to be faster than they come."""
    line = encode(ev.Record(DAY_BEGAN, "guard", "guard", ev.Heartbeat("sim1", 1, "noise")))
    chance = random.Random(1)
    with WorkerProcess(tmp_path, megabytes=8, minutes=600, segment_seconds=1.0) as worker:
        told = Told(worker)
        told.keyframe()
        memory = 0
        for second in range(seconds):
            for _ in range(10):
                noise = chance.randbytes(50_000).hex().encode()
                worker.records(*[line.replace(b"noise", noise[at : at + 200]) for at in range(0, 100_000, 200)])
            wait_until(lambda due=5000 * (second + 1): taken(worker) >= due, "the records are taken")
            if second == seconds // 2:
                memory = worker.memory
        assert worker.memory < memory * 1.1 + (8 << 20)
        worker.end()
        assert not worker.heard(Lost)
        kept = [said.segment for said in worker.heard(Kept)]
        paths = list((worker.state / "telemetry").rglob("*.parquet"))
        held = sum(path.stat().st_size for path in paths)
        assert held <= 8 << 20
        assert sum(segment.bytes for segment in kept) > 10 << 20, "some had to go"
        assert sum(segment.rows for segment in kept) == 5000 * seconds + 1
        for path in paths:
            pq.read_table(path, page_checksum_verification=True)


def taken(worker: WorkerProcess) -> int:
    return sum(said.rows for said in worker.heard(Taken))
