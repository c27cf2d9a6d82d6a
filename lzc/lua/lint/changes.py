"""What of a record's code and its results is otherwise from a version of PowerDNS on, and is no
matter of a function: those have theirs in their descriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lzc.lua.definition.function import Change, Function
from lzc.lua.functions import FUNCTIONS
from lzc.lua.program import Program
from lzc.powerdns_versions import Version
from lzc.wire import rrtype as rr

_LANGUAGE: Final = "LuaJIT there has more of Lua 5.2"
_LATER: Final = "use what Lua 5.1 has"

NAMES: Final[Mapping[bytes, tuple[Change, ...]]] = {
    b"dh": (
        Change(
            (5, 1),
            "the header of the query has no methods; before, getRD and others are there",
            "use tcp, dnssecOK and ednsPKTSize, which are there on all versions",
        ),
    ),
    b"localwho": (
        Change((4, 9), "localwho is set; before, it is nil", "use it only where it is not nil"),
    ),
    b"GeoIPQueryAttribute": (
        Change((5, 0), "GeoIPQueryAttribute is there; before, it is nil", "write the numbers"),
    ),
    b"TSIG": (Change((4, 9), "pdns.TSIG is 250; before, it is nil", "write the number"),),
    b"table": (
        Change((5, 1), f"{_LANGUAGE}: table.pack and table.unpack; before, they are nil", _LATER),
    ),
    b"rawlen": (Change((5, 1), f"{_LANGUAGE}: rawlen; before, it is nil", _LATER),),
    b"setmetatable": (
        Change((5, 1), f"{_LANGUAGE}: metamethods such as __pairs; before, there are none", _LATER),
    ),
    b"find": (
        Change(
            (5, 1),
            "string.find gives nothing for a start behind the end of a text; before, the end",
            "compare the start with the length first",
        ),
    ),
    b"randomseed": (
        Change(
            (4, 9),
            "math.randomseed needs no argument; before, one without is an error",
            "leave it out: numbers are random without it",
        ),
    ),
    b"running": (
        Change((5, 1), f"{_LANGUAGE}: coroutine.running; before, it gives nil outside", _LATER),
    ),
}
"""By names in the code: globals, and fields and methods of those."""

_QUOTES: Final = (
    Change(
        (5, 1),
        "texts in a result need no double quotes; before, a result without them is an error",
        "put texts in a result between double quotes: string.char(34)",
    ),
)
_BETWEEN: Final = (
    Change(
        (5, 1),
        "text between two that stand between double quotes is one more; before, it is an error",
        "give each text as a result of its own, without double quotes",
    ),
)
_MAKING: Final = frozenset((b"char", b"format", b"gsub", b"loadstring"))
"""Fields of string, and what runs code, that make a double quote of something else."""
_KEYS: Final = (
    Change(
        (5, 1),
        "dohpath and ohttp are keys of a service; before, they are errors",
        "write keys by their numbers: key7 for dohpath, key8 for ohttp",
    ),
)

RESULTS: Final[Mapping[int, tuple[Change, ...]]] = {
    **dict.fromkeys((rr.SPF, rr.HINFO, rr.CAA, rr.NAPTR, rr.URI), _QUOTES),
    **dict.fromkeys((rr.SVCB, rr.HTTPS), _KEYS),
}
"""By the type that a record answers for."""


def _of(function: Function) -> tuple[Change, ...]:
    if function.since is None:
        return function.changes
    what = f"{function.name} is there; before, it is nil"
    return (Change(function.since, what, "use it once all servers have it"), *function.changes)


_FUNCTIONS: Final = {name.encode(): _of(function) for name, function in FUNCTIONS.items()}


def changes_in(program: Program, one: Version, other: Version) -> list[Change]:
    """What may make a record answer otherwise as one version than as another."""
    first, last = sorted((one, other))
    return [change for change in _changes(program) if first < change.since <= last]


def _changes(program: Program) -> Iterator[Change]:
    for name in sorted(program.names):
        yield from _FUNCTIONS.get(name, ())
        yield from NAMES.get(name, ())
    yield from RESULTS.get(program.covered, ())
    if program.covered == rr.TXT and _may_quote(program):
        yield from _BETWEEN


def _may_quote(program: Program) -> bool:
    """Whether code may make double quotes, other than of what it is given."""
    return not program.names.isdisjoint(_MAKING) or any(b'"' in text for text in program.literals())
