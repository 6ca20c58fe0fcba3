"""The process: reads its configuration, runs every strategy, serves them, and stops cleanly on SIGTERM."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path

from aiohttp import web

from adapters.base import Connection
from adapters.registry import make_venue
from adapters.simulator.log import begin_log
from adapters.simulator.strategies.hub import Hub
from adapters.simulator.strategies.runner import Runner, stop
from adapters.simulator.strategies.server import Served, application
from adapters.simulator.strategies.settings import HostSettings, SettingsError, StrategySettings, load, read_keys
from adapters.simulator.strategies.telemetry import deliver


def main(argv: list[str]) -> int:
    """Runs until SIGTERM or SIGINT. 2 for a configuration that can not be used, 1 where the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m adapters.simulator strategies")
    parser.add_argument("--config", type=Path, required=True, help="the strategies' JSON file")
    arguments = parser.parse_args(argv)
    begin_log()
    try:
        settings = load(arguments.config)
        connections = {(each.venue, each.keys): _connection(settings, each) for each in settings.strategies}
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        asyncio.run(_run(settings, connections))
    except OSError as error:
        print(f"the strategies can not start: {error}", file=sys.stderr)
        return 1
    return 0


def _connection(settings: HostSettings, strategy: StrategySettings) -> Connection:
    key_id, secret = read_keys(strategy.keys)
    return Connection(strategy.venue, settings.broker, settings.broker, key_id, secret)


async def _run(settings: HostSettings, connections: dict[tuple[str, Path], Connection]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    hubs = [_hub(settings, connection, account) for account, connection in connections.items()]
    strategies = {runner.settings.name: Served(runner, hub) for hub in hubs for runner in hub.runners}
    runner = web.AppRunner(application(strategies), access_log=None, shutdown_timeout=1)
    await runner.setup()
    tasks: list[asyncio.Task[None]] = []
    try:
        await web.TCPSite(runner, "127.0.0.1", settings.port).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        tasks = _start(settings, hubs, strategies)
        ready = {"url": url, "pid": os.getpid(), "strategies": {name: f"{url}/{name}" for name in strategies}}
        print(json.dumps(ready), flush=True)
        for served in strategies.values():
            one = served.runner
            one.log.info("runs model %s at %s", one.model_hash[:12], one.settings.venue)
        await stopping.wait()
        logging.getLogger("strategies").info("told to end")
    finally:
        await stop(tasks)
        await runner.cleanup()
        for hub in hubs:
            await hub.venue.aclose()
            for each in hub.runners:
                each.close()


def _hub(settings: HostSettings, connection: Connection, account: tuple[str, Path]) -> Hub:
    venue = make_venue("alpaca", connection)
    ours = [each for each in settings.strategies if (each.venue, each.keys) == account]
    return Hub(venue, [Runner(each, settings.seed, venue, settings.desk_state, settings.out) for each in ours])


def _start(settings: HostSettings, hubs: list[Hub], strategies: dict[str, Served]) -> list["asyncio.Task[None]"]:
    every = list(strategies.values())
    work = [(deliver(settings.desk_state, [one.runner.predictions for one in every]), every)]
    for hub in hubs:
        concerned = [strategies[runner.settings.name] for runner in hub.runners]
        work += [(part, concerned) for part in (hub.follow_updates(), hub.follow_bars(), hub.follow_equity())]
    for one in every:
        work += [(part, [one]) for part in (one.runner.watch_gate(), one.runner.trade())]
    return [asyncio.create_task(_watched(part, shown)) for part, shown in work]


async def _watched(work: Coroutine[object, object, None], shown: list[Served]) -> None:
    """A task that breaks is a strategy that fails its health check, in words; the others go on."""
    try:
        await work
    except Exception as error:
        for one in shown:
            one.crashed = f"a task of it broke: {error!r}"
            one.runner.log.exception("a task of it broke")
