"""What is never written down: which names stand for a secret, and how one is blotted out of what is kept.

A name is judged by its words, however they are joined: `X-Api-Key`, `api_key` and `apiKey` are one name. A few
that only look like secrets are kept: without its `page_token` a page can not be told from the next.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus, unquote

BLOT = "•••"
LEAST = 6

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET = frozenset({"auth", "csrf", "jwt", "key", "keys", "otp", "passphrase", "pwd", "sid", "sig", "totp", "xsrf"})
_STEMS = re.compile(r"apikey|accesskey|privatekey|secret|token|passw|credential|authoriz|cookie|sessionid|signature")
_OPEN = frozenset({"keys", "nextpagetoken", "pagetoken", "publickey"})  # `keys` is where desk.yaml names a file


def is_secret(name: str) -> bool:
    """Whether what goes by this name (of a header, a query's parameter, a setting, a variable) is a secret."""
    words = [word.lower() for word in _WORDS.findall(name)]
    joined = "".join(words)
    return joined not in _OPEN and (not _SECRET.isdisjoint(words) or _STEMS.search(joined) is not None)


def forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """The secrets, and how they look escaped in JSON, in a URL and within base64, at whatever byte they begin there.
    What is shorter than `LEAST` characters can not be told from ordinary text, and is left out."""
    found: dict[str, None] = {}
    for secret in secrets:
        if len(secret) >= LEAST:
            written = (secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret))
            found |= dict.fromkeys((*written, *_in_base64(secret.encode())))
    return tuple(sorted(found, key=len, reverse=True))


def _in_base64(secret: bytes) -> list[str]:
    """What base64 has of these bytes whatever stands around them, at each of the three places they can begin at."""
    found = []
    for before in range(3):
        whole = (before + len(secret)) // 3 * 4
        told = b64encode(bytes(before) + secret).decode()[(0, 2, 3)[before] : whole]
        found += [told, told.replace("+", "-").replace("/", "_")]
    return found


def blot(text: str, hidden: Iterable[str]) -> str:
    """`text` without any of `hidden` (see `forms`) in it."""
    for each in hidden:
        text = text.replace(each, BLOT)
    return text


def blot_headers(headers: Mapping[str, str], hidden: Iterable[str]) -> dict[str, str]:
    """Headers, those with secret names without their values."""
    known = tuple(hidden)
    return {name: BLOT if is_secret(name) else blot(value, known) for name, value in headers.items()}


def blot_query(path: str, hidden: Iterable[str]) -> str:
    """A path with its query, parameters with secret names without their values."""
    place, mark, query = path.partition("?")
    parts = [part.partition("=") for part in query.split("&")]
    told = "&".join(name + sign + (BLOT if is_secret(unquote(name)) and sign else value) for name, sign, value in parts)
    return blot(place + mark + told, hidden)
