"""What runbook files are made of: the words that every kind of them shares. Pure.

A kind is one frozen struct, and that struct is all there is to know of its form: the reader, the linter and the
published JSON Schema go by its fields. The `description` of a type says what is expected where something else stands.
"""

import hashlib
import string
from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Base of everything that is read from a runbook file."""


def refers_to(kind: str) -> Meta:
    """The id of a document of that kind, which has to exist."""
    return Meta(pattern=ID, description=f"the id of a {kind}", extra={"refers_to": kind})


ID = r"^[a-z0-9]+(-[a-z0-9]+)*$"
Id = Annotated[str, Meta(pattern=ID, description="an id of small letters, digits and single dashes")]
Text = Annotated[str, Meta(pattern=r"\S", description="text")]
Template = Annotated[
    str,
    Meta(pattern=r"\S", description="text, in which {name} stands for a placeholder", extra={"template": True}),
]
Ref = Annotated[
    str,
    Meta(
        pattern=r"^[a-z-]+:\S.*$",
        description="a reference such as tree:no-fills or gate:DAILY D1",
        extra={"refers_to": None},
    ),
]
Refs = tuple[Ref, ...]
Texts = Annotated[tuple[Text, ...], Meta(min_length=1, description="a list of at least one text")]
Span = Annotated[
    str, Meta(pattern=r"^[1-9][0-9]* (s|min|h|d)$", description="a span of time such as 30 s, 5 min, 4 h or 90 d")
]
Percent = Annotated[int, Meta(ge=1, le=100, description="a whole number from 1 to 100")]
SeverityId = Annotated[
    Literal["P0", "P1", "P2", "P3"], Meta(description="one of P0, P1, P2, P3", extra={"refers_to": "severity"})
]
CadenceId = Annotated[
    Literal["PRE-LAUNCH", "DAILY", "WEEKLY", "MONTHLY", "QUARTERLY"],
    Meta(description="one of PRE-LAUNCH, DAILY, WEEKLY, MONTHLY, QUARTERLY", extra={"refers_to": "cadence"}),
]
GateId = Annotated[
    str,
    Meta(
        pattern=r"^(PRE-LAUNCH P|DAILY D|WEEKLY W|MONTHLY M|QUARTERLY Q)[1-9][0-9]*$",
        description="a cadence and its letter with a number, such as PRE-LAUNCH P1 or DAILY D4",
    ),
]
TreeId = Annotated[str, refers_to("tree")]
IncidentId = Annotated[str, refers_to("incident")]
MessageId = Annotated[str, refers_to("message")]
TierId = Annotated[str, refers_to("tier")]

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def seconds(span: str) -> int:
    """How long a `Span` is, in seconds."""
    number, unit = span.split(" ")
    return int(number) * _SECONDS[unit]


class Step(Spec, frozen=True):
    """One thing to do. `command` is a template of what to type; `see` is where it is written how."""

    do: Text
    command: Template | None = None
    see: Refs = ()


Steps = Annotated[tuple[Step, ...], Meta(min_length=1, description="a list of at least one step (`- do: …`)")]


class Fault(NamedTuple):
    """What is wrong within a document: the keys and indexes that lead to it, and a sentence."""

    path: tuple[str | int, ...]
    why: str


def version(spec: Spec) -> str:
    """What a document says, as 12 hex digits: the same however it is laid out and wherever it lies."""
    return hashlib.sha256(msgspec.json.encode(spec)).hexdigest()[:12]


def placeholders(template: str) -> Iterator[str]:
    """The names in braces, in order; `{{` and `}}` are braces. Raises ValueError for a brace that is neither."""
    expected = "{name} is expected, and {{ or }} for a brace itself"
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        raise ValueError(f"a brace has no partner; {expected}") from None
    for _, name, spec, conversion in parts:
        if name is not None:
            if spec or conversion or not name.isidentifier():
                raise ValueError(f"{{{name}}} is no placeholder; {expected}")
            yield name


def filled(template: str, values: dict[str, str]) -> str:
    """The template with its placeholders filled in; one without a value stays as it is."""
    return "".join(
        before + ("" if name is None else values.get(name, f"{{{name}}}"))
        for before, name, _, _ in string.Formatter().parse(template)
    )
