"""The two files that strategies obey: the latch, and gate.json with its lease.

The latch is one JSON object a line, one line a standing pull; every reader of the gate looks at it first, and no writer
of gate.json can clear it. Hands that pull append to it. Only a resume takes lines out (`clear`), by writing the file
anew beside it and renaming; it holds flock(2) on the file alone, hands share it, and all look, once they hold it,
whether it still is the file of that name. If a pull can not be written, gate.json is unlinked, which works even on a
full disk: an absent gate is HALTED.
"""

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Collection
from typing import Any

from console.desk.gate import LEASE_NS, UNREADABLE, latch_entries
from console.desk.pull import Level, Scope

APPEND_WAITS = 0.25
APPEND_WAITS_ON = 5.0
APPEND_TRIES = 20
CLEAR_WAITS = 2.0


def boot_id() -> str:
    """This boot of the machine; a lease of another boot is void."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def boot_now() -> int:
    """CLOCK_BOOTTIME in ns: it neither steps back nor stops while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def set_latch(
    folder: str, *, pull: str, level: str, scope: str, actor: str, ts: int, spares: Collection[str] = ()
) -> tuple[str, str]:
    """Add a pull to the latch and wait for the disk. Returns `("", "")`, or `(what failed, what was done instead)`;
    never raises. Setting the same pull twice leaves it there once. `spares` names what the pull leaves standing (see
    request.py), for whoever finds it here alone. A resume that holds the file is waited for a moment;
    then gate.json is unlinked, which is HALTED as well, and the line is written as soon as the resume lets go."""
    try:
        fallback = write_latch(folder, pull=pull, level=level, scope=scope, actor=actor, ts=ts, spares=spares)
    except OSError as error:
        return f"cord.latch: {error.strerror}", _unlink_gate(folder)
    return ("cord.latch: a resume held it for too long", fallback) if fallback else ("", "")


def write_latch(
    folder: str, *, pull: str, level: str, scope: str, actor: str, ts: int, spares: Collection[str] = ()
) -> str:
    """Add a pull to the latch. Returns what was done meanwhile where a resume held it for long. Raises OSError."""
    path = os.path.join(folder, "cord.latch")
    entry = {
        "v": 1,
        "id": pull,
        "level": level,
        "scope": scope,
        "actor": actor,
        "ts": ts,
        **dict.fromkeys(spares, True),
    }
    line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
    fallback = ""
    for _ in range(APPEND_TRIES):
        if _made(path, line):
            break
        with contextlib.suppress(FileNotFoundError):  # a resume took the last line out meanwhile
            fallback = _append(folder, line, pull)
            break
    else:
        raise OSError(None, "it can neither be made nor opened")
    sync_folder(folder)
    return fallback


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


def _append(folder: str, line: bytes, pull: str) -> str:
    """What was done instead while a resume held the file for too long, "" where none did. Raises OSError."""
    path, fallback = os.path.join(folder, "cord.latch"), ""
    descriptor, held_it = _hold(path, fcntl.LOCK_SH, APPEND_WAITS)
    if not held_it:
        os.close(descriptor)
        fallback = _unlink_gate(folder)
        descriptor, _ = _hold(path, fcntl.LOCK_SH, APPEND_WAITS_ON)
    try:
        held = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        if f'"id": "{pull}"'.encode() not in held:
            torn = b"" if held.endswith(b"\n") or not held else b"\n"
            os.write(descriptor, torn + line)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return fallback


def clear(folder: str, pulls: Collection[str]) -> None:
    """Take resumed pulls out of the latch, and nothing else; without any line left the file goes. A line that can not
    be read (torn by a crash) goes only together with a stop of the whole desk that was written after it. Raises OSError
    where the latch stays as it is."""
    path = os.path.join(folder, "cord.latch")
    try:
        descriptor, alone = _hold(path, fcntl.LOCK_EX, CLEAR_WAITS)
    except FileNotFoundError:
        return
    try:
        if not alone:
            raise OSError(None, "another hand holds cord.latch")
        held = os.pread(descriptor, os.fstat(descriptor).st_size, 0).splitlines()
        kept = _without(held, pulls)
        if kept == held and held:
            return
        if kept:
            _rewrite(path, b"".join(line + b"\n" for line in kept))
        else:
            os.unlink(path)
    finally:
        os.close(descriptor)
    sync_folder(folder)


def _without(lines: list[bytes], pulls: Collection[str]) -> list[bytes]:
    """The lines that stay, in their order."""
    kept: list[bytes] = []
    covered = False
    for line in reversed(lines):
        try:
            entry = json.loads(line)
            level, scope = Level(entry["level"]), Scope.parse(entry["scope"])
            if entry["id"] not in pulls:
                kept.append(line)
            elif scope.kind == "desk" and level.cancels:
                covered = True
        except UNREADABLE:
            if not covered:
                kept.append(line)
    return kept[::-1]


def _rewrite(path: str, data: bytes) -> None:
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o660)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(path + ".new", path)


def _hold(path: str, how: int, seconds: float) -> tuple[int, bool]:
    """The latch, opened, and whether it is locked: False where another hand kept us from it for all of `seconds`.
    Closing it unlocks it. Raises OSError, FileNotFoundError where there is none."""
    deadline = time.monotonic() + seconds
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
        try:
            locked = _locked(descriptor, how)
            if (locked and _is_at(descriptor, path)) or (not locked and time.monotonic() > deadline):
                return descriptor, locked
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if not locked:
            time.sleep(0.005)


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError:  # another hand's, or a file system without locks: both mean that we are not alone for sure
        return False
    return True


def _is_at(descriptor: int, path: str) -> bool:
    """Whether the open file still has its name: a resume may have put another in its place."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


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
