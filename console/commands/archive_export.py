"""`andon archive export`: one incident as one file, to be handed on."""

import argparse
from pathlib import Path

from console.commands.output import print_json, say
from console.config import ConfigError, find, glance
from console.desk import incidents as inc
from console.desk.archive import Unreadable
from console.evidence.export import SUFFIX, NotExported, export
from console.evidence.manifest import MANIFEST

FAILED = 1


def export_archive(options: argparse.Namespace) -> int:
    """Writes the file and says where it is; returns 1 where the evidence is not what was sealed. Raises ConfigError."""
    if not inc.NUMBER.fullmatch(options.id):
        raise ConfigError(f"{options.id!r} is no incident's number; INC-YYYY-NNNN is expected")
    folder = glance(find(options.desk)).state / "archive" / options.id
    if not (folder / MANIFEST).exists():
        raise ConfigError(f"{folder}: nothing is sealed of {options.id}")
    to = Path(options.output or f"{options.id}{SUFFIX}").expanduser().absolute()
    try:
        size = export(folder, to)
    except NotExported as error:
        raise ConfigError(str(error)) from None
    except Unreadable as error:
        say(f"not exported: {error}")
        return FAILED
    if options.json:
        print_json({"incident": options.id, "file": to, "bytes": size})
    else:
        say(f"{to}  {size:,} bytes; anybody can check it: andon archive verify {to.name}")
    return 0
