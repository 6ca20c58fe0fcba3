"""cord.json: all that a hand needs to stop the desk, compiled by the guard from the last valid desk.yaml.

It holds endpoints, request forms and the places of key files, never a secret, so that a broken desk.yaml, a missing
library or a bare shell never blinds the cord. Mode 0640.
"""

import json
import os
from typing import Any
from urllib.parse import urlsplit

from console.cord.request import PullRequest
from console.desk.call import Contact
from console.desk.pull import Level, Scope


class PlanError(Exception):
    """cord.json is missing or can not be read. The message names the file."""


class VenuePlan:
    """How to reach and ask one venue. `keys` is an absolute path, empty for the environment; `retired` says why the
    venue was taken out for good; `form` see forms.py."""

    __slots__ = ("account", "form", "host", "keys", "name", "phone", "port", "prefix", "retired", "timeout", "tls")

    def __init__(self, told: dict[str, Any]) -> None:
        self.name: str = told["name"]
        self.account: str = told.get("account", "")
        self.phone: str = told.get("phone", "")
        self.keys: str = told["keys"]
        self.retired: str = told.get("retired", "")
        self.timeout = float(told.get("timeout", 5))
        self.form: dict[str, Any] = told["form"]
        url = urlsplit(told["url"])
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"venue {self.name}: not a web address: {told['url']}")
        self.tls = url.scheme == "https"
        self.host: str = url.hostname
        self.port = url.port or (443 if self.tls else 80)
        self.prefix: str = url.path.rstrip("/")


class Plan:
    """The desk as the cord sees it."""

    __slots__ = ("desk", "folder", "mode", "netted", "quiet", "strategies", "told", "venues")

    def __init__(self, folder: str, told: dict[str, Any]) -> None:
        self.folder = folder
        self.told = told
        self.desk: str = told["desk"]
        self.mode: str = told["mode"]
        self.quiet = float(told["quiet_seconds"])
        self.netted = bool(told["netted"])
        self.venues = {venue["name"]: VenuePlan(venue) for venue in told["venues"]}
        self.strategies: dict[str, dict[str, Any]] = {strategy["name"]: strategy for strategy in told["strategies"]}

    @property
    def retired(self) -> dict[str, str]:
        """Venues that were taken out for good, and why. They are tried, and are asked for no proof."""
        return {name: venue.retired for name, venue in self.venues.items() if venue.retired}

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Whom to call. Never a reason not to pull: what can not be understood here is left out."""
        try:
            return tuple(
                Contact(**{name: contact[name] for name in Contact.__slots__ if name in contact})
                for contact in self.told.get("contacts", ())
            )
        except TypeError:
            return ()

    @classmethod
    def load(cls, folder: str) -> "Plan":
        """Read `cord.json` in the desk's state folder. Raises PlanError."""
        path = os.path.join(folder, "cord.json")
        try:
            with open(path, "rb") as file:
                return cls(folder, json.loads(file.read()))
        except OSError as error:
            raise PlanError(f"{path}: {error.strerror}; has a guard ever run on this desk?") from None
        except (ValueError, KeyError, TypeError) as error:
            raise PlanError(f"{path}: not a cord plan ({error!r}); start the guard once to write it anew") from None

    def venues_in(self, scope: Scope) -> tuple[str, ...]:
        """The venues that a pull of this scope has to reach."""
        if scope.kind == "venue":
            return tuple(name for name in self.venues if name in scope.names)
        if scope.kind == "strategy":
            traded_at = {self.strategies[name]["venue"] for name in scope.names if name in self.strategies}
            return tuple(name for name in self.venues if name in traded_at)
        return tuple(self.venues)

    def refusal(self, request: PullRequest) -> str:
        """Why this desk can not be pulled so, in a sentence; empty where it can."""
        level, scope = request.level, Scope.parse(request.scope)
        known = {"venue": tuple(self.venues), "strategy": tuple(self.strategies)}.get(scope.kind)
        for name in scope.names:
            if known is not None and name not in known:
                return f"no {scope.kind} {name!r} on desk {self.desk!r}; there are: {', '.join(known) or 'none'}"
        if level == "L4" and scope.kind == "strategy" and self.netted:
            symbols = sorted({symbol for name in scope.names for symbol in self.strategies[name]["symbols"]})
            flags = " ".join(f"--symbol {symbol}" for symbol in symbols)
            return (
                "strategies net in one account here: closing one strategy's share could flip the rest; "
                f"flatten its symbols instead: {flags or '--symbol X'}"
            )
        return spares_refused(request)


def spares_refused(request: PullRequest) -> str:
    """Why the orders that a pull is to leave can not be left at its level, in a sentence; empty where they can."""
    if request.level != "L4":
        return ""
    if request.keep_protective:
        return "L4 flattens: there is nothing left to protect, and it keeps no order; leave keep-protective away"
    if request.own_only and Scope.parse(request.scope).takes_foreign:
        return "L4 flattens: every order in a symbol has to go before its position; leave own-only away, or pull L3"
    return ""


def covers_account(scope: Scope) -> bool:
    """Whether the pull takes everything in an account, or all but what it was told to leave."""
    return scope.covers_account


def in_bulk(request: PullRequest) -> bool:
    """Whether the pull cancels everything in an account, so that the venue's own bulk call may be used."""
    return Level(request.level).cancels and covers_account(Scope.parse(request.scope)) and not request.spares


def order_in(scope: Scope, *, symbol: str, client_order_id: str) -> bool:
    """Whether an order (at a venue that the scope reaches) falls into the scope."""
    return scope.takes_order(symbol=symbol, client_order_id=client_order_id)


def position_in(scope: Scope, symbol: str) -> bool:
    """Whether a position falls into the scope. A strategy's share of a netted position never does."""
    return scope.takes_position(symbol)


def write_plan(folder: str, told: dict[str, Any]) -> Plan:
    """Write `cord.json` (atomically, mode 0640) and return it as a Plan. Raises OSError, and ValueError before writing
    where `told` does not make a plan."""
    plan = Plan(folder, told)
    path = os.path.join(folder, "cord.json")
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    with os.fdopen(descriptor, "w") as file:
        json.dump(told, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)
    return plan
