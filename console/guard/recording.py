"""What the hub tells, on its way to the flight recorder: every record in its order, and the whole state now and then."""

import hashlib

import msgspec

from console.desk.events import Record, encode
from console.guard.frames import keyframe
from console.guard.hub import Hub
from console.guard.recorder import Recorder

FLUSH_SECONDS = 0.1
BATCH_BYTES = 256 << 10
KEYFRAME_SECONDS = 60.0


class Cut(msgspec.Struct, frozen=True):
    """A place in the pipe: the SHA-256 of the state there, empty where the pipe did not take it, and how many records
    were lost since the cut before."""

    fold: str
    lost: int


class Recording:
    """Belongs to the event loop.

    Made before every other listener: what one of them tells while it hears would reach the recorder before what it
    heard."""

    def __init__(self, hub: Hub, recorder: Recorder) -> None:
        self._hub = hub
        self._recorder = recorder
        self._lines: list[bytes] = []
        self._bytes = 0
        self._records = 0
        self._framed = False
        self._lost = 0
        self._due = True
        self._keyframe_at = 0
        hub.listeners.insert(0, self._hear)
        hub.silent.append(self._anew)
        recorder.keyframe_due = self._anew

    def step(self) -> None:
        """Send what has come together. Called every FLUSH_SECONDS."""
        old = self._hub.clock() - self._keyframe_at > KEYFRAME_SECONDS * 1e9
        if self._due or old:
            self._keyframe(encode(self._hub.state))
        self._flush()

    def cut(self) -> Cut:
        """Everything told so far is in the pipe once this returns, and a keyframe behind it."""
        state = encode(self._hub.state)
        self._keyframe(state)
        whole = self._flush()
        lost, self._lost = self._lost, 0
        return Cut(hashlib.sha256(state).hexdigest() if whole else "", lost)

    def _anew(self) -> None:
        """What was sent before leads nowhere: the worker is a new one, a batch was lost, or no record told a change."""
        self._due = True

    def _hear(self, record: Record) -> None:
        self._records += 1
        self._add(encode(record))

    def _keyframe(self, state: bytes) -> None:
        now = self._hub.clock()
        self._due, self._keyframe_at = False, now
        self._framed = True
        self._add(keyframe(state, now))

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= BATCH_BYTES:
            self._flush()

    def _flush(self) -> bool:
        """Whether there was room for it."""
        taken = not self._lines or self._recorder.records(
            b"\n".join(self._lines), keyframe=self._framed
        )
        if not taken:
            self._lost += self._records
            self._due = True
        self._lines, self._bytes, self._records, self._framed = [], 0, 0, False
        return taken
