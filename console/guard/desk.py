"""From desk.yaml to the things the guard works with: venues, strategy hosts, the cord's plan, the description."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from adapters.base import Connection, Venue
from adapters.registry import make_venue
from console.config import DeskConfig, Limits, StrategyConfig, VenueConfig
from console.cord.keys import keys_of
from console.desk.events import ContactInfo, DeskDescribed, MonitorInfo, StrategyInfo, VenueInfo
from console.desk.exchange import HttpExchange


def limits_hash(limits: Limits) -> str:
    """SHA-256 of what the limits say, however they are written."""
    told = "\n".join(f"{name} {value.normalize():f}" for name, value in sorted(limits.by_name.items()))
    return hashlib.sha256(told.encode()).hexdigest()


def connect(venue: VenueConfig, tap: Callable[[HttpExchange], None]) -> Venue:
    """The venue's adapter with its keys. Raises KeyFileError and UnknownAdapter; opens no connection yet."""
    key_id, secret = keys_of(_keys_path(venue))
    return make_venue(
        venue.adapter, Connection(venue.name, venue.base_url, venue.data_url, key_id, secret, venue.timeout, tap)
    )


def _keys_path(venue: VenueConfig) -> str:
    return "" if venue.keys is None else str(venue.keys)


def symbols_at(strategies: tuple[StrategyConfig, ...], venue: str) -> tuple[str, ...]:
    """What is traded at a venue, each symbol once."""
    return tuple(dict.fromkeys(symbol for each in strategies if each.venue == venue for symbol in each.symbols))


def nets(venues: Mapping[str, Venue]) -> bool:
    """Whether strategies share positions anywhere on the desk."""
    return any(venue.capabilities.netted for venue in venues.values())


def described(
    config: DeskConfig,
    accounts: Mapping[str, str],
    monitors: tuple[MonitorInfo, ...],
    contacts: tuple[ContactInfo, ...],
    *,
    netted: bool,
) -> DeskDescribed:
    """The desk as every reader shall know it; `accounts` are the account numbers known so far, by venue."""
    return DeskDescribed(
        name=config.name,
        mode=config.mode,
        venues=tuple(
            VenueInfo(venue.name, venue.adapter, venue.base_url, accounts.get(venue.name, ""), venue.phone)
            for venue in config.venues
        ),
        strategies=tuple(
            StrategyInfo(each.name, each.venue, each.symbols, each.model_hash) for each in config.strategies
        ),
        config_hash=config.hash,
        quiet_seconds=config.cord.quiet_seconds,
        monitors=monitors,
        limits_hash=limits_hash(config.limits),
        green_seconds=config.cord.green_seconds,
        contacts=contacts,
        netted=netted,
    )


def plan_of(
    config: DeskConfig,
    venues: Mapping[str, Venue],
    accounts: Mapping[str, str],
    contacts: tuple[ContactInfo, ...],
    retired: Mapping[str, str],
) -> dict[str, Any]:
    """What cord.json holds: see console.cord.plan. No secret is in it."""
    return {
        "v": 1,
        "desk": config.name,
        "mode": config.mode,
        "quiet_seconds": config.cord.quiet_seconds,
        "netted": nets(venues),
        "contacts": [msgspec.structs.asdict(contact) for contact in contacts],
        "venues": [
            {
                "name": venue.name,
                "account": accounts.get(venue.name, ""),
                "phone": venue.phone,
                "retired": retired.get(venue.name, ""),
                "url": venue.base_url,
                "keys": _keys_path(venue),
                "timeout": venue.timeout,
                "form": venues[venue.name].cord_form(),
            }
            for venue in config.venues
        ],
        "strategies": [
            {"name": each.name, "venue": each.venue, "symbols": list(each.symbols)} for each in config.strategies
        ],
    }
