"""`andon incident attach` and `snapshot`: what the guard has to do, because only the guard reads the desk and seals."""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from console.commands.ask import guarded
from console.commands.kept import FAILED
from console.commands.output import print_json
from console.config import ConfigError
from console.session import Session

FILE_LIMIT = 8 << 20


def attach(options: argparse.Namespace) -> int:
    """Seals files with an incident, one after the other; returns 1 where one was not. Raises ConfigError where one can
    not be sent."""
    read = [(path, _bytes(path)) for path in map(Path, options.files)]

    def sent(session: Session) -> Iterator[str]:
        for path, data in read:
            yield session.command("attach", incident=options.id, upload=session.upload(data), name=path.name)

    return _asked(options, sent)


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise ConfigError(f"{path}: {'it is no file' if path.exists() else 'there is no such file'}")
        if path.stat().st_size > FILE_LIMIT:
            raise ConfigError(f"{path}: larger than {FILE_LIMIT >> 20} MiB, which is the most that is attached")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: the file can not be read: {error.strerror}") from None


def snapshot(options: argparse.Namespace) -> int:
    """Has the guard read the desk and seal it; returns 1 where it did not."""

    def sent(session: Session) -> Iterator[str]:
        yield session.command("snapshot", incident=options.id)

    return _asked(options, sent)


def _asked(options: argparse.Namespace, work: Callable[[Session], Iterator[str]]) -> int:
    """What was done before something failed is said, too. Raises ConfigError where there is no such incident."""
    said: list[str] = []
    why = ""
    try:
        with guarded(options.desk) as session:
            if options.id and options.id not in session.state.logbook.incidents:
                raise ConfigError(f"there is no incident {options.id}: andon incident list has those there are")
            if sys.stderr.isatty():
                print("the guard reads the desk and seals it …", file=sys.stderr)
            for line in work(session):
                said.append(line)  # noqa: PERF402 - what came before a failure was done
    except RuntimeError as error:  # the guard's reason, or that there is none
        why = str(error)
    if options.json:
        print_json({"done": not why, "said": said, "why": why})
    else:
        for line in said:
            print(line)
        if why:
            print(f"andon: {why}", file=sys.stderr)
    return FAILED if why else 0
