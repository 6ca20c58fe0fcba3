"""A server's addresses before a deadline. The resolver of the system knows none: one that hangs holds its caller for as
long as it likes, so it is asked on a thread that is left behind.

What was found once is remembered and stands in when the resolver fails or is slow: a desk has to be stopped although
nobody answers for names any more.
"""

import socket
import threading
import time
from typing import Any

KNOWN_WAITS = 0.25

Address = tuple[Any, ...]  # (family, kind, protocol, canonical name, address) as getaddrinfo gives it


def _plain(host: str) -> str | bytes:
    """As bytes where it is ASCII: for text the interpreter loads a codec of milliseconds, at the first name of all."""
    return host.encode() if host.isascii() else host


class _Lookup(threading.Thread):
    def __init__(self, host: str, port: int) -> None:
        super().__init__(name=f"lookup-{host}", daemon=True)
        self._asked = (host, port)
        self.found: list[Address] = []
        self.error: OSError = TimeoutError()

    def run(self) -> None:
        try:
            host, port = self._asked
            self.found = socket.getaddrinfo(_plain(host), port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            self.error = error if isinstance(error, OSError) else OSError(str(error))


_mutex = threading.Lock()
_under_way: dict[tuple[str, int], _Lookup] = {}
_known: dict[tuple[str, int], list[Address]] = {}


def addresses(host: str, port: int, deadline: float) -> list[Address]:
    """At least one, before `deadline` (monotonic seconds). Raises OSError; TimeoutError where nobody answered in time
    and nothing is remembered."""
    try:
        return list(socket.getaddrinfo(_plain(host), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except OSError:
        lookup = _lookup(host, port)
    remembered = _known.get((host, port))
    left = deadline - time.monotonic()
    lookup.join(max(0.0, min(left, KNOWN_WAITS) if remembered else left))
    if lookup.found:
        _known[host, port] = lookup.found
    elif not remembered:
        raise lookup.error
    return lookup.found or remembered or []


def _lookup(host: str, port: int) -> _Lookup:
    """The lookup that is under way, or a new one: a resolver that hangs costs one thread a name."""
    with _mutex:
        lookup = _under_way.get((host, port))
        if lookup is None or not lookup.is_alive():
            lookup = _under_way[host, port] = _Lookup(host, port)
            lookup.start()
        return lookup
