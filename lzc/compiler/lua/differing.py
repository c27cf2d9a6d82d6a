"""LUA records that answer otherwise as one version of PowerDNS than as another.

What may be otherwise is told by what stands in the code (`lzc.lua.lint.changes`); such records are
run as both versions, and only those are told of whose answers really differ, with both of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from lzc.compiler.lua.programs import Programs
from lzc.compiler.lua.trials import Trial, Trials
from lzc.faults import Fault, unpack
from lzc.lua.definition.function import Change
from lzc.lua.functions import INCLUDING, OF_NAME
from lzc.lua.lint.changes import changes_in
from lzc.lua.lint.rules import RULES
from lzc.lua.program import Program
from lzc.powerdns_versions import Version, nearest, shown
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.zone.model import KEY, PLACE, Record, Zone

if TYPE_CHECKING:
    from lzc.compiler.lua.discover import Circumstance, Outcome
    from lzc.lua.engine.execution import QueryContext, StoredRecords

EXEC_LIMIT: Final = 100_000
"""Instructions of an execution that is compared: what a version ends is told elsewhere."""
_CLIENTS: Final[Sequence[tuple[bytes, tuple[bytes, int] | None]]] = (
    (bytes((192, 0, 2, 1)), None),
    (bytes((198, 51, 100, 7)), None),
    (bytes.fromhex("20010db8000000000000000000000001"), None),
    (bytes((203, 0, 113, 250)), (bytes((198, 51, 100, 0)), 24)),
)
"""Of IPv4 and of IPv6, and one whose resolver sends its network (RFC 7871)."""
_WORDS: Final = (b"www", b"any", b"other")
_NIBBLES: Final = tuple(b"%x" % nibble for nibble in range(16))
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


_Key = tuple[bytes, bytes, int, bytes]
"""The code as each side joins it, the type it answers for, and what it may see of its owner."""


@dataclass(slots=True)
class _Comparison:
    """Code that is run as both versions: as each side joins it, what may be otherwise, what it is
    asked, the type it answers for, and what was found: the number of the question, the
    circumstances, both answers."""

    codes: tuple[bytes, bytes]
    changes: Sequence[Change]
    queries: Sequence[QueryContext]
    covered: int
    difference: tuple[int, str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """A zone's LUA records as a server of a version has them; ``lookup`` is what ``dblookup``
    finds."""

    programs: Programs
    version: Version
    lookup: StoredRecords = lambda _name, _code: ()

    def trials(self, memory_limit: int) -> Trials:
        """What runs their code."""
        return Trials(
            self.programs.included_code(),
            self.lookup,
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
    """The records that answer otherwise as one side than as the other, in the order of the zone;
    of those that a directive makes, one of each code. Both sides have the same records, whose
    strings may be joined in different ways."""
    compared: dict[_Key, _Comparison] = {}
    suspects: list[tuple[Record, _Comparison]] = []
    seen: set[tuple[int, bytes, bytes]] = set()
    for record, record_there in zip(one.programs.records, other.programs.records, strict=True):
        program, there = one.programs.of(record), other.programs.of(record_there)
        if program.is_included:
            continue
        changes = _changes(one.programs, program, one.version, other.version)
        if not changes and _means_the_same(program, there):
            continue
        at_place = record[PLACE], program.code, there.code
        if at_place in seen:
            continue
        seen.add(at_place)
        codes = program.code, there.code
        key = *codes, program.covered, _who_asks(one.programs, record, program)
        found = compared.get(key)
        if found is None:
            queries = list(_queries(one.programs, record, changes))
            found = compared[key] = _Comparison(codes, changes, queries, program.covered)
        suspects.append((record, found))
    if not compared:
        return []
    answers = [
        side.trials(memory_limit).answers(
            [Trial(found.codes[at], found.queries) for found in compared.values()]
        )
        for at, side in enumerate((one, other))
    ]
    for found, *both in zip(compared.values(), *answers, strict=True):
        found.difference = _difference(found, both, one.version, other.version)
    return [
        Differing(
            record, _asked(one.programs, record, found), *difference[2:], tuple(found.changes)
        )
        for record, found in suspects
        if (difference := found.difference) is not None
    ]


def _who_asks(programs: Programs, record: Record, program: Program) -> bytes:
    """A record's owner, where its answers may depend on that, or on which names are asked."""
    depends = wire_name.is_wildcard_key(record[KEY]) or program.may_reach((*OF_NAME, *INCLUDING))
    return programs.zone.owner(record) if depends else b""


def _asked(programs: Programs, record: Record, found: _Comparison) -> str:
    """Which question about a record shows the difference."""
    assert found.difference is not None
    at, where, *_ = found.difference
    name = [*_queries(programs, record, found.changes)][at].qname
    return f"{wire_name.to_text(name)}{where}"


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
    programs: Programs, record: Record, changes: Sequence[Change]
) -> Iterator[QueryContext]:
    """What the record is asked: its name, or names below a wildcard that show what changed."""
    from lzc.lua.engine.execution import QueryContext

    zone = programs.zone
    names = [zone.owner(record)]
    encloser = len(wire_name.labels_of(names[0]))
    if wire_name.is_wildcard_key(record[KEY]):
        encloser -= 1
        names = list(_below(zone, record, changes))
    for name in names:
        for client, subnet in _CLIENTS:
            yield QueryContext(
                name, zone.apex, client, subnet, client, encloser=encloser, flags=0x0100
            )


def _below(zone: Zone, record: Record, changes: Sequence[Change]) -> Iterator[bytes]:
    """Names that a wildcard answers for (RFC 4592 §3.3.1), which show what changed."""
    below = wire_name.labels_of(zone.owner(record))[1:]
    shown = dict.fromkeys(label for change in changes for label in change.labels)
    forms = [[*filter(partial(_is_free, zone, record), [[word] for word in _WORDS])][:1]]
    for label in shown:
        labels = [part.encode() for part in label.split(".")]
        ways = [labels]
        if len(label) == 1 and below[-2:] == [b"ip6", b"arpa"]:
            # A single nibble stands for as many as make an address.
            missing = 32 - len(below) + 2 - 1
            ways = [[*labels, *[b"0"] * (missing - 1), last] for last in _NIBBLES[: missing * 16]]
            ways = ways or [labels]
        forms.append([*filter(partial(_is_free, zone, record), ways)][:1])
    for found in forms:
        for labels in found:
            with suppress(wire_name.InvalidName):
                yield wire_name.from_labels([*labels, *below])


def _is_free(zone: Zone, record: Record, labels: Sequence[bytes]) -> bool:
    """Whether nothing of the zone is at the next closer name of labels in front of a wildcard's
    encloser, or below it, so that the wildcard answers."""
    key = record[KEY][:-1] + wire_name.key_of_labels([labels[-1].lower()])
    at = bisect_left(zone.records, (key,))
    if at == len(zone.records):
        return True
    found = zone.records[at][KEY]
    return found != key and not found.startswith(key + b"\0")


def _difference(
    found: _Comparison,
    both: Sequence[list[Mapping[Circumstance, frozenset[Outcome]]] | None],
    one: Version,
    other: Version,
) -> tuple[int, str, str, str] | None:
    """The first question that has two answers: its number, under which circumstances, and each of
    them."""
    first, second = both
    if first is None or second is None:
        return None
    covered = found.covered
    for number, (here, there) in enumerate(zip(first, second, strict=True)):
        for where in sorted(here.keys() | there.keys()):
            ours = _read(here.get(where, frozenset()), covered, one)
            theirs = _read(there.get(where, frozenset()), covered, other)
            if ours != theirs:
                circumstances = f" with checks {where[0]}" if where[0].startswith("all") else ""
                return number, circumstances, _shown(ours, covered), _shown(theirs, covered)
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
