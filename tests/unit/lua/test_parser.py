"""The parser takes what LuaJIT loads, refuses the rest, and says where and why."""

import random
from collections.abc import Callable

import lupa.luajit21 as luajit21
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.lua.program import Program
from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.lexer import END, FAULT, lex, string_value
from lzc.lua.syntax.tree import LuaSyntaxError, children, walk
from tests.unit.lua_programs import Programs

A = 1
LUA = 65402

_loads: Callable[[bytes], bool] = luajit21.LuaRuntime(encoding=None).eval(
    b"function(code) return loadstring(code) ~= nil end"
)


def loads(code: bytes) -> bool:
    """Whether LuaJIT loads a record's code, which covers A.

    The blank is for a "#" behind the ";": the first line of a file may be a comment then.
    """
    return _loads(b" " + code[1:] if code.startswith(b";") else b"return " + code)


def parses(code: bytes) -> bool:
    try:
        _ = Program(code, A).tree
    except LuaSyntaxError as error:
        assert 0 <= error.offset <= len(code)
        return False
    return True


def shape(node: ast.Node | None) -> object:
    """A tree without its places."""
    match node:
        case ast.Name(name=name):
            return name.decode()
        case ast.Number(text=text):
            return text.decode()
        case ast.String(value=value):
            return repr(value.decode())
        case ast.Binary():
            return (shape(node.left), node.operator.decode(), shape(node.right))
        case ast.Unary():
            return (node.operator.decode(), shape(node.operand))
        case _:
            assert node is not None
            return (type(node).__name__, *[shape(child) for child in children(node)])


def expression(code: bytes) -> object:
    statement = Program(code, A).tree.body.statements[0]
    assert isinstance(statement, ast.Return)
    return shape(statement.values[0])


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        (b"a..b...c", [b"a", b"..", b"b", b"...", b"c"]),
        (b"0x1Fp+4-3e-2", [b"0x1Fp+4", b"-", b"3e-2"]),
        (b"0xe-1", [b"0xe", b"-", b"1"]),
        (b"x==y~=z<=w>=v", [b"x", b"==", b"y", b"~=", b"z", b"<=", b"w", b">=", b"v"]),
        (b"[==[ ]] ]==] [[y]]", [b"[==[ ]] ]==]", b"[[y]]"]),
        (b"a[b[1]]", [b"a", b"[", b"b", b"[", b"1", b"]", b"]"]),
        (rb"'it\'s'", [rb"'it\'s'"]),
        (b"x -- note\ny --[[ long\n note ]] z", [b"x", b"y", b"z"]),
        (b"::a::::b::", [b"::", b"a", b"::", b"::", b"b", b"::"]),
    ],
)
def test_tokens(code: bytes, texts: list[bytes]) -> None:
    tokens = lex(code)
    assert [tokens.text(i) for i in range(len(tokens.types))] == [*texts, b""]
    assert tokens.types[-1] == END


@pytest.mark.parametrize("code", [b"'abc", b"[[abc", b"--[[abc", b"a ? b", b"'a\nb'", b"1..2"])
def test_what_is_no_token_is_a_fault_with_its_place(code: bytes) -> None:
    tokens = lex(b"x " + code)
    assert tokens.types[-1] == FAULT
    assert tokens.fault is not None
    assert tokens.fault.offset >= 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb"'a\n\t\\\'\"'", b"a\n\t\\'\""),
        (rb"'\65\066\x43\u{e4}'", b"ABC\xc3\xa4"),
        (b"'a\\z \r\n\t b'", b"ab"),
        (b"'a\\\r\nb\\\nc'", b"a\nb\nc"),
        (b"[[\r\na\r\nb\n\rc\rd]]", b"a\nb\nc\nd"),
        (b"[=[\n\n]]]=]", b"\n]]"),
        (b"'\\0001'", b"\x001"),
    ],
)
def test_values_of_literals(text: bytes, value: bytes) -> None:
    assert string_value(text) == value
    lua = luajit21.LuaRuntime(encoding=None)
    assert lua.execute(b"return " + text) == value


@pytest.mark.parametrize(
    ("code", "tree"),
    [
        (b"1+2*3", ("1", "+", ("2", "*", "3"))),
        (b"1-2-3", (("1", "-", "2"), "-", "3")),
        (b"a..b..c", ("a", "..", ("b", "..", "c"))),
        (b"2^3^2", ("2", "^", ("3", "^", "2"))),
        (b"-2^2", ("-", ("2", "^", "2"))),
        (b"2^-1", ("2", "^", ("-", "1"))),
        (b"not a==b", (("not", "a"), "==", "b")),
        (b"a or b and c", ("a", "or", ("b", "and", "c"))),
        (b"a..1+2", ("a", "..", ("1", "+", "2"))),
        (b"a<b==c", (("a", "<", "b"), "==", "c")),
        (b"f'x'.y:z{}", ("MethodCall", ("Index", ("Call", "f", "'x'"), "'y'"), "z", ("Table",))),
    ],
)
def test_precedence_and_associativity(code: bytes, tree: object) -> None:
    assert expression(code) == tree


def test_code_is_a_chunk_where_it_covers_lua_or_starts_with_a_semicolon() -> None:
    assert Program(b"'x'", A).tree.expression
    assert not Program(b";return 'x'", A).tree.expression
    assert not Program(b"x=1", LUA).tree.expression
    with pytest.raises(LuaSyntaxError, match="starts without ';'"):
        _ = Program(b";x=1", LUA).tree


@pytest.mark.parametrize(
    ("code", "message", "offset", "opened"),
    [
        (b"f(1,\n2 x", "')' expected near 'x' (to close '(' at line 1)", 7, 1),
        (b"{1,\n2", "'}' expected at the end (to close '{' at line 1)", 5, 0),
        (b";if a then\nreturn 1", "'end' expected at the end (to close 'if' at line 1)", 19, 1),
        (b"f('a)", "this string has no closing ' on its line", 2, None),
        (b"a != b", "unexpected symbol '!'; write '~=' for not equal", 2, None),
        (b"'\\q'", "escape '\\q' is none of Lua's", 1, None),
        (b"1 2", "the code should end here near '2'", 2, None),
        (b";x = f\n(y)", "ambiguous: call of the line above", 7, None),
        (b";break", "'break' outside of a loop", 1, None),
        (b";local x <const> = 1", "a statement is expected near '<'", 9, None),
        (b";goto a", "no label 'a' for goto", 6, None),
        (b";f", "'=' or a call is expected", 2, None),
        (b";return 1 x=2", "must be the last statement of its block", 10, None),
        (b";function f() return ... end", "the function has no '...'", 21, None),
    ],
)
def test_errors_say_what_and_where(
    code: bytes, message: str, offset: int, opened: int | None
) -> None:
    assert not loads(code)
    with pytest.raises(LuaSyntaxError) as caught:
        _ = Program(code, A).tree
    assert message in str(caught.value)
    assert (caught.value.offset, caught.value.opened) == (offset, opened)


def test_limits_of_the_compiler_that_the_parser_does_not_know_are_told_too() -> None:
    names = b",".join([b"a%d" % i for i in range(70)])
    uses = b"+".join([b"a%d" % i for i in range(70)])
    code = b";local " + names + b"\nreturn function() return " + uses + b" end"
    assert parses(code)
    with pytest.raises(LuaSyntaxError, match="upvalues") as caught:
        Program(code, A).check()
    assert caught.value.offset == code.index(b"\n") + 1


@pytest.mark.parametrize(
    ("opening", "inner", "closing"),
    [
        (b"(", b"1", b")"),
        (b"{", b"1", b"}"),
        (b"- ", b"1", b""),
        (b"a..", b"a", b""),
        (b"a[", b"1", b"]"),
        (b"function() return ", b"1", b" end"),
        (b"function() do ", b"", b" end end"),
    ],
)
def test_nesting_ends_where_luajit_ends_it(opening: bytes, inner: bytes, closing: bytes) -> None:
    accepted = [
        depth
        for depth in range(1, 210)
        if parses(opening * depth + inner + closing * depth)
        == loads(opening * depth + inner + closing * depth)
    ]
    assert accepted == list(range(1, 210))


def names(count: int) -> bytes:
    return b",".join([b"a%d" % i for i in range(count)])


@pytest.mark.parametrize(
    "code",
    [
        lambda count: b";local " + names(count),
        lambda count: b";" + b"local a " * count,
        lambda count: b";" + b"local a " * count + b"for i=1,2 do end",
        lambda count: b";for " + names(count) + b" in x do end",
        lambda count: b";function f(" + names(count) + b") end",
        lambda count: b";function o:f(" + names(count) + b") end",
        lambda count: b";do " + names(count) + b"=1 end",
        lambda count: b";do " + b"".join([b"::a%d::" % i for i in range(count)]) + b"end",
    ],
)
def test_limits_of_names_are_luajits(code: Callable[[int], bytes]) -> None:
    counts = range(190, 205)
    assert [parses(code(count)) for count in counts] == [loads(code(count)) for count in counts]


def test_a_thousand_levels_are_an_error_and_not_a_crash() -> None:
    for code in (b"(" * 5000, b";" + b"do " * 5000, b"{" * 5000, b"not " * 5000):
        assert not parses(code)


def test_a_thousand_terms_parse_and_walk() -> None:
    chunk = Program(b"1+" * 3000 + b"1", A).tree
    assert sum(isinstance(node, ast.Number) for node in walk(chunk)) == 3001


@settings(max_examples=150)
@given(st.integers(0, 2**64), st.booleans())
def test_generated_programs_parse_and_every_node_lies_within_its_parent(
    seed: int, jit: bool
) -> None:
    code = Programs(seed, jit).record()
    assert loads(code)
    for node in walk(Program(code, A).tree):
        inside = children(node)
        assert all(node.offset <= child.offset <= child.end <= node.end for child in inside)
        ends = [child.end for child in inside]
        assert ends == sorted(ends)


SOUP = [
    *b"a ( ) { } [ ] = , ; . .. ... : :: 'x' [[y]] 1 .5 0x e p1 1LL 2i 1ull".split(),
    *b"goto end do then if else elseif for in function return".split(),
    *b"local break while repeat until and or not nil true - + ^ # == ~= <".split(),
    *b"\\ \" ' -- --[[ [=[ \xc3\xa9".split(),
    *[b"\n", b"::a::", b"goto a ", b"local a ", b"local goto=1 "],
]


def mutated(source: random.Random, code: bytes) -> bytes:
    for _ in range(source.randint(1, 3)):
        start = source.randrange(len(code) + 1)
        end = min(len(code), start + source.choice([0, 0, 1, 2, 5, 20]))
        word = source.choice([b"", *SOUP])
        code = code[:start] + source.choice([word, b" " + word + b" "]) + code[end:]
    return code


@settings(max_examples=400)
@given(st.integers(0, 2**64))
def test_mutated_programs_parse_exactly_where_luajit_loads_them(seed: int) -> None:
    programs = Programs(seed, jit=True)
    code = mutated(programs.random, programs.record())
    assert parses(code) == loads(code)


@settings(max_examples=400)
@given(st.lists(st.sampled_from(SOUP), min_size=1, max_size=9), st.booleans())
def test_heaps_of_tokens_parse_exactly_where_luajit_loads_them(
    words: list[bytes], chunk: bool
) -> None:
    code = (b";" if chunk else b"") + b" ".join(words)
    assert parses(code) == loads(code)


@settings(max_examples=400)
@given(st.text("00123xXeEpPbB.+-iIlLuUaf_ ", min_size=1, max_size=9))
def test_numerals_are_luajits(text: str) -> None:
    code = text.encode()
    assert parses(code) == loads(code)


@settings(max_examples=300)
@given(st.text("\\\\\\'xzu{}0129adfnq\n\r \xe9", max_size=9), st.sampled_from("'\""))
def test_escapes_are_luajits(text: str, quote: str) -> None:
    code = (quote + text + quote).encode("latin-1")
    assert parses(code) == loads(code)
    if parses(code):
        statement = Program(code, A).tree.body.statements[0]
        assert isinstance(statement, ast.Return)
        if isinstance(statement.values[0], ast.String):
            run = luajit21.LuaRuntime(encoding=None).execute(b"return " + code)
            assert statement.values[0].value == run


FRAMES = [
    *[(b"do", b"end"), (b"repeat", b"until x"), (b"while x do", b"end"), (b"function f()", b"end")],
    *[(b"for i=1,2 do", b"end"), (b"for k in x do", b"end"), (b"if x then", b"else x=1 end")],
]
JUMPS = [b"::a::", b"::b::", b"goto a", b"goto b", b"local x", b"x=1", b";", b"break", b"return"]


def jumping(source: random.Random, depth: int) -> list[bytes]:
    words: list[bytes] = []
    for _ in range(source.randint(0, 5)):
        if depth and source.random() < 0.35:
            opening, closing = source.choice(FRAMES)
            words += [opening, *jumping(source, depth - 1), closing]
        else:
            words.append(source.choice(JUMPS))
    return words


@settings(max_examples=100)
@given(st.integers(0, 2**64))
def test_jumps_and_labels_are_luajits(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(20):
        code = b";" + b" ".join(jumping(source, 3))
        assert parses(code) == loads(code)
