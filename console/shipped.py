"""Lists of specifications that are shipped as YAML in `runbooks`: monitors, triggers."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, TypeVar

from console.strict_yaml import YamlError, parse, plain


class Named(Protocol):
    @property
    def id(self) -> str: ...


S = TypeVar("S", bound=Named)


def shipped(
    name: str, what: str, spec_from: Callable[[Any, Mapping[str, Decimal]], S], limits: Mapping[str, Decimal]
) -> tuple[S, ...]:
    """Every entry of `runbooks/<name>` under the desk's limits; `what` is one of them, in a message. Raises YamlError
    with the entry's line for what `spec_from` refuses (ValueError) and for an id that stands twice."""
    file = resources.files("runbooks") / name
    path = Path(str(file))
    root = parse(file.read_text("utf-8"), path)
    specs: dict[str, S] = {}
    for entry in root.value if isinstance(root.value, list) else [root]:
        try:
            spec = spec_from(plain(entry), limits)
        except ValueError as error:
            raise YamlError(path, entry.line, str(error)) from None
        if spec.id in specs:
            raise YamlError(path, entry.line, f"a second {what} is named {spec.id!r}; expected once")
        specs[spec.id] = spec
    return tuple(specs.values())
