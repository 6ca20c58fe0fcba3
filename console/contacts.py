"""contacts.yaml: whom to call when a venue can not prove that it stopped. Lies beside desk.yaml, and may be missing."""

from collections.abc import Sequence
from pathlib import Path

from console.config import ConfigError
from console.desk.events import ContactInfo
from console.strict_yaml import Table, YamlError, table

FILE = "contacts.yaml"
HIGHEST_LEVEL = 3


def load_contacts(folder: Path, venues: Sequence[str]) -> tuple[ContactInfo, ...]:
    """The contacts of the desk whose desk.yaml lies in `folder`, by escalation level; none where there is no such file.
    Raises ConfigError, `FILE:LINE:COLUMN: what is wrong; what is expected`."""
    path = folder / FILE
    try:
        top = table(path.read_bytes(), path)
        top.only("contacts")
        found = [_contact(each, venues) for each in top.tables("contacts", "a contact")]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(f"{path}: the file can not be read: {error.strerror}") from None
    except YamlError as error:
        raise ConfigError(str(error)) from None
    return tuple(sorted(found, key=lambda contact: contact.level))


def _contact(entry: Table, venues: Sequence[str]) -> ContactInfo:
    entry.only("name", "role", "phone", "hours", "escalation_level", "email", "url", "venue")
    name = entry.text("name")
    entry.what = f"contact {name!r}"
    return ContactInfo(
        name=name,
        role=entry.text("role"),
        phone=_phone(entry),
        hours=entry.text("hours"),
        level=entry.whole("escalation_level", 1, HIGHEST_LEVEL),
        email=entry.text("email", ""),
        url=entry.text("url", ""),
        venue=entry.choice("venue", venues) if entry.has("venue") else "",
    )


def _phone(entry: Table) -> str:
    """Something that can be dialled: a placeholder that was never filled in must not be found at 3 a.m."""
    phone = entry.text("phone")
    if sum(sign.isdigit() for sign in phone) < 3:
        entry.refuse("phone", f"'phone' of {entry.what} is {phone!r}; a number that can be dialled is expected")
    return phone
