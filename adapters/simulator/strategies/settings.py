"""The configuration file of the strategies' process."""

import json
import urllib.parse
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.simulator.strategies.models import KINDS

MOST = Decimal(500)
"""Shares of the largest order, unless the file says so."""


class SettingsError(Exception):
    """The file can not be used. Its str is one sentence that names the file and what is expected."""


@dataclass(frozen=True, slots=True)
class StrategySettings:
    """One strategy. `keys` is a key file: {"key_id", "secret_key"}; no order of it is larger than `most`."""

    name: str
    kind: str
    venue: str
    symbols: tuple[str, ...]
    keys: Path
    most: Decimal = MOST


@dataclass(frozen=True, slots=True)
class HostSettings:
    """`desk_state` is the desk's folder with gate and latch, `out` where books and predictions go."""

    desk_state: Path
    out: Path
    seed: int
    port: int
    broker: str
    strategies: tuple[StrategySettings, ...]


def load(path: Path) -> HostSettings:
    """Raises SettingsError. Relative paths are relative to the file."""
    try:
        told = json.loads(path.read_bytes())
        here = path.parent
        strategies = tuple(_strategy(here, each) for each in told["strategies"])
        settings = HostSettings(
            desk_state=here / told["desk_state"],
            out=here / told["out"],
            seed=int(told["seed"]),
            port=int(told["port"]),
            broker=str(told["broker"]),
            strategies=strategies,
        )
    except OSError as error:
        raise SettingsError(f"{path}: can not be read: {error.strerror}") from None
    except KeyError as error:
        raise SettingsError(f"{path}: {error} is missing") from None
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    names = [strategy.name for strategy in strategies]
    if not names or len(set(names)) < len(names):
        raise SettingsError(f"{path}: at least one strategy is expected, each with a name of its own")
    if urllib.parse.urlsplit(settings.broker).scheme not in ("http", "https"):
        raise SettingsError(f"{path}: broker is {settings.broker!r}; a URL like http://127.0.0.1:4100 is expected")
    return settings


def read_keys(path: Path) -> tuple[str, str]:
    """(key id, secret) of a key file. Raises SettingsError, which never quotes the file."""
    try:
        told = json.loads(path.read_bytes())
        return str(told["key_id"]), str(told["secret_key"])
    except OSError as error:
        raise SettingsError(f"{path}: can not be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError):
        raise SettingsError(f'{path}: {{"key_id": "...", "secret_key": "..."}} is expected') from None


def _strategy(here: Path, told: dict[str, Any]) -> StrategySettings:
    name, kind = str(told["name"]), str(told["kind"])
    if not name.isidentifier():
        raise ValueError(f"{name!r} can not begin a client order id; letters, digits and _ are expected")
    if kind not in KINDS:
        raise ValueError(f"{name}: kind is {kind!r}; one of {', '.join(KINDS)} is expected")
    symbols = tuple(str(symbol) for symbol in told["symbols"])
    if not symbols:
        raise ValueError(f"{name}: at least one symbol is expected")
    most = int(told.get("most", MOST))
    if most <= 0:
        raise ValueError(f"{name}: most is {most}; a number of shares that an order may have is expected")
    return StrategySettings(name, kind, str(told["venue"]), symbols, here / told["keys"], Decimal(most))
