"""The simulated broker as a process: opens or continues its accounts, serves them on loopback, beats the market."""

import argparse
import asyncio
import json
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

from aiohttp import web

from adapters.simulator import control, marketdata, store, trading
from adapters.simulator.account import STARTING_CASH, Account, Opened
from adapters.simulator.answers import BROKER
from adapters.simulator.broker import Broker
from adapters.simulator.faults import FaultBoard, FaultError
from adapters.simulator.log import begin_log
from adapters.simulator.market import Market, MarketClock
from adapters.simulator.sessions import session_from, session_until
from adapters.simulator.store import FORMAT, Begun, StateError, Store
from adapters.simulator.stream import Hub
from adapters.simulator.wire import Front

LOG = logging.getLogger("broker")
HOST = "127.0.0.1"
BEAT = 0.1


class UsageError(Exception):
    """The command can not be carried out; the text is one sentence for the user."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--state", type=Path, metavar="DIR", help="keep accounts, orders, fills and the clock here")
    parser.add_argument("--seed", type=int, default=None, help="of the price process (default 7, or the state's)")
    parser.add_argument("--speed", type=float, default=1.0, help="market seconds a wall second")
    parser.add_argument(
        "--start", type=date.fromisoformat, metavar="DATE", help="the first trading day (default today)"
    )
    parser.add_argument("--account", action="append", metavar="NAME", help="repeatable (default sim1 and sim2)")
    parser.add_argument("--keys", type=Path, metavar="DIR", help="write NAME.json key files here")
    parser.add_argument("--rate-limit", type=int, default=1000, metavar="N", help="requests a minute and account")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME[:VENUE][:ARG]", help="repeatable")


def begin(options: argparse.Namespace) -> Begun:
    """What the state folder holds, with the accounts that are asked for and were not there."""
    begun = store.load(options.state) if options.state else None
    if begun is None:
        seed = 7 if options.seed is None else options.seed
        first = session_from(options.start or datetime.now(UTC).date())
        begun = Begun(FORMAT, seed, first.day, first.open, None, [])
    elif options.seed not in (None, begun.seed):
        raise UsageError(f"--seed {options.seed}: {options.state} was begun with seed {begun.seed}; leave --seed out")
    known = {image.opened.name for image in begun.accounts}
    for name in options.account or ("sim1", "sim2"):
        if name not in known:
            begun.accounts.append(open_account(name, begun.now).image())
            known.add(name)
    return begun


def open_account(name: str, now: int) -> Account:
    return Account(
        Opened(
            name=name,
            id=str(uuid4()),
            number=f"SIM{secrets.randbelow(10**9):09d}",
            key_id=f"SIM{secrets.token_hex(8).upper()}",
            secret=secrets.token_urlsafe(30),
            cash=STARTING_CASH,
            at=now,
        )
    )


def write_keys(folder: Path, account: Account) -> Path:
    """The key file of an account, readable by its owner alone, in place at once."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, fresh = folder / f"{account.name}.json", folder / f".{account.name}.json.new"
    text = json.dumps({"key_id": account.opened.key_id, "secret_key": account.opened.secret})
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
    fresh.rename(path)
    return path


def application(broker: Broker, hub: Hub, rate_limit: int) -> web.Application:
    front = Front(broker, rate_limit)
    app = web.Application(middlewares=[control.plain_errors, front.middleware], client_max_size=1 << 20)
    app[BROKER] = broker
    app[control.FRONT] = front
    app.add_routes(trading.routes)
    app.add_routes(marketdata.routes)
    app.add_routes(control.routes)
    app.router.add_get("/stream", hub.serve)
    return app


async def serve(options: argparse.Namespace) -> int:
    begun = begin(options)
    accounts = [Account.restored(image) for image in begun.accounts]
    faults = FaultBoard(account.name for account in accounts)
    for text in options.fault:
        faults.switch_on(faults.parse(text))
    listener = listen(options.port)
    market = Market(begun.seed, session_until(begun.first_day))
    clock = MarketClock(begun.now, options.speed, begun.forced)
    broker = Broker(market, clock, accounts, faults, Store(options.state, begun))
    hub = Hub(accounts, faults)
    broker.listener = hub.tell
    runner = web.AppRunner(
        application(broker, hub, options.rate_limit), access_log=None, handler_cancellation=True, shutdown_timeout=0.5
    )
    await runner.setup()
    await web.SockSite(runner, listener).start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="simulated-broker-") as scratch:
        keys = options.keys or (options.state / "keys" if options.state else Path(scratch))
        announce(listener.getsockname()[1], [(account, write_keys(keys, account)) for account in accounts])
        LOG.info("serves %s on port %d", ", ".join(broker.accounts), listener.getsockname()[1])
        await beat(broker, stop)
    hub.close()
    await runner.cleanup()
    broker.finish()
    LOG.info("ended")
    return 0


def listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port), backlog=256)
    except (OSError, OverflowError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise UsageError(f"--port {port}: can not listen on {HOST}:{port}: {why}; name another port, or 0") from error


def announce(port: int, keys: list[tuple[Account, Path]]) -> None:
    shown = [
        {"name": a.name, "number": a.opened.number, "key_id": a.opened.key_id, "keys": str(path.absolute())}
        for a, path in keys
    ]
    print(json.dumps({"url": f"http://{HOST}:{port}", "pid": os.getpid(), "accounts": shown}), flush=True)


async def beat(broker: Broker, stop: asyncio.Event) -> None:
    """Ticks until told to stop; a tick that came late is not made up for."""
    while not stop.is_set():
        began = time.monotonic()
        broker.tick()
        rest = max(0.0, BEAT - (time.monotonic() - began))
        try:
            async with asyncio.timeout(rest):
                await stop.wait()
        except TimeoutError:
            continue


def run(options: argparse.Namespace) -> int:
    """Serves until SIGTERM. Exit code 2 for wrong usage."""
    begin_log()
    try:
        with store.locked(options.state):
            return asyncio.run(serve(options))
    except (UsageError, StateError, FaultError) as error:
        print(error, file=sys.stderr)
        return 2
    except store.StoreFailure as error:
        print(error, file=sys.stderr)
        return 1
