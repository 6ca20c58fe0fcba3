"""systemd's notification socket: READY once, WATCHDOG while the event loop beats. Nothing without NOTIFY_SOCKET."""

import contextlib
import os
import socket


class Notifier:
    def __init__(self) -> None:
        told = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + told[1:] if told.startswith("@") else told
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if told else None
        if self._socket is not None:
            self._socket.setblocking(False)

    def ready(self) -> None:
        self._send(b"READY=1")

    def watchdog(self) -> None:
        self._send(b"WATCHDOG=1")

    def stopping(self) -> None:
        self._send(b"STOPPING=1")

    def _send(self, what: bytes) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # the watchdog then speaks for itself
                self._socket.sendto(what, self._address)
