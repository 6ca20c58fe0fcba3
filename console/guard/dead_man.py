"""Exchange dead-man switches: armed for as long as this guard lives, and refreshed at a quarter of their timeout.

Nothing here disarms one. A guard that ends, however it ends, leaves the orders to the venue's own clock; the next guard
that is there in time refreshes it.
"""

import asyncio
import time

from adapters.base import Acked, DeadManSwitch, Refused, Write
from console.desk.events import DeadManChanged
from console.guard.hub import Hub


class DeadMan:
    """Keeps one venue's switch. `timeout` in seconds."""

    def __init__(self, hub: Hub, venue: str, switch: DeadManSwitch, timeout: float) -> None:
        self._hub = hub
        self._venue = venue
        self._switch = switch
        self._timeout = timeout
        self._armed: bool | None = None

    async def run(self) -> None:
        """Refresh, for ever. A request that takes longer than a quarter is given up for the next one."""
        quarter = self._timeout / 4
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(quarter):
                    self._tell(await self._switch.dead_man(self._timeout))
            except TimeoutError:
                self._changed(False, f"no answer within {quarter:g} s")
            await asyncio.sleep(max(0.0, quarter - (time.monotonic() - began)))

    def _tell(self, answer: Write[None]) -> None:
        match answer:
            case Acked():
                self._changed(True, f"all orders are cancelled {self._timeout:g} s after the guard's last word")
            case Refused(code, message):
                self._changed(False, f"{code} {message}")
            case _:
                self._changed(False, answer.reason)

    def _changed(self, armed: bool, why: str) -> None:
        if armed is not self._armed:
            self._armed = armed
            self._hub.journal(DeadManChanged(venue=self._venue, armed=armed, why=why))
