"""How ``lzc query --explain`` says in words why an answer is what it is."""

from __future__ import annotations

import itertools
from typing import Any, Final

from lzc.answer.match import MatchKind
from lzc.cli.query.output import Shown
from lzc.foreign_text import code, one_line, shown
from lzc.health_check import Check
from lzc.lua.engine.geo import GeoFields
from lzc.lua.syntax.layout import lay_out
from lzc.rehearse.assumed import STATUS
from lzc.rehearse.execution import Execution
from lzc.rehearse.explain import Explanation, Step
from lzc.serve.health.outcome import as_written, without_password

_OUTCOMES: Final = 16
"""Outcomes of chance that the text lists; JSON has them all."""

_NOT_KNOWN: Final = "not known yet, which counts as down"
_INDENT: Final = "    "


def as_dict(explanation: Explanation, answer: Shown) -> dict[str, Any]:
    """The explanation for scripts of why an answer is what it is."""
    return {
        "zone": explanation.zone,
        "serial": explanation.serial if explanation.zone else None,
        "lua": explanation.lua,
        "signed": explanation.signed,
        "denial": explanation.denial or None,
        "steps": [_step_dict(step) for step in explanation.steps],
        "records": [_execution_dict(execution) for execution in explanation.executions],
        "why": _why(explanation, answer),
    }


def _step_dict(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "zone": step.zone,
        "match": step.kind.name.lower(),
        "node": step.node,
        "types": list(step.types),
        "lua-types": list(step.covered),
        "empty-non-terminal": step.is_ent,
        "blocked-wildcard": step.blocked or None,
        "target": step.target or None,
    }


def _execution_dict(execution: Execution) -> dict[str, Any]:
    return {
        "owner": execution.owner,
        "name": execution.qname,
        "type": execution.covered,
        "ttl": execution.ttl,
        "code": _code_text(execution.code),
        "plan": {"operation": execution.plan, "answered": not execution.ran}
        if execution.plan
        else None,
        "results": list(execution.results),
        "failure": {"message": execution.failure, "line": execution.line or None}
        if execution.failure
        else None,
        "checks": [
            {
                "check": _check_text(check),
                "address": check.address,
                "status": STATUS[status],
                "refused": str(execution.refused[check]) if check in execution.refused else None,
            }
            for check, status in execution.checks.items()
        ],
        "places": [{"address": address, **place} for address, place in execution.places.items()],
        "includes": [
            {
                "name": included.name,
                "code": None if included.code is None else _code_text(included.code),
            }
            for included in execution.includes
        ],
        "instructions": execution.instructions,
        "instruction-limit": execution.limit or None,
        "runs": execution.runs,
        "random": execution.chance,
        "outcomes": [
            {"results": list(outcome), "runs": count}
            for outcome, count in execution.outcomes.most_common()
        ],
    }


def _code_text(code: bytes) -> str:
    return code.decode("utf-8", "backslashreplace").strip()


def _check_text(check: Check) -> str:
    """A health check in a few words."""
    if not check.url:
        return f"TCP port {check.port} of {check.address}"
    text = without_password(check.url)
    if check.address:
        text += f" at {check.address}"
    if check.stringmatch:
        text += f", holding '{as_written(check.stringmatch)}'"
    return text if check.httpcode == 200 else f"{text}, status {check.httpcode}"


def as_text(explanation: Explanation, answer: Shown) -> str:
    """The explanation for people, each line a comment as dig has them."""
    lines = ["EXPLANATION:"]
    if explanation.zone is not None:
        signed = f"signed ({explanation.denial})" if explanation.signed else "not signed"
        lua = "LUA records run" if explanation.lua else "LUA is off"
        lines.append(f"zone {explanation.zone} serial {explanation.serial}, {signed}, {lua}")
    executions = list(explanation.executions)
    for step in explanation.steps:
        lines.append(_step_text(step))
        for execution in [each for each in executions if each.qname.lower() == step.name]:
            executions.remove(execution)
            lines += [_INDENT + line for line in _execution_lines(execution)]
        if step.target:
            lines.append(f"{step.name} is an alias (CNAME) of {step.target}")
    lines.append(shown(_why(explanation, answer)))
    return "\n".join(f";; {one_line(line, None)}" for line in lines)


def _step_text(step: Step) -> str:
    name, node = step.name, step.node
    if step.kind is MatchKind.EXACT:
        if step.is_ent:
            return f"{name} is an empty non-terminal: only names below it own records"
        return f"{name} exists, with {_types(step)}"
    if step.kind is MatchKind.WILDCARD:
        return f"{name} does not exist; the wildcard {node} answers, with {_types(step)}"
    if step.kind is MatchKind.DELEGATION:
        if name == node:
            return f"{name} is delegated to other name servers"
        return f"{name} belongs to {node}, which is delegated to other name servers"
    if step.kind is MatchKind.DNAME:
        return f"{name} is below {node}, whose DNAME moves all names below it"
    text = f"{name} does not exist; its closest encloser {node} has no wildcard"
    if step.blocked:
        text += f", and as {node} exists, {step.blocked} does not reach this far"
    return text


def _types(step: Step) -> str:
    plain = [kind for kind in step.types if kind != "LUA"]
    lua = [f"LUA {covered}" for covered in step.covered]
    return ", ".join([*plain, *lua]) or "no records"


def _execution_lines(execution: Execution) -> list[str]:
    lines = [f"LUA {execution.covered} at {execution.owner} TTL {execution.ttl}:"]
    lines += _code_lines(execution.code)
    for included in execution.includes:
        if included.code is None:
            lines.append(f"included {shown(included.name)}: there is no LUA record of type LUA")
        else:
            lines.append(f"included {shown(included.name)}:")
            lines += _code_lines(included.code)
    for check, status in execution.checks.items():
        said = execution.refused.get(check) or (_NOT_KNOWN if status is None else STATUS[status])
        lines.append(f"health check: {shown(_check_text(check))}: {shown(str(said))}")
    for address, place in execution.places.items():
        lines.append(f"place of {address}: {shown(_place_text(place))}")
    if execution.plan:
        answered = "left this query to the code" if execution.ran else "answered, no Lua was run"
        lines.append(f"plan: {execution.plan}; it {answered}")
    if execution.instructions is not None:
        lines.append(f"instructions: {execution.instructions} of {execution.limit}")
    if execution.failure:
        at = f" (line {execution.line} of the code)" if execution.line else ""
        lines.append(f"failed: {shown(execution.failure)}{at}")
    else:
        lines.append(f"returned: {_outcome_text(execution.results)}")
    if not execution.chance:
        lines.append("chance: none; this client gets the same as long as health and place stay")
        return lines
    count = len(execution.outcomes)
    lines.append(f"chance: {count} different result(s) seen in {execution.runs} runs:")
    for outcome, seen in itertools.islice(execution.outcomes.most_common(), _OUTCOMES):
        share = 100 * seen / execution.runs
        lines.append(f"{_INDENT}{share:5.1f} % {_outcome_text(outcome)}")
    if count > _OUTCOMES:
        lines.append(f"{_INDENT}and {count - _OUTCOMES} more")
    return lines


def _code_lines(written: bytes) -> list[str]:
    return [f"{_INDENT}| {code(line)}" for line in lay_out(written)]


def _outcome_text(outcome: tuple[str, ...]) -> str:
    return ", ".join(map(shown, outcome)) if outcome else "an empty list: NODATA"


def _place_text(place: GeoFields) -> str:
    names = ("continent", "country", "region", "city")
    parts = [f"{name} {place[name]}" for name in names if name in place]
    if "latitude" in place and "longitude" in place:
        parts.append(f"at {place['latitude']} {place['longitude']}")
    if "asn" in place:
        parts.append(f"AS{place['asn']}")
    return ", ".join(parts) or "not known"


def _why(explanation: Explanation, answer: Shown) -> str:
    """The reason for an answer's RCODE and its number of RRs, in one sentence."""
    status, answers = answer.status, sum(map(len, answer.message.answer))
    if status == "REFUSED" and explanation.zone is None:
        return f"REFUSED: {explanation.qname} is in none of the bundle's zones"
    if status == "SERVFAIL":
        return f"SERVFAIL: {explanation.failure or 'see above'}"
    if status == "YXDOMAIN":
        return "YXDOMAIN: the name that the DNAME makes is longer than 255 octets"
    if not explanation.steps or status not in ("NOERROR", "NXDOMAIN"):
        return f"{status}: a query of this kind looks nothing up"
    last = explanation.steps[-1]
    if status == "NXDOMAIN":
        return f"NXDOMAIN: {last.name} does not exist, and no wildcard stands in for it"
    if last.kind is MatchKind.MISSING:
        return f"{status}: {last.name} does not exist; compact denial has it exist with nothing"
    if last.kind is MatchKind.DELEGATION and explanation.qtype != "DS":
        return f"{status}: a referral to the name servers of {last.node}"
    if last.target:
        return f"{status}: {last.target} is in none of the bundle's zones, or was followed already"
    if not answers or (len(explanation.steps) > 1 and not _has_answer(explanation, last)):
        return f"NODATA: {_no_data(explanation, last)}"
    return f"{status}: {answers} record(s) in the answer"


def _has_answer(explanation: Explanation, last: Step) -> bool:
    if explanation.qtype in last.types:
        return True
    return any(execution.results for execution in _executions(explanation, last))


def _executions(explanation: Explanation, step: Step) -> list[Execution]:
    """Those of LUA records that were asked at the name of a step."""
    return [each for each in explanation.executions if each.qname.lower() == step.name]


def _no_data(explanation: Explanation, last: Step) -> str:
    qtype = explanation.qtype
    if last.is_ent:
        return f"{last.node} is an empty non-terminal, which owns no records"
    if qtype == "LUA":
        return "LUA records are code, which is never given out"
    if any(not execution.results for execution in _executions(explanation, last)):
        return f"the LUA record of {last.node} returned an empty list"
    if last.covered and not explanation.lua:
        return f"{last.node} has LUA records, but LUA is off (enable in [lua] of lzc.toml)"
    return f"{last.node} has no {qtype}"
