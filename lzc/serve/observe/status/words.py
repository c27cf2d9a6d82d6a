"""Numbers and times in words, for people in a hurry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60))


def lasting(seconds: float) -> str:
    """A time: ``3 d``, ``2 h``, ``5 min``, ``12 s``."""
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds / size)} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def count(number: float) -> str:
    """A whole number, its thousands apart."""
    return f"{number:,.0f}"


def many(number: int, what: str, several: str = "") -> str:
    """``1 zone``, ``2 zones``."""
    return f"{count(number)} {what if number == 1 else several or what + 's'}"


def rate(a_second: float) -> str:
    """How often a second, with as many digits as tell something."""
    if a_second == 0 or a_second >= 100:
        return count(a_second)
    return f"{a_second:.1f}" if a_second >= 1 else f"{a_second:.2g}"


def milliseconds(seconds: float) -> str:
    """``12.3 ms``, ``1.50 s``."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def octets(number: float) -> str:
    """``12 KiB``, ``3.4 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if number >= 10 or unit == "B" else f"{number:.1f} {unit}"


def share(part: float, whole: float) -> str:
    """A percentage that says 100 % and 0 % only where it is so."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if part and percent < 0.1:
        return "< 0.1 %"
    if part < whole and percent > 99.9:
        return "> 99.9 %"
    return f"{percent:.1f} %" if percent % 1 else f"{percent:.0f} %"


def clock(at: float) -> str:
    """A time of the day and its date in UTC (RFC 3339 §5.6, with a blank)."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return "unknown"
