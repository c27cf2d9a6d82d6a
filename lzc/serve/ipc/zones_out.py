"""Zones that are out of service, as a worker tells the supervisor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any, Final

from lzc.faults import Fault, Place, Severity
from lzc.wire import name as wire_name

LISTED: Final = 1000
"""Zones that a worker names to the supervisor, and the supervisor in its status."""


def describe_out(out: Mapping[bytes, tuple[Fault, ...]]) -> list[list[Any]]:
    """Zones that are out of service, for a message to the supervisor."""
    return [
        [wire_name.to_text(apex), [asdict(fault) for fault in faults]]
        for apex, faults in islice(out.items(), LISTED)
    ]


def read_fault(plain: dict[str, Any]) -> Fault:
    """A fault from the dictionary that it was made."""
    values = {**plain, "place": Place(**plain["place"]), "severity": Severity(plain["severity"])}
    return Fault(**values)
