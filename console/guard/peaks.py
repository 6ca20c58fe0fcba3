"""The highest equity seen, by venue: what a drawdown is measured from. It has to outlive the guard, or a restart would
forgive the loss before it."""

import contextlib
import json
import os
from decimal import Decimal, InvalidOperation
from pathlib import Path

from console.cord.aside import Aside


class Peaks:
    """Kept in `peaks.json` (decimal strings). An unreadable one is set aside: what is seen from now on counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = Aside("peaks")
        self._peaks: dict[str, Decimal] = {}
        try:
            self._peaks = {name: Decimal(told) for name, told in json.loads(path.read_bytes()).items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, AttributeError, InvalidOperation):
            with contextlib.suppress(OSError):
                path.replace(path.with_suffix(".unreadable"))

    def raise_to(self, venue: str, equity: Decimal) -> Decimal:
        """The peak of a venue, which is `equity` from now on if that is higher."""
        if equity > self._peaks.get(venue, Decimal(0)):
            self._peaks[venue] = equity
            told = json.dumps({name: str(peak) for name, peak in self._peaks.items()})
            self._aside.ask(lambda: self._write(told))
        return self._peaks.get(venue, equity)

    def _write(self, told: str) -> None:
        new = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):  # the peak is in memory, and is written with the next rise
            with new.open("w") as file:
                file.write(told)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
