"""Every route that the simulated broker serves, walked once and held against the API's own description."""

import json
from collections.abc import Iterator

import pytest
from aiohttp.web import RouteDef
from support.broker import BrokerProcess, wait_until
from support.openapi import Descriptions, descriptions

from adapters.simulator import marketdata, trading

BUY = {"symbol": "AAPL", "qty": "5", "side": "buy", "type": "market", "time_in_force": "day"}
REST = BUY | {"type": "limit", "limit_price": "50", "time_in_force": "gtc"}
NOBODY = "6f1d7d0e-3c1e-4b0e-9d4d-1f6f7a1f2b3c"


@pytest.fixture(scope="module")
def described() -> Descriptions:
    return descriptions()


@pytest.fixture
def broker() -> Iterator[BrokerProcess]:
    with BrokerProcess("--start", "2026-03-04", "--speed", "60") as process:
        process.control("POST", "/clock", {"shift_minutes": 30})
        yield process


class Walk:
    """Requests whose answers are all checked."""

    def __init__(self, broker: BrokerProcess, described: Descriptions) -> None:
        self.broker = broker
        self.described = described

    def __call__(self, method: str, path: str, body: object = None, status: int = 200) -> object:
        got, parsed = self.broker.request(method, path, body)
        assert got == status, f"{method} {path}: {got} {parsed}"
        self.described.check(method, path, got, "" if parsed is None else json.dumps(parsed))
        return parsed

    def order(self, body: dict[str, object]) -> str:
        answered = self("POST", "/v2/orders", body)
        assert isinstance(answered, dict)
        return str(answered["id"])

    def filled(self, body: dict[str, object]) -> str:
        order_id = self.order(body)
        wait_until(
            lambda: self.broker.request("GET", f"/v2/orders/{order_id}")[1]["status"] == "filled", "it is filled"
        )
        return order_id


def test_every_route_answers_as_it_is_described(broker: BrokerProcess, described: Descriptions) -> None:
    walk = Walk(broker, described)
    walk.filled(BUY | {"client_order_id": "walk-1"})
    walk.filled(BUY | {"symbol": "KO", "side": "sell"})
    for path in (
        "/v2/account", "/v2/account/activities", "/v2/account/activities/FILL", "/v2/account/configurations",
        "/v2/account/portfolio/history", "/v2/clock", "/v2/calendar?start=2026-11-20&end=2026-12-31", "/v2/assets",
        "/v2/assets/SPY", "/v2/orders?status=all&nested=true", "/v2/orders:by_client_order_id?client_order_id=walk-1",
        "/v2/positions", "/v2/positions/KO", "/v2/stocks/bars?symbols=AAPL,KO&timeframe=15Min",
        "/v2/stocks/KO/bars?timeframe=1Day&start=2026-03-01", "/v2/stocks/bars/latest?symbols=KO",
        "/v2/stocks/KO/bars/latest", "/v2/stocks/quotes/latest?symbols=KO", "/v2/stocks/KO/quotes/latest",
        "/v2/stocks/trades/latest?symbols=KO", "/v2/stocks/KO/trades/latest", "/v2/stocks/snapshots?symbols=KO",
        "/v2/stocks/KO/snapshot",
    ):  # fmt: skip
        walk("GET", path)
    walk("PATCH", "/v2/account/configurations", {"no_shorting": False})
    rest = walk.order(REST)
    walk("GET", f"/v2/orders/{rest}")
    successor = walk("PATCH", f"/v2/orders/{rest}", {"qty": "7"})
    assert isinstance(successor, dict)
    walk("DELETE", f"/v2/orders/{successor['id']}", status=204)
    walk.order(REST)
    walk("DELETE", "/v2/orders", status=207)
    walk("DELETE", "/v2/positions/KO?qty=2")
    walk("DELETE", "/v2/positions", status=207)

    served = {
        (route.method, route.path) for route in (*trading.routes, *marketdata.routes) if isinstance(route, RouteDef)
    }
    assert served - {(method, template) for method, template, status in described.checked if status < 400} == set()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"/v2/orders/{NOBODY}", None, 404),
        ("DELETE", f"/v2/orders/{NOBODY}", None, 404),
        ("PATCH", f"/v2/orders/{NOBODY}", {"qty": 1}, 404),
        ("GET", "/v2/orders:by_client_order_id?client_order_id=nobody", None, 404),
        ("GET", "/v2/positions/AAPL", None, 404),
        ("DELETE", "/v2/positions/AAPL", None, 404),
        ("GET", "/v2/assets/NOPE", None, 404),
        ("POST", "/v2/orders", {}, 422),
        ("POST", "/v2/orders", [], 400),
        ("POST", "/v2/orders", BUY | {"take_profit": 7, "order_class": "bracket"}, 422),
        ("GET", "/v2/orders?status=strange", None, 422),
        ("GET", "/v2/orders?limit=-5", None, 422),
        ("GET", "/v2/orders?after=yesterday", None, 422),
        ("GET", f"/v2/orders?before_order_id={NOBODY}", None, 422),
        ("GET", "/v2/account/activities?page_token=nothing", None, 422),
        ("GET", "/v2/account/activities?activity_types=FILL&category=trade_activity", None, 422),
        ("PATCH", "/v2/account/configurations", {"suspend_trade": "perhaps"}, 422),
        ("PATCH", "/v2/account/configurations", {"colour": "blue"}, 422),
        ("GET", "/v2/calendar?start=soon", None, 422),
        ("GET", "/v2/stocks/bars?symbols=KO&timeframe=soon", None, 400),
    ],
)
def test_errors_have_a_code_and_a_message(
    shared: BrokerProcess, described: Descriptions, method: str, path: str, body: object, status: int
) -> None:
    Walk(shared, described)(method, path, body, status)


@pytest.fixture(scope="module")
def shared() -> Iterator[BrokerProcess]:
    with BrokerProcess() as process:
        yield process


def test_a_path_that_is_not_served_is_404(shared: BrokerProcess) -> None:
    assert shared.request("GET", "/v2/nothing") == (404, {"code": 40410000, "message": "endpoint not found"})


def test_the_check_itself_notices_what_is_wrong(shared: BrokerProcess, described: Descriptions) -> None:
    _, clock = shared.request("GET", "/v2/clock")
    described.check("GET", "/v2/clock", 200, json.dumps(clock))
    for broken in (
        clock | {"is_open": "yes"},
        clock | {"timestamp": "noon"},
        {name: value for name, value in clock.items() if name != "next_open"},
    ):
        with pytest.raises(AssertionError, match=r"\$"):
            described.check("GET", "/v2/clock", 200, json.dumps(broken))
    with pytest.raises(AssertionError, match="described are"):
        described.check("GET", "/v2/clock", 202, json.dumps(clock))
