"""The picture that is kept with an incident: drawn by a process without a terminal, from a state alone."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from console.desk.events import encode
from console.desk.state import fold_all
from tests.support import scenario
from tests.support.broker import ROOT


def pictured(out: Path, told: bytes) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "console.picture", str(out)]
    return subprocess.run(command, input=told, capture_output=True, cwd=ROOT, env={"NO_COLOR": "1"}, timeout=60)


def test_the_desk_and_the_verdict_are_drawn_without_a_terminal(tmp_path: Path) -> None:
    state = fold_all(scenario.partial().records)
    done = pictured(tmp_path / "screen", encode({"state": state, "ts": scenario.NOW}))
    assert (done.returncode, done.stderr) == (0, b"")
    text = (tmp_path / "screen.txt").read_text()
    assert "14:32:07Z" in text
    assert "P A R T I A L" in text
    svg = (tmp_path / "screen.svg").read_text()
    ElementTree.fromstring(svg)
    assert set(re.findall(r"https?://[^\"'\s)]+", svg)) == {"http://www.w3.org/2000/svg"}, "nothing is fetched"


def test_what_can_not_be_drawn_or_written_is_one_sentence(tmp_path: Path) -> None:
    done = pictured(tmp_path / "screen", b'{"ts": 1}')
    assert done.returncode == 1
    assert done.stderr.decode().startswith("andon: stdin holds no state with its moment")
    done = pictured(tmp_path / "no" / "screen", encode({"state": fold_all([]), "ts": scenario.NOW}))
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert "can not be written" in done.stderr.decode()
