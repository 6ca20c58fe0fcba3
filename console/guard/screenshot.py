"""The screen as a picture for the evidence, drawn by a process of its own: the guard never draws."""

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from console.guard.aside import beside
from console.guard.frames import File, keyframe

SECONDS = 60.0
NICENESS = 5
"""Whatever the picture takes, the cord goes first."""
NAMES = ("screen.svg", "screen.txt")


async def draw(state: bytes, at: int) -> tuple[File, ...]:
    """The screen of an encoded state at `at` (UTC ns), as SVG and as text. Raises RuntimeError with the reason why it
    could not be drawn."""
    try:
        texts = await beside(lambda: _drawn(keyframe(state, at)), SECONDS + 1)
    except (TimeoutError, subprocess.TimeoutExpired):
        raise RuntimeError(f"it was not drawn within {SECONDS:.0f} s") from None
    except OSError as error:
        raise RuntimeError(f"it could not be drawn: {error}") from None
    return tuple(
        File(name, at, "guard", "drawn from the guard's state", text) for name, text in zip(NAMES, texts, strict=True)
    )


def _drawn(told: bytes) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="andon-") as folder:
        command = [sys.executable, "-m", "console.picture", f"{folder}/screen"]
        with subprocess.Popen(  # noqa: S603 - ours, with nothing from outside in it
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
            try:
                _, said = process.communicate(told, SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        if process.returncode:
            last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise RuntimeError(f"it was not drawn: {last or f'exit code {process.returncode}'}")
        return [Path(folder, name).read_text() for name in NAMES]
