"""The guard on a real desk: a broker, strategies and the guard as processes, talked to over their real sockets."""

import asyncio
import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families

from console.desk import events as ev
from console.desk.pull import GateState, Verdict
from console.desk.source import Attached, Received, Update
from console.evidence.journal import verify
from console.guard.client import GuardClient
from tests.support.broker import PATIENCE, wait_until
from tests.support.desk import DeskProcesses

pytestmark = pytest.mark.xdist_group("guard")  # one desk for all, and the last tests pull it


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcesses]:
    with DeskProcesses(tmp_path_factory.mktemp("desk")) as desk:
        wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "the guard is ready")
        yield desk


def test_health_is_open_and_ready_names_what_is_missing(desk: DeskProcesses) -> None:
    assert desk.http("GET", "/health", token=None)[:2] == (200, {"status": "ok"})
    assert desk.http("GET", "/health/live", token=None)[0] == 200
    desk.broker.fault("refuse", "sim2")
    try:
        wait_until(
            lambda: any(name.startswith("venue sim2: ") for name in not_ready(desk)),
            "the guard says that sim2 is missing",
        )
        assert desk.http("GET", "/health", token=None)[0] == 200
    finally:
        desk.broker.clear()
    wait_until(lambda: desk.http("GET", "/health/ready", token=None)[0] == 200, "the guard is ready again")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/metrics"),
        ("GET", "/gate"),
        ("GET", "/status"),
        ("POST", "/telemetry"),
        ("POST", "/emergency/shutdown"),
    ],
)
@pytest.mark.parametrize("token", [None, "wrong", "Ünsinn"])
def test_everything_else_wants_a_token(desk: DeskProcesses, method: str, path: str, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
    body = {"reason": "x", "scope": "all"} if method == "POST" else None
    status, told, answered = desk.http(method, path, body, token=None, headers=headers)
    assert status == 401
    assert answered["WWW-Authenticate"].startswith("Bearer")
    assert "Authorization: Bearer" in told["error"]["message"]
    assert not desk.journaled(ev.Pulled)


def test_a_refused_request_is_journaled(desk: DeskProcesses) -> None:
    desk.http("GET", "/metrics", token="not-the-token")
    refused = desk.wait_journaled(ev.Refused)
    assert refused.remote == "127.0.0.1"


def test_metrics_are_what_a_prometheus_parser_reads(desk: DeskProcesses) -> None:
    status, text, headers = desk.http("GET", "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert {sample.labels["venue"] for sample in families["andon_venue_answers"].samples} == {"sim1", "sim2"}
    assert sum(sample.value for sample in families["andon_gate_state"].samples) == 1
    assert families["andon_journal_records"].type == "counter"


def test_the_gate_answers_for_a_strategy_and_knows_no_other(desk: DeskProcesses) -> None:
    status, told, _ = desk.http("GET", "/gate?strategy=momentum&symbol=AAPL")
    assert (status, told["state"], told["size_factor"]) == (200, "OPEN", "1")
    assert desk.http("GET", "/gate?strategy=nobody&symbol=AAPL")[0] == 404


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"scope": "all"}, "reason", "missing"),
        ({"reason": " ", "scope": "all"}, "reason", "text"),
        ({"reason": "x"}, "scope", "missing"),
        ({"reason": "x", "scope": "everything"}, "scope", "everything"),
        ({"reason": "x", "scope": "venue:nowhere"}, "scope", "venue:sim1"),
        ({"reason": "x", "scope": "strategy:nobody"}, "scope", "strategy:momentum"),
        ({"reason": "x", "scope": "symbol:ZZZZ"}, "scope", "AAPL"),
        ({"reason": "x", "scope": "all", "level": "L9"}, "level", "L1, L2, L3, L4"),
        ({"reason": "x", "scope": "all", "level": 3}, "level", "L1, L2, L3, L4"),
        ({"reason": "x", "scope": "all", "force": True}, "force", "unknown field"),
        ({"reason": "x", "scope": "strategy:momentum", "level": "L4"}, "scope", "--symbol AAPL"),
        ({"reason": "x", "scope": "all", "level": "L4", "keep_protective": True}, "keep_protective", "flattens"),
        ({"reason": "x", "scope": "all", "level": "L4", "own_only": True}, "own_only", "flattens"),
        ({"reason": "x", "scope": "all", "own_only": "yes"}, "own_only", "true or false"),
        (b'{"reason": "x", "reason": "y", "scope": "all"}', "reason", "twice"),
        (b"reason=x", "body", "JSON object"),
        ([], "body", "JSON object"),
    ],
)
def test_a_shutdown_that_is_not_understood_pulls_nothing(
    desk: DeskProcesses, body: object, field: str, says: str
) -> None:
    status, told, _ = desk.http("POST", "/emergency/shutdown", body)
    assert status == 422
    assert told["error"]["field"] == field
    assert says in json.dumps(told["error"])
    assert not desk.journaled(ev.Pulled)


def test_telemetry_is_kept_as_parquet_and_bad_rows_are_counted(desk: DeskProcesses) -> None:
    rows: list[dict[str, Any]] = [
        {"ts": 1, "symbol": "TELE", "value": 0.5, "model_hash": "m"},
        {"ts": 2, "symbol": "TELE", "value": "12345678901234567890.123456789012"},
        {"ts": "3", "symbol": "TELE", "value": 1},
        {"ts": 4, "symbol": "TELE", "value": 1, "more": 1},
        {"ts": 5, "symbol": "TELE", "value": "NaN"},
    ]
    assert desk.http("POST", "/telemetry", {"strategy": "probe", "kind": "test", "rows": rows})[0] == 202
    assert desk.http("POST", "/telemetry", b"[1,2")[0] == 202  # it is the worker that looks inside

    def kept() -> list[dict[str, Any]]:
        files = [
            desk.state_dir / "telemetry" / event.path
            for event in desk.journaled(ev.TelemetryKept)
            if event.stream == "telemetry"
        ]
        found = [row for file in files for row in pq.read_table(file).to_pylist()]
        return [row for row in found if row["strategy"] == "probe"]

    wait_until(kept, "the segment is closed")
    assert [(row["symbol"], str(row["value"])) for row in kept()] == [
        ("TELE", "0.500000000000"),
        ("TELE", "12345678901234567890.123456789012"),
    ]
    text = desk.http("GET", "/metrics")[1].decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    refused = {sample.labels["reason"]: sample.value for sample in families["andon_telemetry_refused_rows"].samples}
    assert sum(refused.values()) >= 4
    assert any("unknown field `more`" in reason for reason in refused)


def test_a_body_that_is_too_large_is_refused(desk: DeskProcesses) -> None:
    assert desk.http("POST", "/telemetry", b"x" * (5 << 20))[0] == 413


def test_the_strategies_predictions_arrive(desk: DeskProcesses) -> None:
    def predictions() -> set[str]:
        files = [
            desk.state_dir / "telemetry" / event.path
            for event in desk.journaled(ev.TelemetryKept)
            if event.stream == "telemetry"
        ]
        return {row["strategy"] for file in files for row in pq.read_table(file).to_pylist()} - {"probe"}

    wait_until(predictions, "predictions in a segment")


def test_every_fill_is_journaled_once(desk: DeskProcesses) -> None:
    order = {"symbol": "KO", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    for _ in range(3):
        assert desk.broker.request("POST", "/v2/orders", order)[0] == 200
    wait_until(lambda: len(desk.journaled(ev.Filled)) >= 3, "fills")
    ids = [(fill.venue, fill.execution_id) for fill in desk.journaled(ev.Filled)]
    assert len(ids) == len(set(ids))


async def test_quotes_and_bars_are_told_of_what_is_traded_and_what_is_only_held(desk: DeskProcesses) -> None:
    desk.broker.control("POST", "/positions", {"venue": "sim1", "symbol": "JPM", "qty": "3"})
    bars: set[str] = set()
    quotes: set[str] = set()
    async with asyncio.timeout(PATIENCE):
        async for update in GuardClient(desk.state_dir).updates():
            match update.record.event if isinstance(update, Received) else None:
                case ev.BarsRead(venue="sim1", latest=latest):
                    bars = {bar.symbol for bar in latest}
                case ev.QuotesRead(venue="sim1", quotes=found):
                    quotes = {quote.symbol for quote in found}
            if bars == {"AAPL", "MSFT"} and quotes >= {"AAPL", "MSFT", "JPM"}:
                break


def test_a_second_guard_says_who_has_the_desk(desk: DeskProcesses) -> None:
    second = subprocess.run(desk_command(desk), capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert second.returncode == 2
    assert f"pid {desk.guard_pid}" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1
    assert desk.http("GET", "/health", token=None)[0] == 200


def not_ready(desk: DeskProcesses) -> list[str]:
    status, body, _ = desk.http("GET", "/health/ready", token=None)
    names: list[str] = body["not_ready"]
    assert (status == 503) == bool(names)
    return names


def desk_command(desk: DeskProcesses, *more: str) -> list[str]:
    return [sys.executable, "-m", "console", "--desk", str(desk.file), "guard", *more]


def test_sockets_are_the_groups_and_tokens_the_owners(desk: DeskProcesses) -> None:
    assert (desk.state_dir / "guard.sock").stat().st_mode & 0o777 == 0o660
    assert (desk.state_dir / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert (desk.state_dir / "cord.json").stat().st_mode & 0o007 == 0


async def test_a_console_disables_a_strategy_and_is_named_for_it(desk: DeskProcesses) -> None:
    client = GuardClient(desk.state_dir)
    updates = client.updates()
    assert isinstance(await anext(updates), Attached)
    asking = asyncio.create_task(client.command("disable", strategy="momentum"))
    listening = asyncio.create_task(exhaust(updates))
    assert await asking == "momentum is disabled"
    with pytest.raises(RuntimeError, match="there is no strategy 'nobody'"):
        await client.command("disable", strategy="nobody")
    listening.cancel()
    told = ev.StrategyChanged("momentum", "disabled", "by " + me())
    (record,) = wait_until(lambda: [each for each in desk.records() if each.event == told], "it is journaled")
    assert record.actor == me()


async def exhaust(updates: AsyncIterator[Update]) -> None:
    async for _ in updates:
        pass


def me() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


# --- from here on the desk is pulled --------------------------------------------------------------------------------


def test_shutdown_over_http_stops_the_desk_and_proves_it(desk: DeskProcesses) -> None:
    status, told, _ = desk.http("POST", "/emergency/shutdown?wait=60", {"reason": "a test", "scope": "all"})
    assert status == 202
    assert told["verdict"] == "VERIFIED"
    pull = desk.wait_journaled(ev.Pulled)
    assert (pull.pull, pull.level, pull.scope, pull.origin) == (told["pull"], "L3", "desk", "http")
    for venue in ("sim1", "sim2"):
        assert desk.broker.request("GET", "/v2/orders?status=open", account=venue) == (200, [])
    assert desk.http("GET", "/gate?strategy=momentum&symbol=AAPL")[1]["state"] == "HALTED"
    assert (
        desk.http("GET", told["status_url"].partition("//")[2].partition("/")[1] + f"status?pull={told['pull']}")[1][
            "verdict"
        ]
        == "VERIFIED"
    )
    actors = {record.actor for record in desk.records() if isinstance(record.event, ev.Pulled)}
    assert actors == {"operator"}


def test_evidence_is_kept_with_what_was_known_at_the_pull(desk: DeskProcesses) -> None:
    evidence = desk.wait_journaled(ev.EvidenceTaken)
    assert set(evidence.positions) == set(evidence.orders) == {"sim1", "sim2"}
    assert set(evidence.book) == set(evidence.model_hashes) == {"momentum", "maker"}
    assert all(evidence.model_hashes.values())
    assert evidence.config_hash == desk.folded().config_hash
    assert not evidence.missing


def test_sigterm_ends_it_cleanly_and_the_next_guard_stays_halted(desk: DeskProcesses) -> None:
    worker = wait_until(lambda: children(desk.guard_pid), "the worker")
    assert desk.stop_guard(signal.SIGTERM) == 0
    last = list(desk.records())[-1]
    assert last.event == ev.GuardStopped(why="SIGTERM")
    for name in ("guard.sock", "cord.sock", "http.json"):
        assert not (desk.state_dir / name).exists()
    for pid in worker:
        wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), "the worker ended")  # type: ignore[misc]
    desk.start_guard()
    assert desk.http("GET", "/gate?strategy=maker&symbol=SPY")[1]["state"] == "HALTED"
    state = desk.folded()
    assert state.gate_state is GateState.HALTED
    assert state.pull is not None
    assert state.pull.verdict is Verdict.VERIFIED
    assert all(report.problem is None for report in verify(desk.state_dir / "journal"))


def test_after_sigusr1_the_desk_is_pulled_by_the_one_who_sent_it(desk: DeskProcesses) -> None:
    os.kill(desk.guard_pid, signal.SIGUSR1)
    pulled = desk.wait_journaled(ev.Pulled, lambda event: event.origin == "signal")
    assert (pulled.level, pulled.scope) == ("L3", "desk")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
