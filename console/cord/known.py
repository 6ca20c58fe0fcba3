"""Whether a symbol that somebody typed is known anywhere. A slip of the finger must not read as a success, and whatever
might exist must be pulled: only where every venue has answered, and none knows it, is it called unknown."""

import difflib
import threading
import time

from console.cord.forms import FormHand, Unread
from console.cord.keys import KeyFileError
from console.cord.plan import Plan, VenuePlan
from console.desk.pull import Scope, normal_symbol


class Doubt:
    """About names of a symbol scope that no strategy of the plan trades and no venue was seen to know; `silent` venues
    did not answer. It is `certain` where every name is such a one, every venue answered, and every strategy says what
    it trades: then there is nothing to stop."""

    def __init__(self, names: list[str], known: set[str], silent: list[str], *, certain: bool) -> None:
        self.names = names
        self.known = known
        self.silent = silent
        self.certain = certain

    def __str__(self) -> str:
        told = []
        for name in self.names:
            near = difflib.get_close_matches(name, sorted(self.known), 3, 0.5)
            told.append(f"{name} (did you mean {' or '.join(near)}?)" if near else name)
        unseen = f" (no answer from {', '.join(self.silent)})" if self.silent else ""
        return (
            f"nothing is known under {', '.join(told)}: no strategy trades it, no venue holds it or has an order in it"
            f"{unseen}; known here: {', '.join(sorted(self.known)) or 'nothing'}"
        )


def doubt_about(plan: Plan, scope: Scope, within: float) -> Doubt | None:
    """Asks the venues, all at once and for `within` seconds, about names that the plan does not know. None where every
    name of the scope is known. A retired venue is asked, and not waited for."""
    traded = {normal_symbol(symbol) for each in plan.strategies.values() for symbol in each["symbols"]}
    names = [name for name in scope.names if name not in traded] if scope.kind == "symbol" else []
    if not names:
        return None
    answers: dict[str, set[str]] = {}
    threads = {
        name: threading.Thread(target=_look, args=(venue, answers), daemon=True) for name, venue in plan.venues.items()
    }
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + within
    for name, thread in threads.items():
        thread.join(0 if name in plan.retired else max(0.0, deadline - time.monotonic()))
    seen = dict(answers)
    known = traded.union(*seen.values())
    names = [name for name in names if name not in known]
    if not names:
        return None
    silent = [name for name in plan.venues if name not in seen and name not in plan.retired]
    open_ended = [name for name, each in plan.strategies.items() if not each["symbols"]]
    certain = len(names) == len(scope.names) and not silent and not open_ended
    return Doubt(names, known, silent, certain=certain)


def _look(venue: VenuePlan, seen: dict[str, set[str]]) -> None:
    """What the venue holds, and what its open and latest orders are in. One that does not answer is not noted."""
    hand = FormHand(venue)
    try:
        hand.read_keys()
        rows = [*hand.open_orders(), *hand.orders(None)]
        symbols = {row.symbol for row in rows} | hand.positions().keys()
    except (KeyFileError, Unread):
        return
    finally:
        hand.close()
    seen[venue.name] = {normal_symbol(symbol) for symbol in symbols}
