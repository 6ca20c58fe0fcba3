"""Incident classes: what can happen to a desk, how it is seen, and what is done about it. Pure."""

from console.desk.runbook import Id, Refs, SeverityId, Span, Spec, Steps, Text, Texts, TreeId


class IncidentClass(Spec, frozen=True):
    """`detection` names what each alone opens an incident of this class. `tree` is where its recovery begins;
    `postmortem_within` is set where it is stricter than the severity's."""

    id: Id
    title: Text
    severity: SeverityId
    says: Text
    detection: Texts
    immediate: Steps
    containment: Steps
    postmortem: Steps
    postmortem_within: Span | None = None
    tree: TreeId | None = None
    see: Refs = ()
