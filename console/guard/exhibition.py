"""The desk as evidence of this moment: read, drawn, and laid out for a seal."""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from adapters.base import Ok
from console.config import ConfigError, DeskConfig, Limits, limits_of
from console.desk.events import encode
from console.guard import exhibits
from console.guard.capture import Capture, Taken
from console.guard.frames import Captured, File
from console.guard.hub import Hub
from console.guard.screenshot import draw

PICTURE_SECONDS = 7.0
"""So long a seal waits for its picture; on a machine that is too busy for that it is sealed later."""
Pictures: TypeAlias = tuple[tuple[File, ...], tuple[str, ...]]
"""The files, and why there are none."""


class Shown(NamedTuple):
    """What a seal gets besides what was recorded; `missing` says what could not be shown, a sentence each; `later` is a
    picture that is still being drawn."""

    items: dict[str, Captured] = {}
    files: tuple[File, ...] = ()
    missing: tuple[str, ...] = ()
    clock_offset_ms: int | None = None
    later: "asyncio.Future[Pictures] | None" = None


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
        drawing = asyncio.ensure_future(self._picture(wanted=drawn and self._config.archive.pictures and not screen))
        _, late = await asyncio.wait({drawing}, timeout=PICTURE_SECONDS)
        pictures, undrawn = ((), _LATER) if late else drawing.result()
        taken = await asyncio.shield(reading)
        items = exhibits.items(
            taken,
            by,
            strategies=self._config.strategies,
            venues=self._hub.state.venues,
            limits=self._config.limits,
            committed_limits=_committed(taken, self._config.path),
        )
        missing, offset = (*exhibits.missing(taken), *undrawn), exhibits.clock_offset(taken)
        return Shown(items, (*screen, *pictures), missing, offset, drawing if late else None)

    async def _picture(self, *, wanted: bool) -> Pictures:
        """One at a time: who waits while another is drawn shares the next."""
        if not wanted:
            return (), ()
        asked = self._hub.clock()
        async with self._one:
            if self._drawn and self._drawn[0].captured_at >= asked:
                return self._drawn, ()
            try:
                self._drawn = await draw(encode(self._hub.state), self._hub.clock())
            except RuntimeError as error:
                return (), (f"screen: {error}",)
        return self._drawn, ()


_LATER = ("screen: it is still being drawn, and is sealed later",)


def _committed(taken: Taken, file: Path) -> Limits | None:
    """The limits of the desk.yaml at git's HEAD, where they are known."""
    found: Any = taken.config.data if isinstance(taken.config, Ok) else ()
    text = next((each.committed for each in found if each.file == file.name), None)
    try:
        return None if text is None else limits_of(text.encode(), file)
    except ConfigError:
        return None
