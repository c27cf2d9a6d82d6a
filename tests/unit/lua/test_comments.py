"""Comments that take the strings after them with them."""

from __future__ import annotations

from lzc.compiler.lua.lint import LintSettings, lint_zone
from lzc.compiler.lua.programs import Programs
from lzc.faults import Fault
from tests.unit import lint_project
from tests.unit.compiling import wire
from tests.unit.zone_text import read_zone_text


def faults_of(body: str) -> list[Fault]:
    zone, faults = read_zone_text((lint_project.TOP + body).encode(), wire("example.org"), "z")
    zone.records.sort()
    return lint_zone(Programs(zone, insert_whitespace=True), LintSettings(), faults)


def told(body: str) -> list[tuple[str, int, int]]:
    """Rules, with the line in the body (from 1) and the column."""
    return [(one.rule, one.place.line - 3, one.place.column) for one in faults_of(body)]


def test_a_comment_that_takes_code_of_later_strings_is_told_where_it_starts() -> None:
    body = "www LUA A ( \"'192.0.2.1' -- the default\"\n          \" or '192.0.2.2'\" )\n"
    (fault,) = faults_of(body)
    assert (fault.place.line - 3, fault.place.column) == (1, 26)
    assert fault.message == (
        "this comment runs on over 'or '192.0.2.2'' at z:5:12 to the end of the code"
    )
    assert "--[[" in fault.fix
    assert told("www LUA A \"'192.0.2.1' --x\" \" or '192.0.2.2'\"\n") == [
        ("lua-comment-swallows", 1, 24)
    ]


def test_escapes_and_accents_before_it_do_not_shift_its_place() -> None:
    assert told("www LUA TXT \"'é\\195\\169' --x\" \"..'y'\"\n") == [
        ("lua-comment-swallows", 1, 26)
    ]


def test_it_is_told_in_octets_of_unknown_types_too() -> None:
    octets = b"\x00\x01\x0f'192.0.2.1' --x\x05..'y'"
    body = f"www TYPE65402 \\# {len(octets)} {octets.hex()}\n"
    column = body.index(b"--x".hex()) + 1
    assert told(body) == [("lua-comment-swallows", 1, column)]


def test_where_no_code_is_lost_nothing_is_told() -> None:
    for code in (
        "\"'192.0.2.1' -- the only string\"",
        '"\'192.0.2.1\' -- the last" "" " "',
        '"\'192.0.2.1\' -- one" "-- two" " -- three"',
        "\"'192.0.2.1' --[[ closed ]]\" \" or '192.0.2.2'\"",
        '"\'192.0.2.1\' --[==[ over" " two ]==]" " or \'192.0.2.2\'"',
        "\"'192.0.2.1' -- ended\\010\" \" or '192.0.2.2'\"",
        "\"'192.0.2.1' or '--'\" \" or '192.0.2.2'\"",
        "\"'192.0.2.1' or [[--\" \"]] or '192.0.2.2'\"",
    ):
        rules = {rule for rule, *_ in told(f"www LUA TXT {code}\n")}
        # Beside what PowerDNS makes of the octet.
        assert rules <= {"powerdns-reads-otherwise"}, code


def test_a_comment_of_the_zone_file_keeps_it_quiet() -> None:
    assert told('www LUA A "\'192.0.2.1\' --x" " or 1" ; lzc: ignore lua-comment-swallows\n') == []


def test_where_what_is_left_is_no_lua_the_error_says_so() -> None:
    (fault,) = faults_of(
        'www LUA A ( ";if tcp then -- big answers"\n" return \'192.0.2.1\' end"\n'
        "\" return '192.0.2.2'\" )\n"
    )
    assert fault.rule == "lua-syntax"
    assert "the comment at z:4:27 swallows the strings after it" in fault.message
    assert "--[[" in fault.fix
