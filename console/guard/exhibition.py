"""The desk as evidence of this moment: read, drawn, and laid out for a seal."""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

from adapters.base import Ok
from console.config import ConfigError, DeskConfig, Limits, limits_of
from console.desk.events import encode
from console.guard import exhibits
from console.guard.capture import Capture, Taken
from console.guard.frames import Captured, File
from console.guard.hub import Hub
from console.guard.screenshot import draw


class Shown(NamedTuple):
    """What a seal gets besides what was recorded; `missing` says what could not be shown, a sentence each."""

    items: dict[str, Captured] = {}
    files: tuple[File, ...] = ()
    missing: tuple[str, ...] = ()
    clock_offset_ms: int | None = None


class Exhibition:
    """Belongs to the event loop."""

    def __init__(self, hub: Hub, config: DeskConfig, capture: Capture) -> None:
        self._hub = hub
        self._config = config
        self._capture = capture
        self._one = asyncio.Lock()
        self._drawn: tuple[File, ...] = ()

    async def show(
        self,
        by: str,
        begun: "asyncio.Task[Taken] | None" = None,
        *,
        drawn: bool,
        screen: tuple[File, ...] = (),
    ) -> Shown:
        """What is read from now on, or was `begun` to be read; with this picture of the screen or, where one is to be
        `drawn`, with one of the state."""
        reading = begun or asyncio.ensure_future(self._capture.take())
        pictures, undrawn = await self._picture() if drawn and not screen else (screen, ())
        taken = await asyncio.shield(reading)
        items = exhibits.items(
            taken,
            by,
            strategies=self._config.strategies,
            venues=self._hub.state.venues,
            limits=self._config.limits,
            committed_limits=_committed(taken, self._config.path),
        )
        return Shown(items, pictures, (*exhibits.missing(taken), *undrawn), exhibits.clock_offset(taken))

    async def _picture(self) -> tuple[tuple[File, ...], tuple[str, ...]]:
        """One at a time: who waits while another is drawn shares the next."""
        asked = self._hub.clock()
        async with self._one:
            if self._drawn and self._drawn[0].captured_at >= asked:
                return self._drawn, ()
            try:
                self._drawn = await draw(encode(self._hub.state), self._hub.clock())
            except RuntimeError as error:
                return (), (f"screen: {error}",)
        return self._drawn, ()


def _committed(taken: Taken, file: Path) -> Limits | None:
    """The limits of the desk.yaml at git's HEAD, where they are known."""
    found: Any = taken.config.data if isinstance(taken.config, Ok) else ()
    text = next((each.committed for each in found if each.file == file.name), None)
    try:
        return None if text is None else limits_of(text.encode(), file)
    except ConfigError:
        return None
