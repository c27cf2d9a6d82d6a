"""LUA records that answer otherwise as one version of PowerDNS than as another.

What may be otherwise is told by what stands in the code (`lzc.lua.lint.changes`); such records are
run as both versions, and only those are told of whose answers really differ, with both of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from lzc.compiler.lua.programs import Programs
from lzc.compiler.lua.trials import Trial, Trials
from lzc.faults import Fault, unpack
from lzc.lua.definition.function import Change
from lzc.lua.functions import INCLUDING
from lzc.lua.lint.changes import changes_in
from lzc.lua.lint.rules import RULES
from lzc.lua.program import Program
from lzc.powerdns_versions import Version, nearest, shown
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.zone.model import KEY, PLACE, Record

if TYPE_CHECKING:
    from lzc.compiler.lua.discover import Circumstance, Outcome
    from lzc.lua.engine.engine import QueryContext

EXEC_LIMIT: Final = 100_000
"""Instructions of an execution that is compared: what a version ends is told elsewhere."""
_CLIENTS: Final = (bytes((192, 0, 2, 1)), bytes((198, 51, 100, 7)), bytes((203, 0, 113, 250)))
_LONGEST: Final = 60
_MOST_SHOWN: Final = 3


class Differing(NamedTuple):
    """A record whose answers differ: what was asked under which circumstances, the answer as one
    version and as the other, and what changed between them."""

    record: Record
    asked: str
    one: str
    other: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """A zone's LUA records as a server of a version has them."""

    programs: Programs
    version: Version

    def trials(self, memory_limit: int) -> Trials:
        """What runs their code."""
        return Trials(
            self.programs.included_code(),
            lambda _name, _code: (),
            EXEC_LIMIT,
            memory_limit,
            nearest(self.version),
        )


def differing_faults(one: Side, other: Side, memory_limit: int, who: str) -> list[Fault]:
    """A warning for each record that answers otherwise as the other side, which ``who`` is."""
    return [fault_of(found, one, who) for found in differing(one, other, memory_limit)]


def fault_of(found: Differing, side: Side, who: str) -> Fault:
    """What is told of a record that answers otherwise than a side does."""
    message = (
        f"{found.asked}: powerdns-{shown(side.version)} answers {found.one};"
        f" {who} answers {found.other}"
    )
    why = "; ".join(f"from {shown(change.since)} on, {change.what}" for change in found.changes)
    fix = "; ".join(dict.fromkeys(change.fix for change in found.changes))
    place = unpack(found.record[PLACE], side.programs.zone.files)
    return RULES["lua-version-differs"].fault(place, message, why, fix)


def differing(one: Side, other: Side, memory_limit: int) -> list[Differing]:
    """The records that answer otherwise as one side than as the other, in the order of the zone.
    Both sides have the same records, whose strings may be joined in different ways."""
    asked: list[tuple[Record, list[Change], list[QueryContext], bytes, bytes]] = []
    seen: set[tuple[bytes, bytes, bytes, int]] = set()
    for record, record_there in zip(one.programs.records, other.programs.records, strict=True):
        program, there = one.programs.of(record), other.programs.of(record_there)
        if program.is_included:
            continue
        changes = _changes(one.programs, program, one.version, other.version)
        if not changes and _means_the_same(program, there):
            continue
        owner = one.programs.zone.owner(record)
        key = (program.code, there.code, owner[:2], program.covered)
        if key in seen:
            continue
        seen.add(key)
        queries = list(_queries(one.programs, record, program, changes))
        asked.append((record, changes, queries, program.code, there.code))
    if not asked:
        return []
    answers = []
    for side, position in ((one, 3), (other, 4)):
        trials = [Trial(item[position], item[2]) for item in asked]  # type: ignore[arg-type]
        answers.append(side.trials(memory_limit).answers(trials))
    found = []
    for item, *both in zip(asked, *answers, strict=True):
        record, changes, queries, _, _ = item
        covered = one.programs.of(record).covered
        told = _difference(queries, both, covered, one.version, other.version)
        if told is not None:
            found.append(Differing(record, *told, tuple(changes)))
    return found


def _changes(programs: Programs, program: Program, one: Version, other: Version) -> list[Change]:
    found = changes_in(program, one, other)
    if not program.names.isdisjoint(INCLUDING):
        for included in programs.includable():
            found += changes_in(included, one, other)
    return list(dict.fromkeys(found))


def _means_the_same(program: Program, there: Program) -> bool:
    """Whether code that was joined in two ways has the same tokens."""
    if program.code == there.code:
        return True
    try:
        texts = [
            [one.tokens.text(at) for at in range(len(one.tokens.types))] for one in (program, there)
        ]
    except ValueError:
        return False
    return texts[0] == texts[1]


def _queries(
    programs: Programs, record: Record, program: Program, changes: Sequence[Change]
) -> Iterator[QueryContext]:
    """What the record is asked: its name, or names below a wildcard that show what changed."""
    from lzc.lua.engine.engine import QueryContext

    zone = programs.zone
    owner = zone.owner(record)
    names = [owner]
    encloser = len(wire_name.labels_of(owner))
    if wire_name.is_wildcard_key(record[KEY]):
        encloser -= 1
        below = wire_name.labels_of(owner)[1:]
        labels = dict.fromkeys(label for change in changes for label in change.labels)
        names = []
        for label in ("www", *labels):
            made = _name(label, below)
            if made is not None:
                names.append(made)
    for name in names:
        for client in _CLIENTS:
            yield QueryContext(
                name, zone.apex, client, local=client, encloser=encloser, flags=0x0100
            )


def _name(label: str, below: list[bytes]) -> bytes | None:
    """Labels below a wildcard. A single nibble stands for as many as make an address."""
    labels = [part.encode() for part in label.split(".")]
    if len(label) == 1 and below[-2:] == [b"ip6", b"arpa"]:
        labels = [labels[0], *[b"0"] * (32 - len(below) + 2 - 1)]
    try:
        return wire_name.from_labels([*labels, *below])
    except wire_name.InvalidName:
        return None


def _difference(
    queries: Sequence[QueryContext],
    both: Sequence[list[Mapping[Circumstance, frozenset[Outcome]]] | None],
    covered: int,
    one: Version,
    other: Version,
) -> tuple[str, str, str] | None:
    """The first question that has two answers: what was asked, and each of them."""
    first, second = both
    if first is None or second is None:
        return None
    for query, here, there in zip(queries, first, second, strict=True):
        for where in sorted(here.keys() | there.keys()):
            ours = _read(here.get(where, frozenset()), covered, one)
            theirs = _read(there.get(where, frozenset()), covered, other)
            if ours != theirs:
                name = wire_name.to_text(query.qname)
                circumstances = f" with checks {where[0]}" if where[0].startswith("all") else ""
                return f"{name}{circumstances}", _shown(ours, covered), _shown(theirs, covered)
    return None


_Read = frozenset[tuple[bytes, ...] | None]


def _read(outcomes: frozenset[Outcome], covered: int, version: Version) -> _Read:
    """As RDATA, in no order; `None` for SERVFAIL."""
    found: set[tuple[bytes, ...] | None] = set()
    for outcome in outcomes:
        try:
            read = [
                wire_rdata.from_result(covered, text, nearest(version)) for text in outcome or ()
            ]
            found.add(None if outcome is None else tuple(sorted(set(read))))
        except wire_rdata.InvalidRdata:
            found.add(None)
    return frozenset(found)


def _shown(outcomes: _Read, covered: int) -> str:
    texts = sorted(_text(outcome, covered) for outcome in outcomes)
    more = ["…"] if len(texts) > _MOST_SHOWN else []
    return " or ".join([*texts[:_MOST_SHOWN], *more])


def _text(outcome: tuple[bytes, ...] | None, covered: int) -> str:
    if outcome is None:
        return "SERVFAIL"
    found = ", ".join(wire_rdata.to_text(covered, rdata) for rdata in outcome) or "NODATA"
    return found if len(found) <= _LONGEST else f"{found[: _LONGEST - 1]}…"
