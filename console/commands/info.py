"""`andon info`: where everything lies. Works with no desk at all, because that is when people ask."""

import json
import platform
import sys
from pathlib import Path

from console import __version__
from console.commands.output import print_json, print_table
from console.config import ConfigError, Glance, find, glance, user_state
from console.evidence.journal import verify
from console.evidence.signing import PUBLIC_FILE, SigningError, Trusted, key_file
from console.processes import listens


def info(desk: str | None, *, as_json: bool) -> int:
    """Prints and returns 0, whatever is missing."""
    facts: dict[str, object] = {
        "version": __version__,
        "program": str(Path(__file__).parent.parent),
        "python": f"{platform.python_version()} ({sys.executable})",
        "desks": str(user_state()),
    }
    facts |= _desk(desk)
    if as_json:
        print_json(facts)
    else:
        print_table([(key.replace("_", " "), _words(value)) for key, value in facts.items()])
    return 0


def _desk(desk: str | None) -> dict[str, object]:
    try:
        seen = glance(find(desk))
    except ConfigError as error:
        return {"desk": None, "no_desk": str(error)}
    socket = seen.state / "guard.sock"
    guarded = listens(socket)
    http = _http(seen.state / "http.json") if guarded else {}  # a killed guard leaves its address behind
    return {
        "desk": seen.name,
        "mode": seen.mode,
        "desk_file": str(seen.path),
        "state": str(seen.state),
        "guard": "listens" if guarded else "does not listen",
        "socket": str(socket),
        "http": http.get("url"),
        "token_file": http.get("token_file"),
        **_signing(seen),
        "archive": str(seen.state / "archive"),
        "journal": str(seen.state / "journal"),
        "heads": {
            report.writer: {"records": report.records, "hash": report.head_hash, "problem": report.problem}
            for report in verify(seen.state / "journal")
        },
    }


def _signing(seen: Glance) -> dict[str, object]:
    """The key that signs this desk's evidence, and how people know it."""
    path = key_file(seen.path.parent, seen.state)
    if path is None:
        return {"signing_key": None, "signer": None}
    try:
        signer = str(Trusted.parse(str(path.with_name(PUBLIC_FILE))))
    except SigningError as error:
        signer = str(error)
    return {"signing_key": str(path), "signer": signer}


def _http(path: Path) -> dict[str, str]:
    """What the guard wrote about its HTTP; nothing while it serves none."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _words(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        heads = (
            f"{writer} {head['records']} {head['hash'][:16]}"
            + (f" DAMAGED: {head['problem']}" if head["problem"] else "")
            for writer, head in value.items()
        )
        return ", ".join(heads) or "nothing written yet"
    return str(value)
