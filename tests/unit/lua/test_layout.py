"""Lua code on lines, for people and for line-wise comparison."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from lzc.foreign_text import code as code_line
from lzc.lua.syntax.layout import lay_out
from lzc.lua.syntax.lexer import lex

CORPUS = Path(__file__).parent / "lua_corpus"


def shown(code: str) -> str:
    return "".join(f"{code_line(line)}\n" for line in lay_out(code.encode()))


def words(code: bytes) -> list[bytes]:
    """All tokens but those that may go or come in a layout."""
    found = lex(code)
    texts = [found.text(index) for index in range(len(found.types))]
    return [text for text in texts if text not in (b",", b";")]


LAYOUTS = {
    "every candidate has a line": (
        "ifportup(443,{'192.0.2.1','192.0.2.2'},{timeout=2})",
        """\
        ifportup(443, {
          '192.0.2.1',
          '192.0.2.2',
        }, {timeout = 2})
        """,
    ),
    "inner tables stay whole": (
        "pickwrandom({{10,'192.0.2.1'},{20,'192.0.2.2'}})",
        """\
        pickwrandom({
          {10, '192.0.2.1'},
          {20, '192.0.2.2'},
        })
        """,
    ),
    "blocks are indented": (
        ";if country('DE') then local x=-1 return x elseif y then z()"
        " else while a do b=1 c=2 end end",
        """\
        ; if country('DE') then
          local x = -1
          return x
        elseif y then
          z()
        else
          while a do
            b = 1
            c = 2
          end
        end
        """,
    ),
    "functions as arguments and in tables": (
        "f{g=function(a,...) repeat x=#a until x end,h=1}",
        """\
        f {
          g = function(a, ...)
            repeat
              x = #a
            until x
          end,
          h = 1,
        }
        """,
    ),
    "long arguments": (
        f"f('{'a' * 40}','{'b' * 40}')",
        f"""\
        f(
          '{"a" * 40}',
          '{"b" * 40}'
        )
        """,
    ),
    "labels and blocks": (
        "local n=0 ::again:: n=n+1 do f() end for i=1,2 do g() end if n<3 then goto again end",
        """\
        local n = 0
        ::again::
        n = n + 1
        do
          f()
        end
        for i = 1, 2 do
          g()
        end
        if n < 3 then
          goto again
        end
        """,
    ),
    "long brackets": ("t[ [[k]] ],t[1],t[f[=[x]=] ]", "t[ [[k]] ], t[1], t[f [=[x]=] ]\n"),
    "a minus before a minus is no comment": ("a=- -b", "a = - -b\n"),
    "methods and indices": ("bestwho:toString() .. t[1].x", "bestwho:toString() .. t[1].x\n"),
}


@pytest.mark.parametrize(("code", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_layout(code: str, expected: str) -> None:
    assert shown(code) == dedent(expected)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f ( 1 ,2 )", "f(1, 2)"),
        ("f(1) -- why\n", "f(1)"),
        ("{'a', 'b',}", "{'a';'b'}"),
        ("a=1; b=2", "a=1 b=2"),
        ("a=1\nb=2", "a=1   b=2 "),
    ],
)
def test_what_means_the_same_looks_the_same(one: str, other: str) -> None:
    assert lay_out(one.encode()) == lay_out(other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f();(g)()", "f()(g)()"),
        (";f()", "f()"),
        ("'a b'", "'a  b'"),
        ("[[\n\n]]", "[[\n\\010]]"),
        ("a..b", "a.b"),
        ("{1,2}", "{{1,2}}"),
    ],
)
def test_what_means_something_else_looks_different(one: str, other: str) -> None:
    assert lay_out(one.encode()) != lay_out(other.encode())


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.lua")), ids=lambda path: path.stem)
def test_no_token_is_lost_and_a_layout_laid_out_is_itself(path: Path) -> None:
    code = path.read_bytes()
    lines = lay_out(code)
    again = b"\n".join(lines)
    assert words(again) == words(code)
    assert lay_out(again) == lines


@pytest.mark.parametrize("code", ["'open", "end end ) ) }", "", ";", "if", "function", "{(["])
def test_what_is_no_program_is_shown_all_the_same(code: str) -> None:
    assert "".join(shown(code).split()).replace(",}", "}") == "".join(code.split())


def test_octets_that_do_not_print_are_escaped() -> None:
    assert shown("'\u00e9'") == "'\\195\\169'\n"
