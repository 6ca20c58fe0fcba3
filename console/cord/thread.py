"""The guard's cord thread: it hears pulls on a socket of its own and does nothing else.

The guard's event loop may be busy, blocked or reading a megabyte of JSON; this thread sleeps in a selector and wakes
for a pull alone. Pulls of the same process (HTTP, a signal) come in through `pull` and leave on the calling thread.
"""

import contextlib
import os
import pwd
import selectors
import socket
import struct
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any

from console.cord.executor import Executor, Inherited, Record, nobody
from console.cord.forms import Tap
from console.cord.latch import boot_now
from console.cord.lock import BEAT_EVERY
from console.cord.plan import Plan
from console.cord.request import BEAT_SECONDS, PullRequest, parse
from console.cord.task import Task
from console.cord.worker import Acknowledged
from console.desk.chain import dumps

LONGEST_LINE = 64 * 1024
LONGEST_BACKLOG = 1024 * 1024
MOST_LISTENERS = 128
"""A process has about a thousand open files, and the venues need theirs."""


def _name_of(uid: int) -> str:
    """A user's name, or `uid N`."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


class _Listener:
    """One console or command line that pulled, and hears what becomes of it."""

    __slots__ = ("pull", "read", "socket", "uid", "unsent")

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.socket = connection
        _, self.uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        self.read = b""
        self.unsent = b""
        self.pull = ""


class CordThread(threading.Thread):
    """The guard's hand on the cord. `record` is called from several threads, returns at once and never raises;
    `waiting_for` names the strategies that have not acknowledged a task's gate; `tap` is told every request to a venue
    and what came of it, on the venues' threads."""

    def __init__(
        self,
        plan: Plan,
        record: Record,
        *,
        waiting_for: Callable[[Task], tuple[str, ...]] = nobody,
        tap: Tap | None = None,
    ) -> None:
        super().__init__(name="cord", daemon=True)
        self._record_outside = record
        self._executor = Executor(plan, self._record, hand="guard", waiting_for=waiting_for, tap=tap)
        self._path = os.path.join(plan.folder, "cord.sock")
        self._said: deque[tuple[str, bytes]] = deque()
        self._selector = selectors.DefaultSelector()
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._listeners: dict[int, _Listener] = {}
        self._stopping = False

    @property
    def plan(self) -> Plan:
        return self._executor.plan

    def start(self) -> None:
        """Open the venues and the socket (0660), then begin to hear. Raises OSError where there can be no socket."""
        self._executor.start()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(self._path)
        os.chmod(self._path, 0o660)
        listening.listen(64)
        listening.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ, "listening")
        self._selector.register(self._wake_out, selectors.EVENT_READ, "wake")
        super().start()

    def stop(self) -> None:
        """End the thread and its venues' threads. Standing pulls stay in the latch and the journal."""
        self._stopping = True
        self._wake()
        self.join(timeout=2)
        self._executor.stop()
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def pull(self, request: PullRequest) -> str:
        """Pull from inside this process, on the calling thread. Returns "" or why this desk can not be pulled so."""
        if refusal := self.plan.refusal(request):
            return refusal
        fired = self._executor.fire(request)
        self._executor.pull(request, fired)
        return ""

    def adopt(self, inherited: Inherited) -> None:
        """Go on with a pull that another hand, or this guard before it was killed, had begun."""
        if not self._executor.knows(inherited.request.id):
            self._executor.adopt(inherited)

    def drop(self, pulls: frozenset[str], seconds: float) -> None:
        """Stop working at pulls that were resumed. Blocks for at most `seconds`; from any thread."""
        self._executor.drop(pulls, seconds)

    # --- the thread --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        beats, next_beat, next_word = 0, 0.0, 0.0
        while not self._stopping:
            for key, _ in self._selector.select(timeout=BEAT_EVERY / 2):
                if key.data == "wake":
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_out, 4096)
                elif key.data == "listening":
                    self._accept(key.fileobj)
                else:
                    self._hear(key.data)
            self._tell()
            now = time.monotonic()
            if now >= next_beat:
                next_beat = now + BEAT_EVERY
                self._executor.beat()
            if now >= next_word:
                next_word = now + BEAT_SECONDS
                beats += 1
                for listener in [each for each in self._listeners.values() if each.pull]:
                    self._say(listener, dumps({"v": 1, "beat": beats}))

    def _accept(self, listening: Any) -> None:
        try:
            connection, _ = listening.accept()
            listener = _Listener(connection)
            self._listeners[connection.fileno()] = listener
            self._selector.register(connection, selectors.EVENT_READ, listener)
            self._hear(listener)  # a pull comes in one piece, mostly with the connection
        except OSError:  # no file is left to open, perhaps, and somebody waits at the door
            self._make_room(1)
        self._make_room(len(self._listeners) - MOST_LISTENERS)

    def _make_room(self, places: int) -> None:
        """Send away who came longest ago: first of those that said nothing, then of those that listen to their pull,
        which they will see through themselves."""
        if places > 0:
            waiting = sorted(self._listeners.values(), key=lambda listener: bool(listener.pull))
            for listener in waiting[:places]:
                self._drop(listener)

    def _hear(self, listener: _Listener) -> None:
        """Whatever comes in may cost its sender the connection (and send it to its own hand), never this thread."""
        try:
            self._read(listener)
        except Exception:
            traceback.print_exc()
            self._drop(listener)

    def _read(self, listener: _Listener) -> None:
        try:
            read = listener.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            read = b""
        listener.read += read
        if not read or len(listener.read) > LONGEST_LINE:
            self._drop(listener)
            return
        while b"\n" in listener.read and not listener.pull:
            line, _, listener.read = listener.read.partition(b"\n")
            self._take(listener, line)

    def _take(self, listener: _Listener, line: bytes) -> None:
        """A pull over the socket. Its bytes leave before anything is answered, written or recorded."""
        heard_at = boot_now()
        try:
            request = parse(line)
        except ValueError as error:
            self._say(listener, dumps({"v": 1, "refused": str(error)}))
            return
        refusal = self.plan.refusal(request)
        late_ms = (heard_at - request.deadline) // 1_000_000
        if heard_at > request.deadline:
            refusal = f"heard {late_ms} ms too late: the other hand has done it"
            self._record("pull_dropped", {"pull": request.id, "late_ms": int(late_ms)}, _name_of(listener.uid))
        if refusal:
            self._say(listener, dumps({"v": 1, "refused": refusal}))
            return
        fired = self._executor.fire(request)
        listener.pull = request.id
        self._say(listener, dumps({"v": 1, "heard": request.id}))
        request.actor = _name_of(listener.uid)  # a directory service may take its time
        self._executor.pull(request, fired)

    def _say(self, listener: _Listener, line: bytes) -> None:
        listener.unsent += line + b"\n"
        try:
            sent = listener.socket.send(listener.unsent)
            listener.unsent = listener.unsent[sent:]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(listener)
            return
        if len(listener.unsent) > LONGEST_BACKLOG:
            self._drop(listener)

    def _drop(self, listener: _Listener) -> None:
        self._listeners.pop(listener.socket.fileno(), None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(listener.socket)
        listener.socket.close()

    def _tell(self) -> None:
        """Pass on what the venues' threads recorded since the last turn."""
        while self._said:
            pull, line = self._said.popleft()
            for listener in list(self._listeners.values()):
                if listener.pull == pull:
                    self._say(listener, line)

    def _record(self, kind: str, data: dict[str, Any], actor: str) -> Acknowledged | None:
        event = {"kind": kind, "ts": time.time_ns(), "actor": actor, "data": data}
        self._said.append((str(data.get("pull", "")), dumps({"v": 1, "event": event})))
        self._wake()
        return self._record_outside(kind, data, actor)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake_in, b".")
