"""What is known of the code of a record without running it."""

from __future__ import annotations

import pytest

from lzc.compiler.lua.programs import MAX_OCTETS, Programs
from lzc.lua.functions import OF_DATABASES, OF_ZONE
from lzc.lua.program import CLOCK, Program
from lzc.lua.syntax.tree import LuaSyntaxError
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from tests.unit.compiling import HEAD, wire
from tests.unit.zone_text import read_zone_text

APEX = wire("example.org")


def programs(text: str) -> Programs:
    zone, faults = read_zone_text((HEAD + text).encode(), APEX, "z.zone")
    assert not faults
    zone.records.sort()
    return Programs(zone, insert_whitespace=False)


@pytest.mark.parametrize(
    ("code", "clock", "databases", "zone"),
    [
        ("os.time() > 1 and 'a' or 'b'", True, False, False),
        (";local os = {time=1} return 'a'..os.time", False, False, False),
        ("'os.time() countryCode() include'", False, False, False),
        ("x.os", False, False, False),
        ("country('DE') and 'a' or 'b'", False, False, False),
        ("countryCode()", False, True, False),
        (";local f = latlon return f()", False, True, False),
        (";--[[ os.time() ]] include('c') return x", False, False, True),
        ("dblookup('a', 1)[1]", False, False, True),
        ("_G['o'..'s'].time()", True, True, True),
        ("loadstring('return os')()", True, True, True),
        (";setfenv(1, {}) return 'a'", True, True, True),
    ],
)
def test_what_code_depends_on_is_known_from_its_tree(
    code: str, clock: bool, databases: bool, zone: bool
) -> None:
    program = Program(code.encode(), rr.A)
    names = (CLOCK, OF_DATABASES, OF_ZONE)
    assert [program.may_reach(some) for some in names] == [clock, databases, zone]


@pytest.mark.parametrize(
    ("code", "chooses"),
    [
        ("pickrandom({'a', 'b'})", False),
        (";local t = {['or'] = 'if'} return t['or']", False),
        ("qname:isPartOf(zone) and 'a'", True),
        (";if tcp then return 'a' end return 'b'", True),
        (";for i = 1, 2 do return 'a' end", True),
        ("(function() return 'a' end)()", True),
    ],
)
def test_whether_code_takes_different_ways_is_known_from_its_tree(code: str, chooses: bool) -> None:
    assert Program(code.encode(), rr.A).chooses is chooses


def test_code_is_read_once() -> None:
    program = Program(b";return pickrandom({'192.0.2.1'})", rr.A)
    assert program.tree is program.tree
    assert program.nodes[0] is program.tree
    assert program.scopes is program.scopes
    assert [call.function for call in program.calls] == [
        access.name for access in program.scopes.accesses
    ]


def test_code_that_is_none_has_no_tree() -> None:
    program = Program(b"pickrandom({", rr.A)
    for _ in range(2):
        with pytest.raises(LuaSyntaxError):
            _ = program.scopes


def test_records_with_the_same_code_have_one_program() -> None:
    found = programs(
        "a LUA A \"'192.0.2.1'\"\nb LUA A \"'192.0.2.1'\"\nc LUA TXT \"'192.0.2.1'\"\n"
    )
    a, b, c = [program for _, program in found]
    assert a is b
    assert a is not c


def test_programs_are_kept_up_to_a_number_of_octets() -> None:
    text = "x" * 200
    count = 3 * MAX_OCTETS // len(text)
    found = programs(f"$GENERATE 1-{count} n$ LUA TXT \"'{text}$'\"\n")
    first = found.of(found.records[0])
    assert found.of(found.records[0]) is first
    assert sum(len(program.code) for _, program in found) > MAX_OCTETS
    again = found.of(found.records[0])
    assert again is not first
    assert again.code == first.code


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("c", True),
        ("C", True),
        ("c.", True),
        ("\\099", True),
        ("c.d", True),
        ("c..", False),
        ("c.example.org.", False),
        ("@", False),
        ("", False),
        ("two", False),
        ("x" * 64, False),
    ],
)
def test_a_name_that_is_included_is_resolved_in_one_way(name: str, found: bool) -> None:
    library = programs(
        'c LUA LUA "x=1"\nc.d LUA LUA "x=2"\ntwo LUA LUA "x=3"\ntwo LUA LUA "x=4"\n'
        "c LUA A \"'192.0.2.1'\"\n"
    )
    program = library.include(name.encode())
    assert (program is not None) is found
    assert library.included_code().keys() == {
        wire_name.from_text(owner, APEX) for owner in ("c", "c.d", "two")
    }
    assert library.included_code()[wire_name.from_text("two", APEX)] == b"x=3\nx=4"


def test_a_name_below_another_has_no_meaning_of_its_own() -> None:
    assert wire_name.below(b"A.b", APEX) == b"\1a\1b" + APEX
    assert wire_name.below(b"@", APEX) == b"\1@" + APEX
    assert wire_name.below(b".", APEX) == wire_name.below(b"", APEX) == APEX
    assert wire_name.below(b"a\\.", APEX) == b"\2a." + APEX
    with pytest.raises(wire_name.InvalidName):
        wire_name.below(b"a..", APEX)
