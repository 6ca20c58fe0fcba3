"""The cord's words: level, scope, verdict, gate state, and the pull that joins them.

Only the standard library is used, and no dataclasses: `andon kill` imports this before its bytes are on the wire.
"""

from enum import StrEnum


class Level(StrEnum):
    """What a pull does, from pausing entries to flattening. Ordered: L4 does all that L3 does, and so on."""

    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"

    @property
    def rank(self) -> int:
        return int(self.value[1])

    @property
    def cancels(self) -> bool:
        return self.rank >= 3

    @property
    def flattens(self) -> bool:
        return self is Level.L4

    @property
    def says(self) -> str:
        return _LEVEL_SAYS[self]

    @property
    def gate(self) -> "GateState":
        return GateState.HALTED if self.cancels else GateState.CLOSE_ONLY


_LEVEL_SAYS = {
    Level.L1: "pause entries",
    Level.L2: "disable strategy",
    Level.L3: "HALT + CANCEL",
    Level.L4: "HALT + CANCEL + FLATTEN",
}


class GateState(StrEnum):
    """What a strategy may do, from everything to nothing."""

    OPEN = "OPEN"
    REDUCED = "REDUCED"
    CLOSE_ONLY = "CLOSE_ONLY"
    HALTED = "HALTED"

    @property
    def rank(self) -> int:
        return _GATE_RANK[self]


_GATE_RANK = {GateState.OPEN: 0, GateState.REDUCED: 1, GateState.CLOSE_ONLY: 2, GateState.HALTED: 3}


class Verdict(StrEnum):
    """What the venues have proven about a pull, the worst last."""

    VERIFIED = "VERIFIED"
    REQUESTED = "REQUESTED"
    PARTIAL = "PARTIAL"
    UNKNOWN = "UNKNOWN"

    @property
    def rank(self) -> int:
        return _VERDICT_RANK[self]

    @property
    def exit_code(self) -> int:
        return _VERDICT_EXIT[self]


_VERDICT_RANK = {Verdict.VERIFIED: 0, Verdict.REQUESTED: 1, Verdict.PARTIAL: 2, Verdict.UNKNOWN: 3}
_VERDICT_EXIT = {Verdict.VERIFIED: 0, Verdict.PARTIAL: 3, Verdict.UNKNOWN: 4, Verdict.REQUESTED: 6}


def worst(verdicts: "list[Verdict]") -> Verdict:
    """The verdict of a pull is the worst of its venues'; with no venue at all nothing is proven."""
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.UNKNOWN)


SCOPE_KINDS = ("desk", "venue", "strategy", "symbol")


def normal_symbol(symbol: str) -> str:
    """`BTC/USD` and `BTCUSD` name one thing."""
    return symbol.replace("/", "").strip().upper()


class Scope:
    """What a pull covers: the desk, or named venues, strategies or symbols. Written `desk`, `venue:a`, `symbol:A,B`."""

    __slots__ = ("kind", "names")

    def __init__(self, kind: str, names: "tuple[str, ...]" = ()) -> None:
        if kind not in SCOPE_KINDS:
            raise ValueError(f"unknown scope {kind!r}: one of desk, venue:V, strategy:S, symbol:X is expected")
        if (kind == "desk") != (not names):
            raise ValueError("the desk scope takes no name" if names else f"the {kind} scope needs a name")
        self.kind = kind
        self.names = tuple(normal_symbol(name) for name in names) if kind == "symbol" else names

    @classmethod
    def parse(cls, text: str) -> "Scope":
        """`all` and `desk` are the desk; otherwise `kind:name[,name…]`. Raises ValueError with a sentence."""
        if text in ("all", "desk"):
            return cls("desk")
        kind, _, names = text.partition(":")
        return cls(kind, tuple(name.strip() for name in names.split(",") if name.strip()))

    def __str__(self) -> str:
        return self.kind if self.kind == "desk" else f"{self.kind}:{','.join(self.names)}"

    def __repr__(self) -> str:
        return f"Scope({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scope) and (self.kind, self.names) == (other.kind, other.names)

    def __hash__(self) -> int:
        return hash((self.kind, self.names))

    def touches(self, *, venue: str = "", strategy: str = "", symbol: str = "") -> bool:
        """Whether something at this venue, of this strategy, in this symbol falls into the scope."""
        if self.kind == "desk":
            return True
        if self.kind == "symbol":
            return normal_symbol(symbol) in self.names
        return (venue if self.kind == "venue" else strategy) in self.names

    @property
    def covers_account(self) -> bool:
        """Whether the pull takes everything in an account, whoever sent it."""
        return self.kind in ("desk", "venue")

    @property
    def takes_foreign(self) -> bool:
        """Whether orders that the strategies did not send fall into the scope."""
        return self.kind != "strategy"

    def takes_order(self, *, symbol: str, client_order_id: str) -> bool:
        """Whether an order (at a venue that the scope reaches) falls into the scope."""
        return self.covers_account or self.touches(strategy=strategy_of(client_order_id), symbol=symbol)

    def takes_position(self, symbol: str) -> bool:
        """Whether a position falls into the scope. A strategy's share of a netted position never does."""
        return self.covers_account or (self.kind == "symbol" and normal_symbol(symbol) in self.names)


def spared_text(*, keep_protective: bool, own_only: bool) -> str:
    """What a pull leaves standing on purpose, in words; empty for nothing."""
    told = ["keeps what protects"] * keep_protective + ["touches only the strategies’ orders"] * own_only
    return " and ".join(told)


def strategy_of(client_order_id: str) -> str:
    """The strategy that sent an order: client order ids are `strategy-…`. Empty for an order nobody here named."""
    name, dash, _ = client_order_id.partition("-")
    return name if dash else ""
