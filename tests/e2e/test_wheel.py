"""The wheel in an empty environment: everything that Andon is lies in it, and its command runs from anywhere."""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("wheel")]

ROOT = Path(__file__).parents[2]
PACKAGES = ("console", "widgets", "adapters", "themes", "runbooks")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="andon-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    [built] = folder.glob("andon-*.whl")
    return built


@pytest.fixture(scope="module")
def andon(folder: Path, wheel: Path) -> Path:
    """The command in an environment that holds the wheel and its pinned dependencies, and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    [site] = (folder / "venv" / "lib").glob("python3.*/site-packages")
    for each in pinned(ROOT / "requirements" / "run.txt"):
        link(each, site)
    pip("--python", folder / "venv" / "bin" / "python", "install", "--no-index", "--no-deps", wheel)
    return folder / "venv" / "bin" / "andon"


def pinned(file: Path) -> Iterator[Requirement]:
    """What the file asks of this interpreter."""
    for line in file.read_text().splitlines():
        if line[:1].isalnum() and ((each := Requirement(line.rstrip(" \\"))).marker is None or each.marker.evaluate()):
            yield each


def link(asked: Requirement, site: Path) -> None:
    """Let `site` have a package as it lies in our own environment, where its hash was checked as it was installed."""
    package = distribution(asked.name)
    assert package.version in asked.specifier, f"{package.name} {package.version} is installed, {asked} is pinned"
    for top in {path.parts[0] for path in package.files or ()} - {"..", "__pycache__"}:
        (site / top).symlink_to(package.locate_file(top))


def pip(*words: "str | Path") -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run(command: Path, *words: str, cwd: Path, home: Path, traced: bool = False) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "XDG_STATE_HOME": str(home)}
    for name in ("ANDON_DESK", "PYTHONPATH", "VIRTUAL_ENV"):
        environment.pop(name, None)
    shell = ["sh", "-x"] if traced else []
    return subprocess.run(
        [*shell, command, *words], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


@pytest.fixture
def empty(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


def test_the_wheel_holds_every_file_of_its_packages(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True)
    expected = set(listed.stdout.split("\n")) - {""}
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in expected if (ROOT / name).exists()} <= held
    assert {Path(name).suffix for name in held} >= {".py", ".yaml", ".tcss", ".typed", ".sh", ".service"}
    assert {name.split("/")[0] for name in held if ".d" not in name.split("/")[0]} == set(PACKAGES)


def test_the_command_says_where_everything_lies(andon: Path, folder: Path, empty: Path) -> None:
    done = run(andon, "info", "--json", cwd=empty, home=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(folder / "venv") in json.loads(done.stdout)["program"]


def test_the_demo_runs_from_the_wheel(andon: Path, folder: Path, empty: Path) -> None:
    done = run(andon, "demo", "--headless", "--seconds", "10", "--json", cwd=empty, home=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["gate"] == "OPEN"
    assert sum(row["sent"] for row in told["orders"].values()) > 0
    assert list(empty.iterdir()) == []


def test_a_folder_named_like_ours_does_not_become_the_program(andon: Path, folder: Path, empty: Path) -> None:
    (empty / "console").mkdir()
    (empty / "console" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    assert run(andon, "--version", cwd=empty, home=folder).returncode == 0


def test_the_command_works_through_symlinks(andon: Path, folder: Path, empty: Path) -> None:
    (empty / "a").symlink_to(andon)
    (empty / "b").symlink_to("a")
    assert run(empty / "b", "--version", cwd=empty, home=folder).stdout.startswith("andon ")


def test_kill_starts_the_one_file_it_needs(andon: Path, folder: Path, empty: Path) -> None:
    done = run(andon, "kill", "--help", cwd=empty, home=folder, traced=True)
    assert done.returncode == 0
    assert "usage: andon kill" in done.stdout
    assert "-IS" in done.stderr
    assert "-m console" not in done.stderr


def test_an_editable_install_finds_the_same_file(folder: Path, empty: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "editable"], check=True)
    command = folder / "editable" / "bin" / "andon"
    command.write_bytes((ROOT / "console" / "andon.sh").read_bytes())
    command.chmod(0o755)
    [site] = (folder / "editable" / "lib").glob("python3.*/site-packages")
    (site / "_andon.pth").write_text(str(ROOT))
    done = run(command, "kill", "--help", cwd=empty, home=folder, traced=True)
    assert done.returncode == 0
    assert f"-IS {ROOT}/console/cord/kill.py" in done.stderr
