"""Who may use the guard's HTTP: bearer tokens by name, in a file that only its owner can read."""

import hmac
import json
import os
import secrets
import stat
from pathlib import Path


class TokenFileError(Exception):
    """tokens.json is open to others or not of the expected form. The message names the way out."""


class Tokens:
    """`tokens.json`, `{"name": "token"}`, created with a random `operator` token where it is absent."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            self._create()
        self._names = self._read()

    def actor(self, authorization: str | None) -> str | None:
        """The name of the token in an `Authorization: Bearer …` header; None where it is not one of ours. Every token
        is compared in constant time, and all of them whatever matches."""
        scheme, _, told = (authorization or "").partition(" ")
        given = told.strip().encode(errors="surrogateescape")  # a header holds any bytes
        found = None
        for name, token in self._names.items():
            if hmac.compare_digest(token.encode(), given):
                found = name
        return found if scheme.lower() == "bearer" and given else None

    def _create(self) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"operator": secrets.token_urlsafe(32)}, file)
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> dict[str, str]:
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read()
        except OSError as error:
            raise TokenFileError(f"{self.path}: the tokens can not be read: {error.strerror}") from None
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise TokenFileError(
                f"{self.path}: others can reach these tokens (mode {mode & 0o777:03o}); run: chmod 600 {self.path}"
            )
        try:
            names = json.loads(text)
        except ValueError:
            names = None
        if not (
            isinstance(names, dict)
            and names
            and all(isinstance(token, str) and len(token) >= 16 for token in names.values())
        ):
            raise TokenFileError(
                f'{self.path}: expected JSON of the form {{"name": "token"}}, each token of 16 characters or more; '
                "remove the file to have a new one made"
            )
        return names
