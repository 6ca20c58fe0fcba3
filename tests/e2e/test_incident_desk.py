"""From a pull to the last seal, on one desk of real processes: what is kept, that it is the desk's own, and that it can
be proven. The tests build on each other, in this order."""

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from console.desk import entries as en
from console.desk import events as ev
from console.desk.events import encode
from console.desk.pull import GateState
from console.desk.source import Attached, Received
from console.desk.state import DeskState, fold
from console.evidence.manifest import read_manifest
from console.evidence.reading import state_of
from console.evidence.signing import Trusted
from console.evidence.verify import known_seals, verify
from console.guard.client import GuardClient
from tests.support.broker import PATIENCE, wait_until
from tests.support.desk import DeskProcesses

pytestmark = pytest.mark.xdist_group("incidents")

FIRST = {"records", "journal", "telemetry", "exchanges", "logs", "heartbeats", "monitors", "quotes", "bars", "gate"}
CAPTURED = {"positions", "orders", "account", "settings", "config", "limits", "models"}
SECRET = "hunter2-is-not-a-password"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcesses]:
    folder = tmp_path_factory.mktemp("desk")
    log = folder / "strategy.log"
    log.touch()
    described = (f"logs: [{{name: strategy, path: {json.dumps(str(log))}}}]",)
    market = ("--speed", "60", "--seed", "3")
    with DeskProcesses(folder, quiet_seconds=1, broker_arguments=market, described=described, pictures=True) as desk:
        commit(folder)
        with desk.file.open("a") as file:
            file.write("# changed by hand\n")
        desk.broker.control("POST", "/clock", {"session": "open"})
        for venue in ("sim1", "sim2"):
            wait_until(lambda venue=venue: positions(desk, venue), "a position")  # type: ignore[misc]
        wait_until(lambda: desk.journaled(ev.TelemetryKept), "telemetry")
        with log.open("a") as file:  # what stood there before the recorder looked is none of its business
            file.write("orders are sent\n")
        yield desk


def commit(folder: Path) -> None:
    for words in (["init", "-q"], ["add", "desk.yaml"], ["commit", "-qm", "the desk"]):
        author = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        subprocess.run(["git", "-C", str(folder), *author, *words], check=True, capture_output=True)


def positions(desk: DeskProcesses, venue: str) -> Any:
    return desk.broker.request("GET", "/v2/positions", account=venue)[1]


def andon(desk: DeskProcesses, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "console", "--desk", str(desk.file), *words]
    told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return told.returncode, told.stdout.strip(), told.stderr.strip()


def pull(desk: DeskProcesses, level: str) -> str:
    body = {"reason": "a test", "scope": "all", "level": level}
    status, told, _ = desk.http("POST", "/emergency/shutdown?wait=60", body)
    assert (status, told["verdict"]) == (202, "VERIFIED")
    return str(told["pull"])


def sealed(desk: DeskProcesses, why: str, captured: tuple[str, ...]) -> ev.ArchiveSealed:
    """The first seal of that kind that covers these pulls."""
    return desk.wait_journaled(ev.ArchiveSealed, lambda event: event.why == why and event.captured == captured)


def lacks(seal: ev.ArchiveSealed) -> list[str]:
    """What is missing, but for a picture that comes later because the machine is busy."""
    return [what for what in seal.missing if not what.startswith("screen: it is still being drawn")]


def folder(desk: DeskProcesses) -> Path:
    return desk.state_dir / "archive" / opened(desk).incident


def opened(desk: DeskProcesses) -> en.IncidentOpened:
    return desk.wait_journaled(en.IncidentOpened)


def rows(desk: DeskProcesses, item: str) -> list[dict[str, Any]]:
    """Of all seals so far."""
    files = sorted(folder(desk).glob(f"*-{item}.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_a_pull_opens_an_incident_that_holds_every_item_of_real_traffic(desk: DeskProcesses) -> None:
    stop = pull(desk, "L3")
    seal = sealed(desk, "pull", (stop,))
    entry = opened(desk)
    assert (entry.pull, entry.severity, entry.cls, entry.title) == (stop, "P0", "", "L3 desk: a test")
    assert (seal.incident, lacks(seal)) == (entry.incident, [])
    assert set(seal.items) >= CAPTURED
    assert {item for each in desk.journaled(ev.ArchiveSealed) for item in each.items} >= FIRST

    read = [row for row in rows(desk, "positions") if (row["phase"], row["side"]) == ("read", "broker")]
    held = {(row["venue"], row["symbol"]): row["qty"] for row in read}
    told = {(name, row["symbol"]): float(row["qty"]) for name in ("sim1", "sim2") for row in positions(desk, name)}
    assert {key: float(qty) for key, qty in held.items()} == told
    assert {row["strategy"] for row in rows(desk, "positions") if row["side"] == "book"}
    assert {row["phase"] for row in rows(desk, "orders")} == {"before"}, "what the cancels found is kept"
    assert {row["venue"] for row in rows(desk, "account")} == {"sim1", "sim2"}
    assert {row["strategy"] for row in rows(desk, "settings")} == {"momentum", "maker"}
    assert all(row["live"] for row in rows(desk, "models"))
    assert {row["name"] for row in rows(desk, "limits") if row["committed"] == row["value"]} >= {"daily_loss_pct"}
    config = next(row for row in rows(desk, "config") if row["file"] == "desk.yaml")
    assert (config["differs"], config["live"]) == (True, config["committed"] + "# changed by hand\n")

    cancels = [row for row in rows(desk, "exchanges") if (row["method"], row["status"]) == ("DELETE", 207)]
    assert {row["venue"] for row in cancels} == {"sim1", "sim2"}
    assert {row["strategy"] for row in rows(desk, "telemetry")} & {"momentum", "maker"}
    assert "orders are sent" in {row["text"] for row in rows(desk, "logs")}
    assert rows(desk, "quotes")
    assert rows(desk, "bars")
    drawn = wait_until(lambda: sorted(folder(desk).glob("*-screen.*")), "the picture, at once or a little later")
    assert [path.suffix for path in drawn[:2]] == [".svg", ".txt"]
    assert "<svg" in drawn[0].read_text()
    assert "HALTED" in drawn[1].read_text()


def test_the_proof_adds_a_seal(desk: DeskProcesses) -> None:
    seal = sealed(desk, "verified", (opened(desk).pull,))
    assert set(seal.items) >= CAPTURED
    proven = {json.loads(row["data"])["venue"] for row in rows(desk, "journal") if "VERIFIED" in row["data"]}
    assert proven == {"sim1", "sim2"}


async def test_the_state_in_the_archive_is_the_one_that_the_guard_told(desk: DeskProcesses) -> None:
    """A console folds what the guard tells; at one of these moments its state is the archive's, byte for byte."""
    client, seen = GuardClient(desk.state_dir), set()
    state, asking = DeskState(), None
    seal = ""
    async with asyncio.timeout(PATIENCE):
        async for update in client.updates():
            match update:
                case Attached():
                    state = update.state
                    asking = asking or asyncio.create_task(client.command("snapshot"))
                case Received():
                    state = fold(state, update.record)
                    if isinstance(update.record.event, ev.ArchiveSealed):
                        assert not lacks(update.record.event)
                        seal = update.record.event.fold
            seen.add(hashlib.sha256(encode(state)).hexdigest())
            if seal:
                break
    assert seal in seen
    manifest = read_manifest(folder(desk))
    assert seal in {head.fold for head in manifest.heads}
    assert hashlib.sha256(encode(state_of(folder(desk), manifest))).hexdigest() == manifest.last.fold


def test_another_pull_joins_and_is_kept_and_proven_too(desk: DeskProcesses) -> None:
    first, second = opened(desk).pull, pull(desk, "L4")
    assert desk.wait_journaled(en.IncidentJoined).pull == second
    for why in ("pull", "verified"):
        assert not lacks(sealed(desk, why, (first, second)))
    assert len(desk.journaled(en.IncidentOpened)) == 1
    assert andon(desk, "status")[1].count(f"incident {opened(desk).incident} P0") == 1


def test_files_are_attached_under_safe_names_and_without_secrets(desk: DeskProcesses, tmp_path: Path) -> None:
    number = opened(desk).incident
    note = tmp_path / "..note to all.txt"
    note.write_text(f"the broker said: password: {SECRET}\nand that all is well\n")
    code, said, _ = andon(desk, "incident", "attach", number, str(note))
    assert code == 0
    assert number in said
    (attached,) = folder(desk).glob("*-attached-*")
    assert attached.name.endswith("-attached-note_to_all.txt")
    assert "all is well" in attached.read_text()
    assert SECRET not in attached.read_text()
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate((8 << 20) + 1)
    for wrong, why in ((str(large), "8 MiB"), (str(tmp_path / "none"), "no such file"), (str(tmp_path), "no file")):
        code, _, error = andon(desk, "incident", "attach", number, wrong)
        assert (code, len(error.splitlines())) == (2, 1)
        assert why in error
    assert andon(desk, "incident", "attach", "INC-1999-0001", str(note))[::2] == (
        2,
        "andon: there is no incident INC-1999-0001: andon incident list has those there are",
    )
    core = tmp_path / "core.bin"
    core.write_bytes(b"\xff\xfe\x00" + desk.broker.accounts["sim1"][1].encode() + b"\x00")
    code, said, error = andon(desk, "incident", "attach", number, str(note), str(core))
    assert code == 1
    assert f"{number} sealed" in said, "what was done before something failed is said"
    assert "core.bin" in error


def test_it_is_noted_and_closed_on_record_and_the_desk_stays_stopped(desk: DeskProcesses) -> None:
    number = opened(desk).incident
    assert andon(desk, "incident", "note", number, "the", "broker", "was", "called")[0] == 0
    assert andon(desk, "incident", "close", number, "--outcome", "a test")[0] == 0
    seal = desk.wait_journaled(ev.ArchiveSealed, lambda event: event.why == "closed")
    assert not seal.missing
    last = read_manifest(folder(desk)).last
    assert (last.hash, last.closed_at > 0) == (seal.head, True)
    assert desk.folded().gate_state is GateState.HALTED
    shown = json.loads(andon(desk, "incident", "show", number, "--json")[1])
    assert [each["seal"] for each in shown["sealed"]] == list(range(1, seal.seal + 1))
    assert any("the broker was called" in line["text"] for line in shown["timeline"])
    assert json.loads(andon(desk, "incident", "list", "--json")[1])["incidents"][0]["open"] is False
    assert json.loads(andon(desk, "status", "--json")[1])["incident"] is None
    assert andon(desk, "incident", "snapshot")[::2] == (1, "andon: no incident is open")


def test_all_of_it_is_proven_by_the_desks_key_and_its_journal(desk: DeskProcesses) -> None:
    trusted = Trusted.of(desk.folder, desk.state_dir)
    report = verify(folder(desk), trusted, known_seals(desk.records()))
    assert not report.findings
    assert report.standing.word == "verified"


def test_a_pause_opens_none_and_by_hand_the_next_number_is_taken(desk: DeskProcesses) -> None:
    pull(desk, "L1")
    assert "'config-drift'" in andon(desk, "incident", "open", "--class", "config-drif")[2]
    code, said, _ = andon(desk, "incident", "open", "--class", "config-drift", "--title", "a limit", "--json")
    told = json.loads(said)
    assert (code, told["incident"], told["severity"]) == (0, opened(desk).incident[:-1] + "2", "P1")
    seal = desk.wait_journaled(ev.ArchiveSealed, lambda event: event.incident == told["incident"])
    assert (seal.seal, seal.why, lacks(seal)) == (1, "snapshot", [])


def test_the_archive_is_read_indexed_and_restored_beside_the_running_guard(desk: DeskProcesses) -> None:
    listed = json.loads(andon(desk, "archive", "list", "--json")[1])["incidents"]
    assert [each["id"] for each in listed] == [folder(desk).name[:-1] + "2", folder(desk).name]
    code, said, _ = andon(desk, "archive", "query", "SELECT DISTINCT venue FROM fills JOIN incidents USING (incident)")
    assert (code, set(said.splitlines()[1:]) <= {"sim1", "sim2"}) == (0, True)
    assert andon(desk, "archive", "reindex")[::2] == (0, "")
    assert (desk.state_dir / "desk.duckdb").exists()
    code, said, _ = andon(desk, "archive", "drill", "--seed", "1")
    assert (code, "PASSED" in said, "verified, signed by" in said) == (0, True, True)
    done = desk.wait_journaled(ev.RestoreDrilled)
    assert (done.passed, done.missed) == (True, ())
    report = (desk.state_dir / done.report).read_bytes()
    assert hashlib.sha256(report).hexdigest() == done.sha256
    assert not list((desk.state_dir / "journal").glob("restore*"))
