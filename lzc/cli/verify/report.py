"""How ``lzc verify --dnssec`` tells what it found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

from lzc.foreign_text import shown
from lzc.rehearse.survey.inspection import Findings
from lzc.rehearse.survey.survey import SurveyedZone
from lzc.wire import name as wire_name

_SHOWN: Final = 20
"""Problems of a zone that text shows."""


def as_text(
    zones: Sequence[SurveyedZone],
    plain: Sequence[str],
    own: Sequence[str],
    identity: str | None,
    server: tuple[str, int] | None,
    now: float,
) -> str:
    """One line a zone, problems below it, and a last line for all. ``plain`` are zones that are not
    signed, ``own`` those whose own keys were trusted."""
    lines: list[str] = []
    for zone in zones:
        lines += _zone_text(zone, now)
    if plain:
        lines.append(f"not signed: {', '.join(map(shown, plain))}")
    if own:
        lines.append(
            "presigned, so that their own keys were trusted, for want of --ds:"
            f" {', '.join(map(shown, own))}"
        )
    total = Findings()
    for zone in zones:
        total.questions += zone.findings.questions
        total.bogus += zone.findings.bogus
    of = f"of {_endpoint(server)}" if server is not None else f"of bundle {identity}"
    state = f"{total.bogus} bogus" if total.bogus else "none bogus"
    lines.append(f"{len(zones)} zone(s), {total.questions} answers {of} at {_time(now)}: {state}")
    return "\n".join(lines)


def _zone_text(zone: SurveyedZone, now: float) -> list[str]:
    found = zone.findings
    name = shown(wire_name.to_text(zone.apex))
    counts = [f"{found.secure} secure"]
    counts += [f"{sum(found.insecure.values())} insecure"] if found.insecure else []
    counts += [f"{found.bogus} bogus"] if found.bogus else []
    line = f"{name}: {found.questions} answers"
    if zone.sampled:
        line += f" about {zone.count} names by chance, not about all"
    line += f": {', '.join(counts)}"
    if isfinite(found.until):
        line += f"; the first signature expires {_time(found.until)}, {_left(found.until - now)}"
    lines = [line]
    for reason, count in found.insecure.most_common(_SHOWN):
        lines.append(f"  insecure ({count}): {shown(reason)}")
    for problem in found.problems[:_SHOWN]:
        lines.append(f"  bogus: {shown(problem.question)}: {shown(problem.text)}")
    more = len(found.problems) - _SHOWN
    if more > 0:
        lines.append(f"  and {more} more problem(s); --format json has up to 1,000")
    return lines


def as_dict(
    zones: Sequence[SurveyedZone],
    plain: Sequence[str],
    own: Sequence[str],
    identity: str | None,
    server: tuple[str, int] | None,
    now: float,
) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "bundle": identity,
        "server": _endpoint(server) if server is not None else None,
        "at": _time(now),
        "bogus": sum(zone.findings.bogus for zone in zones),
        "not_signed": list(plain),
        "own_keys_trusted": list(own),
        "zones": [_zone_dict(zone, now) for zone in zones],
    }


def _zone_dict(zone: SurveyedZone, now: float) -> dict[str, Any]:
    found = zone.findings
    until = found.until if isfinite(found.until) else None
    return {
        "zone": wire_name.to_text(zone.apex),
        "sampled": zone.sampled,
        "answers": found.questions,
        "secure": found.secure,
        "insecure": dict(found.insecure.most_common()),
        "bogus": found.bogus,
        "signatures_until": None if until is None else _time(until),
        "seconds_left": None if until is None else int(until - now),
        "problems": [
            {"question": problem.question, "problem": problem.text} for problem in found.problems
        ],
    }


def _endpoint(server: tuple[str, int]) -> str:
    address, port = server
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _left(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86400)
    return f"in {days} day(s) {rest // 3600} h"
