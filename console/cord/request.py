"""The wire form of a pull: one JSON line over `cord.sock`. It is frozen: any console can stop any guard's desk.

Client: `{"v":1,"pull":{"id","level","scope","reason","actor","origin","made","deadline"}}`, where `made` is UTC ns and
`deadline` CLOCK_BOOTTIME ns, after which the other hand has done it and the guard must not; besides, where they are
wanted, `"keep_protective":true` and `"own_only":true`. A guard that does not know one of these cancels more than was
asked for, which is safe, and its `pulled` event says what it did. Guard: `{"v":1,"heard":id}`
at once, then `{"v":1,"event":{"kind","data"}}` for whatever becomes of the pull and `{"v":1,"beat":n}` every second;
or `{"v":1,"refused":"why"}`.

This module imports nothing but `time` and `os` at its top: it stands before the first byte of `andon kill`.
"""

import os
import time

ANSWER_WITHIN_NS = 250_000_000
BEAT_SECONDS = 1.0
SPARES = ("keep_protective", "own_only")


def new_id() -> str:
    """A pull's name: its second in UTC, so that files sort, and eight random hex digits."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + os.urandom(4).hex()


def quote(text: str) -> str:
    """A JSON string, without the json module."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    out = []
    for char in text:
        code = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif code < 0x20:
            out.append(f"\\u{code:04x}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def plain(text: str) -> str:
    """Without what UTF-8 can not carry: a stray byte of the command line, half a surrogate pair of somebody's JSON. No
    journal, wire or screen could take it, and a pull must not fail of its reason."""
    return text if text.isascii() else text.encode(errors="replace").decode()


class PullRequest:
    """A pull somebody wants. `level` and `scope` are their written forms (`L3`, `desk`); `made` is UTC ns. With
    `keep_protective` orders stay that can do nothing but reduce a position, with `own_only` those that the strategies
    did not send."""

    __slots__ = (
        "actor", "deadline", "id", "keep_protective", "level", "made", "origin", "own_only", "reason", "scope",
    )  # fmt: skip

    def __init__(
        self,
        *,
        level: str,
        scope: str,
        reason: str = "",
        actor: str = "",
        origin: str = "cli",
        id: str = "",  # noqa: A002 - it is what the wire calls it
        made: int = 0,
        deadline: int = 0,
        keep_protective: bool = False,
        own_only: bool = False,
    ) -> None:
        self.id = id or new_id()
        self.level = level
        self.scope = plain(scope)
        self.reason = plain(reason)
        self.actor = actor
        self.origin = origin
        self.made = made or time.time_ns()
        self.deadline = deadline or time.clock_gettime_ns(time.CLOCK_BOOTTIME) + ANSWER_WITHIN_NS
        self.keep_protective = keep_protective
        self.own_only = own_only

    def __repr__(self) -> str:
        return f"PullRequest({self.id} {self.level} {self.scope} by {self.actor})"

    @property
    def spares(self) -> tuple[str, ...]:
        """What this pull is to leave standing, by the names that the wire has for it."""
        return tuple(name for name in SPARES if getattr(self, name))

    def line(self) -> bytes:
        """The request as it goes over the socket."""
        spares = "".join(f',"{name}":true' for name in self.spares)
        return (
            f'{{"v":1,"pull":{{"id":{quote(self.id)},"level":{quote(self.level)},"scope":{quote(self.scope)},'
            f'"reason":{quote(self.reason)},"actor":{quote(self.actor)},"origin":{quote(self.origin)},'
            f'"made":{self.made},"deadline":{self.deadline}{spares}}}}}\n'
        ).encode()


def reach(folder: str) -> int:
    """A connection to the guard's cord, opened without waiting: its descriptor, -1 where no guard listens."""
    import _socket  # socket itself costs five times as much

    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.connect(os.path.join(folder, "cord.sock"))
    except OSError:
        connection.close()
        return -1
    return connection.detach()


def put(folder: str, line: bytes, standing: int = -1) -> int:
    """Put a pull to the guard without waiting for its answer, on a connection that stands or, where that has ended, on
    a fresh one. Returns the descriptor of the one that was used, -1 where no guard listens."""
    asked = standing if standing >= 0 else reach(folder)
    if asked < 0:
        return -1
    try:
        os.write(asked, line)
    except OSError:
        os.close(asked)
        return put(folder, line) if standing >= 0 else -1
    return asked


def parse(line: bytes) -> PullRequest:
    """A request as the guard hears it. Raises ValueError with a sentence."""
    import json

    from console.desk.pull import Level, Scope

    try:
        told = json.loads(line)
        pull = told["pull"]
        request = PullRequest(
            level=Level(pull["level"]).value,
            scope=str(Scope.parse(pull["scope"])),
            reason=str(pull.get("reason", "")),
            actor=str(pull.get("actor", "")),
            origin=str(pull.get("origin", "")),
            id=str(pull.get("id", "")),
            made=int(pull["made"]),
            deadline=int(pull["deadline"]),
            keep_protective=pull.get("keep_protective") is True,
            own_only=pull.get("own_only") is True,
        )
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a pull: {error!r}") from None
    if not (0 <= request.made < 1 << 63 and 0 <= request.deadline < 1 << 63):
        raise ValueError("not a pull: its times are no nanoseconds")
    if not request.id.replace("-", "").isalnum() or len(request.id) > 64:
        raise ValueError(f"not a pull's id: {request.id!r}")  # it becomes part of a file's name
    return request
