"""How faults of the operator's input are shown: on stderr for people, as JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lzc.cli.screen import echo, echo_json
from lzc.zone.place import Fault, Severity


def fault_as_dict(fault: Fault) -> dict[str, Any]:
    """One fault as a JSON object; line and column are 0 where unknown."""
    return {
        "file": fault.place.file,
        "line": fault.place.line,
        "column": fault.place.column,
        "severity": str(fault.severity),
        "rule": fault.rule,
        "message": fault.message,
        "why": fault.why,
        "fix": fault.fix,
    }


def show_faults(faults: Sequence[Fault], output_format: str) -> None:
    """Print faults: text on stderr with a count as the last line, or one JSON object
    ``{"faults": [...]}`` on stdout."""
    if output_format == "json":
        echo_json({"faults": [fault_as_dict(fault) for fault in faults]})
        return
    for fault in faults:
        echo(str(fault), err=True)
    errors = sum(fault.severity is Severity.ERROR for fault in faults)
    warnings = len(faults) - errors
    echo(f"lzc: {errors} error(s), {warnings} warning(s)", err=True)
