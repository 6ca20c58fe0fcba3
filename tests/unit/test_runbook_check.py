"""What `andon check` says of runbooks: each broken file under broken_runbooks/ has one fault, and its first line says
where it is and how the sentence about it begins."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.cli import main
from console.config import Limits
from console.guard.monitors import load_monitors
from console.runbooks.kinds import GATE, KINDS, PROCEDURE, TREE, kind_at
from console.runbooks.library import Library, files, read_file, shipped_folder
from console.runbooks.lint import lint
from console.runbooks.schema import schema

LIMITS = Limits().by_name
BROKEN = Path(__file__).parent / "broken_runbooks"
CASES = sorted(path for path in BROKEN.rglob("*") if path.is_file() and path.read_bytes().startswith(b"# expected "))
SHIPPED = [path for kind in KINDS.values() for path in files(kind, shipped_folder())]


@pytest.fixture(autouse=True)
def _no_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("ANDON_DESK", raising=False)


def case(path: Path) -> str:
    return path.relative_to(BROKEN).parts[0]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    told = capsys.readouterr()
    return code, told.out, told.err


# --- what is wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CASES, ids=case)
def test_one_fault_is_told_at_its_place(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    first = path.read_bytes().split(b"\n")[0].decode()
    place, said = first.removeprefix("# expected ").split(" ", 1)
    code, out, err = run(capsys, "check", str(BROKEN / case(path)))
    assert (code, out) == (2, "")
    assert err.startswith(f"{path}:{place}: {said}")
    assert err.count("\n") == 1


def test_ours_are_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "check", str(shipped_folder()))
    assert (code, err) == (0, "")
    assert out.startswith("runbooks: in order. ")
    assert run(capsys, "check")[0] == 0
    assert run(capsys, "check", str(shipped_folder() / "trees" / "no-fills.yaml"))[0] == 0


def test_one_file_can_be_checked_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in ("cycle", "bad-id"):
        [source] = (BROKEN / name).rglob("*.yaml")
        copy = tmp_path / "mine" / "trees" / f"{name}.yaml"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(source.read_text())
    code, _, err = run(capsys, "check", str(tmp_path / "mine" / "trees" / "bad-id.yaml"))
    assert code == 2
    assert "bad-id.yaml:2:5: " in err
    assert "cycle.yaml" not in err
    assert "cycle.yaml" in run(capsys, "check", str(tmp_path / "mine"))[2]


def test_every_fault_is_told_at_once_and_for_machines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    own = tmp_path / "runbooks"
    own.mkdir()
    (own / "gates.yaml").write_text("- id: DAILY D9\n  title: 1\n  check: yes it is\n  blocks: 1\n")
    (own / "kpis.yaml").write_text("- id: x\n")
    code, out, err = run(capsys, "check", "--json", str(own))
    told = json.loads(out)
    assert (code, err, told["ok"]) == (2, "", False)
    places = [(Path(each["file"]).name, each["line"], each["column"]) for each in told["found"]]
    assert places == [("gates.yaml", 2, 10), ("gates.yaml", 4, 11), *[("kpis.yaml", 1, 3)] * 3]


def test_what_follows_from_a_fault_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "procedures").mkdir()
    (tmp_path / "procedures" / "mine.yaml").write_text("id: mine\ntitle: [")
    (tmp_path / "gates.yaml").write_text("- {id: DAILY D9, title: x, check: x, see: [procedure:mine]}\n")
    [error] = lint(Library(tmp_path, LIMITS)).found
    assert error.path.name == "mine.yaml"


def test_a_broken_desk_yaml_does_not_hide_broken_runbooks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "desk.yaml").write_text("desk: x\ncolour: red\n")
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "kpis.yaml").write_text("- 1\n")
    code, out, err = run(capsys, "check", str(tmp_path))
    assert (code, out) == (2, "")
    assert [line.split(": ")[0].removeprefix(f"{tmp_path}/") for line in err.splitlines()] == [
        "desk.yaml:2:1",
        "runbooks/kpis.yaml:1:3",
    ]


# --- the desk's own folder ------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder that replaces one tree and one gate of ours, repeats one procedure, and adds a gate."""
    folder = tmp_path / "desk" / "runbooks"
    for place in ("trees", "procedures"):
        (folder / place).mkdir(parents=True)
    tree = (shipped_folder() / "trees" / "no-fills.yaml").read_text()
    (folder / "trees" / "no-fills.yaml").write_text(tree.replace("size: 25", "size: 10"))
    same = (shipped_folder() / "procedures" / "retrain.yaml").read_text()
    (folder / "procedures" / "retrain.yaml").write_text(f"# laid out anew\n{same}")
    gates = [{"id": "DAILY D1", "title": "t", "check": "c"}, {"id": "DAILY D6", "title": "t", "check": "c"}]
    (folder / "gates.yaml").write_text(json.dumps(gates))
    return folder


def test_a_desk_replaces_ours_by_id(own: Path) -> None:
    library, ours = Library(own, LIMITS), Library(None, LIMITS)
    gates, before = library.shelf(GATE).documents, ours.shelf(GATE).documents
    assert list(gates) == [*before, "DAILY D6"]
    assert (gates["DAILY D1"].spec.title, gates["DAILY D2"]) == ("t", before["DAILY D2"])
    assert library.shelf(TREE).documents["no-fills"].replaced == ours.shelf(TREE).documents["no-fills"]


def test_check_shows_what_was_replaced(capsys: pytest.CaptureFixture[str], own: Path) -> None:
    code, out, err = run(capsys, "check", str(own))
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == [
        f"  tree no-fills: {own}/trees/no-fills.yaml stands in for ours",
        f"  gate DAILY D1: {own}/gates.yaml stands in for ours",
    ]
    told = json.loads(run(capsys, "check", "--json", str(own))[1])
    assert [(each["kind"], each["id"]) for each in told["replaced"]] == [("tree", "no-fills"), ("gate", "DAILY D1")]


def test_a_version_goes_by_what_a_document_says(own: Path) -> None:
    library, ours = Library(own, LIMITS), Library(None, LIMITS)
    assert library.shelf(PROCEDURE).documents["retrain"].version == ours.shelf(PROCEDURE).documents["retrain"].version
    assert library.shelf(TREE).documents["no-fills"].version != ours.shelf(TREE).documents["no-fills"].version


def test_an_edited_file_is_read_anew_and_an_unchanged_one_is_not(own: Path) -> None:
    library = Library(own, LIMITS)
    first = library.shelf(TREE).documents
    path = own / "trees" / "no-fills.yaml"
    path.write_text(path.read_text().replace("size: 10", "size: 5"))
    second = library.shelf(TREE).documents
    assert first["no-fills"].version != second["no-fills"].version
    assert second["post-incident"].spec is first["post-incident"].spec


def test_where_a_desk_s_own_is_not_fit_ours_stays(own: Path) -> None:
    path = own / "trees" / "no-fills.yaml"
    path.write_text(path.read_text().replace('"no": venue-refuses', '"no": q1'))
    shelf = Library(own, LIMITS).shelf(TREE)
    assert not shelf.documents["no-fills"].own
    assert len(shelf.found) == 2  # a circle, and a leaf that nothing leads to any more


def test_a_folder_that_can_not_be_read_is_told_and_takes_nothing_down(tmp_path: Path) -> None:
    shelf = Library(tmp_path / ("x" * 300), LIMITS).shelf(GATE)  # a name that no file system takes, root or not
    assert len(shelf.documents) == 20
    assert [error.why for error in shelf.found] == ["it can not be read: File name too long"]


def test_a_monitor_of_a_desk_s_own_goes_by_its_limits(tmp_path: Path) -> None:
    text = (BROKEN / "unknown-limit" / "monitors.yaml").read_text()
    (tmp_path / "monitors.yaml").write_text(text.replace("heat_limit", "orders_per_minute"))
    specs, wrong = load_monitors(tmp_path, LIMITS)
    assert (specs[-1].id, specs[-1].threshold, wrong) == ("heat", float(LIMITS["orders_per_minute"]), ())


def test_a_mistake_in_a_desk_s_own_monitors_costs_it_none_of_ours(tmp_path: Path) -> None:
    text = (BROKEN / "unknown-limit" / "monitors.yaml").read_text()
    (tmp_path / "monitors.yaml").write_text(text + (shipped_folder() / "monitors.yaml").read_text())
    specs, wrong = load_monitors(tmp_path, LIMITS)
    assert specs == load_monitors(None, LIMITS)[0]
    assert [str(error) for error in wrong] == [
        f"{tmp_path}/monitors.yaml:7:10: monitor 'heat': there is no limit 'heat_limit'; one of daily_loss_pct, "
        "drawdown_pct, orders_per_minute, errors_per_minute is expected"
    ]


def test_the_tree_in_the_documentation_is_in_order(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "runbooks.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "trees").mkdir()
    (tmp_path / "trees" / "quiet.yaml").write_text(example)
    report = lint(Library(tmp_path, LIMITS))
    assert ([document.id for document in report.own], report.found) == (["quiet"], ())


# --- the published schema -------------------------------------------------------------------------------------------


def documents(path: Path, kind_of: Path) -> Iterator[tuple[object, jsonschema.Draft202012Validator]]:
    kind = kind_at(path.relative_to(kind_of))
    assert kind is not None
    jsonschema.Draft202012Validator.check_schema(schema(kind))
    yield yaml.safe_load(path.read_bytes()), jsonschema.Draft202012Validator(schema(kind))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(shipped_folder())))
def test_ours_are_as_the_schema_says(path: Path) -> None:
    for document, validator in documents(path, shipped_folder()):
        assert [error.message for error in validator.iter_errors(document)] == []


def misread() -> Iterator[Path]:
    """The broken files that are YAML, and whose form is wrong."""
    for path in CASES:
        kind = kind_at(path.relative_to(BROKEN / case(path)))
        if kind and any("of " in error.why or "lacks" in error.why for error in read_file(path, kind).found):
            yield path


@pytest.mark.parametrize("path", misread(), ids=case)
def test_what_the_reader_refuses_the_schema_refuses_too(path: Path) -> None:
    for document, validator in documents(path, BROKEN / case(path)):
        assert not validator.is_valid(document)


def test_schemas_are_printed_by_kind(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", "--schema", "gate")
    assert (code, json.loads(out)) == (0, json.loads(json.dumps(schema(GATE))))
    code, out, _ = run(capsys, "check", "--schema")
    assert [line.split()[0] for line in out.splitlines()] == list(KINDS)
    code, _, err = run(capsys, "check", "--schema", "gates")
    assert (code, err) == (2, "andon: there is no kind 'gates' of runbook; did you mean 'gate'?\n")


# --- whatever a file holds ------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(SHIPPED),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.binary(max_size=6)), min_size=1, max_size=4),
)
def test_a_damaged_file_is_understood_or_refused_but_never_breaks_the_check(
    tmp_path: Path, path: Path, cuts: list[tuple[float, int, bytes]]
) -> None:
    data = path.read_bytes()
    for share, length, instead in cuts:
        at = int(share * len(data))
        data = data[:at] + instead + data[at + length :]
    own = tmp_path / "damaged" / path.relative_to(shipped_folder())
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_bytes(data)
    lines = data.count(b"\n") + data.count(b"\r") + 2
    for error in lint(Library(tmp_path / "damaged", LIMITS)).found:
        assert error.line >= 1
        assert error.column >= 1
        assert "\n" not in error.why
        assert error.path != own or error.line <= lines + data.decode("utf-8", "replace").count("\x85")
    own.unlink()
