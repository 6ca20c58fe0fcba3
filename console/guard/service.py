"""The guard: the headless process that watches a desk, decides, and records. Composition, start and end.

Its parts keep out of each other's way. The event loop watches venues and serves consoles; the cord thread (and one
thread a venue) hears and carries out pulls; the journal's thread writes; the gate's thread renews gate.json; the worker
process does what takes long. Nothing the loop does can hold up the cord, and neither waits for the disk.
"""

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping

import msgspec

from adapters.base import Acked, DeadManSwitch, StrategyHost, Venue
from adapters.registry import UnknownAdapter
from adapters.strategy_host import HttpStrategyHost
from console import __version__
from console.config import ConfigError, DeskConfig
from console.contacts import load_contacts
from console.cord.aside import Aside
from console.cord.keys import KeyFileError
from console.cord.plan import Plan, write_plan
from console.cord.prompt import be_prompt
from console.desk import events as ev
from console.desk.monitor import MonitorSpec
from console.desk.resume import Asked
from console.evidence.journal import JournalError, JournalWriter
from console.guard import desk
from console.guard.adjusting import Adjusting
from console.guard.dead_man import DeadMan
from console.guard.drills import keep_drill
from console.guard.evidence import Evidence
from console.guard.exchanges import Exchanges
from console.guard.figures import own_families
from console.guard.fills import Fills
from console.guard.fresh import Fresh
from console.guard.gatekeeper import GateKeeper
from console.guard.hand import Hand
from console.guard.http import Http, Parts, listen
from console.guard.hub import Hub
from console.guard.instance import AlreadyRunning, Instance
from console.guard.logbook import LogKeeper
from console.guard.monitors import Monitors, load_monitors
from console.guard.notify import Notifier
from console.guard.others import Others
from console.guard.pace import REAL, SIMULATED, keep_doing
from console.guard.peaks import Peaks
from console.guard.prometheus import Family
from console.guard.recording import FLUSH_SECONDS
from console.guard.recovery import Recovered, recover
from console.guard.refusals import Refusals
from console.guard.resumption import Resumption, retire
from console.guard.secrets import Secrets, secret_files
from console.guard.stream import Stream
from console.guard.tokens import RELOAD_SECONDS, TokenFileError, Tokens
from console.guard.triggers import Triggers
from console.guard.watch_strategy import StrategyWatch
from console.guard.watch_venue import VenueWatch
from console.runbooks.library import OWN_FOLDER

BEAT_SECONDS = 0.5
RENEW_SECONDS = 1.0
CLOSE_SECONDS = 3.0
TEND_SECONDS = 5.0


class GuardError(Exception):
    """The guard can not start. The message says why and what to do."""


class Guard:
    """One desk's guard. `http_port` overrides desk.yaml's; with neither, there is no TCP."""

    def __init__(
        self, config: DeskConfig, *, http_port: int | None = None, clock: Callable[[], int] = time.time_ns
    ) -> None:
        """Take hold of everything that can refuse. Raises GuardError."""
        self.config = config
        self.folder = config.state
        self.clock = clock
        self.lag = 0.0
        self._stop_why = ""
        self._ended = asyncio.Event()
        port = http_port if http_port is not None else None if config.http is None else config.http.port
        try:
            self._instance = Instance(self.folder)
            self.specs = self._monitors()
            self.exchanges = Exchanges()
            self.venues: dict[str, Venue] = {
                venue.name: desk.connect(venue, self.exchanges.of_adapter(venue.name)) for venue in config.venues
            }
            self.switches = _switches(self.venues)
            self.tokens = None if port is None else Tokens(self.folder / "tokens.json")
            self.listening = None if port is None else _listen(port)
            self.writer = JournalWriter(self.folder / "journal", "guard", clock)
        except (AlreadyRunning, KeyFileError, UnknownAdapter, TokenFileError, JournalError) as error:
            raise GuardError(str(error)) from None
        except OSError as error:
            raise GuardError(f"{self.folder}: {error}") from None
        secrets = Secrets((), secret_files(config))
        self.hosts: dict[str, StrategyHost] = {
            each.name: HttpStrategyHost(each.name, each.host, clean=secrets.redactor.text) for each in config.strategies
        }

    async def run(self) -> None:
        """Until `stop`."""
        (self.folder / "http.json").unlink(missing_ok=True)  # a killed guard's
        recovered = recover(self.folder / "journal")
        hub = self.hub = Hub(self.writer, recovered.state, self.clock)
        self.evidence = Evidence(hub, self.config, self.venues, self.hosts, self.exchanges)
        self.accounts = {name: row.info.account for name, row in recovered.state.venues.items()}
        self.contacts = self._contacts(recovered.state.contacts)
        gate = self.gate = GateKeeper(hub, self.folder, self.config.name, recovered.halt(self.writer.writer))
        plan = self._compile()
        self._plan_aside = Aside("plan")
        self._tokens_aside = Aside("tokens")
        self._describe()
        hub.journal(
            ev.GuardStarted(version=__version__, pid=os.getpid(), recovered=recovered.records, torn=self.writer.torn)
        )
        self.hand = Hand(hub, gate, plan, self.folder / "journal", recovered.closes, self.clock, self.exchanges.of_cord)
        self.logbook = LogKeeper(hub)
        fresh = Fresh(hub, self.venues, self.hosts)
        self.resumption = Resumption(hub, gate, self.hand.cord, self.venues, self.hosts, fresh, self.config.path)
        self.adjusting = Adjusting(hub, fresh, self.venues, self.hosts)
        self.evidence.attend(plan, self.logbook)
        self.stream = Stream(
            self.folder / "guard.sock",
            version=__version__,
            desk=self.config.name,
            state=lambda: hub.state,
            command=self._command,
        )
        hub.listeners.append(self.stream.broadcast)
        hub.jumped = self.stream.resnapshot
        try:
            self.hand.start()
            await self.stream.open()
        except OSError as error:
            raise GuardError(str(error)) from None
        gate.renew()
        self.resumption.recover()
        await self._watch(recovered)

    async def _watch(self, recovered: Recovered) -> None:
        hub, config = self.hub, self.config
        simulated = config.mode == "simulated"
        pace = SIMULATED if simulated else REAL
        await self.evidence.recover()
        peaks = Peaks(self.folder / "peaks.json")
        monitors = Monitors(hub, self.specs, config.limits.by_name)
        self.refusals = Refusals(hub)
        http = await self._open_http()
        others = self.others = Others(
            recovered.tail,
            self.writer.writer,
            take=self._take,
            orphans=self.hand.orphans,
            found=self.hand.take_over,
        )
        others.start()
        self.notifier = Notifier()
        self.notifier.ready()
        tasks = [
            asyncio.create_task(keep_doing("the hub", 0, hub.run)),
            asyncio.create_task(keep_doing("the beat", 0, self._beat)),
            asyncio.create_task(keep_doing("the gate", RENEW_SECONDS, self._renew)),
            asyncio.create_task(keep_doing("the recorder", 1, self.evidence.recorder.run)),
            asyncio.create_task(keep_doing("the recording", FLUSH_SECONDS, self.evidence.record)),
            asyncio.create_task(keep_doing("the incidents", TEND_SECONDS, self.evidence.tend)),
            asyncio.create_task(keep_doing("the monitors", 0, monitors.run)),
            asyncio.create_task(keep_doing("the ways in", RELOAD_SECONDS, self._ways_in)),
        ]
        watches = {}
        for name, venue in self.venues.items():
            fills = Fills(hub, venue, recovered.fills.at.get(name, {}))
            symbols = desk.symbols_at(config.strategies, name)
            watches[name] = VenueWatch(hub, venue, symbols, pace, fills, peaks, self._identified)
        triggers = Triggers(hub, config.triggers, self.hand.cord.pull, lambda venue: watches[venue].venue_now())
        tasks.append(asyncio.create_task(keep_doing("the triggers", 0, triggers.run)))
        tasks += [asyncio.create_task(watch.run()) for watch in watches.values()]
        for name, (switch, timeout) in self.switches.items():
            keeper = DeadMan(hub, name, switch, timeout)
            tasks.append(asyncio.create_task(keep_doing(f"dead-man switch of {name}", 1, keeper.run)))
        tasks += [asyncio.create_task(StrategyWatch(hub, host, pace).run()) for host in self.hosts.values()]
        try:
            await self._ended.wait()
        finally:
            self.notifier.stopping()
            others.end()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._close(http)

    def stop(self, why: str) -> None:
        self._stop_why = why
        self._ended.set()

    async def _close(self, http: Http | None) -> None:
        await self.evidence.end()
        self.refusals.end()
        last = self.hub.journal(ev.GuardStopped(why=self._stop_why))
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.wrap_future(last)
        await asyncio.sleep(0)  # whoever is attached hears of it
        self.hand.stop()
        self.stream.close()
        if http is not None:
            (self.folder / "http.json").unlink(missing_ok=True)
            await http.stop()
        await asyncio.gather(
            *(venue.aclose() for venue in self.venues.values()), *(host.aclose() for host in self.hosts.values())
        )
        closing = threading.Thread(target=self.writer.close, daemon=True)  # a hung disk must not keep the process
        closing.start()
        closing.join(CLOSE_SECONDS)
        self._instance.release()

    def _take(self, records: list[ev.Record]) -> None:
        """What other hands journaled."""
        for record in records:
            self.hub.adopt(record)

    # --- the desk ----------------------------------------------------------------------------------------------------

    def _contacts(self, known: tuple[ev.ContactInfo, ...]) -> tuple[ev.ContactInfo, ...]:
        """The desk's contacts. A mistake in their file must not cost the desk its guard: then those `known` stand."""
        try:
            return load_contacts(self.config.path.parent, [venue.name for venue in self.config.venues])
        except ConfigError as error:
            print(f"andon guard: {error}; the contacts known before stand", file=sys.stderr, flush=True)
            return known

    def _monitors(self) -> tuple[MonitorSpec, ...]:
        specs, wrong = load_monitors(self.config.path.parent / OWN_FOLDER, self.config.limits.by_name)
        for error in wrong:
            print(f"andon guard: {error}; what came with Andon stands", file=sys.stderr, flush=True)
        return specs

    def _describe(self) -> None:
        monitors = tuple(spec.info for spec in self.specs)
        netted = desk.nets(self.venues)
        self.hub.journal(desk.described(self.config, self.accounts, monitors, self.contacts, netted=netted))

    def _compile(self) -> Plan:
        """cord.json anew. A disk that does not take it leaves the last one there for the other hand."""
        retired = {name: row.retired for name, row in self.hub.state.venues.items()}
        told = desk.plan_of(self.config, self.venues, self.accounts, self.contacts, retired)
        try:
            return write_plan(str(self.folder), told)
        except OSError as error:
            print(f"andon guard: cord.json is not renewed: {error}", file=sys.stderr, flush=True)
            return Plan(str(self.folder), told)

    def _identified(self, venue: str, number: str) -> None:
        """A venue said which account this is."""
        if self.accounts.get(venue) != number:
            self.accounts[venue] = number
            self._describe()
            self._plan_aside.ask(self._compile_aside)

    def _compile_aside(self) -> None:
        self._compile()

    async def _command(self, name: str, arguments: dict[str, str], actor: str) -> str:
        """What a console may ask for. Raises RuntimeError with the reason for a refusal."""
        match name, arguments:
            case "reason", {"pull": pull, "text": text}:
                if pull not in self.hub.state.pulls:
                    raise RuntimeError(f"there is no pull {pull}")
                self.hub.journal(ev.PullReason(pull=pull, reason=text.strip()[:1000]), actor)
                return "the reason is noted"
            case "disable", {"strategy": strategy}:
                return await self._disable(strategy, actor)
            case "prove", asked:
                return _answer(await self.resumption.prove(_asked(asked)))
            case "resume", asked:
                return _answer(await self.resumption.resume(_asked(asked), actor))
            case "differences", {"venue": venue}:
                return _answer(await self.adjusting.look(venue))
            case "adjust", {"venue": venue, "kinds": kinds, "shown": shown}:
                return _answer(await self.adjusting.adjust(venue, frozenset(kinds.split(",")), shown, actor))
            case "retire", {"venue": venue, "reason": reason, "confirm": confirm}:
                return await self._retire(venue, reason, confirm, actor)
            case "keep", {"entry": entry}:
                return await self.logbook.keep(entry, actor)
            case "drill", {"drill": _, "id": _, "pull": _, "report": _, "sha256": _, "late_orders": _}:
                return await keep_drill(self.hub, self.folder, arguments, actor)
        told = await self.evidence.command(name, arguments, actor)
        if told is not None:
            return told
        raise RuntimeError(f"the guard knows no command {name!r} with {', '.join(arguments) or 'no arguments'}")

    async def _disable(self, strategy: str, actor: str) -> str:
        if strategy not in self.hosts:
            raise RuntimeError(f"there is no strategy {strategy!r}")
        answer = await self.hosts[strategy].enable(False)
        if not isinstance(answer, Acked):
            raise RuntimeError(f"{strategy} was not disabled: {answer}")
        self.hub.journal(ev.StrategyChanged(strategy=strategy, what="disabled", detail=f"by {actor}"), actor)
        return f"{strategy} is disabled"

    async def _retire(self, venue: str, reason: str, confirm: str, actor: str) -> str:
        try:
            event = retire(self.hub.state, venue, reason, confirm)
        except RuntimeError as refusal:
            self.hub.journal(ev.Refused(what=f"retire {venue}", why=str(refusal)), actor)
            raise
        await asyncio.wrap_future(self.hub.journal(event, actor))
        self._plan_aside.ask(self._compile_aside)
        return f"{venue} is retired; the cord still tries it"

    # --- beating -----------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + BEAT_SECONDS
        await asyncio.sleep(BEAT_SECONDS)
        self.lag = max(0.0, loop.time() - due)
        trouble = [self.hub.trouble, self.gate.trouble, *self.evidence.trouble, *self.others.missing]
        self.hub.sample(ev.GuardBeat(round(self.lag * 1000), tuple(each for each in trouble if each)))
        self.notifier.watchdog()

    async def _renew(self) -> None:
        self.gate.renew()

    async def _ways_in(self) -> None:
        self.refusals.flush()
        if self.tokens is not None:
            self._tokens_aside.ask(self.tokens.reload)

    # --- http --------------------------------------------------------------------------------------------------------

    async def _open_http(self) -> Http | None:
        if self.listening is None or self.tokens is None:
            return None
        recorder = self.evidence.recorder
        parts = Parts(self.hub, self.hand.cord, self.gate, recorder, self.tokens, self.refusals, self._figures)
        http = Http(parts, self.listening)
        await http.start()
        new = self.folder / "http.json.new"
        try:
            new.write_text(json.dumps({"url": http.url, "token_file": str(self.tokens.path)}))
            new.replace(self.folder / "http.json")
        except OSError as error:  # a full disk must not keep the guard from its post
            print(f"andon guard: it listens on {http.url}, but http.json can not say so: {error}", file=sys.stderr)
        return http

    def _figures(self) -> list[Family]:
        what = {"version": __version__, "desk": self.config.name, "mode": self.config.mode}
        return own_families(what, self.lag, self.stream, self.hub, self.evidence.recorder)


def _switches(venues: Mapping[str, Venue]) -> dict[str, tuple[DeadManSwitch, float]]:
    """The dead-man switches that venues declare, with their timeouts. Raises GuardError where one is only declared."""
    found: dict[str, tuple[DeadManSwitch, float]] = {}
    for name, venue in venues.items():
        timeout = venue.capabilities.dead_man
        if timeout is not None:
            if not isinstance(venue, DeadManSwitch) or timeout <= 0:
                raise GuardError(f"venue {name!r}: its adapter declares a dead-man switch that it does not have")
            found[name] = (venue, timeout)
    return found


def _listen(port: int) -> socket.socket:
    try:
        return listen(port)
    except OSError as error:
        raise GuardError(
            f"the guard's HTTP can not listen on 127.0.0.1:{port}: {error.strerror}; "
            "choose another with --http-port, 0 picks a free one"
        ) from None


def _asked(arguments: dict[str, str]) -> Asked:
    try:
        return msgspec.convert(arguments, Asked)
    except msgspec.ValidationError as error:
        raise RuntimeError(f"not a resume: {error}") from None


def _answer(told: msgspec.Struct) -> str:
    return ev.encode(told).decode()


async def _serve(guard: Guard) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, guard.stop, signal.Signals(number).name)
    await guard.run()


def run(config: DeskConfig, http_port: int | None = None) -> int:
    """`andon guard`: run until SIGTERM or SIGINT. Returns the exit code, 2 where the guard can not start."""
    be_prompt()
    gc.freeze()  # what was imported stays: a collector that looks through it keeps the interpreter from the cord
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})  # inherited by every thread: one waits for it
    try:
        asyncio.run(_serve(Guard(config, http_port=http_port)))
    except GuardError as error:
        print(f"andon guard: {error}", file=sys.stderr)
        return 2
    return 0
