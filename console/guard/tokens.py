"""Who may use the guard's HTTP: bearer tokens by name, in a file that only its owner can read.

`andon token` changes the file; a running guard takes it in within a second. A file that is found broken or open to
others while the guard runs changes nothing: whoever held a token keeps it, because it may be somebody's only way to
stop the desk.
"""

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

RELOAD_SECONDS = 0.5
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_TAKEN = frozenset({"guard"})
"""Names that stand for somebody else in the journal."""


class TokenFileError(Exception):
    """tokens.json is open to others or not of the expected form. The message names the way out."""


class Tokens:
    """`tokens.json`, `{"name": "token"}`, created with a random `operator` token where it is absent."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        if not path.exists():
            create(path)
        self._digests = _digests(read(path))

    def actor(self, authorization: str | None) -> str | None:
        """The name of the token in an `Authorization: Bearer …` header; None where it is not one of ours. The digest of
        every token is compared in constant time, and all of them whatever matches."""
        scheme, _, told = (authorization or "").partition(" ")
        given = hashlib.sha256(told.strip().encode(errors="surrogateescape")).digest()  # a header holds any bytes
        found = None
        for name, digest in self._digests.items():
            if hmac.compare_digest(digest, given):
                found = name
        return found if scheme.lower() == "bearer" else None

    def reload(self) -> None:
        """Take in what the file says now. Reads the disk: for a thread."""
        try:
            self._digests = _digests(read(self.path))
            self.trouble = ""
        except TokenFileError as error:
            if not self.trouble:
                print(f"andon guard: the tokens stay as they were: {error}", file=sys.stderr, flush=True)
            self.trouble = str(error)


def _digests(names: Mapping[str, str]) -> dict[str, bytes]:
    return {name: hashlib.sha256(token.encode()).digest() for name, token in names.items()}


def create(path: Path) -> None:
    """A new file with one token, `operator`. Raises OSError."""
    _write(path, {"operator": secrets.token_urlsafe(32)})


def add(path: Path, name: str) -> str:
    """A new random token for `name`, which must not have one yet. Raises TokenFileError and OSError."""
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise TokenFileError(f"{name!r} can not name a token: a-z, 0-9, '_', '.' and '-' are expected, not 'guard'")
    with _alone(path):
        names = read(path) if path.exists() else {}
        if name in names:
            raise TokenFileError(f"there is a token {name!r} already; `andon token revoke {name}` takes it away")
        names[name] = secrets.token_urlsafe(32)
        _write(path, names)
        return names[name]


def revoke(path: Path, name: str) -> None:
    """Take a token away. Raises TokenFileError and OSError."""
    with _alone(path):
        names = read(path)
        if name not in names:
            raise TokenFileError(f"there is no token {name!r}; there are: {', '.join(names) or 'none'}")
        del names[name]
        _write(path, names)


def read(path: Path) -> dict[str, str]:
    """Names and tokens. Raises TokenFileError."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as error:
        raise TokenFileError(f"{path}: the tokens can not be read: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TokenFileError(f"{path}: others can reach these tokens (mode {mode & 0o777:03o}); run: chmod 600 {path}")
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, dict) or not all(
        isinstance(token, str) and len(token) >= 16 and name not in _TAKEN for name, token in names.items()
    ):
        raise TokenFileError(
            f'{path}: expected JSON of the form {{"name": "token"}}, each token of 16 characters or more, none named '
            "'guard'; remove the file to have a new one made"
        )
    return names


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One writer at a time: two `andon token add` at once must both be there afterwards."""
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(path: Path, names: Mapping[str, str]) -> None:
    """Whole or not at all, and with the owner that the file had: root may rotate the tokens of the service's user."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        owner = (path if path.exists() else path.parent).stat()
        if os.geteuid() == 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        json.dump(names, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
