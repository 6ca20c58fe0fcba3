"""What the hub tells, on its way to the flight recorder: each record in its order, and now and then the whole state."""

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
    it did not take since the cut before."""

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
        self._lost = 0
        self._due = True
        self._keyframe_at = 0
        hub.listeners.insert(0, self._hear)
        hub.silent.append(self._unfollowed)
        recorder.keyframe_due = self._anew
        self.keyframe()  # what is told from here on leads somewhere

    def step(self) -> None:
        """Send what has come together. Called every FLUSH_SECONDS."""
        if self._due or self._hub.clock() - self._keyframe_at > KEYFRAME_SECONDS * 1e9:
            self.keyframe()
        else:
            self._flush()

    def keyframe(self) -> bytes:
        """Send everything told so far, and the state behind it, which is returned encoded."""
        self._flush()
        state = encode(self._hub.state)
        self._keyframe_at = self._hub.clock()
        self._due = not self._recorder.records(keyframe(state, self._keyframe_at), keyframe=True)
        return state

    def cut(self) -> Cut:
        """Everything told so far is in the pipe once this returns, and the state behind it."""
        state = self.keyframe()
        lost, self._lost = self._lost, 0
        return Cut("" if self._due else hashlib.sha256(state).hexdigest(), lost)

    def _anew(self) -> None:
        """What was sent before leads nowhere: the worker is a new one, or there was no room for it."""
        self.keyframe()

    def _unfollowed(self) -> None:
        """The state changed, and no record told."""
        self._due = True

    def _hear(self, record: Record) -> None:
        line = encode(record)
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        lines, self._lines, self._bytes = self._lines, [], 0
        if lines and not self._recorder.records(b"\n".join(lines)):
            self._lost += len(lines)
