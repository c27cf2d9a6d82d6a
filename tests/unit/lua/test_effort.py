"""Short code that says endlessly much is looked at for an end, and the same one on each machine.

Without a bound, most of these would not come back before the next century: each line doubles what
the name stands for.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lzc.compiler.lua.plans import written_checks
from lzc.lua.definition.record import ZoneFacts
from lzc.lua.lint.linter import included_names, lint
from lzc.lua.program import Program
from lzc.lua.syntax.constants import ALWAYS, Effort, TooMuch
from lzc.powerdns_versions import LATEST
from lzc.wire import rrtype as rr
from tests.unit.lua_planning import plan_of

DOUBLED = 60
LIST = "{" + ",".join(f"'192.0.2.{number}'" for number in range(100)) + "}"
MANY = ",".join(["L"] * 1000)


def doubled(first: str, line: str, last: str) -> str:
    """``first`` is what a0 stands for, ``line`` makes the next of ``{0}``."""
    lines = [f"local a0={first}"]
    lines += [f"local a{n + 1}={line.format(f'a{n}')}" for n in range(DOUBLED)]
    return ";" + " ".join([*lines, last.format(f"a{DOUBLED}")])


CODES = {
    "tables": doubled("{'192.0.2.1'}", "{{{0},{0}}}", "return ifportup(80,{0})"),
    "unused tables": doubled("{'192.0.2.1'}", "{{{0},{0}}}", "return '192.0.2.1'"),
    "texts": doubled("'192.0.2.1'", "{0}..{0}", "return {0}"),
    "empty texts": doubled("''", "{0}..{0}", "return {0}"),
    "texts to include": doubled("''", "{0}..{0}", "include({0}) return '192.0.2.1'"),
    "conditions": doubled("country('EU')", "{0} and {0}", "return {0} and 'a' or 'b'"),
    "alternatives": doubled("'x'", "{0} or {0}", "return {0}"),
    "views": doubled("{'192.0.2.0/24'}", "{{{0},{0}}}", "return view({0})"),
    "weights": doubled("'1'", "{0}..{0}", "return pickwrandom({{{0},'192.0.2.1'}})"),
    "lists of lists": f";local L={LIST} return ifportup(80,{{{MANY}}})",
    "checks": f";local L={LIST} if x then return ifportup(80,{{{MANY}}}) end return 'x'",
    "ways": ";"
    + " ".join(f"if country('A{n}') then b='x' end" for n in range(40))
    + " ".join(f" a{n}='x'" for n in range(3000))
    + " return 'x'",
    "includes": ";" + "include('a') " * 4000 + "return 'x'",
}
INCLUDED = b" ".join(b"x%d='y'" % number for number in range(5000))


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
@pytest.mark.parametrize(
    "look",
    [
        lambda code: plan_of(code, rr.A, lambda name: INCLUDED),
        lambda code: written_checks(Program(code, rr.A), LATEST),
        lambda code: lint(Program(code, rr.A), 60, ZoneFacts()),
        lambda code: included_names(Program(code, rr.A)),
    ],
    ids=["plan", "checks", "lint", "inclusions"],
)
def test_what_says_endlessly_much_has_an_end(look: Callable[[bytes], object], code: str) -> None:
    look(code.encode())


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_no_plan_is_made_of_it(code: str) -> None:
    assert plan_of(code.encode(), rr.A, lambda name: INCLUDED) is None


def test_names_that_are_used_often_are_still_seen_through() -> None:
    networks = "{" + ",".join(f"'192.0.{number}.0/24'" for number in range(100)) + "}"
    ways = " ".join(f"if netmask(n) and country('A{n}') then return 'a{n}' end" for n in range(60))
    code = f";local n={networks} {ways} return 'b'"
    assert plan_of(code.encode(), rr.TXT) is not None


def test_what_was_found_until_then_is_told() -> None:
    start = ";local x = pickrandom({}) "
    code = (start + CODES["alternatives"].removeprefix(";")).encode()
    found = lint(Program(code, rr.A), 60, ZoneFacts())
    assert "lua-empty-candidates" in {finding.rule for finding in found}


def test_effort_grows_with_what_is_written() -> None:
    effort = Effort(1000)
    effort.take(ALWAYS + 4 * 1000)
    with pytest.raises(TooMuch):
        effort.take()
    tree = Program(b"'" + b"x" * 60_000 + b"'", rr.TXT).tree
    for _ in range(20):
        Effort(0).take_tree(tree)
    effort = Effort(0)
    with pytest.raises(TooMuch):
        for _ in range(30):
            effort.take_tree(tree)


NUMBERS = [
    *("0x" + "f" * 400, "9" * 5000, "1e999", "0x1p9999", "9" * 5000 + "ULL", "-1e999"),
    *("'" + "9" * 5000 + "'", "'0x" + "f" * 400 + "'", "'  -0x" + "f" * 400 + "'"),
    *("'nan'", "'-inf'", "'1_0'", "'9'..'" + "9" * 5000 + "'"),
]
PLACES = [
    *("{0}", "pickrandom({{{0}}})", "pickrandomsample({0},{{'192.0.2.1'}})", "include({0})"),
    *("pickwrandom({{{{{0},'192.0.2.1'}}}})", "pickchashed({{{{{0},'192.0.2.1'}}}})"),
    *("ifportup({0},{{'192.0.2.1'}})", "ifurlup('http://a',{{'192.0.2.1'}},{{timeout={0}}})"),
    "ifurlup('http://a',{{'192.0.2.1'}},{{minimumFailures={0},interval={0}}})",
    *("asnum({0}) and 'x'", "geoiplookup('192.0.2.1',{0})", "qname:getRawLabels()[{0}]"),
    *("view({{{{{{{0}}},{{'192.0.2.1'}}}}}})", "newNMG({{{0}}})", "dblookup('a',{0})"),
    *("({{'192.0.2.1'}})[{0}]", "createReverse({0})", "netmask({{{0}}}) and 'x'"),
]


@pytest.mark.parametrize("place", PLACES)
def test_a_number_of_any_size_may_stand_anywhere(place: str) -> None:
    for number in NUMBERS:
        code = place.format(number).encode()
        for covered in (rr.A, rr.TXT, rr.CNAME):
            lint(Program(code, covered), 60, ZoneFacts(signed=True))
            plan_of(code, covered)
            written_checks(Program(code + b" or x", covered), LATEST)


def record_of(count: int, item: str, whole: str) -> bytes:
    return whole.format(",".join(item.format(n >> 8, n & 255) for n in range(count))).encode()


@pytest.mark.parametrize(
    ("item", "whole", "fits", "too_many"),
    [
        (
            "'10.{}.{}.0/24'",
            ";if netmask({{{0}}}) or netmask({{{0}}}) then return 'a' end"
            " if netmask({{{0}}}) or netmask({{{0}}}) or netmask({{{0}}}) then return 'b' end"
            " return 'c'",
            1600,
            1700,
        ),
        ("'10.{}.{}.1'", "ifportup(80,{{{{{0}}},{{{0}}},{{{0}}}}})", 1300, 1400),
        ("country{}{}", "'{0}'..qname:toString()", 300, 500),
    ],
)
def test_what_queries_would_wait_for_is_left_to_lua_where_it_is_charged(
    item: str, whole: str, fits: int, too_many: int
) -> None:
    """A plan is nobody's time: going through ten thousand networks for each new client is."""
    assert plan_of(record_of(fits, item, whole), rr.TXT) is not None
    assert plan_of(record_of(too_many, item, whole), rr.TXT) is None


def test_texts_that_names_make_long_are_left_to_lua() -> None:
    assert plan_of(b"..".join([b"qname:toString()"] * 16), rr.TXT) is not None
    assert plan_of(b"..".join([b"qname:toString()"] * 17), rr.TXT) is None
    assert plan_of(b"'" + b"x" * 60_000 + b"'", rr.TXT) is not None
