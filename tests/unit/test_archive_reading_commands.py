"""`andon archive list`, `show`, `query`, `reindex` and `drill`: on a desk, and with files alone where there is none."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.archives import Made, make_archive

from console.cli import main
from console.desk.events import RestoreDrilled
from console.evidence import journal

ROOT = Path(__file__).parents[2]
ONE, OTHER = "INC-2026-0001", "INC-2026-0002"
OFFLINE = """
import socket, sys
def refused(*words): raise AssertionError(f"the network was asked: {words}")
socket.socket.connect = socket.socket.bind = socket.getaddrinfo = refused
from console.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_archive(tmp_path_factory.mktemp("kept") / "archive", incidents=2, events=80, seals=2)


@pytest.fixture
def archive(kept: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive of a desk without a guard."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    desk = tmp_path / "andon" / "demo"
    shutil.copytree(kept.folder, desk / "archive")
    (desk / "desk.yaml").write_text(f"desk: demo\nmode: simulated\nstate: {desk}\n")
    shutil.copy2(kept.folder.parent / "signing.pub", desk / "signing.pub")
    kept.write_journal(desk / "journal")
    return desk / "archive"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["archive", *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code, out, _ = run(capsys, *words, "--json")
    assert code == 0
    return json.loads(out)


def test_incidents_are_found_by_what_they_were_about(capsys: pytest.CaptureFixture[str], archive: Path) -> None:
    _, out, _ = run(capsys, "list")
    assert [line.split("  ")[:3] for line in out.splitlines()] == [
        [OTHER, "P1", "runaway-orders"],
        [ONE, "P0", "broker-outage"],
    ]
    for words, found in (
        (["--class", "broker-outage"], [ONE]),
        (["--severity", "P1"], [OTHER]),
        (["--since", "2026-03-16", "--until", "2026-03-16"], [OTHER, ONE]),
        (["--until", "2026-03-15"], []),
        (["--symbol", "nvda"], [OTHER, ONE]),
        (["--symbol", "TSLA"], []),
        (["--text", "Silent 2"], [OTHER]),
    ):
        assert [each["id"] for each in told(capsys, "list", *words)["incidents"]] == found
        assert run(capsys, "reindex")[0] == 0
    assert run(capsys, "list", "--symbol", "TSLA")[1] == "no incident is like that\n"


def test_an_incident_is_shown_whole_and_by_its_items(capsys: pytest.CaptureFixture[str], archive: Path) -> None:
    code, out, _ = run(capsys, "show", ONE, "--timeline")
    assert code == 0
    for words in ("P0 broker-outage  acks silent 1", "002-fills.parquet", "closed “the broker was down” by ana"):
        assert words in out
    shown = told(capsys, "show", ONE)
    assert {each["item"] for each in shown["sealed"]} >= {"records", "screen"}
    rows = told(capsys, "show", ONE, "--item", "positions", "--filter", "broker msft", "--sort=-qty", "--limit", "2")
    held = [dict(zip((column["name"] for column in rows["columns"]), row, strict=True)) for row in rows["rows"]]
    qtys = [float(row["qty"]) for row in held]
    assert (len(qtys), qtys) == (2, sorted(qtys, reverse=True))
    assert {(row["side"], row["symbol"]) for row in held} == {("broker", "MSFT")}
    assert run(capsys, "show", ONE, "--item", "001-screen.txt")[1].startswith(" ANDON  demo")
    code, _, err = run(capsys, "show", str(archive / ONE), "--item", "fills", "--limit", "1")
    assert (code, "more: --limit" in err) == (0, True)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["show", "INC-2026-0099"], "there is no incident INC-2026-0099"),
        (["show", ONE, "--item", "nope"], "there is no item 'nope' in INC-2026-0001; there are records"),
        (["show", ONE, "--item", "fills", "--sort", "x"], "there is no column 'x'; there are ts"),
        (["show", ONE, "--filter", "x"], "--item NAME names whose"),
        (["verify", "--key", ""], "an empty key is nobody's"),
        (["list", "/nowhere"], "/nowhere: there is no such folder"),
        (["query", "SELECT nope FROM fills"], "line 1, column 8: Referenced column"),
        (["query", "DELETE FROM fills"], "DELETE is refused"),
        (["reindex", "/nowhere"], "/nowhere: there is no such folder"),
    ],
)
def test_what_is_asked_wrongly_is_one_sentence(
    capsys: pytest.CaptureFixture[str], archive: Path, words: list[str], why: str
) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert why in err


def test_a_query_answers_people_programs_and_spreadsheets(capsys: pytest.CaptureFixture[str], archive: Path) -> None:
    sql = "SELECT incident, ts, price, null AS none FROM fills ORDER BY ts"
    asked = told(capsys, "query", sql, "--limit", "2")
    assert ([each["kind"] for each in asked["columns"]], asked["more"]) == (["text", "time", "number", "text"], True)
    first = asked["rows"][0]
    assert (first[0], len(first[1]), first[1][-1], type(first[2]), first[3]) == (ONE, 30, "Z", str, None)
    _, out, err = run(capsys, "query", sql, "--csv", "--limit", "2")
    assert next(csv.reader(io.StringIO(out.splitlines()[1]))) == [*first[:3], ""]
    assert "more than 2 rows" in err
    assert run(capsys, "query", "SELECT count(DISTINCT incident) AS n FROM fills", "--without", ONE)[1] == "n\n1\n"


def test_what_is_broken_is_named_and_fails(capsys: pytest.CaptureFixture[str], archive: Path) -> None:
    (archive / ONE / "001-fills.parquet").unlink()
    (archive / OTHER / "manifest.jsonl").unlink()
    code, out, err = run(capsys, "list")
    assert (code, out.split("  ")[0], f"{OTHER}/manifest.jsonl" in err) == (1, ONE, True)
    for words in (["query", "FROM fills"], ["show", ONE, "--item", "fills"]):
        code, _, err = run(capsys, *words)
        assert (code, "001-fills.parquet" in err) == (1, True)


def test_a_restore_drill_is_filed_and_journaled(capsys: pytest.CaptureFixture[str], archive: Path) -> None:
    state = archive.parent
    code, out, _ = run(capsys, "drill", "--seed", "2")
    assert (code, out.splitlines()[0].endswith("PASSED")) == (0, True)
    path = archive / out.split()[3].rstrip(":") / "002-records.parquet"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    failed = run(capsys, "drill", "--seed", "2", "--json")
    told = json.loads(failed[1])
    assert (failed[0], told["passed"], told["seed"]) == (1, False, 2)
    assert path.name in told["missed"][0]
    done = [record.event for record in journal.read_file(state / "journal" / "restore.jsonl")]
    assert all(isinstance(each, RestoreDrilled) for each in done)
    assert [(each.passed, each.incident) for each in done if isinstance(each, RestoreDrilled)] == [
        (True, path.parent.name),
        (False, path.parent.name),
    ]
    text = Path(told["report"]).with_suffix(".txt").read_text()
    assert f"MISSED    {path.name}" in text


def test_files_alone_are_enough_on_a_machine_that_knows_nothing(kept: Made, tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    shutil.copytree(kept.folder, here)
    for words, code, said in (
        (["list", "."], 0, f"{OTHER}  P1"),
        (["show", ONE, "--timeline"], 0, "VERIFIED sim1"),
        (["query", "SELECT count(*) FROM records", "."], 0, "count_star()"),
        (["verify", "."], 4, "consistent, signer not known"),
        (["drill", "."], 0, "nowhere: there is no desk here"),
    ):
        command = [sys.executable, "-c", OFFLINE, "archive", *words]
        environment = {"HOME": str(home), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=here, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (code, "")
        assert said in done.stdout
    assert not list(home.rglob("*"))
    assert sorted(path.name for path in here.iterdir()) == [ONE, OTHER]
