"""The two files that strategies obey: the latch, and gate.json with its lease.

The latch is one JSON object a line, one line a standing pull, only ever appended to here; every reader of the gate
looks at it first, and no writer of gate.json can clear it. If it can not be written, gate.json is unlinked, which works
even on a full disk: an absent gate is HALTED.
"""

import json
import os
import threading
import time
from typing import Any

from console.desk.gate import LEASE_NS, UNREADABLE, latch_entries


def boot_id() -> str:
    """This boot of the machine; a lease of another boot is void."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def boot_now() -> int:
    """CLOCK_BOOTTIME in ns: it neither steps back nor stops while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def set_latch(folder: str, *, pull: str, level: str, scope: str, actor: str, ts: int) -> tuple[str, str]:
    """Add a pull to the latch and wait for the disk. Returns `("", "")`, or `(what failed, what was done instead)`;
    never raises. Setting the same pull twice leaves it there once."""
    path = os.path.join(folder, "cord.latch")
    entry = {"v": 1, "id": pull, "level": level, "scope": scope, "actor": actor, "ts": ts}
    line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
    try:
        if not _made(path, line):
            _append(path, line, pull)
        sync_folder(folder)
    except OSError as error:
        return f"cord.latch: {error.strerror}", _unlink_gate(folder)
    return "", ""


def _made(path: str, line: bytes) -> bool:
    """Make the latch with its first line in it, so that nobody ever reads an empty one. False where it is there."""
    if os.path.lexists(path):
        return False
    new = f"{path}.{os.getpid()}.{threading.get_ident()}"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o660)
    try:
        os.write(descriptor, line)
        os.fsync(descriptor)
        os.link(new, path)
    except FileExistsError:
        return False
    finally:
        os.close(descriptor)
        os.unlink(new)
    return True


def _append(path: str, line: bytes, pull: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o660)
    try:
        held = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        if f'"id": "{pull}"'.encode() not in held:
            torn = b"" if held.endswith(b"\n") or not held else b"\n"
            os.write(descriptor, torn + line)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unlink_gate(folder: str) -> str:
    try:
        os.unlink(os.path.join(folder, "gate.json"))
    except FileNotFoundError:
        return "gate.json was absent already, which is HALTED"
    except OSError as error:
        return f"gate.json could not be removed either ({error.strerror}): it lapses within 5 s of the guard's end"
    return "gate.json was removed, which is HALTED"


def sync_folder(folder: str) -> None:
    """Make a new name in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(folder: str, name: str) -> bytes | None:
    """The bytes of a file of the state folder, None where it is absent. Raises OSError for anything else."""
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def standing(folder: str) -> list[dict[str, Any]] | None:
    """The pulls in the latch, [] without a latch, None where it is there but can not be read (which is HALTED)."""
    try:
        latch = read_file(folder, "cord.latch")
        entries = [] if latch is None else latch_entries(latch)
    except (OSError, *UNREADABLE):
        return None
    named = all(isinstance(entry.get("id"), str) and isinstance(entry.get("ts"), int) for entry in entries)
    return list(entries) if named else None


def write_gate(
    folder: str, *, desk: str, state: str, size_factor: str, rate_factor: str, scopes: dict[str, str], because: str
) -> None:
    """Renew gate.json with a lease from now. Atomic; not fsynced, since a gate lost with the machine is HALTED.
    Raises OSError."""
    told = {
        "v": 1,
        "desk": desk,
        "state": state,
        "size_factor": size_factor,
        "rate_factor": rate_factor,
        "scopes": scopes,
        "because": because,
        "lease": {"boot_id": boot_id(), "expires": boot_now() + LEASE_NS},
    }
    path = os.path.join(folder, "gate.json")
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o664)
    with os.fdopen(descriptor, "w") as file:
        json.dump(told, file, ensure_ascii=False)
    os.replace(path + ".new", path)
