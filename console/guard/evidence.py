"""Everything that is kept of a desk, composed: what is recorded, what is read at a pull, and what is sealed.

The rest of the guard knows this much of it: it is told what consoles ask for, and says what trouble it has.
"""

from collections.abc import Mapping

from adapters.base import StrategyHost, Venue
from console import __version__
from console.config import DeskConfig
from console.cord.plan import Plan
from console.guard import desk
from console.guard.at_pull import AtPull
from console.guard.capture import Capture
from console.guard.drills import keep_restore
from console.guard.exchanges import Exchanges
from console.guard.exhibition import Exhibition
from console.guard.frames import File, LogFile, Ready, Setup
from console.guard.hub import Hub
from console.guard.incidents import Incidents, load_classes
from console.guard.logbook import LogKeeper
from console.guard.recorder import Recorder
from console.guard.recording import Recording
from console.guard.seal_requests import SealRequests
from console.guard.secrets import secret_files
from console.guard.uploads import Uploads, safe_name

SIMULATED_SEGMENT_SECONDS = 5.0
SEGMENT_SECONDS = 60.0


class Evidence:
    """Belongs to the event loop. Made right behind the hub: what is recorded is heard before anybody else hears it."""

    def __init__(
        self,
        hub: Hub,
        config: DeskConfig,
        venues: Mapping[str, Venue],
        hosts: Mapping[str, StrategyHost],
        exchanges: Exchanges,
    ) -> None:
        self._hub = hub
        self._config = config
        self._hosts = hosts
        self._exchanges = exchanges
        self.recorder = Recorder(hub, config.state, self._setup)
        self._recording = Recording(hub, self.recorder)
        self._seals = SealRequests(hub, self._recording, self.recorder)
        symbols = {name: desk.symbols_at(config.strategies, name) for name in venues}
        self._capture = Capture(hub, venues, hosts, symbols, config.path)
        self._uploads = Uploads(config.state / "uploads")
        self.recorder.heard.append(lambda said: exchanges.forget() if isinstance(said, Ready) else None)

    def attend(self, plan: Plan, keeper: LogKeeper) -> None:
        """Follow what becomes of the desk from here on, and go on with what an earlier guard left."""
        at_pull = AtPull(self._hub, plan, self._capture, self._hosts)
        at_pull.recover(self._hub.state)
        self._incidents = Incidents(
            self._hub,
            keeper,
            self._seals,
            Exhibition(self._hub, self._config, self._capture),
            at_pull,
            load_classes(self._config),
            self._config.state / "archive",
        )

    async def recover(self) -> None:
        """Take up what an earlier guard left unsealed."""
        await self._incidents.recover()

    @property
    def trouble(self) -> tuple[str, ...]:
        """What is not kept, a sentence each."""
        return tuple(filter(None, (self.recorder.trouble, *self._incidents.trouble)))

    async def record(self) -> None:
        """Send what was told and what was exchanged on its way."""
        self._recording.step()
        for exchange in self._exchanges.take():
            self.recorder.exchange(exchange)

    async def tend(self) -> None:
        """Seal what is due."""
        self._seals.step()

    async def end(self) -> None:
        """Send the last of it, and let the recorder end."""
        await self.record()
        await self.recorder.end()

    async def command(self, name: str, arguments: Mapping[str, str], actor: str) -> str | None:
        """What a console may ask for; None where that is none of this. Raises RuntimeError with the reason for a
        refusal."""
        match name, arguments:
            case "reindex", {}:
                return await self.recorder.reindex()
            case "restore_drill", {"report": _, "sha256": _}:
                return await keep_restore(self._hub, self._config.state, arguments, actor)
            case "upload", {"upload": upload, "data": data}:
                return await self._uploads.add(upload, data)
            case "snapshot", asked:
                screen = tuple(
                    self._file(f"screen.{kind}", asked[kind], actor, f"the console of {actor}")
                    for kind in ("svg", "txt")
                    if kind in asked
                )
                return await self._incidents.snapshot(asked.get("incident", ""), actor, screen)
            case "attach", {"incident": incident, "upload": upload, "name": told}:
                file = self._file(f"attached-{safe_name(told)}", upload, actor, f"sent as {told}")
                return await self._incidents.attach(incident, (file,), actor)
        return None

    def _file(self, name: str, upload: str, actor: str, source: str) -> File:
        path = str(self._uploads.take(upload))
        return File(name, self._hub.clock(), actor, source, path=path, spooled=True)

    def _setup(self) -> Setup:
        config = self._config
        return Setup(
            desk_folder=str(config.path.parent),
            version=__version__,
            secret_files=secret_files(config),
            logs=tuple(LogFile(log.name, str(log.path)) for log in config.logs),
            minutes=config.recorder.minutes,
            megabytes=config.recorder.megabytes,
            keep_days=config.archive.keep_days,
            archive_megabytes=config.archive.megabytes,
            segment_seconds=SIMULATED_SEGMENT_SECONDS if config.mode == "simulated" else SEGMENT_SECONDS,
        )
