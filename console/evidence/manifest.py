"""An incident's manifest: what was sealed, when, by whom, one JSON object a line, each bound to the one before.

`hash` is the SHA-256 of the hash before it followed by the line's own bytes up to, and without, `,"hash"`: the form of
the journal (`console.desk.chain`), so that a text tool and `sha256sum` can check it. A *head* line ends a seal; behind
its hash stands its signature, so it covers every line before it. What no head covers is not evidence.
"""

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, TypeVar

import msgspec

from console.desk import incidents as inc
from console.desk.archive import Unreadable
from console.desk.chain import GENESIS

MANIFEST = "manifest.jsonl"
LONGEST = 64 << 20
"""Bytes that a manifest may have: the lines of some hundred thousand files."""
MOST_PROBLEMS = 1000
"""Problems that are told of one manifest. Where there are more, it is garbage, and its rest is not looked at."""
_MOST_LINES = LONGEST >> 7  # a line is longer than that
_FILE = re.compile(r"([0-9]{3,9})-[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_ITEM = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")
_TAIL = re.compile(rb',"hash":"[0-9a-f]{64}"(?:,"signature":"[A-Za-z0-9+/]{86}==")?\}')
_LONGEST_TAIL = 256
_SIGNED = b"andon head v1\n"


class ManifestError(Unreadable):
    """A manifest that is not what was written. The message names file and line and says why."""


Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 44)]
"""Rows or bytes of one file: 16 TiB, so that those of all files of a manifest fit 64 bits."""


class JournalHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far one writer's journal had got."""

    seq: int
    hash: str


class ItemLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sealed file. `rows` is None and `schema` empty where it is no table. `captured_at` is UTC ns."""

    seq: int
    prev: str
    kind: Literal["item"] = "item"
    file: str
    item: str
    seal: int
    sha256: str
    bytes: Size
    rows: Size | None
    schema: tuple[str, ...]
    captured_at: Int64
    by: str
    source: str
    clock_offset_ms: Int64 | None
    extra: dict[str, Any]
    hash: str = ""


class HeadLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The end of a seal. `lines` stand before it; `journal` says how far each writer's journal had got; `fold` is the
    SHA-256 of the encoded DeskState and `records` the number of the last record in it. `missing` is what could not be
    kept, a sentence each. `public_key` are 32 bytes and `signature` 64, in base64. Times are UTC ns."""

    seq: int
    prev: str
    kind: Literal["head"] = "head"
    seal: int
    why: str
    incident: str
    cls: str
    severity: str
    title: str
    opened_at: Int64
    closed_at: Int64
    pulls: tuple[str, ...]
    desk: str
    mode: str
    lines: int
    journal: dict[str, JournalHead]
    fold: str
    records: Int64
    missing: tuple[str, ...]
    sealed_at: Int64
    by: str
    version: str
    public_key: str
    signer: str
    hash: str = ""
    signature: str = ""

    @property
    def signed(self) -> bytes:
        """The message that the signature is over."""
        return _SIGNED + self.hash.encode()


Line = ItemLine | HeadLine
L = TypeVar("L", ItemLine, HeadLine)
_FORMS: dict[str, type[ItemLine] | type[HeadLine]] = {"item": ItemLine, "head": HeadLine}


@dataclass(frozen=True, slots=True)
class Manifest:
    """`lines` are the bytes of each line without its newline; `items` those that a head covers, `loose` those behind
    the last one."""

    lines: tuple[bytes, ...] = ()
    items: tuple[ItemLine, ...] = ()
    heads: tuple[HeadLine, ...] = ()
    loose: tuple[ItemLine, ...] = ()

    @property
    def last(self) -> HeadLine:
        """The latest seal. Raises IndexError where there is none."""
        return self.heads[-1]

    @property
    def head_hash(self) -> str:
        """What the next line has to name as the one before it."""
        last: list[ItemLine | HeadLine] = [*self.heads[-1:], *self.loose[-1:]]
        return last[-1].hash if last else GENESIS

    def of_seal(self, seal: int) -> tuple[ItemLine, ...]:
        return tuple(item for item in self.items if item.seal == seal)


def seal_of(name: str) -> int | None:
    """The seal that a file's name says it is of: a number, a dash, and letters, digits, dots, dashes and underscores.
    None for anything else: a path, say."""
    found = _FILE.fullmatch(name)
    return int(found[1]) if found and found[1] == f"{int(found[1]):03d}" else None


def item_named(name: str) -> bool:
    """Whether an item can have this name: small letters, digits, dots, dashes and underscores."""
    return _ITEM.fullmatch(name) is not None


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an incident's folder, each line checked against its chain, the signatures not. Raises
    ManifestError."""
    manifest, problems = parse(read_bytes(folder))
    for line, why in problems:
        raise ManifestError(f"{folder / MANIFEST}:{line}: {why}")
    return manifest


def read_bytes(folder: Path) -> bytes:
    """The manifest as it lies there. Raises ManifestError."""
    path = folder / MANIFEST
    try:
        with open_file(path) as file:
            data = file.read(LONGEST + 1)
    except (OSError, Unreadable) as error:
        raise ManifestError(str(error) if isinstance(error, Unreadable) else f"{path}: {error.strerror}") from None
    if len(data) > LONGEST:
        raise ManifestError(f"{path}: it is longer than any manifest ({LONGEST >> 20} MiB)")
    return data


def open_file(path: Path) -> BinaryIO:
    """A file of an archive, to be read: a file of its own, not what a link or a device leads to. Raises Unreadable."""
    try:
        kind = os.lstat(path).st_mode
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC) if stat.S_ISREG(kind) else -1
    except OSError as error:
        raise Unreadable(f"{path}: it can not be read: {error.strerror}") from None
    if fd < 0 or not stat.S_ISREG(os.fstat(fd).st_mode):
        raise Unreadable(f"{path}: it is a {_WORDS.get(stat.S_IFMT(kind), 'thing')}, and a file was sealed")
    return os.fdopen(fd, "rb")


_WORDS = {stat.S_IFLNK: "link", stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"} | {
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def encoded(line: L) -> tuple[bytes, L]:
    """The bytes of a line that has neither hash nor signature yet, with its newline, and the line with its hash. A
    head's signature is put in by `with_signature`."""
    body = _body(line)
    digest = hashlib.sha256(line.prev.encode() + body).hexdigest()
    return b'%s,"hash":"%s"}\n' % (body, digest.encode()), msgspec.structs.replace(line, hash=digest)


def with_signature(line: bytes, head: HeadLine, signature: str) -> tuple[bytes, HeadLine]:
    """What `encoded` gave, signed."""
    signed = b'%s,"signature":"%s"}\n' % (line.removesuffix(b"}\n"), signature.encode())
    return signed, msgspec.structs.replace(head, signature=signature)


def _body(line: Line) -> bytes:
    raw = msgspec.json.encode(line)
    empty = b',"hash":""}' if isinstance(line, ItemLine) else b',"hash":"","signature":""}'
    return raw.removesuffix(empty)


# --- reading --------------------------------------------------------------------------------------------------------

Problem = tuple[int, str]
"""The number of a line, from 1, and what is wrong with it."""


def parse(data: bytes) -> tuple[Manifest, list[Problem]]:
    """What the bytes of a manifest say, and everything that is wrong with them. A line that is broken is left out, and
    those after it are looked at all the same. Never raises."""
    reader = _Reader()
    raw = data.split(b"\n", _MOST_LINES)
    rest = raw.pop()
    for number, line in enumerate(raw, 1):
        reader.take(number, line)
        if len(reader.problems) >= MOST_PROBLEMS:
            reader.problems.append((number, "there is more wrong than is told here: from here on nobody looked"))
            return reader.manifest(raw), reader.problems
    if rest:
        reader.problems.append((len(raw) + 1, "the line is not whole: something was cut off"))
    if not reader.heads and not reader.problems:
        reader.problems.append((len(raw) + 1, "there is no head: nothing was ever sealed, or the end was cut off"))
    return reader.manifest(raw), reader.problems


class _Reader:
    """Goes on behind a broken line: what stands there is taken as it says it is, so that one fault is told once."""

    def __init__(self) -> None:
        self.items: list[ItemLine] = []
        self.heads: list[HeadLine] = []
        self.loose: list[ItemLine] = []
        self.problems: list[Problem] = []
        self._files: set[str] = set()
        self._prev, self._seq, self._seal = GENESIS, 1, 1  # what is due
        self._torn = False

    def take(self, number: int, raw: bytes) -> None:
        try:
            line = line_of(raw)
            why = "" if self._torn else self._out_of_place(line)
            self._torn = False
        except ValueError as error:
            why, line = str(error), None
            self._torn = True
        if why:
            self.problems.append((number, why))
        if line is not None:
            self._place(line, number)

    def manifest(self, lines: list[bytes]) -> Manifest:
        """What was taken so far, of these lines."""
        return Manifest(tuple(lines), tuple(self.items), tuple(self.heads), tuple(self.loose))

    def _place(self, line: Line, number: int) -> None:
        self._prev, self._seq, self._seal = line.hash, line.seq + 1, line.seal
        if isinstance(line, HeadLine):
            self._seal += 1
            self.items += self.loose
            self.loose = []
            self.heads.append(line)
        elif line.file in self._files:
            self.problems.append((number, f"{line.file} is named a second time"))
        else:
            self._files.add(line.file)
            self.loose.append(line)

    def _out_of_place(self, line: Line) -> str:
        """Why this is not the line that has to stand here; empty where it is."""
        if line.prev != self._prev:
            return "it does not go on from the line before: one is missing, was moved or came in between"
        if line.seq != self._seq:
            return f"seq is {line.seq}, {self._seq} was due"
        if line.seal != self._seal:
            return f"it belongs to seal {line.seal}, {self._seal} was due"
        if isinstance(line, HeadLine) and self.heads and line.incident != self.heads[0].incident:
            return f"it is of {line.incident}, the first of {self.heads[0].incident}"
        return ""


def line_of(raw: bytes) -> Line:
    """A line that is right in itself. Raises ValueError with a sentence."""
    found = raw.rfind(b',"hash":"', max(0, len(raw) - _LONGEST_TAIL))
    tail = _TAIL.fullmatch(raw, found) if found >= 0 else None
    if tail is None:
        raise ValueError("this is no line of a manifest: it does not end in a hash")
    line = _line(raw)
    if hashlib.sha256(line.prev.encode() + raw[: tail.start()]).hexdigest() != line.hash:
        raise ValueError("its hash does not match its bytes: something in it was changed")
    if isinstance(line, HeadLine):
        if line.lines != line.seq - 1:
            raise ValueError(f"it is line {line.seq}, and says that {line.lines} lines stand before it")
        if not inc.NUMBER.fullmatch(line.incident):
            raise ValueError(f"{line.incident[:200]!r} is no incident's number")
    elif not item_named(line.item):
        raise ValueError(f"{line.item[:200]!r} can not name an item")
    elif seal_of(line.file) != line.seal:
        raise ValueError(f"{line.file[:200]!r} can not name a file of seal {line.seal}")
    return line


def _line(raw: bytes) -> Line:
    """Raises ValueError with a sentence."""
    try:
        told = _objects.decode(raw.decode())
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    form = _FORMS.get(str(told.get("kind"))) if isinstance(told, dict) else None
    if form is None:
        raise ValueError("it is neither an item nor a head")
    try:
        return msgspec.json.decode(raw, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"this version can not read it: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        raise ValueError("a key stands there twice")
    return told


_objects = json.JSONDecoder(object_pairs_hook=_once)
