"""Faults for other programs: SARIF 2.1.0 for code scanning, and the workflow commands of GitHub.

Both name files relative to the working directory, which in CI is the root of the repository; faults
name them relative to the project.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import lzc
from lzc.faults import Fault, Place
from lzc.foreign_text import shown
from lzc.lua.lint.rules import RULES

SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

_ROOT: Final = "%SRCROOT%"


class Sources:
    """The files that faults are about, seen from the working directory. ``folder`` is that of the
    project, ``config`` its configuration as it was named on the command line."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._lines: dict[Path, list[bytes]] = {}

    def path(self, place: Place) -> Path | None:
        """The file that a place is in, relative where possible; `None` where the place is no
        file."""
        named = Path(place.file)
        path = named if named == self._config else self._config.parent / named
        if not path.is_file():
            return None
        try:
            return path.resolve().relative_to(Path.cwd().resolve())
        except ValueError:
            return path.resolve()

    def line(self, place: Place) -> bytes:
        """The octets of the line that a place is on; empty where it cannot be read."""
        path = self.path(place)
        if path is None:
            return b""
        if path not in self._lines:
            self._lines[path] = []
            with suppress(OSError):
                self._lines[path] = path.read_bytes().split(b"\n")
        lines = self._lines[path]
        return lines[place.line - 1] if 0 < place.line <= len(lines) else b""


def to_github(faults: Sequence[Fault], sources: Sources) -> str:
    """A workflow command for each fault, one a line; GitHub shows them beside the changed lines."""
    return "\n".join(_command(fault, sources) for fault in faults)


def _command(fault: Fault, sources: Sources) -> str:
    path = sources.path(fault.place)
    properties: dict[str, object] = {}
    if path is not None:
        properties["file"] = path.as_posix()
        if fault.place.line:
            properties["line"] = fault.place.line
            properties["col"] = fault.place.column
    properties["title"] = fault.rule
    said = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    # What it says is printed into the log of the run, too.
    whole = "\n".join([shown(part) for part in _parts(fault, path)])
    return f"::{fault.severity} {said}::{_data(whole)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _parts(fault: Fault, path: Path | None) -> list[str]:
    """What there is to say, a line each; ``path`` is the file it is said beside, if it is one."""
    parts = [fault.message if path is not None else f"{fault.place}: {fault.message}"]
    if fault.why:
        parts.append(f"Why: {fault.why}")
    if fault.fix:
        parts.append(f"Fix: {fault.fix}")
    return parts


def to_sarif(faults: Sequence[Fault], sources: Sources) -> dict[str, Any]:
    """A SARIF log of one run (OASIS SARIF 2.1.0) that holds every rule for LUA records, and those
    other rules that something was found by."""
    rules = [_described(rule_id) for rule_id in RULES]
    others = {fault.rule: fault for fault in faults if fault.rule not in RULES}
    rules += [
        {"id": rule, "defaultConfiguration": {"level": str(fault.severity)}}
        for rule, fault in sorted(others.items())
    ]
    index = {rule["id"]: position for position, rule in enumerate(rules)}
    seen: Counter[str] = Counter()
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": "lzc", "semanticVersion": lzc.__version__, "rules": rules}
                },
                "invocations": [{"executionSuccessful": True}],
                "columnKind": "unicodeCodePoints",
                "results": [_result(fault, index[fault.rule], sources, seen) for fault in faults],
            }
        ],
    }


def _described(rule_id: str) -> dict[str, Any]:
    rule = RULES[rule_id]
    return {
        "id": rule.id,
        "shortDescription": {"text": _sentence(rule.summary)},
        "fullDescription": {"text": f"{_sentence(rule.summary)} {_sentence(rule.why)}"},
        "help": {"text": _sentence(rule.fix)},
        "defaultConfiguration": {"level": str(rule.severity)},
    }


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _result(fault: Fault, rule_index: int, sources: Sources, seen: Counter[str]) -> dict[str, Any]:
    path = sources.path(fault.place)
    where = "" if path is None else path.as_posix()
    # What does not change when lines are added above: scanners tell new findings from old by it.
    base = "\0".join((fault.rule, where or str(fault.place))) + "\0"
    text = sources.line(fault.place).strip() or _octets(fault.message)
    digest = hashlib.sha256(_octets(base) + text).hexdigest()[:32]
    seen[digest] += 1
    result: dict[str, Any] = {
        "ruleId": fault.rule,
        "ruleIndex": rule_index,
        "level": str(fault.severity),
        "message": {"text": "\n".join(_parts(fault, path))},
        "partialFingerprints": {"lzcLine/v1": f"{digest}:{seen[digest]}"},
    }
    if path is not None:
        location: dict[str, Any] = {"artifactLocation": _artifact(path)}
        if fault.place.line:
            start = {"startLine": fault.place.line, "startColumn": fault.place.column}
            location["region"] = start
        result["locations"] = [{"physicalLocation": location}]
    return result


def _octets(text: str) -> bytes:
    """UTF-8, in which names of files that are none are the octets they have on disk."""
    return text.encode("utf-8", "surrogateescape")


def _artifact(path: Path) -> dict[str, str]:
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(os.fsencode(path.as_posix())), "uriBaseId": _ROOT}
