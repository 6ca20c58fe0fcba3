"""Checks answers against the broker's own OpenAPI 3.0 descriptions.

The descriptions are not part of this repository; where they are absent the tests that need them skip. They contradict
themselves in a few places. Those are listed here, each with its reason, and nothing else is left out.
"""

import json
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

SPECS = Path(__file__).resolve().parents[3] / "shared" / "specs"
FILES = ("alpaca-trading-api.json", "alpaca-market-data-api.json")

ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "integer"}, "message": {"type": "string", "minLength": 1}},
}

# The answer's schema says `oneOf` a trading and a non-trading activity; neither has a required field, so that every
# fill is both and none can ever validate. It is held against the trading activity alone.
ACTIVITIES_OF_TYPE = ("GET", "/v2/account/activities/{activity_type}")

# The body of an item of a bulk close is described as an order, also where the item says that there is none. Items that
# failed are held against the error's schema, as the official client demands.
BULK_CLOSE = ("DELETE", "/v2/positions")

formats = FormatChecker(formats=())


@formats.checks("uuid", raises=ValueError)
def is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(UUID(value)) == value


@formats.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    """RFC 3339, which wants an offset and a T."""
    if not isinstance(value, str):
        return True
    return "T" in value and datetime.fromisoformat(value).tzinfo is not None


@formats.checks("date", raises=ValueError)
def is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


@formats.checks("decimal")
def is_decimal(value: object) -> bool:
    return not isinstance(value, str) or bool(re.fullmatch(r"-?\d+(\.\d+)?", value))


def as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` as JSON Schema says it."""
    if isinstance(node, list):
        return [as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    converted = {key: as_json_schema(value) for key, value in node.items() if key not in ("example", "examples")}
    if node.get("nullable") is True and "type" in node:
        converted["type"] = [node["type"], "null"]
        if "enum" in node:
            converted["enum"] = [*node["enum"], None]
    return converted


class Description:
    """One OpenAPI file."""

    def __init__(self, path: Path) -> None:
        self.uri = f"urn:{path.stem}"
        self.document = as_json_schema(json.loads(path.read_text()))
        self.registry: Registry[Any] = Registry().with_resource(self.uri, DRAFT202012.create_resource(self.document))
        self.templates = [(self._pattern(template), template) for template in self.document["paths"]]
        # The most literal template wins.
        self.templates.sort(key=lambda item: item[1].count("{"))

    @staticmethod
    def _pattern(template: str) -> re.Pattern[str]:
        parts = re.split(r"\{[^}]+\}", template)
        return re.compile("[^/:]+".join(re.escape(part) for part in parts) + "$")

    def template(self, path: str) -> str | None:
        return next((template for pattern, template in self.templates if pattern.match(path)), None)

    def schema(self, method: str, template: str, status: int) -> Any:
        """What an answer must be: a schema, None for no content. Success that is not described is an error."""
        responses = self.document["paths"][template][method.lower()]["responses"]
        described = responses.get(str(status))
        if status >= 400:
            return ERROR  # the error statuses are mostly left out, or have no schema
        if described is None:
            raise AssertionError(f"{method} {template} answered {status}; described are {', '.join(responses)}")
        if (method, template) == ACTIVITIES_OF_TYPE:
            return {"type": "array", "items": {"$ref": f"{self.uri}#/components/schemas/TradingActivities"}}
        content = described.get("content")
        return self._absolute(content["application/json"]["schema"]) if content else None

    def _absolute(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._absolute(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {key: f"{self.uri}{value}" if key == "$ref" else self._absolute(value) for key, value in node.items()}

    def check(self, method: str, template: str, status: int, body: Any) -> None:
        where = f"{method} {template} {status}"
        schema = self.schema(method, template, status)
        if schema is None:
            assert body is None, f"{where}: a body where none is described: {body!r}"
            return
        if (method, template) == BULK_CLOSE and status == 207:
            for item in body:
                if item["status"] >= 400:
                    self._validate(ERROR, item.pop("body"), where)
        self._validate(schema, body, where)

    def _validate(self, schema: Any, body: Any, where: str) -> None:
        validator = Draft202012Validator(schema, registry=self.registry, format_checker=formats)
        errors = [f"{where} {error.json_path}: {error.message[:300]}" for error in validator.iter_errors(body)]
        assert not errors, "\n".join(errors[:5])


class Descriptions:
    """Both descriptions, and a note of everything that was checked."""

    def __init__(self) -> None:
        self._files = [Description(SPECS / name) for name in FILES]
        self.checked: set[tuple[str, str, int]] = set()

    def check(self, method: str, url: str, status: int, text: str | bytes) -> None:
        """Holds one answer against its description."""
        path = urlsplit(url).path
        for description in self._files:
            template = description.template(path)
            if template is not None and method.lower() in description.document["paths"][template]:
                description.check(method, template, status, json.loads(text) if text else None)
                self.checked.add((method, template, status))
                return
        raise AssertionError(f"{method} {path} is not described")


def descriptions() -> Descriptions:
    """Skips the test where the descriptions are absent."""
    missing = [name for name in FILES if not (SPECS / name).is_file()]
    if missing:
        pytest.skip(f"the broker's API description {missing[0]} is not beside this repository")
    return Descriptions()
