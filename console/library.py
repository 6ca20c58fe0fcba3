"""The runbooks of a desk, by its desk.yaml."""

from pathlib import Path

from console.config import ConfigError, Limits, load
from console.runbooks.library import OWN_FOLDER, Library


def library_of(file: Path) -> Library:
    """Ours, and over them those beside desk.yaml, under its limits; under the usual ones where it can not be read."""
    try:
        limits = load(file).limits
    except ConfigError:
        limits = Limits()
    return Library(file.parent / OWN_FOLDER, limits.by_name)
