"""A venue's key pair, read from a file that only its owner, or its owner and the desk's group, can read."""

import json
import os
import stat


class KeyFileError(Exception):
    """The key file is missing, open to others, or not of the expected form. The message names the way out."""


def read_keys(path: str) -> tuple[str, str]:
    """`(key id, secret)` from a JSON file `{"key_id": …, "secret_key": …}`. Raises KeyFileError."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as error:
        raise KeyFileError(f"{path}: the key file can not be read: {error.strerror}") from None
    if mode & stat.S_IRWXO:
        raise KeyFileError(f"{path}: others can reach this key file (mode {mode & 0o777:03o}); run: chmod o= {path}")
    try:
        held = json.loads(text)
        key_id, secret = held["key_id"], held["secret_key"]
    except (ValueError, KeyError, TypeError):
        key_id = secret = None
    if not all(isinstance(part, str) and part and part.isascii() and part.isprintable() for part in (key_id, secret)):
        raise KeyFileError(f'{path}: expected JSON of the form {{"key_id": "…", "secret_key": "…"}} in plain ASCII')
    return key_id, secret


def keys_of(path: str) -> tuple[str, str]:
    """As `read_keys`; an empty path means the environment, which only a paper account may use. Raises KeyFileError."""
    if path:
        return read_keys(path)
    key_id, secret = os.environ.get("APCA_API_KEY_ID", ""), os.environ.get("APCA_API_SECRET_KEY", "")
    if not (key_id and secret):
        raise KeyFileError("APCA_API_KEY_ID and APCA_API_SECRET_KEY are not set here, and desk.yaml says keys: env")
    return key_id, secret
