"""Secrets are blotted out before anything is kept: those that are known, in every spelling, and what looks like one.

What comes out is of the same form as what went in (JSON stays JSON, a line stays a line), and blotting it again changes
nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from console.desk.hidden import LEAST, MARK, blot, secret_name, spelled

LONGEST_KEY = 200
"""Lines of a private key, at most: a block that is never closed must not swallow the rest."""

_LINE_LONG = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "www-authenticate"})
"""Headers whose value goes on to the end of the line."""
_HINTS = (
    "secret",
    "pass",
    "pwd",
    "token",
    "jwt",
    "otp",
    "credential",
    "cookie",
    "auth",
    "bearer",
    "basic",
    "digest",
    "sig",
    "key",
    "apca",
    "session",
    "://",
)
"""Without one of these in it, a text holds nothing that only looks like a secret."""
_PEM_BEGIN = "-----BEGIN "
_PEM_FIRST = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:[^\"'\\]|\\+[nrt])*?"
    r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|(?=\\*[\"'])|(?=\\+(?:[^nrt\\]|\Z))|\Z)"
)
_BEARER = re.compile(r"(?i)\b(bearer\s+)(?!\[redacted\])[A-Za-z0-9._~+/=:-]{6,}")
_SCHEME = re.compile(
    r"(?i)\b((?:basic|digest|token)\s+)(?=[A-Za-z._~+/:-]*[0-9=]|[A-Za-z._~+/:-]{20})[A-Za-z0-9._~+/=:-]{8,}"
)
_USERINFO = re.compile(r"(?i)(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,20}://)(?!\[redacted\])[^/\s\"'@\\?#<>]+@")
_QUERY = re.compile(r"([?&;])([^=&;#?\s\"'\\]+)=([^&;#\s\"'\\]+)")
_KEYED = re.compile(
    r"(?<![A-Za-z0-9_.-])(?P<key>[A-Za-z0-9_.-]+)(?P<between>(?P<close>\\*[\"'])?[ \t]*(?:=>|[:=])[ \t]*)(?=\S)"
)
_FLAG = re.compile(r"(?<![A-Za-z0-9_-])(--?)(?P<key>[A-Za-z][A-Za-z0-9_-]*) +(?!-)(?P<value>[^\s\"'\\,;\[]+)")
_QUOTE = re.compile(r"(?<!\\)(\\*)([\"'])")
_ESCAPED = re.compile(r"[nrtbf]|u[0-9a-fA-F]{4}")
_BARE = re.compile(r"[^\s,;&\"'\\{}\[\]()<>]+")
_TO_END = re.compile(r"[^\r\n\"'\\]+")
_NOTHING = frozenset({"null", "true", "false", "none", "None", "True", "False"})
_YAML_KEY = re.compile(r"^(?P<indent>[ ]*(?:- +)*)(?P<quote>[\"']?)(?P<key>[\w.-]+)(?P=quote)[ ]*:(?P<value>[ ].*|)$")


def secrets_of(environment: Mapping[str, str]) -> Iterator[str]:
    """The values of variables whose names look secret; paths are none."""
    for name, value in environment.items():
        if secret_name(name) and len(value) > LEAST and not value.startswith("/"):
            yield value


class Redactor:
    """`known` are secrets as they are; every one is also found as JSON, as URL and as base64 spell it."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = spelled(known)
        self._bytes = [form.encode() for form in self._known]

    def suspects(self, text: str) -> bool:
        """Whether `text` may change. Cheap: for many lines at once."""
        if any(form in text for form in self._known):
            return True
        low = text.lower()
        return any(hint in low for hint in _HINTS)

    def holds(self, data: bytes) -> bool:
        """Whether a known secret stands in `data`."""
        return any(form in data for form in self._bytes)

    def known(self, text: str) -> str:
        """`text` without the known secrets."""
        return blot(text, self._known)

    def text(self, text: str) -> str:
        """`text` without known secrets, private keys, credentials of HTTP and of URLs, and values behind names that
        look secret. JSON stays JSON, whatever it is nested in."""
        if not self.suspects(text):
            return text
        text = self.known(text)
        if _PEM_BEGIN in text:
            text = _PEM.sub(MARK, text)
        text = _BEARER.sub(rf"\1{MARK}", text)
        text = _SCHEME.sub(rf"\1{MARK}", text)
        text = _USERINFO.sub(rf"\1{MARK}@", text)
        text = _FLAG.sub(_without_flag, text)
        return _without_keyed(text)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {
            name: MARK if name.lower() in _LINE_LONG or secret_name(name) else self.text(value)
            for name, value in headers.items()
        }

    def settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """By name, however deep: mappings, lists and scalars."""
        return {name: MARK if secret_name(name) else self._value(value) for name, value in settings.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self.settings(value)
        if isinstance(value, list | tuple):
            return [self._value(each) for each in value]
        return self.text(value) if isinstance(value, str) else value

    def url(self, url: str) -> str:
        """Without user and password, and without parameters whose names look secret."""
        url = _USERINFO.sub(rf"\1{MARK}@", self.known(url))
        return _QUERY.sub(
            lambda found: f"{found[1]}{found[2]}={MARK}" if secret_name(unquote_plus(found[2])) else found[0], url
        )

    def yaml(self, text: str) -> str:
        """A file of settings: everything that stands under a key that looks secret goes, however it is written."""
        return self.text("".join(_without_secret_keys(text)))


class KeyBlocks:
    """Finds private keys in a text that comes line by line, where no single line shows the whole of one."""

    def __init__(self) -> None:
        self._left = 0

    def inside(self, line: str) -> bool:
        """Whether this line stands behind the first one of a private key, up to its last."""
        if self._left:
            self._left = 0 if _PEM_END.search(line) else self._left - 1
            return True
        begun = _PEM_FIRST.search(line)
        if begun and not _PEM_END.search(line, begun.end()):
            self._left = LONGEST_KEY
        return False


def _without_flag(found: re.Match[str]) -> str:
    if not secret_name(found["key"]):
        return found[0]
    return f"{found[1]}{found['key']} {MARK}"


def _without_keyed(text: str) -> str:
    """Without the values of `name: value`, `name=value` and `"name": "value"` where the name looks secret."""
    parts: list[str] = []
    done = at = 0
    while found := _KEYED.search(text, at):
        at = found.end()
        if not _secret_key(text, found):
            continue
        begin, end, quoted = _value_at(text, at, line_long=not found["close"] and found["key"].lower() in _LINE_LONG)
        value = text[begin:end]
        if begin == end or value == MARK or MARK in value.split() or (value in _NOTHING and not quoted):
            at = max(at, end)
            continue
        around = found["close"] if found["close"] and not quoted else ""  # a bare number behind a quoted name: JSON
        parts += [text[done:begin], around, MARK, around]
        done = at = end
    return "".join([*parts, text[done:]])


def _secret_key(text: str, found: re.Match[str]) -> bool:
    """Whether a key looks secret; behind a backslash its first letter may be the rest of an escaped line break."""
    key = found["key"]
    if (
        text.startswith("\\", found.start() - 1)
        and (escaped := _ESCAPED.match(key))
        and secret_name(key[escaped.end() :])
    ):
        return True
    return secret_name(key)


def _value_at(text: str, at: int, *, line_long: bool) -> tuple[int, int, bool]:
    """From where to where the value at `at` goes, without its quotes, and whether it has some. A quote that is escaped
    so often as the opening one closes it; text that was cut may lack it."""
    if text.startswith(MARK, at):
        return at, at + len(MARK), False
    opening = _QUOTE.match(text, at)
    if opening is None:
        found = (_TO_END if line_long else _BARE).match(text, at)
        return (at, at, False) if found is None else (at, found.end(), False)
    level, mark = len(opening[1]), opening[2]
    for each in _QUOTE.finditer(text, opening.end()):
        run = len(each[1])
        if run < level:
            return opening.end(), each.start(), True
        if each[2] == mark and run % (2 * (level + 1)) == level:
            return opening.end(), each.end() - 1 - level, True
    return opening.end(), len(text), True


def _without_secret_keys(text: str) -> Iterator[str]:
    under: int | None = None
    for line in text.splitlines(keepends=True):
        body = line.rstrip("\r\n")
        indent = len(body) - len(body.lstrip(" "))
        if under is not None and body.strip():
            if indent > under or (indent == under and body.lstrip(" ").startswith("- ")):
                continue
            under = None
        found = _YAML_KEY.match(body)
        if found is None or not secret_name(found["key"]):
            yield line
            continue
        under = len(found["indent"].replace("-", " "))
        yield f"{body[: found.start('value')]} {MARK}{line[len(body) :]}"
