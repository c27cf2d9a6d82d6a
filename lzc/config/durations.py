"""Spans of time in text: ``90d``, ``12h``, as operators of BIND and Knot DNS write them."""

from __future__ import annotations

import re
from typing import Final

SECONDS: Final = {
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
    "w": 7 * 86400,
    "mo": 30 * 86400,
    "y": 365 * 86400,
}
"""Seconds of each unit; a month has 30 days and a year 365, as for dnssec-settime."""
_PART: Final = re.compile(r"(\d{1,9})\s*(mo|[smhdwy])")
_MOST: Final = 100 * SECONDS["y"]


def parse_duration(text: str) -> int:
    """Seconds of ``90d`` or ``1h 30m``; a number alone is in seconds. Raises `ValueError`."""
    words = text.strip().lower()
    if re.fullmatch(r"\d{1,11}", words):
        seconds = int(words)
    else:
        parts = _PART.findall(words)
        if not parts or _PART.sub("", words).strip():
            raise ValueError(
                "expected a span of time such as 90d, 12h or 300: s, m, h, d, w, mo (30 days), y"
            )
        seconds = sum(int(number) * SECONDS[unit] for number, unit in parts)
    if seconds > _MOST:
        raise ValueError("longer than 100 years")
    return seconds
