"""The key that signs what is sealed, and the key that somebody trusts: Ed25519, in files that openssl reads.

Imports cryptography: for the worker, and for commands that make, show or check a key.
"""

import base64
import contextlib
import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_FILE = "signing.key"
PUBLIC_FILE = "signing.pub"
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)
_LONGEST = 65_536
_NOT_FOR_OTHERS = stat.S_IWGRP | stat.S_IRWXO


class SigningError(Exception):
    """A key that can not be used: a sentence that names the file and the way out."""


def fingerprint(public_key: bytes) -> str:
    """What people compare: `SHA256:` and the base64 of the SHA-256 of the 32 raw bytes, without padding."""
    return f"SHA256:{base64.b64encode(hashlib.sha256(public_key).digest()).decode().rstrip('=')}"


def signed_by(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the holder of that key (32 raw bytes) signed just this message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_file(*folders: Path) -> Path | None:
    """Where the signing key lies: in the first of the folders that holds one."""
    return next((path for path in (folder / KEY_FILE for folder in folders) if path.exists()), None)


class Signer:
    """Holds a private key. `public_key` are its 32 raw bytes, base64; `fingerprint` is how people know it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._raw = key.public_key().public_bytes_raw()
        self.public_key = base64.b64encode(self._raw).decode()
        self.fingerprint = fingerprint(self._raw)

    @classmethod
    def load(cls, path: Path) -> "Signer":
        """The key in a PEM file. Raises SigningError."""
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(_LONGEST)
        except OSError as error:
            raise SigningError(f"{path}: the signing key can not be read: {error.strerror}") from None
        if mode & _NOT_FOR_OTHERS:
            raise SigningError(f"{path}: others can reach the signing key; chmod 600 is expected")
        try:
            key = serialization.load_pem_private_key(data, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise SigningError(f"{path}: this is no Ed25519 private key in PEM without a password")
        return cls(key)

    @classmethod
    def make(cls, folder: Path) -> "Signer":
        """A new key in `folder/signing.key` (0600) and `folder/signing.pub`. Raises SigningError where there is a key
        already, OSError where none can be written."""
        made = cls(Ed25519PrivateKey.generate())
        pem = made._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        try:
            _write_once(folder / KEY_FILE, pem, 0o600)
        except FileExistsError:
            raise SigningError(f"{folder / KEY_FILE}: there is a signing key already, and it is kept") from None
        made._write_public(folder)
        return made

    @classmethod
    def ensure(cls, desk_folder: Path, state_folder: Path) -> "Signer":
        """The key beside desk.yaml, else that in the state folder, which is made where it is missing. Raises
        SigningError, or OSError where none can be written."""
        path = key_file(desk_folder, state_folder)
        if path is None:
            return cls.make(state_folder)
        signer = cls.load(path)
        with contextlib.suppress(OSError, SigningError):  # the desk's folder may be closed to us
            signer._write_public(path.parent)
        return signer

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)

    def _write_public(self, folder: Path) -> None:
        """Into `signing.pub`, behind former keys, whose evidence is as good as it was."""
        path = folder / PUBLIC_FILE
        pem = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        try:
            _write_once(path, pem, 0o644)
        except FileExistsError:
            if self.fingerprint not in _public_keys(path):
                _write(path, path.read_bytes() + pem, 0o644, os.replace)


@dataclass(frozen=True, slots=True)
class Trusted:
    """Those whose signatures count, by fingerprint."""

    fingerprints: frozenset[str]

    @classmethod
    def parse(cls, told: str) -> "Trusted":
        """From a fingerprint, or from a file of public keys in PEM. Raises SigningError."""
        if _FINGERPRINT.fullmatch(told):
            return cls(frozenset({told}))
        if not told:
            raise SigningError("an empty key is nobody's: a fingerprint (SHA256:…) or a file is expected")
        path = Path(told).expanduser()
        try:
            return cls(_public_keys(path))
        except OSError as error:
            why = f"{told}: neither a fingerprint (SHA256:…) nor a file that can be read: {error.strerror}"
            raise SigningError(why) from None

    @classmethod
    def of(cls, *folders: Path) -> "Trusted | None":
        """Whom the `signing.pub` of these folders name; None where there is none. Raises SigningError."""
        found: set[str] = set()
        for path in (folder / PUBLIC_FILE for folder in folders):
            try:
                found |= _public_keys(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise SigningError(f"{path}: the public key can not be read: {error.strerror}") from None
        return cls(frozenset(found)) if found else None

    def __str__(self) -> str:
        return " or ".join(sorted(self.fingerprints))


def _public_keys(path: Path) -> frozenset[str]:
    """The fingerprints of a file that holds one public key after the other. Raises SigningError and OSError."""
    with path.open("rb") as file:
        blocks = _PEM.findall(file.read(_LONGEST))
    try:
        keys = [serialization.load_pem_public_key(block) for block in blocks]
    except (ValueError, UnsupportedAlgorithm):
        keys = []
    raw = [key.public_bytes_raw() for key in keys if isinstance(key, Ed25519PublicKey)]
    if not raw or len(raw) < len(blocks):
        raise SigningError(f"{path}: Ed25519 public keys in PEM are expected, such as a desk's {PUBLIC_FILE}")
    return frozenset(map(fingerprint, raw))


def _write_once(path: Path, data: bytes, mode: int) -> None:
    """Write a file that is not there yet. Raises FileExistsError where it is, whoever made it and when."""
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    _write(path, data, mode, os.link)


def _write(path: Path, data: bytes, mode: int, place: Callable[[Path, Path], None]) -> None:
    """Write a file whole, or not at all: aside, and then `place` it."""
    new = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(data)
            file.flush()
            os.fsync(fd)
        place(new, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
