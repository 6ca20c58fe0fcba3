"""The gate's readers in other languages: they say what the guard's own reading says, and when in doubt HALTED."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from console.cord.latch import boot_id, boot_now, set_latch, write_gate
from console.desk.gate import LEASE_NS, read_gate
from tests.support.broker import ROOT, wait_until
from tests.support.cord import kill
from tests.support.desk import DeskProcesses

EXAMPLES = ROOT / "docs" / "examples"
NODE = shutil.which("node")
READERS = [
    pytest.param(("sh", str(EXAMPLES / "gate.sh")), id="sh"),
    pytest.param(
        (NODE or "", str(EXAMPLES / "gate.js")),
        id="js",
        marks=pytest.mark.skipif(NODE is None, reason="there is no node on this machine"),
    ),
]
EXITS = {"OPEN": 0, "REDUCED": 0, "CLOSE_ONLY": 3, "HALTED": 1}
Change = Callable[[Path], object]
Asked = tuple[int, list[str]]


def ask(
    reader: tuple[str, str], folder: Path, venue: str = "sim1", strategy: str = "mom", symbol: str = "AAPL"
) -> Asked:
    """Exit code, and the words of the answer: state, size factor, rate factor."""
    command = [*reader, str(folder), venue, strategy, symbol]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return told.returncode, told.stdout.split()[:3]


def fresh(folder: Path, state: str = "OPEN", factor: str = "1", **scopes: str) -> None:
    named = {scope.replace("__", ":"): told for scope, told in scopes.items()}
    write_gate(
        str(folder), desk="d", state=state, size_factor=factor, rate_factor=factor, scopes=named, because='a "why", ü'
    )


def pulled(level: str, scope: str) -> Change:
    return lambda folder: set_latch(str(folder), pull=f"{level}{scope}", level=level, scope=scope, actor="ana", ts=1)


def edited(**fields: object) -> Change:
    """gate.json with some of its fields changed, those set to None taken away."""

    def edit(folder: Path) -> None:
        told = {**json.loads((folder / "gate.json").read_text()), **fields}
        kept = {name: value for name, value in told.items() if value is not None}
        (folder / "gate.json").write_text(json.dumps(kept, ensure_ascii=False))

    return edit


def leased(boot: str | None = None, expires: float | None = None) -> Change:
    return lambda folder: edited(
        lease={"boot_id": boot or boot_id(), "expires": boot_now() + LEASE_NS if expires is None else expires}
    )(folder)


def written(name: str, text: str | bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


LINE = '{"v": 1, "id": "p", "level": "L1", "scope": "desk", "actor": "a", "ts": 1}\n'
CASES: dict[str, tuple[list[Change], str]] = {
    "open": ([], "OPEN"),
    "reduced": ([lambda folder: fresh(folder, "REDUCED", "0.25")], "REDUCED"),
    "closing only": ([lambda folder: fresh(folder, "CLOSE_ONLY", "0")], "CLOSE_ONLY"),
    "halted": ([lambda folder: fresh(folder, "HALTED", "0")], "HALTED"),
    "a scope of the gate": ([lambda folder: fresh(folder, venue__sim1="CLOSE_ONLY")], "CLOSE_ONLY"),
    "another's scope": ([lambda folder: fresh(folder, venue__sim2="HALTED", strategy__x="HALTED")], "OPEN"),
    "latch on the desk": ([pulled("L3", "desk")], "HALTED"),
    "latch pauses": ([pulled("L1", "desk")], "CLOSE_ONLY"),
    "latch on the venue": ([pulled("L4", "venue:sim2,sim1")], "HALTED"),
    "latch on the strategy": ([pulled("L2", "strategy:mom")], "CLOSE_ONLY"),
    "latch on the symbol": ([pulled("L3", "symbol:MSFT,aa/pl")], "HALTED"),
    "latch on others": ([pulled("L4", "venue:sim2"), pulled("L3", "symbol:MSFT"), pulled("L3", "strategy:m")], "OPEN"),
    "the strictest of two": ([pulled("L1", "desk"), pulled("L3", "venue:sim1")], "HALTED"),
    "the strictest, whatever came later": (
        [pulled("L2", "symbol:AAPL"), pulled("L4", "strategy:mom"), pulled("L1", "desk"), pulled("L3", "venue:sim2")],
        "HALTED",
    ),
    "a pull that spares orders": (
        [written("cord.latch", LINE.replace("}", ', "keep_protective": true}'))],
        "CLOSE_ONLY",
    ),
    "no gate": ([lambda folder: (folder / "gate.json").unlink()], "HALTED"),
    "no folder": ([shutil.rmtree], "HALTED"),
    "stale": ([leased(expires=1)], "HALTED"),
    "just stale": ([lambda folder: leased(expires=boot_now() - 50_000_000)(folder)], "HALTED"),
    "a lease without end": ([leased(expires=9e18)], "HALTED"),
    "a lease in words": ([leased(expires="12")], "HALTED"),  # type: ignore[arg-type]
    "another boot": ([leased(boot="6f1c9b1e-0000-4000-8000-000000000000")], "HALTED"),
    "no lease": ([edited(lease=None)], "HALTED"),
    "more than all": ([edited(size_factor="1.5")], "HALTED"),
    "a factor as number": ([edited(rate_factor=1)], "HALTED"),
    "no share": ([edited(size_factor="1e-1")], "HALTED"),
    "unknown state": ([edited(state="open")], "HALTED"),
    "unknown state elsewhere": ([edited(scopes={"venue:sim2": "SHUT"})], "HALTED"),
    "unknown scope": ([edited(scopes={"robot:x": "OPEN"})], "HALTED"),
    "no scopes": ([edited(scopes=[])], "HALTED"),
    "why is optional": ([edited(because=None)], "OPEN"),
    "more fields": ([edited(later={"a": [1, -2.5e3, True, None, {}], "b": "\n"})], "OPEN"),
    "torn gate": ([lambda folder: os.truncate(folder / "gate.json", 60)], "HALTED"),
    "empty gate": ([written("gate.json", "")], "HALTED"),
    "two gates": ([lambda folder: (folder / "gate.json").write_text((folder / "gate.json").read_text() * 2)], "HALTED"),
    "torn latch": ([pulled("L1", "symbol:MSFT"), lambda folder: os.truncate(folder / "cord.latch", 50)], "HALTED"),
    "torn second line": ([written("cord.latch", LINE + LINE[:30])], "HALTED"),
    "a blank line": ([written("cord.latch", LINE + "\n" + LINE)], "HALTED"),
    "empty latch": ([written("cord.latch", "")], "HALTED"),
    "noughts": ([written("cord.latch", bytes(100))], "HALTED"),
    "not JSON": ([written("cord.latch", "pulled!\n")], "HALTED"),
    "unknown level": ([written("cord.latch", LINE.replace("L1", "L9"))], "HALTED"),
    "unknown scope in the latch": ([written("cord.latch", LINE.replace("desk", "venue:"))], "HALTED"),
    "a line without an end": ([written("cord.latch", LINE.rstrip())], "CLOSE_ONLY"),
    "an unreadable latch": ([lambda folder: (folder / "cord.latch").mkdir()], "HALTED"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", CASES)
def test_every_reader_says_what_the_guard_says(tmp_path: Path, reader: tuple[str, str], name: str) -> None:
    changes, expected = CASES[name]
    fresh(tmp_path)
    for change in changes:
        change(tmp_path)
    exit_code, (state, size, rate) = ask(reader, tmp_path)
    assert (exit_code, state) == (EXITS[expected], expected)
    assert (size, rate) == {"OPEN": ("1", "1"), "REDUCED": ("0.25", "0.25")}.get(expected, ("0", "0"))
    assert guards_own(tmp_path) == expected


def guards_own(folder: Path) -> str:
    files: list[bytes | None] = []
    for name in ("cord.latch", "gate.json"):
        try:
            files.append((folder / name).read_bytes())
        except FileNotFoundError:
            files.append(None)
        except OSError:
            files.append(b"unreadable")
    told = read_gate(*files, boot_id=boot_id(), now=boot_now(), venue="sim1", strategy="mom", symbol="AAPL")
    return told.state.value


@pytest.mark.parametrize("reader", READERS)
def test_a_read_that_hangs_is_halted_even_for_who_waits_for_the_output(tmp_path: Path, reader: tuple[str, str]) -> None:
    fresh(tmp_path)
    os.mkfifo(tmp_path / "cord.latch")  # opening it blocks until somebody writes, like a disk that went away
    began = time.monotonic()
    exit_code, words = ask(reader, tmp_path)
    assert words[0] == "HALTED"
    assert exit_code != 0
    assert time.monotonic() - began < 30
    with open(os.open(tmp_path / "cord.latch", os.O_RDWR), "wb"):
        pass  # whoever is stuck is let go


@pytest.mark.parametrize("reader", READERS)
def test_wrong_usage_is_no_permission(tmp_path: Path, reader: tuple[str, str]) -> None:
    told = subprocess.run([*reader, str(tmp_path)], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "usage" in told.stderr


def test_under_a_real_guard_all_readers_agree(tmp_path: Path) -> None:
    readers = [param.values[0] for param in READERS if not (param.id == "js" and NODE is None)]
    schema = json.loads((ROOT / "adapters" / "gate.schema.json").read_text())

    def all_say(state: str, venue: str = "sim1") -> bool:
        return all(ask(reader, desk.state_dir, venue)[1][0] == state for reader in readers)  # type: ignore[arg-type]

    with DeskProcesses(tmp_path, traded=False, http=False) as desk:
        wait_until(lambda: all_say("OPEN"), "the gate opens")
        assert kill(desk.state_dir, "--venue", "sim2", "--wait", "60")[0] == 0
        wait_until(lambda: all_say("HALTED", "sim2"), "the venue's latch is seen")
        wait_until(lambda: all_say("OPEN"), "the other venue's gate stays open")
        jsonschema.validate(json.loads((desk.state_dir / "gate.json").read_text()), schema)
        for line in (desk.state_dir / "cord.latch").read_text().splitlines():
            jsonschema.validate(json.loads(line), schema)
        os.kill(desk.guard_pid, signal.SIGSTOP)
        wait_until(lambda: all_say("HALTED", "sim1"), "the lease runs out")
        os.kill(desk.guard_pid, signal.SIGCONT)
        wait_until(lambda: all_say("OPEN", "sim1"), "the lease is renewed")
        desk.stop_guard(signal.SIGKILL)
        wait_until(lambda: all_say("HALTED", "sim1"), "the lease runs out")


@pytest.mark.parametrize(
    "wrong",
    [
        {"size_factor": 1},
        {"size_factor": "2"},
        {"state": "open"},
        {"scopes": {"robot:x": "OPEN"}},
        {"scopes": {"desk": "SHUT"}},
        {"lease": {"boot_id": "b"}},
    ],
)
def test_the_schema_refuses_what_the_readers_refuse(tmp_path: Path, wrong: dict[str, object]) -> None:
    schema = json.loads((ROOT / "adapters" / "gate.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    fresh(tmp_path, venue__sim1="HALTED")
    told = json.loads((tmp_path / "gate.json").read_text())
    jsonschema.validate(told, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**told, **wrong}, schema)


def test_what_is_shipped_for_bots_is_printed() -> None:
    for option, name in (("--schema", "gate.schema.json"), ("--client", "gate_client.py")):
        command = [sys.executable, "-m", "console", "gate", option]
        told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        assert told.stdout == (ROOT / "adapters" / name).read_text()
