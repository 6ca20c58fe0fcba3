"""A bot of somebody else's: an HTTP server that tells its book, and may let it be put right."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.support.broker import PATIENCE


class Bot:
    """`with Bot("bot", adjusts=True) as bot:` serves at `url`. `positions` is its book by symbol, `asked` what /correct
    was sent. `mood` is how it takes that: done (it is), deaf (done, but the first answer is lost), hang (nothing is
    done and nothing answered until `release`), refuse (409)."""

    def __init__(self, name: str, *, adjusts: bool = True) -> None:
        self.name = name
        self.adjusts = adjusts
        self.positions: dict[str, str] = {}
        self.executions: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.mood = "done"
        self.release = threading.Event()
        bot = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(200, bot.told(self.path.rpartition("/")[2]))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
                if self.path.endswith("/correct"):
                    self._say(*bot.correct(body))
                else:
                    self._say(200, {"enabled": self.path.endswith("/enable")})

            def _say(self, status: int, told: dict[str, Any]) -> None:
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/{name}"

    def told(self, what: str) -> dict[str, Any]:
        held = [{"symbol": symbol, "qty": qty, "avg_price": "100"} for symbol, qty in self.positions.items()]
        match what:
            case "book":
                return {"positions": held, "order_ids": [], "adjusts": self.adjusts}
            case "ledger":
                return {"positions": held, "executions": self.executions}
        return {
            "healthy": True,
            "enabled": True,
            "gate": "HALTED",
            "orders_sent": 0,
            "orders_per_minute": 0,
            "fills": 0,
            "predictions": 0,
            "day_pct": "0",
            "model_hash": "m",
        }

    def correct(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        first = asked not in self.asked
        self.asked.append(asked)
        if self.mood == "hang":
            self.release.wait(PATIENCE)
            return 503, {}
        if self.mood == "refuse":
            return 409, {"why": "the book moved"}
        if first:
            for take in asked["takes"]:
                held = int(self.positions.pop(take["symbol"], "0")) + int(take["qty"])
                if held:
                    self.positions[take["symbol"]] = str(held)
        return (502, {}) if first and self.mood == "deaf" else (200, {"corrected": asked["id"]})

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
