"""Why an answer is what it is: what was written down while it was made (`lzc.rehearse.watch`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lzc.answer.exchange import DAMAGE
from lzc.answer.match import MatchKind, match
from lzc.answer.zone import ServedZone
from lzc.bundle import node as nodes
from lzc.bundle.node import DELEGATION, ENT, WILDCARD_CHILD
from lzc.rehearse.assumed import Circumstances
from lzc.rehearse.execution import Execution
from lzc.rehearse.rehearsal import Answer, Scene, Staging
from lzc.rehearse.watch import Visit, Watch
from lzc.wire import name as wire_name
from lzc.wire import rrtype
from lzc.wire.name import wildcard_of


@dataclass(frozen=True, slots=True)
class Step:
    """One name that was looked up. Names are in presentation format.

    ``kind`` is how it was matched, and ``node`` the owner of the node that decides: the name
    itself, a wildcard, a delegation point, the owner of a DNAME, or the closest encloser of a name
    that does not exist. ``types`` are the RR types there, LUA as itself; ``covered`` those that LUA
    records answer for. ``is_ent``: an empty non-terminal. ``blocked``: a wildcard further up that
    does not reach this far (RFC 4592 §3.3.1), or empty. ``target``: where an alias leads, or empty.
    """

    name: str
    zone: str
    kind: MatchKind
    node: str
    types: tuple[str, ...]
    covered: tuple[str, ...]
    is_ent: bool
    blocked: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found: ``zone`` is the one asked first, `None` where the name is in none of them;
    ``serial`` that zone's; ``lua`` whether LUA is on for it, ``denial`` how it denies, empty where
    it is not signed. ``failure`` is why the look-up ended
    with SERVFAIL, or empty."""

    qname: str
    qtype: str
    zone: str | None
    serial: int
    lua: bool
    signed: bool
    denial: str
    steps: tuple[Step, ...]
    executions: tuple[Execution, ...]
    failure: str


def explain(
    staging: Staging, circumstances: Circumstances, qname: bytes, qtype: int, seed: int
) -> tuple[Answer, Explanation] | None:
    """The answer to a question (a name in wire format) with a seed, and what happened while it was
    made; `None` where a server keeps silent.

    Where chance has a part in it, the question is asked on with other seeds, for all outcomes.
    """
    watch = Watch(staging.refusal, 0 if staging.lua is None else staging.lua.exec_limit)
    answers = Scene(staging, circumstances, watch).ask_often(qname, qtype, seed)
    answer = next(answers, None)
    if answer is None:
        return None
    found = _explanation(staging, watch, qname, qtype, answer)
    records = dict(_numbered(found.executions))
    for execution in found.executions:
        execution.outcomes[execution.outcome] += 1
    for _ in answers:
        for which, other in _numbered(watch.executions):
            record = records.get(which)
            if record is not None and record.chance:
                record.runs += 1
                record.outcomes[other.outcome] += 1
    return answer, found


def _numbered(executions: Iterable[Execution]) -> Iterator[tuple[tuple[object, ...], Execution]]:
    """Each with what it is known by in other answers to the same query; records at one name may
    have the same code."""
    before: Counter[tuple[object, ...]] = Counter()
    for execution in executions:
        which = execution.qname, execution.owner, execution.covered, execution.code
        yield (*which, before[which]), execution
        before[which] += 1


def _explanation(
    staging: Staging, watch: Watch, qname: bytes, qtype: int, answer: Answer
) -> Explanation:
    first = watch.first
    if first is None:
        # A query that was refused for its type.
        view = staging.bundle.find_zone(qname.lower())
        first = None if view is None else view.info
    return Explanation(
        wire_name.to_text(qname),
        rrtype.to_text(qtype),
        None if first is None else wire_name.to_text(first.apex),
        0 if first is None else first.serial,
        first is not None and first.lua and staging.lua is not None,
        first is not None and first.signed,
        str(first.denial) if first is not None and first.signed else "",
        tuple(step for visit in watch.visits if (step := _step(visit)) is not None),
        tuple(watch.executions),
        answer.reasons[0] if answer.reasons else "",
    )


def _step(visit: Visit) -> Step | None:
    """How a name was matched; `None` where a node could not be read."""
    zone, name = visit.zone, visit.name
    try:
        found = match(zone, wire_name.key_of(name, zone.apex))
    except DAMAGE:
        return None
    node = found.node
    return Step(
        wire_name.to_text(name),
        wire_name.to_text(zone.apex),
        found.kind,
        wire_name.to_text(wire_name.relative_of_key(found.key) + zone.apex),
        tuple(rrtype.to_text(kind) for kind in nodes.types(node)),
        tuple(dict.fromkeys(rrtype.to_text(record.covered) for record in nodes.lua_records(node))),
        bool(node[0] & ENT),
        _blocked_wildcard(zone, found.key) if found.kind is MatchKind.MISSING else "",
        "" if visit.target is None else wire_name.to_text(visit.target),
    )


def _blocked_wildcard(zone: ServedZone, encloser: bytes) -> str:
    """The nearest wildcard above a closest encloser, or nothing."""
    key = encloser
    while key:
        key = key.rpartition(b"\x00")[0]
        node = zone.node(key) if key else zone.apex_node
        if node is not None and node[0] & WILDCARD_CHILD and not node[0] & DELEGATION:
            return wire_name.to_text(wire_name.relative_of_key(wildcard_of(key)) + zone.apex)
    return ""
