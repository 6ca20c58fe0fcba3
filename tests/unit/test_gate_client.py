"""The one-file gate client: it agrees with the guard's own reading, and whatever goes wrong on disk means HALTED."""

import ast
import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import gate_client
from adapters.gate_client import Gate
from console.desk.gate import LEASE_NS, read_gate

NOW = 10**15
BOOT = "b0"


def gate_json(state="OPEN", size="1", rate="1", scopes=None, expires=None, boot_id=None):
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return json.dumps(
        {
            "v": 1,
            "desk": "demo",
            "state": state,
            "size_factor": size,
            "rate_factor": rate,
            "scopes": scopes or {},
            "lease": {"boot_id": boot_id or boot, "expires": expires or now + LEASE_NS},
        }
    )


def pull(level="L3", scope="desk"):
    return json.dumps({"v": 1, "id": "p1", "level": level, "scope": scope, "actor": "ana", "ts": 1}) + "\n"


# --- agreement with console.desk.gate ---------------------------------------------------------------------------------

junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, NOW * 2) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
states = st.sampled_from(["OPEN", "REDUCED", "CLOSE_ONLY", "HALTED", "open", "?"]) | junk
names = st.sampled_from(["sim1", "sim2", "momentum", "AAPL", "BTC/USD", "btcusd", " x ", ""])
scopes = (
    st.sampled_from(["desk", "all", "", "venue", "venue:", "desk:sim1", "symbol:btc/usd, AAPL", "robot:x"])
    | st.builds("{}:{}".format, st.sampled_from(["venue", "strategy", "symbol"]), names)
    | st.text(max_size=8)
)
factors = st.sampled_from(["0", "0.25", "1", "1.0", ".5", "1.01", "-0", "-1", "nan", "", "0.5.5", "1e-1"]) | junk


def mostly(good, bad):
    return st.one_of(good, good, good, good, bad)


leases = mostly(
    st.fixed_dictionaries(
        {"boot_id": mostly(st.just(BOOT), junk), "expires": mostly(st.integers(NOW - 2, NOW + 2 * LEASE_NS + 2), junk)}
    ),
    junk,
)
gates = mostly(
    st.fixed_dictionaries(
        {
            "state": mostly(st.sampled_from(["OPEN", "REDUCED", "CLOSE_ONLY", "HALTED"]), states),
            "size_factor": mostly(st.sampled_from(["0", "0.25", "1"]), factors),
            "rate_factor": mostly(st.sampled_from(["0", "0.25", "1"]), factors),
            "scopes": mostly(st.dictionaries(scopes, states, max_size=3), junk),
            "lease": leases,
        },
        optional={"because": st.text(max_size=5)},
    ),
    junk,
).map(lambda value: json.dumps(value).encode())
entries = mostly(
    st.fixed_dictionaries(
        {"level": mostly(st.sampled_from(["L1", "L2", "L3", "L4"]), junk), "scope": mostly(scopes, junk)},
        optional={"actor": st.just("ana")},
    ),
    junk,
)
latches = st.lists(entries.map(lambda value: json.dumps(value).encode()), max_size=3).map(b"\n".join)
raw = st.binary(max_size=12) | st.just(b"[" * 100_000)


@settings(max_examples=500, deadline=None)
@given(
    latch=st.none() | mostly(latches, raw),
    gate=st.none() | mostly(gates, raw),
    symbol=names,
    venue=names,
    strategy=names,
)
def test_it_says_what_the_guards_own_reading_says(latch, gate, symbol, venue, strategy):
    ours = read_gate(latch, gate, boot_id=BOOT, now=NOW, venue=venue, strategy=strategy, symbol=symbol)
    theirs = gate_client.decide(latch, gate, BOOT, NOW, venue, strategy, symbol)
    assert theirs.state == ours.state.value
    assert theirs.size_factor == gate_client.Decimal(ours.size_factor)
    assert theirs.rate_factor == gate_client.Decimal(ours.rate_factor)


# --- on a real disk ---------------------------------------------------------------------------------------------------


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path, venue="sim1", strategy="momentum")


def test_an_absent_folder_is_halted(tmp_path):
    assert Gate(tmp_path / "nowhere", venue="sim1", strategy="momentum").ask("AAPL").state == "HALTED"


def test_a_fresh_lease_is_obeyed(tmp_path, gate):
    (tmp_path / "gate.json").write_text(gate_json("REDUCED", size="0.25", rate="0.5"))
    answer = gate.ask("AAPL")
    assert (answer.state, str(answer.size_factor), str(answer.rate_factor)) == ("REDUCED", "0.25", "0.5")


def test_each_ask_reads_anew(tmp_path, gate):
    (tmp_path / "gate.json").write_text(gate_json())
    assert gate.ask("AAPL").state == "OPEN"
    (tmp_path / "cord.latch").write_text(pull("L1"))
    assert gate.ask("AAPL").state == "CLOSE_ONLY"
    (tmp_path / "cord.latch").write_text(pull("L1") + pull("L4", "symbol:AAPL"))
    assert gate.ask("AAPL").state == "HALTED"
    assert gate.ask("MSFT").state == "CLOSE_ONLY"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", gate_json(expires=1), gate_json(boot_id="another"), gate_json(size="2")],
    ids=["empty", "torn", "a list", "stale", "another boot", "more than all"],
)
def test_a_gate_that_is_stale_foreign_or_torn_is_halted(tmp_path, gate, content):
    (tmp_path / "gate.json").write_text(content)
    assert gate.ask("AAPL").state == "HALTED"


def test_a_latch_that_can_not_be_read_is_halted(tmp_path, gate):
    (tmp_path / "gate.json").write_text(gate_json())
    (tmp_path / "cord.latch").mkdir()
    answer = gate.ask("AAPL")
    assert answer.state == "HALTED"
    assert "can not be read" in answer.because


def test_a_read_that_hangs_is_halted_and_starts_no_second_thread(tmp_path, gate):
    os.mkfifo(tmp_path / "cord.latch")  # opening it blocks until somebody writes, like a disk that went away
    (tmp_path / "gate.json").write_text(gate_json())
    before = set(threading.enumerate())
    assert "within 1 s" in gate.ask("AAPL").because
    assert gate.ask("AAPL").state == "HALTED"
    assert len(set(threading.enumerate()) - before) == 1

    with open(tmp_path / "cord.latch", "wb") as disk:  # the disk comes back: what it says counts again
        (tmp_path / "cord.latch").unlink()
        disk.write(pull("L1").encode())
    deadline = time.monotonic() + 20
    while (answer := gate.ask("AAPL")).state != "OPEN" and time.monotonic() < deadline:
        pass
    assert answer.state == "OPEN"


def test_many_threads_may_ask_one_gate(tmp_path, gate):
    (tmp_path / "gate.json").write_text(gate_json(expires=time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 2 * LEASE_NS))
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.extend(gate.ask("AAPL").state for _ in range(20))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["OPEN"] * 160


def test_a_process_that_was_forked_in_the_middle_of_an_ask_has_a_reader_of_its_own(tmp_path, gate):
    (tmp_path / "gate.json").write_text(gate_json("CLOSE_ONLY", size="0", rate="0"))
    gate.ask("AAPL")
    with gate._files._change:  # as if another thread was asking
        child = os.fork()
        if not child:
            os._exit(0 if gate.ask("AAPL").state == "CLOSE_ONLY" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_without_a_thread_to_read_with_it_is_halted(tmp_path, gate, monkeypatch):
    def no_more(self):
        raise RuntimeError("can't start new thread")

    (tmp_path / "gate.json").write_text(gate_json())
    monkeypatch.setattr(threading.Thread, "start", no_more)
    assert gate.ask("AAPL").state == "HALTED"
    monkeypatch.undo()
    assert gate.ask("AAPL").state == "OPEN"


def test_the_file_stands_alone_and_old_pythons_understand_it():
    tree = ast.parse(Path(gate_client.__file__).read_text(), feature_version=(3, 8))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names
