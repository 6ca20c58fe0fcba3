"""Numbers and times as a person reads them. Pure, and the same on every screen and in every command's output."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

SECOND = 1_000_000_000
MINUS = "−"
NONE = "–"


def stamp(ts: int) -> str:
    """A time of some day: `2026-11-20 14:32:07Z`. `ts` is UTC ns."""
    return datetime.fromtimestamp(ts // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def age(ns: int) -> str:
    """A span in whole units, so that what has not changed does not flicker: `<1 s`, `12 s`, `3 m`, `2 h`, `4 d`."""
    seconds = max(0, ns) // SECOND
    if seconds < 1:
        return "<1 s"
    if seconds < 100:
        return f"{seconds} s"
    if seconds < 2 * 3600:
        return f"{seconds // 60} m"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} d"


def after(ns: int) -> str:
    """How long after a moment something came: `+38 ms`, `+1.4 s`, `+61 s`. Never before it: clocks differ by a hair."""
    if ns < SECOND:
        return f"+{max(0, ns) // 1_000_000} ms"
    return f"+{ns / SECOND:.1f} s" if ns < 10 * SECOND else f"+{ns // SECOND} s"


def clock(ts: int) -> str:
    """Time of day, UTC."""
    return datetime.fromtimestamp(ts // SECOND, UTC).strftime("%H:%M:%S")


def signed(value: Decimal, places: int = 2) -> str:
    """`+61,200.00`, `−0.42`, `0.00`: a sign on everything but zero, and a real minus."""
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    sign = "" if rounded == 0 else (MINUS if rounded < 0 else "+")
    return f"{sign}{abs(rounded):,f}"


def money(value: Decimal) -> str:
    """`182,400`: whole units of the account's currency."""
    return f"{value.quantize(Decimal(1), rounding=ROUND_HALF_EVEN):,f}".replace("-", MINUS)


def amount(value: Decimal) -> str:
    """A quantity to its last digit, without padding zeros: `1,200`, `0.25`, `−3`."""
    plain = f"{value:,f}"
    return (plain.rstrip("0").rstrip(".") if "." in plain else plain).replace("-", MINUS)


def share(of: Decimal) -> str:
    """`25 %` of a quarter."""
    return f"{amount(of * 100)} %"


def count(number: int, one: str, many: str = "") -> str:
    """`1 order`, `41 orders`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(amount: int) -> str:
    """`812 B`, `1.4 MB`: bytes in powers of a thousand."""
    if amount < 1000:
        return f"{amount} B"
    value, units = float(amount), iter("kMGTPE")
    unit = ""
    while value >= 999.5:
        value, unit = value / 1000, next(units)
    return f"{value:.3g} {unit}B"


def printable(text: str) -> str:
    """Text from who knows whom, without anything that a terminal would obey or that turns the direction of writing: a
    line's end is shown as `⏎`, what can not be shown as `\N{REPLACEMENT CHARACTER}`."""
    return text if text.isprintable() else "".join(_SHOWN.get(letter) or _shown(letter) for letter in text)


_SHOWN = {"\n": "⏎", "\t": " "} | {joiner: joiner for joiner in "\u200c\u200d"}  # letters and emoji are joined by these


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if letter.isspace() and letter > "\x9f" else "\N{REPLACEMENT CHARACTER}"


def short(identity: str, most: int = 8) -> str:
    """The head of a long id or hash; enough to tell two apart on a screen."""
    return identity if len(identity) <= most else f"{identity[: most - 1]}…"
