"""The detached hands that work on a desk, found by the journal file that each holds open."""

import os


def detached_hands(folder: str) -> list[int]:
    """Process ids. Processes of other users, whose files can not be seen, are left out."""
    journal = os.path.join(os.path.realpath(folder), "journal", "direct-")
    numbers = [name for name in os.listdir("/proc") if name.isdecimal()]
    return [int(number) for number in numbers if _is_hand(f"/proc/{number}", journal)]


def _is_hand(process: str, journal: str) -> bool:
    try:
        with open(f"{process}/cmdline", "rb") as file:
            if b"follow.py" not in file.read():
                return False
        return any(os.readlink(f"{process}/fd/{number}").startswith(journal) for number in os.listdir(f"{process}/fd"))
    except OSError:
        return False  # it ended meanwhile, or is somebody else's
