"""A venue that does nothing but notice: when the first byte of each request came, on the clock of this machine."""

import contextlib
import queue
import socket
import threading
import time

_ANSWERS = {b"DELETE": b"HTTP/1.1 207 Multi-Status\r\nContent-Length: 2\r\n\r\n[]"}
_LIST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"


class Sink:
    """`first_byte` waits for the next DELETE and returns when its first byte was read (monotonic seconds)."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._seen: queue.Queue[float] = queue.Queue()
        threading.Thread(target=self._accept, daemon=True).start()

    def first_byte(self, patience: float = 30) -> float:
        return self._seen.get(timeout=patience)

    def forget(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._seen.get_nowait()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            held = b""
            while read := connection.recv(65536):
                at = time.monotonic()
                if not held and read.startswith(b"DELETE"):
                    self._seen.put(at)
                held += read
                while b"\r\n\r\n" in held:
                    request, _, held = held.partition(b"\r\n\r\n")
                    connection.sendall(_ANSWERS.get(request.split(b" ", 1)[0], _LIST))
