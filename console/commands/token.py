"""`andon token`: who may use the guard's HTTP. A running guard takes every change in within a second."""

from pathlib import Path

from console.commands.output import print_json
from console.config import ConfigError, find, glance
from console.guard import tokens


def token(desk: str | None, what: str, name: str | None, *, as_json: bool) -> int:
    """Lists the names, makes a token and prints it this once, or takes one away. Raises ConfigError."""
    path = glance(find(desk)).state / "tokens.json"
    if (name is None) is not (what == "list"):
        raise ConfigError("token list takes no name" if name else f"token {what}: whose? A NAME is expected")
    try:
        told = _do(path, what, name or "")
    except tokens.TokenFileError as error:
        raise ConfigError(str(error)) from None
    except OSError as error:
        raise ConfigError(f"{path}: the tokens can not be changed: {error.strerror}") from None
    if as_json:
        print_json(told)
    elif what == "list":
        print("\n".join(told["names"]) or f"there is no token in {path}")
    elif what == "add":
        print(told["token"])
    else:
        print(f"{name} is revoked")
    return 0


def _do(path: Path, what: str, name: str) -> dict[str, str | list[str]]:
    if what == "list":
        return {"file": str(path), "names": list(tokens.read(path)) if path.exists() else []}
    if what == "add":
        return {"file": str(path), "name": name, "token": tokens.add(path, name)}
    tokens.revoke(path, name)
    return {"file": str(path), "revoked": name}
