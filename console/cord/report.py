"""What has become of a pull, told to a terminal: one line a change, and one JSON object at the end."""

import time
from collections.abc import Collection
from typing import Any

from console.cord.plan import Plan
from console.cord.request import SPARES
from console.desk.call import Standing, brokers_desk, ladder, person_line, what_to_say
from console.desk.pull import Level, Scope, Verdict, worst


class Report:
    """Follows one pull's events. `venues` maps each venue to its latest verdict record. `spares` is what the pull was
    asked to leave standing (see request.py), `retired` venues that are gone for good and why: they are tried, and prove
    nothing."""

    def __init__(self, pull: str, spares: Collection[str] = (), retired: dict[str, str] | None = None) -> None:
        self.pull = pull
        self.retired = retired or {}
        self.asked_to_spare = spares
        self.spares: tuple[str, ...] = ()
        self.level = self.scope = self.hand = ""
        self.venues: dict[str, dict[str, Any]] = {}
        self.answers: list[dict[str, Any]] = []
        self.notes: list[str] = []

    @property
    def verdict(self) -> Verdict:
        """With no word at all, nothing is known."""
        return worst([Verdict(venue["verdict"]) for venue in self.proving.values()])

    @property
    def proving(self) -> dict[str, dict[str, Any]]:
        """The venues that have to prove that they stopped."""
        return {name: row for name, row in self.venues.items() if name not in self.retired}

    @property
    def retired_lines(self) -> list[str]:
        """A line for each venue in scope that proves nothing any more."""
        names = [name for name in self.venues if name in self.retired]
        return [f"RETIRED   {name}: {self.retired[name]}; tried all the same" for name in names]

    @property
    def venues_text(self) -> str:
        """Every venue that has not verified, with its reason."""
        open_ones = [(name, told) for name, told in self.proving.items() if told["verdict"] != Verdict.VERIFIED]
        return "; ".join(f"{name} {told['verdict']}: {told['why']}" for name, told in open_ones)

    def call(self, plan: Plan) -> list[str]:
        """Whom to call about each venue that is PARTIAL or UNKNOWN and what to say, then our own people; empty where
        there is no such venue, or the pull was never recorded."""
        rows = {name: row for name, row in self.proving.items() if Verdict(row["verdict"]).exit_code in (3, 4)}
        if not rows or not self.level:
            return []
        lines: list[str] = []
        for name, row in rows.items():
            venue = plan.venues.get(name)
            people = brokers_desk(plan.contacts, name, venue.phone if venue else "")
            told = [person_line(person) for person in people] or ["no number is known here: use the one you have"]
            lines += ["", *(f"CALL {name}  {line}" for line in told)]
            standing = Standing(
                desk=plan.desk,
                account=venue.account if venue else "",
                verdict=Verdict(row["verdict"]),
                orders=[(order, "") for order in row["standing"]],
                positions=row["positions"],
                as_seen="Open when we last looked" if row["verdict"] == Verdict.UNKNOWN else "",
                kept=row["kept"],
                **dict.fromkeys(self.spares, True),
            )
            lines += [f"  | {line}" for line in what_to_say(Level(self.level), Scope.parse(self.scope), standing)]
        ours = [f"  level {person.level}  {person_line(person)}" for person in ladder(plan.contacts)]
        return [*lines, *(["", "Our own people, first to last", *ours] if ours else [])]

    def feed(self, event: dict[str, Any]) -> str:
        """Take an event `{"kind", "ts", "data"}` in. Returns the line to print, "" for none."""
        data = event["data"]
        teller = getattr(self, f"_{event['kind']}", None)
        line = "" if teller is None or data.get("pull") != self.pull else teller(data)
        return f"{_clock(data.get('at') or event['ts'])}  {line}" if line else ""

    def object(self) -> dict[str, Any]:
        """Everything, for machines: orders and positions that still stand; times in UTC ns, 0 until reached."""
        times = {
            name: max((venue[name] for venue in self.proving.values()), default=0)
            if all(venue[name] for venue in self.proving.values())
            else 0
            for name in ("t_blocked", "t_flat", "t_verified")
        }
        return {
            "pull": self.pull,
            "level": self.level,
            "scope": self.scope,
            "hand": self.hand,
            **{name: name in self.spares for name in SPARES},
            "verdict": str(self.verdict),
            "venues": self.venues,
            "retired": {name: why for name, why in self.retired.items() if name in self.venues},
            "orders": sum(len(venue["standing"]) for venue in self.venues.values()),
            "positions": sum(len(venue["positions"]) for venue in self.venues.values()),
            **times,
            "answers": self.answers,
            "notes": self.notes,
        }

    def _pulled(self, data: dict[str, Any]) -> str:
        again = bool(self.level)
        self.level, self.scope, self.hand = data["level"], data["scope"], data["hand"]
        for name in data["venues"]:
            self.venues.setdefault(name, _nothing_yet())
        self.spares = tuple(name for name in SPARES if data.get(name))
        by = "the guard is silent: sent directly from here" if self.hand == "direct" else "the guard has it"
        told = f"{'again ' if again else ''}{self.level} {self.scope}{self._spares_text(data)}: {by} ({self.pull})"
        unheard = [name.replace("_", "-") for name in self.asked_to_spare if name not in self.spares]
        if unheard:
            self.notes.append(f"this guard does not know {' and '.join(unheard)}: it cancels those orders too")
            told += f"\n{self.notes[-1]}"
        return told

    def _spares_text(self, data: dict[str, Any]) -> str:
        """Whose orders are touched, and which are not: said wherever orders are cancelled."""
        level, scope = Level(data["level"]), Scope.parse(data["scope"])
        if not level.cancels:
            return ""
        foreign = scope.takes_foreign and "own_only" not in self.spares
        whose = "orders of whoever sent them" if foreign else "only orders that the strategies sent"
        return f", {whose}" + (", keeping what only protects" if "keep_protective" in self.spares else "")

    def _latch_set(self, data: dict[str, Any]) -> str:
        if not data["error"]:
            return "the latch is written after all" if self.notes else ""
        self.notes.append(f"latch not written ({data['error']}): {data['fallback']}")
        return self.notes[-1]

    def _cord_sent(self, data: dict[str, Any]) -> str:
        row = self.venues.setdefault(data["venue"], _nothing_yet())
        if row["verdict"] == Verdict.UNKNOWN and row["why"] == _NOTHING:
            row.update(verdict=str(Verdict.REQUESTED), why="sent, not answered yet")
        if data["attempt"] > 1:
            return ""
        what = [data["venue"] + ":", data["what"].replace("_", " "), data.get("target", ""), data.get("qty", "")]
        return " ".join(part for part in [*what, "sent"] if part)

    def _cord_answered(self, data: dict[str, Any]) -> str:
        self.answers.append(
            {name: value for name, value in data.items() if value not in ("", 0, []) and name != "pull"}
        )
        what = f"{data['venue']}: {data['what'].replace('_', ' ')} {data['target']}".rstrip()
        failed = f", {len(data['failed'])} of {data['items']} refused" if data["failed"] else ""
        return f"{what} {data['outcome']} in {data['took_ms']} ms{failed} {data['detail']}".rstrip()

    def _venue_verdict(self, data: dict[str, Any]) -> str:
        row = self.venues.setdefault(data["venue"], _nothing_yet())
        row.update({name: value for name, value in data.items() if name in row})
        standing = f" [{', '.join(row['standing'][:5])}{' …' * (len(row['standing']) > 5)}]" if row["standing"] else ""
        held = f" [{', '.join(row['positions'])}]" if row["positions"] else ""
        kept = f" [kept: {'; '.join(row['kept'])}]" if row["kept"] else ""
        word = "RETIRED" if data["venue"] in self.retired else row["verdict"]
        return f"{word:<9} {data['venue']}: {row['why']}{standing}{held}{kept}"


_NOTHING = "nothing sent yet"


def _nothing_yet() -> dict[str, Any]:
    return {
        "verdict": str(Verdict.UNKNOWN),
        "why": _NOTHING,
        "standing": [],
        "positions": [],
        "kept": [],
        "t_blocked": 0,
        "t_flat": 0,
        "t_verified": 0,
    }


def _clock(ts: int) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(ts // 1_000_000_000)) + f".{ts // 1_000_000 % 1000:03d}Z"
