"""What must not be kept: the worker reads it where it lies, so that it never travels."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from console.config import DeskConfig
from console.evidence.redact import Redactor, secrets_of


def secret_files(config: DeskConfig) -> tuple[str, ...]:
    """The files of a desk that hold nothing but secrets, absolute."""
    keys = [venue.keys for venue in config.venues if venue.keys is not None]
    signing = [folder / "signing.key" for folder in (config.path.parent, config.state)]
    return tuple(map(str, (*keys, config.state / "tokens.json", *signing)))


class Secrets:
    """Of the environment, of `told`, and of `files` (JSON, every text in it, or PEM, every line). A file that changes
    is read again; what it held before stays a secret."""

    def __init__(self, told: Sequence[str], files: Sequence[str]) -> None:
        self._known = {*told, *secrets_of(os.environ)}
        self._files = [Path(file) for file in files]
        self._seen: dict[Path, tuple[int, int]] = {}
        self.redactor = Redactor(self._known)
        self.refresh()

    def refresh(self) -> None:
        """Look whether a file has changed. A file that can not be read holds nothing that anybody could leak."""
        found: set[str] = set()
        for path in self._files:
            try:
                status = path.stat()
                mark = (status.st_mtime_ns, status.st_ino)
                if self._seen.get(path) != mark:
                    found.update(_texts(path.read_text("utf-8", "replace")))
                    self._seen[path] = mark
            except OSError:
                continue
        if not found <= self._known:
            self._known |= found
            self.redactor = Redactor(self._known)


def _texts(text: str) -> Iterator[str]:
    try:
        yield from _leaves(json.loads(text))
    except (ValueError, RecursionError):
        yield from (line.strip() for line in text.splitlines() if line.strip() and not line.startswith("-----"))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
