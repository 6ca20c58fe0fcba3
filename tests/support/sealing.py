"""The real seal in processes that are killed in the middle of it: before a chosen call that changes the file system,
in the middle of a chosen write, or at a moment.

`python -m tests.support.sealing ARCHIVE KEY WHAT POINTS…` forks once a point, because loading PyArrow takes longer than
a seal. WHAT is `calls` (a point is the number of a call; 0 kills nobody, and tells how many there are), `moments` (a
point is a share of the time that a seal takes) or `race` (a point is a name; all of them seal at once, five times
each)."""

import io
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from console.evidence import seal as sealing
from console.evidence.columns import schema
from console.evidence.items import TABLES
from console.evidence.manifest import HeadLine
from console.evidence.seal import BytesPart, Facts, Part, TablePart, seal
from console.evidence.signing import Signer
from tests.support.scenario import NOW

INCIDENT = "INC-2026-0001"
CALLS = ("open", "fsync", "fchmod", "rename", "unlink", "mkdir")


def parts(by: str, rows: int = 200) -> Iterator[Part]:
    form = schema(TABLES["logs"])
    told: dict[str, Any] = {"captured_at": NOW, "by": by, "source": "test"}
    lines = [{"ts": NOW + at, "file": "maker", "line": at, "text": os.urandom(20).hex()} for at in range(rows)]
    yield TablePart(item="logs", schema=form, batches=[pa.RecordBatch.from_pylist(lines, form)], **told)
    yield BytesPart(item="screen", file="screen.txt", data=b"ANDON\n" * 50, **told)


def seal_once(folder: Path, signer: Signer, by: str = "ana", rows: int = 200) -> HeadLine:
    facts = Facts(
        incident=INCIDENT,
        why="snapshot",
        by=by,
        opened_at=NOW,
        desk="demo",
        mode="simulated",
        fold="",
        records=0,
        version="0",
    )
    return seal(folder, facts, parts(by, rows), signer)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Counted:
    """The os module for the code under test: dies before the `last`th call that changes something. A write is two
    calls: between them half of it is in the file."""

    def __init__(self, last: int) -> None:
        self.last, self.done = last, 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name == "fdopen":
            return self._opened
        return self._counted(real) if name in CALLS else real

    def _opened(self, fd: int, mode: str) -> io.BufferedWriter:
        file = _File(fd, mode)
        file.counted = self
        return io.BufferedWriter(file)

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            self.step()
            return real(*arguments, **more)

        return call

    def step(self) -> None:
        self.done += 1
        if self.done == self.last:
            die()


class _File(io.FileIO):
    counted: Counted

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.counted.step()
        half = super().write(view[: len(view) // 2])
        self.counted.step()
        return half + super().write(view[len(view) // 2 :])


def in_child(job: Callable[[], object]) -> int:
    pid = os.fork()
    if not pid:
        try:
            job()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    return pid


def killed_at_call(folder: Path, signer: Signer, last: int) -> None:
    def job() -> None:
        counted = Counted(last)
        sealing.os = counted  # type: ignore[assignment]
        seal_once(folder, signer)
        print(counted.done, flush=True)

    os.waitpid(in_child(job), 0)


def measured(folder: Path, signer: Signer) -> float:
    """Seconds that a seal takes in a child, from fork to exit."""
    began = time.monotonic()
    os.waitpid(in_child(lambda: seal_once(folder, signer)), 0)
    shutil.rmtree(folder.parent)
    return time.monotonic() - began


def killed_after(folder: Path, signer: Signer, seconds: float) -> None:
    pid = in_child(lambda: seal_once(folder, signer))
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def race(folder: Path, signer: Signer, names: Sequence[str]) -> bool:
    """Whether anything went wrong."""

    def five(by: str) -> None:
        for _ in range(5):
            seal_once(folder, signer, by)

    children = [in_child(partial(five, by)) for by in names]
    return any([os.waitpid(child, 0)[1] for child in children])  # noqa: C419 - all of them have to be waited for


def main() -> None:
    archive, key, what, *points = sys.argv[1:]
    signer, base = Signer.load(Path(key)), Path(archive)
    if what == "race":
        sys.exit(race(base / INCIDENT, signer, points))
    whole = measured(base.with_name("measured") / INCIDENT, signer) if what == "moments" else 0.0
    for point in points:
        folder = base.with_name(f"{base.name}-{point}") / INCIDENT
        shutil.copytree(base, folder.parent)
        if what == "calls":
            killed_at_call(folder, signer, int(point))
        else:
            killed_after(folder, signer, whole * float(point))


if __name__ == "__main__":
    main()
