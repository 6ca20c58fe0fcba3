"""What is never written down: which names stand for a secret, and how a secret that is known may be written."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from urllib.parse import quote, quote_plus, unquote_plus

MARK = "[redacted]"
LEAST = 6
"""Characters of the shortest known secret that is looked for: a shorter one stands in half the words there are."""

_SECRET_WORD = re.compile(
    "secrets?|passwords?|passwd|passphrase|pass|pwd|tokens?|jwt|otp|credentials?|cookies?|authorization|auth|bearer"
    "|sig(nature)?|(api|secret|access|private)key|apca"
)
_KEYS = frozenset({"api", "access", "private", "secret", "signing", "encryption", "session", "account", "client"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_HALF_ESCAPE = r"(?:(?<!\\)\\+(?:u[0-9a-fA-F]{0,3})?)?"
"""An escape of JSON that a secret seems to begin in goes along with it: half of one would not be JSON."""
_OPEN = frozenset({("page", "token"), ("next", "page", "token")})
"""Names that only look secret, and without which a list's page can not be told from the next."""


def secret_name(name: str) -> bool:
    """Whether what is called so (a header, a setting, a parameter, a variable) is probably a secret."""
    words = tuple(word.lower() for word in _WORD.findall(name))
    if words in _OPEN:
        return False
    if words == ("key",) or any(_SECRET_WORD.fullmatch(word) for word in words):
        return True
    pairs = set(pairwise(words))
    return ("key", "id") in pairs or ("session", "id") in pairs or any((word, "key") in pairs for word in _KEYS)


def spelled(secrets: Iterable[str]) -> tuple[str, ...]:
    """Every way in which the secrets may be written, the longest first."""
    forms = {form for secret in secrets if len(secret) >= LEAST for form in _spellings(secret)}
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def blot(text: str, forms: Iterable[str]) -> str:
    """`text` without the secrets that are `spelled` so. JSON stays JSON."""
    for form in forms:
        if form in text:
            text = re.sub(_HALF_ESCAPE + re.escape(form), MARK, text)
    return text


def blot_headers(headers: Mapping[str, str], forms: Iterable[str]) -> dict[str, str]:
    """Headers, those with secret names without their values."""
    known = tuple(forms)
    return {name: MARK if secret_name(name) else blot(value, known) for name, value in headers.items()}


def blot_query(path: str, forms: Iterable[str]) -> str:
    """A path with its query, parameters with secret names without their values."""
    place, mark, query = path.partition("?")
    parts = [part.partition("=") for part in query.split("&")]
    told = "&".join(
        name + sign + (MARK if sign and secret_name(unquote_plus(name)) else value) for name, sign, value in parts
    )
    return blot(place + mark + told, forms)


def _spellings(secret: str) -> Iterator[str]:
    """How a secret may be written: as it is, escaped for JSON up to three times, for a URL, in hex and in base64."""
    nested = {secret}
    for _ in range(3):
        yield from nested
        nested = {json.dumps(each, ensure_ascii=ascii_only)[1:-1] for each in nested for ascii_only in (True, False)}
    yield from nested
    data = secret.encode()
    for written in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield written
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), written)
    yield data.hex()
    yield data.hex().upper()
    for before in range(3):  # within a longer text base64 spells it in three ways
        whole = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        first = (0, 2, 3)[before]  # characters that also hold bits of what stands before
        last = len(whole) - ((before + len(data)) % 3 > 0)
        written = whole[first:last]
        if len(written) >= LEAST:
            yield written
            yield written.replace("+", "-").replace("/", "_")
