"""The market data API's routes, v2: bars, latest bars, quotes and trades, snapshots."""

import asyncio
import re
from collections.abc import Iterator
from itertools import groupby

from aiohttp import web

from adapters.simulator import render
from adapters.simulator.answers import ACCOUNT, BROKER, answer, choice, moment, names, parse_moment, whole
from adapters.simulator.market import LISTINGS, MINUTE, Market, MarketBar, aggregate
from adapters.simulator.orders import Refusal
from adapters.simulator.render import Json
from adapters.simulator.sessions import SECOND, new_york_date, new_york_offset, preceding, session_until

routes = web.RouteTableDef()
TIMEFRAME = re.compile(r"^(?:([1-9]|[1-5]\d)(?:Min|T)|([1-9]|1\d|2[0-3])(?:Hour|H)|1(?:Day|D))$")
DAY = 86_400 * SECOND
BREATH = 256


def bad_request(message: str) -> Refusal:
    return Refusal(400, 40010001, message)


def asked(request: web.Request) -> list[str]:
    """The listed symbols among those asked for; the rest are left out of the answer, as the real one does."""
    given = names(request, "symbols") or frozenset({request.match_info.get("symbol", "").upper()} - {""})
    if not given:
        raise bad_request("symbols is required")
    return sorted(given & LISTINGS.keys())


def timeframe(request: web.Request) -> int:
    """The length of a bar in ns."""
    given = request.query.get("timeframe", "")
    found = TIMEFRAME.match(given)
    if not found:
        raise bad_request(f"invalid timeframe: {given}")
    minutes, hours = found.groups()
    return int(minutes) * MINUTE if minutes else int(hours) * 60 * MINUTE if hours else DAY


def midnight(at: int) -> int:
    """The beginning of a New York day, UTC ns."""
    day = new_york_date(at)
    return parse_moment(day.isoformat(), "date") - int(new_york_offset(day).total_seconds()) * SECOND


def bucket(at: int, length: int) -> int:
    return midnight(at) if length == DAY else at - at % length


def bars_of(
    market: Market, symbol: str, start: int, end: int, now: int, length: int, *, newest_first: bool = False
) -> Iterator[MarketBar]:
    """Bars of any length from minutes; the one in progress is as far as it has gone."""
    minutes = market.minute_bars(symbol, bucket(start, length), end, now, newest_first=newest_first)
    for begin, collected in groupby(minutes, lambda bar: bucket(bar.start, length)):
        yield aggregate(begin, sorted(collected, key=lambda bar: bar.start))


async def bars(request: web.Request) -> tuple[dict[str, list[Json]], str | None]:
    """One page of bars by symbol, and the token of the next page."""
    broker, account = request.app[BROKER], request[ACCOUNT]
    length, limit = timeframe(request), whole(request, "limit", 1000, 10_000)
    descending = choice(request, "sort", ("asc", "desc")) == "desc"
    start, end = moment(request, "start"), moment(request, "end")
    token_symbol, _, token_start = request.query.get("page_token", "").partition("|")
    if token_start and not token_start.isdecimal():
        raise bad_request("invalid page_token")
    page: dict[str, list[Json]] = {}
    count = 0
    for symbol in asked(request):
        if symbol < token_symbol:
            continue
        now = broker.data_time(account, symbol)
        found: list[MarketBar] = []
        room = limit - count
        first = start if start is not None else midnight(now)
        least = first - first % DAY if length == DAY else first
        last = int(token_start) if symbol == token_symbol else None
        drawn = bars_of(
            broker.market, symbol, first, end if end is not None else now, now, length, newest_first=descending
        )
        for number, bar in enumerate(drawn):
            if length > MINUTE or number % BREATH == 0:
                await asyncio.sleep(0)
            told = last is not None and (bar.start >= last if descending else bar.start <= last)
            if bar.start >= least and not told:
                found.append(bar)
            if len(found) > room:  # one more than there is room for: there is another page
                break
        if found:
            if not room:
                return page, page_token(page)
            page[symbol] = [render.bar(bar) for bar in found[:room]]
            count += len(page[symbol])
        if len(found) > room:
            return page, f"{symbol}|{found[room - 1].start}"
    return page, None


def page_token(page: dict[str, list[Json]]) -> str:
    symbol = max(page)
    return f"{symbol}|{parse_moment(str(page[symbol][-1]['t']), 't')}"


@routes.get("/v2/stocks/bars")
async def get_bars(request: web.Request) -> web.Response:
    page, token = await bars(request)
    return answer({"bars": page, "next_page_token": token})


def data_now(request: web.Request, symbol: str) -> int:
    return request.app[BROKER].data_time(request[ACCOUNT], symbol)


def latest_bar(request: web.Request, symbol: str) -> Json:
    return render.bar(request.app[BROKER].market.latest_bar(symbol, data_now(request, symbol)))


def latest_quote(request: web.Request, symbol: str) -> Json:
    return render.quote(request.app[BROKER].market.quote(symbol, data_now(request, symbol)))


def latest_trade(request: web.Request, symbol: str) -> Json:
    return render.trade(request.app[BROKER].market.quote(symbol, data_now(request, symbol)))


def snapshot(request: web.Request, symbol: str) -> Json:
    market, now = request.app[BROKER].market, data_now(request, symbol)
    session = session_until(new_york_date(now))
    if now < session.open + MINUTE:
        session = preceding(session)
    before = preceding(session)
    shown: Json = {
        "latestTrade": latest_trade(request, symbol),
        "latestQuote": latest_quote(request, symbol),
        "minuteBar": latest_bar(request, symbol),
    }
    for name, day in (("dailyBar", session), ("prevDailyBar", before)):
        bar = next(bars_of(market, symbol, day.open, day.close, now, DAY), None)
        if bar is not None:
            shown[name] = render.bar(bar)
    return shown


@routes.get("/v2/stocks/bars/latest")
async def get_latest_bars(request: web.Request) -> web.Response:
    return answer({"bars": {symbol: latest_bar(request, symbol) for symbol in asked(request)}})


@routes.get("/v2/stocks/quotes/latest")
async def get_latest_quotes(request: web.Request) -> web.Response:
    return answer({"quotes": {symbol: latest_quote(request, symbol) for symbol in asked(request)}})


@routes.get("/v2/stocks/trades/latest")
async def get_latest_trades(request: web.Request) -> web.Response:
    return answer({"trades": {symbol: latest_trade(request, symbol) for symbol in asked(request)}})


@routes.get("/v2/stocks/snapshots")
async def get_snapshots(request: web.Request) -> web.Response:
    snapshots = {}
    for symbol in asked(request):
        snapshots[symbol] = snapshot(request, symbol)
        await asyncio.sleep(0)
    return answer(snapshots)


def one(request: web.Request) -> str:
    symbols = asked(request)
    if not symbols:
        raise bad_request(f"invalid symbol: {request.match_info['symbol']}")
    return symbols[0]


@routes.get("/v2/stocks/{symbol}/bars")
async def get_bars_of_symbol(request: web.Request) -> web.Response:
    symbol = one(request)
    page, token = await bars(request)
    return answer({"symbol": symbol, "bars": page.get(symbol, []), "next_page_token": token})


@routes.get("/v2/stocks/{symbol}/bars/latest")
async def get_latest_bar(request: web.Request) -> web.Response:
    symbol = one(request)
    return answer({"symbol": symbol, "bar": latest_bar(request, symbol)})


@routes.get("/v2/stocks/{symbol}/quotes/latest")
async def get_latest_quote(request: web.Request) -> web.Response:
    symbol = one(request)
    return answer({"symbol": symbol, "quote": latest_quote(request, symbol)})


@routes.get("/v2/stocks/{symbol}/trades/latest")
async def get_latest_trade(request: web.Request) -> web.Response:
    symbol = one(request)
    return answer({"symbol": symbol, "trade": latest_trade(request, symbol)})


@routes.get("/v2/stocks/{symbol}/snapshot")
async def get_snapshot(request: web.Request) -> web.Response:
    symbol = one(request)
    return answer({"symbol": symbol, **snapshot(request, symbol)})
