"""The simulated strategies as real processes at a real broker process, under a gate that opens and shuts."""

import contextlib
import http.server
import json
import re
import signal
import threading
from decimal import Decimal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.base import Acked, Ok, Refused, Unknown
from adapters.simulator.strategies import main, model_hash_of
from adapters.strategy_host import HttpStrategyHost
from tests.support.broker import BrokerProcess, wait_until
from tests.support.strategies import GateFile, StrategiesProcess

MOMENTUM = ("momentum", "momentum", "sim1", ["AAPL", "MSFT"])
REVERSION = ("reversion", "mean_reversion", "sim1", ["NVDA", "TSLA"])
MAKING = ("making", "market_making", "sim2", ["SPY", "QQQ"])
SEED = 7
LOGGED = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ +\w+: ")


@contextlib.contextmanager
def desk(folder, *strategies, state=None, gate=("OPEN",)):
    """A broker at one bar a second, strategies, and a gate, open unless said."""
    with BrokerProcess("--speed", "60", "--seed", "3", keys=folder / "keys", state=state) as broker:
        broker.control("POST", "/clock", {"session": "open"})
        process = StrategiesProcess(broker, folder, list(strategies))
        with GateFile(process.desk) as file:
            file.say(*gate)
            with process:
                yield broker, process, file


def sent(broker, account):
    """How many orders the broker has carried out for the account's clients."""
    return broker.counters(account)["exposing_total"]


def sent_by(broker, account, strategy):
    return [one for one in broker.counters(account)["exposing"] if one["client_order_id"].startswith(f"{strategy}-")]


def wait_for_gate(strategies, state):
    for name in strategies.urls:
        wait_until(lambda name=name: strategies.state(name)["gate"] == state, f"{name} to report {state}")


def wait_for_bars(strategies, name, count=4):
    """Until so many more predictions were made: the market goes on."""
    seen = strategies.state(name)["predictions"]
    wait_until(lambda: strategies.state(name)["predictions"] >= seen + count, "bars")


def held(broker, account):
    return {each["symbol"]: Decimal(each["qty"]) for each in broker.request("GET", "/v2/positions", account=account)[1]}


def open_orders(broker, account):
    return broker.request("GET", "/v2/orders?status=open&limit=500", account=account)[1]


def believed(strategies, *names):
    books = [strategies.json(name, "/book") for name in names]
    return {each["symbol"]: Decimal(each["qty"]) for book in books for each in book["positions"]}


def assert_books_are_true(broker, strategies, account, *names):
    """With no order left, book and broker agree to the share."""

    def agreed():
        if open_orders(broker, account):
            broker.request("DELETE", "/v2/orders", account=account)
            return False
        return believed(strategies, *names) == held(broker, account)

    wait_until(agreed, f"{names} to agree with {account}")
    for name in names:
        wait_until(lambda name=name: strategies.json(name, "/book")["order_ids"] == [], "no working order")


async def test_every_strategy_trades_predicts_and_shows_itself(tmp_path):
    with desk(tmp_path, MOMENTUM, REVERSION, MAKING) as (broker, strategies, gate):
        for name in strategies.urls:
            wait_until(lambda name=name: strategies.state(name)["orders_sent"] >= 4, f"orders of {name}")
            wait_until(lambda name=name: strategies.state(name)["fills"] >= 2, f"fills of {name}")
        wait_until(lambda: len(open_orders(broker, "sim2")) >= 2, "resting quotes")
        for name, kind, account, symbols in (MOMENTUM, REVERSION, MAKING):
            assert sent_by(broker, account, name)
            status, answer = strategies.ask(name, "/healthz")
            assert (status, json.loads(answer)) == (200, {"status": "ok", "model_hash": model_hash_of(kind, SEED)})
            families = {
                each.name: each for each in text_string_to_metric_families(strategies.ask(name, "/metrics")[1].decode())
            }
            assert families["andon_strategy_orders_sent"].samples[0].value >= 4
            rows = [json.loads(line) for line in (strategies.out / name / "predictions.jsonl").read_text().splitlines()]
            assert {row["model_hash"] for row in rows} == {model_hash_of(kind, SEED)}
            assert {row["symbol"] for row in rows} == set(symbols)

            host = HttpStrategyHost(name, strategies.urls[name])
            sample, book, settings = await host.sample(), await host.book(), await host.settings()
            await host.aclose()
            assert isinstance(sample, Ok)
            assert sample.data.healthy
            assert sample.data.gate == "OPEN"
            assert sample.data.model_hash == model_hash_of(kind, SEED)
            assert isinstance(book, Ok)
            assert isinstance(settings, Ok)
            assert settings.data["kind"] == kind
            assert settings.data["model_hash"] == model_hash_of(kind, SEED)
            assert int(settings.data["limit_order_qty"]) > 0
        gate.say("HALTED")
        wait_for_gate(strategies, "HALTED")
        assert_books_are_true(broker, strategies, "sim1", "momentum", "reversion")
        assert_books_are_true(broker, strategies, "sim2", "making")


def test_nothing_is_sent_while_halted_and_trading_resumes_when_open(tmp_path):
    with desk(tmp_path, MOMENTUM, MAKING) as (broker, strategies, gate):
        for shut in (lambda: gate.say("HALTED"), lambda: (strategies.desk / "cord.latch").write_text("not a latch")):
            before = sent(broker, "sim1"), sent(broker, "sim2")
            wait_until(
                lambda before=before: sent(broker, "sim1") > before[0] and sent(broker, "sim2") > before[1], "orders"
            )
            shut()
            wait_for_gate(strategies, "HALTED")
            requests = broker.counters("sim2")["requests"]
            before = sent(broker, "sim1"), sent(broker, "sim2")
            wait_for_bars(strategies, "momentum")
            assert (sent(broker, "sim1"), sent(broker, "sim2")) == before
            after = broker.counters("sim2")["requests"]
            assert [after.get(name) for name in requests if name.startswith("DELETE")] == [
                count for name, count in requests.items() if name.startswith("DELETE")
            ], "not even cancels"
            (strategies.desk / "cord.latch").unlink(missing_ok=True)
            gate.say("OPEN")


def test_without_a_gate_nothing_is_ever_sent(tmp_path):
    with desk(tmp_path, MOMENTUM) as (broker, strategies, gate):
        gate.remove()
        wait_for_gate(strategies, "HALTED")
        before = sent(broker, "sim1")
        wait_for_bars(strategies, "momentum")
        assert sent(broker, "sim1") == before
        assert "no gate.json" in strategies.state("momentum")["because"]


def test_a_reduced_gate_makes_orders_smaller(tmp_path):
    with desk(tmp_path, MOMENTUM, gate=("REDUCED", "0.25")) as (broker, strategies, _):
        wait_until(lambda: len(sent_by(broker, "sim1", "momentum")) >= 3, "orders under a reduced gate")
        assert strategies.state("momentum")["gate"] == "REDUCED"
        orders = broker.request("GET", "/v2/orders?status=all&direction=asc&limit=10", account="sim1")[1]
        assert Decimal(orders[0]["qty"]) <= 3, "a whole lot is 4, the most is 12"


def test_close_only_lets_positions_shrink_and_nothing_else(tmp_path):
    with desk(tmp_path, REVERSION) as (broker, strategies, gate):
        wait_until(lambda: held(broker, "sim1"), "a position")
        gate.say("CLOSE_ONLY")
        wait_for_gate(strategies, "CLOSE_ONLY")
        broker.request("DELETE", "/v2/orders", account="sim1")
        wait_until(lambda: not open_orders(broker, "sim1"), "no resting order")
        was = held(broker, "sim1")
        for _ in range(6):
            wait_for_bars(strategies, "reversion", 2)
            now = held(broker, "sim1")
            assert all(abs(qty) <= abs(was.get(symbol, 0)) and qty * was[symbol] > 0 for symbol, qty in now.items())
            was = now


async def test_a_disabled_strategy_sends_nothing_even_after_a_restart(tmp_path):
    with desk(tmp_path, MOMENTUM, REVERSION) as (broker, strategies, _):
        wait_until(lambda: sent_by(broker, "sim1", "momentum"), "orders")
        host = HttpStrategyHost("momentum", strategies.urls["momentum"])
        assert isinstance(await host.enable(False), Acked)
        await host.aclose()
        # One order may already have been past the switch when it was turned.
        reversion = len(sent_by(broker, "sim1", "reversion"))
        wait_for_bars(strategies, "momentum")
        before = len(sent_by(broker, "sim1", "momentum"))
        wait_until(lambda: len(sent_by(broker, "sim1", "reversion")) > reversion, "the other strategy to go on")
        strategies.stop()
        strategies.start()
        wait_until(lambda: strategies.state("momentum")["healthy"], "the new process")
        assert not strategies.state("momentum")["enabled"]
        wait_for_bars(strategies, "momentum")
        assert len(sent_by(broker, "sim1", "momentum")) == before
        said = [line for line in strategies.log.read_text().splitlines() if LOGGED.match(line)]
        assert [line for line in said if line.endswith("WARNING momentum: disabled from outside")]
        assert [line for line in said if "INFO    momentum: sent momentum-" in line]
        assert strategies.ask("momentum", "/enable", "POST")[0] == 200
        wait_until(lambda: len(sent_by(broker, "sim1", "momentum")) > before, "orders again")


def test_a_killed_process_continues_its_book(tmp_path):
    with desk(tmp_path, MOMENTUM, MAKING, state=tmp_path / "broker") as (broker, strategies, gate):
        for _ in range(2):
            before = {name: strategies.state(name)["fills"] for name in strategies.urls}
            for name, fills in before.items():
                wait_until(
                    lambda name=name, more=fills + 2: strategies.state(name)["fills"] >= more, f"fills of {name}"
                )
            strategies.stop(signal.SIGKILL)
            for order in open_orders(broker, "sim2")[:2]:  # what happens while nobody listens
                told = {"venue": "sim2", "order_id": order["id"]}
                status, said = broker.request("POST", "/_control/fills", told, account=None)
                assert status == 200 or order["id"] not in {each["id"] for each in open_orders(broker, "sim2")}, said
            strategies.start()
            for name in strategies.urls:
                wait_until(lambda name=name: strategies.state(name)["healthy"], f"{name} to be back")
                assert strategies.state(name)["fills"] >= before[name]
        gate.say("HALTED")
        wait_for_gate(strategies, "HALTED")
        assert_books_are_true(broker, strategies, "sim1", "momentum")
        assert_books_are_true(broker, strategies, "sim2", "making")
        ids = [one["client_order_id"] for one in broker.counters("sim1")["exposing"]]
        assert len(ids) == len(set(ids))


def test_lost_answers_and_a_lost_stream_leave_the_book_true(tmp_path):
    with desk(tmp_path, MOMENTUM) as (broker, strategies, gate):
        wait_until(lambda: strategies.state("momentum")["fills"] >= 1, "fills")
        broker.control(
            "POST",
            "/faults",
            {"name": "gateway504", "venue": "sim1", "methods": ["POST"], "path": "/v2/orders", "times": 3},
        )
        wait_until(lambda: strategies.state("momentum")["errors"] >= 2, "lost answers")
        broker.fault("stream_closed", "sim1")
        before = sent(broker, "sim1")
        wait_until(lambda: sent(broker, "sim1") >= before + 2, "orders without a stream")
        broker.clear()
        gate.say("HALTED")
        wait_for_gate(strategies, "HALTED")
        assert_books_are_true(broker, strategies, "sim1", "momentum")
        assert strategies.json("momentum", "/book")["unsettled"] == []


def test_predictions_are_delivered_to_a_guard_that_listens(tmp_path):
    got = []

    class Guard(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append((self.path, self.headers["Authorization"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Guard)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with desk(tmp_path, MOMENTUM) as (_, strategies, _):
        (strategies.desk / "tokens.json").write_text('{"operator": "t0ken"}')
        url = f"http://127.0.0.1:{server.server_port}"
        (strategies.desk / "http.json").write_text(
            json.dumps({"url": url, "token_file": str(strategies.desk / "tokens.json")})
        )
        wait_until(lambda: sum(len(body["rows"]) for _, _, body in got) >= 3, "rows")
        server.shutdown()
        server.server_close()
        none_lost = b'andon_strategy_telemetry_lost_total{strategy="momentum"} 0\n'
        wait_until(lambda: none_lost not in strategies.ask("momentum", "/metrics")[1], "lost rows to be counted")
        assert strategies.state("momentum")["healthy"]
    path, authorization, body = got[0]
    assert (path, authorization) == ("/telemetry", "Bearer t0ken")
    assert (body["strategy"], body["kind"]) == ("momentum", "predictions")
    assert set(body["rows"][0]) == {"ts", "symbol", "value", "model_hash"}


async def test_a_host_that_is_not_there_or_talks_nonsense_is_unknown():
    class Nonsense(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"healthy": "perhaps", "positions": 3}')

        def do_POST(self):
            self.send_response(404)
            self.end_headers()
            self.wfile.write(b"no such strategy")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nonsense)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = HttpStrategyHost("momentum", f"http://127.0.0.1:{server.server_port}/momentum")
    assert isinstance(await host.sample(), Unknown)
    assert isinstance(await host.book(), Unknown)
    assert await host.enable(True) == Refused("404", "no such strategy")
    server.shutdown()
    server.server_close()
    assert isinstance(await host.sample(), Unknown)
    await host.aclose()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (None, "can not be read"),
        ("{", "Expecting"),
        ('{"strategies": []}', "is missing"),
        ({"strategies": []}, "at least one strategy"),
        ({"broker": "localhost"}, "a URL like"),
        ({"strategies": [{"name": "a-b", "kind": "momentum", "venue": "x", "symbols": ["A"], "keys": "k"}]}, "'a-b'"),
        ({"strategies": [{"name": "a", "kind": "magic", "venue": "x", "symbols": ["A"], "keys": "k"}]}, "'magic'"),
        ({}, "key_id"),
    ],
)
def test_a_wrong_configuration_is_one_sentence_and_exit_2(tmp_path, capsys, config, says):
    (tmp_path / "keys.json").write_text("[]")
    good = {"name": "a", "kind": "momentum", "venue": "sim1", "symbols": ["AAPL"], "keys": "keys.json"}
    whole = {"desk_state": "d", "out": "o", "seed": 1, "port": 0, "broker": "http://127.0.0.1:1", "strategies": [good]}
    path = tmp_path / "strategies.json"
    if config is not None:
        path.write_text(config if isinstance(config, str) else json.dumps({**whole, **config}))
    assert main(["--config", str(path)]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert str(tmp_path) in said
    assert len(said.splitlines()) == 1
