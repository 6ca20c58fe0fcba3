"""desk.yaml: one operated unit, read strictly. Whatever is not understood is refused with its line; see `load`."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from console.cord.keys import KeyFileError, read_keys
from console.desk.trigger import TriggerSpec
from console.strict_yaml import Table, YamlError, table
from console.triggers import armed

MODES = ("simulated", "paper", "live")
LEAST_QUIET_SECONDS = 60
GREEN_SECONDS = 900
_RECORDED = ("recorder", "archive", "logs")
_NAME = re.compile(r"[a-z0-9_]+")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./]*")
_PUBLIC_DATA = {"alpaca": "https://data.alpaca.markets"}
_SYSTEM_DESKS = Path("/etc/andon")
_SYSTEM_STATE = Path("/var/lib/andon")
NOT_YOURS = "a desk is open to its owner and to its group, most often `andon`, alone"


class ConfigError(Exception):
    """Something a person has to mend before the desk can be used; the message says where and how."""


class NoDesk(ConfigError):
    """There is none, and none was asked for by name."""


@dataclass(frozen=True, slots=True)
class VenueConfig:
    """A venue. `keys` is the key file, None where the keys come from the environment; `timeout` in seconds."""

    name: str
    adapter: str
    base_url: str
    data_url: str
    keys: Path | None
    phone: str
    timeout: float


@dataclass(frozen=True, slots=True)
class StrategyConfig:
    """A strategy and where its host answers. `model_hash` is the pin, empty without one."""

    name: str
    venue: str
    symbols: tuple[str, ...]
    host: str
    model_hash: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Percentages are of equity: of yesterday's for the day, of the highest seen for the drawdown."""

    daily_loss_pct: Decimal = Decimal(3)
    drawdown_pct: Decimal = Decimal(6)
    orders_per_minute: int = 120
    errors_per_minute: int = 10

    @property
    def by_name(self) -> dict[str, Decimal]:
        return {name: Decimal(getattr(self, name)) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class CordConfig:
    """`green_seconds`: so long an outside thing must have been well again before a resume that blames it."""

    quiet_seconds: int
    green_seconds: int = GREEN_SECONDS


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """The guard's HTTP on loopback; port 0 picks a free one."""

    port: int


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """How far the flight recorder reaches back, and how much disk it may take for that."""

    minutes: int = 60
    megabytes: int = 256


@dataclass(frozen=True, slots=True)
class ArchiveConfig:
    """How long closed incidents stay in the archive, and how large it may become; 0 is no bound. `pictures` is whether
    the guard draws the screen for the evidence, which takes a second of a processor."""

    keep_days: int = 0
    megabytes: int = 0
    pictures: bool = True


@dataclass(frozen=True, slots=True)
class LogConfig:
    """A log that the flight recorder follows; `path` is absolute."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class DeskConfig:
    """A desk as its file describes it. `state` is absolute; `triggers` are the armed ones; `hash` is the SHA-256 of the
    file's bytes."""

    path: Path
    name: str
    mode: str
    state: Path
    venues: tuple[VenueConfig, ...]
    strategies: tuple[StrategyConfig, ...]
    limits: Limits
    cord: CordConfig
    http: HttpConfig | None
    recorder: RecorderConfig
    archive: ArchiveConfig
    logs: tuple[LogConfig, ...]
    triggers: tuple[TriggerSpec, ...]
    hash: str


def load(path: Path) -> DeskConfig:
    """Read a desk.yaml. Raises ConfigError, `FILE:LINE:COLUMN: what is wrong; what is expected`, at the first thing
    wrong: also where a key file is missing, can be reached by others, or holds no keys."""
    path = path.absolute()
    try:
        data = path.read_bytes()
        return _desk(table(data, path), path, hashlib.sha256(data).hexdigest())
    except OSError as error:
        raise ConfigError(f"{path}: the file can not be read: {error.strerror}") from None
    except YamlError as error:
        raise ConfigError(str(error)) from None


def limits_of(data: bytes, path: Path) -> Limits:
    """What the limits of a desk.yaml say, whatever else is wrong with it. Raises ConfigError."""
    try:
        return _limits(table(data, path).table("limits"))
    except YamlError as error:
        raise ConfigError(str(error)) from None


def _desk(top: Table, path: Path, digest: str) -> DeskConfig:
    top.only("desk", "mode", "state", "venues", "strategies", "limits", "triggers", "cord", "http", *_RECORDED)
    name = _name(top, "desk")
    mode = top.choice("mode", MODES)
    venues = tuple(_venue(each, mode, path.parent) for each in top.tables("venues", "a venue"))
    if not venues:
        top.refuse("venues", "the desk has no venue; at least one under 'venues' is expected")
    _unique(top.tables("venues", "a venue"), "venue")
    strategies = tuple(_strategy(each, venues) for each in top.tables("strategies", "a strategy"))
    _unique(top.tables("strategies", "a strategy"), "strategy")
    limits = _limits(top.table("limits"))
    return DeskConfig(
        path=path,
        name=name,
        mode=mode,
        state=_state(path, name, top.text("state", "")),
        venues=venues,
        strategies=strategies,
        limits=limits,
        cord=_cord(top.table("cord"), mode),
        http=_http(top.table("http")) if top.has("http") else None,
        recorder=_recorder(top.table("recorder")),
        archive=_archive(top.table("archive")),
        logs=_logs(top.tables("logs", "a log"), path.parent),
        triggers=armed(top.table("triggers"), limits.by_name, mode),
        hash=digest,
    )


def _name(where: Table, key: str) -> str:
    name = where.text(key)
    if not _NAME.fullmatch(name):
        where.refuse(key, f"{key!r} of {where.what} is {name!r}; only a-z, 0-9 and _ are expected in a name")
    return name


def _unique(tables: Sequence[Table], what: str) -> None:
    seen: dict[str, int] = {}
    for each in tables:
        name = each.text("name")
        if name in seen:
            each.refuse("name", f"a second {what} is named {name!r} (first in line {seen[name]}); expected once")
        seen[name] = each.line_of("name")


def _venue(venue: Table, mode: str, folder: Path) -> VenueConfig:
    venue.only("name", "adapter", "base_url", "data_url", "keys", "phone", "timeout")
    name = _name(venue, "name")
    venue.what = f"venue {name!r}"
    from adapters.registry import known_adapters  # here: a console that only looks for its desk needs none

    adapter = venue.choice("adapter", known_adapters())
    base_url = _url(venue, "base_url", venue.text("base_url"), mode)
    data_url = base_url if mode == "simulated" else _PUBLIC_DATA.get(adapter, base_url)
    return VenueConfig(
        name=name,
        adapter=adapter,
        base_url=base_url,
        data_url=_url(venue, "data_url", venue.text("data_url", data_url), mode),
        keys=_keys(venue, mode, folder),
        phone=venue.text("phone", ""),
        timeout=float(venue.number("timeout", Decimal(0), Decimal(60), Decimal(5))),
    )


def _url(where: Table, key: str, url: str, mode: str) -> str:
    """The URL without a closing slash. Keys travel in headers: in the clear they may only go to a simulated broker."""
    if "@" in url.partition("://")[2].partition("/")[0]:
        where.refuse(key, f"{key!r} of {where.what} holds a user or password; keys belong into the key file")
    if "?" in url or "#" in url:
        where.refuse(
            key, f"{key!r} of {where.what} has something behind its path; a URL such as https://host is expected"
        )
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        parts, good = urlsplit(""), False
    if not good:
        where.refuse(key, f"{key!r} of {where.what} is {url!r}; a URL such as https://host is expected")
    if mode != "simulated" and parts.scheme != "https":
        where.refuse(key, f"{key!r} of {where.what} is {url!r}; in {mode} mode https:// is expected")
    return url.rstrip("/")


def _keys(venue: Table, mode: str, folder: Path) -> Path | None:
    told = venue.text("keys")
    if told == "env":
        if mode != "paper":
            venue.refuse("keys", f"keys of {venue.what} from the environment are for paper; a key file is expected")
        return None
    path = folder / Path(told).expanduser()
    try:
        read_keys(str(path))
    except KeyFileError as error:
        venue.refuse("keys", f"keys of {venue.what}: {error}")
    return path


def _strategy(strategy: Table, venues: Sequence[VenueConfig]) -> StrategyConfig:
    strategy.only("name", "venue", "symbols", "host", "model_hash")
    name = _name(strategy, "name")
    strategy.what = f"strategy {name!r}"
    symbols = strategy.texts("symbols")
    for symbol in symbols:
        if not _SYMBOL.fullmatch(symbol):
            strategy.refuse(
                "symbols", f"{symbol!r} of {strategy.what} is no symbol; such as AAPL or BTC/USD is expected"
            )
    return StrategyConfig(
        name=name,
        venue=strategy.choice("venue", [venue.name for venue in venues]),
        symbols=symbols,
        host=_url(strategy, "host", strategy.text("host"), "simulated"),
        model_hash=strategy.text("model_hash", ""),
    )


def _limits(limits: Table) -> Limits:
    limits.only("daily_loss_pct", "drawdown_pct", "orders_per_minute", "errors_per_minute")
    usual = Limits()
    return Limits(
        daily_loss_pct=limits.number("daily_loss_pct", Decimal(0), Decimal(100), usual.daily_loss_pct),
        drawdown_pct=limits.number("drawdown_pct", Decimal(0), Decimal(100), usual.drawdown_pct),
        orders_per_minute=limits.whole("orders_per_minute", 1, 1_000_000, usual.orders_per_minute),
        errors_per_minute=limits.whole("errors_per_minute", 1, 1_000_000, usual.errors_per_minute),
    )


def _cord(cord: Table, mode: str) -> CordConfig:
    cord.only("quiet_seconds", "green_seconds")
    quiet = cord.whole("quiet_seconds", 1, 86_400, LEAST_QUIET_SECONDS)
    if quiet < LEAST_QUIET_SECONDS and mode != "simulated":
        why = f"'quiet_seconds' is {quiet}; in {mode} mode at least {LEAST_QUIET_SECONDS} is expected"
        cord.refuse("quiet_seconds", why)
    green = cord.whole("green_seconds", 1, 86_400, GREEN_SECONDS)
    if green < GREEN_SECONDS and mode != "simulated":
        why = f"'green_seconds' is {green}; in {mode} mode at least {GREEN_SECONDS} is expected"
        cord.refuse("green_seconds", why)
    return CordConfig(quiet, green)


def _http(http: Table) -> HttpConfig:
    http.only("port")
    return HttpConfig(http.whole("port", 0, 65_535, 0))


def _recorder(recorder: Table) -> RecorderConfig:
    recorder.only("minutes", "megabytes")
    usual = RecorderConfig()
    return RecorderConfig(
        minutes=recorder.whole("minutes", 10, 10_080, usual.minutes),
        megabytes=recorder.whole("megabytes", 16, 1_048_576, usual.megabytes),
    )


def _archive(archive: Table) -> ArchiveConfig:
    archive.only("keep_days", "megabytes", "pictures")
    return ArchiveConfig(
        keep_days=archive.whole("keep_days", 1, 36_500, 0),
        megabytes=archive.whole("megabytes", 1, 1_048_576, 0),
        pictures=archive.truth("pictures", True),
    )


def _logs(logs: Sequence[Table], folder: Path) -> tuple[LogConfig, ...]:
    _unique(logs, "log")
    found: list[LogConfig] = []
    for log in logs:
        log.only("name", "path")
        found.append(LogConfig(_name(log, "name"), folder / Path(log.text("path")).expanduser()))
    return tuple(found)


# --- finding --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Glance:
    """What can be told of a desk without its file being right: enough to find its state and to pull its cord."""

    path: Path
    name: str
    mode: str
    state: Path


def user_state() -> Path:
    """Where this user's desks keep their state."""
    told = os.environ.get("XDG_STATE_HOME", "")
    return (Path(told) if told.startswith("/") else Path.home() / ".local" / "state") / "andon"


def glance(path: Path) -> Glance:
    """Name, mode and state folder of a desk.yaml, even of one with mistakes in it. Raises ConfigError only where the
    file can not be read at all."""
    path = path.absolute()
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise ConfigError(f"{path}: the file can not be read: {error.strerror}") from None
    told = {key: value.strip("\"'") for key, value in _TOP_LINES.findall(text)}
    name = told.get("desk") or path.parent.name
    mode = told.get("mode", "")
    return Glance(path, name, mode, _state(path, name, told.get("state", "")))


_TOP_LINES = re.compile(r"^(desk|mode|state):[ \t]+([^\s#]+|\"[^\"\n]*\"|'[^'\n]*')", re.MULTILINE)


def _state(path: Path, name: str, told: str) -> Path:
    return path.parent / Path(told).expanduser() if told else _SYSTEM_STATE / name


def find(desk: str | None = None) -> Path:
    """The desk.yaml that a command is about: `desk` (a name or a path), else $ANDON_DESK, else the only one there is,
    where several are the only one that is not simulated. Raises ConfigError."""
    told = desk or os.environ.get("ANDON_DESK", "")
    if told:
        try:
            return _named(told)
        except PermissionError as error:
            raise ConfigError(f"{error.filename}: it can not be read; {NOT_YOURS}") from None
    try:
        found = [path for place in _places() for path in sorted(place.glob("*/desk.yaml"))]
    except PermissionError as error:
        raise ConfigError(f"{error.filename}: desks may lie there, but it can not be read; {NOT_YOURS}") from None
    if not found:
        raise NoDesk(
            "there is no desk yet: `andon demo` starts a simulated one, `andon init DIR` writes a desk.yaml, and "
            "--desk names one that lies elsewhere"
        )
    real = [path for path in found if glance(path).mode != "simulated"]
    choice = real if len(found) > 1 else found
    if len(choice) != 1:
        listed = ", ".join(f"{path.parent.name} ({path})" for path in found)
        raise ConfigError(f"there are several desks: {listed}; say which with --desk NAME")
    return choice[0]


def _places() -> tuple[Path, Path]:
    return user_state(), _SYSTEM_DESKS


def _named(told: str) -> Path:
    path = Path(told).expanduser()
    if _NAME.fullmatch(told) and not path.is_file():
        tried = [place / told / "desk.yaml" for place in _places()] + [path / "desk.yaml"]
        for candidate in tried:
            if candidate.is_file():
                return candidate.absolute()
        places = f"none of {tried[0]}, {tried[1]} and {tried[2].absolute()} exists"
        raise ConfigError(f"there is no desk named {told!r}: {places}")
    if path.is_dir():
        path = path / "desk.yaml"
    if not path.is_file():
        raise ConfigError(
            f"{path}: there is no such desk file; --desk takes a desk's name or the path of its desk.yaml"
        )
    return path.absolute()
