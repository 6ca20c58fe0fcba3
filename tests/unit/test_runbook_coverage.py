"""Nothing that the five sources know is missing: their headings, ids, counts and thresholds stand in tables beside this
file, and each has to be found in a document."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from console.config import Limits
from console.desk.runbook import placeholders
from console.desk.tree import Tree, Walk
from console.runbooks.kinds import KINDS, RUNNABLE, TREE
from console.runbooks.library import Library

LIMITS = Limits()
LIBRARY = Library(None, LIMITS.by_name)
SHELVES = {name: LIBRARY.shelf(kind).documents for name, kind in KINDS.items()}
TABLES = {
    path.stem: yaml.safe_load(path.read_text("utf-8"))
    for path in sorted((Path(__file__).parent / "runbook_sources").glob("*.yaml"))
}
ROWS = [pytest.param(row, id=f"{name}: {row['ref']}") for name, table in TABLES.items() for row in table["rows"]]
WAYS = [
    pytest.param(tree, answers, kind, id=f"{tree} {answers}")
    for tree, ways in TABLES["operations-module"]["ways"].items()
    for answers, kind in ways.items()
]
ORDERS = [
    pytest.param(name, order, id=name) for table in TABLES.values() for name, order in table.get("order", {}).items()
]
OWN_MONITORS = {"orders-per-minute", "day-pnl", "error-rate"}
"""What the desk measures beyond the sources."""


def found(ref: str) -> dict[str, Any]:
    kind, _, name = ref.partition(":")
    assert name in SHELVES[kind], f"no document {ref}"
    told: dict[str, Any] = msgspec.to_builtins(SHELVES[kind][name].spec)
    return told


@pytest.mark.parametrize("row", ROWS)
def test_what_a_source_knows_has_a_document(row: dict[str, Any]) -> None:
    told = found(row["ref"])
    defaults = {"breaches": 1}
    for key, value in row.get("is", {}).items():
        assert told.get(key, defaults.get(key)) == value, key
    for key, count in row.get("counts", {}).items():
        assert len(told[key]) == count, key
    for key in row.get("absent", []):
        assert key not in told
    text = json.dumps(told, ensure_ascii=False).replace('\\"', '"')
    for fact in row.get("facts", []):
        assert re.search(fact, text), fact


@pytest.mark.parametrize("row", [row for row in ROWS if {"phases", "uses", "fields", "wanted"} & row.values[0].keys()])
def test_what_a_source_lists_is_there_in_its_order(row: dict[str, Any]) -> None:
    told = found(row["ref"])
    if "phases" in row:
        phases = [(p["title"], p.get("after"), p.get("until"), len(p["steps"])) for p in told["phases"]]
        assert [phase[1:] for phase in phases] == [tuple(phase[1:]) for phase in row["phases"]]
        assert all(phase[0].startswith(name) for phase, (name, *_) in zip(phases, row["phases"], strict=True))
    if "uses" in row:
        used = list(dict.fromkeys(placeholders(told["body"])))
        assert [name for name in used if name in row["uses"]] == row["uses"]
    if "fields" in row:
        assert set(row["fields"]) <= {field["id"] for field in told["fields"]}
    if "wanted" in row:
        assert list(told["wanted"]) == row["wanted"]


@pytest.mark.parametrize(("tree", "answers", "kind"), WAYS)
def test_every_way_through_a_tree_ends_at_its_leaf(tree: str, answers: str, kind: str) -> None:
    walk = Walk(SHELVES["tree"][tree].spec)
    for answer in answers.split(" "):
        assert walk.leaf is None
        walk = walk.answer(answer == "yes")
    assert walk.leaf is not None
    assert walk.leaf.kind == kind


def test_the_counts_are_those_of_the_sources() -> None:
    trees: list[Tree] = [document.spec for document in LIBRARY.shelf(TREE).documents.values()]
    assert sum(len(tree.questions) for tree in trees) == 15
    kinds = Counter(leaf.kind for tree in trees for leaf in tree.leaves.values())
    assert kinds == {"kill-switch": 2, "throttle": 3, "rollback": 5, "investigate": 10, "resume": 1}
    assert sum(kinds.values()) == len(WAYS) == 21
    counts = {name: len(shelf) for name, shelf in SHELVES.items()}
    assert {name: counts[name] for name in ("procedure", "incident", "tree", "gate", "cadence", "principle")} == {
        "procedure": 10,
        "incident": 6,
        "tree": 6,
        "gate": 20,
        "cadence": 5,
        "principle": 10,
    }
    assert {name: counts[name] for name in ("severity", "trigger", "manual-trigger", "triage", "tier", "kpi")} == {
        "severity": 4,
        "trigger": 5,
        "manual-trigger": 5,
        "triage": 4,
        "tier": 3,
        "kpi": 4,
    }
    assert {name: counts[name] for name in ("playbook", "rollback", "message", "role", "log")} == {
        "playbook": 4,
        "rollback": 3,
        "message": 6,
        "role": 3,
        "log": 6,
    }
    assert len(set(SHELVES["monitor"]) - OWN_MONITORS) == 12
    per_cadence = Counter(name.rpartition(" ")[0] for name in SHELVES["gate"])
    assert per_cadence == {"PRE-LAUNCH": 4, "DAILY": 5, "WEEKLY": 4, "MONTHLY": 4, "QUARTERLY": 3}


def test_the_limits_behind_triggers_are_those_of_the_sources() -> None:
    assert (LIMITS.daily_loss_pct, LIMITS.drawdown_pct, LIMITS.errors_per_minute) == (3, 6, 10)


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        *(("operations-module", kind) for kind in ("gate", "cadence", "principle")),
        *(("incident-playbook", kind) for kind in ("triage", "kpi")),
        ("incident-runbook", "log"),
    ],
)
def test_the_order_of_lists_is_that_of_the_sources(table: str, kind: str) -> None:
    refs = [row["ref"].partition(":") for row in TABLES[table]["rows"]]
    assert list(SHELVES[kind]) == [name for of, _, name in refs if of == kind]


@pytest.mark.parametrize(("name", "order"), ORDERS)
def test_steps_stand_in_the_order_of_the_sources(name: str, order: list[str]) -> None:
    [document] = [shelf[name] for kind in RUNNABLE if name in (shelf := LIBRARY.shelf(kind).documents)]
    steps = [step for section in document.spec.sections if section.title != "Verify" for step in section.steps]
    assert len(steps) == len(order)
    for step, about in zip(steps, order, strict=True):
        assert re.search(about, f"{step.do} {step.command}"), f"{about!r} is not what is done here: {step.do}"


def test_every_runnable_document_has_its_order_checked() -> None:
    names = {name for kind in RUNNABLE for name in LIBRARY.shelf(kind).documents}
    assert names == {order.values[0] for order in ORDERS}


def test_the_throttle_of_no_fills_halves_the_rate_and_leaves_a_quarter_of_the_size() -> None:
    leaf = SHELVES["tree"]["no-fills"].spec.leaves["rate-limited"]
    assert (leaf.size, leaf.rate) == (25, 50)
    sizes = {name: SHELVES["tree"][name].spec.leaves for name in ("wrong-pnl", "alerts-spam")}
    assert (sizes["wrong-pnl"]["signal-decays"].size, sizes["alerts-spam"]["many-causes"].size) == (50, 50)
    assert SHELVES["tree"]["post-incident"].spec.leaves["come-back"].size == 25
