"""Whether the clock may be right, for signatures: those that are made far in the past are bogus to
every resolver, and a machine that starts without the time begins in 1970 or when it was built."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lzc.bundle.manifest import MANIFEST
from lzc.bundle.zone_info import ZoneInfo
from lzc.dnssec.life.outlook import when
from lzc.faults import Fault, Place
from lzc.wire import name as wire_name

TOLERANCE: Final = 86400.0
"""Seconds by which a server's clock may be behind that of who built: signatures begin a week before
they are made."""
RULE: Final = "clock-wrong"


def earliest(folder: Path) -> float:
    """The earliest time that it may be where the bundle in a folder is served, seconds since the
    epoch: a day before it was built. 0 where that cannot be known."""
    try:
        return (folder / MANIFEST).stat().st_mtime - TOLERANCE
    except OSError:
        return 0.0


def refusal(folder: Path, info: ZoneInfo, now: float, not_before: float) -> Fault:
    """Why a zone is not signed at ``now``, which is before the earliest time that it may be."""
    built = when(not_before + TOLERANCE)
    return Fault(
        Place(str(folder)),
        RULE,
        f"zone {wire_name.to_text(info.apex)} is not signed, as the clock says {when(now)}, and the"
        f" bundle was built {built}",
        "signatures would be of a time that is past: bogus to every resolver",
        "set the clock; where it is right, that of who built was not: make the bundle anew",
    )
