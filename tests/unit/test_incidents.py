"""Incidents: what may be done to one when, what the state holds of them and of their evidence, and their numbers."""

from enum import Enum
from typing import Any, get_args

import msgspec
import pytest

from console.desk import entries as en
from console.desk import events as ev
from console.desk import incidents as inc
from console.desk.events import Record, encode, event_from, kind_of
from console.desk.logbook import Logbook, after
from console.desk.state import DeskState, fold, fold_all
from tests.support import scenario

ID = "INC-2024-0007"
NOW = 20_000 * 86_400_000_000_000  # 2024-10-04
OPENED = en.IncidentOpened(ID, "broker-outage", "P1", "acks are silent", "p")
SEALED = ev.ArchiveSealed(
    ID, 1, "pull", "ab" * 32, 9, "cd" * 32, ("records", "positions"), 4096, "SHA256:x", ("screen: no",), ("p",)
)
EVIDENCE: list[ev.AnyEvent] = [
    SEALED,
    ev.EvidenceFailed(ID, "screen", "it was not drawn"),
    ev.ArchiveRemoved(ID, "ab" * 32, 4096, "older than 400 days"),
    ev.RestoreDrilled(ID, "archive", False, 12, 900, 4096, ("fills: one row less",), "drills/r.md", "ef" * 32),
]


def told(*events: ev.AnyEvent, writer: str = "guard", actor: str = "ana", ts: int = NOW) -> list[Record]:
    return [Record(ts + number, writer, actor, event, number + 1) for number, event in enumerate(events)]


def row(*events: ev.AnyEvent) -> inc.IncidentState:
    return fold_all(told(*events)).logbook.incidents[ID]


def test_an_incident_is_opened_joined_noted_and_closed_by_whom_and_when() -> None:
    noted = en.IncidentNoted(ID, "the broker was called")
    closed = row(OPENED, en.IncidentJoined(ID, "p2"), noted, noted, en.IncidentClosed(ID, "the broker was down"))
    assert closed == inc.IncidentState(
        id=ID,
        cls="broker-outage",
        severity="P1",
        title="acks are silent",
        opened_at=NOW,
        opened_by="ana",
        pulls=("p", "p2"),
        notes=2,
        closed_at=NOW + 4,
        closed_by="ana",
        outcome="the broker was down",
    )
    assert row(OPENED, en.IncidentClosed(ID, "o"), noted).notes == 1  # what came to light later


@pytest.mark.parametrize(
    ("before", "entry", "why"),
    [
        ([], en.IncidentOpened("INC-7"), "no incident's number; INC-YYYY-NNNN is expected"),
        ([OPENED], en.IncidentOpened(ID), "is there already"),
        ([OPENED], en.IncidentOpened("INC-2024-0008", pull="p"), f"the pull p belongs to {ID} already"),
        ([], en.IncidentNoted(ID, "text"), f"there is no incident {ID}"),
        ([OPENED], en.IncidentJoined(ID, "p"), f"the pull p belongs to {ID} already"),
        ([OPENED], en.IncidentNoted(ID, " "), "a note says something"),
        ([OPENED], en.IncidentClosed(ID, ""), "with a sentence on how it came out"),
        ([OPENED, en.IncidentClosed(ID, "o")], en.IncidentClosed(ID, "again"), "was closed by ana already"),
        ([OPENED, en.IncidentClosed(ID, "o")], en.IncidentJoined(ID, "p2"), "a pull opens another"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence_and_left_out_of_the_fold(
    before: list[en.AnyEntry], entry: en.AnyEntry, why: str
) -> None:
    book = Logbook()
    for each in before:
        book = after(book, each, "ana", NOW)
    with pytest.raises(ValueError, match=why):
        after(book, entry, "ana", NOW)
    assert fold_all(told(*before, entry)).logbook.incidents == fold_all(told(*before)).logbook.incidents


def test_a_severity_that_nobody_knows_is_no_entry() -> None:
    with pytest.raises(msgspec.ValidationError):
        event_from("incident_opened", {"incident": ID, "severity": "P7"})


def test_the_incident_that_a_pull_joins_is_the_latest_open_one() -> None:
    other = "INC-2024-0008"
    both = [OPENED, en.IncidentOpened(other)]
    assert fold_all(told(*both)).logbook.open_incident == fold_all(told(*both)).logbook.incidents[other]
    left = fold_all(told(*both, en.IncidentClosed(other, "o"))).logbook
    assert left.open_incident is not None
    assert left.open_incident.id == ID
    assert Logbook().open_incident is None


def test_a_seal_says_what_is_kept_and_takes_back_what_could_not_be() -> None:
    failed = ev.EvidenceFailed(ID, "screen", "it was not drawn")
    opened, troubled = row(OPENED), row(OPENED, failed)
    assert (opened.covered, troubled.trouble) == (False, ("screen: it was not drawn",))
    sealed = row(OPENED, failed, SEALED)
    assert sealed.sealed == inc.Sealed(
        1, NOW + 2, "pull", SEALED.head, 9, ("records", "positions"), missing=("screen: no",)
    )
    assert (sealed.trouble, sealed.captured, sealed.covered) == ((), ("p",), True)
    joined = en.IncidentJoined(ID, "p2")
    window = msgspec.structs.replace(SEALED, seal=2, why="window", captured=())
    later = msgspec.structs.replace(SEALED, seal=3, captured=("p", "p2"))
    assert not row(OPENED, SEALED, joined, window).covered
    assert row(OPENED, SEALED, joined, window, later).captured == ("p", "p2")
    assert len(row(OPENED, *[failed] * 30).trouble) == inc.TROUBLE_KEPT


@pytest.mark.parametrize("event", EVIDENCE, ids=kind_of)
def test_evidence_is_the_same_after_the_journal_has_words_and_needs_no_incident(event: ev.AnyEvent) -> None:
    assert msgspec.json.decode(encode(event), type=ev.AnyEvent) == event
    state = fold_all(told(event))
    (line,) = state.timeline
    assert ID in line.text
    assert not state.logbook.incidents


def test_numbers_go_up_within_a_year_and_none_is_used_twice() -> None:
    assert inc.next_id([], NOW) == "INC-2024-0001"
    known = ["INC-2024-0007", "INC-2024-0011", "INC-2023-0400", "INC-2024-9", "lost+found"]
    assert inc.next_id(known, NOW) == "INC-2024-0012"
    assert inc.next_id(["INC-2024-9999"], NOW) == "INC-2024-10000"
    assert inc.NUMBER.fullmatch("INC-2024-10000")


def test_the_state_keeps_the_open_ones_and_the_last_closed() -> None:
    state, seq = DeskState(), 0
    for number in range(inc.CLOSED_KEPT + 3):
        name = f"INC-2024-{number:04}"
        for entry in (en.IncidentOpened(name), en.IncidentClosed(name, "o")):
            state, seq = fold(state, Record(NOW + seq, "guard", "ana", entry, seq + 1)), seq + 1
    assert next(iter(state.logbook.incidents)) == "INC-2024-0003"
    for number in range(3):
        state = fold(state, Record(NOW, "other", "ana", en.IncidentOpened(f"INC-2024-9{number:03}"), number + 1))
    assert sum(each.open for each in state.logbook.incidents.values()) == 3
    assert len(state.logbook.incidents) == inc.CLOSED_KEPT + 3


# --- one state, one encoding ----------------------------------------------------------------------------------------


def test_a_state_that_is_folded_from_the_wire_is_the_state_byte_for_byte() -> None:
    """What an archive's `fold` hash rests on: the words that events are made of here are other objects there."""
    unread = ev.MonitorSampled("bar-age", "unknown", "not read yet", None, 0)
    for told_here in (scenario.calm().at(1, unread), scenario.partial(), scenario.reconciled()):
        live = replayed = DeskState()
        for record in told_here.records:
            live = fold(live, record)
            replayed = fold(replayed, msgspec.json.decode(encode(record), type=Record))
            if record is told_here.records[len(told_here.records) // 2]:
                replayed = msgspec.json.decode(encode(replayed), type=DeskState)
        assert encode(replayed) == encode(live)


def test_no_default_in_a_state_can_be_left_out_here_and_written_there() -> None:
    found = set()

    def look(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in found:
            found.add(kind)
            for field in msgspec.structs.fields(kind):
                default = field.default
                sure = default in (msgspec.NODEFAULT, None, "", ()) or isinstance(default, bool | Enum)
                assert sure or (isinstance(default, int) and default < 256), f"{kind.__name__}.{field.name}: spelled()"
                look(field.type)
        for part in get_args(kind):
            look(part)

    look(DeskState)
    assert len(found) > 40
