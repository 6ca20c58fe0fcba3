"""`/_control`: the simulation's own desk. Faults, the market clock, foreign orders, counters. It needs no key and is
never faulty; the server listens on the loopback address only."""

from decimal import Decimal

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from adapters.simulator import render
from adapters.simulator.account import Account
from adapters.simulator.admission import symbol_named
from adapters.simulator.answers import BROKER, answer
from adapters.simulator.broker import Broker
from adapters.simulator.faults import CATALOGUE, Fault, FaultError
from adapters.simulator.orders import CANCELED
from adapters.simulator.sessions import SECOND
from adapters.simulator.wire import Front

FRONT = web.AppKey("front", Front)
routes = web.RouteTableDef()
FORCED = {"open": True, "closed": False, "auto": None}


class FaultRequest(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    venue: str | None = None
    arg: str | int | float | None = None
    methods: tuple[str, ...] = ()
    path: str = ""
    times: int | None = None


class ClockRequest(msgspec.Struct, forbid_unknown_fields=True):
    session: str | None = None
    shift_minutes: float = 0


class OrdersRequest(msgspec.Struct, forbid_unknown_fields=True):
    venue: str
    count: int = 1
    symbol: str = "AAPL"
    prefix: str = ""


class PositionRequest(msgspec.Struct, forbid_unknown_fields=True):
    venue: str
    symbol: str
    qty: Decimal


class FillRequest(msgspec.Struct, forbid_unknown_fields=True):
    venue: str
    order_id: str
    qty: Decimal | None = None
    price: Decimal | None = None


class Wrong(Exception):
    """A control request that makes no sense."""


@web.middleware
async def plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not request.path.startswith("/_control"):
        return await handler(request)
    try:
        return await handler(request)
    except (Wrong, FaultError, msgspec.DecodeError) as error:
        return answer({"message": str(error)}, 422)


def account_named(broker: Broker, name: str) -> Account:
    account = broker.accounts.get(name)
    if account is None:
        raise Wrong(f"unknown venue {name!r}; there are {', '.join(broker.accounts)}")
    return account


def listed(name: str) -> str:
    symbol = symbol_named(name)
    if symbol is None:
        raise Wrong(f"unknown symbol {name!r}")
    return symbol


@routes.get("/_control")
async def get_control(request: web.Request) -> web.Response:
    broker = request.app[BROKER]
    return answer(
        {
            "seed": broker.market.seed,
            "speed": broker.clock.speed,
            "now": render.stamp(broker.now),
            "is_open": broker.clock.is_open,
            "forced": broker.clock.forced,
            "faults": [fault.shown() for fault in broker.faults.active],
            "catalogue": CATALOGUE,
            "accounts": {
                name: {
                    "number": account.opened.number,
                    "open_orders": sum(map(len, account.open.values())),
                    "orders": len(account.orders),
                    "fills": len(account.fills),
                    "positions": {symbol: render.plain(held.qty) for symbol, held in account.holdings.items()},
                }
                for name, account in broker.accounts.items()
            },
        }
    )


@routes.post("/_control/faults")
async def post_fault(request: web.Request) -> web.Response:
    broker = request.app[BROKER]
    asked = msgspec.json.decode(await request.read(), type=FaultRequest)
    fault = Fault(
        asked.name,
        asked.venue,
        None if asked.arg is None else str(asked.arg),
        tuple(method.upper() for method in asked.methods),
        asked.path,
        asked.times,
    )
    broker.faults.switch_on(fault)
    return answer(fault.shown())


@routes.delete("/_control/faults")
async def delete_faults(request: web.Request) -> web.Response:
    return answer({"cleared": request.app[BROKER].faults.switch_off(None, request.query.get("venue"))})


@routes.delete("/_control/faults/{name}")
async def delete_fault(request: web.Request) -> web.Response:
    faults = request.app[BROKER].faults
    return answer({"cleared": faults.switch_off(request.match_info["name"], request.query.get("venue"))})


@routes.get("/_control/counters")
async def get_counters(request: web.Request) -> web.Response:
    return answer({name: counters.shown() for name, counters in request.app[FRONT].counters.items()})


@routes.delete("/_control/counters")
async def delete_counters(request: web.Request) -> web.Response:
    request.app[FRONT].forget()
    return answer({})


@routes.post("/_control/clock")
async def post_clock(request: web.Request) -> web.Response:
    broker = request.app[BROKER]
    asked = msgspec.json.decode(await request.read(), type=ClockRequest)
    if asked.shift_minutes < 0:
        raise Wrong("shift_minutes must not be negative: the market's time never goes backwards")
    if asked.session is not None:
        if asked.session not in FORCED:
            raise Wrong(f"unknown session {asked.session!r}: open, closed or auto is expected")
        broker.force_session(FORCED[asked.session])
    if asked.shift_minutes:
        broker.shift(int(asked.shift_minutes * 60 * SECOND))
    return answer({"now": render.stamp(broker.now), "is_open": broker.clock.is_open})


@routes.post("/_control/orders")
async def post_orders(request: web.Request) -> web.Response:
    broker = request.app[BROKER]
    asked = msgspec.json.decode(await request.read(), type=OrdersRequest)
    account = account_named(broker, asked.venue)
    orders = broker.inject(account, listed(asked.symbol), asked.count, asked.prefix)
    return answer({"ids": [order.id for order in orders]})


@routes.post("/_control/positions")
async def post_position(request: web.Request) -> web.Response:
    broker = request.app[BROKER]
    asked = msgspec.json.decode(await request.read(), type=PositionRequest)
    broker.grant(account_named(broker, asked.venue), listed(asked.symbol), asked.qty)
    return answer({})


@routes.post("/_control/fills")
async def post_fill(request: web.Request) -> web.Response:
    broker = request.app[BROKER]
    asked = msgspec.json.decode(await request.read(), type=FillRequest)
    account = account_named(broker, asked.venue)
    order = account.orders.get(asked.order_id)
    if order is None or not (order.is_open or order.status == CANCELED):
        raise Wrong(f"no order {asked.order_id!r} at {asked.venue} that is open or was canceled")
    fill = broker.fill(account, order, asked.qty, asked.price)
    return answer({"id": fill.id, "qty": render.plain(fill.qty), "price": render.plain(fill.price)})
