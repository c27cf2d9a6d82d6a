"""Zones that failed, where that does not stop the others: each stays as it is live, to the octet
and with its serial, or is left out where it never was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lzc.faults import Fault, Severity
from lzc.foreign_text import shown


@dataclass(frozen=True, slots=True)
class Kept:
    """A zone that failed: its ``name`` with final dot, or that of a file that gives none; the
    ``serial`` that it keeps, `None` where it is left out; its first error, and how many it has."""

    name: str
    serial: int | None
    fault: Fault
    errors: int

    @classmethod
    def of(cls, name: str, serial: int | None, faults: list[Fault]) -> Kept:
        """A zone with these faults, of which at least one is an error."""
        errors = [fault for fault in faults if fault.severity is Severity.ERROR]
        return cls(name, serial, errors[0], len(errors))

    @property
    def why(self) -> str:
        """Its first error in one line, and that there are more."""
        fault = self.fault
        more = f", and {self.errors - 1} more" if self.errors > 1 else ""
        return f"{shown(fault.place)}: {shown(fault.message, 300)} [{fault.rule}]{more}"

    def to_document(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {"zone": self.name, "serial": self.serial, "why": self.why}


def has_errors(faults: list[Fault]) -> bool:
    """Whether a zone with these faults failed."""
    return any(fault.severity is Severity.ERROR for fault in faults)
