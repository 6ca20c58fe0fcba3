"""One registry of actions, three themes that hold, and imports that stay small."""

import subprocess
import sys
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import Theme

import themes
from console.actions import ACTIONS, BY_ID, bindings, key_at
from console.app import AndonApp
from tests.support import scenario
from tests.support.broker import ROOT


@pytest.mark.parametrize("room", [action.room for action in ACTIONS if action.room])
def test_every_key_means_one_thing_in_every_room(room: str) -> None:
    own = [key for action in ACTIONS if action.at == room for key in action.keys]
    everywhere = [key for action in ACTIONS if not action.at for key in action.keys]
    assert len(own) == len(set(own))
    assert len(everywhere) == len(set(everywhere))
    for action in ACTIONS:
        if not action.at:
            left = {"question_mark": "?", "slash": "/", "ctrl+p": "^P"}
            keys = {left.get(key, key) for key in action.keys if key not in own}
            assert key_at(action, room) in keys, "what a room takes for itself has another key there, and that is shown"


def test_every_action_is_bound_once() -> None:
    assert len(BY_ID) == len(ACTIONS)
    rooms = {action.at for action in ACTIONS}
    assert sum(len(bindings(room)) for room in rooms) == len(ACTIONS)


def test_the_cord_is_the_one_dangerous_action_and_above_all() -> None:
    [cord] = [action for action in ACTIONS if action.dangerous]
    assert cord.keys == ("K", "shift+k", "f10")
    assert cord.priority


async def test_no_keymap_takes_the_cords_keys_away() -> None:
    app = AndonApp(scenario.FakeSource(scenario.calm().updates), scenario.RecordingCord(), clock=lambda: scenario.NOW)
    async with app.run_test() as pilot:
        app.set_keymap({"cord": "x", "act('cord')": "x", "KILL": "x"})
        await pilot.press("K")
        assert type(app.screen).__name__ == "CordScreen"


async def test_a_disabled_action_says_why() -> None:
    app = AndonApp(scenario.FakeSource(scenario.calm().updates), scenario.RecordingCord(), clock=lambda: scenario.NOW)
    async with app.run_test(notifications=True) as pilot:
        await pilot.press("3", "v")
        said = {toast.message for toast in app._notifications}
        assert said == {"not in this version yet", "the cord has not been pulled"}


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
            for part in Color.parse(colour).normalized
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", themes.shipped(), ids=lambda theme: theme.name)
def test_every_tone_can_be_read_on_its_ground(theme: Theme) -> None:
    ground = theme.background or ""
    tones = {
        "foreground": theme.foreground,
        "primary": theme.primary,
        "success": theme.success,
        "warning": theme.warning,
        "error": theme.error,
        **{name: theme.variables[name] for name in ("muted", "stale", "unknown", "cut")},
    }
    poor = {name: round(_contrast(str(tone), ground), 1) for name, tone in tones.items()}
    assert {name: ratio for name, ratio in poor.items() if ratio < 4.5} == {}


def test_the_three_themes_are_there_and_dark_comes_first() -> None:
    assert [theme.name for theme in themes.shipped()] == ["dark", "high-contrast", "light"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a list", "a table of colours is expected"),
        ("name: [", "not YAML"),
        ("name: mine\ndark: true\nbackground: '#000'", "missing"),
    ],
)
def test_a_broken_theme_is_refused_with_its_file(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    [error] = themes.of_user(tmp_path)
    assert isinstance(error, themes.ThemeError)
    assert says in str(error)
    assert "mine.yaml" in str(error)


async def test_a_broken_theme_of_the_user_falls_back_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "andon" / "themes"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("nonsense")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    app = AndonApp(scenario.FakeSource([]), scenario.RecordingCord(), clock=lambda: scenario.NOW, theme="mine")
    async with app.run_test(notifications=True) as pilot:
        await pilot.pause()
        said = " ".join(toast.message for toast in app._notifications)
        assert app.theme == "dark"
        assert "mine.yaml" in said
        assert "there is no theme mine" in said


def test_opening_the_console_imports_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, console.app, console.screens.desk, console.screens.cord;"
        "print([name for name in ('duckdb', 'pyarrow', 'aiohttp', 'pandas', 'numpy') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_guards_client_and_the_cords_hand_stay_light_too() -> None:
    code = (
        "import sys, console.guard.client, console.cord.puller;"
        "print([name for name in ('duckdb', 'pyarrow', 'aiohttp', 'textual') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
