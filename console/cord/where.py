"""Where a desk's state lies, found without reading YAML: a desk.yaml that does not parse must not hide the cord."""

import os

SYSTEM_STATE = "/var/lib/andon"
SYSTEM_DESKS = "/etc/andon"


class NoDesk(Exception):
    """No desk, or more than one, is meant. The message says how to name it."""


def user_state() -> str:
    """The folder that holds the user's own desks."""
    return os.path.join(os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"), "andon")


def state_folder(desk: str) -> str:
    """The state folder of `desk` (a name, a desk.yaml, a folder with one, or the state folder itself), else of
    $ANDON_DESK, else of the only desk that has one here; a simulated desk never stands in the way of a real one. Raises
    NoDesk."""
    desk = desk or os.environ.get("ANDON_DESK", "")
    if desk:
        return _named(desk)
    found = _all()
    real = [folder for folder in found if _mode(folder) != "simulated"]
    choice = real if len(found) > 1 else found
    if len(choice) == 1:
        return choice[0]
    if not found:
        raise NoDesk("no desk has ever run here; name one with --desk NAME or --desk PATH")
    names = " or ".join(f"--desk {folder}" for folder in choice or found)
    raise NoDesk(f"there are several desks here; say which one: {names}")


def _named(desk: str) -> str:
    if os.sep not in desk:
        for place in (user_state(), SYSTEM_STATE):
            if os.path.isfile(os.path.join(place, desk, "cord.json")):
                return os.path.join(place, desk)
        if os.path.exists(os.path.join(SYSTEM_DESKS, desk)):
            desk = os.path.join(SYSTEM_DESKS, desk)
    if os.path.isfile(os.path.join(desk, "cord.json")):
        return os.path.abspath(desk)
    yaml = os.path.join(desk, "desk.yaml") if os.path.isdir(desk) else desk
    if os.path.isdir(desk) and not os.path.exists(yaml):
        raise NoDesk(f"{desk} holds neither cord.json nor desk.yaml: has a guard ever run on this desk?")
    try:
        folder = _state_in(yaml)
    except OSError as error:
        way_out = "--desk takes a desk's name, its desk.yaml or its state folder"
        raise NoDesk(f"{yaml}: {error.strerror}; {way_out}") from None
    if not os.path.isfile(os.path.join(folder, "cord.json")):
        raise NoDesk(f"{folder} holds no cord.json: has a guard ever run on this desk?")
    return folder


def _state_in(yaml: str) -> str:
    """`state:` of a desk.yaml, or where the state lies without it: read line by line, whatever else the file holds."""
    told = {}
    with open(yaml, encoding="utf-8", errors="replace") as file:
        for line in file:
            key, colon, value = line.partition(":")
            if colon and key in ("state", "desk"):
                told[key] = value.partition(" #")[0].strip().strip("'\"")
    here = os.path.dirname(os.path.abspath(yaml))
    if "state" in told:
        return os.path.join(here, os.path.expanduser(told["state"]))
    return os.path.join(SYSTEM_STATE, told.get("desk", ""))


def _all() -> list[str]:
    folders = []
    for place in (user_state(), SYSTEM_STATE):
        try:
            names = sorted(os.listdir(place))
        except OSError:
            continue
        folders += [os.path.join(place, name) for name in names]
    return [folder for folder in folders if _may_be_one(folder)]


def _may_be_one(folder: str) -> bool:
    """Whether a desk lies there. One that this user may not look into is one: another must not be stopped in its
    place."""
    try:
        os.stat(os.path.join(folder, "cord.json"))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def _mode(folder: str) -> str:
    import json  # only where there is a choice to make: it costs milliseconds

    try:
        with open(os.path.join(folder, "cord.json"), "rb") as file:
            return str(json.loads(file.read()).get("mode", ""))
    except (OSError, ValueError, AttributeError):
        return ""  # it may be a real one
