"""What guard and worker say to each other. Frames go down the worker's input, JSON lines come up its output.

A frame is one byte of kind, four bytes of length (big endian) and the payload. The order of the frames is the truth: a
`Seal` covers exactly the records that were sent before it.

Kind  Payload
T     a telemetry body as a strategy sent it
R     records, newline-joined: each line is `encode(Record)` in the order of the hub, or a *keyframe* (see `keyframe`)
X     exchanges with venues, newline-joined: each line is `encode(Exchange)`
C     a `Command`
"""

import struct
from enum import Enum
from typing import Any, BinaryIO, Protocol, TypeAlias

import msgspec

from console.desk.base import Plain
from console.desk.events import ArchiveRemoved, ArchiveSealed, EvidenceFailed, TelemetryKept, encode

_HEAD = struct.Struct(">cI")
LARGEST = 256 << 20
"""Bytes of a payload. Nothing that a guard sends comes near it."""


class Kind(Enum):
    TELEMETRY = b"T"
    RECORDS = b"R"
    EXCHANGES = b"X"
    COMMAND = b"C"


class Broken(Exception):
    """The bytes are not frames: nothing behind them can be understood either."""


def frame(kind: Kind, payload: bytes) -> bytes:
    return _HEAD.pack(kind.value, len(payload)) + payload


class Reader(Protocol):
    def read(self, size: int, /) -> bytes:
        """Exactly `size` bytes; fewer only where the input ends."""
        ...


def read_frame(source: "Reader | BinaryIO") -> tuple[Kind, bytes] | None:
    """The next frame; None where the input ended, in the middle of a frame too. Raises Broken."""
    head = source.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    letter, size = _HEAD.unpack(head)
    try:
        kind = Kind(letter)
    except ValueError:
        raise Broken(f"no frame begins with {letter!r}") from None
    if size > LARGEST:
        raise Broken(f"a frame of {size} bytes; at most {LARGEST} are expected")
    payload = source.read(size)
    return (kind, payload) if len(payload) == size else None


def keyframe(state: bytes, ts: int) -> bytes:
    """The line of a whole encoded state: folding from here through the lines behind it gives the guard's exactly."""
    return b'{"state":%s,"ts":%d}' % (state, ts)


class Exchange(Plain, frozen=True):
    """One request to a venue and its answer. `path` holds the query, `headers` are the answer's, `status` is 0 with
    `error` where no answer came; `body` is at most 16 KiB of the answer's, `body_sha256` the hash of that as it
    came. Where a recent answer to the same request held the same body, it is left empty."""

    ts: int
    venue: str
    method: str
    path: str
    status: int
    headers: dict[str, str] = {}
    body: str = ""
    body_sha256: str = ""
    took_ms: float = 0.0
    error: str = ""


# --- commands -------------------------------------------------------------------------------------------------------


class Command(msgspec.Struct, frozen=True, tag_field="do", omit_defaults=True):
    """Base of what a guard asks of its worker."""


class LogFile(Plain, frozen=True):
    """A log to follow. `path` is absolute; `name` is what its lines are filed under."""

    name: str
    path: str


class Setup(Command, frozen=True, tag="setup"):
    """The first frame after each start. What is in `secrets` and in `secret_files` (JSON or PEM, read again when they
    change) is blotted out wherever it turns up; so is what the worker's environment calls a secret. Of closed incidents
    the oldest go once they are older than `keep_days` or the archive is larger than `archive_megabytes` (0: never).
    Paths are absolute; the signing key lies in `desk_folder`, else in the state folder, where it is made."""

    desk_folder: str
    version: str
    secrets: tuple[str, ...] = ()
    secret_files: tuple[str, ...] = ()
    logs: tuple[LogFile, ...] = ()
    minutes: int = 60
    megabytes: int = 256
    segment_seconds: float = 60.0
    keep_days: int = 0
    archive_megabytes: int = 0


class Pin(Command, frozen=True, tag="pin"):
    """Keep what was recorded from `since` (UTC ns) on until `incident` has sealed it."""

    incident: str
    since: int


class Unpin(Command, frozen=True, tag="unpin"):
    incident: str


class Facts(Plain, frozen=True):
    """What a seal's signed head says of the incident. Times are UTC ns, `closed_at` 0 while it is open."""

    incident: str
    cls: str
    severity: str
    title: str
    opened_at: int
    closed_at: int
    pulls: tuple[str, ...]
    desk: str
    mode: str


class Captured(Plain, frozen=True):
    """Rows of an item that was read for this seal: objects by the names of `console.evidence.items`; numbers as
    strings, times as UTC ns, a name that is left out is null. `source` is where they were read, `by` who read them."""

    captured_at: int
    by: str
    source: str
    rows: tuple[dict[str, Any], ...]


class File(Plain, frozen=True):
    """A file to seal that is no table: `name` is `screen.svg`, `screen.txt` or `attached-<name>`. Its content is
    `text`, or that of the file at `path`, which is removed once it is sealed where `spooled`."""

    name: str
    captured_at: int
    by: str
    source: str
    text: str = ""
    path: str = ""
    spooled: bool = False


class Seal(Command, frozen=True, tag="seal"):
    """Seal what was recorded for an incident since its last seal, and what was captured now. `job` names the answer,
    `since` is where the first seal begins (see `Pin`), `fold` the SHA-256 of the guard's encoded state at this place of
    the pipe, empty where nobody knows it any more; `captured` are the pulls after which the desk was read for this
    seal, `missing` is what could not be captured, a sentence each."""

    job: str
    facts: Facts
    why: str
    by: str
    since: int
    fold: str = ""
    items: dict[str, Captured] = {}
    files: tuple[File, ...] = ()
    captured: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    clock_offset_ms: int | None = None


class Reindex(Command, frozen=True, tag="reindex"):
    """Make the archive's index anew."""

    job: str


AnyCommand: TypeAlias = Setup | Pin | Unpin | Seal | Reindex
_decode_command = msgspec.json.Decoder(AnyCommand)


def command(asked: AnyCommand) -> bytes:
    """The frame of a command."""
    return frame(Kind.COMMAND, encode(asked))


def command_of(payload: bytes) -> AnyCommand:
    """Raises msgspec.MsgspecError."""
    asked: AnyCommand = _decode_command.decode(payload)
    return asked


# --- what the worker says -------------------------------------------------------------------------------------------


class Said(msgspec.Struct, frozen=True, tag_field="said", omit_defaults=True):
    """Base of what a worker answers."""


class Ready(Said, frozen=True, tag="ready"):
    pid: int


class Taken(Said, frozen=True, tag="taken"):
    """A frame was taken in: how many of its rows, and how many were refused, by reason."""

    stream: str
    rows: int
    refused: dict[str, int] = {}


class Kept(Said, frozen=True, tag="kept"):
    """A segment was closed."""

    segment: TelemetryKept


class Unwritten(Said, frozen=True, tag="unwritten"):
    """The disk refuses rows of a stream; they wait in memory. Said once, until a segment of it is `Kept`."""

    stream: str
    why: str


class Lost(Said, frozen=True, tag="lost"):
    """Rows of a stream, or a segment of it, could not be kept."""

    stream: str
    rows: int
    why: str


class Sealed(Said, frozen=True, tag="sealed"):
    job: str
    seal: ArchiveSealed


class Failed(Said, frozen=True, tag="failed"):
    """Evidence could not be kept. `job` is empty where it is not about a seal that was asked for."""

    failure: EvidenceFailed
    job: str = ""


class Removed(Said, frozen=True, tag="removed"):
    removed: ArchiveRemoved


class Done(Said, frozen=True, tag="done"):
    """A job that is no seal came to its end: what came out, or why it did not."""

    job: str
    text: str
    failed: bool = False


AnySaid: TypeAlias = Ready | Taken | Kept | Unwritten | Lost | Sealed | Failed | Removed | Done
_decode_said = msgspec.json.Decoder(AnySaid)


def said_of(line: bytes) -> AnySaid:
    """Raises msgspec.MsgspecError."""
    said: AnySaid = _decode_said.decode(line)
    return said
