"""How faults of the operator's input are shown: on stderr for people, as JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from lzc.cli.screen import echo, echo_json
from lzc.faults import Fault, FaultList, Severity

MOST_LINES: Final = 1000
"""Errors, and warnings, that are printed for people to read."""


def fault_as_dict(fault: Fault) -> dict[str, Any]:
    """One fault as a JSON object; line and column are 0 where unknown."""
    return {
        **asdict(fault.place),
        "severity": str(fault.severity),
        **{name: getattr(fault, name) for name in ("rule", "message", "why", "fix")},
    }


def tell(fault: Fault) -> None:
    """Print one fault for people, on stderr."""
    echo(str(fault), err=True)


def shortened(faults: Sequence[Fault]) -> list[Fault]:
    """`MOST_LINES` of each severity, and how many there are more."""
    found = FaultList(MOST_LINES)
    found.add(faults)
    return found.told()


def show_faults(faults: Sequence[Fault], output_format: str) -> None:
    """Print faults: text on stderr, `MOST_LINES` of them, with a count of all as the last line, or
    one JSON object ``{"faults": [...]}`` on stdout."""
    if output_format == "json":
        echo_json({"faults": [fault_as_dict(fault) for fault in faults]})
        return
    for fault in shortened(faults):
        tell(fault)
    errors = sum(fault.severity is Severity.ERROR for fault in faults)
    warnings = len(faults) - errors
    echo(f"lzc: {errors} error(s), {warnings} warning(s)", err=True)
