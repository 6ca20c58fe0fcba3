"""The desk's screens as a picture for the evidence, drawn without a terminal: `python -m console.picture OUT_BASE`.

Reads `{"state": …, "ts": …}`, an encoded DeskState and its moment in UTC ns, on stdin, and writes `OUT_BASE.svg` and
`OUT_BASE.txt`: the Desk, and below it the verdict where a pull stands. The SVG refers to nothing outside itself.
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NoReturn

import msgspec
from textual.app import App
from textual.pilot import Pilot

from console.app import AndonApp
from console.desk.entries import AnyEntry
from console.desk.events import Plain
from console.desk.pull import Level, Scope
from console.desk.source import Attached, Update
from console.desk.state import DeskState

SIZE = (120, 36)
LOOKS, LOOK_SECONDS = 40, 0.05
_NOTHING_DONE = "a picture takes no commands"
_FONTS = re.compile(r"@font-face\s*\{[^}]*\}\s*")
_ORIGIN = re.compile(r"<!--.*?-->\s*", re.DOTALL)
_LINE_CLIPS = re.compile(
    r'<clipPath id="[^"]*-line-[^"]*">.*?</clipPath>\s*|\s*clip-path="url\(#[^)]*-line-[^)]*\)"', re.DOTALL
)
_EMPTY_TEXT = re.compile(r"<text [^>]*>\s*</text>")
_RECT = (
    r'<rect fill="([^"]+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" shape-rendering="crispEdges"/>'
)
_RECTS = re.compile(f"(?:{_RECT})+")
_ID = re.compile(r"terminal-\d+-")
_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')


class Keyframe(Plain, frozen=True):
    """A desk at a moment (UTC ns)."""

    state: DeskState
    ts: int


class _Still:
    """A Source and a Cord on which nothing ever happens. `attached` is set once the state was taken."""

    live = True

    def __init__(self, state: DeskState) -> None:
        self._state = state
        self.attached = asyncio.Event()

    async def updates(self) -> AsyncIterator[Update]:
        yield Attached(self._state)
        self.attached.set()
        await asyncio.Event().wait()

    async def command(self, name: str, /, **arguments: str) -> NoReturn:
        raise RuntimeError(_NOTHING_DONE)

    async def keep(self, entry: AnyEntry) -> NoReturn:
        raise RuntimeError(_NOTHING_DONE)

    def ready(self) -> None:
        pass

    def pull(
        self, level: Level, scope: Scope, *, origin: str, keep_protective: bool = False, own_only: bool = False
    ) -> str:
        return ""


def text_of(app: App[None]) -> str:
    """What is on screen, a line each."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def alone(svg: str) -> str:
    """The SVG without what a viewer would fetch, and with its blanks kept by every viewer."""
    return _ORIGIN.sub("", _FONTS.sub("", svg)).replace("<svg ", '<svg xml:space="preserve" ', 1)


def lean(svg: str, name: str) -> str:
    """The same picture in a quarter of the bytes: what repeats in every line of it is said once. `name` sets its ids
    apart from those of others."""
    svg = _EMPTY_TEXT.sub("", _LINE_CLIPS.sub("", svg))
    return _ID.sub(f"{name}-", _RECTS.sub(lambda run: "".join(_joined(run[0])), svg))


def _joined(rects: str) -> Iterator[str]:
    """Rectangles of one colour that stand side by side are one."""
    for (fill, y, height), side in groupby(re.findall(_RECT, rects), key=lambda rect: (rect[0], rect[2], rect[4])):
        run = list(side)
        x, width = float(run[0][1]), sum(float(rect[3]) for rect in run)
        size = f'width="{round(width, 1):g}" height="{height}"'
        yield f'<rect fill="{fill}" x="{x:g}" y="{y}" {size} shape-rendering="crispEdges"/>'


def stacked(pictures: Sequence[str]) -> str:
    """Pictures of one width as one, the first on top."""
    if len(pictures) == 1:
        return pictures[0]
    parts, width, top = [], 0.0, 0.0
    for picture in pictures:
        box = _BOX.search(picture)
        if box is None:
            raise ValueError("a picture without a size")
        across, down = float(box[1]), float(box[2])
        parts.append(picture.replace("<svg ", f'<svg y="{top}" width="{across}" height="{down}" ', 1))
        width, top = max(width, across), top + down
    return f'<svg viewBox="0 0 {width} {top}" xmlns="http://www.w3.org/2000/svg">\n{"".join(parts)}\n</svg>\n'


async def _stands(app: AndonApp, pilot: Pilot[None]) -> None:
    """Wait until the screen does not change any more: one layout may lead to another, on a busy machine much later."""
    before = ""
    for _ in range(LOOKS):
        await pilot.pause(LOOK_SECONDS)
        await app.settle()
        await pilot.pause()
        before, last = text_of(app), before
        if before == last:
            return


async def draw(frame: Keyframe) -> tuple[str, str]:
    """The screens as SVG and as text."""
    still = _Still(frame.state)
    app = AndonApp(still, still, clock=lambda: frame.ts)
    svgs, texts = [], []
    async with app.run_test(size=SIZE) as pilot:
        await still.attached.wait()
        for room in ("desk", "verdict") if frame.state.pulls else ("desk",):
            app.show_room(room)
            await _stands(app, pilot)
            svgs.append(lean(alone(app.export_screenshot(title=f"andon · {room}")), room))
            texts.append(text_of(app))
    return stacked(svgs), "\n\n".join(texts) + "\n"


def main(arguments: Sequence[str], told: bytes) -> str:
    """Draw and write. Returns what went wrong as a sentence, or nothing."""
    if len(arguments) != 1:
        return "one argument is expected: where to write, without .svg and .txt"
    try:
        frame = msgspec.json.decode(told, type=Keyframe)
    except msgspec.MsgspecError as error:
        return f"stdin holds no state with its moment: {error}"
    os.environ.pop("NO_COLOR", None)
    os.environ["XDG_CONFIG_HOME"] = os.devnull  # evidence looks the same whatever themes somebody has
    try:
        svg, text = asyncio.run(draw(frame))
        Path(f"{arguments[0]}.svg").write_text(svg, "utf-8")
        Path(f"{arguments[0]}.txt").write_text(text, "utf-8")
    except OSError as error:
        return f"{error.filename}: can not be written: {error.strerror}"
    except Exception as error:
        return f"this state can not be drawn: {error!r}"
    return ""


if __name__ == "__main__":
    if failure := main(sys.argv[1:], sys.stdin.buffer.read()):
        print(f"andon: {failure}", file=sys.stderr)
        raise SystemExit(1)
