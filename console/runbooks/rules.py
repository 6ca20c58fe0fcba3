"""What a document's own rules say of it, when each of its keys is right."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from console.desk.cadence import Holidays
from console.desk.metrics import metric_for
from console.desk.monitor import MonitorSpec
from console.desk.runbook import Fault, Spec
from console.desk.tree import PROBES, Tree
from console.desk.trigger import TriggerSpec
from console.strict_yaml import meant


def faults(spec: Spec, limits: Mapping[str, Decimal]) -> Iterator[Fault]:
    """What makes a document unfit for use on a desk with these limits."""
    match spec:
        case Tree():
            yield from spec.faults()
            yield from _probes(spec)
        case Holidays():
            yield from spec.faults()
        case MonitorSpec():
            yield from _refused("limit" if spec.limit else "says", lambda: spec.under(limits))
            if not spec.unwatched:
                yield from _refused("metric", lambda: metric_for(spec.metric, 0.0, limits))
        case TriggerSpec():
            yield from _refused("limit", lambda: spec.under(limits))


def _probes(tree: Tree) -> Iterator[Fault]:
    for name, question in tree.questions.items():
        if question.probe is not None and question.probe not in PROBES:
            why = f"there is no probe {question.probe!r}; {meant(question.probe, PROBES)}"
            yield Fault(("questions", name, "probe"), why)


def _refused(key: str, make: Callable[[], object]) -> Iterator[Fault]:
    try:
        make()
    except ValueError as error:
        yield Fault((key,), str(error))
