"""Every screen, drawn at a known moment at both sizes, calm and burning, and compared with the accepted drawing."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from console.desk.archive import Archives
from tests.pictures import PICTURES, SIZES, Clock, Picture, opened, posed
from tests.support import evidence, scenario

Compare = Callable[..., bool]
BY_NAME = {picture.name: picture for picture in PICTURES}


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")


def drawn(
    compare: Compare, picture: Picture, size: tuple[int, int], archives: Archives | None = None, **options: Any
) -> bool:
    clock = Clock()
    app = opened(picture, clock, archives, **options)
    return compare(app, terminal_size=size, run_before=partial(posed, picture, clock))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("picture", [each for each in PICTURES if not each.archived], ids=lambda picture: picture.name)
def test_a_screen_looks_as_accepted(snap_compare: Compare, picture: Picture, size: str) -> None:
    assert drawn(snap_compare, picture, SIZES[size])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an archive in it."""
    folder = tmp_path_factory.mktemp("home")
    evidence.shelf_folder(folder)
    return folder


@pytest.mark.xdist_group("archive")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("picture", [each for each in PICTURES if each.archived], ids=lambda picture: picture.name)
def test_a_screen_of_an_archive_looks_as_accepted(
    snap_compare: Compare, home: Path, monkeypatch: pytest.MonkeyPatch, picture: Picture, size: str
) -> None:
    monkeypatch.setenv("HOME", str(home))
    assert drawn(snap_compare, picture, SIZES[size], evidence.archives(home / "evidence"))


@pytest.mark.xdist_group("archive")
@pytest.mark.parametrize("name", ["archive-incident", "archive-desk"])
def test_an_archive_without_colour(
    snap_compare: Compare, home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_COLOR", "1")
    assert drawn(snap_compare, BY_NAME[name], SIZES["80x24"], evidence.archives(home / "evidence"))


@pytest.mark.xdist_group("archive")
def test_an_archived_desk_on_a_terminal_that_is_too_small(
    snap_compare: Compare, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    assert drawn(snap_compare, BY_NAME["archive-desk"], (60, 20), evidence.archives(home / "evidence"))


@pytest.mark.parametrize("theme", ["light", "high-contrast"])
def test_the_desk_in_another_theme(snap_compare: Compare, theme: str) -> None:
    assert drawn(snap_compare, BY_NAME["desk-burning"], SIZES["80x24"], theme=theme)


def test_the_overlay_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert drawn(snap_compare, BY_NAME["cord"], SIZES["80x24"])


def test_the_desk_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert drawn(snap_compare, BY_NAME["desk-halted"], SIZES["80x24"])


@pytest.mark.parametrize("name", ["recovery-kill", "runbooks-run", "cadence"])
def test_a_room_of_the_runbooks_without_colour(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert drawn(snap_compare, BY_NAME[name], SIZES["80x24"])


def test_a_walk_on_a_console_that_is_read_only(snap_compare: Compare) -> None:
    assert drawn(snap_compare, BY_NAME["recovery-kill"], SIZES["80x24"], read_only=True)


def test_help_in_the_middle_of_a_run(snap_compare: Compare) -> None:
    running = BY_NAME["runbooks-run"]
    picture = running._replace(press=(*running.press, "question_mark"))
    assert drawn(snap_compare, picture, SIZES["80x24"])


def test_a_live_desk_that_is_read_only(snap_compare: Compare) -> None:
    picture = Picture("live", lambda: scenario.calm("live").updates)
    assert drawn(snap_compare, picture, SIZES["80x24"], read_only=True)


def test_a_terminal_that_is_too_small(snap_compare: Compare) -> None:
    assert drawn(snap_compare, BY_NAME["desk-calm"], (60, 20))


def test_a_pull_on_a_terminal_that_is_too_small(snap_compare: Compare) -> None:
    assert drawn(snap_compare, BY_NAME["desk-venue-halted"], (60, 20))


def test_the_overlay_on_a_terminal_that_is_too_small(snap_compare: Compare) -> None:
    assert drawn(snap_compare, BY_NAME["cord"], (60, 20))


def test_a_console_that_has_heard_nothing(snap_compare: Compare) -> None:
    assert drawn(snap_compare, Picture("nothing", list), SIZES["80x24"])
