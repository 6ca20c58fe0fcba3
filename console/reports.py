"""Reports that a drill leaves in the desk's state folder: JSON for machines, and beside it the same for people."""

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from console.config import ConfigError


def file_report(folder: Path, name: str, told: dict[str, Any], lines: Sequence[str]) -> tuple[Path, str]:
    """Write `name`.json and `name`.txt, which must not be there yet. Returns the JSON's path and its SHA-256. Raises
    ConfigError where they can not be written."""
    report = folder / f"{name}.json"
    data = msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n"
    try:
        folder.mkdir(exist_ok=True, mode=0o750)
        _keep(report, data)
        _keep(report.with_suffix(".txt"), "\n".join((*lines, "")).encode())
    except OSError as error:
        raise ConfigError(f"{error.filename}: the report can not be written: {error.strerror}") from None
    return report, hashlib.sha256(data).hexdigest()


def _keep(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def text_of(report: Path) -> str:
    """The report's own text, as it was filed."""
    return report.with_suffix(".txt").read_text("utf-8").rstrip()


def file_stamp(ts: int) -> str:
    """A time in a file's name. `ts` is UTC ns."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(ts // 1_000_000_000))


def utc(ts: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ts // 1_000_000_000))
