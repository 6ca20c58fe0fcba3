"""The runbooks of a desk, by its desk.yaml."""

from pathlib import Path
from typing import TYPE_CHECKING

from console.config import ConfigError, Limits, load

if TYPE_CHECKING:
    from console.runbooks.library import Library


def library_of(file: Path) -> "Library":
    """Ours, and over them those beside desk.yaml, under its limits; under the usual ones where it can not be read. What
    reads YAML is imported when somebody asks for it: the console opens without."""
    from console.runbooks.library import OWN_FOLDER, Library

    try:
        limits = load(file).limits
    except ConfigError:
        limits = Limits()
    return Library(file.parent / OWN_FOLDER, limits.by_name)
