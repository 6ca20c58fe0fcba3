"""`andon archive drill`: proves that what is archived can be read back, and leaves a report."""

import argparse

import msgspec

from console.commands.archive_shelf import FAILED, desk_of, shelf_of
from console.commands.output import print_json, say
from console.restore_drill import run_restore


def drill_archive(options: argparse.Namespace) -> int:
    """Restores an incident and says how it went; returns 1 where it failed, or nobody will know of it. Raises
    ConfigError."""
    with shelf_of(options.path, options.desk) as shelf:
        drill = run_restore(shelf, desk_of(options.desk), options.seed)
    if options.json:
        told = {**msgspec.structs.asdict(drill.restored), "passed": drill.passed, "source": drill.source}
        print_json({**told, "seed": drill.seed, "report": drill.report, "problem": drill.problem})
    else:
        for line in drill.lines:
            say(line)
        say(f"  filed     {drill.report or 'nowhere: there is no desk here'}")
        if drill.problem:
            say(f"  NOT KEPT  the desk's journal does not know of it: {drill.problem}")
    return 0 if drill.passed else FAILED
