"""Where in the operator's sources something stands, and what is wrong there.

A compiled zone may hold a million records, so a place is packed into one ``int`` on each record
(`pack`) and only unfolded into a `Place` when there is something to say about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from os import PathLike
from typing import Any, Final

from lzc.foreign_text import shown

_COLUMN_BITS = 12
_LINE_BITS = 32
_COLUMN_MASK = (1 << _COLUMN_BITS) - 1
_LINE_MASK = (1 << _LINE_BITS) - 1

_LONGEST = 4000
"""Characters of a message."""
MOST: Final = 10_000
"""Errors, and warnings, that a build tells."""


def pack(file: int, line: int, column: int) -> int:
    """Fold a place into an int: ``file`` is an index into the zone's ``files``, ``line`` (below
    2**32) and ``column`` count from 1; columns past 4095 are reported as 4095."""
    return (
        (file << (_LINE_BITS + _COLUMN_BITS))
        | (line << _COLUMN_BITS)
        | (column if column < _COLUMN_MASK else _COLUMN_MASK)
    )


def advance(place: int, columns: int) -> int:
    """A packed place ``columns`` further on its line; from column 4095 on, as `pack` says."""
    return place + min(columns, _COLUMN_MASK - (place & _COLUMN_MASK))


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a source: path as written, line and column from 1 (0: unknown)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


def unpack(place: int, files: Sequence[str]) -> Place:
    """The `Place` that `pack` folded; ``files`` is the list the file index points into."""
    return Place(
        files[place >> (_LINE_BITS + _COLUMN_BITS)],
        (place >> _COLUMN_BITS) & _LINE_MASK,
        place & _COLUMN_MASK,
    )


class Severity(StrEnum):
    """How much a fault weighs: an ``error`` stops the build, a ``warning`` is only told."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the operator's input.

    ``rule`` is a stable lower-case identifier such as ``cname-and-other-data`` that scripts may
    match; ``message`` says what is wrong, ``why`` why it matters (or is empty), ``fix`` what to do.
    They may quote what others wrote as it is: the fault's text shows it (`lzc.foreign_text`).
    """

    place: Place
    rule: str
    message: str
    why: str = ""
    fix: str = ""
    severity: Severity = Severity.ERROR

    @classmethod
    def from_document(cls, plain: dict[str, Any]) -> Fault:
        """A fault from the dictionary that `dataclasses.asdict` made of it."""
        place, severity = Place(**plain["place"]), Severity(plain["severity"])
        return cls(**{**plain, "place": place, "severity": severity})

    def __str__(self) -> str:
        message = shown(self.message, _LONGEST)
        parts = [f"{shown(self.place)}: {self.severity}: {message} [{shown(self.rule)}]"]
        if self.why:
            parts.append(f"    why: {shown(self.why, _LONGEST)}")
        if self.fix:
            parts.append(f"    fix: {shown(self.fix, _LONGEST)}")
        return "\n".join(parts)


def one_a_cause(faults: Sequence[Fault]) -> list[Fault]:
    """Faults of a zone, of which those of one rule at the same place are one: a line such as
    ``$GENERATE`` makes many records that are wrong for the same reason. The first is told, with the
    number of the others."""
    found: dict[tuple[Place, str, Severity], Fault] = {}
    more: dict[tuple[Place, str, Severity], int] = {}
    for fault in faults:
        cause = fault.place, fault.rule, fault.severity
        if cause in found and fault.place.line:
            more[cause] = more.get(cause, 0) + (fault != found[cause])
        else:
            # What has no line has no cause in common.
            found[cause if fault.place.line else (fault.place, fault.message, fault.severity)] = (
                fault
            )
    for cause, count in more.items():
        if count:
            fault = found[cause]
            said = f"{fault.message}; and {count} more of the same from this line"
            found[cause] = replace(fault, message=said)
    return list(found.values())


class InputError(Exception):
    """The operator's input is at fault: carries every `Fault` found in the run (at least one)."""

    def __init__(self, faults: Fault | Sequence[Fault]) -> None:
        self.faults = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))

    @classmethod
    def at(
        cls,
        place: Place | PathLike[str] | str,
        rule: str,
        message: str,
        why: str = "",
        fix: str = "",
    ) -> InputError:
        """The error of one fault; ``place`` may be a file as a whole."""
        where = place if isinstance(place, Place) else Place(str(place))
        return cls(Fault(where, rule, message, why, fix))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Fault, ...]]]:
        return InputError, (self.faults,)


class FaultList:
    """The first faults of each severity, none of them twice; those that follow are counted."""

    def __init__(self, most: int = MOST) -> None:
        """Keep ``most`` errors and as many warnings."""
        self._most = most
        self._kept: dict[Fault, None] = {}
        self._seen = dict.fromkeys(Severity, 0)

    def add(self, faults: Iterable[Fault]) -> None:
        """Take more faults."""
        for fault in faults:
            if fault in self._kept:
                continue
            self._seen[fault.severity] += 1
            if self._seen[fault.severity] <= self._most:
                self._kept[fault] = None

    def told(self) -> list[Fault]:
        """What to tell: the faults kept, and a last one for those that were not."""
        more = {one: seen - self._most for one, seen in self._seen.items() if seen > self._most}
        if not more:
            return list(self._kept)
        left_out = " and ".join(f"{count} more {severity}s" for severity, count in more.items())
        last = Fault(
            Place("lzc"),
            "more-faults",
            f"{left_out} are not told",
            fix="correct those that are, and check again",
            severity=Severity.ERROR if Severity.ERROR in more else Severity.WARNING,
        )
        return [*self._kept, last]
