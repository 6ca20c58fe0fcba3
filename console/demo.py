"""`andon demo` and `andon simulate`: a simulated desk for as long as its screen, or its terminal, is there."""

import argparse
import sys
import time
from functools import partial

from console.archives import archives_of
from console.config import ConfigError
from console.library import library_of
from console.processes import ChildError, ending_on_signals
from console.simulated import SimulatedDesk, only_one, set_aside

FAILED = 1


def demo(options: argparse.Namespace) -> int:
    """Start the desk, show it (or run it without a screen), and stop what was started. Raises ConfigError."""
    if options.seconds is not None and not options.headless:
        raise ConfigError("--seconds goes with --headless: a screen stays until it is left")
    if options.json and not options.headless:
        raise ConfigError("--json goes with --headless")
    if not options.headless and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("the demo's screen needs a terminal; --headless runs it without one")
    desk = SimulatedDesk(
        "demo",
        port=options.port,
        http_port=options.http_port,
        seed=options.seed,
        speed=options.speed,
        quiet=options.quiet,
        faults=options.fault,
    )
    with ending_on_signals(), only_one(desk):
        if options.fresh:
            desk.examine()
            set_aside(desk)
        try:
            with desk.running(guarded=True):
                return _headless(desk, options) if options.headless else _screen(desk)
        except ChildError as error:
            print(f"andon demo: {error}", file=sys.stderr)
            return FAILED


def simulate(options: argparse.Namespace) -> int:
    """The broker and the strategies alone, until stopped. Raises ConfigError."""
    desk = SimulatedDesk("simulate", port=options.port, seed=options.seed, speed=options.speed, faults=options.fault)
    with ending_on_signals(), only_one(desk):
        try:
            with desk.running(guarded=False):
                print(f"The broker speaks at {desk.broker_url}.")
                print(f"A guard for it: andon --desk {desk.file} guard", flush=True)
                while True:
                    desk.check()
                    time.sleep(0.2)
        except ChildError as error:
            print(f"andon simulate: {error}", file=sys.stderr)
            return FAILED


def _screen(desk: SimulatedDesk) -> int:
    from console.app import run

    code = run(
        desk.state,
        start_guard=desk.start_guard_again,
        library=partial(library_of, desk.file),
        archives=archives_of(desk.file, desk.state),
        read_only=False,
        mouse=True,
    )
    goes_on = ", HALTED; --fresh begins anew" if (desk.state / "cord.latch").exists() else ""
    print(f"Stopping the simulated desk; the next `andon demo` continues it{goes_on}.", file=sys.stderr, flush=True)
    return code


def _headless(desk: SimulatedDesk, options: argparse.Namespace) -> int:
    from console.headless import watch

    return watch(desk, options.seconds, as_json=options.json)
