"""What a desk has agreed on before anything goes wrong: severities, who is told, what is counted and written. Pure."""

from typing import Annotated, Literal

from msgspec import Meta

from console.desk.runbook import CadenceId, Id, Refs, SeverityId, Span, Spec, Template, Text, Texts

Within = Annotated[
    str,
    Meta(
        pattern=r"^([1-9][0-9]* (s|min|h|d)|next business day)$",
        description="a span of time such as 5 min, or `next business day`,",
    ),
]


class Severity(Spec, frozen=True):
    """One step of the one scale. `size` is the percent of the normal size that is left, absent where it is not touched;
    `also_called` are names that other handbooks have for it."""

    id: SeverityId
    title: Text
    policy: Text
    respond_within: Within
    examples: Texts
    postmortem: Literal["full", "short"]
    postmortem_within: Span | None = None
    size: Annotated[int, Meta(ge=0, le=100, description="a whole number from 0 to 100")] | None = None
    also_called: tuple[Text, ...] = ()


class ManualTrigger(Spec, frozen=True):
    """What makes a person pull the cord, where nothing can be measured."""

    id: Id
    title: Text
    meaning: Text


class Triage(Spec, frozen=True):
    """A symptom, what it most often is, and where to look first."""

    id: Id
    symptom: Text
    probable: Text
    first_check: Text
    see: Refs = ()


class Tier(Spec, frozen=True):
    """A step of escalation: who, when it is theirs, and what they do."""

    id: Id
    title: Text
    who: Text
    when: Text
    does: Text


class Role(Spec, frozen=True):
    """Somebody that every desk has to be able to call; who it is stands in the contacts.yaml beside desk.yaml. `wanted`
    is what has to be known of each. What a source does not say stays absent."""

    id: Id
    title: Text
    wanted: Annotated[
        tuple[Literal["name", "phone", "email", "url"], ...],
        Meta(min_length=1, description="a list of at least one of name, phone, email, url"),
    ]
    hours: Text | None = None
    escalation_level: Annotated[int, Meta(ge=1, le=3, description="a whole number from 1 to 3")] | None = None


class Kpi(Spec, frozen=True):
    """A figure that is followed over time."""

    id: Id
    title: Text
    meaning: Text
    cadence: CadenceId


class Field(Spec, frozen=True):
    """One thing to fill in."""

    id: Id
    title: Text


class PostmortemSection(Spec, frozen=True):
    """A heading of the postmortem, what it asks, and the fields below it."""

    id: Id
    title: Text
    asks: Text
    fields: tuple[Field, ...] = ()


class LogField(Spec, frozen=True):
    """A column of the incident log."""

    id: Id
    title: Text
    meaning: Text


class Principle(Spec, frozen=True):
    """A rule of the house."""

    id: Id
    text: Text


class Placeholder(Spec, frozen=True):
    """A word in braces that messages and commands may use."""

    id: Annotated[str, Meta(pattern=r"^[a-z]+(_[a-z]+)*$", description="a name of small letters and underscores")]
    meaning: Text
    example: Text


class Message(Spec, frozen=True):
    """A template for telling others. `to` is who gets it."""

    id: Id
    title: Text
    to: Text
    body: Template
    severity: SeverityId | None = None
