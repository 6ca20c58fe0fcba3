"""What the cord has to say under each fault of a venue, and why: one row a fault.

`during` is the verdict that stands while the fault lasts, at L3 and at L4; once it is lifted, `after` does. A row whose
`during` is VERIFIED says that the fault hides nothing that has to be proven, or that the cord overcomes it by itself.
"""

from dataclasses import dataclass

from console.desk.pull import Verdict

VERIFIED, PARTIAL, UNKNOWN = Verdict.VERIFIED, Verdict.PARTIAL, Verdict.UNKNOWN


@dataclass(frozen=True)
class Times:
    """Seconds: the quiet to prove, and the patience with one request."""

    quiet: float
    patience: float


@dataclass(frozen=True)
class On:
    """A fault of the simulated broker. Its argument is `arg`, or so many `patiences` in seconds, or a `rate` of
    so many in a quiet interval and never less than one a second."""

    name: str
    arg: str = ""
    patiences: float = 0
    rate: float = 0
    methods: tuple[str, ...] = ()
    path: str = ""

    def argument(self, times: Times) -> str | None:
        scaled = self.patiences * times.patience
        scaled = max(1.0, self.rate / times.quiet) if self.rate else scaled
        return self.arg or (f"{scaled:.6f}" if scaled else None)


@dataclass(frozen=True)
class Fault:
    """`on` are switched on at the broker, `door` is what happens to the connection in front of it. `says` is part of a
    reason that is given meanwhile, at each level its own where they differ. `resting` orders stand in `symbol` before
    the pull; `late` fills one of them after it was cancelled, a third of the quiet time after the pull. The venue was
    `suspended` by somebody else before. `only` narrows the row to one level."""

    id: str
    why: str
    on: tuple[On, ...] = ()
    door: str = ""
    during: tuple[Verdict, Verdict] = (UNKNOWN, UNKNOWN)
    after: Verdict = VERIFIED
    says: str | tuple[str, str] = ""
    resting: int = 3
    symbol: str = "AAPL"
    late: bool = False
    suspended: bool = False
    only: str = ""


CLOSE = "/v2/positions"


def on_close(fault: str, **more: float | str) -> On:
    """A fault that closes alone meet."""
    return On(fault, methods=("DELETE",), path=CLOSE, **more)  # type: ignore[arg-type]


HEALTHY = Fault("healthy", "nothing is in the way", during=(VERIFIED, VERIFIED))

FAULTS = (
    # --- no answer ---
    Fault(
        "hang before accept",
        "neither done nor answered: nothing is known, and all of it is asked again",
        on=(On("hang_before_accept"),),
        says="no answer in time",
    ),
    Fault(
        "hang after accept",
        "done, and never answered: only a read could tell, and none comes back",
        on=(On("hang"),),
        says="no answer in time",
    ),
    Fault(
        "slow as patience",
        "an answer behind the deadline is none",
        on=(On("slow", patiences=1),),
        says="no answer in time",
    ),
    Fault(
        "slow within patience",
        "late answers prove as much as quick ones",
        on=(On("slow", patiences=0.25),),
        during=(VERIFIED, VERIFIED),
    ),
    Fault(
        "refuse",
        "closed without a word: the request may have been read",
        on=(On("refuse"),),
        says="closed before the answer",
    ),
    Fault("connection refused", "nobody listens at the venue's address", door="shut", says="Connection refused"),
    Fault("nobody accepts", "the connection itself does not come about", door="deaf", says="no answer in time"),
    Fault(
        "TLS failure",
        "a stranger's certificate: not a byte is sent to it",
        door="stranger",
        says="certificate verify failed",
    ),
    # --- an answer that proves nothing ---
    Fault("500", "an error is no list, and no cancel", on=(On("error500"),), says="HTTP 500"),
    Fault("HTML 502", "a web page is no list", on=(On("html502"),), says="HTTP 502"),
    Fault(
        "504 after accepting",
        "writes are done although their answer says nothing: the reads prove it",
        on=(On("gateway504"),),
        during=(VERIFIED, VERIFIED),
    ),
    Fault(
        "429 with Retry-After",
        "it is left alone as long as it asks for, and then asked again",
        on=(On("rate_limited", arg="1"),),
        says="429",
    ),
    Fault("truncated JSON", "half a list is no list", on=(On("truncated_json"),), says="not JSON"),
    Fault("wrong types", "JSON of another shape is no list", on=(On("wrong_types"),), says="a list was expected"),
    Fault(
        "wrong values",
        "a quantity that is no number is not zero, and an id that is null names no order",
        on=(On("wrong_values"),),
        says="can not be read",
    ),
    Fault(
        "reset mid-answer",
        "writes are done, and no answer comes through whole",
        on=(On("reset"),),
        says="Connection reset",
    ),
    # --- connections that look alive ---
    Fault(
        "warm connection closed",
        "found dead before it is used; a fresh one carries the cancel",
        door="hang up",
        during=(VERIFIED, VERIFIED),
    ),
    Fault(
        "closed after each answer",
        "reads may be repeated on a fresh connection, writes have one of their own",
        on=(On("close_warm"),),
        during=(VERIFIED, VERIFIED),
    ),
    # --- what stands, or comes, at the venue ---
    Fault(
        "partial 207",
        "one order fails again and again: it stands, and its position is not closed before it is gone",
        on=(On("partial_207", arg="forever"),),
        during=(PARTIAL, PARTIAL),
        says="1 order still open",
    ),
    Fault(
        "bulk cancel out of order",
        "what stands is asked for one by one",
        on=(On("error500", methods=("DELETE",), path="/v2/orders$"),),
        during=(VERIFIED, VERIFIED),
        resting=30,
    ),
    Fault(
        "stuck pending_cancel",
        "accepted is not cancelled",
        on=(On("stuck_pending_cancel"),),
        during=(PARTIAL, PARTIAL),
        says="3 orders still open",
    ),
    Fault(
        "new order every second",
        "cancelled, and the venue suspended, after which none comes",
        on=(On("runaway_strategy", rate=4),),
        during=(VERIFIED, VERIFIED),
        says="new order",
    ),
    Fault(
        "new order every second, never suspended",
        "each new order begins the quiet anew",
        on=(On("runaway_strategy", rate=4), On("error500", methods=("PATCH",))),
        during=(PARTIAL, PARTIAL),
    ),
    Fault(
        "fill after the pull",
        "it restarts the quiet clock, and L4 closes what it brought",
        during=(VERIFIED, VERIFIED),
        says="late fill NVDA",
        symbol="NVDA",
        late=True,
    ),
    Fault(
        "500 more orders than a page",
        "lists are read to their end: all of them are named for as long as they are stuck",
        on=(On("stuck_pending_cancel"),),
        during=(PARTIAL, PARTIAL),
        says="1000 orders still open",
        resting=1000,
    ),
    Fault(
        "market closed",
        "cancels are done; closes wait for the open, sent once",
        on=(On("market_closed"),),
        during=(VERIFIED, PARTIAL),
        says=("", "waits for the open"),
    ),
    Fault("clock ahead", "looks go by ids, not by times", on=(On("clock_skew", arg="7"),), during=(VERIFIED, VERIFIED)),
    Fault("clock behind", "as ahead", on=(On("clock_skew", arg="-7"),), during=(VERIFIED, VERIFIED)),
    # --- closes alone: what arrived is not sent again, what did not is decided anew from fresh reads ---
    Fault(
        "close done and never answered",
        "the position and its orders tell what became of it",
        on=(on_close("hang"),),
        during=(VERIFIED, VERIFIED),
        only="L4",
    ),
    Fault(
        "close done behind a 504",
        "the position and its orders tell what became of it",
        on=(on_close("gateway504"),),
        during=(VERIFIED, VERIFIED),
        only="L4",
    ),
    Fault(
        "close done and reset",
        "the position and its orders tell what became of it",
        on=(on_close("reset"),),
        during=(VERIFIED, VERIFIED),
        only="L4",
    ),
    Fault(
        "close done, its answer cut",
        "accepted, and no order named: the position and its orders tell",
        on=(on_close("truncated_json"),),
        during=(VERIFIED, VERIFIED),
        only="L4",
    ),
    Fault(
        "close never arrives",
        "its fate is not known until two complete looks show none of it",
        on=(on_close("hang_before_accept"),),
        during=(PARTIAL, PARTIAL),
        says="no answer in time",
        only="L4",
    ),
    Fault(
        "close dropped unread",
        "as one that never arrives",
        on=(on_close("refuse"),),
        during=(PARTIAL, PARTIAL),
        says="closed before the answer",
        only="L4",
    ),
    Fault(
        "close answered 502",
        "as one that never arrives",
        on=(on_close("html502"),),
        during=(PARTIAL, PARTIAL),
        says="HTTP 502",
        only="L4",
    ),
    Fault(
        "close limited",
        "refused for certain: sent again when the venue allows it",
        on=(on_close("rate_limited", arg="1"),),
        during=(PARTIAL, PARTIAL),
        says="HTTP 429",
        only="L4",
    ),
    Fault(
        "close rejected behind its answer",
        "accepted, and nothing closed: more and more slowly again",
        on=(On("rejects"),),
        during=(PARTIAL, PARTIAL),
        says="closed nothing",
        only="L4",
    ),
    Fault(
        "close done late",
        "carried out when nobody waits for it any more, and another one is asked for: the venue closes what it holds",
        on=(on_close("late_accept", patiences=6),),
        during=(VERIFIED, VERIFIED),
        says="no answer in time",
        only="L4",
    ),
    Fault(
        "suspended by somebody else",
        "a suspended venue refuses closes: it is lifted for as long as they take",
        during=(VERIFIED, VERIFIED),
        suspended=True,
    ),
    Fault(
        "suspended by somebody else, 504",
        "refused behind a 504: the close left no trace, and the settings tell why",
        on=(On("gateway504"),),
        during=(VERIFIED, VERIFIED),
        suspended=True,
    ),
)


def as_text() -> str:
    """The table as docs/faults.md shows it."""
    rows = ["| fault | L3 meanwhile | L4 meanwhile | afterwards | why |", "|---|---|---|---|---|"]
    for fault in FAULTS:
        l3, l4 = fault.during
        rows.append(f"| {fault.id} | {'–' if fault.only == 'L4' else l3} | {l4} | {fault.after} | {fault.why} |")
    return "\n".join(rows) + "\n"
