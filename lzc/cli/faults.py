"""How faults of the operator's input are shown: on stderr for people, as JSON for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from lzc.cli.screen import echo, echo_fault, echo_json
from lzc.faults import Fault, FaultList, Place, Severity

MOST_LINES: Final = 1000
"""Errors, and warnings, that are printed for people to read."""
MOST_OF_A_RULE: Final = 20
"""Warnings of one rule that are printed for people."""


def fault_as_dict(fault: Fault) -> dict[str, Any]:
    """One fault as a JSON object; line and column are 0 where unknown."""
    return {
        **asdict(fault.place),
        "severity": str(fault.severity),
        **{name: getattr(fault, name) for name in ("rule", "message", "why", "fix")},
    }


def tell(fault: Fault) -> None:
    """Print one fault for people, on stderr; in colours on a terminal."""
    echo_fault(str(fault), fault.severity)


def shortened(faults: Sequence[Fault]) -> list[Fault]:
    """`MOST_LINES` of each severity, and how many there are more."""
    found = FaultList(MOST_LINES)
    found.add(faults)
    return found.told()


def some_of_each_rule(faults: Sequence[Fault]) -> list[Fault]:
    """All errors, and `MOST_OF_A_RULE` warnings of each rule; then how many there are more."""
    told: list[Fault] = []
    seen: Counter[str] = Counter()
    for fault in faults:
        is_warning = fault.severity is Severity.WARNING
        seen[fault.rule] += is_warning
        if not is_warning or seen[fault.rule] <= MOST_OF_A_RULE:
            told.append(fault)
    for rule, count in seen.items():
        if count > MOST_OF_A_RULE:
            said = f"{count - MOST_OF_A_RULE} more warnings of this rule are not shown"
            fix = "--format json has all of them"
            told.append(Fault(Place("lzc"), rule, said, "", fix, Severity.WARNING))
    return told


def show_faults(faults: Sequence[Fault], output_format: str) -> None:
    """Print faults: text on stderr, `MOST_LINES` of them and of warnings some of each rule, with a
    count of all as the last line, or one JSON object ``{"faults": [...]}`` on stdout."""
    if output_format == "json":
        echo_json({"faults": [fault_as_dict(fault) for fault in faults]})
        return
    for fault in shortened(some_of_each_rule(faults)):
        tell(fault)
    errors = sum(fault.severity is Severity.ERROR for fault in faults)
    warnings = len(faults) - errors
    echo(f"lzc: {errors} error(s), {warnings} warning(s)", err=True)
