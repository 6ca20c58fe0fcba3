"""The desk's files as they lie there, beside what was committed of them. Blocks: for a thread."""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from console.runbooks.library import OWN_FOLDER

GIT_SECONDS = 4.0
LARGEST = 1 << 20
"""Bytes of a file that is kept; of a larger one only the hash is."""


class ConfigFile(NamedTuple):
    """One file, by its path from the desk.yaml. A text is None where there is none, or none that is text; `why` says
    why. `differs` is None where that is not known."""

    file: str
    live: str | None
    committed: str | None
    live_sha256: str | None
    committed_sha256: str | None
    differs: bool | None
    why: str


def desk_files(desk: Path) -> list[Path]:
    """The desk.yaml, and of contacts.yaml and the desk's own runbooks what there is."""
    found = [desk.parent / "contacts.yaml", *sorted((desk.parent / OWN_FOLDER).rglob("*.yaml"))]
    return [desk, *(path for path in found if path.is_file())]


def config_files(desk: Path) -> tuple[ConfigFile, ...]:
    """The files of the desk whose desk.yaml this is, each beside its version at HEAD."""
    folder = desk.parent
    names = [str(path.relative_to(folder)) for path in desk_files(desk)]
    committed, why = at_head(folder, names)
    return tuple(_compared(folder / name, name, committed.get(name), why) for name in names)


def at_head(folder: Path, names: Sequence[str]) -> tuple[dict[str, bytes], str]:
    """What git holds at HEAD of files in `folder`, by name; and why it holds nothing, if it does."""
    asked = "".join(f"HEAD:./{name}\n" for name in names).encode()
    command = ["git", "-C", str(folder), "cat-file", "--batch"]
    quiet = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        ran = subprocess.run(command, input=asked, capture_output=True, timeout=GIT_SECONDS, env=quiet, check=False)  # noqa: S603 - no word of it comes from outside
    except FileNotFoundError:
        return {}, "not known: git is not installed"
    except (OSError, subprocess.TimeoutExpired) as error:
        return {}, f"not known: git does not answer ({type(error).__name__})"
    if ran.returncode:
        said = ran.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        return {}, "not under version control" if "not a git repository" in said else f"not known: git says {said}"
    return _batch(ran.stdout, names), ""


def _batch(told: bytes, names: Sequence[str]) -> dict[str, bytes]:
    """`cat-file --batch` answers in turn: `<hash> blob <size>`, the bytes and a newline; or `<name> missing`."""
    found: dict[str, bytes] = {}
    for name in names:
        head, _, told = told.partition(b"\n")
        if head.endswith(b" missing"):
            continue
        size = int(head.rpartition(b" ")[2])
        found[name], told = told[:size], told[size + 1 :]
    return found


def _compared(path: Path, name: str, committed: bytes | None, why: str) -> ConfigFile:
    try:
        live = path.read_bytes()
    except OSError as error:
        why = f"it can not be read: {error.strerror}"
        return ConfigFile(name, None, _text(committed), None, _digest(committed), None, why)
    if committed is None:
        return ConfigFile(name, _text(live), None, _digest(live), None, None, why or "not committed")
    why = "" if max(len(live), len(committed)) <= LARGEST else f"larger than {LARGEST} bytes: only its hash is kept"
    return ConfigFile(name, _text(live), _text(committed), _digest(live), _digest(committed), live != committed, why)


def _digest(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()


def _text(data: bytes | None) -> str | None:
    return None if data is None or len(data) > LARGEST else data.decode("utf-8", "replace")
