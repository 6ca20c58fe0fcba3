"""The screenshots of the README and the docs, drawn by the real screens from small histories: `make pictures`."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from textual.pilot import Pilot

from console.app import AndonApp
from console.config import Limits
from console.desk.archive import Archives
from console.desk.source import Update
from console.desk.words import SECOND
from console.offline import NoDesk, OfflineApp
from console.runbooks.handbook import read
from console.runbooks.library import Library
from console.screens.archive_room import ArchiveRoom
from console.screens.runbook_room import RunbookRoom
from tests.support import evidence, scenario

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
SIZES = {"80x24": (80, 24), "120x36": (120, 36)}


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = scenario.NOW

    def __call__(self) -> int:
        return self.now


BOOK = read(Library(None, Limits().by_name))


def spec(ref: str) -> Any:
    return BOOK.documents[ref].spec


WALK_ON = ("4", "slash", *"no-fills", "enter", "enter")
ATTEST = ("6", *("down",) * 6, "enter", "p", "t", *"bars fresh at 13:25Z", "enter")


TYPED = "type:"
"""Before a text that is typed, of a picture whose keys wait for each other."""
TO_RECORDS = ("enter", "down", "enter")
TO_BEATS = ("enter", "down", "down", "enter")
TO_SCREEN = ("enter", *("down",) * 5, "enter")
QUERY = "select venue, count(*) as beats, max(latency_us) as worst from heartbeats group by venue"


class Picture(NamedTuple):
    """`press` are keys; the first look is taken `earlier` by so many seconds, and the last one now. An `archived` one
    has an archive to look at, and without `updates` no desk."""

    name: str
    updates: Callable[[], list[Update]] | None
    press: tuple[str, ...] = ()
    earlier: float = 0
    archived: bool = False


PICTURES = (
    Picture("desk-calm", lambda: scenario.calm().updates),
    Picture("desk-burning", lambda: scenario.burning().updates),
    Picture("desk-halted", lambda: scenario.partial().updates),
    Picture("desk-venue-halted", lambda: scenario.narrow().updates),
    Picture("desk-guard-down", scenario.detached),
    Picture("book-equal", lambda: scenario.calm().updates, ("2",)),
    Picture("book-different", lambda: scenario.differing().updates, ("2",), 6),
    Picture("cord", lambda: scenario.reached().updates, ("K",)),
    Picture("cord-venue", lambda: scenario.reached().updates, ("K", "tab")),
    Picture("cord-strategy", lambda: scenario.reached().updates, ("K", "tab", "tab", "tab")),
    Picture("cord-symbols", lambda: scenario.reached().updates, ("K", "tab", "tab", "tab", "s")),
    Picture("cord-keeping", lambda: scenario.reached().updates, ("K", "p", "o")),
    Picture("verdict-requested", lambda: scenario.requested().updates, ("v",)),
    Picture("verdict-partial", lambda: scenario.partial().updates, ("v",)),
    Picture("verdict-unknown", lambda: scenario.unknown().updates, ("v",)),
    Picture("verdict-verified", lambda: scenario.verified().updates, ("v",)),
    Picture("verdict-kept", lambda: scenario.kept().updates, ("v",)),
    Picture("resume-refused", lambda: scenario.parted().updates, ("u", "t", *"loop", "enter")),
    Picture(
        "resume-ready", lambda: scenario.reconciled().updates, ("u", "c", "c", "s", "s", "t", *"test pull", "enter")
    ),
    Picture("runbooks", lambda: scenario.calm().updates, ("5",)),
    Picture("runbooks-found", lambda: scenario.calm().updates, ("5", "slash", *"rate limit", "enter")),
    Picture("runbooks-page", lambda: scenario.calm().updates, ("5", "slash", *"class outage", "enter", "enter", "tab")),
    Picture(
        "runbooks-run",
        lambda: (
            scenario.running(
                spec("procedure:killswitch"),
                "procedure",
                ("done", ""),
                ("verified", ""),
                ("skipped", "there is no second desk"),
                ("overridden", "the page is slow; the broker said so on the telephone"),
            ).updates
        ),
        ("5", "enter"),
    ),
    Picture("recovery", lambda: scenario.with_task(spec("tree:no-fills"), True, True, False).updates, ("4",)),
    Picture("recovery-question", lambda: scenario.walking(spec("tree:no-fills"), True).updates, WALK_ON),
    Picture("recovery-kill", lambda: scenario.walking(spec("tree:no-fills"), False).updates, WALK_ON),
    Picture("recovery-cord", lambda: scenario.walking(spec("tree:no-fills"), False).updates, (*WALK_ON, "K")),
    Picture(
        "recovery-throttle",
        lambda: scenario.walking(spec("tree:no-fills"), True, True, True).updates,
        (*WALK_ON, "l"),
    ),
    Picture("recovery-guard-down", scenario.walking_alone(spec("tree:no-fills"), True), WALK_ON),
    Picture("cadence", lambda: scenario.attested(*scenario.ATTESTED).updates, ("6",)),
    Picture("cadence-attest", lambda: scenario.attested(*scenario.ATTESTED).updates, ATTEST),
    Picture("lead", lambda: scenario.burning().updates, ("enter",)),
    Picture("adjust", lambda: scenario.flattened().updates, ("2", "a", "space"), 6),
    Picture("adjust-barred", lambda: scenario.entangled().updates, ("2", "a"), 6),
    Picture("desk-reduced", lambda: scenario.reduced().updates),
    Picture("help", lambda: scenario.calm().updates, ("question_mark",)),
    Picture("desk-incident", lambda: scenario.incident().updates),
    Picture("desk-evidence-lost", lambda: scenario.evidence_lost().updates),
    Picture("archive", lambda: scenario.calm().updates, ("7", "v"), archived=True),
    Picture("archive-offline", None, ("slash", f"{TYPED}sev:0 since:2026-02", "enter"), archived=True),
    Picture("archive-incident", None, ("enter", "v"), archived=True),
    Picture("archive-table", None, (*TO_BEATS, "right", "right", "s", "s"), archived=True),
    Picture("archive-plot", None, (*TO_BEATS, "slash", f"{TYPED}sim2", "enter", "right", "right", "p"), archived=True),
    Picture("archive-row", None, (*TO_RECORDS, "end", "enter"), archived=True),
    Picture("archive-query", None, ("colon", f"{TYPED}{QUERY}", "enter"), archived=True),
    Picture("archive-tables", None, ("colon",), archived=True),
    Picture("archive-screen", None, (*TO_SCREEN,), archived=True),
    Picture("archive-desk", lambda: scenario.calm().updates, ("7", "enter", "d"), archived=True),
    Picture("archive-book", None, ("enter", "b"), archived=True),
    Picture("archive-cord", lambda: scenario.calm().updates, ("7", "enter", "d", "K"), archived=True),
)


def _waits(app: AndonApp) -> bool:
    room = app.room
    return (isinstance(room, RunbookRoom) and app.handbook is None) or (
        isinstance(room, ArchiveRoom) and room.pending > 0
    )


def opened(picture: Picture, clock: Clock, archives: Archives | None = None, **options: Any) -> AndonApp:
    """The console that the picture is taken of."""
    clock.now -= int(picture.earlier * SECOND)
    if picture.updates is None:
        return OfflineApp(NoDesk(), None, archives=archives, clock=clock, **options)
    source, cord = scenario.JudgingSource(picture.updates()), scenario.RecordingCord()
    return AndonApp(source, cord, archives=archives, clock=clock, **options)


def _strokes(picture: Picture) -> list[tuple[str, ...]]:
    """What is pressed at once."""
    if not picture.archived:
        return [picture.press]
    return [tuple(key.removeprefix(TYPED)) if key.startswith(TYPED) else (key,) for key in picture.press]


async def posed(picture: Picture, clock: Clock, pilot: Pilot[None]) -> None:
    """Bring the console to where the picture is taken. Where something is read, each key waits for it."""
    await settle(pilot)
    for keys in _strokes(picture):
        await pilot.press(*keys)
        await settle(pilot)
    clock.now = scenario.NOW
    await settle(pilot)


async def settle(pilot: Pilot[None]) -> None:
    """Wait until what was asked for has been drawn, and what a room needs was read."""
    await pilot.pause(0.12)
    while isinstance(pilot.app, AndonApp) and _waits(pilot.app):
        await pilot.pause(0.02)
    if isinstance(pilot.app, AndonApp):
        pilot.app._tick()  # a busy machine may not have come to it yet
    await pilot.pause()


async def draw(picture: Picture, size: tuple[int, int], archives: Archives | None) -> str:
    """The picture as SVG."""
    clock = Clock()
    app = opened(picture, clock, archives)
    async with app.run_test(size=size) as pilot:
        await posed(picture, clock, pilot)
        drawn = app.export_screenshot(title=f"andon · {picture.name}")
        return drawn.replace("<svg ", '<svg xml:space="preserve" ', 1)  # some viewers drop leading blanks without it


def main(names: list[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = [picture for picture in PICTURES if not names or picture.name in names]
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        archived = any(picture.archived for picture in wanted)
        archives = evidence.archives(evidence.shelf_folder(Path(home))) if archived else None
        for picture in wanted:
            for label, size in SIZES.items():
                file = FOLDER / f"{picture.name}-{label}.svg"
                file.write_text(asyncio.run(draw(picture, size, archives)), "utf-8")
                print(file.relative_to(FOLDER.parents[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
