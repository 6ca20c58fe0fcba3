"""The strategies' HTTP side: each has its health, metrics, settings, book, state, a switch, and takes corrections."""

import time
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from adapters.simulator.strategies.book import Moved
from adapters.simulator.strategies.hub import Hub
from adapters.simulator.strategies.runner import Runner
from console.desk.adjust import Correction
from console.desk.events import encode

_METRICS = (
    ("orders_sent_total", "counter", "Orders sent since the book began."),
    ("fills_total", "counter", "Executions in the book."),
    ("predictions_total", "counter", "Predictions written since the process began."),
    ("telemetry_lost_total", "counter", "Predictions that the guard did not take."),
    ("errors_total", "counter", "Refusals and requests without an answer since the process began."),
    ("orders_per_minute", "gauge", "Orders sent in the last minute."),
    ("enabled", "gauge", "Whether the strategy may trade."),
    ("healthy", "gauge", "Whether all its tasks run."),
    ("day_pct", "gauge", "Profit of the day as a percentage of the venue's equity."),
)


class Served:
    """One strategy as it is shown. `crashed` says which of its tasks ended, and why."""

    def __init__(self, runner: Runner, hub: Hub) -> None:
        self.runner = runner
        self.hub = hub
        self.crashed = ""

    @property
    def why(self) -> str:
        """What is wrong, or went wrong last. A venue that does not answer is no illness of the strategy."""
        return self.crashed or self.hub.bars_why or self.runner.why

    def state(self) -> dict[str, Any]:
        """What a StrategySampled needs, but for who asks and when."""
        runner = self.runner
        gate = runner.gate.overall
        equity = self.hub.equity
        day = runner.profit / equity * 100 if equity else Decimal(0)
        return {
            "strategy": runner.settings.name,
            "healthy": not self.crashed,
            "enabled": runner.book.enabled,
            "gate": gate.state,
            "because": gate.because,
            "orders_sent": runner.book.sent,
            "orders_per_minute": runner.orders_per_minute,
            "fills": len(runner.book.executions),
            "predictions": runner.predictions.count,
            "day_pct": str(round(day, 4)),
            "model_hash": runner.model_hash,
            "errors": runner.errors,
            "why": self.why,
        }

    def book(self) -> dict[str, Any]:
        runner = self.runner
        marks = {symbol: bars[-1].close for symbol, bars in runner.bars.items() if bars}
        positions = [
            {
                "symbol": symbol,
                "qty": str(holding.qty),
                "avg_price": str(round(holding.price, 6)),
                "mark": str(marks[symbol]) if symbol in marks else None,
            }
            for symbol, holding in runner.book.holdings.items()
            if holding.qty
        ]
        order_ids = [entry.order_id for entry in runner.book.entries.values() if entry.order_id]
        return {
            "positions": positions,
            "order_ids": order_ids,
            "unsettled": runner.book.unsettled(),
            "adjusts": True,
            "set_aside": runner.book.set_aside,
        }

    def settings(self) -> dict[str, str]:
        told = self.runner.settings
        parameters = {
            name: ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            for name, value in asdict(self.runner.model.parameters).items()
        }
        return {
            "kind": told.kind,
            "venue": told.venue,
            "symbols": ",".join(told.symbols),
            "model_hash": self.runner.model_hash,
            **parameters,
            **self.runner.limits,
        }

    def metrics(self) -> str:
        state = self.state()
        values = {
            "orders_sent_total": state["orders_sent"],
            "fills_total": state["fills"],
            "predictions_total": state["predictions"],
            "telemetry_lost_total": self.runner.predictions.lost,
            "errors_total": state["errors"],
            "orders_per_minute": state["orders_per_minute"],
            "enabled": int(state["enabled"]),
            "healthy": int(state["healthy"]),
            "day_pct": state["day_pct"],
        }
        lines = []
        for name, kind, text in _METRICS:
            lines += [f"# HELP andon_strategy_{name} {text}", f"# TYPE andon_strategy_{name} {kind}"]
            lines.append(f'andon_strategy_{name}{{strategy="{state["strategy"]}"}} {values[name]}')
        return "\n".join(lines) + "\n"


def application(strategies: dict[str, Served]) -> web.Application:
    def served(request: web.Request) -> Served:
        try:
            return strategies[request.match_info["name"]]
        except KeyError:
            raise web.HTTPNotFound(text="there is no such strategy\n") from None

    async def healthz(request: web.Request) -> web.Response:
        one = served(request)
        if one.crashed:
            return web.json_response({"status": "failing", "why": one.crashed}, status=503)
        return web.json_response({"status": "ok", "model_hash": one.runner.model_hash})

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=served(request).metrics(), content_type="text/plain", charset="utf-8")

    async def settings(request: web.Request) -> web.Response:
        return web.json_response(served(request).settings())

    async def state(request: web.Request) -> web.Response:
        return web.json_response({"as_of": time.time_ns(), **served(request).state()})

    async def switch(request: web.Request) -> web.Response:
        one = served(request)
        one.runner.enable(request.match_info["switch"] == "enable")
        await one.runner.book.sync()
        return web.json_response({"enabled": one.runner.book.enabled})

    app = web.Application()
    app.router.add_get("/{name}/healthz", healthz)
    app.router.add_get("/{name}/metrics", metrics)
    app.router.add_get("/{name}/settings", settings)
    app.router.add_get("/{name}/state", state)
    app.router.add_post("/{name}/{switch:enable|disable}", switch)
    _serve_books(app, served)
    return app


def _serve_books(app: web.Application, served: Callable[[web.Request], Served]) -> None:
    """Each strategy's book: in brief, in full, and put right by whoever compared it with the venue."""

    async def book(request: web.Request) -> web.Response:
        return web.json_response({"as_of": time.time_ns(), **served(request).book()})

    async def ledger(request: web.Request) -> web.Response:
        return web.Response(body=encode(served(request).runner.book.ledger()), content_type="application/json")

    async def correct(request: web.Request) -> web.Response:
        one = served(request).runner.book
        try:
            asked = msgspec.json.decode(await request.read(), type=Correction)
            one.correct(asked)
        except msgspec.MsgspecError as error:
            raise web.HTTPBadRequest(text=f"not a correction: {error}\n") from None
        except Moved as error:
            raise web.HTTPConflict(text=f"{error}\n") from None
        await one.sync()
        return web.json_response({"corrected": asked.id})

    app.router.add_get("/{name}/book", book)
    app.router.add_get("/{name}/ledger", ledger)
    app.router.add_post("/{name}/correct", correct)
