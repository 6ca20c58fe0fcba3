"""What clients asked for and what was granted, so that a test can prove that nothing was sent twice."""

from collections import Counter, deque
from dataclasses import dataclass, field

KEPT = 20_000


@dataclass(slots=True)
class Counters:
    """One account's. `requests` counts arrivals by method and path template, whatever the answer was; `exposing` holds
    each order and close that the broker carried out for a client, `cancels` each order id that one asked to cancel."""

    requests: Counter[str] = field(default_factory=Counter)
    exposing: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=KEPT))
    cancels: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT))
    exposing_total: int = 0
    cancels_total: int = 0

    def reset(self) -> None:
        self.requests.clear()
        self.exposing.clear()
        self.cancels.clear()
        self.exposing_total = self.cancels_total = 0

    def exposed(self, kind: str, order_id: str, client_order_id: str, symbol: str) -> None:
        self.exposing_total += 1
        self.exposing.append({"kind": kind, "id": order_id, "client_order_id": client_order_id, "symbol": symbol})

    def cancelled(self, order_id: str) -> None:
        self.cancels_total += 1
        self.cancels.append(order_id)

    def shown(self) -> dict[str, object]:
        return {
            "requests": dict(self.requests),
            "exposing_total": self.exposing_total,
            "exposing": list(self.exposing),
            "cancels_total": self.cancels_total,
            "cancels": list(self.cancels),
        }


@dataclass(slots=True)
class RateWindow:
    """So many requests a wall-clock minute, as the broker counts them."""

    limit: int
    minute: int = -1
    used: int = 0

    def take(self, wall_seconds: float) -> bool:
        """Counts a request; false where the minute is used up."""
        minute = int(wall_seconds // 60)
        if minute != self.minute:
            self.minute, self.used = minute, 0
        self.used += 1
        return self.used <= self.limit

    @property
    def reset(self) -> int:
        """Unix seconds at which the count begins anew."""
        return (self.minute + 1) * 60

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "X-RateLimit-Reset": str(self.reset),
        }
