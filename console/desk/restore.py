"""A restore drill as its report tells of it. Pure."""

import hashlib

import msgspec

from console.desk.base import Plain
from console.desk.events import RestoreDrilled

RESTORE_FOLDER = "reports"


class _Report(Plain, frozen=True):
    """Of a report what the journal keeps."""

    incident: str
    source: str
    items: int
    rows: int
    bytes: int
    missed: tuple[str, ...]


def restore_event(report: bytes, path: str) -> RestoreDrilled:
    """What is journaled of a report, which lies at `path` within the state folder. Raises msgspec.MsgspecError."""
    told = msgspec.json.decode(report, type=_Report)
    return RestoreDrilled(
        **msgspec.structs.asdict(told), passed=not told.missed, report=path, sha256=hashlib.sha256(report).hexdigest()
    )
