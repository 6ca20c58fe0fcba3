"""A venue that a test plays itself: its lists are plain attributes, and any answer can be replaced. Real sockets, one
thread a connection; it speaks the forms of the Alpaca adapter."""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from adapters.alpaca.cord_form import cord_form
from console.cord.executor import Executor, Inherited
from console.cord.plan import Plan
from console.cord.request import PullRequest

Answer = tuple[int, object] | tuple[int, object, dict[str, str]]
Answering = Callable[[str, str], Answer | None]
Closing = Callable[[str], dict[str, str] | None]


def order(
    name: str, symbol: str = "AAPL", side: str = "buy", qty: str = "1", client: str = "", **more: str
) -> dict[str, str]:
    """An open order as the venue lists it; `more` are further fields, or others."""
    told = {"id": name, "symbol": symbol, "side": side, "qty": qty, "status": "new"}
    told |= {"filled_qty": "0", "type": "limit", "order_class": "", "created_at": f"{name:>8}"}
    return {**told, "client_order_id": client or f"momentum-{name}", **more}


class ScriptedVenue:
    """`open` are the open orders by id; `orders` all of them, newest first; `positions` quantities by symbol; `fills`
    newest first. A cancel takes effect at once, a close makes the order that `closing` returns. `answer(method, path)`
    may answer instead (None: it does not). `asked` is every request with its time (monotonic s) and key id."""

    def __init__(self) -> None:
        self.open: dict[str, dict[str, str]] = {}
        self.orders: list[dict[str, str]] = []
        self.positions: dict[str, str] = {}
        self.fills: list[dict[str, str]] = []
        self.suspended = False
        self.stuck: set[str] = set()
        self.closing: Closing = self.close_at_once
        self.answer: Answering = lambda method, path: None
        self.asked: list[tuple[float, str, str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def rest(self, *orders: dict[str, str]) -> None:
        """Orders arrive and stay open."""
        for each in orders:
            self.orders.insert(0, each)
            self.open[each["id"]] = each

    def times(self, method: str, path: str) -> list[float]:
        """When requests of this method whose path begins so were made."""
        return [at for at, how, where, _ in list(self.asked) if how == method and where.startswith(path)]

    def close_at_once(self, symbol: str) -> dict[str, str]:
        """The default close: filled behind the answer."""
        qty = self.positions.pop(symbol)
        return self.closed_by(symbol, qty)

    def closed_by(self, symbol: str, qty: str) -> dict[str, str]:
        """A closing order, known to the venue and not open."""
        side = "buy" if qty.startswith("-") else "sell"
        made = order(f"close-{len(self.orders)}", symbol, side, qty.lstrip("-"), client="0c0ffee")
        self.orders.insert(0, made)
        return made

    def _answer(self, method: str, path: str) -> Answer:
        if (told := self.answer(method, path)) is not None:
            return told
        path = path.partition("?")[0] if "status=open" not in path else "open"
        name = path.rpartition("/")[2]
        match method, path:
            case "GET", "open":
                return 200, list(self.open.values())[::-1]
            case "GET", "/v2/orders":
                return 200, self.orders[:100]
            case "GET", "/v2/account/activities/FILL":
                return 200, self.fills[:100]
            case "GET", "/v2/positions":
                return 200, [{"symbol": symbol, "qty": qty} for symbol, qty in self.positions.items()]
            case "GET", "/v2/account/configurations":
                return 200, {"suspend_trade": self.suspended}
            case "GET", "/v2/clock":
                return 200, {"is_open": True, "next_open": ""}
            case "DELETE", "/v2/orders":
                gone = [self.open.pop(each) for each in list(self.open) if each not in self.stuck]
                return 207, [{"id": each["id"], "status": 200} for each in gone]
            case "DELETE", _ if path.startswith("/v2/orders/"):
                if name not in self.stuck:
                    self.open.pop(name, None)
                return 204, None
            case "DELETE", _ if path.startswith("/v2/positions/"):
                made = self.closing(name) if name in self.positions else None
                return (200, made) if made else (403, {"message": "no"})
        return 404, {"message": f"{method} {path}"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        venue = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                venue.asked.append((time.monotonic(), self.command, self.path, self.headers["APCA-API-KEY-ID"]))
                if self.command == "PATCH" and venue.answer("PATCH", self.path) is None:
                    venue.suspended = json.loads(body)["suspend_trade"]
                    told: Answer = 200, {}
                else:
                    told = venue._answer(self.command, self.path)
                text = told[1] if isinstance(told[1], bytes) else json.dumps(told[1]).encode()
                text = b"" if told[0] == 204 else text
                self.send_response(told[0])
                for name, value in (told[2] if len(told) > 2 else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # whoever asked has given up
                    self.wfile.write(text)

            do_GET = do_DELETE = do_PATCH = _any  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        return Handler


class ScriptedHand:
    """The cord's executor against one scripted venue, as the guard runs it. `verdict` is the latest record of each
    pull, `told` every record."""

    def __init__(self, folder: Path, venue: ScriptedVenue, *, quiet: float = 0.5, hand: str = "guard") -> None:
        self.keys = folder / "keys.json"
        self.set_keys("first")
        told = {
            "v": 1,
            "desk": "test",
            "mode": "simulated",
            "quiet_seconds": quiet,
            "netted": True,
            "venues": [
                {"name": "sim1", "url": venue.url, "keys": str(self.keys), "timeout": 2, "form": cord_form()},
            ],
            "strategies": [{"name": "momentum", "venue": "sim1", "symbols": ["AAPL"]}],
        }
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.verdict: dict[str, dict[str, Any]] = {}
        self.executor = Executor(Plan(str(folder), told), self._record, hand=hand)
        self._ended = threading.Event()

    def set_keys(self, key_id: str) -> None:
        self.keys.write_text(json.dumps({"key_id": key_id, "secret_key": "secret"}))
        self.keys.chmod(0o600)

    def __enter__(self) -> Self:
        self.executor.start()
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        self.executor.stop()

    def pull(self, level: str = "L3", scope: str = "desk", **spares: bool) -> str:
        request = PullRequest(level=level, scope=scope, **spares)  # type: ignore[arg-type]
        self.executor.pull(request, self.executor.fire(request))
        return request.id

    def adopt(self, level: str, *, age: float = 0.0, scope: str = "desk", **known: Any) -> str:
        """Go on with a pull that another hand began; `known` are fields of `Inherited` about this venue."""
        request = PullRequest(level=level, scope=scope)
        inherited = Inherited(
            request,
            {"sim1": known.get("sent", {})},
            {"sim1": known.get("own", set())},
            frozenset({"sim1"} if known.get("lifted") else ()),
            {},
            quiet=known.get("quiet", 0.5),
            age=age,
        )
        self.executor.adopt(inherited)
        return request.id

    def says(self, pull: str) -> str:
        return str(self.verdict.get(pull, {}).get("verdict", ""))

    def _beat(self) -> None:
        while not self._ended.wait(0.1):
            self.executor.beat()

    def _record(self, kind: str, data: dict[str, Any], actor: str) -> None:
        self.told.append((kind, data))
        if kind == "venue_verdict":
            self.verdict[data["pull"]] = data
