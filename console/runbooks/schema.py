"""The form of a kind of file as JSON Schema (2020-12), for editors: the struct's own, but for what YAML differs in."""

from typing import Any

import msgspec

from console.desk.runbook import Spec
from console.runbooks.kinds import Kind


def schema(kind: Kind[Spec]) -> dict[str, Any]:
    """The JSON Schema of a file of that kind."""
    form = list[kind.spec] if kind.listed else kind.spec  # type: ignore[name-defined]
    title = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"Andon: {kind.place}"}
    made: dict[str, Any] = _as_written(msgspec.json.schema(form))
    return {**title, **made}


def _as_written(part: Any) -> Any:
    """A key that may be absent is never null, a decimal is written as a number, and a description is one line."""
    if isinstance(part, list):
        return [_as_written(each) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("format") == "decimal":
        return {**{key: value for key, value in part.items() if key != "format"}, "type": "number"}
    made = {key: _as_written(value) for key, value in part.items() if (key, value) != ("default", None)}
    if isinstance(made.get("description"), str):
        made["description"] = " ".join(made["description"].split())
    kinds = [each for each in made.get("anyOf", []) if each != {"type": "null"}]
    if len(kinds) == 1:
        return {**{key: value for key, value in made.items() if key != "anyOf"}, **kinds[0]}
    return made
