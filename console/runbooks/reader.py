"""From YAML to a struct, by the struct's own definition, so that form and reader can not say different things.

Unlike a converter that stops at the first mistake it tells all of them, each with its place.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import inspect

from console.strict_yaml import Node, YamlError, meant, told

LARGEST = 10**15
_NOTHING = object()


@dataclass(slots=True)
class Reader:
    """Reads nodes of one file. `found` is what was wrong; `references` are (kind, id, where), the kind "" where the id
    names it itself; `templates` are texts with placeholders."""

    path: Path
    found: list[YamlError] = field(default_factory=list)
    references: list[tuple[str, str, Node]] = field(default_factory=list)
    templates: list[tuple[str, Node]] = field(default_factory=list)

    def read(self, node: Node, kind: inspect.Type, what: str) -> Any:
        """The value, or None after something was found. `what` names it in a message."""
        value = self._value(node, kind, what, "")
        return None if value is _NOTHING else value

    def refuse(self, node: Node, why: str, *, at_key: bool = False) -> None:
        self.found.append(YamlError(self.path, node.line, (at_key and node.key_column) or node.column, why))

    # --- by type --------------------------------------------------------------------------------------------------

    def _value(self, node: Node, kind: inspect.Type, what: str, expected: str) -> Any:
        match kind:
            case inspect.Metadata():
                return self._described(node, kind, what)
            case inspect.UnionType():
                return self._either(node, kind, what, expected)
            case inspect.StructType():
                return self._struct(node, kind, what)
            case inspect.VarTupleType():
                return self._list(node, kind, what, expected)
            case inspect.DictType():
                return self._mapping(node, kind, what)
        fits, value, usual = _scalar(node, kind)
        if fits:
            return value
        return self._unexpected(node, what, expected or usual)

    def _described(self, node: Node, kind: inspect.Metadata, what: str) -> Any:
        expected = (kind.extra_json_schema or {}).get("description", "")
        value = self._value(node, kind.type, what, expected)
        extra = kind.extra or {}
        if value is not _NOTHING and "refers_to" in extra:
            self.references.append((extra["refers_to"] or "", value, node))
        if value is not _NOTHING and "template" in extra:
            self.templates.append((value, node))
        return value

    def _either(self, node: Node, kind: inspect.UnionType, what: str, expected: str) -> Any:
        """An optional value, absent rather than empty, or one of several structs that are told by their tag."""
        kinds = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
        if len(kinds) == 1:
            return self._value(node, kinds[0], what, expected)
        structs = {str(each.tag): each for each in kinds if isinstance(each, inspect.StructType)}
        tag_field = next(iter(structs.values())).tag_field or ""
        if not isinstance(node.value, dict):
            return self._unexpected(node, what, f"a mapping with {tag_field!r}")
        tag = node.value.get(tag_field)
        if tag is None:
            return self._lacks(node, what, tag_field, f"one of {', '.join(structs)}")
        if tag.value not in structs:
            return self._unexpected(tag, f"{tag_field!r} of {what}", meant(str(tag.value), structs), asks=True)
        return self._struct(node, structs[str(tag.value)], what)

    def _struct(self, node: Node, kind: inspect.StructType, what: str) -> Any:
        if not isinstance(node.value, dict):
            return self._unexpected(node, what, "a mapping (key: value)")
        before = len(self.found)
        fields = {each.encode_name: each for each in kind.fields}
        for key, inner in node.value.items():
            if key not in fields and key != kind.tag_field:
                self.refuse(inner, f"{what} has no key {key!r}; {meant(key, fields)}", at_key=True)
        values = {}
        for key, each in fields.items():
            if key in node.value:
                values[each.name] = self._value(node.value[key], each.type, f"{key!r} of {what}", "")
            elif each.required:
                self._lacks(node, what, key, _usual(each.type))
        if len(self.found) > before:
            return _NOTHING
        try:
            return kind.cls(**values)
        except ValueError as error:
            self.refuse(node, f"{what}: {error}")
            return _NOTHING

    def _list(self, node: Node, kind: inspect.VarTupleType, what: str, expected: str) -> Any:
        if not isinstance(node.value, list) or len(node.value) < (kind.min_length or 0):
            return self._unexpected(node, what, expected or "a list (lines that begin with a dash)")
        each = [self._value(item, kind.item_type, f"entry {n} of {what}", "") for n, item in enumerate(node.value, 1)]
        return _NOTHING if any(item is _NOTHING for item in each) else tuple(each)

    def _mapping(self, node: Node, kind: inspect.DictType, what: str) -> Any:
        if not isinstance(node.value, dict) or len(node.value) < (kind.min_length or 0):
            return self._unexpected(node, what, "a mapping (name: …) with at least one name")
        found: dict[str, Any] = {}
        for key, inner in node.value.items():
            name = Node(key, inner.line, inner.key_column)
            found[key] = self._value(inner, kind.value_type, f"{key!r} of {what}", "")
            if self._value(name, kind.key_type, f"the name {key!r} in {what}", "") is _NOTHING:
                found[key] = _NOTHING
        return _NOTHING if any(value is _NOTHING for value in found.values()) else found

    # --- what is wrong --------------------------------------------------------------------------------------------

    def _unexpected(self, node: Node, what: str, expected: str, *, asks: bool = False) -> Any:
        self.refuse(node, f"{what} is {told(node)}; {expected}{'' if asks else ' is expected'}")
        return _NOTHING

    def _lacks(self, node: Node, what: str, key: str, expected: str) -> Any:
        self.refuse(node, f"{what} lacks {key!r}; {expected} is expected", at_key=True)
        return _NOTHING


def _scalar(node: Node, kind: inspect.Type) -> tuple[bool, Any, str]:
    """Whether a scalar fits its type, its value then, and what is expected otherwise."""
    value = node.value
    match kind:
        case inspect.StrType():
            fits = isinstance(value, str) and (not kind.pattern or re.search(kind.pattern, value) is not None)
            return fits, value, "text"
        case inspect.BoolType():
            return isinstance(value, bool), value, "true or false"
        case inspect.IntType():
            return isinstance(value, int) and _number(value, kind), value, "a whole number"
        case inspect.FloatType():
            return _number(value, kind), float(str(value)) if _number(value, kind) else 0.0, "a number"
        case inspect.DecimalType():
            return _number(value), Decimal(str(value)) if _number(value) else None, "a number"
        case inspect.LiteralType():
            choices = [str(each) for each in kind.values]
            return value in kind.values and not isinstance(value, bool), value, f"one of {', '.join(choices)}"
        case inspect.EnumType():
            choices = [str(each.value) for each in kind.cls]
            fits = isinstance(value, str) and value in choices
            return fits, kind.cls(value) if fits else None, f"one of {', '.join(choices)}"
    raise NotImplementedError(f"no reader for {kind}")


def _number(value: object, kind: inspect.IntType | inspect.FloatType | None = None) -> bool:
    """Whether a value is a number, and within the bounds of its type."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    number = Decimal(value)
    return abs(number) < LARGEST and (
        kind is None
        or (
            (kind.ge is None or number >= kind.ge)
            and (kind.gt is None or number > kind.gt)
            and (kind.le is None or number <= kind.le)
            and (kind.lt is None or number < kind.lt)
        )
    )


def _usual(kind: inspect.Type) -> str:
    """What is expected where nothing stands."""
    match kind:
        case inspect.Metadata():
            described = (kind.extra_json_schema or {}).get("description")
            return str(described) if described else _usual(kind.type)
        case inspect.VarTupleType():
            return "a list"
        case inspect.DictType() | inspect.StructType() | inspect.UnionType():
            return "a mapping"
    return _scalar(Node(None, 1), kind)[2]


def at(node: Node, path: tuple[str | int, ...]) -> Node:
    """The node that keys and indexes lead to, or the last one on the way there."""
    for step in path:
        inner = node.value
        if isinstance(inner, dict) and step in inner:
            node = inner[str(step)]
        elif isinstance(inner, list) and isinstance(step, int) and step < len(inner):
            node = inner[step]
    return node
