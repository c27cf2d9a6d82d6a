"""Moments in the text of commands: ``now``, ``+3d``, ``2026-12-24T18:00:00Z``."""

from __future__ import annotations

import calendar
import time
from datetime import UTC, datetime

from lzc.config.durations import parse_duration


def parse_moment(text: str, now: float) -> int | None:
    """Seconds since the epoch, at least 0; `None` of ``never``. Known are ``now``, spans from now
    on (``+3d``, ``-12h``), ISO 8601 (UTC, where it names no zone), and the form of key files
    (YYYYMMDDHHMMSS). Raises `ValueError`."""
    found = _parse(text, now)
    if found is not None and found < 0:
        # No other software reads such dates, and of years below 1000 not even we do.
        raise ValueError(f"{text!r} is before 1970, when the time of key files begins")
    return found


def _parse(text: str, now: float) -> int | None:
    words = text.strip()
    if words.lower() in ("never", "none"):
        return None
    if words.lower() == "now":
        return int(now)
    if words[:1] in ("+", "-"):
        seconds = parse_duration(words[1:])
        return int(now) + (seconds if words[0] == "+" else -seconds)
    if words.isascii() and words.isdigit() and len(words) == 14:
        return calendar.timegm(time.strptime(words, "%Y%m%d%H%M%S"))
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time; expected now, never, a span from now on such as +3d, or a"
            " date such as 2026-12-24 or 2026-12-24T18:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp())


def shown(moment: float) -> str:
    """A moment in ISO 8601, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
