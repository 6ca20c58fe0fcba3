"""The lines that guard and console exchange over `guard.sock`: one JSON object a line, one field of it set.

The guard opens with `hello`, then `attached` with the whole state (again whenever the state jumped), then `record` for
ever. A console sends `command`s and gets an `answer` with the same id. The actor of a command is not in the line: the
kernel says who is at the other end.
"""

import msgspec

from console.desk.events import Record
from console.desk.state import DeskState

PROTOCOL = 1
LINE_LIMIT = 64 << 20
SOCKET_PATH_LIMIT = 107


class Hello(msgspec.Struct, frozen=True):
    protocol: int
    version: str
    desk: str


class Answer(msgspec.Struct, frozen=True):
    id: int
    ok: bool
    text: str


class FromGuard(msgspec.Struct, frozen=True, omit_defaults=True):
    hello: Hello | None = None
    attached: DeskState | None = None
    record: Record | None = None
    answer: Answer | None = None


class FromConsole(msgspec.Struct, frozen=True):
    command: str
    id: int
    arguments: dict[str, str] = {}
