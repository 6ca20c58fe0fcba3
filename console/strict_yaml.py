"""YAML that means what it says: every value knows its place, and whatever YAML would guess at is refused.

Refused are duplicate keys, anchors, aliases, tags, several documents, plain yes/no/on/off, base-60 numbers, octal, hex
and underscored numbers, dates, infinities; each with line and column and what to write instead. Numbers are int or
Decimal. `Table` reads a mapping key by key and knows how to say what it expected.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NoReturn, TypeAlias

import yaml

Scalar: TypeAlias = str | int | Decimal | bool | None
LONGEST_TOLD = 60
DEEPEST = 32
"""Levels of nesting. Nothing that a person writes comes near it."""


class YamlError(Exception):
    """What is wrong at a place of a file, and what is expected there. `str()` is `FILE:LINE:COLUMN: why`, both from
    1 on."""

    def __init__(self, path: Path, line: int, column: int, why: str) -> None:
        super().__init__(f"{path}:{line}:{column}: {why}")
        self.path = path
        self.line = line
        self.column = column
        self.why = why


class Node:
    """A value where it stands: a scalar, a list of nodes, or a mapping from text to nodes. `line` and `column` are
    1-based; a value that begins on a later line than its key stands where the key does. `key_column` is the column of
    the key that the value belongs to, 0 without one; the key's line is `line`."""

    __slots__ = ("column", "key_column", "line", "value")

    def __init__(
        self, value: "Scalar | list[Node] | dict[str, Node]", line: int, column: int = 1, key_column: int = 0
    ) -> None:
        self.value = value
        self.line = line
        self.column = column
        self.key_column = key_column


def parse(text: str, path: Path) -> Node:
    """The document in `text`. Raises YamlError; `path` is for its message only."""
    if found := _NO_TEXT.search(text):
        line, column = _place(text[: found.start()])
        raise YamlError(path, line, column, f"the character U+{ord(found.group()):04X} has no place in a text file")
    try:
        return _Builder(text, path).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        tab = _tab_before(text, line)
        if tab:
            raise YamlError(path, line, tab, "a tab stands here; YAML is indented with blanks") from None
        problem = error.problem or error.context or ""
        instead = next((f"; {hint}" for what, hint in _HINTS.items() if what in problem), "")
        raise YamlError(path, line, column, f"this is not YAML: {problem}{instead}") from None
    except yaml.YAMLError as error:
        raise YamlError(path, 1, 1, f"this is not YAML: {str(error).splitlines()[0]}") from None


def parse_bytes(data: bytes, path: Path) -> Node:
    """The document that the bytes of a file hold. Raises YamlError; `path` is for its message only."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start].decode("utf-8", "replace"))
        raise YamlError(path, line, column, "the file is not UTF-8 text; save it as UTF-8") from None
    return parse(text, path)


def table(data: bytes, path: Path) -> "Table":
    """The mapping that the bytes of a file hold. Raises YamlError; `path` is for its message only."""
    return Table(parse_bytes(data, path), path, "the file")


def _place(before: str) -> tuple[int, int]:
    """Line and column of what follows `before`."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _tab_before(text: str, line: int) -> int:
    """The column of the first tab in the indentation of a line, 0 where none is."""
    indent = _INDENT.match(text.split("\n")[line - 1] if line <= text.count("\n") + 1 else "")
    return indent.group().find("\t") + 1 if indent else 0


_NO_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HINTS = {
    "mapping values are not allowed": "a text that holds a colon and a blank stands in quotes or behind >-",
    "unknown escape character": "in double quotes a backslash is doubled",
    "did not find expected key": "a quote or a bracket above may be open, or a line may be indented too far",
    "did not find expected ',' or ']'": "a bracket is open",
    "did not find expected ',' or '}'": "a brace is open",
    "unexpected end of stream": "a quote is open",
}
_INDENT = re.compile(r"[ \t]+")


def plain(node: Node) -> "Scalar | float | list[object] | dict[str, object]":
    """The value without its lines, decimals as floats: for what is not this program's money."""
    if isinstance(node.value, dict):
        return {key: plain(inner) for key, inner in node.value.items()}
    if isinstance(node.value, list):
        return [plain(inner) for inner in node.value]
    return float(node.value) if isinstance(node.value, Decimal) else node.value


# --- building -------------------------------------------------------------------------------------------------------


class _Builder:
    """Builds nodes from the parser's events, which still know how a value was written."""

    def __init__(self, text: str, path: Path) -> None:
        self._path = path
        self._events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))

    def document(self) -> Node:
        root = Node(None, 1)
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._fail(event, "a second document begins; one document a file is expected")
                root = self._node(next(self._events), 1)
        return root

    def _node(self, event: yaml.Event, depth: int, *, key: bool = False) -> Node:
        line, column = _start(event)
        if depth > DEEPEST:
            self._fail(event, f"more than {DEEPEST} levels lie in one another here; write it flatter")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._fail(event, "anchors and aliases are not used here; write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            self._fail(event, f"the tag {tag} is not used here; write the plain value")
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and not event.style
            return Node(self._plain(event, key=key) if plain else event.value, line, column)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(inner, depth + 1))
            return Node(items, line, column)
        return self._mapping(line, column, depth)

    def _mapping(self, line: int, column: int, depth: int) -> Node:
        entries: dict[str, Node] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1, key=True)
            if not isinstance(key.value, str):
                self._fail(event, "a key must be text; put it in quotes")
            if key.value in entries:
                first = entries[key.value].line
                self._fail(event, f"the key {key.value!r} stands here twice (first in line {first}); keep one")
            value = self._node(next(self._events), depth + 1)
            at = value.column if value.line == key.line else key.column
            entries[key.value] = Node(value.value, key.line, at, key.column)
        return Node(entries, line, column)

    def _plain(self, event: yaml.ScalarEvent, *, key: bool) -> Scalar:
        text = str(event.value)
        for pattern, what, instead in _GUESSED:
            if pattern.fullmatch(text):
                self._fail(event, f"{text!r} without quotes is {what}; {'put it in quotes' if key else instead}")
        if text in ("", "~", "null"):
            return None
        if text in ("true", "false"):
            return text == "true"
        if _INTEGER.fullmatch(text):
            return int(text)
        return Decimal(text) if _DECIMAL.fullmatch(text) else text

    def _fail(self, event: yaml.Event, why: str) -> NoReturn:
        raise YamlError(self._path, *_start(event), why)


def _start(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+")
_TEXT_OR_BOOL = "write true or false, or quote it if text is meant"
_TEXT_OR_NUMBER = "write a plain decimal number, or quote it if text is meant"
_GUESSED = (
    (re.compile(r"(?i)y|n|yes|no|on|off"), "a truth value to some readers and text to others", _TEXT_OR_BOOL),
    (re.compile(r"True|TRUE|False|FALSE"), "a truth value to some readers and text to others", _TEXT_OR_BOOL),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), "a base-60 number to some readers", _TEXT_OR_NUMBER),
    (
        re.compile(r"[-+]?0([0-9_]+|[xob][0-9a-fA-F_]+)"),
        "octal, hexadecimal or binary to some readers",
        _TEXT_OR_NUMBER,
    ),
    (re.compile(r"[-+]?[0-9][0-9_]*_[0-9_.]*"), "a number to some readers and text to others", _TEXT_OR_NUMBER),
    (re.compile(r"(?i)[-+]?\.(inf|nan|[0-9]+)|[-+]?[0-9]+\."), "a number to some readers", _TEXT_OR_NUMBER),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"), "a date to some readers", "quote it"),
    (
        re.compile(r"Null|NULL"),
        "nothing to some readers and text to others",
        "write null, or quote it if text is meant",
    ),
    (re.compile(r"<<|="), "a special word of YAML", "quote it if text is meant"),
)


# --- reading --------------------------------------------------------------------------------------------------------


class Table:
    """A mapping that is read key by key. Every method raises YamlError with the line and what was expected."""

    def __init__(self, node: Node, path: Path, what: str) -> None:
        if not isinstance(node.value, dict):
            why = f"{what} is {told(node)}; a mapping (key: value) is expected"
            raise YamlError(path, node.line, node.column, why)
        self._entries = node.value
        self.line, self.column = node.line, node.column
        self.path = path
        self.what = what

    def only(self, *keys: str) -> None:
        """Refuse every other key, naming the one that was probably meant."""
        for key, node in self._entries.items():
            if key not in keys:
                why = f"{self.what} has no key {key!r}; {meant(key, keys)}"
                raise YamlError(self.path, node.line, node.key_column, why)

    def text(self, key: str, default: str | None = None) -> str:
        if default is not None and key not in self._entries:
            return default
        node = self._node(key, "text")
        if not isinstance(node.value, str) or not node.value.strip():
            hint = " (put it in quotes)" if isinstance(node.value, (int, Decimal)) else ""
            self._expected(key, node, f"text{hint}")
        return node.value

    def choice(self, key: str, choices: Sequence[str]) -> str:
        node = self._node(key, f"one of {', '.join(choices)}")
        if node.value not in choices:
            self._expected(key, node, f"one of {', '.join(choices)}")
        return str(node.value)

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from `low` to `high`, both allowed."""
        if default is not None and key not in self._entries:
            return default
        expected = f"a whole number from {low} to {high}"
        node = self._node(key, expected)
        if isinstance(node.value, bool) or not isinstance(node.value, int) or not low <= node.value <= high:
            self._expected(key, node, expected)
        return node.value

    def number(self, key: str, above: Decimal, high: Decimal, default: Decimal | None = None) -> Decimal:
        """A number greater than `above` and not greater than `high`."""
        if default is not None and key not in self._entries:
            return default
        expected = f"a number above {above} and up to {high}"
        node = self._node(key, expected)
        if isinstance(node.value, bool) or not isinstance(node.value, (int, Decimal)):
            self._expected(key, node, expected)
        if not above < node.value <= high:
            self._expected(key, node, expected)
        return Decimal(node.value)

    def truth(self, key: str, default: bool) -> bool:
        node = self._entries.get(key)
        if node is None:
            return default
        if not isinstance(node.value, bool):
            self._expected(key, node, "true or false")
        return node.value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of at least one text, none twice."""
        node = self._node(key, "a list of texts")
        if not isinstance(node.value, list) or not node.value:
            self._expected(key, node, "a list of texts, such as [AAPL, MSFT],")
        found: list[str] = []
        for item in node.value:
            if not isinstance(item.value, str) or not item.value.strip():
                self._expected(key, item, "text in every place of the list (put it in quotes)")
            if item.value in found:
                self._fail(item, f"{item.value!r} stands twice in {key!r} of {self.what}; keep one")
            found.append(item.value)
        return tuple(found)

    def table(self, key: str) -> "Table":
        """The mapping under `key`; an empty one where the key is absent."""
        node = self._entries.get(key) or Node({}, self.line, self.column)
        return Table(node, self.path, f"{key!r}")

    def tables(self, key: str, each: str) -> "list[Table]":
        """The mappings in the list under `key`, empty where it is absent; `each` names one of them in messages."""
        node = self._entries.get(key)
        if node is None:
            return []
        if not isinstance(node.value, list):
            self._expected(key, node, "a list (lines that begin with a dash)")
        return [Table(item, self.path, each) for item in node.value]

    def has(self, key: str) -> bool:
        return key in self._entries

    def line_of(self, key: str) -> int:
        """Where `key` stands; the table's own line where it is absent."""
        node = self._entries.get(key)
        return self.line if node is None else node.line

    def refuse(self, key: str, why: str) -> NoReturn:
        """Raise YamlError at the place of `key`, at the table's own where it is absent."""
        node = self._entries.get(key)
        line, column = (self.line, self.column) if node is None else (node.line, node.column)
        raise YamlError(self.path, line, column, why)

    def _node(self, key: str, expected: str) -> Node:
        if key not in self._entries:
            raise YamlError(self.path, self.line, self.column, f"{self.what} lacks {key!r}; {expected} is expected")
        return self._entries[key]

    def _expected(self, key: str, node: Node, expected: str) -> NoReturn:
        self._fail(node, f"{key!r} of {self.what} is {told(node)}; {expected} is expected")

    def _fail(self, node: Node, why: str) -> NoReturn:
        raise YamlError(self.path, node.line, node.column, why)


def meant(word: str, known: Iterable[str]) -> str:
    """What is expected in place of a word that is not known: the one that is probably meant, else all there are."""
    known = list(known)
    near = difflib.get_close_matches(word, known, 1)
    if not known:
        return "there are none yet"
    return f"did you mean {near[0]!r}?" if near else f"one of {', '.join(known)} is expected"


def told(node: Node) -> str:
    """A value as a message names it."""
    if isinstance(node.value, dict):
        return "a mapping" if node.value else "an empty mapping"
    if isinstance(node.value, list):
        return "a list" if node.value else "an empty list"
    if node.value is None:
        return "empty"
    if isinstance(node.value, bool):
        return "true" if node.value else "false"
    text = repr(node.value) if isinstance(node.value, str) else str(node.value)
    return text if len(text) <= LONGEST_TOLD else f"{text[:LONGEST_TOLD]}…"
