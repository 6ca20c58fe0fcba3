"""Ways to cancel everything at many venues: `python -m tests.benchmarks.desk_hands WAY ARGUMENT…`.

Each makes itself ready, says `ready`, waits for a line on stdin and begins. On stdout it then says
`NUMBER WHAT SECONDS` (monotonic) for each venue: `answered` when the answer to the bulk cancel was read and every order
in it is cancelled, `empty` when the list of open orders was read after that and nothing is in it.

    pull FOLDER     the cord: by the guard of this desk where one listens, else directly
    warm URL…       raw sockets, all at once, on connections that stand
    fresh URL…      the same, on connections that have to be opened first
    alone URL…      the same as `warm`, one venue after the other: each one's own round trips
    client URL…     the broker's Python client, one venue after the other
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from console.cord.plan import Plan
from console.cord.puller import Carrier, see_through
from console.cord.request import PullRequest, put, reach

CANCEL = b"DELETE /v2/orders HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIST = b"GET /v2/orders?status=open&limit=500 HTTP/1.1\r\nHost: localhost\r\n\r\n"
PATIENCE = 3.0


def say(number: int, what: str, at: float) -> None:
    sys.stdout.write(f"{number} {what} {at!r}\n")
    sys.stdout.flush()


def begin() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


# --- the cord --------------------------------------------------------------------------------------------------------


def pull(folder: str) -> None:
    """Times are the records' own: when the guard, or the detached hand, knew it."""
    plan = Plan.load(folder)
    numbers = {name: number for number, name in enumerate(plan.venues)}
    standing = reach(folder)
    begin()
    behind = time.time() - time.monotonic()
    request = PullRequest(level="L3", scope="desk", origin="bench")
    asked = put(folder, request.line(), standing)

    def tell(event: dict[str, Any]) -> None:
        told = event["data"]
        if event["kind"] == "cord_answered" and told["outcome"] == "acked":
            say(numbers[told["venue"]], "answered", event["ts"] / 1e9 - behind)
        if event["kind"] == "venue_verdict" and told.get("t_blocked"):
            say(numbers[told["venue"]], "empty", told["t_blocked"] / 1e9 - behind)

    until = time.monotonic() + PATIENCE
    see_through(folder, request, asked, Carrier(tell, lambda: time.monotonic() > until), plan)


# --- raw sockets -----------------------------------------------------------------------------------------------------


class Raw:
    """One venue on one connection: the cancel, and then the list."""

    def __init__(self, number: int, url: str, *, blocking: bool = False) -> None:
        self.number = number
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(blocking)
        place = urlsplit(url)
        self.socket.connect_ex((place.hostname, place.port))
        self.answered = False
        self._read = b""

    def hear(self) -> bool:
        """Take what came. False once there is nothing more to come."""
        try:
            read = self.socket.recv(1 << 20)
        except OSError:
            return False
        self._read += read
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not read or not end or len(body) < int(head.rpartition(b"Content-Length: ")[2]):
            return bool(read)
        told = json.loads(body)
        if self.answered:
            assert told == []
            say(self.number, "empty", time.monotonic())
            return False
        assert all(item["status"] == 200 for item in told)
        say(self.number, "answered", time.monotonic())
        self.answered, self._read = True, b""
        self.socket.send(LIST)
        return True


def concurrently(urls: list[str], *, warm: bool) -> None:
    selector = selectors.DefaultSelector()
    raws = [Raw(number, url, blocking=True) for number, url in enumerate(urls)] if warm else []
    begin()
    for raw in raws:
        raw.socket.send(CANCEL)
        selector.register(raw.socket, selectors.EVENT_READ, raw)
    if not warm:
        for number, url in enumerate(urls):
            raw = Raw(number, url)
            selector.register(raw.socket, selectors.EVENT_WRITE, raw)
    until = time.monotonic() + PATIENCE
    while (left := until - time.monotonic()) > 0 and selector.get_map():
        for key, mask in selector.select(left):
            if mask & selectors.EVENT_WRITE:
                key.data.socket.send(CANCEL)
                selector.modify(key.data.socket, selectors.EVENT_READ, key.data)
            elif not key.data.hear():
                selector.unregister(key.data.socket)


def alone(urls: list[str]) -> None:
    raws = [Raw(number, url, blocking=True) for number, url in enumerate(urls)]
    begin()
    for raw in raws:
        say(raw.number, "begun", time.monotonic())
        raw.socket.send(CANCEL)
        while raw.hear():
            pass


# --- the broker's client ---------------------------------------------------------------------------------------------


def client(urls: list[str]) -> None:
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import QueryOrderStatus
    from alpaca.trading.requests import GetOrdersRequest
    from requests import RequestException

    clients = [TradingClient("k", "s", url_override=url) for url in urls]
    begin()
    for number, trading in enumerate(clients):
        try:
            trading.cancel_orders()
            say(number, "answered", time.monotonic())
            assert trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN, limit=500)) == []
            say(number, "empty", time.monotonic())
        except RequestException:
            pass


WAYS: dict[str, Callable[[list[str]], None]] = {
    "pull": lambda arguments: pull(arguments[0]),
    "warm": lambda urls: concurrently(urls, warm=True),
    "fresh": lambda urls: concurrently(urls, warm=False),
    "alone": alone,
    "client": client,
}

if __name__ == "__main__":
    WAYS[sys.argv[1]](sys.argv[2:])
