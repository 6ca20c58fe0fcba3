"""`andon init`: the files that a desk of one's own begins with."""

import os
import shlex
import sys
from importlib.resources import files
from pathlib import Path

from console.config import ConfigError
from console.evidence.signing import KEY_FILE, PUBLIC_FILE, Signer

_KEYS = '{"key_id": "", "secret_key": ""}\n'


def init(folder: str) -> int:
    """Writes desk.yaml, a key file to fill in (0600), the key that signs evidence and a systemd unit, and keeps
    whatever is there already. Raises ConfigError where the folder can not be written."""
    where = Path(folder).absolute()
    templates = files("console.commands").joinpath("templates")
    desk = where / "desk.yaml"
    unit = templates.joinpath("andon.service").read_text("utf-8")
    try:
        (where / "keys").mkdir(parents=True, exist_ok=True)
        (where / "keys").chmod(0o750)
        _write(desk, templates.joinpath("desk.yaml").read_text("utf-8"), 0o640)
        _write(where / "contacts.yaml", templates.joinpath("contacts.yaml").read_text("utf-8"), 0o640)
        _write(where / "keys" / "alpaca.json", _KEYS, 0o600)
        for word, meant in (
            ("{andon}", _launcher()),
            ("{desk}", _quoted(desk)),
            ("{folder}", shlex.quote(str(where))),
        ):
            unit = unit.replace(word, meant)
        _write(where / "andon-guard.service", unit, 0o644)
        _sign(where)
    except OSError as error:
        raise ConfigError(f"{error.filename}: can not be written: {error.strerror}") from None
    print(f"Next: read {desk}, fill in {where / 'keys' / 'alpaca.json'}, then: andon check {shlex.quote(str(where))}")
    return 0


def _write(path: Path, text: str, mode: int) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        print(f"kept     {path} (it was there already)")
        return
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        os.fchmod(fd, mode)
        file.write(text)
    print(f"written  {path}")


def _sign(folder: Path) -> None:
    path = folder / KEY_FILE
    if os.path.lexists(path):
        print(f"kept     {path} (it was there already)")
        return
    signer = Signer.make(folder)
    print(f"written  {path}")
    print(f"written  {folder / PUBLIC_FILE} ({signer.fingerprint}: note it where nobody at this desk can change it)")


def _launcher() -> str:
    """The command `andon` of this very installation, as a unit has to call it."""
    python = Path(sys.executable)
    beside = python.parent / "andon"
    return _quoted(beside) if beside.exists() else f"{_quoted(python)} -P -m console"


def _quoted(path: Path) -> str:
    """One word of a unit's command line, whatever the path holds."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
