"""Everything that is wrong with a desk's runbooks, each at its place: first in the files, then between them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from console.desk.cadence import Holidays
from console.desk.metrics import metric_for
from console.desk.monitor import MonitorSpec
from console.desk.runbook import Fault, Spec, placeholders
from console.desk.tree import PROBES, Tree
from console.desk.trigger import TriggerSpec
from console.runbooks.kinds import KINDS, PLACEHOLDER, RUNNABLE, Kind
from console.runbooks.library import Document, File, Library, Shelf
from console.runbooks.reader import at
from console.strict_yaml import Node, YamlError, meant

S = TypeVar("S", bound=Spec)


@dataclass(frozen=True, slots=True)
class Report:
    """What is wrong, by file and place; the desk's own documents; those of them that stand in for different ones."""

    found: tuple[YamlError, ...]
    own: tuple[Document[Spec], ...]
    replaced: tuple[Document[Spec], ...]
    documents: int


def lint(library: Library, limits: Mapping[str, Decimal]) -> Report:
    """Reads and compares everything. Never raises for what a file holds."""
    shelves = {name: library.shelf(kind) for name, kind in KINDS.items()}
    documents = [document for shelf in shelves.values() for document in shelf.documents.values()]
    found = [error for shelf in shelves.values() for error in shelf.found]
    found += library.strangers()
    for shelf in shelves.values():
        for file in shelf.files:
            found += _references(file, shelves)
            found += _templates(file, shelves[PLACEHOLDER.name])
    for document in documents:
        found += _within(document, limits)
    found += _family(shelves)
    own = tuple(document for document in documents if document.own)
    return Report(
        found=tuple(sorted(found, key=lambda error: (str(error.path), error.line, error.column))),
        own=own,
        replaced=tuple(each for each in own if each.replaced and each.replaced.version != each.version),
        documents=len(documents),
    )


def sound(library: Library, kind: Kind[S], limits: Mapping[str, Decimal]) -> tuple[S, ...]:
    """The documents of a kind, in order, for somebody who can not do with less than all of them. Raises YamlError at
    the first thing wrong."""
    shelf = library.shelf(kind)
    for error in (*shelf.found, *(error for each in shelf.documents.values() for error in _within(each, limits))):
        raise error
    return tuple(document.spec for document in shelf.documents.values())


def _references(file: File, shelves: Mapping[str, Shelf[Spec]]) -> Iterator[YamlError]:
    """Names of documents that there are not."""
    for kind, name, node in file.references:
        if not kind:
            kind, _, name = name.partition(":")
            if kind not in KINDS:
                yield _error(file.path, node, f"there is no kind {kind!r} of runbook; {meant(kind, KINDS)}")
                continue
        if name not in shelves[kind].documents:
            why = f"there is no {kind} {name!r}; {meant(name, shelves[kind].documents)}"
            yield _error(file.path, node, why)


def _templates(file: File, known: Shelf[Spec]) -> Iterator[YamlError]:
    """Placeholders that nobody could fill."""
    for template, node in file.templates:
        try:
            unknown = [name for name in placeholders(template) if name not in known.documents]
        except ValueError as error:
            yield _error(file.path, node, f"the braces do not match up: {error}; a brace itself is written twice")
            continue
        for name in dict.fromkeys(unknown):
            why = f"there is no placeholder {{{name}}}; {meant(name, known.documents)}"
            yield _error(file.path, node, why)


def _within(document: Document[Any], limits: Mapping[str, Decimal]) -> Iterator[YamlError]:
    """What one document's own rules say of it."""
    for fault in _faults(document.spec, limits):
        yield _error(document.path, at(document.node, fault.path), f"{document.kind} {document.id!r}: {fault.why}")


def _faults(spec: Spec, limits: Mapping[str, Decimal]) -> Iterator[Fault]:
    match spec:
        case Tree():
            yield from spec.faults()
            for name, question in spec.questions.items():
                if question.probe is not None and question.probe not in PROBES:
                    why = f"there is no probe {question.probe!r}; {meant(question.probe, PROBES)}"
                    yield Fault(("questions", name, "probe"), why)
        case Holidays():
            yield from spec.faults()
        case MonitorSpec():
            yield from _refused(("limit",), lambda: spec.under(limits))
            if not spec.unwatched:
                yield from _refused(("metric",), lambda: metric_for(spec.metric, 0.0, limits))
        case TriggerSpec():
            yield from _refused(("limit",), lambda: spec.under(limits))


def _refused(path: tuple[str, ...], make: Callable[[], object]) -> Iterator[Fault]:
    try:
        make()
    except ValueError as error:
        yield Fault(path, str(error))


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
                yield _error(document.path, at(document.node, ("id",)), why)


def _error(path: Path, node: Node, why: str) -> YamlError:
    return YamlError(path, node.line, node.column, why)
