"""`andon gate`: what strategies are told now. Reads the very files that they read, so it can not say anything else."""

from importlib.resources import files

from console.commands.output import print_json, print_table
from console.config import ConfigError, find, glance, load
from console.cord.latch import boot_id, boot_now, read_file
from console.desk.gate import UNREADABLE, Gate, latch_entries, read_gate
from console.desk.pull import GateState


def gate(desk: str | None, *, as_json: bool) -> int:
    """Prints the gate of the whole desk and of each strategy. Raises ConfigError."""
    seen = glance(find(desk))
    folder = str(seen.state)
    try:
        latch, told = read_file(folder, "cord.latch"), read_file(folder, "gate.json")
    except OSError as error:
        raise ConfigError(f"{error.filename}: the gate can not be read: {error.strerror}") from None
    now, boot = boot_now(), boot_id()

    def answer(venue: str = "", strategy: str = "", symbol: str = "") -> Gate:
        return read_gate(latch, told, boot_id=boot, now=now, venue=venue, strategy=strategy, symbol=symbol)

    try:
        strategies = load(seen.path).strategies
        unread = ""
    except ConfigError as error:
        strategies, unread = (), str(error)
    gates = {(row.name, symbol): answer(row.venue, row.name, symbol) for row in strategies for symbol in row.symbols}
    if as_json:
        print_json(
            {
                "desk": seen.name,
                **_facts(answer()),
                "strategies": {
                    row.name: {symbol: _facts(gates[row.name, symbol]) for symbol in row.symbols} for row in strategies
                },
            }
        )
    else:
        print_table(
            [
                (f"desk {seen.name}", "", *_cells(answer(), _narrower(latch))),
                *((name, symbol, *_cells(told_)) for (name, symbol), told_ in gates.items()),
            ]
        )
        if unread:
            print(f"the strategies' gates are not shown: {unread}")
    return 0


def _narrower(latch: bytes | None) -> str:
    """What the desk's own gate does not tell: the standing pulls that touch a part of it alone."""
    try:
        pulls = [entry for entry in latch_entries(latch or b"") if entry["scope"] != "desk"]
    except UNREADABLE:
        return ""  # no latch; or one that means HALTED, and then the gate says so itself
    return ", ".join(f"{pull['level']} {pull['scope']} by {pull.get('actor', '?')}" for pull in pulls)


def _cells(told: Gate, narrower: str = "") -> tuple[str, str, str]:
    because = told.because
    if narrower and told.state is not GateState.HALTED:
        because = f"for what no pull names: {narrower} stands"
    return str(told.state), f"size {told.size_factor} rate {told.rate_factor}", because


def _facts(told: Gate) -> dict[str, object]:
    return {
        "state": told.state,
        "size_factor": told.size_factor,
        "rate_factor": told.rate_factor,
        "because": told.because,
    }


def print_shipped(name: str) -> int:
    """Prints a file that comes with the program for bots: the client that a strategy copies, or the files' schema."""
    print(files("adapters").joinpath(name).read_text("utf-8"), end="")
    return 0
