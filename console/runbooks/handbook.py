"""Everything that a desk's runbooks say, read at one moment, by what refers to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from msgspec import inspect

from console.desk.runbook import Spec
from console.runbooks.kinds import KINDS, Kind
from console.runbooks.library import Document, Library
from console.strict_yaml import YamlError

S = TypeVar("S", bound=Spec)
_CALLED_BY_ID = ("severity", "gate")
_HEADLINES = ("title", "text", "symptom", "meaning")


@dataclass(frozen=True, slots=True)
class Handbook:
    """`documents` by reference, such as `tree:no-fills`, kind by kind; `found` is what was wrong in the files."""

    documents: Mapping[str, Document[Spec]]
    found: tuple[YamlError, ...] = ()

    @property
    def versions(self) -> Mapping[str, object]:
        """What tells one handbook from another: what is said where, and what was wrong."""
        return {ref: each.spec for ref, each in self.documents.items()} | {"": self.found}

    def get(self, kind: Kind[S], name: str) -> S | None:
        document = self.documents.get(f"{kind.name}:{name}")
        return document.spec if document is not None else None  # type: ignore[return-value]  # the kind's own struct

    def of(self, kind: Kind[S]) -> tuple[S, ...]:
        """Every document of a kind, in order."""
        return tuple(document.spec for document in self.documents.values() if document.kind == kind.name)  # type: ignore[misc]

    def title(self, ref: str) -> str:
        """What a reference leads to, in words; the id where nothing is there."""
        document = self.documents.get(ref)
        if document is None:
            return ref.partition(":")[2]
        name = f"{document.id}  " if document.kind in _CALLED_BY_ID else ""
        return f"{name}{headline(document.spec)}"


def read(library: Library) -> Handbook:
    """All kinds, from the files. Takes a second the first time, and next to nothing while no file changes."""
    shelves = [library.shelf(kind) for kind in KINDS.values()]
    documents = {f"{each.kind}:{each.id}": each for shelf in shelves for each in shelf.documents.values()}
    return Handbook(documents, tuple(error for shelf in shelves for error in shelf.found))


def headline(spec: Spec) -> str:
    """The line by which a document is known."""
    return next(str(getattr(spec, name)) for name in _HEADLINES if hasattr(spec, name))


@cache
def refers(of: type[Spec]) -> dict[str, str]:
    """The fields of a struct that hold ids of other documents, with the kind of those."""
    form = inspect.type_info(of)
    assert isinstance(form, inspect.StructType)  # noqa: S101 - a Spec is one
    found = {field.encode_name: _kind(field.type) for field in form.fields}
    return {name: kind for name, kind in found.items() if kind}


def _kind(of: inspect.Type) -> str:
    if isinstance(of, inspect.Metadata):
        told = (of.extra or {}).get("refers_to")
        return str(told) if told else _kind(of.type)
    if isinstance(of, inspect.UnionType):
        return next((kind for kind in map(_kind, of.types) if kind), "")
    if isinstance(of, inspect.VarTupleType):
        return _kind(of.item_type)
    return ""
