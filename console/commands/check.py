"""`andon check`: reads desk.yaml, contacts.yaml and the runbooks as guard and console would; says what is wrong."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from console.commands.output import print_json, print_table
from console.config import ConfigError, DeskConfig, Limits, NoDesk, find, load
from console.contacts import FILE, load_contacts
from console.desk.events import ContactInfo
from console.runbooks.kinds import KINDS, kind_at
from console.runbooks.library import OWN_FOLDER, Library, shipped_folder
from console.runbooks.lint import Report, lint
from console.strict_yaml import meant

WRONG = 2
_NOBODY = "nobody to call is named; `andon init` writes an example"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be checked: a desk.yaml, a folder of runbooks, and of those perhaps one file alone."""

    desk: Path | None
    own: Path | None
    only: Path | None = None


def check(path: str | None, desk: str | None, *, as_json: bool) -> int:
    """Prints every mistake, or what was understood. Raises ConfigError where there is nothing to check."""
    asked = _asked(path, desk)
    config, contacts, problems = _desk(asked.desk)
    ours = asked.own is not None and asked.own.resolve() == shipped_folder().resolve()
    own = None if ours else asked.own
    report = lint(Library(own, (config.limits if config else Limits()).by_name))
    found = [error for error in report.found if asked.only is None or error.path.resolve() == asked.only.resolve()]
    wrong = [*problems, *map(str, found)]
    if as_json:
        places = [{"file": each.path, "line": each.line, "column": each.column, "why": each.why} for each in found]
        facts = {"path": asked.desk or asked.own, "ok": not wrong, "problems": problems, "found": places}
        runbooks = {"documents": report.documents, "replaced": _replaced(report)}
        print_json({**facts, **_understood(config, contacts), **runbooks})
    elif wrong:
        print("\n".join(wrong), file=sys.stderr)
    else:
        _say(asked, config, contacts, report)
    return WRONG if wrong else 0


def print_schema(kind: str, *, as_json: bool) -> int:
    """The JSON Schema of a kind of file; without a kind, which kinds there are and where they lie."""
    from console.runbooks.schema import schema

    if kind in KINDS:
        print_json(schema(KINDS[kind]))
    elif kind:
        raise ConfigError(f"there is no kind {kind!r} of runbook; {meant(kind, KINDS)}")
    else:
        places = {each.name: each.place if each.listed else f"{each.place}/ID.yaml" for each in KINDS.values()}
        print_json(places) if as_json else print_table(list(places.items()))
    return 0


def _asked(path: str | None, desk: str | None) -> _Asked:
    """Raises ConfigError where the path leads to nothing that can be checked."""
    if path is None:
        try:
            found = find(desk)
        except NoDesk:
            return _Asked(None, None)
        return _Asked(found, found.parent / OWN_FOLDER)
    at = Path(path)
    if at.is_dir() and not (at / "desk.yaml").is_file() and (at.name == OWN_FOLDER or _has_runbooks(at)):
        return _Asked(None, at)
    if at.is_file():
        for own, inside in ((at.parent, at.name), (at.parent.parent, f"{at.parent.name}/{at.name}")):
            if kind_at(PurePath(inside)):
                return _Asked(None, own, at)
    found = find(str(at.absolute()) if at.exists() else path)
    return _Asked(found, found.parent / OWN_FOLDER)


def _has_runbooks(folder: Path) -> bool:
    return any((folder / kind.place).exists() for kind in KINDS.values())


def _desk(path: Path | None) -> tuple[DeskConfig | None, tuple[ContactInfo, ...], list[str]]:
    """The desk and its contacts, as far as they can be read, and what is wrong with them."""
    config: DeskConfig | None = None
    try:
        config = load(path) if path else None
        contacts = load_contacts(config.path.parent, [venue.name for venue in config.venues]) if config else ()
    except ConfigError as error:
        return config, (), [str(error)]
    return config, contacts, []


def _understood(config: DeskConfig | None, contacts: Sequence[ContactInfo]) -> dict[str, object]:
    if config is None:
        return {}
    return {
        "desk": config.name,
        "venues": [venue.name for venue in config.venues],
        "strategies": [strategy.name for strategy in config.strategies],
        "contacts": [contact.name for contact in contacts],
    }


def _replaced(report: Report) -> Sequence[dict[str, object]]:
    return [{"kind": each.kind, "id": each.id, "file": each.path, "version": each.version} for each in report.replaced]


def _say(asked: _Asked, config: DeskConfig | None, contacts: Sequence[ContactInfo], report: Report) -> None:
    if config:
        venues = ", ".join(venue.name for venue in config.venues)
        strategies = ", ".join(strategy.name for strategy in config.strategies) or "none"
        told = f"Desk {config.name}, {config.mode}; venues {venues}; strategies {strategies}."
        print(f"{asked.desk}: in order. {told}")
        called = ", ".join(f"{contact.name} ({contact.level})" for contact in contacts)
        people = f"in order. Contacts by escalation level: {called}." if called else _NOBODY
        print(f"{config.path.parent / FILE}: {people}")
    own = f", {len(report.own)} of them from {asked.own}" if report.own else ""
    print(f"runbooks: in order. {report.documents} documents{own}.")
    for each in report.replaced:
        print(f"  {each.kind} {each.id}: {each.path} stands in for ours")
