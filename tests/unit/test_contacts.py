"""contacts.yaml: read strictly, carried into the desk's description and cord.json, and never in the cord's way."""

import re
from pathlib import Path

import pytest

from console.config import ConfigError
from console.contacts import load_contacts
from console.cord.plan import Plan
from console.desk.events import ContactInfo

GOOD = """\
contacts:
  - {name: Bo, role: risk, phone: "+46 8 555 0102", hours: always, escalation_level: 2, email: bo@example.com}
  - name: Desk
    role: broker
    venue: sim1
    phone: "+1 555 0100"
    hours: "24/7"
    escalation_level: 1
    url: https://status.example.com
"""


def load(folder: Path, text: str) -> tuple[ContactInfo, ...]:
    (folder / "contacts.yaml").write_text(text)
    return load_contacts(folder, ["sim1", "sim2"])


def test_contacts_come_by_escalation_level(tmp_path: Path) -> None:
    desk, bo = load(tmp_path, GOOD)
    assert (desk.name, desk.venue, desk.level, desk.url) == ("Desk", "sim1", 1, "https://status.example.com")
    assert bo == ContactInfo("Bo", "risk", "+46 8 555 0102", "always", 2, email="bo@example.com")


def test_a_desk_without_the_file_has_no_contacts(tmp_path: Path) -> None:
    assert load_contacts(tmp_path, ["sim1"]) == ()
    assert load(tmp_path, "contacts: []\n") == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("escalation_level: 2", "escalation_level: 4", 2, "a whole number from 1 to 3"),
        ("escalation_level: 2", "level: 2", 2, "one of name, role, phone"),
        ('"+46 8 555 0102"', '"[Number]"', 2, "a number that can be dialled"),
        ('"+46 8 555 0102"', "4685550102", 2, "put it in quotes"),
        ("venue: sim1", "venue: sim9", 5, "one of sim1, sim2"),
        ('    hours: "24/7"\n', "", 3, "lacks 'hours'"),
        ("contacts:", "people:", 1, "one of contacts"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_what_is_expected(
    tmp_path: Path, old: str, new: str, line: int, expected: str
) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, GOOD.replace(old, new))
    assert re.match(rf"{re.escape(str(tmp_path))}/contacts\.yaml:{line}:[1-9][0-9]*: ", str(error.value))
    assert expected in str(error.value)


def test_a_plan_knows_the_contacts_and_survives_those_it_does_not_understand() -> None:
    told = {"desk": "d", "mode": "live", "quiet_seconds": 60, "netted": True, "venues": [], "strategies": []}
    [bo] = Plan("/", {**told, "contacts": [{"name": "Bo", "phone": "1", "pager": "of a later version"}]}).contacts
    assert (bo.name, bo.phone, bo.level) == ("Bo", "1", 1)
    for strange in ([{"name": "Bo"}], ["Bo"], 7, None):
        assert Plan("/", {**told, "contacts": strange}).contacts == ()
    assert Plan("/", told).contacts == ()
