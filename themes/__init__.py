"""The console's themes: one YAML file each, ours beside this one and the user's in their configuration folder.

A theme is a flat table of colours, all of them required, so that no screen ever meets a missing one.
"""

import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import yaml
from textual.color import Color, ColorParseError
from textual.theme import Theme

DEFAULT = "dark"
STANDARD = ("background", "surface", "panel", "foreground", "primary", "accent", "success", "warning", "error")
OWN = ("muted", "line", "pale", "stale", "unknown", "cut")


class ThemeError(ValueError):
    """A theme file that can not be used; says which file, and what is wrong with it."""


def parse(text: str, name: str) -> Theme:
    """A theme from YAML. `name` is the file's, for the message. Raises ThemeError."""
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ThemeError(f"{name}: not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(told, dict):
        raise ThemeError(f"{name}: a table of colours is expected")
    colours = {str(key): value for key, value in told.items() if key not in ("name", "dark")}
    wrong = [*sorted(set(STANDARD + OWN) - colours.keys()), *sorted(colours.keys() - set(STANDARD + OWN))]
    if wrong:
        problem = "unknown" if wrong[0] in colours else "missing"
        raise ThemeError(f"{name}: {problem} {', '.join(wrong)}; expected are name, dark, {', '.join(STANDARD + OWN)}")
    for key, value in colours.items():
        try:
            Color.parse(str(value))
        except ColorParseError:
            raise ThemeError(f'{name}: {key}: {value!r} is no colour; "#rrggbb" is expected') from None
    if not isinstance(told.get("name"), str) or not isinstance(told.get("dark"), bool):
        raise ThemeError(f"{name}: name (text) and dark (true or false) are expected")
    return Theme(
        name=told["name"],
        dark=told["dark"],
        background=str(colours["background"]),
        surface=str(colours["surface"]),
        panel=str(colours["panel"]),
        foreground=str(colours["foreground"]),
        primary=str(colours["primary"]),
        accent=str(colours["accent"]),
        success=str(colours["success"]),
        warning=str(colours["warning"]),
        error=str(colours["error"]),
        variables=_variables(colours),
    )


def _variables(colours: dict[str, object]) -> dict[str, str]:
    """Our own tones, and Textual's where its own would not fit them."""
    own = {key: str(colours[key]) for key in OWN}
    return own | {
        "scrollbar": own["line"],
        "scrollbar-background": str(colours["background"]),
        "scrollbar-corner-color": str(colours["background"]),
        "input-cursor-text-style": "reverse",
    }


def shipped() -> tuple[Theme, ...]:
    """Our own themes, the default first. They are checked by the tests, so a fault in one is a fault of ours."""
    files = sorted(file.name for file in resources.files(__name__).iterdir() if file.name.endswith(".yaml"))
    themes = [parse(resources.files(__name__).joinpath(file).read_text("utf-8"), file) for file in files]
    return tuple(sorted(themes, key=lambda theme: theme.name != DEFAULT))


def of_user(folder: Path | None = None) -> Iterator[Theme | ThemeError]:
    """The user's themes, or what is wrong with each file that is not one."""
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for file in sorted((folder or base / "andon" / "themes").glob("*.yaml")):
        try:
            yield parse(file.read_text("utf-8"), str(file))
        except ThemeError as error:
            yield error
        except (OSError, UnicodeDecodeError) as error:
            yield ThemeError(f"{file}: can not be read: {error}")
