"""Venues as cheap as they can be, in a process of their own: `python -m tests.benchmarks.venue_process JSON`.

JSON is a list of venues, `{"delay": seconds, "orders": number, "fault": "" | "hang" | "refuse"}`. The first line on
stdout holds their ports; after that there is a line `NUMBER ARRIVED READ` for each DELETE: which venue, when it arrived
here (the kernel's word) and when this process had read it, on the monotonic clock that all processes share. A line on
stdin opens all orders again.

One thread, one selector, answers made beforehand: what is measured is the client. A venue answers after its delay, as
if it were far away; one that hangs reads and never answers, one that refuses reads and closes.
"""

import contextlib
import heapq
import json
import selectors
import socket
import struct
import sys
import time
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 500
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")


def order(number: int) -> dict[str, Any]:
    """As the broker lists one."""
    return {
        "id": str(uuid.UUID(int=number)),
        "client_order_id": f"momentum-{number:06}",
        "created_at": "2026-03-04T14:30:00.123456Z",
        "updated_at": "2026-03-04T14:30:00.123456Z",
        "submitted_at": "2026-03-04T14:30:00.123456Z",
        "filled_at": None,
        "expired_at": None,
        "canceled_at": None,
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
        "symbol": "AAPL",
        "asset_class": "us_equity",
        "notional": None,
        "qty": "10",
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": "simple",
        "order_type": "limit",
        "type": "limit",
        "side": "buy",
        "time_in_force": "day",
        "limit_price": "180.25",
        "stop_price": None,
        "status": "new",
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
    }


def answer(status: str, body: list[Any]) -> bytes:
    text = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text


NOTHING = answer("200 OK", [])


class Venue:
    """What one venue answers: `before` maps the id to page on from ("" for the first page) to a page of open orders."""

    def __init__(self, number: int, told: dict[str, Any]) -> None:
        self.number = number
        self.delay = float(told["delay"])
        self.fault = str(told["fault"])
        self.full = True
        orders = [order(each) for each in range(int(told["orders"]), 0, -1)]
        ids = [each["id"] for each in orders]
        self.cancelled = answer("207 Multi-Status", [{"id": each, "status": 200} for each in ids])
        self.newest = answer("200 OK", orders[:100])
        self.pages = {
            ids[start - 1] if start else "": answer("200 OK", orders[start : start + PAGE])
            for start in range(0, len(orders), PAGE)
        }

    def answers(self, method: bytes, target: str) -> bytes:
        path, asked = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if method == b"DELETE":
            told, self.full = self.cancelled if self.full else NOTHING, False
            return told
        if path != "/v2/orders":
            return NOTHING
        if asked["status"] == ["all"]:
            return self.newest
        return self.pages.get(asked.get("before_order_id", [""])[0], NOTHING) if self.full else NOTHING


class Peer:
    """One connection to a venue."""

    def __init__(self, connection: socket.socket, venue: Venue) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.socket = connection
        self.venue = venue
        self.read = b""
        self.unsent = b""


class Server:
    def __init__(self, venues: list[Venue]) -> None:
        self._venues = venues
        self._selector = selectors.EpollSelector()
        self._due: list[tuple[float, int, Peer, bytes]] = []
        self._count = 0
        self._listening = [socket.create_server(("127.0.0.1", 0), backlog=128) for _ in venues]
        for venue, listening in zip(venues, self._listening, strict=True):
            self._selector.register(listening, selectors.EVENT_READ, venue)
        self._selector.register(0, selectors.EVENT_READ, None)
        print(json.dumps([listening.getsockname()[1] for listening in self._listening]), flush=True)

    def run(self) -> None:
        while True:
            wait = max(self._due[0][0] - time.monotonic(), 0) if self._due else None
            for key, mask in self._selector.select(wait):
                if key.data is None:
                    if not sys.stdin.buffer.raw.read(4096):
                        return
                    for venue in self._venues:
                        venue.full = True
                elif isinstance(key.data, Venue):
                    peer = Peer(key.fileobj.accept()[0], key.data)  # type: ignore[union-attr]
                    self._selector.register(peer.socket, selectors.EVENT_READ, peer)
                elif mask & selectors.EVENT_WRITE:
                    self._send(key.data, b"")
                else:
                    self._hear(key.data)
            while self._due and self._due[0][0] <= time.monotonic():
                _, _, peer, told = heapq.heappop(self._due)
                self._send(peer, told)

    def _hear(self, peer: Peer) -> None:
        try:
            read, told, _, _ = peer.socket.recvmsg(65536, socket.CMSG_SPACE(_TIMESPEC.size))
        except OSError:
            read, told = b"", []
        at = time.monotonic()
        if not read:
            self._drop(peer)
            return
        if not peer.read and read.startswith(b"DELETE"):
            arrived = [seconds + ns / 1e9 for _, _, stamp in told for seconds, ns in [_TIMESPEC.unpack(stamp)]]
            waited = time.time() - arrived[0] if arrived else 0.0
            sys.stdout.write(f"{peer.venue.number} {at - waited!r} {at!r}\n")
            sys.stdout.flush()
        peer.read += read
        while b"\r\n\r\n" in peer.read:
            request, _, peer.read = peer.read.partition(b"\r\n\r\n")
            if peer.venue.fault == "refuse":
                self._drop(peer)
                return
            if peer.venue.fault != "hang":
                method, target, _ = request.split(b" ", 2)
                self._count += 1
                told = peer.venue.answers(method, target.decode())
                heapq.heappush(self._due, (at + peer.venue.delay, self._count, peer, told))

    def _send(self, peer: Peer, told: bytes) -> None:
        peer.unsent += told
        with contextlib.suppress(OSError):
            sent = peer.socket.send(peer.unsent)
            peer.unsent = peer.unsent[sent:]
        with contextlib.suppress(KeyError, ValueError):
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.unsent else 0)
            self._selector.modify(peer.socket, events, peer)

    def _drop(self, peer: Peer) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(peer.socket)
        peer.socket.close()


if __name__ == "__main__":
    Server([Venue(number, told) for number, told in enumerate(json.loads(sys.argv[1]))]).run()
