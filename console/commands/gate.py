"""`andon gate`: what strategies are told now. Reads the very files that they read, so it can not say anything else."""

from importlib.resources import files

from console.commands.output import print_json, print_table
from console.config import ConfigError, find, glance, load
from console.cord.latch import boot_id, boot_now, read_file
from console.desk.gate import Gate, read_gate


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
                (f"desk {seen.name}", "", *_cells(answer())),
                *((name, symbol, *_cells(told_)) for (name, symbol), told_ in gates.items()),
            ]
        )
        if unread:
            print(f"the strategies' gates are not shown: {unread}")
    return 0


def _cells(told: Gate) -> tuple[str, str, str]:
    return str(told.state), f"size {told.size_factor} rate {told.rate_factor}", told.because


def _facts(told: Gate) -> dict[str, object]:
    return {
        "state": told.state,
        "size_factor": told.size_factor,
        "rate_factor": told.rate_factor,
        "because": told.because,
    }


def print_client() -> int:
    """Prints the one-file client that a strategy copies into its own code."""
    print(files("adapters").joinpath("gate_client.py").read_text("utf-8"), end="")
    return 0
