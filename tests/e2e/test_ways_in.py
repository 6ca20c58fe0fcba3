"""The guard's HTTP as a way in: waiting for the gate, tokens that come and go, and who is refused."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import aiohttp
import pytest

from console.desk import events as ev
from console.guard.gate_watch import MOST_WAITERS
from console.guard.refusals import FAILURES, IN_FULL
from tests.support.broker import PATIENCE, wait_until
from tests.support.desk import DeskProcesses

pytestmark = pytest.mark.xdist_group("ways in")  # one desk for all, and the last test pulls it


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcesses]:
    with DeskProcesses(tmp_path_factory.mktemp("desk"), traded=False) as desk:
        wait_until(lambda: desk.http("GET", "/gate")[1]["state"] == "OPEN", "the gate opens")
        yield desk


def andon(desk: DeskProcesses, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "console", "--desk", str(desk.file), *words]
    told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return told.returncode, told.stdout.strip(), told.stderr


def test_who_knows_the_gate_waits_and_who_does_not_is_told(desk: DeskProcesses) -> None:
    _, told, headers = desk.http("GET", "/gate?symbol=AAPL")
    assert headers["ETag"] == f'"{told["revision"]}"'
    assert desk.http("GET", "/gate?symbol=AAPL&wait=60&since=another")[1] == told
    assert desk.http("GET", "/gate?symbol=AAPL&wait=60")[1] == told
    began = time.monotonic()
    assert desk.http("GET", f"/gate?symbol=AAPL&wait=1.5&since={told['revision']}")[1] == told
    assert time.monotonic() - began >= 1.5
    for wrong in ("61", "-1", "soon", "nan"):
        assert desk.http("GET", f"/gate?wait={wrong}")[0] == 422


def test_tokens_come_and_go_without_a_restart(desk: DeskProcesses) -> None:
    code, token, _ = andon(desk, "token", "add", "ci")
    assert code == 0
    wait_until(lambda: desk.http("GET", "/status", token=token)[0] == 200, "the new token is taken")
    assert andon(desk, "token", "list")[1].split() == ["operator", "ci"]
    assert token not in andon(desk, "token", "list", "--json")[1]
    assert andon(desk, "token", "add", "ci")[0] == 2
    assert andon(desk, "token", "revoke", "ci")[0] == 0
    wait_until(lambda: desk.http("GET", "/status", token=token)[0] == 401, "the old token is refused")
    assert desk.http("GET", "/status")[0] == 200
    assert (desk.state_dir / "tokens.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("words", [("add",), ("add", "guard"), ("add", "no name"), ("revoke", "nobody"), ("list", "x")])
def test_a_wrong_token_command_is_one_sentence(desk: DeskProcesses, words: tuple[str, ...]) -> None:
    code, _, error = andon(desk, "token", *words)
    assert code == 2
    assert len(error.splitlines()) == 1


def test_a_token_file_open_to_others_changes_nothing_while_the_guard_runs(desk: DeskProcesses) -> None:
    path, token = desk.state_dir / "tokens.json", desk.token
    text = path.read_text()
    try:
        path.chmod(0o644)
        path.write_text("{}")
        wait_until(lambda: "the tokens stay as they were" in desk.guard_log, "the guard says so")
        assert desk.http("GET", "/status", token=token)[0] == 200
    finally:
        path.write_text(text)
        path.chmod(0o600)


def test_a_shutdown_that_is_refused_is_an_event_with_its_actor(desk: DeskProcesses) -> None:
    assert desk.http("POST", "/emergency/shutdown", {"scope": "venue:nowhere", "reason": "x"})[0] == 422
    desk.wait_journaled(ev.Refused, lambda event: "nowhere" in event.why)
    refused = [each for each in desk.records() if isinstance(each.event, ev.Refused) and "nowhere" in each.event.why]
    assert [each.actor for each in refused] == ["operator"]


def test_a_flood_of_wrong_tokens_is_slowed_counted_and_keeps_no_good_one_out(desk: DeskProcesses) -> None:
    answers = [desk.http("GET", "/status%1b[2J", token=f"guess-{number}") for number in range(FAILURES + 30)]
    assert {answer[0] for answer in answers} <= {401, 429}
    assert answers[-1][0] == 429
    assert int(answers[-1][2]["Retry-After"]) > 0
    assert desk.http("GET", "/status")[0] == 200
    kept = desk.journaled(ev.Refused)
    assert len(kept) <= 2 * IN_FULL + 2  # two windows at most have begun
    assert not [event for event in kept if "\x1b" in event.what]


async def test_a_pull_answers_all_who_wait_and_more_than_can_wait_are_told_so(desk: DeskProcesses) -> None:
    url = json.loads((desk.state_dir / "http.json").read_bytes())["url"]
    headers = {"Authorization": f"Bearer {desk.token}"}
    knows = desk.http("GET", "/gate?symbol=AAPL")[1]["revision"]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:

        async def wait() -> tuple[int, str]:
            async with session.get(f"/gate?symbol=AAPL&wait=60&since={knows}") as answer:
                told = await answer.json()
                return answer.status, told.get("state", "")

        waiting = [asyncio.create_task(wait()) for _ in range(MOST_WAITERS + 3)]
        async with asyncio.timeout(PATIENCE):
            refused, waiting = map(list, await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED))
            while len(refused) < 3:
                done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                refused, waiting = [*refused, *done], list(left)
        assert [task.result() for task in refused] == [(503, "")] * 3
        for gone in waiting[:6]:  # a client that goes away leaves its place to others
            gone.cancel()
        async with asyncio.timeout(PATIENCE):
            while (await wait_briefly(session, knows)) != 200:
                await asyncio.sleep(0.05)
        async with session.post("/emergency/shutdown", json={"reason": "a test", "scope": "all"}) as pulled:
            assert pulled.status == 202
        async with asyncio.timeout(30):  # none of them waits its minute
            assert set(await asyncio.gather(*waiting[6:])) == {(200, "HALTED")}


async def wait_briefly(session: aiohttp.ClientSession, knows: str) -> int:
    async with session.get(f"/gate?symbol=AAPL&wait=0.05&since={knows}") as answer:
        return answer.status


def test_what_was_held_back_is_counted_at_the_latest_when_the_guard_ends(desk: DeskProcesses) -> None:
    before = sum(event.count for event in desk.journaled(ev.Refused))
    for _ in range(IN_FULL + 5):
        desk.http("GET", "/status/late", token=None)
    assert desk.stop_guard(signal.SIGTERM) == 0
    assert sum(event.count for event in desk.journaled(ev.Refused)) >= before + IN_FULL + 5
    assert [event for event in desk.journaled(ev.Refused) if event.count > 1]
