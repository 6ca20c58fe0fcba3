"""Files that a console sends in pieces: its own picture of the screen, and what somebody attaches to an incident."""

import asyncio
import base64
import binascii
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from console.guard.aside import beside

FILE_LIMIT = 8 << 20
"""Bytes of one file."""
FILES_LIMIT = 16
"""Files that may be on their way."""
DISK_SECONDS = 5.0
NAME_LIMIT = 80
_UPLOAD = re.compile(r"[a-z0-9]{8,40}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Uploads:
    """Kept in `folder` until they are sealed; what lies there when a guard starts is nobody's any more. On the event
    loop; the disk is written beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}
        self._one = asyncio.Lock()
        self._begun = False

    async def add(self, upload: str, data: str) -> str:
        """Another piece, in base64. Raises RuntimeError with the reason why it is not taken."""
        if not _UPLOAD.fullmatch(upload):
            raise RuntimeError(f"{upload!r} names no upload")
        try:
            piece = base64.b64decode(data, validate=True)
        except binascii.Error:
            raise RuntimeError("a piece of an upload is base64") from None
        async with self._one:
            size = self._sizes.get(upload, 0) + len(piece)
            if size > FILE_LIMIT:
                await self._drop(upload)
                raise RuntimeError(f"the file has more than {FILE_LIMIT >> 20} MiB, which is the most that is taken")
            if upload not in self._sizes and len(self._sizes) >= FILES_LIMIT:
                await self._drop(next(iter(self._sizes)))
            await self._disk(partial(self._append, upload, piece, fresh=upload not in self._sizes))
            self._sizes[upload] = size
        return f"{size} bytes"

    def take(self, upload: str) -> Path:
        """The whole file, which is the caller's from now on. Raises RuntimeError where there is none."""
        if self._sizes.pop(upload, None) is None:
            raise RuntimeError(f"there is no upload {upload!r}, or it waited too long")
        return self._folder / upload

    async def _drop(self, upload: str) -> None:
        if self._sizes.pop(upload, None) is not None:
            await self._disk(lambda: (self._folder / upload).unlink(missing_ok=True))

    async def _disk(self, job: Callable[[], None]) -> None:
        try:
            await beside(job, DISK_SECONDS)
        except TimeoutError:
            raise RuntimeError("the disk does not answer") from None
        except OSError as error:
            raise RuntimeError(f"it can not be written: {error}") from None

    def _append(self, upload: str, piece: bytes, *, fresh: bool) -> None:
        if not self._begun:
            self._folder.mkdir(exist_ok=True, mode=0o700)
            for left in self._folder.iterdir():
                left.unlink(missing_ok=True)
            self._begun = True
        with (self._folder / upload).open("wb" if fresh else "ab") as file:
            file.write(piece)


def safe_name(name: str) -> str:
    """A file's own name, with nothing in it that could lead elsewhere or hide."""
    bare = _UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2]).lstrip(".")
    return bare[-NAME_LIMIT:] or "file"
