"""The trading API's routes, v2: account, clock, calendar, assets, orders, positions."""

from datetime import date
from decimal import Decimal

import msgspec
from aiohttp import web

from adapters.simulator import render
from adapters.simulator.account import Account, Configurations
from adapters.simulator.admission import number, symbol_named
from adapters.simulator.answers import (
    ACCOUNT,
    BROKER,
    COUNTERS,
    answer,
    body,
    choice,
    day,
    flag,
    moment,
    names,
    whole,
)
from adapters.simulator.market import LISTINGS
from adapters.simulator.orders import Order, Refusal, invalid, not_found
from adapters.simulator.sessions import SECOND, session_from

routes = web.RouteTableDef()
DAY = 86_400 * SECOND
FIRST_DAY, LAST_DAY = date(2022, 1, 1), date(2029, 12, 31)

# --- account ---------------------------------------------------------------------------------------------------------


@routes.get("/v2/account")
async def get_account(request: web.Request) -> web.Response:
    broker, account = request.app[BROKER], request[ACCOUNT]
    blocked = broker.faults.find("account_blocked", account.name) is not None
    return answer(render.account(account, broker.mark, blocked))


@routes.get("/v2/account/configurations")
async def get_configurations(request: web.Request) -> web.Response:
    return answer(request[ACCOUNT].configurations)


@routes.patch("/v2/account/configurations")
async def patch_configurations(request: web.Request) -> web.Response:
    """Nulls and absent fields leave things as they are; the official client sends plenty of nulls."""
    broker, account = request.app[BROKER], request[ACCOUNT]
    given = {name: value for name, value in (await body(request)).items() if value is not None}
    known = msgspec.structs.asdict(account.configurations)
    unknown = given.keys() - known.keys()
    if unknown:
        raise invalid(f"unknown configuration: {', '.join(sorted(unknown))}")
    if "max_margin_multiplier" in given:
        given["max_margin_multiplier"] = str(given["max_margin_multiplier"])
    try:
        broker.configure(account, msgspec.convert(known | given, Configurations))
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from None
    return answer(account.configurations)


@routes.get("/v2/account/activities")
async def get_activities(request: web.Request) -> web.Response:
    types, category = names(request, "activity_types"), request.query.get("category")
    if types and category:
        raise invalid("category can not be used with activity_types")
    wanted = category != "non_trade_activity" and (not types or "FILL" in types)
    return answer(activities(request) if wanted else [])


@routes.get("/v2/account/activities/{activity_type}")
async def get_activities_of_type(request: web.Request) -> web.Response:
    return answer(activities(request) if request.match_info["activity_type"].upper() == "FILL" else [])


def activities(request: web.Request) -> list[render.Json]:
    """Fills page by page; `page_token` is the id of the last one of the page before."""
    account = request[ACCOUNT]
    size, token = whole(request, "page_size", 100, 100), request.query.get("page_token")
    ascending = choice(request, "direction", ("desc", "asc")) == "asc"
    after, until = moment(request, "after"), moment(request, "until")
    if on := moment(request, "date"):
        after, until = on - 1, on + DAY
    if token and token not in account.fill_places:
        raise invalid(f"invalid page_token: {token}")
    count = len(account.fills)
    if ascending:
        places = range(account.fill_places[token] + 1 if token else 0, count)
    else:
        places = range((account.fill_places[token] if token else count) - 1, -1, -1)
    page: list[render.Json] = []
    for place in places:
        fill = account.fills[place]
        if (after is None or fill.at > after) and (until is None or fill.at < until):
            page.append(render.activity(fill))
            if len(page) == size:
                break
    return page


@routes.get("/v2/account/portfolio/history")
async def get_portfolio_history(request: web.Request) -> web.Response:
    broker = request.app[BROKER]
    timeframe = request.query.get("timeframe") or "1D"
    return answer(render.portfolio_history(request[ACCOUNT], broker.mark, broker.now, timeframe))


# --- clock, calendar, assets -----------------------------------------------------------------------------------------


@routes.get("/v2/clock")
async def get_clock(request: web.Request) -> web.Response:
    broker, account = request.app[BROKER], request[ACCOUNT]
    fault = broker.faults.find("clock_skew", account.name)
    skew = int(fault.number(5) * 60 * SECOND) if fault else 0
    return answer(render.clock(broker.clock, broker.is_open(account), skew))


@routes.get("/v2/calendar")
async def get_calendar(request: web.Request) -> web.Response:
    start, end = max(day(request, "start", FIRST_DAY), FIRST_DAY), min(day(request, "end", LAST_DAY), LAST_DAY)
    days = []
    session = session_from(start)
    while session.day <= end:
        days.append(render.calendar_day(session))
        session = session_from(date.fromordinal(session.day.toordinal() + 1))
    return answer(days)


@routes.get("/v2/assets")
async def get_assets(request: web.Request) -> web.Response:
    wanted = (
        request.query.get("status", "active").lower() == "active"
        and request.query.get("asset_class", "us_equity").lower() == "us_equity"
        and not names(request, "attributes")
    )
    exchange = request.query.get("exchange", "").upper()
    listed = [listing for listing in LISTINGS.values() if wanted and exchange in ("", listing.exchange)]
    return answer([render.asset(listing.symbol) for listing in listed])


@routes.get("/v2/assets/{symbol_or_asset_id}")
async def get_asset(request: web.Request) -> web.Response:
    name = request.match_info["symbol_or_asset_id"]
    symbol = symbol_named(name)
    if symbol is None:
        raise not_found(f"asset not found for {name}")
    return answer(render.asset(symbol))


# --- orders ----------------------------------------------------------------------------------------------------------


def rendered(account: Account, order: Order) -> render.Json:
    """An order with its legs rolled up under their parent."""
    members = [] if order.is_leg else order.group[1:]
    return render.order(order, [render.order(account.orders[member]) for member in members])


@routes.get("/v2/orders")
async def get_orders(request: web.Request) -> web.Response:
    account = request[ACCOUNT]
    page = listed(request, account)
    if flag(request, "nested"):
        return answer([rendered(account, order) for order in page])
    return answer([render.order(order) for order in page])


def listed(request: web.Request, account: Account) -> list[Order]:
    status, limit = choice(request, "status", ("open", "closed", "all")), whole(request, "limit", 50, 500)
    after, until = moment(request, "after"), moment(request, "until")
    symbols, side = names(request, "symbols"), request.query.get("side", "").lower()
    low, high = borders(request, account)
    candidates = account.open_orders() if status == "open" else list(account.orders.values())
    if choice(request, "direction", ("desc", "asc")) == "desc":
        candidates.reverse()
    nested, seen = flag(request, "nested"), set()
    page: list[Order] = []
    for candidate in candidates:
        # A group is listed once, in its parent's place, if any of its members is wanted.
        order = account.orders.get(candidate.group[0], candidate) if nested and candidate.group else candidate
        if (
            order.id in seen
            or not low < account.places[order.id] < high
            or (status == "closed" and candidate.is_open)
            or (after is not None and order.created <= after)
            or (until is not None and order.created >= until)
            or (symbols and order.symbol not in symbols)
            or (side and order.side != side)
        ):
            continue
        seen.add(order.id)
        page.append(order)
        if len(page) == limit:
            break
    return page


def borders(request: web.Request, account: Account) -> tuple[float, float]:
    """The places between which orders are asked for, both excluded."""
    after, before = request.query.get("after_order_id"), request.query.get("before_order_id")
    if after and before:
        raise invalid("before_order_id and after_order_id are mutually exclusive")
    for name in (after, before):
        if name and name not in account.places:
            raise invalid(f"invalid order id: {name}")
    return (account.places[after] if after else -1), (account.places[before] if before else float("inf"))


@routes.post("/v2/orders")
async def post_order(request: web.Request) -> web.Response:
    account = request[ACCOUNT]
    order = request.app[BROKER].submit(account, await body(request))
    request[COUNTERS].exposed("order", order.id, order.client_order_id, order.symbol)
    return answer(rendered(account, order))


@routes.delete("/v2/orders")
async def delete_orders(request: web.Request) -> web.Response:
    results = request.app[BROKER].cancel_all(request[ACCOUNT])
    for result in results:
        request[COUNTERS].cancelled(result.order_id)
    return answer([cancel_item(result.order_id, result.status) for result in results], 207)


def cancel_item(order_id: str, status: int) -> render.Json:
    item: render.Json = {"id": order_id, "status": status}
    if status != 200:
        item["body"] = {"code": 50010000, "message": "internal server error occurred"}
    return item


@routes.get("/v2/orders:by_client_order_id")
async def get_order_by_client_id(request: web.Request) -> web.Response:
    account = request[ACCOUNT]
    given = request.query.get("client_order_id", "")
    order_id = account.by_client_id.get(given)
    if order_id is None:
        raise not_found(f"order not found for {given}")
    return answer(rendered(account, account.orders[order_id]))


@routes.get("/v2/orders/{order_id}")
async def get_order(request: web.Request) -> web.Response:
    account = request[ACCOUNT]
    order = request.app[BROKER].order(account, request.match_info["order_id"])
    return answer(rendered(account, order) if flag(request, "nested") else render.order(order))


@routes.patch("/v2/orders/{order_id}")
async def patch_order(request: web.Request) -> web.Response:
    account = request[ACCOUNT]
    order = request.app[BROKER].replace(account, request.match_info["order_id"], await body(request))
    request[COUNTERS].exposed("replace", order.id, order.client_order_id, order.symbol)
    return answer(rendered(account, order))


@routes.delete("/v2/orders/{order_id}")
async def delete_order(request: web.Request) -> web.Response:
    order_id = request.match_info["order_id"]
    request[COUNTERS].cancelled(order_id)
    request.app[BROKER].cancel(request[ACCOUNT], order_id)
    return web.Response(status=204)


# --- positions -------------------------------------------------------------------------------------------------------


def shown_position(request: web.Request, symbol: str) -> render.Json:
    broker, account = request.app[BROKER], request[ACCOUNT]
    holding = account.holdings[symbol]
    return render.position(symbol, holding, account, broker.mark(symbol), broker.mark_at_last_close(symbol))


@routes.get("/v2/positions")
async def get_positions(request: web.Request) -> web.Response:
    return answer([shown_position(request, symbol) for symbol in sorted(request[ACCOUNT].holdings)])


@routes.get("/v2/positions/{symbol_or_asset_id}")
async def get_position(request: web.Request) -> web.Response:
    symbol = request.app[BROKER].held_symbol(request[ACCOUNT], request.match_info["symbol_or_asset_id"])
    return answer(shown_position(request, symbol))


@routes.delete("/v2/positions")
async def delete_positions(request: web.Request) -> web.Response:
    items = []
    for result in request.app[BROKER].close_all(request[ACCOUNT], flag(request, "cancel_orders")):
        if isinstance(result.answer, Refusal):
            items.append({"symbol": result.symbol, "status": result.answer.status, "body": result.answer.body})
            continue
        order = result.answer
        request[COUNTERS].exposed("close", order.id, order.client_order_id, order.symbol)
        items.append({"symbol": result.symbol, "status": 200, "body": render.order(order)})
    return answer(items, 207)


@routes.delete("/v2/positions/{symbol_or_asset_id}")
async def delete_position(request: web.Request) -> web.Response:
    qty, percentage = number(request.query, "qty"), number(request.query, "percentage")
    if qty is not None and percentage is not None:
        raise invalid("only one of qty and percentage is accepted")
    if percentage is not None and percentage > Decimal(100):
        raise invalid("percentage must be between 0 and 100")
    name = request.match_info["symbol_or_asset_id"]
    order = request.app[BROKER].close(request[ACCOUNT], name, qty, percentage)
    request[COUNTERS].exposed("close", order.id, order.client_order_id, order.symbol)
    return answer(render.order(order))
