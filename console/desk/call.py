"""Whom to call when a venue can not prove that it stopped, and what to say: short lines, fit to be read aloud.

Only the standard library is used, and no dataclasses: `andon kill` says the same with no guard and no console.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from console.desk.pull import Level, Scope, Verdict

READ_ALOUD = 8
"""So many orders are named one by one; the rest is counted."""


class Person(Protocol):
    """Somebody to call: see console.desk.events.ContactInfo for what the fields mean."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def phone(self) -> str: ...
    @property
    def hours(self) -> str: ...
    @property
    def level(self) -> int: ...
    @property
    def venue(self) -> str: ...


class Contact:
    """A person as cord.json tells of one."""

    __slots__ = ("email", "hours", "level", "name", "phone", "role", "url", "venue")

    def __init__(
        self,
        *,
        name: str,
        phone: str,
        role: str = "",
        hours: str = "",
        level: int = 1,
        email: str = "",
        url: str = "",
        venue: str = "",
    ) -> None:
        self.name = name
        self.role = role
        self.phone = phone
        self.hours = hours
        self.level = level
        self.email = email
        self.url = url
        self.venue = venue


def brokers_desk(contacts: Iterable[Person], venue: str, phone: str) -> list[Person]:
    """Who answers for a venue, the first rung first: its own contacts, and the `phone` of desk.yaml where none of them
    has that number."""
    found = sorted((person for person in contacts if person.venue == venue), key=lambda person: person.level)
    if phone and all(person.phone != phone for person in found):
        found.append(Contact(name=f"{venue}’s desk", role="broker", phone=phone, venue=venue))
    return found


def ladder(contacts: Iterable[Person]) -> list[Person]:
    """Our own people, by the rung of the escalation."""
    return sorted((person for person in contacts if not person.venue), key=lambda person: person.level)


def person_line(person: Person) -> str:
    """`+1 555 0100  Sim Broker desk, broker, 24/7`: the number first, because that is what one looks for."""
    about = ", ".join(part for part in (person.name, person.role, person.hours) if part)
    return f"{person.phone}  {about}"


class Standing:
    """What is known to stand at one venue. `orders` are ids with what is known of each (`sell 5 SPY`, or nothing);
    `as_seen` says of when they are where that is not now. `kept` is left standing on purpose: ids with what each does;
    `keep_protective` and `own_only` as the pull had them."""

    __slots__ = (
        "account", "as_seen", "desk", "keep_protective", "kept", "orders", "own_only", "positions", "verdict",
    )  # fmt: skip

    def __init__(
        self,
        *,
        desk: str,
        account: str,
        verdict: Verdict,
        orders: Sequence[tuple[str, str]] = (),
        positions: Sequence[str] = (),
        as_seen: str = "",
        kept: Sequence[str] = (),
        keep_protective: bool = False,
        own_only: bool = False,
    ) -> None:
        self.desk = desk
        self.account = account
        self.verdict = verdict
        self.orders = orders
        self.positions = positions
        self.as_seen = as_seen
        self.kept = kept
        self.keep_protective = keep_protective
        self.own_only = own_only


def what_to_say(level: Level, scope: Scope, at: Standing) -> list[str]:
    """What to ask the broker's desk for, in its own words: an account, an action, and a count to check it by."""
    told = [f"This is trading desk {at.desk}."]
    told.append(
        f"The account is {at.account}." if at.account else "(The account’s number is not known here: look it up.)"
    )
    if at.verdict is Verdict.UNKNOWN:
        told.append("We can not see this account ourselves.")
    told += _orders(level, scope, at)
    told += _positions(level, at)
    told.append(
        "Take no new order from us until I call again."
        if level.cancels
        else "Take only closing orders from us until I call again."
    )
    return told


def _orders(level: Level, scope: Scope, at: Standing) -> list[str]:
    told = [_ask(scope), *_leave(at)] if level.cancels else []
    if at.orders:
        few = "1 order" if len(at.orders) == 1 else f"{len(at.orders)} orders"
        told.append(f"{at.as_seen or 'Still open'}: {few}.")
        told += [f"  {order}  {what}".rstrip() for order, what in at.orders[:READ_ALOUD]]
        if len(at.orders) > READ_ALOUD:
            told.append(f"  and {len(at.orders) - READ_ALOUD} more")
    elif at.verdict is Verdict.UNKNOWN:
        told.append("We do not know which orders are open.")
    where = "" if scope.covers_account else f" {_in(scope)}"
    told.append(f"Then tell me how many orders are open{where}.")
    return told


def _ask(scope: Scope) -> str:
    if scope.covers_account:
        return "Cancel all open orders of this account."
    return f"Cancel all open orders {_in(scope)}."


def _leave(at: Standing) -> list[str]:
    """What the pull was to leave standing: on the telephone, too."""
    told = []
    if at.own_only:
        told.append("Only those that our programs sent: leave what was entered by hand.")
    if at.keep_protective:
        told.append("Leave the stop orders that only reduce a position.")
    told += [f"  keep {order}" for order in at.kept[:READ_ALOUD]]
    if len(at.kept) > READ_ALOUD:
        told.append(f"  and {len(at.kept) - READ_ALOUD} more")
    return told


def _in(scope: Scope) -> str:
    names = ", ".join(scope.names)
    return f"in {names}" if scope.kind == "symbol" else f"whose client id begins with {names}-"


def _positions(level: Level, at: Standing) -> list[str]:
    if not level.flattens:
        return []
    if not at.positions:
        return ["And tell me which positions are left."] if at.verdict is Verdict.UNKNOWN else []
    return [
        f"We still hold: {', '.join(at.positions)}.",
        "Tell me what is left of them. Close nothing yet:",
        "our own closes may be on their way.",
    ]
