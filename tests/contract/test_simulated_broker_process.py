"""The simulated broker as a process: what it prints, what it survives, what it refuses to start with."""

import json
import random
import re
import resource
import socket
import stat
import subprocess
import sys
import threading
import urllib.error
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.broker import ROOT, BrokerProcess, wait_until

START = ("--start", "2026-03-04")


def order(**more: object) -> dict[str, object]:
    fields = {"symbol": "AAPL", "qty": "5", "side": "buy", "type": "limit", "limit_price": "50", "time_in_force": "gtc"}
    return fields | {"client_order_id": f"momentum-{uuid4()}"} | more


def picture(broker: BrokerProcess) -> dict[str, Any]:
    """Everything that an account's owner can see and that does not move with prices."""
    account = broker.request("GET", "/v2/account")[1]
    return {
        "account": {name: account[name] for name in ("id", "account_number", "cash", "last_equity", "created_at")},
        "orders": broker.request("GET", "/v2/orders?status=all&limit=500&nested=true")[1],
        "fills": broker.request("GET", "/v2/account/activities/FILL")[1],
        "positions": [
            {name: position[name] for name in ("symbol", "qty", "avg_entry_price", "qty_available")}
            for position in broker.request("GET", "/v2/positions")[1]
        ],
        "configurations": broker.request("GET", "/v2/account/configurations")[1],
    }


def trade(broker: BrokerProcess) -> None:
    """Something of everything: fills, a bracket, resting, cancelled and replaced orders, a ghost, a setting."""
    market = order(type="market", limit_price=None, time_in_force="day")
    bracket = {"order_class": "bracket", "take_profit": {"limit_price": 900}, "stop_loss": {"stop_price": 20}}
    broker.request("POST", "/v2/orders", market)
    broker.request("POST", "/v2/orders", market | bracket | {"symbol": "KO", "client_order_id": "k-1"})
    replaced = broker.request("POST", "/v2/orders", order())[1]["id"]
    cancelled = broker.request("POST", "/v2/orders", order())[1]["id"]
    broker.request("PATCH", f"/v2/orders/{replaced}", {"qty": 9})
    broker.request("DELETE", f"/v2/orders/{cancelled}")
    wait_until(lambda: len(broker.request("GET", "/v2/positions")[1]) == 2, "both positions are there")
    passing = {"accepted", "pending_new", "pending_cancel", "partially_filled"}
    wait_until(
        lambda: not passing & {each["status"] for each in broker.request("GET", "/v2/orders?status=all")[1]},
        "every order is live, and what fills is filled",
    )
    broker.control("POST", "/positions", {"venue": "sim1", "symbol": "XOM", "qty": "-7"})
    broker.request("PATCH", "/v2/account/configurations", {"suspend_trade": True, "no_shorting": None})


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_everything_survives_the_end_of_the_process(tmp_path: Path, end: str) -> None:
    with BrokerProcess(*START, state=tmp_path / "broker") as broker:
        trade(broker)
        before, keys, clock = picture(broker), broker.accounts, broker.control("GET")["now"]
        if end == "kill":  # a moment in which nothing happened is on no disk
            clock = max(each["updated_at"] for each in before["orders"])
        code = getattr(broker, end)()
        assert code == (0 if end == "stop" else -9)
    for _ in range(2):  # once from the log, once from what the first start folded it into
        with BrokerProcess(*START, state=tmp_path / "broker") as broker:
            assert picture(broker) == before
            assert broker.accounts == keys
            assert broker.control("GET")["now"] >= clock


def test_no_acknowledged_order_is_lost_or_doubled_by_kills_under_load(tmp_path: Path) -> None:
    rng = random.Random(20)
    acknowledged: dict[str, str] = {}
    cancelled: set[str] = set()

    def send(broker: BrokerProcess, stop: threading.Event) -> None:
        while not stop.is_set():
            body = order(time_in_force="gtc")
            try:
                status, answered = broker.request("POST", "/v2/orders", body)
                assert status == 200
                acknowledged[answered["id"]] = str(body["client_order_id"])
                if rng.random() < 0.3 and broker.request("DELETE", f"/v2/orders/{answered['id']}")[0] == 204:
                    cancelled.add(answered["id"])
            except (urllib.error.URLError, OSError, json.JSONDecodeError):
                return

    for _ in range(4):
        with BrokerProcess(*START, "--rate-limit", "1000000", state=tmp_path) as broker:
            stop = threading.Event()
            sender = threading.Thread(target=send, args=(broker, stop))
            goal = len(acknowledged) + rng.randrange(5, 60)
            sender.start()
            wait_until(lambda goal=goal: len(acknowledged) >= goal, "orders are acknowledged")
            broker.kill()
            stop.set()
            sender.join()
    with BrokerProcess(*START, "--rate-limit", "1000000", state=tmp_path) as broker:
        kept: list[dict[str, Any]] = []
        while page := broker.request(
            "GET", "/v2/orders?status=all&limit=500" + (f"&before_order_id={kept[-1]['id']}" if kept else "")
        )[1]:
            kept += page
    by_id = {entry["id"]: entry for entry in kept}
    assert len(by_id) == len(kept)
    assert len({entry["client_order_id"] for entry in kept}) == len(kept)
    assert {order_id: by_id[order_id]["client_order_id"] for order_id in acknowledged} == acknowledged
    assert {by_id[order_id]["status"] for order_id in cancelled} <= {"canceled"}
    assert len(kept) <= len(acknowledged) + 4  # at most the one request that each kill cut off


def test_a_torn_last_line_is_an_operation_that_nobody_was_told_of(tmp_path: Path) -> None:
    with BrokerProcess(*START, state=tmp_path) as broker:
        broker.request("POST", "/v2/orders", order())
        wait_until(lambda: broker.request("GET", "/v2/orders")[1][0]["status"] == "new", "the order is live")
        before = picture(broker)
        broker.kill()
    with (tmp_path / "broker.jsonl").open("ab") as file:
        file.write(b'{"type":"kept","now":1,"changes":{"sim1":[{"ty')
    with BrokerProcess(*START, state=tmp_path) as broker:
        assert picture(broker) == before


def test_an_account_can_be_added_to_a_state(tmp_path: Path) -> None:
    with BrokerProcess("--account", "one", state=tmp_path) as broker:
        number = broker.numbers["one"]
    with BrokerProcess("--account", "one", "--account", "two", state=tmp_path) as broker:
        assert broker.numbers["one"] == number
        assert broker.request("GET", "/v2/account", account="two")[0] == 200


def test_one_seed_makes_the_same_bars_at_any_speed() -> None:
    path = "/v2/stocks/bars?symbols=AAPL,KO,TSLA&timeframe=1Min&start=2026-03-02&end=2026-03-04T15:00:00Z&limit=5000"

    def bars(*arguments: str) -> Any:
        with BrokerProcess(*START, *arguments) as broker:
            broker.control("POST", "/clock", {"shift_minutes": 60})
            return broker.request("GET", path)[1]

    first = bars("--seed", "3", "--speed", "1")
    assert len(first["bars"]["AAPL"]) == 390 * 2 + 31
    assert bars("--seed", "3", "--speed", "777") == first
    assert bars("--seed", "4") != first


def test_key_files_are_for_their_owner_and_secrets_are_not_printed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "adapters.simulator", "broker", "--keys", str(tmp_path / "keys"), "--account", "a1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.terminate()
    assert process.wait(60) == 0
    assert process.stdout.read() == ""
    ready = json.loads(line)
    assert ready["pid"] == process.pid
    (account,) = ready["accounts"]
    path = Path(account["keys"])
    keys = json.loads(path.read_text())
    assert path == tmp_path / "keys" / "a1.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys["key_id"] == account["key_id"]
    assert keys["secret_key"] not in line


def test_only_the_loopback_address_is_listened_on() -> None:
    with BrokerProcess() as broker:
        listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        suffix = f":{broker.port:04X}"
        assert {entry[1] for entry in listening if entry[1].endswith(suffix) and entry[3] == "0A"} == {
            f"0100007F{suffix}"
        }


def fails(*arguments: str) -> str:
    """The one sentence with which a start fails."""
    done = subprocess.run(
        [sys.executable, "-m", "adapters.simulator", "broker", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def test_wrong_starts_are_one_sentence_and_exit_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        message = fails("--port", port)
    assert (
        message == f"--port {port}: can not listen on 127.0.0.1:{port}: Address already in use; name another port, or 0"
    )
    assert "unknown fault 'gremlins'" in fails("--fault", "gremlins")
    assert "unrecognized arguments: --nonsense" in fails("--nonsense")
    state = tmp_path / "state"
    with BrokerProcess("--seed", "3", state=state):
        assert "another simulated broker uses it" in fails("--state", str(state))
    assert "was begun with seed 3" in fails("--state", str(state), "--seed", "4")
    (state / "broker.jsonl").write_text("nonsense\n")
    assert "is not a broker's state" in fails("--state", str(state))
    (tmp_path / "file").write_text("")
    assert "can not be used as a state folder" in fails("--state", str(tmp_path / "file"))


def test_faults_may_be_on_from_the_start() -> None:
    with BrokerProcess("--fault", "error500:sim2", "--fault", "slow:0.01") as broker:
        assert broker.request("GET", "/v2/clock", account="sim2")[0] == 500
        assert broker.request("GET", "/v2/clock", account="sim1")[0] == 200
        names = {(fault["name"], fault["venue"], fault["arg"]) for fault in broker.control("GET")["faults"]}
        assert names == {("error500", "sim2", None), ("slow", None, "0.01")}


def test_thousands_of_open_orders_are_listed_and_cancelled_in_one_go(tmp_path: Path) -> None:
    with BrokerProcess(state=tmp_path) as broker:
        broker.control("POST", "/orders", {"venue": "sim1", "count": 2000})
        status, items = broker.request("DELETE", "/v2/orders")
        assert (status, len(items), {item["status"] for item in items}) == (207, 2000, {200})
        assert broker.request("GET", "/v2/orders") == (200, [])
        broker.kill()
    with BrokerProcess(state=tmp_path) as broker:
        assert broker.request("GET", "/v2/orders") == (200, [])


def test_a_full_disk_is_never_answered_as_success(tmp_path: Path) -> None:
    """What can not be kept is refused, the process ends, and what was acknowledged before is there again."""
    with BrokerProcess(*START, state=tmp_path) as broker:
        full = (tmp_path / "broker.jsonl").stat().st_size + 4000
        resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (full, full))
        statuses: list[int] = []

        def refused() -> bool:
            try:
                statuses.append(broker.request("POST", "/v2/orders", order())[0])
            except (urllib.error.URLError, OSError):
                return True
            return False

        wait_until(refused, "the broker is gone")
        assert set(statuses) <= {200, 500}
        assert wait_until(broker.exit_code, "the process has ended") == 1
        assert "can not be written: File too large" in broker.errors()
    with BrokerProcess(*START, state=tmp_path) as broker:
        assert len(broker.request("GET", "/v2/orders")[1]) == statuses.count(200)


def test_its_log_says_with_the_time_what_was_refused_and_which_faults_were_on() -> None:
    with BrokerProcess() as broker:
        broker.fault("slow", "sim1", 0)
        order = {"symbol": "NOSUCH", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        assert broker.request("POST", "/v2/orders", order)[0] == 422
        lines = broker.errors().splitlines()
    at = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
    assert [line for line in lines if re.match(at + "INFO    broker: fault slow is on for sim1$", line)]
    assert [line for line in lines if re.match(at + "WARNING broker: sim1: refused POST /v2/orders: .*NOSUCH", line)]
