"""Everything that is wrong with a desk's runbooks, each at its place: first in the files, then between them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from console.desk.runbook import Spec, placeholders
from console.runbooks.kinds import KINDS, PLACEHOLDER, RUNNABLE
from console.runbooks.library import Document, File, Library, Shelf, error_at
from console.runbooks.reader import at
from console.strict_yaml import YamlError, meant


@dataclass(frozen=True, slots=True)
class Report:
    """What is wrong, by file and place; the desk's own documents; those of them that stand in for different ones."""

    found: tuple[YamlError, ...]
    own: tuple[Document[Spec], ...]
    replaced: tuple[Document[Spec], ...]
    documents: int


def lint(library: Library) -> Report:
    """Reads and compares everything. Never raises for what a file holds."""
    shelves = {name: library.shelf(kind) for name, kind in KINDS.items()}
    documents = [document for shelf in shelves.values() for document in shelf.documents.values()]
    found = [error for shelf in shelves.values() for error in shelf.found]
    found += library.strangers()
    for shelf in shelves.values():
        for file in shelf.files:
            found += _references(file, shelves)
            found += _templates(file, shelves[PLACEHOLDER.name])
    found += _family(shelves)
    own = tuple(document for document in documents if document.own)
    return Report(
        found=tuple(sorted(found, key=lambda error: (str(error.path), error.line, error.column))),
        own=own,
        replaced=tuple(each for each in own if each.replaced and each.replaced.version != each.version),
        documents=len(documents),
    )


def _references(file: File, shelves: Mapping[str, Shelf[Spec]]) -> Iterator[YamlError]:
    """Names of documents that there are not. A kind with something wrong in it is not asked: what it lacks may be what
    is wrong."""
    for kind, name, node in file.references:
        if not kind:
            kind, _, name = name.partition(":")
            if kind not in KINDS:
                yield error_at(file.path, node, f"there is no kind {kind!r} of runbook; {meant(kind, KINDS)}")
                continue
        if name not in shelves[kind].documents and not shelves[kind].found:
            why = f"there is no {kind} {name!r}; {meant(name, shelves[kind].documents)}"
            yield error_at(file.path, node, why)


def _templates(file: File, known: Shelf[Spec]) -> Iterator[YamlError]:
    """Placeholders that nobody could fill; as with references."""
    for template, node in file.templates:
        try:
            unknown = [name for name in placeholders(template) if name not in known.documents]
        except ValueError as error:
            yield error_at(file.path, node, str(error))
            continue
        for name in dict.fromkeys(unknown) if not known.found else ():
            why = f"there is no placeholder {{{name}}}; {meant(name, known.documents)}"
            yield error_at(file.path, node, why)


def _family(shelves: Mapping[str, Shelf[Spec]]) -> Iterator[YamlError]:
    """What can be run is named by its id alone, so no two may share one."""
    seen: dict[str, Document[Spec]] = {}
    for kind in RUNNABLE:
        for document in shelves[kind.name].documents.values():
            first = seen.setdefault(document.id, document)
            if first is not document:
                why = (
                    f"a {first.kind} has the id {document.id!r}, too ({first.path}); each that can be run needs its own"
                )
                yield error_at(document.path, at(document.node, ("id",)), why)
