"""How ``lzc test`` tells what it found: text, JSON, JUnit's XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from lzc.foreign_text import one_line, shown
from lzc.rehearse.assumed import STATUS, Circumstances, place_text
from lzc.rehearse.expectation import Expectation, Failure
from lzc.wire import name as wire_name
from lzc.wire import rrtype

_WORDS = {"client": "from", "local": "to", "subnet": "subnet", "place": "place", "time": "at"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one client got: ``failures`` are the rules that do not hold (none: passed), ``runs`` how
    often it asked, ``seconds`` the time all that took; ``reproduce`` is the command line that shows
    the first failure again, and ``explanation`` what it says."""

    expectation: Expectation
    client: Circumstances
    failures: tuple[Failure, ...]
    runs: int
    seconds: float
    reproduce: str
    explanation: str

    @property
    def name(self) -> str:
        """The title; where several clients ask, with the one that did."""
        title = self.expectation.title
        if len(self.expectation.clients) == 1:
            return title
        return f"{title} ({_circumstances_text(self.client)})"


def circumstances(client: Circumstances) -> dict[str, Any]:
    """Who asks, and how the world is; each but ``health``, the statuses of targets, as `lzc query`
    takes it, or `None`."""
    return {
        "client": str(client.client),
        "local": None if client.local is None else str(client.local),
        "subnet": None if client.subnet is None else str(client.subnet),
        "place": None if client.place is None else place_text(client.place),
        "health": {str(target): STATUS[status] for target, status in client.health},
        "time": datetime.fromtimestamp(client.now, UTC).isoformat() if client.clock_set else None,
    }


def _circumstances_text(client: Circumstances) -> str:
    parts = []
    for name, value in circumstances(client).items():
        if name == "health":
            parts += [f"{target} {status}" for target, status in value.items()]
        elif value is not None:
            parts.append(f"{_WORDS[name]} {value}")
    return ", ".join(parts)


def as_text(found: Sequence[Verdict], *, verbose: bool) -> str:
    """The failures in full (with ``verbose`` the others too, a line each), and a summary."""
    lines = []
    for verdict in found:
        if verdict.failures:
            lines += [f"FAILED  {_titled(verdict)}", _details(verdict), ""]
        elif verbose:
            lines.append(f"passed  {_titled(verdict)}")
    failed = sum(bool(verdict.failures) for verdict in found)
    lines.append(f"{len(found)} test(s), {failed} failed")
    return "\n".join(lines)


def _titled(verdict: Verdict) -> str:
    return f"{shown(verdict.expectation.place)}: {shown(verdict.name)}"


def _details(verdict: Verdict) -> str:
    """Lines of ours, for a terminal and for a report."""
    asked = shown(f"{verdict.expectation.question} {_circumstances_text(verdict.client)}")
    lines = [f"    asked     {asked}"]
    for failure in verdict.failures:
        lines.append(f"    expected  {shown(failure.expected)}")
        lines.append(f"    got       {_got(verdict, failure)}")
    if verdict.explanation:
        lines.append("    because")
        because = verdict.explanation.splitlines()[1:]
        lines += [f"        {line.removeprefix(';; ')}" for line in because]
    lines.append(f"    again     {one_line(verdict.reproduce)}")
    return "\n".join(lines)


def _got(verdict: Verdict, failure: Failure) -> str:
    if verdict.runs <= 1:
        return shown(failure.got)
    seen = f"in {failure.runs} of {verdict.runs} runs, first with seed {failure.seed}"
    return f"{shown(failure.got)} ({seen})"


def as_dict(found: Sequence[Verdict]) -> dict[str, Any]:
    """The result for scripts."""
    return {
        "tests": len(found),
        "failed": sum(bool(verdict.failures) for verdict in found),
        "results": [
            {
                "title": verdict.expectation.title,
                "file": verdict.expectation.place.file,
                "line": verdict.expectation.place.line,
                **_asked(verdict),
                "passed": not verdict.failures,
                "runs": verdict.runs,
                "seconds": round(verdict.seconds, 6),
                "failures": [failure._asdict() for failure in verdict.failures],
                "reproduce": verdict.reproduce,
            }
            for verdict in found
        ],
    }


def _asked(verdict: Verdict) -> dict[str, Any]:
    expectation = verdict.expectation
    return {
        "name": wire_name.to_text(expectation.qname),
        "type": rrtype.to_text(expectation.qtype),
        **circumstances(verdict.client),
    }


def as_junit(found: Sequence[Verdict], seconds: float) -> bytes:
    """The result as JUnit's XML: a suite for each file, a case for each test and client."""
    root = ET.Element("testsuites", {"name": "lzc test", **_totals(found, seconds)})
    for file, group in groupby(found, lambda verdict: verdict.expectation.place.file):
        verdicts = list(group)
        spent = sum(verdict.seconds for verdict in verdicts)
        suite = ET.SubElement(root, "testsuite", {"name": _xml(file), **_totals(verdicts, spent)})
        for verdict in verdicts:
            _add_case(suite, verdict)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _totals(found: Sequence[Verdict], seconds: float) -> dict[str, str]:
    failed = sum(bool(verdict.failures) for verdict in found)
    return {
        "tests": str(len(found)),
        "failures": str(failed),
        "errors": "0",
        "skipped": "0",
        "time": f"{seconds:.6f}",
    }


def _add_case(suite: ET.Element, verdict: Verdict) -> None:
    place = verdict.expectation.place
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_xml(place.file),
        name=_xml(verdict.name),
        time=f"{verdict.seconds:.6f}",
        file=_xml(place.file),
        line=str(place.line),
    )
    properties = ET.SubElement(case, "properties")
    facts = {**_asked(verdict), "runs": verdict.runs, "reproduce": verdict.reproduce}
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{target} {status}" for target, status in value.items())
        if value not in (None, ""):
            ET.SubElement(properties, "property", name=name, value=_xml(str(value)))
    if verdict.failures:
        first = verdict.failures[0]
        message = _xml(f"expected {first.expected}, got {first.got}")
        failure = ET.SubElement(case, "failure", message=message, type="expectation")
        failure.text = "\n" + _details(verdict) + "\n"


def _xml(text: str) -> str:
    """Without what XML 1.0 §2.2 has no way to write, none of which prints."""
    return shown(text, None)
