"""All runbooks of a desk: ours, and over them those in the desk's own folder, document by document.

A file is read when somebody asks for its kind, and read again only when its bytes have changed. What is wrong in a file
takes nothing else down: `shelf` gives what is right beside what is not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Generic, TypeVar

from msgspec import inspect

from console.desk.runbook import Spec, version
from console.runbooks.kinds import Kind, kind_at
from console.runbooks.reader import Reader, at
from console.runbooks.rules import faults
from console.strict_yaml import Node, YamlError, parse_bytes

S = TypeVar("S", bound=Spec)
S_co = TypeVar("S_co", bound=Spec, covariant=True)
OWN_FOLDER = "runbooks"
"""What a desk's own folder is called, beside its desk.yaml."""


@dataclass(frozen=True, slots=True)
class Document(Generic[S_co]):
    """A document, where it was written, and what it replaces."""

    kind: str
    id: str
    spec: S_co
    path: Path
    node: Node
    own: bool
    replaced: "Document[S_co] | None" = None

    @property
    def version(self) -> str:
        """Tells one content from another, wherever and however it is written."""
        return version(self.spec)


@dataclass(frozen=True, slots=True)
class File:
    """What was read from one file: specs with their nodes, what was wrong, and what other files have to hold."""

    path: Path
    specs: tuple[tuple[Any, Node], ...] = ()
    found: tuple[YamlError, ...] = ()
    references: tuple[tuple[str, str, Node], ...] = ()
    templates: tuple[tuple[str, Node], ...] = ()


@dataclass(slots=True)
class Shelf(Generic[S]):
    """The documents of one kind in the order of their files, ours first, by id; and what was wrong."""

    documents: dict[str, Document[S]] = field(default_factory=dict)
    found: list[YamlError] = field(default_factory=list)
    files: list[File] = field(default_factory=list)


def shipped_folder() -> Path:
    return Path(str(resources.files("runbooks")))


class Library:
    """The runbooks of a desk whose own folder is `own`; ours alone without one, or where it does not exist. `limits`
    are the desk's, by which its monitors are judged."""

    def __init__(self, own: Path | None, limits: Mapping[str, Decimal]) -> None:
        self.own = own
        self._limits = limits

    def shelf(self, kind: Kind[S]) -> Shelf[S]:
        """Everything of a kind that is fit for use, and what is wrong with the rest. Where one of the desk's own is not
        fit, ours stays. Never raises for what a file holds."""
        shelf: Shelf[S] = Shelf()
        for folder in (shipped_folder(), self.own) if kind.overlaid else (shipped_folder(),):
            if folder is not None:
                try:
                    self._put(shelf, kind, folder)
                except OSError as error:
                    path = Path(error.filename or folder)
                    shelf.found.append(YamlError(path, 1, 1, f"it can not be read: {error.strerror}"))
        return shelf

    def sound(self, kind: Kind[S]) -> tuple[S, ...]:
        """The documents of a kind, in order, for somebody who can not do with less than all of them. Raises YamlError
        at the first thing wrong."""
        shelf = self.shelf(kind)
        if shelf.found:
            raise shelf.found[0]
        return tuple(document.spec for document in shelf.documents.values())

    def _put(self, shelf: Shelf[S], kind: Kind[S], folder: Path) -> None:
        here: dict[str, Document[S]] = {}
        for path in files(kind, folder):
            file = read_file(path, kind)
            shelf.files.append(file)
            shelf.found += file.found
            for spec, node in file.specs:
                wrong = list(self._wrong(kind, path, spec, node, here))
                shelf.found += wrong
                if not wrong:
                    before = shelf.documents.get(spec.id)
                    own = folder is self.own
                    here[spec.id] = Document(kind.name, spec.id, spec, path, node, own, before)
        shelf.documents |= here

    def _wrong(
        self, kind: Kind[S], path: Path, spec: Any, node: Node, here: Mapping[str, Document[S]]
    ) -> Iterator[YamlError]:
        name = at(node, ("id",))
        if not kind.listed and spec.id != path.stem:
            why = f"the file is named {path.name}, its id is {spec.id!r}; {spec.id}.yaml is expected as its name"
            yield error_at(path, name, why)
        if spec.id in here:
            first = at(here[spec.id].node, ("id",)).line
            why = f"a second {kind.name} has the id {spec.id!r} (first in line {first}); expected once"
            yield error_at(path, name, why)
        for fault in faults(spec, self._limits):
            yield error_at(path, at(node, fault.path), f"{kind.name} {spec.id!r}: {fault.why}")

    def strangers(self) -> Iterator[YamlError]:
        """Files in the desk's own folder that nobody would read."""
        if self.own is None or not self.own.is_dir():
            return
        for path in sorted(self.own.rglob("*")):
            if path.suffix not in (".yaml", ".yml") or not path.is_file():
                continue
            kind = kind_at(path.relative_to(self.own))
            if kind is None:
                why = "nobody reads this file; `andon check --schema` lists the kinds, and where each of them lies"
                yield YamlError(path, 1, 1, why)
            elif not kind.overlaid:
                yield YamlError(path, 1, 1, f"a desk has no {kind.place} of its own; {kind.instead}")


def files(kind: Kind[Spec], folder: Path) -> list[Path]:
    """The files of a kind that there are in a runbooks folder, by name."""
    place = folder / kind.place
    if kind.listed:
        return [place] if place.is_file() else []
    return sorted(path for path in place.glob("*.yaml") if path.is_file())


def read_file(path: Path, kind: Kind[Spec]) -> File:
    """What a file holds, as a file of that kind. Never raises for what it holds."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return File(path, found=(YamlError(path, 1, 1, f"the file can not be read: {error.strerror}"),))
    return _read(path, kind, data)


@lru_cache(maxsize=1024)
def _read(path: Path, kind: Kind[Spec], data: bytes) -> File:
    try:
        root = parse_bytes(data, path)
    except YamlError as error:
        return File(path, found=(error,))
    reader = Reader(path)
    if kind.listed and not isinstance(root.value, list):
        reader.refuse(root, f"the file is to hold a list of {kind.name} documents; a dash before each is expected")
        entries = []
    else:
        entries = root.value if isinstance(root.value, list) and kind.listed else [root]
    form = inspect.type_info(kind.spec)
    read = [(reader.read(entry, form, _called(kind, entry)), entry) for entry in entries]
    return File(
        path,
        tuple((spec, entry) for spec, entry in read if spec is not None),
        tuple(reader.found),
        tuple(reader.references),
        tuple(reader.templates),
    )


def _called(kind: Kind[Spec], entry: Node) -> str:
    """How a message names a document: `tree 'no-fills'`, or `the tree` where it has no id to go by."""
    name = entry.value.get("id") if isinstance(entry.value, dict) else None
    return f"{kind.name} {name.value!r}" if name is not None and isinstance(name.value, str) else f"the {kind.name}"


def error_at(path: Path, node: Node, why: str) -> YamlError:
    return YamlError(path, node.line, node.column, why)
